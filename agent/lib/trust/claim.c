/* see claim.h */
#include "trust/claim.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/writer.h"
#include "crypto/sig.h"
#include "trust/simple_signing.h"
#include "trust/statement.h"

struct open {
    const struct policy *policy;
    const struct image_subject *image;
    struct arena *a;
};

#define NAME(o, key) VIEW_ARG(view_first((o)->policy->keys[key].name, 90))

/* The first key that the signature is by, or KEYS_MAX. */
static size_t signer(const struct policy *p, enum sig_rule rule, const struct view *parts, size_t n, struct view signature) {
    for (size_t i = 0; i < p->key_count; i++)
        if (sig_verify(&p->keys[i].key, rule, parts, n, signature)) return i;
    return KEYS_MAX;
}

static bool other_image(const struct open *o, const struct claim *c, const struct digest *its, struct err *e) {
    char its_text[DIGEST_TEXT_SIZE], image_text[DIGEST_TEXT_SIZE];
    return err_set(e, ERR_SIGNATURE, "the signature by '%.*s' is for %s, the image is %s", NAME(o, c->key),
                   its ? digest_text(its, its_text) : "something without a sha256",
                   digest_text(o->image->has_index ? &o->image->index : &o->image->manifest, image_text));
}

static enum claim_state open_simple(const struct open *o, const struct signature_candidate *s, struct claim *c, struct err *e) {
    struct simple_signing payload;
    if (!simple_signing_parse(s->payload, o->a, &payload, e)) return CLAIM_BAD_PAYLOAD;
    c->digest = payload.manifest_digest;
    c->identity = payload.docker_reference;
    c->annotations = payload.optional;
    if (digest_eq(&c->digest, &o->image->manifest)) return CLAIM_HOLDS;
    if (o->image->has_index && digest_eq(&c->digest, &o->image->index)) return CLAIM_HOLDS;
    other_image(o, c, &c->digest, e);
    return CLAIM_OTHER_IMAGE;
}

static enum claim_state open_statement(const struct open *o, const struct signature_candidate *s, struct claim *c,
                                       struct err *e) {
    struct statement statement;
    struct statement_subject subject;
    struct digest first;
    if (!statement_parse(s->payload, o->a, &statement, e)) return CLAIM_BAD_PAYLOAD;
    c->digest = o->image->manifest;
    if (!statement_subject(&statement, &c->digest, &subject)) {
        c->digest = o->image->index;
        if (!o->image->has_index || !statement_subject(&statement, &c->digest, &subject)) {
            other_image(o, c, statement_digest(&statement, &first) ? &first : NULL, e);
            return CLAIM_OTHER_IMAGE;
        }
    }
    c->identity = subject.name;
    c->annotations = subject.annotations;
    c->predicate_type = statement.predicate_type;
    c->predicate = statement.predicate;
    c->statement = s->payload;
    return CLAIM_HOLDS;
}

/* A messageSignature is over the bytes of the manifest or index, and says nothing else. */
static size_t message_signer(const struct open *o, const struct signature_candidate *s, struct claim *c) {
    c->digest = o->image->manifest;
    size_t key = signer(o->policy, SIG_RULE_BUNDLE, &o->image->manifest_bytes, 1, s->signature);
    if (key < KEYS_MAX || !o->image->has_index) return key;
    c->digest = o->image->index;
    return signer(o->policy, SIG_RULE_BUNDLE, &o->image->index_bytes, 1, s->signature);
}

/* DSSE's pre-authentication encoding (secure-systems-lab/dsse protocol.md), then the payload. */
static size_t statement_signer(const struct open *o, const struct signature_candidate *s) {
    char pae[80];
    int n = snprintf(pae, sizeof pae, "DSSEv1 28 application/vnd.in-toto+json %zu ", s->payload.n);
    struct view parts[] = {view_of(pae, (size_t)n), s->payload};
    return signer(o->policy, s->form == SIGNATURE_BUNDLE ? SIG_RULE_BUNDLE : SIG_RULE_PLAIN, parts, 2, s->signature);
}

static enum claim_state open_candidate(const struct open *o, const struct signature_candidate *s, struct claim *c,
                                       struct err *e) {
    bool statement = s->form == SIGNATURE_DSSE || s->form == SIGNATURE_BUNDLE;
    size_t max = statement ? STATEMENT_MAX : SIGNATURE_PAYLOAD_MAX;
    c->form = s->form;
    c->key = KEYS_MAX;
    if (s->payload.n > max || s->signature.n == 0 || s->signature.n > SIGNATURE_MAX) {
        if (s->signature.n == 0) err_set(e, ERR_SIGNATURE, "a signature is empty, or was not base64");
        else err_set(e, ERR_SIGNATURE, "it has %zu bytes, and %zu of signature; %zu and %u are accepted", s->payload.n,
                     s->signature.n, max, SIGNATURE_MAX);
        return CLAIM_UNREADABLE;
    }
    if (s->form == SIGNATURE_MESSAGE) c->key = message_signer(o, s, c);
    else if (statement) c->key = statement_signer(o, s);
    else c->key = signer(o->policy, SIG_RULE_PLAIN, &s->payload, 1, s->signature);
    if (c->key == KEYS_MAX) {
        err_set(e, ERR_SIGNATURE, "it is signed by a key outside the policy, or the signed bytes were altered");
        return CLAIM_FOREIGN;
    }
    if (s->form == SIGNATURE_MESSAGE) return CLAIM_HOLDS;
    enum claim_state state = statement ? open_statement(o, s, c, e) : open_simple(o, s, c, e);
    if (state == CLAIM_BAD_PAYLOAD && e->kind != ERR_SYSTEM) err_in(e, "signature by '%.*s'", NAME(o, c->key));
    return state;
}

