/* plinth verify: evidence, reference values and a nonce in, an attestation result out (tools/appraise/verify.h). The
 * evidence may come in an RA-TLS certificate (ratls_cert.h): then the nonce is made from its key. */
#include "tools/appraise/moment.h"
#include "tools/appraise/ratls_cert.h"
#include "tools/appraise/tls_peer.h"
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
    struct ratls_cert cert; /* der empty: the evidence came alone */
    struct tls_peer peer;
    struct verification v;
    struct option_list allow, statuses;
    struct result out;
    uint8_t nonce[EVIDENCE_NONCE_MAX];
    bool appraised;
} r;

struct texts {
    const char *reference, *policy, *nonce, *trust, *at, *evaluation, *cert, *tls, *write_cert;
};

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

static bool load_evidence(const struct texts *t, const char *path, struct err *e) {
    struct view text;
    if (!path + !t->cert + !t->tls != 2) {
        err_set(e, ERR_USAGE, "what is to be appraised? %s",
                path || t->cert || t->tls ? "One thing at a time" : "Nothing is named");
        return err_mend(e, "name an EVIDENCE file, --cert FILE or --tls HOST:PORT");
    }
    if (path && t->write_cert) return err_set(e, ERR_USAGE, "--write-cert: the evidence did not come in a certificate");
    if (path)
        return file_read("evidence", path, EVIDENCE_FILE_MAX, &r.arena, &text, e) &&
               evidence_read(text, &r.arena, &r.document, e);
    if (t->nonce)
        return err_set(e, ERR_USAGE, "--nonce: a certificate's evidence is over its key, and over nothing else");
    if (t->cert ? !file_read("certificate", t->cert, 1u << 20, &r.arena, &text, e)
                : !tls_peer_meet(t->tls, &r.arena, &r.peer, e))
        return false;
    if (!ratls_cert_read(t->cert ? text : r.peer.certificate, &r.arena, &r.cert, e))
        return err_in(e, "%s", t->cert ? t->cert : t->tls);
    r.v.nonce = view_of(r.cert.nonce, sizeof r.cert.nonce);
    return evidence_read(r.cert.evidence, &r.arena, &r.document, e);
}

static bool load(const struct texts *t, const char *path, const struct option_list *certs, struct err *e) {
    struct appraisal *a = &r.v.quote;
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
    return verify_join(&r.statuses, r.reference.tcb_status, &r.arena, e) && load_evidence(t, path, e);
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
        if (text[n - 1] != ':' || r.v.caveat_count == CAVEATS_MAX) continue;
        r.v.caveat_names[r.v.caveat_count] = "waived";
        r.v.caveats[r.v.caveat_count++] = text;
    }
}

/* Whose certificate it is: of the key that the evidence is over, and of who answered. */
static void judge_certificate(const struct texts *t) {
    struct checks *c = &r.v.quote.checks;
    char from[MOMENT_TEXT], to[MOMENT_TEXT], at[MOMENT_TEXT];
    moment_text(r.cert.not_before, from), moment_text(r.cert.not_after, to), moment_text(r.v.quote.at, at);
    if (r.v.quote.at < r.cert.not_before || r.v.quote.at > r.cert.not_after)
        checks_bad(c, "tls-certificate", "it is valid from %s to %s, now it is %s", from, to, at);
    else
        checks_good(c, "tls-certificate", "signed with its own P-256 key, of %s", from);
    if (view_eq(r.v.nonce, view_of(r.document.nonce, r.document.nonce_size)))
        checks_good(c, "tls-key", "the evidence is over the key of the certificate: it was made when that was");
    else
        checks_bad(
            c, "tls-key",
            "the evidence is over something else than the key of this certificate, and says nothing of who has it");
    if (t->tls) {
        checks_good(c, "tls-handshake", "%s has the key now (%s)", t->tls, r.peer.session);
        return;
    }
    checks_missing(c, "tls-handshake", false, "nobody was asked to prove that he has the key");
    r.v.caveat_names[r.v.caveat_count] = "key-not-proved";
    r.v.caveats[r.v.caveat_count++] =
        "the certificate came from a file: who has its key, a TLS handshake with him would show";
}

