/* see foreign.h */
#include "tools/appraise/foreign.h"

#include "base/codec.h"
#include "base/limits.h"
#include "format/json.h"

#define SNP_REPORT_SIZE 1184u
#define QUOTE_MAX (1u << 20)
#define CERTIFICATE_SIZE_MAX (16u << 10)

/* ---- TDX ---- */

static bool decoded(const json *o, const char *name, size_t max, struct arena *a, struct view *out, struct err *e) {
    struct view text;
    size_t n;
    if (!json_need_text(o, name, "evidence", &text, e)) return false;
    if (text.n > max / 3 * 4 + 4)
        return err_set(e, ERR_FORMAT, "evidence: %s has %zu characters, %zu bytes is the most", name, text.n, max);
    uint8_t *p = arena_alloc(a, text.n + 1);
    if (!p) return arena_full(a, e);
    if (!base64_decode(text, p, text.n, &n) || !n) return err_set(e, ERR_FORMAT, "evidence: %s is no base64", name);
    *out = view_of(p, n);
    return true;
}

static bool read_tdx(const json *o, struct arena *a, struct evidence_document *d, struct err *e) {
    const json *log = json_get(o, "cc_eventlog");
    d->tee = EVIDENCE_TDX;
    return decoded(o, "quote", QUOTE_MAX, a, &d->quote, e) &&
           (!log || json_is_null(log) ||
            decoded(o, "cc_eventlog", FIRMWARE_LOG_MAX + EVENTLOG_MAX, a, &d->firmware_log, e));
}

/* ---- SNP: AMD 56860, table 23, by the names of the sev crate ---- */

enum form { NUMBER, BYTES, TCB, VERSION };
static const struct {
    const char *name;
    uint16_t offset;
    uint8_t form, size;
    bool optional; /* null where the report's version has it not: then zero */
} fields[] = {{"version", 0, NUMBER, 4, false},
              {"guest_svn", 4, NUMBER, 4, false},
              {"policy", 8, NUMBER, 8, false},
              {"family_id", 0x10, BYTES, 16, false},
              {"image_id", 0x20, BYTES, 16, false},
              {"vmpl", 0x30, NUMBER, 4, false},
              {"sig_algo", 0x34, NUMBER, 4, false},
              {"current_tcb", 0x38, TCB, 8, false},
              {"plat_info", 0x40, NUMBER, 8, false},
              {"key_info", 0x48, NUMBER, 4, false},
              {"report_data", 0x50, BYTES, 64, false},
              {"measurement", 0x90, BYTES, 48, false},
              {"host_data", 0xc0, BYTES, 32, false},
              {"id_key_digest", 0xe0, BYTES, 48, false},
              {"author_key_digest", 0x110, BYTES, 48, false},
              {"report_id", 0x140, BYTES, 32, false},
              {"report_id_ma", 0x160, BYTES, 32, false},
              {"reported_tcb", 0x180, TCB, 8, false},
              {"cpuid_fam_id", 0x188, NUMBER, 1, true},
              {"cpuid_mod_id", 0x189, NUMBER, 1, true},
              {"cpuid_step", 0x18a, NUMBER, 1, true},
              {"chip_id", 0x1a0, BYTES, 64, false},
              {"committed_tcb", 0x1e0, TCB, 8, false},
              {"current", 0x1e8, VERSION, 3, false},
              {"committed", 0x1ec, VERSION, 3, false},
              {"launch_tcb", 0x1f0, TCB, 8, false},
              {"launch_mit_vector", 0x1f8, NUMBER, 8, true},
              {"current_mit_vector", 0x200, NUMBER, 8, true}};

static bool number(const json *v, size_t size, uint8_t *out, struct err *e) {
    uint64_t x;
    if (!json_u64(v, &x) || (size < 8 && x >> 8 * size))
        return err_set(e, ERR_FORMAT, "a number of %zu bytes is wanted", size);
    for (size_t i = 0; i < size; i++) out[i] = (uint8_t)(x >> 8 * i);
    return true;
}

static bool bytes(const json *v, size_t size, uint8_t *out, struct err *e) {
    if (!json_is_array(v) || json_count(v) != size)
        return err_set(e, ERR_FORMAT, "an array of %zu bytes is wanted", size);
    for (struct json_iter it = json_each(v); json_next(&it); out++)
        if (!number(it.value, 1, out, e)) return false;
    return true;
}

