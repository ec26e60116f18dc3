/* see snp.h */
#include "tools/appraise/snp.h"

#include "base/codec.h"
#include "base/reader.h"
#include "tools/appraise/amd_certs.h"
#include "tools/appraise/fields.h"
#include "tools/appraise/hcl.h"
#include "tools/appraise/key.h"
#include "tools/appraise/moment.h"

#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>

#define REPORT_SIZE 1184u
#define SIGNED_SIZE 0x2a0u
#define AMD_ARC "1.3.6.1.4.1.3704.1."
/* POLICY */
#define POLICY_ONE (1ull << 17)
#define POLICY_MIGRATE_MA (1ull << 18)
#define POLICY_DEBUG (1ull << 19)
#define POLICY_ZERO (~0ull << 26)
/* PLATFORM_INFO */
#define PLATFORM_ALIAS_CHECK (1u << 5)
#define PLATFORM_ZERO (~0xbfull)
/* SIGNER_INFO */
#define SIGNER_MASKED 2u
enum { KEY_VCEK = 0, KEY_VLEK = 1, KEY_NONE = 7 };

static const struct field report_fields[] = {
    {"version", 0, 4, FIELD_LE},
    {"guest_svn", 4, 4, FIELD_LE},
    {"policy", 8, 8, FIELD_HEX},
    {"family_id", 0x10, 16, FIELD_HEX},
    {"image_id", 0x20, 16, FIELD_HEX},
    {"vmpl", 0x30, 4, FIELD_LE},
    {"signature_algo", 0x34, 4, FIELD_LE},
    {"current_tcb", 0x38, 8, FIELD_HEX},
    {"platform_info", 0x40, 8, FIELD_HEX},
    {"signer_info", 0x48, 4, FIELD_HEX},
    {"report_data", 0x50, 64, FIELD_HEX},
    {"measurement", 0x90, 48, FIELD_HEX},
    {"host_data", 0xc0, 32, FIELD_HEX},
    {"id_key_digest", 0xe0, 48, FIELD_HEX},
    {"author_key_digest", 0x110, 48, FIELD_HEX},
    {"report_id", 0x140, 32, FIELD_HEX},
    {"report_id_ma", 0x160, 32, FIELD_HEX},
    {"reported_tcb", 0x180, 8, FIELD_HEX},
    {"cpuid_fam_id", 0x188, 1, FIELD_LE},
    {"cpuid_mod_id", 0x189, 1, FIELD_LE},
    {"cpuid_step", 0x18a, 1, FIELD_LE},
    {"chip_id", 0x1a0, 64, FIELD_HEX},
    {"committed_tcb", 0x1e0, 8, FIELD_HEX},
    {"current_build", 0x1e8, 1, FIELD_LE},
    {"current_minor", 0x1e9, 1, FIELD_LE},
    {"current_major", 0x1ea, 1, FIELD_LE},
    {"committed_build", 0x1ec, 1, FIELD_LE},
    {"committed_minor", 0x1ed, 1, FIELD_LE},
    {"committed_major", 0x1ee, 1, FIELD_LE},
    {"launch_tcb", 0x1f0, 8, FIELD_HEX},
    {"launch_mit_vector", 0x1f8, 8, FIELD_LE},
    {"current_mit_vector", 0x200, 8, FIELD_LE},
    {"signature_r", 0x2a0, 72, FIELD_HEX},
    {"signature_s", 0x2e8, 72, FIELD_HEX},
    {0},
};

/* What must be zero; `before`: only in versions below. */
static const struct {
    uint16_t from, to;
    uint32_t before;
} zeroes[] = {
    {0x04c, 0x050, 6}, {0x188, 0x18b, 3}, {0x18b, 0x1a0, 6}, {0x1eb, 0x1ec, 6}, {0x1ef, 0x1f0, 6}, {0x1f8, 0x208, 5},
    {0x208, 0x2a0, 6}, {0x2d0, 0x2e8, 6}, {0x318, 0x330, 6}, {0x330, 0x4a0, 6}, /* R, S: 48 bytes of 72; behind them */
};

/* Bytes of a TCB version, and the certificate's extension 3.N for each. 0: reserved, zero. */
static const struct {
    const char *name;
    uint8_t arc;
} tcb_parts[2][8] = {
    {{"blSPL", 1}, {"teeSPL", 2}, {"SPL4", 4}, {"SPL5", 5}, {"SPL6", 6}, {"SPL7", 7}, {"snpSPL", 3}, {"ucodeSPL", 8}},
    {{"fmcSPL", 9}, {"blSPL", 1}, {"teeSPL", 2}, {"snpSPL", 3}, {"SPL5", 5}, {"SPL6", 6}, {"SPL7", 7}, {"ucodeSPL", 8}},
};