static bool appraise(const struct texts *t, bool allow_missing, struct err *e) {
    struct appraisal *a = &r.v.quote;
    size_t own = r.allow.count;
    if (!verify_add_certificates(&r.document, &a->trust, &r.given, &r.arena, e) ||
        !verify_join(&r.allow, r.reference.allow, &r.arena, e))
        return false;
    a->arena = &r.arena, a->given = &r.given, a->status = &r.statuses;
    result_members_begin(&a->fields);
    r.v.document = &r.document, r.v.reference = &r.reference;
    if (r.cert.der.n) judge_certificate(t);
    verify_evidence(&r.v);
    r.appraised = true;
    drop_unknown(&r.allow, own);
    if (allow_missing) waive_missing(a);
    return checks_verdict(&a->checks, &r.allow, e);
}

/* What a client pins (curl --pinnedpubkey). */
static const char *pin(char out[static 64]) {
    struct writer w = writer_of(out, 64);
    write_text(&w, "sha256//");
    write_base64(&w, view_of(r.cert.spki_sha256, sizeof r.cert.spki_sha256));
    return writer_str(&w);
}

static void report_certificate(const struct texts *t) {
    char text[64];
    result_open(&r.out, "tls", '{');
    result_text(&r.out, "peer", t->tls);
    result_text(&r.out, "session", t->tls ? r.peer.session : NULL);
    result_hex(&r.out, "certificate", view_of(r.cert.sha256, sizeof r.cert.sha256));
    result_text(&r.out, "pin", pin(text));
    result_close(&r.out, '}');
}

/* Only what was accepted: a client that is given this file needs to know no more. */
static bool write_certificate(const char *path, struct err *e) {
    const size_t size = 2 * RATLS_CERTIFICATE_MAX;
    struct writer w = writer_of(arena_alloc(&r.arena, size), size);
    if (!w.p) return arena_full(&r.arena, e);
    write_text(&w, "-----BEGIN CERTIFICATE-----\n");
    for (struct view rest = r.cert.der; rest.n; rest = view_skip(rest, 48)) {
        write_base64(&w, view_first(rest, 48));
        write_text(&w, "\n");
    }
    write_text(&w, "-----END CERTIFICATE-----\n");
    return file_write(path, writer_view(&w), e);
}

static int report(const struct texts *t, const struct err *e, bool json, int status) {
    if (json) {
        result_begin(&r.out, e);
        checks_write(&r.v.quote.checks, &r.out);
        if (r.published.manifest[0]) {
            result_open(&r.out, "published", '{');
            result_text(&r.out, "image", r.published.manifest);
            result_text(&r.out, "signers", r.published.signers);
            result_close(&r.out, '}');
        }
        if (r.cert.der.n) report_certificate(t);
        if (r.appraised) verify_write(&r.v, e, &r.out);
        return result_end(&r.out, status);
    }
    if (r.published.manifest[0])
        printf("published  reference values signed by %s for %s\n", r.published.signers, r.published.manifest);
    char text[64];
    if (r.cert.der.n) printf("%-10s %s\n", "key", pin(text));
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
        {"--tls", "HOST:PORT",
         "connect there and appraise the evidence in the server's certificate (run.tls of a guest's policy)",
         .text = &t.tls},
        {"--cert", "FILE", "the same with a certificate from a file: it does not show who has its key",
         .text = &t.cert},
        {"--write-cert", "FILE",
         "write the certificate there (PEM) when it was accepted, for clients such as curl --cacert",
         .text = &t.write_cert},
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
        "[EVIDENCE]",
        "Appraises evidence of a machine against reference values: quote, logs, registers, policy.",
        0,
        1,
        options};
    struct err e = {0};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;
    bool ok = load(&t, operands ? argv[0] : NULL, &certs, &e) && appraise(&t, allow_missing, &e) &&
              (!t.write_cert || write_certificate(t.write_cert, &e));
    if (ok) e = (struct err){0};
    status = report(&t, &e, json, ok ? 0 : command_fail(&e));
    collateral_drop(&r.given);
    arena_drop(&r.arena);
    return status;
}
