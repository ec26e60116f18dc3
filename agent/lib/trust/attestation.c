/* see attestation.h */
#include "trust/attestation.h"

#include <stdio.h>

/* What one entry of the policy is held against. */
struct entry {
    const struct policy *policy;
    const struct policy_attestation *wanted;
    size_t number;
    struct arena *scratch;
};

static enum claim_state meets(const void *context, const struct claim *c, struct err *why) {
    const struct entry *n = context;
    struct view name = view_first(n->policy->keys[c->key].name, 90);
    if (c->form != SIGNATURE_DSSE && c->form != SIGNATURE_BUNDLE) return CLAIM_NONE;
    if (!view_eq(c->predicate_type, n->wanted->predicate_type)) {
        err_set(why, ERR_SIGNATURE, "'%.*s' attests %.*s", VIEW_ARG(name), VIEW_ARG(view_first(c->predicate_type, 150)));
        return CLAIM_OTHER_KIND;
    }
    for (size_t i = 0; i < n->wanted->requirement_count; i++) {
        if (require_met(&n->wanted->requirements[i], c->predicate_type, c->predicate, n->scratch, why)) continue;
        if (why->kind == ERR_SYSTEM) return CLAIM_NONE;
        err_in(why, "attestation by '%.*s', require[%zu]", VIEW_ARG(name), i);
        err_mend(why, "attest it with a predicate that says so, or change attestations[%zu].require[%zu] in the policy",
                 n->number, i);
        return CLAIM_UNMET;
    }
    return CLAIM_HOLDS;
}

/* One entry of the policy; appends what met it. */
static bool check_entry(const struct claim_question *q, const struct entry *n, const struct image_subject *image,
                        struct attestation_verdict *v, struct err *e) {
    const struct claim *by_key[KEYS_MAX];
    char text[DIGEST_TEXT_SIZE];
    uint64_t passed;
    if (!claims_select(q, by_key, &passed, e)) return false;
    if (!claims_enough(q, &n->wanted->signers, passed, by_key, e)) {
        err_in(e, "attestations[%zu]", n->number);
        return err_mend(e, "cosign attest --key KEY --type %.*s --predicate FILE HOST/REPOSITORY@%s",
                        VIEW_ARG(view_first(n->wanted->predicate_type, 90)),
                        digest_text(image->has_index ? &image->index : &image->manifest, text));
    }
    for (size_t key = 0; key < KEYS_MAX; key++)
        if (n->wanted->signers.keys & passed & (uint64_t)1 << key)
            v->matches[v->count++] =
                (struct attestation_match){n->number, key, by_key[key]->form, by_key[key]->digest,
                                             by_key[key]->statement};
    return true;
}

bool attestation_check(const struct policy *policy, const struct image_subject *image, const struct claims *claims,
                       struct arena *scratch, struct arena *a, struct attestation_verdict *out, struct err *e) {
    struct attestation_verdict v = {0};
    v.matches = arena_alloc(a, policy->attestation_count * KEYS_MAX * sizeof *v.matches);
    if (!v.matches) return arena_full(a, e);
    for (size_t i = 0; i < policy->attestation_count; i++) {
        struct entry n = {policy, &policy->attestations[i], i, scratch};
        char what[240];
        snprintf(what, sizeof what, "attestations %.*s", VIEW_ARG(view_first(n.wanted->predicate_type, 200)));
        struct claim_question q = {policy, claims, what, "the image has no attestation", 0, meets, &n};
        q.told = 1u << SIGNATURE_DSSE | 1u << SIGNATURE_BUNDLE;
        if (!check_entry(&q, &n, image, &v, e)) return false;
    }
    *out = v;
    return true;
}
