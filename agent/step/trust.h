/* trust: what nobody vouched for becomes a verified image, or is refused.
 *
 * The chain: policy key -> payload -> digest of the manifest (or of the index, which must then lead to the manifest) ->
 * config. Only after a link holds are the bytes behind it parsed. */
#ifndef PLINTH_STEP_TRUST_H
#define PLINTH_STEP_TRUST_H

#include "step/step.h"

/* Signatures, index, manifest. With signatures.allowUnsigned nothing is asked of signatures; a pinned digest still
 * holds. */
bool trust_image(const struct config *config, const struct resolved *resolved, struct arena *a,
                 struct verified_image *out, struct err *e);
/* The config that was asked for early, or fetches it, checks it against the manifest, and reads it: diffIDs, platform,
 * process. */
bool trust_config(const struct config *config, const struct resolved *resolved, const struct child *fetch,
                  struct arena *a, struct verified_image *image, struct err *e);

#endif
