/* resources: what a policy leaves to its owner's KBS: another policy in its place, and the registry's CA, mirrors and
 * credentials. From config->secrets, in the guest a KBS and on the host a directory (plinth pull --secrets). */
#ifndef PLINTH_STEP_RESOURCES_H
#define PLINTH_STEP_RESOURCES_H

#include "step/step.h"

/* Where kbs.policy names one: the bytes of the policy that counts, in `a`; else an empty view. Nothing is parsed yet. */
bool resources_policy(const struct config *config, struct arena *a, struct view *policy, struct err *e);
/* registry.ca and registry.mirrors, into the policy and, with their digests, config->resources: what `measured` (may be NULL)
 * takes before they count; then registry.auth, which is not measured, for whoever knows the log could guess it. */
bool resources_registry(struct config *config, struct measurement *measured, struct arena *a, struct arena *secrets,
                        struct err *e);

#endif
