/* register: which TEE this machine is, whether the policy takes it, and its register, ours from the first value on.
 *
 * Every TEE that is there gets every event; a CPU's evidence leads, and a vTPM beside it goes along. What leads must
 * stand in the policy's `tee`. */
#ifndef PLINTH_STEP_REGISTER_H
#define PLINTH_STEP_REGISTER_H

#include "step/step.h"

#define REGISTER_TPM_MS 5000 /* for the vTPM's driver, where no CPU leads */

/* What `measured` points into: must stay where it is. */
struct registers {
    const char *root; /* "" but in tests: see sys/tsm.h */
    bool opened, has_cpu, has_tpm;
    struct tee cpu, tpm;
    struct measurement beside; /* the TPM's, when a CPU leads */
};

/* Finds and opens what is there, which may be nothing; once. ERR_SYSTEM: it does not answer. */
bool register_open(struct registers *r, struct err *e);

/* Opens (register_open), then begins `measured` over it, up to the boot event. `tees` are bits of policy_tee, `pcr` is the
 * TPM's register. ERR_POLICY: no TEE, or what leads is not among `tees` (the text names what was found and what is
 * wanted), or a register that somebody used. */
bool register_begin(struct registers *r, unsigned tees, unsigned pcr, struct arena *a, struct measurement *measured,
                    struct err *e);

#endif
