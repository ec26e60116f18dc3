/* plinth verify: evidence, reference values and a nonce in, an attestation result out (tools/appraise/verify.h). */
#include "tools/appraise/verify.h"
#include "tools/file.h"
#include "tools/given.h"
#include "tools/options.h"
#include "tools/reference_fetch.h"

#include <stdio.h>

#define ARENA_SIZE (512u << 20) /* of address space: documents, logs, certificates */

static struct request { /* large */
    struct arena arena;
    struct collateral given;
    struct evidence_document document;
    struct reference reference;
    struct reference_published published;
    struct verification v;
    struct option_list allow, statuses;
    struct result out;
    uint8_t nonce[EVIDENCE_NONCE_MAX];
    bool appraised;
} r;

struct texts {
    const char *reference, *policy, *nonce, *trust, *at, *evaluation;
};

/* The policy of the reference and the options say the same things: both count. */
static bool join(struct option_list *list, const json *more, struct err *e) {
    for (struct json_iter it = json_each(more); json_next(&it);) {
        const char *text = arena_str(&r.arena, json_text(it.value));
        if (!text) return err_set(e, ERR_USAGE, "reference: policy: a text with a NUL");
        if (list->count == OPTION_LIST_MAX) return err_set(e, ERR_USAGE, "more than %u entries", OPTION_LIST_MAX);
        list->items[list->count++] = text;
    }
    return true;
}

/* A check that --allow of the policy names need not be in every list: a machine without a TPM has none of "tpm-...". */
static void drop_unknown(struct option_list *list, size_t from) {
    size_t kept = from;
    for (size_t i = from; i < list->count; i++)
        if (checks_find(&r.v.quote.checks, list->items[i])) list->items[kept++] = list->items[i];
    list->count = kept;
}

/* What is published beside an image is for that image, unless it says otherwise. */
static bool load_published(const struct texts *t, struct err *e) {
    struct reference_published *p = &r.published;
    char list[DIGEST_TEXT_SIZE + 5];
    if (!reference_fetch(t->reference, t->policy, &r.arena, p, e)) return false;
    if (!reference_take(p->predicate, p->statement, &r.arena, &r.reference, e)) {
        if (e->kind == ERR_USAGE) e->kind = ERR_FORMAT; /* not this user's fault */
        err_mend(e, "attest what make reference or plinth measure --json wrote");
        return err_in(e, "published reference, signed by %s", p->signers);
    }
    if (r.reference.images) return true;
    snprintf(list, sizeof list, "[\"%s\"]", p->manifest);
    struct view images = arena_copy(&r.arena, view_str(list));
    return images.p ? json_parse(images, &r.arena, &r.reference.images, e) : arena_full(&r.arena, e);
}

static bool load_reference(const struct texts *t, struct err *e) {
    struct view text;
    if (reference_is_published(t->reference)) return load_published(t, e);
    if (t->policy) {
        err_set(e, ERR_USAGE, "--policy says who may sign published reference values; %.300s is a file", t->reference);
        return err_mend(e, "leave --policy out, or name an image: --reference docker://HOST/REPOSITORY:TAG");
    }
    return file_read("reference", t->reference, REFERENCE_FILE_MAX, &r.arena, &text, e) &&
           reference_read(text, &r.arena, &r.reference, e);
}

static bool load(const struct texts *t, const char *path, const struct option_list *certs, struct err *e) {
    struct appraisal *a = &r.v.quote;
    struct view text;
    if (!t->reference) {
        err_set(e, ERR_USAGE, "--reference FILE (or IMAGE) is missing");
        return err_mend(e, "make reference and plinth measure write one; man plinth describes it");
    }
    if (!arena_make(&r.arena, ARENA_SIZE, e) || !given_moment(t->at, &a->at, e) ||
        !option_hex("--nonce", t->nonce, 1, EVIDENCE_NONCE_MAX, r.nonce, &r.v.nonce, e) ||
        !option_number("--tcb-evaluation", t->evaluation, 1, UINT32_MAX, &a->evaluation_min, e) ||
        !load_reference(t, e) || !given_root(t->trust, &r.arena, &a->trust, &r.given, e))
        return false;
    if (!a->trust.count) a->trust = r.reference.roots;
    if (r.reference.has_tcb_minimum) a->tcb_min = view_of(r.reference.tcb_minimum, 8);
    if (!a->evaluation_min) a->evaluation_min = r.reference.tcb_evaluation;
    for (size_t i = 0; i < certs->count; i++)
        if (!given_certs(certs->items[i], &r.arena, &r.given, e)) return false;
    return join(&r.statuses, r.reference.tcb_status, e) &&
           file_read("evidence", path, EVIDENCE_FILE_MAX, &r.arena, &text, e) &&
           evidence_read(text, &r.arena, &r.document, e);
}

