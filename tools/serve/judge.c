/* see judge.h */
#include "tools/serve/judge.h"

#include "tools/appraise/foreign.h"
#include "tools/appraise/verify.h"
#include "tools/file.h"
#include "tools/given.h"
#include "tools/serve/release.h"

#include <stdio.h>

/* Address space of one appraisal, of which a usual document touches less than a MiB. */
#define APPRAISAL_ARENA (96u << 20)

struct judge {
    struct reference reference;
    struct collateral given;
    struct anchors trust;
    struct option_list allow, statuses; /* the options', and the reference's */
    uint64_t evaluation_min;
    bool now; /* `at` is the time of each appraisal */
    int64_t at;
    struct release *release;
};

/* One appraisal; in its arena. */
struct session {
    struct arena arena;
    struct collateral given; /* the judge's, and what came with the evidence */
    struct evidence_document document;
    struct verification v;
    struct option_list allow;
    struct result submods;
};

/* ---- loading ---- */

static bool load_release(const struct judge_options *o, struct arena *a, struct judge *j, struct err *e) {
    struct view text = {0};
    if (o->policy && !file_read("release policy", o->policy, RELEASE_FILE_MAX, a, &text, e)) return false;
    if (o->policy && !text.n) return err_set(e, ERR_USAGE, "release policy: %.300s is empty", o->policy);
    if (!release_read(text, a, &j->release, e)) return false;
    for (size_t i = 0; o->guest_policies && i < o->guest_policies->count; i++) {
        const char *path = o->guest_policies->items[i];
        if (!file_read("guest policy", path, POLICY_MAX, a, &text, e)) return false;
        if (!release_add_policy(j->release, text, a, e)) return err_in(e, "--guest-policy %.300s", path);
    }
    return release_check(j->release, e);
}

bool judge_load(const struct judge_options *o, struct arena *a, struct judge **out, struct err *e) {
    struct judge *j = arena_alloc(a, sizeof *j);
    struct view text;
    if (!j) return arena_full(a, e);
    if (!o->reference) return err_set(e, ERR_USAGE, "--reference FILE is missing");
    j->now = !o->at;
    if (o->allow) j->allow = *o->allow;
    if (o->statuses) j->statuses = *o->statuses;
    bool ok = file_read("reference", o->reference, REFERENCE_FILE_MAX, a, &text, e) &&
              reference_read(text, a, &j->reference, e) && given_moment(o->at, &j->at, e) &&
              option_number("--tcb-evaluation", o->evaluation, 1, UINT32_MAX, &j->evaluation_min, e) &&
              given_root(o->trust, a, &j->trust, &j->given, e) && verify_join(&j->allow, j->reference.allow, a, e) &&
              verify_join(&j->statuses, j->reference.tcb_status, a, e) && load_release(o, a, j, e);
    for (size_t i = 0; ok && o->certs && i < o->certs->count; i++)
        ok = given_certs(o->certs->items[i], a, &j->given, e);
    if (!j->trust.count) j->trust = j->reference.roots;
    if (!j->evaluation_min) j->evaluation_min = j->reference.tcb_evaluation;
    if (ok) return *out = j, true;
    judge_drop(j);
    return false;
}

void judge_drop(struct judge *j) {
    if (j) collateral_drop(&j->given);
}

/* ---- appraising ---- */

/* A foreign quote has in full what a Plinth document's nonce binds. */
static bool appraise(const struct judge *j, struct session *s, const uint8_t report_data[48], struct err *e) {
    struct appraisal *a = &s->v.quote;
    struct verification *v = &s->v;
    uint8_t nonce[EVIDENCE_KEY_NONCE_SIZE];
    int64_t now;
    evidence_key_nonce(EVIDENCE_KEY_KBS, report_data, nonce);
    s->given = j->given; /* shared by all */
    pool_share(&s->given.pool);
    if (!given_moment(NULL, &now, e) || !verify_add_certificates(&s->document, &j->trust, &s->given, &s->arena, e))
        return false;
    v->document = &s->document, v->reference = &j->reference;
    v->nonce = s->document.foreign ? view_of(report_data, 48) : view_of(nonce, sizeof nonce), v->release = true;
    a->arena = &s->arena, a->given = &s->given, a->trust = j->trust, a->status = &j->statuses;
    a->at = j->now ? now : j->at, a->evaluation_min = j->evaluation_min;
    if (j->reference.has_tcb_minimum) a->tcb_min = view_of(j->reference.tcb_minimum, 8);
    result_members_begin(&a->fields);
    verify_evidence(v);
    /* A machine need not have every check that a list names: one without a TPM has none of "tpm-..". */
    for (size_t i = 0; i < j->allow.count; i++)
        if (checks_find(&a->checks, j->allow.items[i])) s->allow.items[s->allow.count++] = j->allow.items[i];
    return checks_verdict(&a->checks, &s->allow, e);
}

/* ---- claims ---- */

static void put(struct writer *out, const char *name, struct view text) {
    if (!text.n) return;
    if (name) write_member(out, name);
    write_json_string(out, text);
}

static void put_element(struct writer *out, bool first, struct view text) {
    if (!first) write_u8(out, ',');
    write_json_string(out, text);
}

