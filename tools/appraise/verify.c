/* see verify.h */
#include "tools/appraise/verify.h"

#include "base/version.h"
#include "oci/digest.h"
#include "tools/appraise/snp.h"
#include "tools/appraise/tdx.h"
#include "tools/appraise/tdx_quote.h"
#include "tools/appraise/tpm.h"
#include "tools/appraise/tpm_quote.h"
#include "tools/eventlog.h"

#include <stdio.h>

#define SNP_REPORT_SIZE 1184u
#define IMA_PCR 10u       /* Linux' own after the firmware's log has ended */
#define RTMR_LOG_INDEX 4u /* of RTMR3, and of the monitor's register */

/* One register, and what the reference calls it. */
struct claim {
    char label[20], path[28]; /* "PCR 4"; JSON Pointer into a set */
    const char *also, *bank;  /* a second path, a TPM's bank; or NULL */
    struct view value;        /* empty: a PCR that is not under the quote */
    bool own;                 /* Plinth's register */
};
struct claims {
    size_t count;
    struct claim list[CLAIMS_MAX];
};

/* Everything about one quote and its log: what leads, or the TPM beside it. */
struct part {
    struct verification *v;
    struct appraisal *a;
    const struct tpm_document *tpm; /* NULL: a CPU's */
    enum evidence_tee tee;
    bool leads;
    uint32_t mr_index;
    size_t bank_count;
    struct register_bank banks[BANKS_MAX]; /* the register's value */
    struct view log, firmware_log;
    struct replay *replay;
    bool *replayed, *register_holds;
    struct claims claims;
    uint32_t quoted[BANKS_MAX]; /* a TPM's: the PCRs of tpm->banks[i] that are under the quote; the others are anybody's
                                   word */
};

bool verify_add_certificates(const struct evidence_document *d, const struct anchors *trust, struct collateral *given,
                             struct arena *a, struct err *e) {
    if (d->certificates.n && !collateral_add(given, d->certificates, a, e)) return err_in(e, "evidence: certificates");
    if (d->tee == EVIDENCE_TPM && d->tpm.ek_certificate.n && trust->count &&
        !collateral_add(given, d->tpm.ek_certificate, a, e))
        return err_in(e, "evidence: ek_certificate");
    for (size_t i = 0; i < d->chain_count; i++)
        if (!collateral_add(given, d->chain[i], a, e)) return err_in(e, "evidence: cert_chain");
    return true;
}

bool verify_join(struct option_list *list, const json *more, struct arena *a, struct err *e) {
    for (struct json_iter it = json_each(more); json_next(&it);) {
        const char *text = arena_str(a, json_text(it.value));
        if (!text) return err_set(e, ERR_USAGE, "reference: policy: a text with a NUL");
        if (list->count == OPTION_LIST_MAX) return err_set(e, ERR_USAGE, "more than %u entries", OPTION_LIST_MAX);
        list->items[list->count++] = text;
    }
    return true;
}

/* Both literals. */
static void caveat(struct verification *v, const char *name, const char *text) {
    if (v->caveat_count == CAVEATS_MAX) return;
    v->caveat_names[v->caveat_count] = name;
    v->caveats[v->caveat_count++] = text;
}

static bool all_zero(struct view v) {
    uint8_t any = 0;
    for (size_t i = 0; i < v.n; i++) any |= v.p[i];
    return !any;
}

static const char *hex_of(struct view v, char *out, size_t size) {
    struct writer w = writer_of(out, size);
    write_hex(&w, view_first(v, (size - 1) / 2));
    return writer_str(&w) ? out : "?";
}

/* ---- nonce, preimage ---- */

static void judge_nonce(struct verification *v) {
    const struct evidence_document *d = v->document;
    struct view have = view_of(d->nonce, d->nonce_size);
    char a[2 * EVIDENCE_NONCE_MAX + 1], b[2 * EVIDENCE_NONCE_MAX + 1];
    if (!v->nonce.n) {
        checks_missing(&v->quote.checks, "nonce", false,
                       "no nonce was asked for: the evidence may be old, or recorded");
        caveat(v, "no-nonce", "no nonce was given: the evidence may be old");
    } else if (d->foreign) {
        return; /* the quote's check alone */
    } else if (!view_eq(have, v->nonce)) {
        checks_bad(&v->quote.checks, "nonce", "the evidence is for nonce %s, asked was for %s",
                   hex_of(have, a, sizeof a), hex_of(v->nonce, b, sizeof b));
    } else {
        checks_good(&v->quote.checks, "nonce", "%s", hex_of(have, a, sizeof a));
    }
}

/* The quote has to be over `out`, SHA-384 of a text that says what the document says, and the agent's tag. */
static void judge_preimage(struct verification *v, uint8_t out[64]) {
    const struct evidence_document *d = v->document;
    uint8_t buffer[EVIDENCE_EXPECTED_MAX];
    struct writer expected = writer_of(buffer, sizeof buffer);
    struct checks *c = &v->quote.checks;
    evidence_expected_preimage(d, &expected);
    evidence_report_data(writer_view(&expected), out);
    if (!view_eq(d->preimage, writer_view(&expected)))
        checks_bad(c, "preimage", "it does not say what the document says: wanted is %.*s",
                   VIEW_ARG(writer_view(&expected)));
    else if (memcmp(d->report_data, out, 64))
        checks_bad(c, "preimage",
                   "report_data of the document is not its SHA-384, then the agent's tag \"" EVIDENCE_TAG "\"");
    else
        checks_good(c, "preimage", "nonce, register%s are what report_data is the SHA-384 of",
                    d->has_tpm ? " and the TPM's key" : "");
}

/* ---- logs ---- */

