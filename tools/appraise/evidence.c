/* see evidence.h */
#include "tools/appraise/evidence.h"

#include "base/codec.h"
#include "base/limits.h"
#include "format/json.h"

#include <stdio.h>

#define QUOTE_MAX (1u << 20) /* with a platform manifest instead of certificates */
#define TPM_BLOB_MAX 4096u   /* quote, signature, AK: of one TPM response */
#define ENDORSEMENT_MAX (16u << 10)

static const char *const tees[] = {"tpm", "tdx", "snp"};
const char *evidence_tee_name(enum evidence_tee tee) { return tees[tee]; }

static const char *const common[] = {"plinth", "tee", "nonce", "image", "manifest", "policy", NULL};
static const char *const of_tpm[] = {"quote", "signature", "ak_public", "ak_public_pem", "ek_certificate",
                                     "pcrs",  "register",  "eventlog",  "firmware_log",  NULL};
static const char *const of_cpu[] = {"quote",    "report",   "certificates", "report_data", "preimage",
                                     "register", "eventlog", "firmware_log", "tpm",         NULL};

static bool among(const char *const *names, struct view name) {
    for (; *names; names++)
        if (view_is(name, *names)) return true;
    return false;
}

/* The names that nobody here knows, as text for a message: whatever is not plain reads "?". */
static void note_unknown(const json *object, const char *const *own, const char *const *also, char *out, size_t size) {
    size_t n = strlen(out);
    for (struct json_iter it = json_each(object); json_next(&it);) {
        if (among(own, it.name) || (also && among(also, it.name))) continue;
        for (size_t i = 0; n && i < 2 && n + 1 < size; i++) out[n++] = ", "[i];
        for (size_t i = 0; i < it.name.n && n + 1 < size; i++)
            out[n++] = (char)(it.name.p[i] > 0x20 && it.name.p[i] < 0x7f ? it.name.p[i] : '?');
    }
    out[n] = 0;
}

/* A member that may be absent or "" unless `need`. */
static bool bytes(const json *o, const char *name, bool need, size_t max, struct arena *a, struct view *out,
                  struct err *e) {
    struct view text;
    size_t n;
    *out = (struct view){0};
    if (!json_get(o, name) && !need) return true;
    if (!json_need_text(o, name, "evidence", &text, e)) return false;
    if (text.n > max / 3 * 4 + 4)
        return err_set(e, ERR_FORMAT, "evidence: %s has %zu characters, %zu bytes is the most", name, text.n, max);
    uint8_t *p = arena_alloc(a, text.n + 1);
    if (!p) return arena_full(a, e);
    if (!base64_decode(text, p, text.n, &n)) return err_set(e, ERR_FORMAT, "evidence: %s is no base64", name);
    if (need && !n) return err_set(e, ERR_FORMAT, "evidence: %s is empty", name);
    *out = view_of(p, n);
    return true;
}

static bool hex(const json *o, const char *name, const char *where, uint8_t *out, size_t n, struct err *e) {
    struct view text;
    return json_need_text(o, name, where, &text, e) &&
           (hex_decode(text, out, n) ||
            err_set(e, ERR_FORMAT, "%s: %s is not %zu lower-case hex digits", where, name, 2 * n));
}

static bool logs(const json *o, struct arena *a, struct view *own, struct view *firmware, struct err *e) {
    return bytes(o, "eventlog", true, EVENTLOG_MAX, a, own, e) &&
           bytes(o, "firmware_log", false, FIRMWARE_LOG_MAX, a, firmware, e);
}

static bool text(const json *o, const char *name, struct view *out, struct err *e) {
    return json_need_text(o, name, "evidence", out, e);
}

/* ---- a TPM's part ---- */