static size_t put_caveats(const struct verification *v, struct writer *out) {
    size_t count = 0;
    write_member(out, "caveats"), write_u8(out, '[');
    for (size_t i = 0; i < v->caveat_count; i++) put_element(out, !count++, view_str(v->caveat_names[i]));
    for (size_t i = 0; i < v->quote.checks.count; i++) {
        char name[64];
        if (!v->quote.checks.list[i].allowed) continue;
        snprintf(name, sizeof name, "allowed-%s", v->quote.checks.list[i].name);
        put_element(out, !count++, view_str(name));
    }
    write_u8(out, ']');
    return count;
}

static void put_claims(const struct verification *v, struct writer *out) {
    const struct replay *r = &v->replay;
    char hex[65];
    struct writer reference = writer_of(hex, sizeof hex);
    write_u8(out, '{');
    size_t caveats = put_caveats(v, out);
    put(out, "verdict", view_str(caveats ? "warning" : "affirming"));
    put(out, "tee", view_str(evidence_tee_name(v->document->tee)));
    put(out, "stage", view_str(v->document->foreign ? "other" : replay_stage_name(r->stage)));
    put(out, "agent", r->agent);
    put(out, "initdata", r->initdata);
    put(out, "policy", r->policy);
    put(out, "named_by", r->named_by);
    put(out, "manifest", r->manifest);
    put(out, "config", r->config);
    put(out, "image", r->image);
    write_member(out, "layers"), write_u8(out, '[');
    for (size_t i = 0; i < r->layer_count; i++) put_element(out, !i, r->layers[i].digest);
    write_u8(out, ']');
    write_member(out, "resources"), write_u8(out, '[');
    for (size_t i = 0; i < r->resource_count; i++) {
        write_text(out, i ? ",{" : "{");
        put(out, "uri", r->resources[i].uri), put(out, "digest", r->resources[i].digest);
        write_u8(out, '}');
    }
    write_u8(out, ']');
    write_member(out, "weaknesses"), write_u8(out, '[');
    bool first = true;
    for (struct view rest = r->weaknesses; rest.n; first = false) put_element(out, first, view_cut(&rest, ' ', NULL));
    write_u8(out, ']');
    if (v->comparison.set) put(out, "set", view_str(v->comparison.set->name));
    write_hex(&reference, view_of(v->reference->sha256, 32));
    put(out, "reference", writer_view(&reference));
    write_u8(out, '}');
}

/* A copy, or nothing. */
static bool give(struct writer *out, struct view text, struct err *e) {
    if (out->size - out->n < text.n)
        return err_set(e, ERR_SYSTEM, "claims of %zu bytes, there is room for %zu", text.n, out->size - out->n);
    write_bytes(out, text);
    return true;
}

static bool tell(struct session *s, struct writer *claims, struct writer *submods, struct err *e) {
    const struct err accepted = {0};
    struct writer text = writer_of(arena_alloc(&s->arena, JUDGE_CLAIMS_MAX), JUDGE_CLAIMS_MAX), ear = {0};
    size_t before = claims->n;
    if (!text.p) return arena_full(&s->arena, e);
    put_claims(&s->v, &text);
    if (text.full) return err_set(e, ERR_SYSTEM, "claims: more than %u bytes", JUDGE_CLAIMS_MAX);
    result_members_begin(&s->submods);
    result_open(&s->submods, NULL, '{');
    verify_write_submod(&s->v, &accepted, "cpu0", &s->submods); /* as Trustee's tokens call it */
    result_close(&s->submods, '}');
    ear = s->submods.out;
    if (!give(claims, writer_view(&text), e)) return false;
    if (!submods || give(submods, writer_view(&ear), e)) return true;
    claims->n = before;
    return false;
}

bool judge_appraise(const struct judge *j, struct view tee, const json *evidence, const uint8_t report_data[static 48],
                    struct writer *claims, struct writer *submods, struct err *e) {
    struct arena arena = {0};
    struct session *s = NULL;
    struct err foreign;
    if (!arena_make(&arena, APPRAISAL_ARENA, e)) return false;
    if (!(s = arena_alloc(&arena, sizeof *s))) {
        arena_full(&arena, e);
        arena_drop(&arena);
        return false;
    }
    s->arena = arena;
    bool ok = evidence_take(evidence, &s->arena, &s->document, e);
    if (!ok && e->kind == ERR_SYSTEM)
        e->kind = ERR_FORMAT; /* the arena is full: of nothing but what was sent */
    else if (!ok)
        ok = foreign_take(evidence, &s->arena, &s->document, &foreign);
    if (ok && !view_is(tee, evidence_tee_name(s->document.tee)))
        ok = err_set(e, ERR_FORMAT, "the evidence is a %s's, the request was a %.*s's",
                     evidence_tee_name(s->document.tee), VIEW_ARG(view_first(tee, 32)));
    ok = ok && appraise(j, s, report_data, e) && tell(s, claims, submods, e);
    collateral_drop(&s->given);
    arena = s->arena;
    arena_drop(&arena);
    if (ok) *e = (struct err){0};
    return ok;
}

bool judge_release(const struct judge *j, const json *claims, struct view path, struct err *why) {
    return release_decide(j->release, claims, path, why);
}
