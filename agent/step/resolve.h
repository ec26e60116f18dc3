/* resolve: reference -> manifest bytes and signature candidates, all still unverified (distribution-spec "Pulling
 * manifests"). */
#ifndef PLINTH_STEP_RESOLVE_H
#define PLINTH_STEP_RESOLVE_H

#include "step/step.h"

/* Asks for the reference's manifest, for the platform's child where the worker takes it for an index, and for the
 * signatures of both. With `second`, another fetch worker, what lies at tags and what refers to them is asked for at
 * the same time, and the config before that, over a connection that it makes meanwhile; without one (NULL) the config
 * waits for trust_config. Bytes live in `a`. ERR_DIGEST when the reference pins a digest and other bytes came. */
bool resolve_image(const struct config *config, const struct child *fetch, const struct child *second, struct arena *a,
                   struct resolved *out, struct err *e);

#endif