static void judge_log(struct part *p) {
    struct checks *c = &p->a->checks;
    struct register_bank have[BANKS_MAX];
    struct err e = {0};
    char a[2 * HASH_MAX + 1], b[2 * HASH_MAX + 1];
    const char *name = p->tee == EVIDENCE_TPM ? "PCR" : p->tee == EVIDENCE_TDX ? "RTMR" : "the monitor's register";
    bool ok = replay_register(p->log, p->mr_index, p->banks, p->bank_count, have, &e);
    if (ok && !p->bank_count) ok = err_set(&e, ERR_POLICY, "PCR %u, Plinth's, is not under the quote", p->mr_index);
    if (ok && p->tpm && p->mr_index != p->v->reference->pcr)
        ok = err_set(&e, ERR_POLICY,
                     "the document says that PCR %u is Plinth's, expected is PCR %u (policy.pcr): others may have "
                     "extended that one",
                     p->mr_index, p->v->reference->pcr);
    if (!ok) checks_err(c, "register", &e);
    for (size_t i = 0; ok && i < p->bank_count; i++) {
        size_t n = hash_size(p->banks[i].alg);
        if (!memcmp(have[i].value, p->banks[i].value, n)) continue;
        ok = checks_bad(c, "register",
                        "the event log does not explain %s: it gives %s in the %s bank, the quote says %s", name,
                        hex_of(view_of(have[i].value, n), a, sizeof a), hash_name(p->banks[i].alg),
                        hex_of(view_of(p->banks[i].value, n), b, sizeof b));
    }
    if (ok && p->tee == EVIDENCE_SNP)
        checks_good(c, "register", "the event log replays to the register that the monitor keeps (not the hardware)");
    else if (ok)
        checks_good(c, "register", "the event log replays to %s %u", name, p->tee == EVIDENCE_TPM ? p->mr_index : 3);
    *p->register_holds = ok;

    *p->replayed = (p->v->release ? replay_prefix : replay_log)(p->log, p->mr_index, p->banks, p->bank_count,
                                                                p->a->arena, p->replay, &e);
    if (!*p->replayed)
        checks_err(c, "event-log", &e);
    else if (!p->replay->separated)
        checks_good(c, "event-log", "%zu events of a boot that is not over: %s", p->replay->event_count,
                    replay_stage_name(p->replay->stage));
    else if (p->replay->workload_count)
        checks_good(c, "event-log",
                    "%zu events of the boot, the separator, and %zu of the workload, which count for nothing",
                    p->replay->event_count, p->replay->workload_count);
    else
        checks_good(c, "event-log", "%zu events of the boot, ended by the separator", p->replay->event_count);
}

/* Against PCR `i`, 0 to 15, of one bank; false: it is not explained. */
static bool explained(const struct eventlog_register *r, const struct evidence_bank *bank, unsigned i,
                      uint32_t quoted) {
    size_t n = hash_size(bank->alg);
    if (!(quoted >> i & 1) || i == IMA_PCR) return true;
    return r->used ? !memcmp(r->bank.value, bank->pcrs[i], n) : all_zero(view_of(bank->pcrs[i], n));
}

static bool firmware_pcrs(struct part *p, const struct eventlog_registers *regs) {
    struct checks *c = &p->a->checks;
    size_t banks = 0;
    for (size_t i = 0; i < p->tpm->bank_count; i++) {
        const struct evidence_bank *bank = &p->tpm->banks[i];
        const struct eventlog_register *r = bank->alg == HASH_SHA256   ? regs->sha256
                                            : bank->alg == HASH_SHA384 ? regs->sha384
                                                                       : NULL;
        bool any = false;
        for (unsigned pcr = 0; r && pcr < EVENTLOG_REGISTERS; pcr++) any |= r[pcr].used;
        if (!any) continue; /* a bank that the firmware did not know */
        banks++;
        for (unsigned pcr = 0; pcr < EVIDENCE_PCRS; pcr++)
            if (pcr == p->mr_index ? r[pcr].used : !explained(&r[pcr], bank, pcr, p->quoted[i]))
                return checks_bad(c, "firmware-log",
                                  pcr == p->mr_index ? "it extends PCR %u (%s), which is Plinth's"
                                                     : "it does not explain PCR %u (%s)",
                                  pcr, hash_name(bank->alg));
    }
    if (!banks) return checks_bad(c, "firmware-log", "it has events of none of the quoted banks");
    return checks_good(c, "firmware-log",
                       "%zu records replay to the PCRs (PCR 10 is Linux IMA's, which has a log of its own)",
                       regs->records);
}

/* RTMR3 is not the firmware's, but a foreign log is of all four. */
static bool firmware_rtmrs(struct part *p, const struct eventlog_registers *regs) {
    unsigned count = p->v->document->foreign ? 4 : 3;
    for (unsigned i = 0; i < count; i++) {
        const struct eventlog_register *r = &regs->sha384[i + 1];
        struct view have = p->claims.list[1 + i].value; /* after MRTD */
        if (r->used ? memcmp(r->bank.value, have.p, 48) : !all_zero(have))
            return checks_bad(&p->a->checks, "firmware-log", "it does not explain RTMR%u", i);
    }
    return checks_good(&p->a->checks, "firmware-log", "%zu records replay to RTMR0 to RTMR%u", regs->records,
                       count - 1);
}

static void judge_firmware(struct part *p) {
    struct eventlog_registers *regs = arena_alloc(p->a->arena, sizeof *regs);
    struct err e;
    if (p->tee == EVIDENCE_SNP) return; /* no firmware measures there */
    if (!p->firmware_log.n)
        checks_missing(&p->a->checks, "firmware-log", false,
                       "there is none: the registers are only compared with the reference");
    else if (!regs || !eventlog_replay(p->firmware_log, regs, &e))
        regs ? (void)checks_err(&p->a->checks, "firmware-log", &e)
             : (void)checks_bad(&p->a->checks, "firmware-log", "out of memory");
    else if (p->tpm)
        firmware_pcrs(p, regs);
    else if (p->claims.count)
        firmware_rtmrs(p, regs);
}

