/* see trustee.h */
#include "tee/trustee.h"

#include "base/reader.h"
#include "tee/event.h"
#include "tee/report.h"

static void number(struct writer *out, const char *member, uint64_t value) {
    write_member(out, member);
    write_dec(out, value);
}

static void base64(struct writer *out, const char *member, struct view bytes) {
    write_member(out, member);
    write_u8(out, '"');
    write_base64(out, bytes);
    write_u8(out, '"');
}

static void array(struct writer *out, struct view bytes) {
    write_u8(out, '[');
    for (size_t i = 0; i < bytes.n; i++) {
        if (i) write_u8(out, ',');
        write_dec(out, bytes.p[i]);
    }
    write_u8(out, ']');
}

void trustee_eventlog(struct view ccel, struct view own, struct writer *out) {
    /* as guest-components has it: EV_NO_ACTION of 37 bytes that names SHA-384 and SM3, without the signature and
     * version of the TCG */
    static const uint8_t algorithms[] = {2, 0, 0, 0, 0x0C, 0, 48, 0, 0x12, 0, 32, 0, 0}, zeros[20];
    struct reader r = reader_of(own);
    read_bytes(&r, 28);
    read_bytes(&r, read_le32(&r)); /* its header */
    if (!ccel.n) {
        write_le32(out, 0);
        write_le32(out, EVENT_NO_ACTION);
        write_bytes(out, view_of(zeros, 20));
        write_le32(out, 24 + sizeof algorithms);
        write_bytes(out, view_of(zeros, 20));
        write_bytes(out, view_of(zeros, 4));
        write_bytes(out, view_of(algorithms, sizeof algorithms));
    }
    write_bytes(out, ccel);
    write_bytes(out, r.rest);
    write_bytes(out, VIEW("\xff\xff\xff\xff\xff\xff\xff\xff"));
}

void trustee_tdx(struct view eventlog, struct view quote, struct writer *out) {
    write_u8(out, '{');
    if (eventlog.n) base64(out, "cc_eventlog", eventlog);
    else write_text(out, "\"cc_eventlog\":null");
    base64(out, "quote", quote);
    write_u8(out, '}');
}

void trustee_tpm(struct view signature, struct view message, const uint8_t pcrs[static TRUSTEE_PCRS][32],
                 struct view ak_spki, struct writer *out) {
    write_text(out, "{\"tpm_quote\":{");
    base64(out, "signature", signature);
    base64(out, "message", message);
    write_text(out, ",\"pcrs\":[");
    for (size_t i = 0; i < TRUSTEE_PCRS; i++) {
        write_text(out, i ? ",\"" : "\"");
        write_hex(out, view_of(pcrs[i], 32));
        write_u8(out, '"');
    }
    write_text(out, "]}");
    base64(out, "ak_public", ak_spki);
    write_u8(out, '}');
}

/* AMD 56860, table 23, in its order, with the names of the sev crate. */
enum form { U32, U64, BYTES, TCB, FMS, VERSION, MITIGATIONS, SKIP };
static const struct {
    const char *name;
    uint8_t form, n;
} fields[] = {
    {"version", U32, 0}, {"guest_svn", U32, 0}, {"policy", U64, 0}, {"family_id", BYTES, 16}, {"image_id", BYTES, 16},
    {"vmpl", U32, 0}, {"sig_algo", U32, 0}, {"current_tcb", TCB, 0}, {"plat_info", U64, 0}, {"key_info", U32, 0},
    {"", SKIP, 4}, {"report_data", BYTES, 64}, {"measurement", BYTES, 48}, {"host_data", BYTES, 32},
    {"id_key_digest", BYTES, 48}, {"author_key_digest", BYTES, 48}, {"report_id", BYTES, 32},
    {"report_id_ma", BYTES, 32}, {"reported_tcb", TCB, 0}, {"cpuid_fam_id", FMS, 0}, {"cpuid_mod_id", FMS, 0},
    {"cpuid_step", FMS, 0}, {"", SKIP, 21}, {"chip_id", BYTES, 64}, {"committed_tcb", TCB, 0},
    {"current", VERSION, 0}, {"", SKIP, 1}, {"committed", VERSION, 0}, {"", SKIP, 1}, {"launch_tcb", TCB, 0},
    {"launch_mit_vector", MITIGATIONS, 0}, {"current_mit_vector", MITIGATIONS, 0}, {"", SKIP, 152},
};

static void write_null_or(bool there, uint64_t value, struct writer *out) {
    if (there) write_dec(out, value);
    else write_text(out, "null");
}

