/* see config.h */
#include "step/config.h"

#include "worker/worker.h"

/* A reference on the command line may be another than the policy's only on the host, and then says so. */
static bool choose_image(struct view reference, bool layouts, struct config *c, struct err *e) {
    if (reference.n == 0) {
        if (!c->policy.has_image && !c->policy.kbs.policy.n) {
            err_set(e, ERR_USAGE, "the policy names no image");
            return err_mend(e, "add \"image\": \"host/repository:tag\" to the policy");
        }
        c->image = c->policy.image;
        return true;
    }
    if (!reference_parse(reference, layouts, &c->image, e)) return false;
    /* A layout is a copy on disk: it has no registry name that could agree with the policy's. */
    if (!c->policy.has_image || c->image.layout) return true;
    const struct reference *said = &c->policy.image;
    if (strcmp(said->host, c->image.host) || strcmp(said->repository, c->image.repository) ||
        (strcmp(said->tag, c->image.tag) && !c->image.pinned) ||
        (said->pinned && (!c->image.pinned || !digest_eq(&said->digest, &c->image.digest)))) {
        char policy_text[1600], reference_text_[1600];
        reference_text(said, policy_text, sizeof policy_text);
        reference_text(&c->image, reference_text_, sizeof reference_text_);
        err_set(e, ERR_POLICY, "the policy is for %.240s, the reference is %.240s", policy_text, reference_text_);
        return err_mend(e, "leave \"image\" out of the policy to try it on other images");
    }
    return true;
}

bool config_make(struct view policy, struct view reference, struct view ca_bundle, bool layouts, struct arena *a,
                 struct config *out, struct err *e) {
    struct config c = {.platform = {"linux", "amd64", ""}, .fetch_worker = WORKER_FETCH, .fetch_room = -1, .ca_bundle = ca_bundle};
    if (!policy_parse(policy, a, &c.policy, e) || !choose_image(reference, layouts, &c, e)) return false;
    c.ca_pem = c.policy.ca_pem.n ? c.policy.ca_pem : ca_bundle;
    *out = c;
    return true;
}
