/* see reference_fetch.h */
#include "tools/reference_fetch.h"

#include "tools/predict.h"
#include "trust/claim.h"
#include "trust/statement.h"

#include <stdio.h>
#include <string.h>

#define CLAIMS_ARENA (512u << 20) /* of address space, as in step/trust.c */

struct chosen {
    const struct claim *claim;
    uint64_t keys; /* that signed it */
};

bool reference_is_published(const char *text) { return !strncmp(text, "docker://", 9) || !strncmp(text, "oci:", 4); }

static bool is_wanted(const struct policy_attestation *wanted) {
    return view_is(wanted->predicate_type, REFERENCE_PREDICATE);
}

static bool policy_asks(const struct policy *p, struct err *e) {
    for (size_t i = 0; i < p->attestation_count; i++)
        if (is_wanted(&p->attestations[i])) return true;
    err_set(e, ERR_USAGE, "the policy does not say who may sign reference values: none of its attestations is of "
                          "predicateType '" REFERENCE_PREDICATE "'");
    return err_mend(e, "add \"attestations\": [{\"predicateType\": \"" REFERENCE_PREDICATE "\", "
                       "\"keys\": [{\"name\": \"publisher\", \"pem\": \"...\"}]}]");
}

/* Whether a claim counts for an entry of the policy. False with ERR_SYSTEM in `e` ends it all. */
static bool counts(const struct policy_attestation *wanted, const struct claim *c, struct arena *scratch,
                   struct err *e) {
    bool ok = c->state == CLAIM_HOLDS && (c->form == SIGNATURE_DSSE || c->form == SIGNATURE_BUNDLE) &&
              is_wanted(wanted) && view_is(c->predicate_type, REFERENCE_PREDICATE) &&
              wanted->signers.keys >> c->key & 1;
    for (size_t i = 0; ok && i < wanted->requirement_count; i++)
        ok = require_met(&wanted->requirements[i], c->predicate_type, c->predicate, scratch, e);
    return ok;
}

/* pull_trust took the first statement of each key. Here every one that counts must say the same: which of two is the
 * one that holds today, nobody can tell. */
static bool choose(const struct policy *p, const struct claims *claims, struct arena *scratch, struct chosen *out,
                   struct err *e) {
    for (size_t i = 0; i < claims->count * p->attestation_count; i++) {
        const struct claim *c = &claims->items[i / p->attestation_count];
        struct err why = {0};
        if (!counts(&p->attestations[i % p->attestation_count], c, scratch, &why)) {
            if (why.kind == ERR_SYSTEM) return *e = why, false;
            continue;
        }
        if (!out->claim) out->claim = c;
        if (!json_equal(out->claim->predicate, c->predicate)) {
            struct view first = view_first(p->keys[out->claim->key].name, 90), other = view_first(p->keys[c->key].name, 90);
            err_set(e, ERR_POLICY, "there are several, and they differ: one signed by '%.*s', another by '%.*s'",
                    VIEW_ARG(first), VIEW_ARG(other));
            return err_mend(e, "ask for the new one: attestations[%zu].require [{\"path\": \"/created\", \"atLeast\": "
                               "\"TIME\"}]; or remove the old one from the registry (cosign 2: attest --replace; cosign 3 "
                               "leaves it there)", i % p->attestation_count);
        }
        out->keys |= (uint64_t)1 << c->key;
    }
    return out->claim || err_set(e, ERR_SIGNATURE, "no statement counts");
}

static bool take(struct pull *p, const struct chosen *chosen, struct arena *a, struct reference_published *out,
                 struct err *e) {
    struct writer w = writer_of(out->signers, sizeof out->signers - 1);
    struct statement s;
    if (!(out->statement = arena_copy(a, chosen->claim->statement)).p) return arena_full(a, e);
    if (!statement_parse(out->statement, a, &s, e)) return false;
    out->predicate = s.predicate;
    for (size_t i = 0; i < p->config.policy.key_count; i++) {
        struct view name = view_first(p->config.policy.keys[i].name, 90);
        if (!(chosen->keys >> i & 1) || w.size - w.n < name.n + 4) continue;
        write_text(&w, w.n ? ", '" : "'"), write_bytes(&w, name), write_text(&w, "'");
    }
    digest_text(&p->image.manifest_digest, out->manifest);
    return true;
}

static bool read_statements(struct pull *p, struct arena *a, struct reference_published *out, struct err *e) {
    const struct resolved *r = &p->resolved;
    bool has_index = r->child.n > 0;
    struct image_subject subject = {r->top_digest, r->top_digest, has_index, r->top, r->top};
    if (has_index) subject.manifest = r->child_digest, subject.manifest_bytes = r->child;
    struct arena scratch;
    struct claims claims;
    struct chosen chosen = {0};
    if (!arena_make(&scratch, CLAIMS_ARENA, e)) return false;
    bool ok = claims_open(&p->config.policy, &subject, r->candidates, r->candidate_count, &scratch, &claims, e) &&
              choose(&p->config.policy, &claims, &scratch, &chosen, e) && take(p, &chosen, a, out, e);
    arena_drop(&scratch);
    return ok;
}

bool reference_fetch(const char *image, const char *policy, struct arena *a, struct reference_published *out,
                     struct err *e) {
    struct predict_from from = {.policy = policy, .reference = image};
    struct pull *p = arena_alloc(a, sizeof *p);
    if (!p) return arena_full(a, e);
    p->fetch[0] = p->fetch[1] = CHILD_NONE;
    bool ok = predict_begin(p, &from, a, e) && policy_asks(&p->config.policy, e) && pull_resolve(p, e) &&
              pull_trust(p, e) && read_statements(p, a, out, e);
    pull_end(p);
    return ok || err_in(e, "published reference");
}
