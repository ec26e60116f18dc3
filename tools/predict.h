/* predict: Plinth's own register from policy and image reference alone, by the very code that runs in the guest. */
#ifndef PLINTH_TOOLS_PREDICT_H
#define PLINTH_TOOLS_PREDICT_H

#include "step/measure.h"
#include "step/pull.h"

/* pull_begin for this host: its CA bundle (/etc/ssl/certs/ca-certificates.crt), the worker for OCI layouts. `reference`
 * may be empty where the policy names the image. `store` is the directory of --store, or NULL. The policy's bytes go into `a`.
 * ERR_USAGE: no policy, a layout or store that cannot be opened, a store beside a layout. */
bool predict_begin(struct pull *p, const char *policy_path, const char *reference, const char *store, struct arena *a,
                   struct err *e);
/* After pull_trust. *measured is false, and the answer true, for an image without a command: it may be verified, not
 * launched. */
bool predict_register(struct pull *p, struct measurement *out, bool *measured, struct err *e);
/* All of it. ERR_POLICY for an image without a command. What is refused by pull_resolve and pull_trust is refused here.
 * out->log lives in `a`. */
bool predict_image(const char *policy_path, const char *reference, struct arena *a, struct measurement *out,
                   struct err *e);

#endif
