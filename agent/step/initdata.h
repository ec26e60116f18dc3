/* initdata: finds what the owner bound to this machine at launch (lib/tee/initdata.h), and holds it against the
 * register that binds it before anything of it is parsed. */
#ifndef PLINTH_STEP_INITDATA_H
#define PLINTH_STEP_INITDATA_H

#include "step/register.h"
#include "tee/initdata.h"

#define INITDATA_DEVICE_MS 10000 /* for one block device */

/* The initdata of the block device that begins with its magic, whatever the device is called; unverified. *text is
 * empty when there is none. A worker of its own reads each device, and what it says against one is an error, too: an
 * unreadable device may be the one. ERR_POLICY: two devices have initdata. */
bool initdata_find(struct arena *a, struct view *text, struct err *e);

/* Holds `text` (empty: there is none) against MRCONFIGID or HOST_DATA of the CPU's TEE that leads in `r`, which
 * register_open opened; with a TPM alone extends PCR 8 with it, which must be untouched. Then parses it; *out is all
 * zero when there is none. ERR_DIGEST: another digest is bound, or none while there is initdata; something is bound and
 * there is no initdata; `algorithm` is not that of the digest that was bound (with a TPM: not sha256); PCR 8 does not
 * hold what was extended. ERR_POLICY: PCR 8 was used; no TEE to bind it; initdata_parse's. */
bool initdata_bind(struct registers *r, struct view text, struct arena *a, struct initdata *out, struct err *e);

#endif