struct run {
    struct appraisal *a;
    char at[MOMENT_TEXT];
    struct view report;
    uint8_t r_s[96];
    uint32_t version;
    unsigned signing_key;
    unsigned line;   /* AMD_LINES: not known */
    struct pool own; /* AMD's CAs of this line */
    struct anchors trust;
    struct chain chain;
    const struct anchor *anchor;
    X509 *vek;
    bool vek_read;
    uint8_t vek_tcb[8];
    struct view hwid, csp_id;
};

/* commonName of the certificate that SIGNER_INFO names; and its kind alone. */
static const char *vek_name(const struct run *r) { return r->signing_key == KEY_VLEK ? "SEV-VLEK" : "SEV-VCEK"; }
static const char *kind(const struct run *r) { return vek_name(r) + 4; }

static struct view part(const struct run *r, size_t at, size_t n) { return view_first(view_skip(r->report, at), n); }

static uint64_t number(const struct run *r, size_t at, size_t n) {
    struct reader in = reader_of(part(r, at, n));
    return n == 8 ? read_le64(&in) : n == 4 ? read_le32(&in) : read_u8(&in);
}

static const char *hex(struct view v, char out[static 160]) {
    struct writer w = writer_of(out, 160);
    write_hex(&w, v);
    return writer_str(&w);
}

/* ---- the report ---- */

static bool parse(struct run *r, struct view bytes, struct hcl *hcl, struct err *e) {
    if (hcl_is(bytes)) {
        if (!hcl_parse(bytes, hcl, e)) return false;
        if (hcl->type != HCL_SNP)
            return err_set(e, ERR_FORMAT, "HCL report of a TDX machine: it holds a TDREPORT, not an SNP report");
        bytes = hcl->report;
    }
    r->report = bytes;
    r->version = (uint32_t)number(r, 0, 4);
    if (bytes.n != REPORT_SIZE) return err_set(e, ERR_FORMAT, "%zu bytes, an SNP report has %u", bytes.n, REPORT_SIZE);
    if (r->version < 2 || r->version > 5) return err_set(e, ERR_FORMAT, "version %u; 2 to 5 are known", r->version);
    if (number(r, 0x34, 4) != 1)
        return err_set(e, ERR_FORMAT, "SIGNATURE_ALGO is %u, not 1 (ECDSA P-384 with SHA-384)",
                       (unsigned)number(r, 0x34, 4));
    for (size_t i = 0; i < sizeof zeroes / sizeof *zeroes; i++)
        if (r->version < zeroes[i].before && !fields_zero(part(r, zeroes[i].from, zeroes[i].to - zeroes[i].from)))
            return err_set(e, ERR_FORMAT, "bytes %#x to %#x are not zero, as version %u has them", zeroes[i].from,
                           zeroes[i].to - 1u, r->version);
    uint32_t signer = (uint32_t)number(r, 0x48, 4);
    r->signing_key = signer >> 2 & 7;
    if (signer >> 5 || (r->signing_key > KEY_VLEK && r->signing_key != KEY_NONE))
        return err_set(e, ERR_FORMAT, "SIGNER_INFO is %#x, with reserved bits or a reserved key", signer);
    for (size_t i = 0; i < 48; i++) /* R and S are little-endian */
        r->r_s[i] = bytes.p[0x2a0 + 47 - i], r->r_s[48 + i] = bytes.p[0x2e8 + 47 - i];
    return true;
}

static unsigned line_of_cpu(const struct run *r) {
    uint64_t family = number(r, 0x188, 1), model = number(r, 0x189, 1);
    if (family == 0x19) return model < 0x10 ? AMD_MILAN : model < 0x20 || model >> 4 == 0xa ? AMD_GENOA : AMD_LINES;
    return family == 0x1a && model < 0x20 ? AMD_TURIN : AMD_LINES;
}

/* ---- the VCEK or VLEK ---- */

static bool extension(const X509 *cert, const char *arc, struct view *value) {
    char oid[48];
    snprintf(oid, sizeof oid, AMD_ARC "%s", arc);
    return x509_extension(cert, oid, value);
}