/* ---- reference values ---- */

/* Plinth's own register is compared as it was at the separator: what the workload extended behind it cannot be
 * predicted. */
static struct view own_value(const struct part *p, enum hash_alg alg, struct view now) {
    for (size_t i = 0; *p->replayed && *p->register_holds && i < p->replay->bank_count; i++)
        if (p->replay->boot[i].alg == alg) return view_of(p->replay->boot[i].value, hash_size(alg));
    return now;
}

static struct claim *add_claim(struct part *p, const char *label, const char *path, const char *also,
                               struct view value) {
    struct claim *c = &p->claims.list[p->claims.count++];
    snprintf(c->label, sizeof c->label, "%s", label);
    snprintf(c->path, sizeof c->path, "%s", path);
    c->also = also, c->bank = NULL, c->value = value, c->own = false;
    return c;
}

static void tpm_claims(struct part *p) {
    for (size_t i = 0; i < p->tpm->bank_count; i++) {
        const struct evidence_bank *bank = &p->tpm->banks[i];
        size_t n = hash_size(bank->alg);
        for (unsigned pcr = 0; bank->alg != HASH_SHA512 && pcr < EVIDENCE_PCRS; pcr++) {
            struct claim *c = add_claim(p, "", "", NULL, view_of(bank->pcrs[pcr], p->quoted[i] >> pcr & 1 ? n : 0));
            snprintf(c->label, sizeof c->label, "PCR %u", pcr);
            c->bank = hash_name(bank->alg);
            snprintf(c->path, sizeof c->path, "/%s/%u", hash_name(bank->alg), pcr);
            c->own = pcr == p->mr_index;
        }
    }
}

