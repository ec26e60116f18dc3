/* attest: evidence (RFC 9334) of what was measured, for a relying party: a TPM quote over its nonce and both logs. */
#ifndef PLINTH_STEP_ATTEST_H
#define PLINTH_STEP_ATTEST_H

#include "step/step.h"

struct attestation {
    struct view evidence; /* JSON (tee/evidence.h), in the arena: for /run/plinth/evidence.json */
    bool host_nonce;      /* the host gave the nonce, and has been sent the evidence; else it is 32 random bytes of the TPM */
};

/* Quotes PCRs 0-15 over `nonce` (empty: 32 random bytes of the TPM) and writes the evidence into the arena. ERR_DIGEST when
 * the quote is not over that nonce, or not over the PCR values that were read beside it: the TPM contradicts itself. */
bool attest_make(const struct measurement *m, const struct config *config, const struct verified_image *image,
                 struct view nonce, struct arena *a, struct view *evidence, struct err *e);

/* attest_make over the nonce of the host's port (sys/port.h) where there is one, and the evidence back through it.
 * Costs PORT_TIMEOUT_MS when the port is there and nobody speaks. Without a TPM (m->tpm NULL): no evidence, no error. */
bool attest_run(const struct measurement *m, const struct config *config, const struct verified_image *image,
                struct arena *a, struct attestation *out, struct err *e);

/* Tells the host why the boot ends, if it listens: evidence of the register with the failure event in it (where there is a TPM), then
 * err_line's text. Never fails. `image` may be all zero: nothing was verified yet. */
void attest_refuse(const struct measurement *m, const struct config *config, const struct verified_image *image,
                   struct arena *a, const struct err *why);

#endif