/* A DER INTEGER of 0 to 255. */
static bool svn_parse(struct view der, uint8_t *out) {
    bool one = der.n == 3 && der.p[0] == 2 && der.p[1] == 1 && der.p[2] < 0x80;
    bool two = der.n == 4 && der.p[0] == 2 && der.p[1] == 2 && der.p[2] == 0 && der.p[3] >= 0x80;
    if (one || two) *out = der.p[der.n - 1];
    return one || two;
}

/* What a short DER element of that tag holds. */
static bool element(struct view der, uint8_t tag, struct view *out) {
    if (der.n < 2 || der.p[0] != tag || der.p[1] >= 0x80 || der.n != 2u + der.p[1]) return false;
    *out = view_skip(der, 2);
    return true;
}

/* Every extension of AMD's is one that is known, and there once. */
static bool only_known(const X509 *cert, struct err *e) {
    static const char *const known[] = {"1",   "2",   "3.1", "3.2", "3.3", "3.4", "3.5",
                                        "3.6", "3.7", "3.8", "3.9", "4",   "5"};
    struct view value;
    char oid[64];
    for (int i = 0; i < X509_get_ext_count(cert); i++) {
        int n = OBJ_obj2txt(oid, sizeof oid, X509_EXTENSION_get_object(X509_get_ext(cert, i)), 1);
        if (n <= 0 || strncmp(oid, AMD_ARC, strlen(AMD_ARC)) != 0) continue;
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(oid + strlen(AMD_ARC), known[k]) != 0) k++;
        if (k == sizeof known / sizeof *known) return err_set(e, ERR_FORMAT, "extension %s is not known", oid);
        if (!x509_extension(cert, oid, &value)) return err_set(e, ERR_FORMAT, "extension %s is there twice", oid);
    }
    return true;
}

static unsigned line_of_certificate(const X509 *cert, struct view *name) {
    struct view value, text;
    unsigned i = 0;
    if (!extension(cert, "2", &value) || !element(value, 0x16, &text)) return AMD_LINES; /* IA5String */
    *name = text;
    for (text = view_cut(&text, '-', NULL); i < AMD_LINES && !view_is(text, amd_lines[i].name);) i++; /* "Milan-B0" */
    return i;
}

static bool vek_parse(struct run *r, struct err *e) {
    const X509 *cert = r->vek;
    struct view value, inner;
    char arc[8];
    bool vlek = r->signing_key == KEY_VLEK, turin = r->line == AMD_TURIN;
    size_t id_size = turin ? 8 : 64;
    uint8_t zero = 0;
    if (!only_known(cert, e)) return false;
    for (size_t i = 0; i < 8; i++) {
        snprintf(arc, sizeof arc, "3.%u", tcb_parts[turin][i].arc);
        if (!extension(cert, arc, &value) || !svn_parse(value, &r->vek_tcb[i]))
            return err_set(e, ERR_FORMAT, "extension " AMD_ARC "%s (%s) is absent or not a number of 0 to 255", arc,
                           tcb_parts[turin][i].name);
    }
    if (extension(cert, turin ? "3.4" : "3.9", &value) && (!svn_parse(value, &zero) || zero))
        return err_set(e, ERR_FORMAT, "extension " AMD_ARC "%s is one of another product line", turin ? "3.4" : "3.9");
    if (extension(cert, vlek ? "4" : "5", &value))
        return err_set(e, ERR_FORMAT, vlek ? "a VLEK with a HWID" : "a VCEK with a CSP_ID");
    if (!extension(cert, vlek ? "5" : "4", &value))
        return err_set(e, ERR_FORMAT, "it has no %s, or two", vlek ? "CSP_ID" : "HWID");
    if (vlek) {
        if (!element(value, 0x16, &r->csp_id)) return err_set(e, ERR_FORMAT, "its CSP_ID is no IA5String");
    } else {
        /* Old certificates have the bytes as they are, new ones an OCTET STRING. */
        if (value.n != id_size && element(value, 4, &inner)) value = inner;
        if (value.n != id_size)
            return err_set(e, ERR_FORMAT, "its HWID has %zu bytes, on %s it has %zu", value.n, amd_lines[r->line].name,
                           id_size);
        r->hwid = value;
    }
    r->vek_read = true;
    return true;
}

