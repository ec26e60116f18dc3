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
    *p = (struct pull){.fetch = {CHILD_NONE, CHILD_NONE}};
    return arena_make(&p->arena, PULL_ARENA, e) &&
           config_make(policy, reference, ca_bundle, layouts, &p->arena, &p->config, e);
}

bool pull_follow(struct pull *p, struct view policy, struct view reference, struct view ca_bundle, bool layouts,
                 struct err *e) {
    struct policy *first = arena_alloc(&p->arena, sizeof *first);
    struct config *next = arena_alloc(&p->arena, sizeof *next);
    if (!first || !next) return arena_full(&p->arena, e);
    *first = p->config.policy;
    if (!config_make(policy, reference, ca_bundle, layouts, &p->arena, next, e))
        return err_in(e, "%.*s", VIEW_ARG(first->kbs.policy));
    if (next->policy.kbs.policy.n)
        return err_set(e, ERR_POLICY, "%.*s names yet another policy", VIEW_ARG(first->kbs.policy));
    next->policy.kbs = first->kbs;
    next->policy.tees = first->tees;
    next->policy.pcr = first->pcr;
    if (!next->policy.auth_count && !next->policy.auth_uri.n) next->policy.auth_uri = first->auth_uri; /* initdata's */
    p->config.policy = next->policy;
    p->config.image = next->image;
    p->config.ca_pem = next->ca_pem;
    p->config.first = first;
    return true;
}

bool pull_resolve(struct pull *p, struct err *e) {
    p->config.deadline_ms = clock_ms() + 1000 * (int64_t)p->config.policy.limits.seconds;
    bool local = p->config.image.layout; /* nothing to wait for, so nothing to gain */
    return (fetcher_start(&p->config, &p->fetch[0], e) && (local || fetcher_start(&p->config, &p->fetch[1], e)) &&
            resolve_image(&p->config, &p->fetch[0], local ? NULL : &p->fetch[1], &p->arena, &p->resolved, e)) ||
           err_in(e, "resolve");
}

bool pull_trust(struct pull *p, struct err *e) {
    return (trust_image(&p->config, &p->resolved, &p->arena, &p->image, e) &&
            trust_config(&p->config, &p->resolved, &p->fetch[0], &p->arena, &p->image, e)) ||
           err_in(e, "trust");
}

bool pull_ask_layers(struct pull *p, struct err *e) {
    for (; p->asked < LAYER_LANES && p->asked < p->image.manifest.layer_count && p->fetch[p->asked].pid; p->asked++)
        if (!fetcher_ask_blob(&p->fetch[p->asked], &p->image.manifest.layers[p->asked].descriptor, e))
            return err_in(e, "layers");
    return true;
}

static void end_fetch(struct pull *p) {
    for (size_t i = 0; i < LAYER_LANES; i++) proc_kill(&p->fetch[i]);
}

bool pull_layers(struct pull *p, int store_fd, const struct layers_each *each, struct err *e) {
    bool ok =
        layers_unpack(&p->config, &p->image, p->fetch, p->asked, store_fd, each, &p->arena, e) || err_in(e, "layers");
    end_fetch(p);
    return ok;
}

void pull_end(struct pull *p) {
    end_fetch(p);
    arena_drop(&p->arena);
}
