/* plinth verify-quote: one hardware quote alone, offline (tools/appraise). */
#include "tools/appraise/appraisal.h"
#include "tools/appraise/fields.h"
#include "tools/appraise/snp.h"
#include "tools/appraise/tdx.h"
#include "tools/appraise/tpm.h"
#include "tools/file.h"
#include "tools/given.h"
#include "tools/options.h"

#include <stdio.h>

#define QUOTE_FILE_MAX (1u << 20)
#define NONCE_MAX 64u /* REPORTDATA */
#define ARENA_SIZE (256u << 20)

static const struct kind {
    const char *name;
    void (*verify)(struct appraisal *a, struct view quote);
} kinds[] = {
    {"tdx", tdx_verify},
    {"snp", snp_verify},
    {"tpm", tpm_verify},
};

struct request {
    struct arena arena;
    struct collateral given;
    struct appraisal appraisal;
    struct result out;
    uint8_t nonce[NONCE_MAX], tcb_min[8];
};

/* What the command line says, as it stands there. */
struct texts {
    const char *trust, *at, *nonce, *evaluation, *tcb_min, *signature, *ak, *pcrs;
};

/* A part of a TPM's quote. */
static bool read_part(struct request *r, const char *what, const char *path, struct view *out, struct err *e) {
    if (!path) return true;
    return file_read(what, path, QUOTE_FILE_MAX, &r->arena, out, e) &&
           (out->n || err_set(e, ERR_USAGE, "the %s %s is empty", what, path));
}

/* Options that another kind of quote would not heed. */
static bool belong(const char *kind, const struct texts *t, struct err *e) {
    const struct {
        const char *option, *text, *kind;
    } own[] = {{"--signature", t->signature, "tpm"},
               {"--ak", t->ak, "tpm"},
               {"--pcrs", t->pcrs, "tpm"},
               {"--tcb-minimum", t->tcb_min, "snp"},
               {"--tcb-evaluation", t->evaluation, "tdx"}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].text && strcmp(own[i].kind, kind) != 0)
            return err_set(e, ERR_USAGE, "%s belongs to verify-quote %s, not %s", own[i].option, own[i].kind, kind);
    return true;
}

static bool prepare(struct request *r, const struct texts *t, const struct option_list *certs, char **more,
                    int more_count, struct err *e) {
    struct appraisal *a = &r->appraisal;
    a->arena = &r->arena;
    a->given = &r->given;
    if (!given_moment(t->at, &a->at, e) || !given_root(t->trust, &r->arena, &a->trust, &r->given, e) ||
        !option_hex("--nonce", t->nonce, 1, NONCE_MAX, r->nonce, &a->nonce, e) ||
        !option_hex("--tcb-minimum", t->tcb_min, 8, 8, r->tcb_min, &a->tcb_min, e) ||
        !read_part(r, "signature", t->signature, &a->signature, e) || !read_part(r, "AK", t->ak, &a->ak, e) ||
        !read_part(r, "PCR values", t->pcrs, &a->pcrs, e))
        return false;
    for (size_t i = 0; i < certs->count; i++)
        if (!given_certs(certs->items[i], &r->arena, &r->given, e)) return false;
    for (int i = 0; i < more_count; i++)
        if (!given_certs(more[i], &r->arena, &r->given, e)) return false;
    return true;
}

static int report(struct request *r, const struct err *e, bool json) {
    struct appraisal *a = &r->appraisal;
    int status = err_status(e);
    if (json) {
        result_begin(&r->out, e);
        checks_write(&a->checks, &r->out);
        result_members(&r->out, &a->fields);
        status = result_end(&r->out, status);
    } else {
        checks_print(&a->checks);
        fields_print(writer_view(&a->fields.out));
        if (fflush(stdout)) status = 3;
    }
    return status;
}