/* The one that has signed; else one of the right name, so that what is wrong can be told. */
static void find_vek(struct run *r) {
    const struct pool *given = &r->a->given->pool;
    for (size_t i = 0; i < given->cert_count; i++) {
        X509 *cert = given->certs[i];
        bool named = x509_subject_is(cert, vek_name(r));
        if (!named && !x509_subject_is(cert, "SEV-VLEK") && !x509_subject_is(cert, "SEV-VCEK")) continue;
        bool signed_it =
            key_ecdsa_holds(key_of_certificate(cert), HASH_SHA384, part(r, 0, SIGNED_SIZE), view_of(r->r_s, 96));
        if (!r->vek || named) r->vek = cert;
        if (signed_it) {
            r->vek = cert;
            return;
        }
    }
}

/* Where AMD has the certificate. */
static const char *vcek_address(const struct run *r, char out[static 320]) {
    char id[160];
    bool turin = r->line == AMD_TURIN;
    int n = snprintf(out, 320, "https://kdsintf.amd.com/vcek/v1/%s/%s?",
                     r->line < AMD_LINES ? amd_lines[r->line].name : "LINE", hex(part(r, 0x1a0, turin ? 8 : 64), id));
    for (size_t i = 0; i < 8; i++)
        if (tcb_parts[turin][i].name[0] != 'S')
            n += snprintf(out + n, 320 - (size_t)n, "%s%s=%u", i ? "&" : "", tcb_parts[turin][i].name,
                          r->report.p[0x180 + i]);
    return out;
}

static bool judge_product(struct run *r) {
    struct checks *c = &r->a->checks;
    struct view name = {0};
    unsigned of_vek = r->vek ? line_of_certificate(r->vek, &name) : AMD_LINES;
    r->line = r->version > 2 ? line_of_cpu(r) : of_vek;
    if (r->version == 2 && !r->vek)
        return checks_missing(c, "product", true, "version 2 names no processor, and no VCEK or VLEK was given");
    if (r->line == AMD_LINES)
        return r->version == 2 ? checks_bad(c, "product", "the certificate is of no known product line (%.*s)",
                                            VIEW_ARG(view_first(name, 40)))
                               : checks_bad(c, "product", "family %02Xh, model %02Xh is of no known product line",
                                            (unsigned)number(r, 0x188, 1), (unsigned)number(r, 0x189, 1));
    if (r->vek && of_vek != r->line)
        return checks_bad(c, "product", "the report is of a %s, the certificate is for %.*s", amd_lines[r->line].name,
                          VIEW_ARG(view_first(name, 40)));
    return checks_good(c, "product", "%s%s", amd_lines[r->line].name, r->version == 2 ? ", says the certificate" : "");
}

static bool judge_chain(struct run *r) {
    struct checks *c = &r->a->checks;
    const struct amd_line *line = &amd_lines[r->line];
    struct err e = {0};
    char cn[3][64], what[160];
    bool vlek = r->signing_key == KEY_VLEK;
    const char *const wanted[] = {vek_name(r), vlek ? line->asvk : line->ask, line->ark};
    if (!r->trust.count) anchors_add_pin(&r->trust, line->ark, line->ark_spki_sha256);
    for (size_t i = 0; i < 3; i++) {
        uint8_t der[2048];
        size_t n;
        if (base64_decode(view_str(line->certs[i]), der, sizeof der, &n))
            pool_add_certificate(&r->own, view_of(der, n), &e);
    }
    struct pool both = pool_join(&r->a->given->pool, &r->own);
    if (!chain_of(&both, r->vek, &r->chain, &e)) return checks_err(c, "vek-chain", &e);
    if (r->chain.n != 3)
        return checks_bad(c, "vek-chain", "%zu certificates, the chain of a %s has 3", r->chain.n, wanted[0]);
    bool names = true;
    for (size_t i = 0; i < 3; i++) {
        x509_subject_cn(r->chain.certs[i], cn[i], sizeof cn[i]);
        names &= x509_subject_is(r->chain.certs[i], wanted[i]);
    }
    if (!chain_check(&r->chain, &r->trust, CHAIN_AMD, r->a->at, &r->anchor, &e)) return checks_err(c, "vek-chain", &e);
    if (!names) {
        r->anchor = NULL;
        return checks_bad(c, "vek-chain", "the names are '%s', '%s', '%s'; wanted are '%s', '%s', '%s'", cn[0], cn[1],
                          cn[2], wanted[0], wanted[1], wanted[2]);
    }
    return checks_good(c, "vek-chain", "%s (%s) by %s by %s, %s; judged at %s", cn[0],
                       x509_describe(r->chain.certs[0], what, sizeof what), cn[1], r->anchor->name,
                       r->anchor->vendor ? "whose key is pinned" : "which is not AMD's but named by --trust", r->at);
}