static bool read_bank(const json *values, enum hash_alg alg, struct evidence_bank *out, struct err *e) {
    if (json_count(values) != EVIDENCE_PCRS)
        return err_set(e, ERR_FORMAT, "evidence: pcrs.%s has %zu values, %u are wanted", hash_name(alg),
                       json_count(values), EVIDENCE_PCRS);
    out->alg = alg;
    for (unsigned i = 0; i < EVIDENCE_PCRS; i++) {
        char name[12];
        snprintf(name, sizeof name, "%u", i);
        if (!hex(values, name, "evidence: pcrs", out->pcrs[i], hash_size(alg), e)) return false;
    }
    return true;
}

static bool read_pcrs(const json *o, struct tpm_document *t, struct err *e) {
    const json *pcrs, *values;
    if (!json_need_object(o, "pcrs", "evidence", &pcrs, e)) return false;
    for (enum hash_alg alg = HASH_SHA256; alg <= HASH_SHA512; alg++)
        if ((values = json_get(pcrs, hash_name(alg))) && !read_bank(values, alg, &t->banks[t->bank_count++], e))
            return false;
    return (t->bank_count && t->bank_count == json_count(pcrs)) ||
           err_set(e, ERR_FORMAT, "evidence: pcrs: banks are sha256, sha384 and sha512, at least one");
}

/* {"pcr":15,"sha256":hex,..}: the same banks, the same values. */
static bool read_register(const json *o, struct tpm_document *t, struct err *e) {
    const json *reg;
    uint64_t pcr;
    if (!json_need_object(o, "register", "evidence", &reg, e) ||
        !json_need_u64(reg, "pcr", "evidence: register", &pcr, e))
        return false;
    if (pcr >= EVIDENCE_PCRS) return err_set(e, ERR_FORMAT, "evidence: register.pcr is %llu", (unsigned long long)pcr);
    t->pcr = (unsigned)pcr;
    if (json_count(reg) != 1 + t->bank_count)
        return err_set(e, ERR_FORMAT, "evidence: register has not the banks of pcrs");
    for (size_t i = 0; i < t->bank_count; i++) {
        uint8_t value[HASH_MAX];
        size_t n = hash_size(t->banks[i].alg);
        if (!hex(reg, hash_name(t->banks[i].alg), "evidence: register", value, n, e)) return false;
        if (memcmp(value, t->banks[i].pcrs[pcr], n))
            return err_set(e, ERR_FORMAT, "evidence: register.%s is not pcrs.%s.%u", hash_name(t->banks[i].alg),
                           hash_name(t->banks[i].alg), t->pcr);
    }
    return true;
}

static bool read_tpm(const json *o, struct arena *a, struct tpm_document *t, struct err *e) {
    return bytes(o, "quote", true, TPM_BLOB_MAX, a, &t->quote, e) &&
           bytes(o, "signature", true, TPM_BLOB_MAX, a, &t->signature, e) &&
           bytes(o, "ak_public", true, TPM_BLOB_MAX, a, &t->ak_public, e) &&
           text(o, "ak_public_pem", &t->ak_public_pem, e) &&
           bytes(o, "ek_certificate", false, ENDORSEMENT_MAX, a, &t->ek_certificate, e) && read_pcrs(o, t, e) &&
           read_register(o, t, e) && logs(o, a, &t->eventlog, &t->firmware_log, e);
}

/* ---- a CPU's part ---- */

static bool read_cpu(const json *o, struct arena *a, struct evidence_document *d, struct err *e) {
    const json *reg;
    struct view by;
    uint64_t rtmr;
    bool tdx = d->tee == EVIDENCE_TDX;
    if (!bytes(o, tdx ? "quote" : "report", true, QUOTE_MAX, a, &d->quote, e) ||
        (!tdx && !bytes(o, "certificates", false, QUOTE_MAX, a, &d->certificates, e)) ||
        !hex(o, "report_data", "evidence", d->report_data, sizeof d->report_data, e) ||
        !text(o, "preimage", &d->preimage, e) || !json_need_object(o, "register", "evidence", &reg, e) ||
        !hex(reg, "sha384", "evidence: register", d->value, 48, e) || !logs(o, a, &d->eventlog, &d->firmware_log, e))
        return false;
    bool known = tdx ? json_u64(json_get(reg, "rtmr"), &rtmr) && rtmr == 3
                     : (by = json_text(json_get(reg, "kept_by")), view_is(by, "monitor"));
    return (known && json_count(reg) == 2) ||
           err_set(e, ERR_FORMAT, "evidence: register: {%s, \"sha384\": ...} is wanted",
                   tdx ? "\"rtmr\": 3" : "\"kept_by\": \"monitor\"");
}

