/* see pull.h */
#include "step/pull.h"

#include "step/config.h"
#include "step/fetcher.h"
#include "step/layers.h"
#include "step/resolve.h"
#include "step/trust.h"
#include "worker/frame.h"

/* Address space, not memory: two manifests and a config of 4 MiB each, parsed, would need about this much. */
#define PULL_ARENA (192u << 20)

bool pull_begin(struct pull *p, struct view policy, struct view reference, struct view ca_bundle, bool layouts,
                struct err *e) {
    *p = (struct pull){.fetch = CHILD_NONE};
    return arena_make(&p->arena, PULL_ARENA, e) &&
           config_make(policy, reference, ca_bundle, layouts, &p->arena, &p->config, e);
}

bool pull_resolve(struct pull *p, struct err *e) {
    p->config.deadline_ms = clock_ms() + 1000 * (int64_t)p->config.policy.limits.seconds;
    return (fetcher_start(&p->config, &p->fetch, e) &&
            resolve_image(&p->config, &p->fetch, &p->arena, &p->resolved, e)) ||
           err_in(e, "resolve");
}

bool pull_trust(struct pull *p, struct err *e) {
    return (trust_image(&p->config, &p->resolved, &p->arena, &p->image, e) &&
            trust_config(&p->config, &p->fetch, &p->arena, &p->image, e)) ||
           err_in(e, "trust");
}

bool pull_layers(struct pull *p, int store_fd, struct err *e) {
    return layers_unpack(&p->config, &p->image, &p->fetch, store_fd, &p->arena, e) || err_in(e, "layers");
}

void pull_end(struct pull *p) {
    proc_kill(&p->fetch);
    arena_drop(&p->arena);
}
