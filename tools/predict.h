/* predict: Plinth's own register from policy and image reference alone, by the very code that runs in the guest. */
#ifndef PLINTH_TOOLS_PREDICT_H
#define PLINTH_TOOLS_PREDICT_H

#include "step/measure.h"
#include "step/pull.h"
#include "tools/options.h"

/* File names and text of the command line; NULL where not given. */
struct predict_from {
    const char *policy, *initdata; /* initdata: what the machine will be launched with; its policy, unless `policy` is the same */
    const char *reference;         /* may be NULL where the policy names the image */
    const char *store;             /* the directory of --store */
    const char *secrets;           /* the directory of --secrets */
    struct option_list decryption_keys;
};

/* pull_begin for this host: its CA bundle (/etc/ssl/certs/ca-certificates.crt), the worker for OCI layouts or the
 * store; what the policy leaves to a KBS (another policy, the registry's CA, mirrors, credentials) out of --secrets.
 * Bytes of policies go into `a`, which stays until the pull is over. ERR_USAGE: no policy or two, a layout or store
 * that cannot be opened, a store beside a layout. */
bool predict_begin(struct pull *p, const struct predict_from *from, struct arena *a, struct err *e);
/* After pull_trust. *measured is false, and the answer true, for an image without a command: it may be verified, not
 * launched. */
bool predict_register(struct pull *p, struct measurement *out, bool *measured, struct err *e);
/* All of it. ERR_POLICY for an image without a command. What is refused by pull_resolve and pull_trust is refused here.
 * out->log lives in `a`. */
bool predict_image(const struct predict_from *from, struct arena *a, struct measurement *out, struct err *e);

#endif
