/* config: the measured policy becomes what the other steps work by. */
#ifndef PLINTH_STEP_CONFIG_H
#define PLINTH_STEP_CONFIG_H

#include "step/step.h"

/* Reads the policy. `reference` (host tool) may be empty; where the policy has an image too, they must be equal, or the reference
 * must pin a digest of the same repository. `ca_bundle` counts when the policy has no registry.ca. `layouts` allows oci:. */
bool config_make(struct view policy, struct view reference, struct view ca_bundle, bool layouts, struct arena *a,
                 struct config *out, struct err *e);

#endif
