/* attest: evidence (RFC 9334) of what was measured, for a relying party: a TPM's quote over its nonce, or a CPU's quote
 * or report over a digest of nonce and register (tee/evidence.h), with both logs. */
#ifndef PLINTH_STEP_ATTEST_H
#define PLINTH_STEP_ATTEST_H

#include "step/step.h"

struct attestation {
    struct view evidence; /* JSON (tee/evidence.h), in the arena: for /run/plinth/evidence.json */
    bool host_nonce;      /* the host gave the nonce, and has been sent the evidence; else it is 32 random bytes */
};

/* Evidence over `nonce` (empty: 32 random bytes), into the arena. ERR_DIGEST when a quote or report is not over what
 * was asked, or not over the register values that were read beside it (PCRs 0-15, RTMR3): the TEE contradicts itself.
 * ERR_POLICY: a debug TD or SNP guest. A CCEL that cannot be read or does not parse is left out, with a note on the
 * console. */
bool attest_make(const struct measurement *m, const struct config *config, const struct verified_image *image,
                 struct view nonce, struct arena *a, struct view *evidence, struct err *e);

/* Evidence in the shape of Trustee's verifiers (tee/trustee.h): over report_data; of a TPM over its first 32 bytes,
 * by the RSA key that Trustee's own agent keeps in it. ERR_SYSTEM: the TPM has none, with what mends it. */
bool attest_trustee(const struct measurement *m, const uint8_t report_data[static REPORT_DATA_SIZE], struct arena *a, struct view *evidence,
                    struct err *e);

/* attest_make over the nonce of the host's port (sys/port.h) where there is one, and the evidence back through it; then
 * a credential activated, if the host wishes. Costs PORT_TIMEOUT_MS when the port is there and nobody speaks. Without a
 * TEE (m->tee NULL): no evidence, no error. */
bool attest_run(const struct measurement *m, const struct config *config, const struct verified_image *image,
                struct arena *a, struct attestation *out, struct err *e);

/* Tells the host why the boot ends, if it listens: evidence of the register with the failure event in it (where there
 * is a TEE), then err_line's text. Never fails. `image` may be all zero: nothing was verified yet. */
void attest_refuse(const struct measurement *m, const struct config *config, const struct verified_image *image,
                   struct arena *a, const struct err *why);

#endif