static void write_tcb(struct view tcb, bool turin, struct writer *out) {
    const uint8_t *p = tcb.p;
    write_text(out, "{\"fmc\":");
    write_null_or(turin, p[0], out);
    number(out, "bootloader", p[turin ? 1 : 0]);
    number(out, "tee", p[turin ? 2 : 1]);
    number(out, "snp", p[turin ? 3 : 6]);
    number(out, "microcode", p[7]);
    write_u8(out, '}');
}

/* build, minor, major */
static void write_version(struct view v, struct writer *out) {
    write_u8(out, '{');
    number(out, "major", v.p[2]);
    number(out, "minor", v.p[1]);
    number(out, "build", v.p[0]);
    write_u8(out, '}');
}

/* Family 1Ah and later; version 2 does not tell the family, but a chip id of 8 bytes is Turin's. */
static bool is_turin(struct view report, unsigned version) {
    const uint8_t *chip = report.p + 0x1A0;
    static const uint8_t zeros[64];
    return version > 2 ? report.p[0x188] >= 0x1A : memcmp(chip, zeros, 8) && !memcmp(chip + 8, zeros, 56);
}

static void write_report(struct view report, struct writer *out) {
    struct reader r = reader_of(report);
    unsigned version = report.p[0];
    bool turin = is_turin(report, version);
    write_u8(out, '{');
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].form != SKIP) write_member(out, fields[i].name);
        switch (fields[i].form) {
        case U32: write_dec(out, read_le32(&r)); break;
        case U64: write_dec(out, read_le64(&r)); break;
        case BYTES: array(out, read_bytes(&r, fields[i].n)); break;
        case TCB: write_tcb(read_bytes(&r, 8), turin, out); break;
        case FMS: write_null_or(version > 2, read_u8(&r), out); break;
        case VERSION: write_version(read_bytes(&r, 3), out); break;
        case MITIGATIONS: write_null_or(version > 4, read_le64(&r), out); break;
        default: read_bytes(&r, fields[i].n);
        }
    }
    write_text(out, ",\"signature\":{\"r\":");
    array(out, read_bytes(&r, 72));
    write_text(out, ",\"s\":");
    array(out, read_bytes(&r, 72));
    write_text(out, ",\"_reserved\":");
    array(out, r.rest);
    write_text(out, "}}");
}

static void write_kind(struct view guid, struct writer *out) {
    const char *name = snp_certificate_name(snp_certificate_kind(guid));
    write_member(out, "cert_type");
    if (name) {
        write_json_string(out, view_str(name));
        return;
    }
    write_text(out, "{\"OTHER\":\"");
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) write_u8(out, '-');
        write_hex(out, view_of(guid.p + i, 1));
    }
    write_text(out, "\"}");
}

/* The array; *signer tells whether a VCEK or VLEK is in it. False: an entry points outside, or none ends the table. */
static bool write_chain(struct view all, bool *signer, struct writer *out) {
    static const uint8_t zeros[SNP_ENTRY_SIZE];
    struct reader table = reader_of(all);
    write_u8(out, '[');
    for (bool first = true;; first = false) {
        struct reader entry = reader_of(read_bytes(&table, SNP_ENTRY_SIZE));
        if (view_eq(entry.rest, view_of(zeros, sizeof zeros))) break;
        struct view guid = read_bytes(&entry, SNP_GUID_SIZE);
        uint32_t offset = read_le32(&entry), n = read_le32(&entry);
        if (table.bad || offset > all.n || n > all.n - offset) return false;
        *signer |= snp_certificate_kind(guid) <= SNP_VLEK;
        write_text(out, first ? "{" : ",{");
        write_kind(guid, out);
        write_member(out, "data");
        array(out, view_of(all.p + offset, n));
        write_u8(out, '}');
    }
    write_u8(out, ']');
    return true;
}

bool trustee_snp(struct view report, struct view certificates, struct writer *out, struct err *e) {
    struct report read;
    bool signer = false;
    if (!report_snp(report, &read, e)) return false;
    write_text(out, "{\"attestation_report\":");
    write_report(report, out);
    write_member(out, "cert_chain");
    struct writer before = *out;
    if (certificates.n && !write_chain(certificates, &signer, out))
        return err_set(e, ERR_FORMAT, "the SNP certificate table of %zu bytes points outside itself, or has no end",
                       certificates.n);
    if (!signer) {
        *out = before;
        write_text(out, "null");
    }
    write_u8(out, '}');
    return true;
}
