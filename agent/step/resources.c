/* see resources.h */
#include "step/resources.h"

#include "crypto/hash.h"
#include "step/measure.h"
#include "sys/secret_memory.h"

#define AUTH_MAX (64u << 10)

static bool get(const struct config *config, const char *member, struct view uri, size_t max, struct arena *secrets,
                struct view *out, struct err *e) {
    const struct secret_source *s = config->secrets;
    if (s) return s->get(s->state, uri, max, secrets, out, e) || err_in(e, "%s", member);
    err_set(e, ERR_USAGE, "%s is %.*s, and there is nobody to ask for it", member, VIEW_ARG(view_first(uri, 300)));
    return err_mend(e, "set kbs.url of the policy, or in initdata; on a host give --secrets");
}

/* What is not secret: into `a`, since it is used until the end. */
static bool get_plain(const struct config *config, const char *member, struct view uri, size_t max, struct arena *a,
                      struct view *out, struct err *e) {
    struct arena passing;
    struct view bytes;
    if (!secret_memory_make(&passing, max + 4096, config->overlay, e)) return false;
    bool ok = get(config, member, uri, max, &passing, &bytes, e);
    if (ok && !bytes.n) ok = err_set(e, ERR_FORMAT, "%.*s is empty", VIEW_ARG(view_first(uri, 300)));
    struct view copy = ok ? arena_copy(a, bytes) : (struct view){0};
    secret_memory_drop(&passing);
    if (!ok || !copy.n) return ok ? arena_full(a, e) : false;
    *out = copy;
    return true;
}

bool resources_policy(const struct config *config, struct arena *a, struct view *policy, struct err *e) {
    *policy = (struct view){0};
    return !config->policy.kbs.policy.n ||
           get_plain(config, "kbs.policy", config->policy.kbs.policy, POLICY_MAX, a, policy, e);
}

/* Measured, then taken. */
static bool follow(struct config *config, const char *member, struct view uri, size_t max,
                   bool (*take)(struct policy *, struct view, struct arena *, struct err *),
                   struct measurement *measured, struct arena *a, struct err *e) {
    struct config_resource *r = &config->resources[config->resource_count];
    struct view text;
    if (!uri.n) return true;
    if (!get_plain(config, member, uri, max, a, &text, e)) return false;
    r->uri = uri;
    hash_once(HASH_SHA256, text, r->digest.sha256);
    config->resource_count++;
    return (!measured || measure_resource(measured, "resource", r, e)) &&
           (take(&config->policy, text, a, e) || err_in(e, "%.*s", VIEW_ARG(view_first(uri, 300))));
}

bool resources_registry(struct config *config, struct measurement *measured, struct arena *a, struct arena *secrets,
                        struct err *e) {
    const struct policy *p = &config->policy;
    struct view auth;
    if (!follow(config, "registry.ca", p->ca_uri, CA_PEM_MAX, policy_take_ca, measured, a, e) ||
        !follow(config, "registry.mirrors", p->mirrors_uri, POLICY_MAX, policy_take_mirrors, measured, a, e))
        return false;
    if (p->ca_uri.n) config->ca_pem = p->ca_pem;
    return !p->auth_uri.n || (get(config, "registry.auth", p->auth_uri, AUTH_MAX, secrets, &auth, e) &&
                              (policy_take_auth(&config->policy, auth, secrets, e) ||
                               err_in(e, "%.*s", VIEW_ARG(view_first(p->auth_uri, 300)))));
}
