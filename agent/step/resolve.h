/* resolve: reference -> manifest bytes and signature candidates, all still unverified (distribution-spec "Pulling manifests"). */
#ifndef PLINTH_STEP_RESOLVE_H
#define PLINTH_STEP_RESOLVE_H

#include "step/step.h"

/* Asks for the reference's manifest, for the platform's child where the worker takes it for an index, and for the signatures of
 * both. Bytes live in `a`. ERR_DIGEST when the reference pins a digest and other bytes came. */
bool resolve_image(const struct config *config, const struct child *fetch, struct arena *a, struct resolved *out,
                   struct err *e);

#endif