static bool read_tee(const json *o, enum evidence_tee *tee, struct err *e) {
    struct view name;
    if (!text(o, "tee", &name, e)) return false;
    for (size_t i = 0; i < sizeof tees / sizeof *tees; i++)
        if (view_is(name, tees[i])) return *tee = (enum evidence_tee)i, true;
    return err_set(e, ERR_FORMAT, "evidence: tee is '%.*s', known are tpm, tdx, snp", VIEW_ARG(view_first(name, 32)));
}

bool evidence_read(struct view bytes_, struct arena *a, struct evidence_document *out, struct err *e) {
    const json *o;
    if (bytes_.n > EVIDENCE_FILE_MAX)
        return err_set(e, ERR_FORMAT, "evidence of %zu bytes, %u is the most", bytes_.n, EVIDENCE_FILE_MAX);
    return json_parse(bytes_, a, &o, e) ? evidence_take(o, a, out, e) : err_in(e, "evidence");
}

bool evidence_take(const json *o, struct arena *a, struct evidence_document *out, struct err *e) {
    struct evidence_document *d = arena_alloc(a, sizeof *d);
    const json *tpm;
    struct view nonce;
    if (!d) return arena_full(a, e);
    if (!json_is_object(o)) return err_set(e, ERR_FORMAT, "evidence: a JSON object is wanted");
    if (!read_tee(o, &d->tee, e) || !text(o, "plinth", &d->version, e) || !text(o, "nonce", &nonce, e) ||
        !text(o, "image", &d->image, e) || !text(o, "manifest", &d->manifest, e) || !text(o, "policy", &d->policy, e))
        return false;
    d->nonce_size = nonce.n / 2;
    if (nonce.n % 2 || d->nonce_size > EVIDENCE_NONCE_MAX || !hex_decode(nonce, d->nonce, d->nonce_size))
        return err_set(e, ERR_FORMAT, "evidence: nonce is not up to %u bytes in lower-case hex", EVIDENCE_NONCE_MAX);
    if (d->tee == EVIDENCE_TPM) {
        d->has_tpm = true;
        if (!read_tpm(o, a, &d->tpm, e)) return false;
        note_unknown(o, common, of_tpm, d->unknown, sizeof d->unknown);
    } else {
        if (!read_cpu(o, a, d, e)) return false;
        note_unknown(o, common, of_cpu, d->unknown, sizeof d->unknown);
        if ((tpm = json_get(o, "tpm"))) {
            d->has_tpm = true;
            if (!json_need_object(o, "tpm", "evidence", &tpm, e) ||
                (!read_tpm(tpm, a, &d->tpm, e) && !err_in(e, "tpm")))
                return false;
            note_unknown(tpm, of_tpm, NULL, d->unknown, sizeof d->unknown);
        }
    }
    *out = *d;
    return true;
}

const struct evidence_bank *evidence_bank(const struct tpm_document *t, enum hash_alg alg) {
    for (size_t i = 0; i < t->bank_count; i++)
        if (t->banks[i].alg == alg) return &t->banks[i];
    return NULL;
}

void evidence_expected_preimage(const struct evidence_document *d, struct writer *out) {
    const struct evidence_tpm beside = {.ak_public = d->tpm.ak_public};
    struct evidence ev = {.tee = view_str(evidence_tee_name(d->tee)), .nonce = view_of(d->nonce, d->nonce_size),
                          .tpm = d->has_tpm ? &beside : NULL};
    memcpy(ev.value, d->value, sizeof ev.value);
    evidence_preimage(&ev, out);
}