static void judge_vek(struct run *r) {
    struct checks *c = &r->a->checks;
    struct err e;
    char address[320], have[160], want[160];
    bool vlek = r->signing_key == KEY_VLEK;
    if (!r->vek) {
        checks_bad(c, "report-signature", "no certificate of a %s was given to check it with%s%s", kind(r),
                   vlek ? "" : "; AMD has it: ", vlek ? "" : vcek_address(r, address));
        return;
    }
    if (key_ecdsa_holds(key_of_certificate(r->vek), HASH_SHA384, part(r, 0, SIGNED_SIZE), view_of(r->r_s, 96)))
        checks_good(c, "report-signature", "by the key of the %s", kind(r));
    else
        checks_bad(c, "report-signature", "it is not by the key of the certificate");
    if (r->line == AMD_LINES) return;
    if (judge_chain(r)) {
        enum check_state s = crl_check(&r->a->given->pool, r->chain.certs[1], r->chain.certs[2], r->a->at, &e);
        checks_state(c, "ark-crl", s, false, &e, "the CA of the certificate is not revoked");
    }
    if (!vek_parse(r, &e)) {
        checks_err(c, "vek-certificate", &e);
        return;
    }
    checks_good(c, "vek-certificate", "its extensions are those of a %s", kind(r));
    if (view_eq(part(r, 0x180, 8), view_of(r->vek_tcb, 8)))
        checks_good(c, "reported-tcb", "%s, as the certificate has it", hex(part(r, 0x180, 8), have));
    else
        checks_bad(c, "reported-tcb", "REPORTED_TCB is %s, the certificate is for %s", hex(part(r, 0x180, 8), have),
                   hex(view_of(r->vek_tcb, 8), want));
    if (vlek)
        checks_missing(c, "chip-id", false,
                       "a VLEK (of '%.*s') is for all machines of its owner: no certificate says which one this is",
                       VIEW_ARG(view_first(r->csp_id, 40)));
    else if (view_eq(part(r, 0x1a0, r->hwid.n), r->hwid) && fields_zero(part(r, 0x1a0 + r->hwid.n, 64 - r->hwid.n)))
        checks_good(c, "chip-id", "CHIP_ID is the HWID of the certificate");
    else
        checks_bad(c, "chip-id", "CHIP_ID is %.16s..., the certificate's HWID is %.16s...",
                   hex(part(r, 0x1a0, 64), have), hex(r->hwid, want));
}

/* ---- what the report says ---- */

static void judge_tcb(struct run *r) {
    struct checks *c = &r->a->checks;
    struct view minimum = r->a->tcb_min;
    char have[160], want[160];
    bool same = view_eq(part(r, 0x1e0, 8), part(r, 0x38, 8)) && view_eq(part(r, 0x1e8, 3), part(r, 0x1ec, 3));
    checks_policy(c, "committed-tcb", same,
                  same ? "CURRENT_TCB %s and its firmware are committed"
                       : "CURRENT_TCB is %s, COMMITTED_TCB %s: the host may go back to older firmware",
                  hex(part(r, 0x38, 8), have), hex(part(r, 0x1e0, 8), want));
    if (!minimum.n) return;
    for (size_t i = 0; i < 8; i++)
        for (size_t at = 0x180; at <= 0x1f0; at += 0x70)
            if (r->report.p[at + i] < minimum.p[i]) {
                checks_bad(c, "tcb-minimum", "%s is %s, at least %s is wanted in every part",
                           at == 0x180 ? "REPORTED_TCB" : "LAUNCH_TCB", hex(part(r, at, 8), have), hex(minimum, want));
                return;
            }
    checks_good(c, "tcb-minimum", "REPORTED_TCB and LAUNCH_TCB are %s or better", hex(minimum, want));
}

