/* see predict.h */
#include "tools/predict.h"

#include "base/limits.h"
#include "step/launch.h"
#include "step/resources.h"
#include "sys/console.h"
#include "tools/file.h"
#include "tools/initdata.h"
#include "tools/layout.h"
#include "tools/secret_dir.h"
#include "tools/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* What the policy leaves to its owner's KBS, out of --secrets; and the keys of layers. */
static bool take_secrets(struct pull *p, const struct predict_from *from, struct view auth_uri, struct view ca,
                         struct arena *a, struct err *e) {
    struct secret_dir *d = arena_alloc(a, sizeof *d);
    struct policy *first = &p->config.policy;
    struct view policy = {0};
    if (!d) return arena_full(a, e);
    if (!secret_dir_open(from->secrets, d, e)) return false;
    p->config.secrets = &d->source;
    if (from->secrets && !first->auth_count && !first->auth_uri.n) first->auth_uri = auth_uri;
    if (first->kbs.policy.n && (!resources_policy(&p->config, a, &policy, e) ||
                                !pull_follow(p, policy, view_str(from->reference), ca, true, e)))
        return false;
    if (p->config.image.layout) p->config.policy.auth_uri = (struct view){0}; /* no registry will ask */
    return resources_registry(&p->config, NULL, a, a, e) &&
           secret_dir_keys(d, &from->decryption_keys, &p->config.policy, e);
}

/* The policy says whether the host's bundle is needed; without one only that policy fails which needs it. */
bool predict_begin(struct pull *p, const struct predict_from *from, struct arena *a, struct err *e) {
    struct view policy = {0}, text, ca = {0};
    struct initdata initdata = {0};
    struct err no_bundle;
    const char *store = from->store;
    if (from->policy && !file_read("policy", from->policy, POLICY_MAX, a, &policy, e)) return false;
    if (from->initdata && !initdata_file(from->initdata, a, &text, &initdata, e)) return false;
    if (policy.n && initdata.policy.n && !view_eq(policy, initdata.policy))
        return err_set(e, ERR_USAGE, "--policy and the policy in --initdata differ");
    if (!from->policy) policy = initdata.policy;
    if (!from->policy && !policy.n) return err_set(e, ERR_USAGE, "--policy FILE is missing");
    (void)file_read("CA bundle", HOST_CA, CA_PEM_MAX, a, &ca, &no_bundle);
    if (!pull_begin(p, policy, view_str(from->reference), ca, true, e) ||
        !take_secrets(p, from, initdata.kbs.auth_uri, ca, a, e))
        return false;
    struct config *config = &p->config;
    config->has_initdata = from->initdata != NULL;
    if (config->has_initdata) hash_once(HASH_SHA256, text, config->initdata.sha256);
    const char *room = config->image.layout ? config->image.directory : store;
    if (!room) return true;
    if (config->image.layout && store)
        return err_set(e, ERR_USAGE, "--store keeps what comes from a registry; an OCI layout is at hand already");
    if (store && mkdir(store, 0755) && errno != EEXIST)
        return err_set(e, ERR_USAGE, "cannot make the store %s: %s", store, strerror(errno));
    config->fetch_worker = store ? WORKER_STORE : WORKER_LAYOUT;
    config->fetch_room = open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return config->fetch_room >= 0 || err_set(e, ERR_USAGE, "cannot open the %s %s: %s", store ? "store" : "OCI layout", room,
                                              strerror(errno));
}

bool predict_register(struct pull *p, struct measurement *out, bool *measured, struct err *e) {
    struct process process;
    *measured = false;
    if (!launch_plan(&p->config.policy, &p->image.config, &p->arena, &process, e)) {
        if (e->kind != ERR_POLICY) return false;
        console_say("no register is predicted: %s", e->text);
        *e = (struct err){0};
        return true;
    }
    *measured = measure_predict(out, &p->config, &p->image, &process, &p->arena, e);
    return *measured;
}

bool predict_image(const struct predict_from *from, struct arena *a, struct measurement *out, struct err *e) {
    struct pull *p = arena_alloc(a, sizeof *p);
    bool measured = false;
    if (!p) return arena_full(a, e);
    p->fetch[0] = p->fetch[1] = CHILD_NONE;
    bool ok = predict_begin(p, from, a, e) && pull_resolve(p, e) && pull_trust(p, e) &&
              predict_register(p, out, &measured, e);
    if (ok && !measured) ok = err_set(e, ERR_POLICY, "the image has no command to launch");
    struct view log = ok ? arena_copy(a, writer_view(&out->log)) : (struct view){0}; /* the pull's memory ends here */
    if (ok && !log.p) ok = arena_full(a, e);
    out->log = (struct writer){.p = (uint8_t *)log.p, .n = log.n, .size = log.n};
    pull_end(p);
    return ok || err_in(e, "image");
}