int cmd_verify_quote(int argc, char **argv) {
    static struct request r;
    struct option_list certs = {0}, allow = {0}, need = {0}, statuses = {0};
    struct texts t = {0};
    bool json = false, allow_missing = false;
    const struct option options[] = {
        {"--certs", "FILE",
         "certificates, CRLs, TCB info, QE identity beside the quote, in any form and order; or a\ndirectory of such "
         "files; may be repeated, and further operands are the same",
         .list = &certs},
        {"--trust", "FILE", "a root (certificate or public key) instead of the vendor's, which are built in",
         .text = &t.trust},
        {"--at", "TIME", "judge validity at this time (2025-07-01T00:00:00Z, 2025-07-01, @seconds); default: now",
         .text = &t.at},
        {"--tcb-status", "NAME",
         "a TCB status that is accepted beside UpToDate, such as SWHardeningNeeded; may be repeated",
         .list = &statuses},
        {"--tcb-evaluation", "N", "the least tcbEvaluationDataNumber of Intel's collateral, against old statements",
         .text = &t.evaluation},
        {"--tcb-minimum", "HEX",
         "SNP: the least REPORTED_TCB and LAUNCH_TCB, every part of it; 8 bytes as they have them", .text = &t.tcb_min},
        {"--nonce", "HEX",
         "what the quote must be over: REPORTDATA (then zeroes), or a TPM's qualifying data; default:\nnot compared",
         .text = &t.nonce},
        {"--signature", "FILE", "TPM: TPMT_SIGNATURE, or bare RSASSA bytes", .text = &t.signature},
        {"--ak", "FILE", "TPM: the AK (TPMT_PUBLIC, TPM2B_PUBLIC, PEM, DER), or an Azure HCL report that names it",
         .text = &t.ak},
        {"--pcrs", "FILE", "TPM: the PCRs' values as JSON, {\"sha256\": {\"0\": HEX, ...}}", .text = &t.pcrs},
        {"--allow", "CHECK", "accept although this check of policy does not hold or could not be made; may be repeated",
         .list = &allow},
        {"--need", "CHECK",
         "refuse where this check could not be made though it is one that is only said; may be repeated",
         .list = &need},
        {"--allow-missing", NULL, "accept without whatever was not given; what it is, is still said",
         .on = &allow_missing},
        {"--json", NULL, "one JSON object on standard output: verdict, reason, checks, every field", .on = &json},
        {0},
    };
    const struct usage usage = {
        "verify-quote",
        "tdx|snp|tpm FILE [CERTS]...",
        "Appraises one hardware quote, offline: signatures up to the vendor's root, revocation, TCB, attributes.",
        2,
        (int)OPTION_LIST_MAX,
        options};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    struct err e = {0};
    struct view quote;
    const struct kind *kind = NULL;
    if (status >= 0) return status;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(argv[0], kinds[i].name)) kind = &kinds[i];
    r.appraisal.status = &statuses;
    result_members_begin(&r.appraisal.fields);
    bool ok = kind || err_set(&e, ERR_USAGE, "verify-quote %.40s: no such kind of quote", argv[0]);
    ok = ok && belong(kind->name, &t, &e) &&
         option_number("--tcb-evaluation", t.evaluation, 1, UINT32_MAX, &r.appraisal.evaluation_min, &e) &&
         arena_make(&r.arena, ARENA_SIZE, &e) && prepare(&r, &t, &certs, argv + 2, operands - 2, &e) &&
         file_read("quote", argv[1], QUOTE_FILE_MAX, &r.arena, &quote, &e);
    if (ok) {
        kind->verify(&r.appraisal, quote);
        checks_need(&r.appraisal.checks, allow_missing, &need);
        ok = checks_verdict(&r.appraisal.checks, &allow, &e);
        for (size_t i = 0; ok && i < need.count; i++)
            ok = checks_find(&r.appraisal.checks, need.items[i]) ||
                 err_set(&e, ERR_POLICY, "--need %s: no such check was made", need.items[i]);
    }
    if (ok) e = (struct err){0};
    status = ok ? 0 : command_fail(&e);
    status = report(&r, &e, json);
    collateral_drop(&r.given);
    arena_drop(&r.arena);
    return status;
}