/* Turin has an FMC in front and the SNP firmware beside; before it, fmc is null. */
static bool tcb(const json *v, uint8_t *out, struct err *e) {
    const json *fmc = json_get(v, "fmc");
    bool turin = fmc && !json_is_null(fmc);
    return (!turin || number(fmc, 1, out, e)) && number(json_get(v, "bootloader"), 1, out + (turin ? 1 : 0), e) &&
           number(json_get(v, "tee"), 1, out + (turin ? 2 : 1), e) &&
           number(json_get(v, "snp"), 1, out + (turin ? 3 : 6), e) && number(json_get(v, "microcode"), 1, out + 7, e);
}

static bool version(const json *v, uint8_t *out, struct err *e) {
    return number(json_get(v, "build"), 1, out, e) && number(json_get(v, "minor"), 1, out + 1, e) &&
           number(json_get(v, "major"), 1, out + 2, e);
}

static bool read_report(const json *o, uint8_t *out, struct err *e) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json *v = json_get(o, fields[i].name);
        uint8_t *at = out + fields[i].offset;
        if (fields[i].optional && (!v || json_is_null(v))) continue;
        bool ok = fields[i].form == NUMBER  ? number(v, fields[i].size, at, e)
                  : fields[i].form == BYTES ? bytes(v, fields[i].size, at, e)
                  : fields[i].form == TCB   ? tcb(v, at, e)
                                            : version(v, at, e);
        if (!ok) return err_in(e, "evidence: attestation_report.%s", fields[i].name);
    }
    const json *signature = json_get(o, "signature");
    return (bytes(json_get(signature, "r"), 72, out + 0x2a0, e) &&
            bytes(json_get(signature, "s"), 72, out + 0x2e8, e)) ||
           err_in(e, "evidence: attestation_report.signature");
}

static bool read_chain(const json *chain, struct arena *a, struct evidence_document *d, struct err *e) {
    if (!chain || json_is_null(chain)) return true;
    if (!json_is_array(chain)) return err_set(e, ERR_FORMAT, "evidence: cert_chain: an array is wanted");
    for (struct json_iter it = json_each(chain); json_next(&it);) {
        const json *kind = json_get(it.value, "cert_type"), *content = json_get(it.value, "data");
        size_t n = json_count(content);
        if (!json_is_string(kind) || view_is(json_text(kind), "Empty")) continue; /* a GUID of somebody's */
        if (!n || n > CERTIFICATE_SIZE_MAX)
            return err_set(e, ERR_FORMAT, "evidence: cert_chain: a certificate of %zu bytes", n);
        if (d->chain_count == EVIDENCE_CHAIN_MAX)
            return err_set(e, ERR_FORMAT, "evidence: cert_chain: more than %u certificates", EVIDENCE_CHAIN_MAX);
        uint8_t *p = arena_alloc(a, n);
        if (!p) return arena_full(a, e);
        if (!bytes(content, n, p, e)) return err_in(e, "evidence: cert_chain");
        d->chain[d->chain_count++] = view_of(p, n);
    }
    return true;
}

static bool read_snp(const json *o, struct arena *a, struct evidence_document *d, struct err *e) {
    uint8_t *report = arena_alloc(a, SNP_REPORT_SIZE);
    if (!report) return arena_full(a, e);
    d->tee = EVIDENCE_SNP;
    d->quote = view_of(report, SNP_REPORT_SIZE);
    return read_report(json_get(o, "attestation_report"), report, e) && read_chain(json_get(o, "cert_chain"), a, d, e);
}

bool foreign_take(const json *o, struct arena *a, struct evidence_document *out, struct err *e) {
    struct evidence_document *d = arena_alloc(a, sizeof *d);
    if (!d) return arena_full(a, e);
    d->foreign = true;
    if (json_is_object(json_get(o, "attestation_report"))) {
        if (!read_snp(o, a, d, e)) return false;
    } else if (json_is_string(json_get(o, "quote")) && !json_get(o, "plinth")) {
        if (!read_tdx(o, a, d, e)) return false;
    } else {
        return err_set(e, ERR_FORMAT, "evidence: neither a Plinth document nor Trustee's tdx or snp");
    }
    *out = *d;
    return true;
}