bool claims_open(const struct policy *policy, const struct image_subject *image,
                 const struct signature_candidate *candidates, size_t candidate_count, struct arena *a,
                 struct claims *out, struct err *e) {
    struct open o = {policy, image, a};
    size_t own = candidate_count < SIGNATURES_MAX ? candidate_count : SIGNATURES_MAX, total = own + policy->inline_count;
    struct claim *items = arena_alloc(a, total * sizeof *items);
    if (!items) return arena_full(a, e);
    for (size_t i = 0; i < total; i++) {
        struct err why = {0}, *kept;
        struct signature_candidate s;
        if (i < own) s = candidates[i];
        else s = (struct signature_candidate){SIGNATURE_INLINE, policy->inlines[i - own].payload,
                                              policy->inlines[i - own].signature};
        items[i].state = open_candidate(&o, &s, &items[i], &why);
        if (items[i].state == CLAIM_HOLDS) continue;
        if (why.kind == ERR_SYSTEM || !(kept = arena_alloc(a, sizeof *kept))) {
            if (why.kind != ERR_SYSTEM) return arena_full(a, e);
            *e = why;
            return false;
        }
        *kept = why;
        items[i].why = kept;
    }
    *out = (struct claims){total, items};
    return true;
}

bool claims_select(const struct claim_question *q, const struct claim *by_key[KEYS_MAX], uint64_t *passed, struct err *e) {
    *passed = 0;
    for (size_t i = 0; i < KEYS_MAX; i++) by_key[i] = NULL;
    for (size_t i = 0; i < q->claims->count; i++) {
        const struct claim *c = &q->claims->items[i];
        struct err why = {0};
        if (c->state != CLAIM_HOLDS || by_key[c->key]) continue;
        if (q->test(q->context, c, &why) == CLAIM_HOLDS) by_key[c->key] = c, *passed |= (uint64_t)1 << c->key;
        if (why.kind == ERR_SYSTEM) {
            *e = why;
            return false;
        }
    }
    return true;
}

/* Why this claim adds nothing. */
static enum claim_state explain(const struct claim_question *q, const struct claim *c, uint64_t keys,
                                const struct claim *const by_key[KEYS_MAX], struct err *why) {
    if (c->state != CLAIM_HOLDS) {
        *why = *c->why;
        return q->told >> c->form & 1 || c->state > CLAIM_FOREIGN ? c->state : CLAIM_NONE;
    }
    enum claim_state state = q->test(q->context, c, why);
    if (by_key[c->key] && (state != CLAIM_HOLDS || by_key[c->key] == c)) return CLAIM_NONE;
    if (state != CLAIM_HOLDS) return keys >> c->key & 1 ? state : CLAIM_NONE;
    err_set(why, ERR_SIGNATURE, "'%.*s' signed more than once, which counts once", NAME(q, c->key));
    return CLAIM_REPEATED;
}

static void write_names(struct writer *w, const struct policy *p, uint64_t keys) {
    const char *before = "";
    for (size_t i = 0; i < p->key_count; i++) {
        if (!(keys >> i & 1)) continue;
        if (w->size - w->n < p->keys[i].name.n + 9) { /* a quoted name, ", ", "..." and ")" */
            write_text(w, before), write_text(w, "...");
            return;
        }
        write_text(w, before), write_u8(w, '\''), write_bytes(w, p->keys[i].name), write_u8(w, '\'');
        before = ", ";
    }
}

bool claims_enough(const struct claim_question *q, const struct policy_keys *keys, uint64_t passed,
                   const struct claim *const by_key[KEYS_MAX], struct err *e) {
    char signers[200], others[200], text[sizeof e->text];
    struct writer good = writer_of(signers, sizeof signers), missing = writer_of(others, sizeof others);
    struct err nearest = {0}, why;
    enum claim_state best = CLAIM_NONE;
    unsigned count = (unsigned)__builtin_popcountll(keys->keys & passed);
    if (count >= keys->threshold) return true;
    for (size_t i = 0; i < q->claims->count; i++) {
        enum claim_state state = explain(q, &q->claims->items[i], keys->keys, by_key, &why);
        if (state > best) best = state, nearest = why;
    }
    if (count) write_text(&good, " (by "), write_names(&good, q->policy, keys->keys & passed), write_text(&good, ")");
    write_names(&missing, q->policy, keys->keys & ~passed);
    err_line(&nearest, text, sizeof text);
    err_set(e, ERR_SIGNATURE, "%u of %u required %s%.*s; %.330s; not signed by %.*s", count, keys->threshold, q->what,
            (int)good.n, signers, best ? text : count ? "no other was found" : q->absent, (int)missing.n, others);
    if (nearest.mend[0]) err_mend(e, "%s", nearest.mend);
    return false;
}