static void judge_guest(struct run *r) {
    struct checks *c = &r->a->checks;
    uint64_t policy = number(r, 8, 8), platform = number(r, 0x40, 8), vmpl = number(r, 0x30, 4);
    if (!(policy & POLICY_ONE) || policy & POLICY_ZERO)
        checks_bad(c, "guest-policy", "POLICY is %#llx: bit 17 must be one, bits 26 to 63 zero",
                   (unsigned long long)policy);
    else
        checks_good(c, "guest-policy", "POLICY %#llx, its reserved bits are right", (unsigned long long)policy);
    checks_policy(c, "guest-debug", !(policy & POLICY_DEBUG),
                  policy & POLICY_DEBUG ? "POLICY.DEBUG is set: the host can read the guest" : "POLICY.DEBUG is clear");
    checks_policy(c, "migrate-ma", !(policy & POLICY_MIGRATE_MA),
                  policy & POLICY_MIGRATE_MA ? "POLICY.MIGRATE_MA is set: a migration agent can have the guest"
                                             : "POLICY.MIGRATE_MA is clear");
    checks_policy(c, "vmpl", !vmpl, vmpl ? "the report was asked for at VMPL %llu, not 0" : "VMPL %llu",
                  (unsigned long long)vmpl);
    checks_policy(c, "platform-info", !(platform & PLATFORM_ZERO), "PLATFORM_INFO %#llx, %s",
                  (unsigned long long)platform, platform & PLATFORM_ZERO ? "with reserved bits" : "no reserved bits");
    if (platform & PLATFORM_ALIAS_CHECK)
        checks_good(c, "alias-check", "PLATFORM_INFO.ALIAS_CHECK_COMPLETE is set");
    else
        checks_missing(
            c, "alias-check", false,
            "PLATFORM_INFO.ALIAS_CHECK_COMPLETE is clear: the firmware does not say that it looked for aliased memory");
}

/* ---- fields ---- */

static void put_tcb(const struct run *r, const char *name, struct view tcb) {
    struct result *out = &r->a->fields;
    if (r->line == AMD_LINES || tcb.n != 8) {
        result_text(out, name, NULL);
        return;
    }
    result_open(out, name, '{');
    for (size_t i = 0; i < 8; i++)
        if (tcb_parts[r->line == AMD_TURIN][i].name[0] != 'S')
            result_number(out, tcb_parts[r->line == AMD_TURIN][i].name, true, tcb.p[i]);
    result_close(out, '}');
}

static void put_fields(struct run *r, const struct hcl *hcl) {
    struct result *out = &r->a->fields;
    char text[64];
    result_text(out, "tee", "snp");
    appraisal_anchor(r->a, r->anchor);
    fields_write(out, r->report, report_fields);
    result_text(out, "product", r->line < AMD_LINES ? amd_lines[r->line].name : NULL);
    put_tcb(r, "reported_tcb_parts", part(r, 0x180, 8));
    if (r->vek_read) {
        result_open(out, "vek", '{');
        result_text(out, "kind", kind(r));
        result_hex(out, "tcb", view_of(r->vek_tcb, 8));
        result_hex(out, "hwid", r->hwid);
        result_text(out, "csp_id", r->csp_id.n && view_to_str(r->csp_id, text, sizeof text) ? text : NULL);
        result_close(out, '}');
    } else {
        result_text(out, "vek", NULL);
    }
    if (hcl->claims.n) result_hex(out, "runtime_claims", hcl->claims);
}

void snp_verify(struct appraisal *a, struct view report) {
    struct run r = {.a = a, .trust = a->trust, .line = AMD_LINES};
    struct hcl hcl = {0};
    struct checks *c = &a->checks;
    struct err e;
    moment_text(a->at, r.at);
    if (!parse(&r, report, &hcl, &e)) {
        checks_err(c, "report-format", &e);
    } else {
        checks_good(c, "report-format", "SNP report version %u%s", r.version, hcl.claims.n ? " in an HCL report" : "");
        find_vek(&r);
        bool masked = number(&r, 0x48, 4) & SIGNER_MASKED;
        if (r.signing_key == KEY_NONE || masked)
            checks_bad(c, "signing-key",
                       masked ? "SIGNER_INFO.MASK_CHIP_KEY is set: no chip has signed"
                              : "SIGNER_INFO.SIGNING_KEY is 7: nothing has signed");
        else if (r.vek && !x509_subject_is(r.vek, vek_name(&r)))
            checks_bad(c, "signing-key", "SIGNER_INFO names a %s, the certificate is of another kind", kind(&r));
        else
            checks_good(c, "signing-key", "SIGNER_INFO names a %s", kind(&r));
        judge_product(&r);
        judge_vek(&r);
        judge_tcb(&r);
        judge_guest(&r);
        if (hcl.claims.n && hcl.bound)
            checks_good(c, "runtime-claims", "REPORT_DATA is SHA-256 of the claims, then zeroes");
        else if (hcl.claims.n)
            checks_bad(c, "runtime-claims", "REPORT_DATA is not SHA-256 of the claims, then zeroes");
        appraisal_nonce(a, "report-data", part(&r, 0x50, 64));
    }
    put_fields(&r, &hcl);
    pool_drop(&r.own);
}
