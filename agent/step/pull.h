/* pull: resolve, trust and layers of one image in the order both programs use: the agent's table of steps, and
 * `plinth pull` and `plinth check` on an ordinary host. */
#ifndef PLINTH_STEP_PULL_H
#define PLINTH_STEP_PULL_H

#include "step/layers.h"

struct pull {
    struct arena arena; /* everything below lives here */
    struct config config;
    struct child fetch[LAYER_LANES]; /* the second one is started when there is something for it to do */
    size_t asked;                    /* layers, from the first, that their fetch worker was asked for already */
    struct resolved resolved;
    struct verified_image image;
};

/* Policy and reference -> config (see step/config.h). The caller may then set config.fetch_worker, fetch_room and
 * overlay. */
bool pull_begin(struct pull *p, struct view policy, struct view reference, struct view ca_bundle, bool layouts,
                struct err *e);
/* Puts the policy that kbs.policy of the present one names (step/resources.h) in its place. To whom the machine proves
 * itself, by what and in which register, stays the first one's say; config.first is that one. */
bool pull_follow(struct pull *p, struct view policy, struct view reference, struct view ca_bundle, bool layouts,
                 struct err *e);
/* Starts the clock of limits.seconds and the fetch workers; manifest bytes and signature candidates -> p->resolved. */
bool pull_resolve(struct pull *p, struct err *e);
/* Signatures, manifest, config -> p->image. */
bool pull_trust(struct pull *p, struct err *e);
/* Asks for the first layers, whose bytes then wait in the fetch workers until pull_layers. */
bool pull_ask_layers(struct pull *p, struct err *e);
/* All layers into directories "0", "1", ... of store_fd; `each` as in layers.h. Ends the fetch workers. */
bool pull_layers(struct pull *p, int store_fd, const struct layers_each *each, struct err *e);
/* Ends the workers and gives all memory back. */
void pull_end(struct pull *p);

#endif