/* MRTD, RTMR0..3 first: firmware_rtmrs counts on it. */
static void tdx_claims(struct part *p, struct view body) {
    static const struct {
        const char *label, *path, *also;
        uint16_t offset;
    } fields[] = {{"MRTD", "/mrtd", "/mrtd_single_pass", 136},
                  {"RTMR0", "/rtmr0", NULL, 328},
                  {"RTMR1", "/rtmr1", "/rtmr1_separator_in_rtmr0", 376},
                  {"RTMR2", "/rtmr2", NULL, 424},
                  {"RTMR3", "/rtmr3", NULL, 472},
                  {"MRCONFIGID", "/mrconfigid", NULL, 184},
                  {"MROWNER", "/mrowner", NULL, 232},
                  {"MROWNERCONFIG", "/mrownerconfig", NULL, 280}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        add_claim(p, fields[i].label, fields[i].path, fields[i].also, view_of(body.p + fields[i].offset, 48))->own =
            i == 4;
}

static void snp_claims(struct part *p, struct view report) {
    add_claim(p, "launch digest", "/launch_digest", NULL, view_of(report.p + 0x90, 48));
    add_claim(p, "HOST_DATA", "/host_data", NULL, view_of(report.p + 0xc0, 32));
    add_claim(p, "ID_KEY_DIGEST", "/id_key_digest", NULL, view_of(report.p + 0xe0, 48));
    add_claim(p, "AUTHOR_KEY_DIGEST", "/author_key_digest", NULL, view_of(report.p + 0x110, 48));
    add_claim(p, "register", "/register", NULL, view_of(p->banks[0].value, 48))->own = true;
}

/* Adds a name, unless it is there already: two banks have one PCR. */
static void list(char *text, size_t size, const char *label) {
    size_t n = strlen(text), length = strlen(label);
    for (const char *at = text; (at = strstr(at, label)); at += length)
        if (at[length] == ',' || !at[length]) return;
    snprintf(text + n, size - n, "%s%s", n ? ", " : "", label);
}

/* Whether the log, of a boot that is not over, is how the boot begins that the set expects. */
static enum reference_match match_beginning(const struct part *p, const struct reference_set *set) {
    const json *events = json_get(set->values, "events");
    struct json_iter it = json_each(events);
    if (!json_is_array(events)) return REFERENCE_SILENT;
    for (size_t i = 0; i < p->replay->event_count; i++)
        if (!json_next(&it) || !view_eq(json_text(it.value), p->replay->events[i])) return REFERENCE_DIFFERS;
    return REFERENCE_SAME;
}

static enum reference_match match(const struct part *p, const struct reference_set *set, const struct claim *c,
                                  struct view value) {
    bool middle = *p->replayed && *p->register_holds && !p->replay->separated;
    return c->own && c->value.n && middle ? match_beginning(p, set) : reference_compare(set, c->path, c->also, value);
}

/* MRCONFIGID, HOST_DATA, PCR 8 (tee/initdata.h). */
static bool binds_initdata(const struct part *p, const struct claim *c) {
    return !strcmp(c->path, p->tee == EVIDENCE_TDX ? "/mrconfigid" : "/host_data") ||
           (p->tpm && !strcmp(strrchr(c->path, '/'), "/8"));
}

/* The first event of the boot that is not the expected one. */
static void name_own_event(const struct part *p, const struct reference_set *set, const struct claim *c, char *out,
                           size_t size) {
    const json *events = json_get(set->values, "events");
    size_t i = 0;
    (void)c;
    out[0] = 0;
    if (!json_is_array(events) || !*p->register_holds) return;
    for (struct json_iter it = json_each(events); json_next(&it); i++) {
        struct view want = json_text(it.value),
                    have = i < p->replay->event_count ? p->replay->events[i] : VIEW("nothing");
        if (view_eq(want, have)) continue;
        if (i == p->replay->event_count && p->v->release && !p->replay->separated) return;
        snprintf(out, size, "; the first event that differs is number %zu: '%.*s', expected was '%.*s'", i + 1,
                 VIEW_ARG(view_first(have, 160)), VIEW_ARG(view_first(want, 160)));
        return;
    }
    if (i < p->replay->event_count)
        snprintf(out, size, "; the first event that differs is number %zu: '%.*s', none was expected", i + 1,
                 VIEW_ARG(view_first(p->replay->events[i], 160)));
}

/* The same for a register of the firmware's, whose log is there: by digests. */
static void name_boot_event(const struct part *p, const struct reference_set *set, const struct claim *c, char *out,
                            size_t size) {
    bool tpm = p->tee == EVIDENCE_TPM;
    const char *name = strrchr(c->path, '/') + 1; /* "4", "rtmr1" */
    enum hash_alg alg = tpm ? HASH_SHA256 : HASH_SHA384;
    const json *digests = json_get(json_get(set->values, "boot_events"), name);
    struct json_iter it = json_each(digests);
    struct eventlog log = eventlog_of(p->firmware_log);
    struct eventlog_record record;
    struct err e;
    uint64_t mr;
    out[0] = 0;
    if (!json_is_array(digests) || !p->firmware_log.n ||
        !view_u64(view_str(tpm ? name : name + 4), EVIDENCE_PCRS - 1, &mr))
        return;
    for (size_t n = 1; eventlog_next(&log, &record, &e);) {
        char have[2 * HASH_MAX + 1];
        const struct eventlog_digest *d = NULL;
        for (size_t i = 0; i < record.digest_count; i++)
            if (record.digests[i].alg == tpm2_alg(alg)) d = &record.digests[i];
        if (record.mr_index != mr + !tpm || record.type == EVENT_NO_ACTION || !d) continue;
        bool more = json_next(&it);
        if (!more || !view_is(json_text(it.value), hex_of(d->bytes, have, sizeof have))) {
            const char *type = eventlog_record_name(&record);
            snprintf(out, size, "; the first event that differs is number %zu, %s: %s %.*s, expected was %.*s", n,
                     type ? type : "of an unknown type", hash_name(alg), 2 * (int)hash_size(alg),
                     hex_of(d->bytes, have, sizeof have), (int)(more ? json_text(it.value).n : 7),
                     more ? (const char *)json_text(it.value).p : "nothing");
            return;
        }
        n++;
    }
    if (json_next(&it))
        snprintf(out, size, "; an event is missing behind those of the log, expected was %s %.*s", hash_name(alg),
                 VIEW_ARG(json_text(it.value)));
}

static bool knows(const struct part *p, const struct reference_set *set, const char *path) {
    for (size_t i = 0; i < p->claims.count; i++)
        if (!strcmp(p->claims.list[i].path, path))
            return reference_compare(set, path, p->claims.list[i].also, p->claims.list[i].value) != REFERENCE_SILENT;
    return false;
}

/* What decides which code ran: without it, whoever booted something else could say the rest. */
static void cover(const struct part *p, const struct reference_set *set, struct comparison *out) {
    if (p->tee == EVIDENCE_TDX) {
        if (!knows(p, set, "/mrtd")) list(out->uncovered, sizeof out->uncovered, "MRTD");
        if (!knows(p, set, "/rtmr1")) list(out->uncovered, sizeof out->uncovered, "RTMR1");
        if (!knows(p, set, "/rtmr2")) list(out->uncovered, sizeof out->uncovered, "RTMR2");
    } else if (p->tee == EVIDENCE_SNP) {
        if (!knows(p, set, "/launch_digest")) list(out->uncovered, sizeof out->uncovered, "the launch digest");
    } else {
        bool boot = knows(p, set, "/sha256/4") || knows(p, set, "/sha384/4");
        bool rest = knows(p, set, "/sha256/9") || knows(p, set, "/sha384/9") || knows(p, set, "/sha256/11") ||
                    knows(p, set, "/sha384/11");
        if (!boot) list(out->uncovered, sizeof out->uncovered, "PCR 4");
        if (!rest) list(out->uncovered, sizeof out->uncovered, "PCR 9 or PCR 11");
    }
    out->covered = !out->uncovered[0];
}

static void compare(const struct part *p, const struct reference_set *set, struct comparison *out) {
    char have[2 * HASH_MAX + 1], want[2 * HASH_MAX + 16], events[512];
    *out = (struct comparison){.set = set};
    for (size_t i = 0; i < p->claims.count; i++) {
        const struct claim *c = &p->claims.list[i];
        struct view value =
            c->own && c->value.n ? own_value(p, c->value.n == 32 ? HASH_SHA256 : HASH_SHA384, c->value) : c->value;
        switch (match(p, set, c, value)) {
        case REFERENCE_SILENT:
            out->silent++, list(out->silent_text, sizeof out->silent_text, c->label);
            break;
        case REFERENCE_SAME:
            out->same++, out->own |= c->own, out->initdata |= binds_initdata(p, c);
            if (!out->differs) list(out->text, sizeof out->text, c->label);
            break;
        case REFERENCE_DIFFERS:
            if (out->differs++) break;
            events[0] = 0;
            if (!value.n) {
                snprintf(out->text, sizeof out->text, "%s%s%s is not under the quote", c->label, c->bank ? " " : "",
                         c->bank ? c->bank : "");
                break;
            }
            (c->own ? name_own_event : name_boot_event)(p, set, c, events, sizeof events);
            snprintf(out->text, sizeof out->text, "%s%s%s%s is %s, predicted is %s%s", c->label, c->bank ? " (" : "",
                     c->bank ? c->bank : "", c->bank ? ")" : "", hex_of(value, have, sizeof have),
                     reference_brief(set, c->path, want, sizeof want), events);
        }
    }
    cover(p, set, out);
}

static void judge_reference(struct part *p, struct comparison *best) {
    struct checks *c = &p->a->checks;
    const struct reference *r = p->v->reference;
    struct comparison *one = arena_alloc(p->a->arena, sizeof *one);
    bool any = false;
    *best = (struct comparison){0};
    for (size_t i = 0; one && p->claims.count && i < r->set_count; i++) {
        if (r->sets[i].tee != p->tee) continue;
        compare(p, &r->sets[i], one);
        if (!any || one->differs < best->differs || (one->differs == best->differs && one->same > best->same))
            *best = *one;
        any = true;
    }
    const char *tee = evidence_tee_name(p->tee);
    if (!any) {
        checks_missing(c, "reference-values", p->leads, "the reference has no values for %s", tee);
        return;
    }
    if (p->tee == EVIDENCE_TPM && p->leads && !knows(p, best->set, "/sha256/0") && !knows(p, best->set, "/sha384/0"))
        caveat(p->v, "firmware-unknown",
               "the reference does not know PCR 0: that the firmware is the right one, which measures all that "
               "follows, is taken on trust");
    if (best->differs)
        checks_bad(c, "reference-values", "%s: %s", best->set->name, best->text);
    else if (!best->same)
        checks_missing(c, "reference-values", true, "%s: every value is null", best->set->name);
    else if (best->silent)
        checks_good(c, "reference-values", "%s: as expected: %s; not compared, for no value is given: %s",
                    best->set->name, best->text, best->silent_text);
    else
        checks_good(c, "reference-values", "%s: as expected: %s", best->set->name, best->text);
    checks_policy(c, "reference-coverage", best->covered,
                  best->covered ? "the reference knows what decides which code ran"
                                : "the reference does not know %s, which decides which code ran",
                  best->uncovered);
}

/* ---- quotes ---- */

static void judge_anchor(struct verification *v) {
    if (v->quote.trust.count && v->document->tee != EVIDENCE_TPM)
        caveat(
            v, "root-not-vendor",
            "the root is not the vendor's but named by you: a simulated or private one, no hardware vouches for this");
}

static void judge_cpu(struct verification *v, struct part *p) {
    const struct evidence_document *d = v->document;
    uint8_t *wanted = arena_alloc(v->quote.arena, 64);
    struct tdx_quote q;
    struct err e;
    if (!wanted) return (void)checks_bad(&v->quote.checks, "preimage", "out of memory");
    if (!d->foreign) judge_preimage(v, wanted);
    v->quote.nonce = d->foreign ? v->nonce : view_of(wanted, 64);
    (d->tee == EVIDENCE_TDX ? tdx_verify : snp_verify)(&v->quote, d->quote);
    judge_anchor(v);
    p->mr_index = RTMR_LOG_INDEX;
    p->bank_count = !d->foreign;
    p->banks[0].alg = HASH_SHA384;
    memcpy(p->banks[0].value, d->value, 48);
    p->log = d->eventlog, p->firmware_log = d->firmware_log;
    if (d->tee == EVIDENCE_SNP && d->foreign) {
        snp_claims(p, d->quote);
        p->claims.count--; /* the register is Plinth's */
    } else if (d->tee == EVIDENCE_SNP) {
        caveat(v, "register-by-monitor",
               "SNP has no run-time register: what was booted into this agent is the monitor's word (kept_by monitor), "
               "as good as the agent that the launch digest names");
        if (d->quote.n == SNP_REPORT_SIZE) snp_claims(p, d->quote);
    } else if (tdx_quote_parse(d->quote, &q, &e)) {
        tdx_claims(p, q.body);
        /* The register is the hardware's, whatever the document says. */
        if (!d->foreign && memcmp(d->value, q.body.p + 472, 48))
            checks_bad(&v->quote.checks, "register", "the document's is not RTMR3 of the quote");
        memcpy(p->banks[0].value, q.body.p + 472, 48);
    }
}

/* {"sha256":{"0":hex,..},..}: the values under the quote's pcrDigest. */
static struct view pcrs_text(const struct tpm_document *t, struct arena *a) {
    size_t size = t->bank_count * EVIDENCE_PCRS * (2 * HASH_MAX + 8) + 64;
    struct writer w = writer_of(arena_alloc(a, size), size);
    if (!w.p) return (struct view){0};
    for (size_t i = 0; i < t->bank_count; i++) {
        write_text(&w, i ? "},\"" : "{\"");
        write_text(&w, hash_name(t->banks[i].alg));
        for (unsigned pcr = 0; pcr < EVIDENCE_PCRS; pcr++) {
            write_text(&w, pcr ? "\",\"" : "\":{\"");
            write_dec(&w, pcr);
            write_text(&w, "\":\"");
            write_hex(&w, view_of(t->banks[i].pcrs[pcr], hash_size(t->banks[i].alg)));
        }
        write_u8(&w, '"');
    }
    write_text(&w, "}}");
    return writer_view(&w);
}

static struct check *find(struct checks *c, const char *name) {
    for (size_t i = 0; i < c->count && i < CHECKS_MAX; i++)
        if (!strcmp(c->list[i].name, name)) return &c->list[i];
    return NULL;
}

/* An AK is a TPM's if a certificate says so, a CPU's report names it, or the relying party does. This check decides: a
 * certificate that was not given, which verify-quote asks for, is no reason of its own. */
static void judge_ak(struct verification *v, struct part *p) {
    struct checks *c = &p->a->checks;
    static const char *const certificates[] = {"ak-certificate", "ek-certificate"};
    char text[DIGEST_TEXT_SIZE];
    struct digest ak;
    bool certified = checks_hold(c, "ak-certificate");
    for (size_t i = 0; i < 2; i++) {
        struct check *k = find(c, certificates[i]);
        if (k && k->state == CHECK_MISSING) k->needed = false;
    }
    hash_once(HASH_SHA256, p->tpm->ak_public, ak.sha256);
    digest_text(&ak, text);
    if (!p->leads)
        checks_good(c, "ak-known", "%s is named in report_data", text);
    else if (reference_lists(v->reference->aks, view_str(text)))
        checks_good(c, "ak-known", "%s is one of policy.aks", text);
    else if (certified)
        checks_good(c, "ak-known", "%s has a certificate", text);
    else {
        checks_policy(c, "ak-known", false,
                      "nothing says that %s is the key of a TPM that you know: any program can make one (policy.aks)",
                      text);
        caveat(v, "ak-unbound", "the AK is bound to nothing: a simulated TPM, or any program, could have signed this");
    }
}

/* Which of the document's values the quote is over, and the register's banks among them. */
static void find_quoted(struct part *p) {
    const struct tpm_document *t = p->tpm;
    struct tpm_quote q;
    struct err e;
    if (!tpm_quote_parse(t->quote, &q, &e)) return; /* quote-format says so */
    for (size_t i = 0; i < t->bank_count; i++) {
        for (size_t k = 0; k < q.selection_count; k++)
            if (q.selections[k].alg == tpm2_alg(t->banks[i].alg)) p->quoted[i] = q.selections[k].pcrs;
        if (!(p->quoted[i] >> t->pcr & 1)) continue;
        p->banks[p->bank_count].alg = t->banks[i].alg;
        memcpy(p->banks[p->bank_count++].value, t->banks[i].pcrs[t->pcr], HASH_MAX);
    }
}

static void judge_tpm(struct verification *v, struct part *p) {
    const struct tpm_document *t = p->tpm;
    const struct evidence_document *d = v->document;
    p->a->nonce = view_of(d->nonce, d->nonce_size);
    p->a->signature = t->signature, p->a->ak = t->ak_public, p->a->pcrs = pcrs_text(t, p->a->arena);
    tpm_verify(p->a, t->quote);
    if (!d->nonce_size) checks_bad(&p->a->checks, "qualifying-data", "the evidence is over no nonce at all");
    judge_ak(v, p);
    p->tee = EVIDENCE_TPM;
    p->mr_index = t->pcr;
    find_quoted(p);
    p->log = t->eventlog, p->firmware_log = t->firmware_log;
    tpm_claims(p);
}

/* The TPM beside a CPU: its own checks under names that begin with "tpm-", and its log must tell of the same boot. */
static void judge_beside(struct verification *v) {
    struct arena *a = v->quote.arena;
    struct appraisal *own = arena_alloc(a, sizeof *own);
    struct replay *replay = arena_alloc(a, sizeof *replay);
    struct comparison *comparison = arena_alloc(a, sizeof *comparison);
    bool replayed = false, holds = false;
    if (!own || !replay || !comparison) return (void)checks_bad(&v->quote.checks, "tpm", "out of memory");
    own->arena = a, own->at = v->quote.at, own->given = v->quote.given;
    result_members_begin(&own->fields);
    struct part p = {
        .v = v, .a = own, .tpm = &v->document->tpm, .replay = replay, .replayed = &replayed, .register_holds = &holds};
    judge_tpm(v, &p);
    judge_log(&p);
    judge_firmware(&p);
    judge_reference(&p, comparison);
    bool same = v->replayed && replayed && replay->event_count == v->replay.event_count;
    for (size_t i = 0; same && i < replay->event_count; i++) same = view_eq(replay->events[i], v->replay.events[i]);
    if (same)
        checks_good(&own->checks, "events", "the same events as in the CPU's register");
    else
        checks_bad(&own->checks, "events", "its log tells of another boot than the CPU's");
    for (size_t i = 0; i < own->checks.count && i < CHECKS_MAX; i++) {
        struct checks *c = &v->quote.checks;
        char name[64];
        snprintf(name, sizeof name, "tpm-%s", own->checks.list[i].name);
        if (c->count < CHECKS_MAX) {
            c->list[c->count] = own->checks.list[i];
            c->list[c->count].name = arena_str(a, view_str(name));
        }
        c->count++;
    }
    if (own->checks.count > CHECKS_MAX) v->quote.checks.count = CHECKS_MAX + 1;
    result_open(&v->quote.fields, "tpm", '{');
    result_members(&v->quote.fields, &own->fields);
    result_close(&v->quote.fields, '}');
}

/* ---- claims and policy ---- */

static void judge_claims(struct verification *v) {
    const struct evidence_document *d = v->document;
    const struct replay *r = &v->replay;
    struct checks *c = &v->quote.checks;
    if (!v->replayed || !v->register_holds) return;
    if (r->stage == REPLAY_STARTED && view_eq(d->policy, r->policy)) /* what it says of the image is a plan */
        checks_good(c, "claims", "policy as in the log, which has no image yet");
    else if (!view_eq(d->manifest, r->manifest) || !view_eq(d->policy, r->policy) || !view_eq(d->image, r->image))
        checks_bad(c, "claims", "image, manifest or policy of the document are not those of the log: %.*s, %.*s, %.*s",
                   VIEW_ARG(view_first(r->image, 100)), VIEW_ARG(r->manifest), VIEW_ARG(r->policy));
    else
        checks_good(c, "claims", "image, manifest and policy as in the log");
}

static bool is_weak(const struct replay *r, const char *name) {
    for (struct view rest = r->weaknesses; rest.n;)
        if (view_is(view_cut(&rest, ' ', NULL), name)) return true;
    return false;
}

static void judge_policy(struct verification *v) {
    const struct reference *ref = v->reference;
    const struct replay *r = &v->replay;
    struct checks *c = &v->quote.checks;
    bool known = v->replayed && v->register_holds, own = v->comparison.own && !v->comparison.differs;
    if (!known) return;
    if (r->stage == REPLAY_STARTED)
        ; /* no image yet */
    else if (ref->images)
        checks_policy(c, "image", reference_lists(ref->images, r->manifest), "%.*s is %s of policy.images",
                      VIEW_ARG(r->manifest), reference_lists(ref->images, r->manifest) ? "one" : "none");
    else if (own)
        checks_good(c, "image", "%.*s, as the predicted register says", VIEW_ARG(r->manifest));
    else
        checks_missing(c, "image", true,
                       "neither policy.images nor a predicted register says which image is expected; this is %.*s",
                       VIEW_ARG(r->manifest));
    bool listed = reference_lists(ref->policies, r->policy);
    bool anybodys = r->named_by.n && is_weak(r, "kbs.allowHttp"); /* who answered by plain HTTP may be the host */
    if (ref->policies)
        checks_policy(c, "policy-digest", listed, "%.*s is %s of policy.policies", VIEW_ARG(r->policy),
                      listed ? "one" : "none");
    else if (v->release && (own || ((!r->initdata.n || v->comparison.initdata) && !anybodys)))
        checks_good(c, "policy-digest", "%.*s, %s", VIEW_ARG(r->policy),
                    own             ? "as the predicted register says"
                    : r->named_by.n ? "out of the KBS that the measured policy names"
                    : r->initdata.n ? "in the initdata that the reference knows"
                                    : "which came with the initramfs");
    else if (v->release)
        checks_missing(c, "policy-digest", true,
                       "the policy %.*s may have come by %s, and neither policy.policies nor a predicted value says "
                       "that it is the expected one",
                       VIEW_ARG(r->policy), anybodys ? "anybody's KBS (kbs.allowHttp)" : "initdata");
    struct view unknown = {0};
    for (struct view rest = r->weaknesses, one; rest.n && !unknown.n;)
        if (one = view_cut(&rest, ' ', NULL), !reference_lists(ref->weaknesses, one)) unknown = one;
    if (own || listed) unknown.n = 0; /* this very policy is expected */
    if (r->weaknesses.n)
        checks_policy(c, "weaknesses", !unknown.n, "the measured policy allows %.*s%s",
                      VIEW_ARG(view_first(unknown.n ? unknown : r->weaknesses, 200)),
                      unknown.n ? " (policy.weaknesses)" : ", which you know");
    if (ref->minimum_agent.n) {
        struct view version = view_skip(r->agent, view_starts(r->agent, VIEW("plinth ")) ? 7 : r->agent.n);
        checks_policy(c, "agent-version", reference_version_at_least(version, ref->minimum_agent),
                      "'%.*s', at least %.*s is wanted", VIEW_ARG(view_first(r->agent, 64)),
                      VIEW_ARG(view_first(ref->minimum_agent, 32)));
    }
}

/* Another agent than Plinth: nothing says which image, unless what is bound at launch, or RTMR3, is the expected one.
 */
static void judge_foreign(struct verification *v, const struct part *p) {
    struct checks *c = &v->quote.checks;
    const struct comparison *r = &v->comparison;
    struct view bound = {0};
    for (size_t i = 0; i < p->claims.count; i++)
        if (binds_initdata(p, &p->claims.list[i])) bound = p->claims.list[i].value;
    if (v->reference->images || v->reference->policies)
        checks_missing(c, "image", true,
                       "it is no Plinth agent's evidence: nothing in it is of policy.images or policy.policies");
    else if (r->own && !r->differs)
        checks_good(c, "image", "RTMR3 is as predicted");
    else if (r->initdata && !r->differs && !all_zero(bound))
        checks_good(c, "image", "what the initdata says, whose digest is the expected one");
    else
        checks_missing(c, "image", true,
                       "the reference knows neither RTMR3 nor what binds the initdata: nothing says what runs there");
}

void verify_evidence(struct verification *v) {
    const struct evidence_document *d = v->document;
    struct part p = {.v = v,
                     .a = &v->quote,
                     .leads = true,
                     .tee = d->tee,
                     .replay = &v->replay,
                     .replayed = &v->replayed,
                     .register_holds = &v->register_holds};
    judge_nonce(v);
    if (d->tee == EVIDENCE_TPM)
        p.tpm = &d->tpm, judge_tpm(v, &p);
    else
        judge_cpu(v, &p);
    if (!d->foreign) judge_log(&p);
    judge_firmware(&p);
    judge_claims(v);
    judge_reference(&p, &v->comparison);
    if (d->foreign)
        judge_foreign(v, &p);
    else
        judge_policy(v);
    if (d->has_tpm && d->tee != EVIDENCE_TPM) judge_beside(v);
}

/* ---- what is told ---- */

static void put(struct result *out, const char *name, struct view text) {
    char buffer[EVENT_TEXT_MAX + 1];
    result_text(out, name, text.n && view_to_str(text, buffer, sizeof buffer) ? buffer : NULL);
}

static bool proof_fails(const struct checks *c) {
    for (size_t i = 0; i < c->count && i < CHECKS_MAX; i++)
        if (c->list[i].state == CHECK_BAD && !c->list[i].policy && strcmp(c->list[i].name, "reference-values"))
            return true;
    return false;
}

/* Whether the log is more than somebody's word: it replays to a register, and every proof holds that leads there. */
static bool believed(const struct verification *v) {
    return v->replayed && v->register_holds && !proof_fails(&v->quote.checks);
}

static void put_log(const struct verification *v, struct result *out) {
    static const struct replay none;
    const struct replay *r = believed(v) ? &v->replay : &none;
    put(out, "agent", r->agent);
    put(out, "initdata", r->initdata);
    put(out, "image", r->image);
    put(out, "manifest", r->manifest);
    put(out, "index", r->index);
    put(out, "config", r->config);
    result_open(out, "layers", '[');
    for (size_t i = 0; i < r->layer_count; i++) {
        result_open(out, NULL, '{');
        put(out, "digest", r->layers[i].digest);
        put(out, "diffID", r->layers[i].diff_id);
        result_close(out, '}');
    }
    result_close(out, ']');
    put(out, "policy", r->policy);
    result_open(out, "weaknesses", '[');
    for (struct view rest = r->weaknesses, one; rest.n;) one = view_cut(&rest, ' ', NULL), put(out, NULL, one);
    result_close(out, ']');
    put(out, "process", r->process);
    put(out, "user", r->user);
    result_number(out, "workload_events", r != &none, r->workload_count);
    result_open(out, "register", '{');
    for (size_t i = 0; i < r->bank_count; i++)
        result_hex(out, hash_name(r->banks[i].alg), view_of(r->banks[i].value, hash_size(r->banks[i].alg)));
    result_close(out, '}');
}

/* Values of draft-ietf-rats-ar4si. */
enum { AFFIRMING = 2, APPROVED_BOOT = 3, UNSAFE_HARDWARE = 32, UNRECOGNIZED_RUNTIME = 33, CRYPTO_FAILED = 99 };

static bool any_allowed(const struct checks *c) {
    for (size_t i = 0; i < c->count && i < CHECKS_MAX; i++)
        if (c->list[i].allowed) return true;
    return false;
}

static const char *ear_status(const struct verification *v, const struct err *verdict) {
    if (verdict->kind != ERR_NONE) return "contraindicated";
    return v->caveat_count || any_allowed(&v->quote.checks) ? "warning" : "affirming";
}

static void put_vector(const struct verification *v, const struct err *verdict, struct result *out) {
    const struct checks *c = &v->quote.checks;
    bool cpu = v->document->tee != EVIDENCE_TPM, vendor = cpu && !v->quote.trust.count;
    /* Nothing is affirmed that only a simulation, or a key of nobody's, says. */
    bool accepted = verdict->kind == ERR_NONE && (vendor || (!cpu && checks_hold(c, "ak-known")));
    result_open(out, "ear.trustworthiness-vector", '{');
    if (!cpu && accepted && checks_hold(c, "ak-known")) result_number(out, "instance-identity", true, AFFIRMING);
    if (checks_hold(c, "image") && accepted && (v->comparison.own || checks_hold(c, "policy-digest")))
        result_number(out, "configuration", true, AFFIRMING);
    if (v->comparison.differs)
        result_number(out, "executables", true, UNRECOGNIZED_RUNTIME);
    else if (accepted && checks_hold(c, "reference-values") && v->comparison.covered)
        result_number(out, "executables", true, APPROVED_BOOT);
    if (accepted && checks_hold(c, "image")) result_number(out, "file-system", true, AFFIRMING);
    if (proof_fails(c))
        result_number(out, "hardware", true, CRYPTO_FAILED);
    else if (accepted && vendor) {
        bool current =
            v->document->tee == EVIDENCE_SNP || (v->quote.tcb_status && !strcmp(v->quote.tcb_status, "UpToDate"));
        result_number(out, "hardware", true, current && !any_allowed(c) ? AFFIRMING : UNSAFE_HARDWARE);
    }
    if (accepted && vendor && !any_allowed(c)) result_number(out, "runtime-opaque", true, AFFIRMING);
    result_close(out, '}');
}

void verify_write_submod(const struct verification *v, const struct err *verdict, const char *name,
                         struct result *out) {
    char policy[7 + 64 + 1] = "sha256:";
    struct writer w = writer_of(policy + 7, 64);
    write_hex(&w, view_of(v->reference->sha256, 32));
    result_open(out, name, '{');
    result_text(out, "ear.status", ear_status(v, verdict));
    put_vector(v, verdict, out);
    result_text(out, "ear.appraisal-policy-id", policy);
    result_close(out, '}');
}

static void put_ear(const struct verification *v, const struct err *verdict, struct result *out) {
    char build[64];
    snprintf(build, sizeof build, "plinth %s", plinth_version);
    result_open(out, "ear", '{');
    result_text(out, "eat_profile", "tag:github.com,2023:veraison/ear");
    result_number(out, "iat", v->quote.at >= 0, (uint64_t)v->quote.at);
    result_open(out, "ear.verifier-id", '{');
    result_text(out, "developer", "plinth");
    result_text(out, "build", build);
    result_close(out, '}');
    result_open(out, "submods", '{');
    verify_write_submod(v, verdict, evidence_tee_name(v->document->tee), out);
    result_close(out, '}');
    result_close(out, '}');
}

void verify_write(const struct verification *v, const struct err *verdict, struct result *out) {
    const struct evidence_document *d = v->document;
    result_text(out, "tee", evidence_tee_name(d->tee));
    put_log(v, out);
    result_open(out, "reference", '{');
    result_hex(out, "sha256", view_of(v->reference->sha256, 32));
    result_text(out, "set", v->comparison.set ? v->comparison.set->name : NULL);
    result_text(out, "not_compared", v->comparison.set ? v->comparison.silent_text : NULL);
    result_close(out, '}');
    result_open(out, "caveats", '[');
    for (size_t i = 0; i < v->caveat_count; i++) result_text(out, NULL, v->caveats[i]);
    result_close(out, ']');
    if (d->unknown[0]) result_text(out, "not_understood", d->unknown);
    put_ear(v, verdict, out);
    result_open(out, "quote", '{');
    result_members(out, &v->quote.fields);
    result_close(out, '}');
}

static void line(const char *name, struct view text) {
    if (text.n) printf("%-10s %.*s\n", name, VIEW_ARG(text));
}

void verify_print(const struct verification *v, const struct err *verdict) {
    const struct replay *r = &v->replay;
    checks_print(&v->quote.checks);
    printf("\n");
    if (believed(v)) {
        line("image", r->image);
        line("manifest", r->manifest);
        line("config", r->config);
        for (size_t i = 0; i < r->layer_count; i++) line("layer", r->layers[i].digest);
        line("policy", r->policy);
        line("weaknesses", r->weaknesses);
    }
    if (v->document->unknown[0])
        printf("%-10s %s: members of the document that were not looked at\n", "unknown", v->document->unknown);
    for (size_t i = 0; i < v->caveat_count; i++) printf("%-10s %s\n", "caveat", v->caveats[i]);
    printf("%-10s %s%s\n", "verdict", verdict_name(verdict),
           verdict->kind != ERR_NONE ? ""
           : v->caveat_count         ? ", with the caveats above"
                                     : "");
}