/* Certificates that came with the evidence: no better than any others, and judged like them. */
static bool add_certificates(struct err *e) {
    const struct evidence_document *d = &r.document;
    if (d->certificates.n && !collateral_add(&r.given, d->certificates, &r.arena, e))
        return err_in(e, "evidence: certificates");
    if (d->tee == EVIDENCE_TPM && d->tpm.ek_certificate.n && r.v.quote.trust.count &&
        !collateral_add(&r.given, d->tpm.ek_certificate, &r.arena, e))
        return err_in(e, "evidence: ek_certificate");
    return true;
}

/* --allow-missing: what it waived is told with the verdict, like everything else that a verdict rests on less by. */
static void waive_missing(struct appraisal *a) {
    static char text[512] = "accepted without what --allow-missing waived:";
    for (size_t i = 0; i < a->checks.count && i < CHECKS_MAX; i++) {
        struct check *k = &a->checks.list[i];
        size_t n = strlen(text);
        if (k->state != CHECK_MISSING || !k->needed) continue;
        k->needed = false;
        snprintf(text + n, sizeof text - n, " %s", k->name);
        if (text[n - 1] == ':' && r.v.caveat_count < CAVEATS_MAX) r.v.caveats[r.v.caveat_count++] = text;
    }
}

static bool appraise(bool allow_missing, struct err *e) {
    struct appraisal *a = &r.v.quote;
    size_t own = r.allow.count;
    if (!add_certificates(e) || !join(&r.allow, r.reference.allow, e)) return false;
    a->arena = &r.arena, a->given = &r.given, a->status = &r.statuses;
    result_members_begin(&a->fields);
    r.v.document = &r.document, r.v.reference = &r.reference;
    verify_evidence(&r.v);
    r.appraised = true;
    drop_unknown(&r.allow, own);
    if (allow_missing) waive_missing(a);
    return checks_verdict(&a->checks, &r.allow, e);
}

static int report(const struct err *e, bool json, int status) {
    if (json) {
        result_begin(&r.out, e);
        checks_write(&r.v.quote.checks, &r.out);
        if (r.published.manifest[0]) {
            result_open(&r.out, "published", '{');
            result_text(&r.out, "image", r.published.manifest);
            result_text(&r.out, "signers", r.published.signers);
            result_close(&r.out, '}');
        }
        if (r.appraised) verify_write(&r.v, e, &r.out);
        return result_end(&r.out, status);
    }
    if (r.published.manifest[0])
        printf("published  reference values signed by %s for %s\n", r.published.signers, r.published.manifest);
    if (r.appraised) verify_print(&r.v, e);
    return fflush(stdout) ? 3 : status;
}

int cmd_verify(int argc, char **argv) {
    struct option_list certs = {0};
    struct texts t = {0};
    bool json = false, allow_missing = false;
    const struct option options[] = {
        {"--reference", "FILE",
         "reference values and appraisal policy: what make reference or plinth measure --json wrote, or your own;\n"
         "or an image (docker://..., oci:...) beside which its publisher keeps them, signed: with --policy",
         .text = &t.reference},
        {"--policy", "FILE",
         "with an image for --reference: whose reference values count (attestations of " REFERENCE_PREDICATE ")",
         .text = &t.policy},
        {"--nonce", "HEX", "the nonce that was asked for; without it the evidence may be old, and the verdict says so",
         .text = &t.nonce},
        {"--certs", "FILE",
         "certificates, CRLs, TCB info, QE identity, as for verify-quote; or a directory of such; may be repeated",
         .list = &certs},
        {"--trust", "FILE", "a root (certificate or public key) instead of the vendor's: a private or simulated one",
         .text = &t.trust},
        {"--at", "TIME", "judge validity at this time (2025-07-01T00:00:00Z, 2025-07-01, @seconds); default: now",
         .text = &t.at},
        {"--tcb-status", "NAME", "a TCB status that is accepted beside UpToDate; may be repeated", .list = &r.statuses},
        {"--tcb-evaluation", "N", "the least tcbEvaluationDataNumber of Intel's collateral", .text = &t.evaluation},
        {"--allow", "CHECK", "accept although this check of policy does not hold or could not be made; may be repeated",
         .list = &r.allow},
        {"--allow-missing", NULL, "accept without whatever was not given; what it is, is still said",
         .on = &allow_missing},
        {"--json", NULL, "one JSON object on standard output, with the result as EAR, too", .on = &json},
        {0},
    };
    const struct usage usage = {
        "verify",
        "EVIDENCE",
        "Appraises evidence of a machine against reference values: quote, logs, registers, policy.",
        1,
        1,
        options};
    struct err e = {0};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;
    bool ok = load(&t, argv[0], &certs, &e) && appraise(allow_missing, &e);
    if (ok) e = (struct err){0};
    status = report(&e, json, ok ? 0 : command_fail(&e));
    collateral_drop(&r.given);
    arena_drop(&r.arena);
    return status;
}
