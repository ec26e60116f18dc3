/* see signature.h */
#include "trust/signature.h"

#include <stdio.h>

#include "base/codec.h"
#include "base/limits.h"
#include "base/writer.h"
#include "crypto/sig.h"
#include "trust/simple_signing.h"

/* How near a candidate came to counting; only the nearest miss is told. */
enum nearness { NO_CANDIDATE, UNREADABLE, FOREIGN_KEY, BAD_PAYLOAD, OTHER_IMAGE, REPEATED, COUNTS };

struct check {
    const struct policy *policy;
    const struct digest *manifest, *index;
    struct arena *a;
};

static bool has_signed(const struct signature_verdict *v, size_t key) {
    for (size_t i = 0; i < v->count; i++)
        if (v->matches[i].key == key) return true;
    return false;
}

/* The index of the key, or key_count. */
static size_t find_signer(const struct policy *p, struct view payload, struct view signature) {
    size_t i = 0;
    while (i < p->key_count && !sig_verify(&p->keys[i].key, HASH_SHA256, payload, signature)) i++;
    return i;
}

static enum nearness check_candidate(const struct check *c, const struct signature_candidate *s,
                                     struct signature_verdict *out, struct err *why) {
    uint8_t signature[SIGNATURE_MAX];
    char signed_text[DIGEST_TEXT_SIZE], image_text[DIGEST_TEXT_SIZE];
    struct simple_signing payload;
    size_t n;
    if (s->payload.n > SIGNATURE_PAYLOAD_MAX) {
        err_set(why, ERR_SIGNATURE, "its payload has %zu bytes, %u are accepted", s->payload.n, SIGNATURE_PAYLOAD_MAX);
        return UNREADABLE;
    }
    if (s->signature.n == 0 || s->signature.n > SIGNATURE_MAX ||
        !base64_decode(s->signature, signature, sizeof signature, &n)) {
        err_set(why, ERR_SIGNATURE, s->signature.n ? "a signature is not base64" : "a signature is empty");
        return UNREADABLE;
    }
    size_t key = find_signer(c->policy, s->payload, view_of(signature, n));
    if (key == c->policy->key_count) {
        err_set(why, ERR_SIGNATURE, "it is signed by a key outside the policy, or the signed bytes were altered");
        return FOREIGN_KEY;
    }
    struct view name = view_first(c->policy->keys[key].name, 90);
    if (!simple_signing_parse(s->payload, c->a, &payload, why)) {
        err_in(why, "signature by '%.*s'", VIEW_ARG(name));
        return BAD_PAYLOAD;
    }
    bool index = c->index && digest_eq(&payload.manifest_digest, c->index);
    if (!index && !digest_eq(&payload.manifest_digest, c->manifest)) {
        err_set(why, ERR_SIGNATURE, "the signature by '%.*s' is for %s, the image is %s", VIEW_ARG(name),
                digest_text(&payload.manifest_digest, signed_text),
                digest_text(c->index ? c->index : c->manifest, image_text));
        return OTHER_IMAGE;
    }
    if (has_signed(out, key)) {
        err_set(why, ERR_SIGNATURE, "'%.*s' signed more than once, which counts once", VIEW_ARG(name));
        return REPEATED;
    }
    out->matches[out->count++] = (struct signature_match){key, s->form, payload.manifest_digest};
    return COUNTS;
}

static void write_names(struct writer *w, const struct policy *p, const struct signature_verdict *v, bool signers) {
    const char *before = "";
    for (size_t i = 0; i < p->key_count; i++) {
        if (has_signed(v, i) != signers) continue;
        if (w->size - w->n < p->keys[i].name.n + 9) { /* a quoted name, ", ", "..." and ")" */
            write_text(w, before), write_text(w, "...");
            return;
        }
        write_text(w, before), write_u8(w, '\''), write_bytes(w, p->keys[i].name), write_u8(w, '\'');
        before = ", ";
    }
}

static bool refuse(const struct check *c, const struct signature_verdict *v, const struct err *nearest, struct err *e) {
    char signers[200], others[200], miss[sizeof e->text], image[DIGEST_TEXT_SIZE];
    struct writer good = writer_of(signers, sizeof signers), missing = writer_of(others, sizeof others);
    if (v->count) write_text(&good, " (by "), write_names(&good, c->policy, v, true), write_text(&good, ")");
    write_names(&missing, c->policy, v, false);
    err_line(nearest, miss, sizeof miss);
    err_set(e, ERR_SIGNATURE, "%zu of %u required signatures%.*s; %.300s; not signed by %.*s", v->count,
            c->policy->threshold, (int)good.n, signers,
            nearest->kind ? miss : "the registry has no signature of this image", (int)missing.n, others);
    return err_mend(e,
                    "sign %s with the missing keys (cosign sign --key KEY HOST/REPOSITORY@DIGEST), or change "
                    "signatures in the policy",
                    digest_text(c->index ? c->index : c->manifest, image));
}

bool signature_check(const struct policy *policy, const struct signature_candidate *candidates, size_t candidate_count,
                     const struct digest *manifest, const struct digest *index, struct arena *a,
                     struct signature_verdict *out, struct err *e) {
    struct check c = {policy, manifest, index, a};
    struct err why = {0}, nearest = {0};
    enum nearness best = NO_CANDIDATE;
    out->count = 0;
    for (size_t i = 0; i < candidate_count && i < SIGNATURES_MAX; i++) {
        enum nearness n = check_candidate(&c, &candidates[i], out, &why);
        if (n > best && n < COUNTS) best = n, nearest = why;
    }
    return out->count >= policy->threshold || refuse(&c, out, &nearest, e);
}

const char *signature_form_name(enum signature_form form) {
    switch (form) {
    case SIGNATURE_TAG: return "tag";
    }
    return "unknown";
}
