/* see signature.h */
#include "trust/signature.h"

#include <stdio.h>

#include "trust/claim.h"

#define SIGN_TYPE "https://sigstore.dev/cosign/sign/v1"

/* A statement of cosign 3's carries no name of the repository: where the policy asks for one, it cannot count. */
static bool identity_ok(const struct policy *p, const struct claim *c, struct view name, struct err *why) {
    if (p->identity.n == 0 || view_eq(reference_untagged(c->identity), p->identity)) return true;
    if (c->identity.n)
        err_set(why, ERR_SIGNATURE, "the signature by '%.*s' is for %.*s, the policy says %.*s", VIEW_ARG(name),
                VIEW_ARG(view_first(c->identity, 120)), VIEW_ARG(view_first(p->identity, 120)));
    else
        err_set(why, ERR_SIGNATURE, "the signature by '%.*s' (%s) names no repository, the policy says %.*s", VIEW_ARG(name),
                signature_form_name(c->form), VIEW_ARG(view_first(p->identity, 120)));
    return err_mend(why, "cosign sign --key KEY --new-bundle-format=false --sign-container-identity %.*s ..., or change "
                         "signatures.identity", VIEW_ARG(view_first(p->identity, 90)));
}

static bool annotations_ok(const struct policy *p, const struct claim *c, struct view name, struct err *why) {
    char is[160], wanted[160];
    for (struct json_iter it = json_each(p->annotations); json_next(&it);) {
        const json *v = json_member(c->annotations, it.name);
        if (json_is_string(v) && view_eq(json_text(v), json_text(it.value))) continue;
        struct view key = view_first(it.name, 60);
        err_set(why, ERR_SIGNATURE, "in the signature by '%.*s' the annotation %.*s is %s, the policy asks for %s",
                VIEW_ARG(name), VIEW_ARG(key), json_brief(v, is, sizeof is), json_brief(it.value, wanted, sizeof wanted));
        return err_mend(why, "cosign sign --key KEY -a %.*s=%.*s ..., or change signatures.annotations in the policy",
                        VIEW_ARG(key), VIEW_ARG(view_first(json_text(it.value), 60)));
    }
    return true;
}

/* claim_test: is it a signature, with all that is asked of one? */
static enum claim_state is_signature(const void *context, const struct claim *c, struct err *why) {
    const struct policy *p = context;
    struct view name = view_first(p->keys[c->key].name, 90);
    if (c->form == SIGNATURE_MESSAGE && !p->message_signatures) {
        err_set(why, ERR_SIGNATURE, "the bundle by '%.*s' is a messageSignature, which does not say that it is for an image",
                VIEW_ARG(name));
        err_mend(why, "cosign sign --key KEY ..., or set signatures.messageSignatures");
        return CLAIM_OTHER_KIND;
    }
    if (c->predicate_type.n && !view_is(c->predicate_type, SIGN_TYPE)) {
        err_set(why, ERR_SIGNATURE, "'%.*s' made an attestation (%.*s), which is no signature", VIEW_ARG(name),
                VIEW_ARG(view_first(c->predicate_type, 150)));
        return CLAIM_OTHER_KIND;
    }
    return identity_ok(p, c, name, why) && annotations_ok(p, c, name, why) ? CLAIM_HOLDS : CLAIM_UNMET;
}

bool signature_check(const struct policy *policy, const struct image_subject *image, const struct claims *claims,
                     struct signature_verdict *out, struct err *e) {
    const struct claim *by_key[KEYS_MAX];
    char text[DIGEST_TEXT_SIZE];
    uint64_t passed;
    struct claim_question q = {policy, claims, "signatures", "the registry has no signature of this image", 0, is_signature, policy};
    q.told = ~(1u << SIGNATURE_DSSE); /* what stands there is usually an attestation */
    out->count = 0;
    if (!policy->group_count) /* one that only names another (kbs.policy) must never get here */
        return err_set(e, ERR_POLICY, "the policy does not say whose images may run");
    if (!claims_select(&q, by_key, &passed, e)) return false;
    for (size_t i = 0; i < KEYS_MAX; i++)
        if (by_key[i]) out->matches[out->count++] = (struct signature_match){i, by_key[i]->form, by_key[i]->digest};
    for (size_t i = 0; i < policy->group_count; i++) {
        if (claims_enough(&q, &policy->groups[i], passed, by_key, e)) continue;
        if (i > 0 || !policy->top_keys) err_in(e, "signatures.groups[%zu]", i - policy->top_keys);
        return err_mend(e, "sign %s with the missing keys (cosign sign --key KEY HOST/REPOSITORY@DIGEST), or change "
                           "signatures in the policy",
                        digest_text(image->has_index ? &image->index : &image->manifest, text));
    }
    return true;
}

const char *signature_form_name(enum signature_form form) {
    static const char *const names[SIGNATURE_FORMS] = {"tag", "dsse", "bundle", "message", "inline"};
    return (unsigned)form < SIGNATURE_FORMS ? names[form] : "unknown";
}
