/* see eventlog.h */
#include "tools/eventlog.h"

#include "base/reader.h"

#define SHA1_SIZE 20u

enum {
    EV_SEPARATOR = 4,
    EV_ACTION = 5,
    EV_S_CRTM_VERSION = 8,
    EV_EFI_VARIABLE_DRIVER_CONFIG = (int)0x80000001,
    EV_EFI_VARIABLE_BOOT = (int)0x80000002,
    EV_EFI_GPT_EVENT = (int)0x80000006,
    EV_EFI_ACTION = (int)0x80000007,
    EV_EFI_VARIABLE_BOOT2 = (int)0x8000000C,
    EV_EFI_VARIABLE_AUTHORITY = (int)0x800000E0,
};

/* CEL's TLV types, and the algorithm of its digests by TPM_ALG_ID. */
enum { CEL_RECNUM = 0, CEL_PCR = 1, CEL_DIGESTS = 3, CEL_COS = 80, CEL_CCMR = 108 };

static struct view read_tlv(struct reader *r, uint8_t *type) {
    *type = read_u8(r);
    return read_bytes(r, read_be32(r));
}

/* A first record's number 0 and the TLV of one register: no TCG log starts like that, its digest would be nearly all
 * zero. */
static bool is_cel(struct view bytes) {
    struct reader r = reader_of(bytes);
    uint8_t recnum, reg;
    struct view number = read_tlv(&r, &recnum), one = read_tlv(&r, &reg);
    return !r.bad && recnum == CEL_RECNUM && view_eq(number, VIEW("\0\0\0\0\0\0\0\0")) && one.n == 1 &&
           (reg == CEL_PCR || reg == CEL_CCMR);
}

struct eventlog eventlog_of(struct view bytes) {
    return (struct eventlog){.bytes = bytes, .rest = bytes, .kind = is_cel(bytes) ? EVENTLOG_CEL : EVENTLOG_SHA1};
}

static bool broken(const struct eventlog *log, const char *what, struct err *e) {
    return err_set(e, ERR_FORMAT, "event log at offset %zu of %zu: %s", log->bytes.n - log->rest.n, log->bytes.n, what);
}

/* True when all of v is the same byte, 0x00 or 0xff. */
static bool padding(struct view v) {
    return v.n == 0 || ((v.p[0] == 0 || v.p[0] == 0xff) && (v.n == 1 || memcmp(v.p, v.p + 1, v.n - 1) == 0));
}

/* TCG_EfiSpecIdEvent: signature[16] | platformClass | version, errata, uintnSize | algorithms | vendorInfo. */
static bool read_header(struct eventlog *log, uint32_t mr_index, struct view event, struct err *e) {
    struct reader r = reader_of(event);
    read_bytes(&r, 24);
    uint32_t count = read_le32(&r);
    if (r.bad || count < 1 || count > EVENTLOG_ALG_MAX) return broken(log, "the header names no algorithm, or too many", e);
    for (size_t i = 0; i < count; i++) {
        log->algs[i].alg = read_le16(&r);
        log->algs[i].size = read_le16(&r);
        enum hash_alg known;
        if (log->algs[i].size < SHA1_SIZE || log->algs[i].size > HASH_MAX ||
            (tpm2_hash(log->algs[i].alg, &known) && log->algs[i].size != hash_size(known)))
            return broken(log, "the header names a digest size that its algorithm does not have", e);
        for (size_t j = 0; j < i; j++)
            if (log->algs[j].alg == log->algs[i].alg) return broken(log, "the header names an algorithm twice", e);
    }
    struct view vendor = read_bytes(&r, read_u8(&r));
    if (!reader_done(&r)) return broken(log, "the header is cut or has trailing bytes", e);
    log->alg_count = count;
    log->kind = mr_index == 1 || view_is(vendor, "td-shim") ? EVENTLOG_CC : EVENTLOG_TPM;
    return true;
}

/* One digest per algorithm of the header, in any order; in a CC log fewer, but sha384. */
static bool read_digests(const struct eventlog *log, struct reader *r, struct eventlog_record *out, struct err *e) {
    if (log->kind == EVENTLOG_SHA1) {
        out->digest_count = 1;
        out->digests[0] = (struct eventlog_digest){TPM2_ALG_SHA1, read_bytes(r, SHA1_SIZE)};
        return true;
    }
    uint32_t count = read_le32(r);
    if (r->bad) return true; /* the caller says so */
    bool cc = log->kind == EVENTLOG_CC, strong = !cc;
    if (count > log->alg_count || (!cc && count != log->alg_count))
        return broken(log, "a record has not one digest per algorithm of the header", e);
    for (out->digest_count = 0; out->digest_count < count; out->digest_count++) {
        uint16_t alg = read_le16(r);
        size_t at = 0;
        while (at < log->alg_count && log->algs[at].alg != alg) at++;
        if (!r->bad && at == log->alg_count) return broken(log, "a digest by an algorithm that the header does not name", e);
        for (size_t i = 0; !r->bad && i < out->digest_count; i++)
            if (out->digests[i].alg == alg) return broken(log, "two digests by one algorithm", e);
        out->digests[out->digest_count] = (struct eventlog_digest){alg, read_bytes(r, r->bad ? 0 : log->algs[at].size)};
        strong = strong || alg == TPM2_ALG_SHA384;
    }
    return r->bad || strong || broken(log, "a record without a sha384 digest", e);
}

/* ---- CEL ---- */

static bool cel_digests(const struct eventlog *log, struct view all, struct eventlog_record *out, struct err *e) {
    struct reader r = reader_of(all);
    while (r.rest.n) {
        uint8_t alg;
        enum hash_alg known;
        struct view digest = read_tlv(&r, &alg);
        bool sized =
            alg == TPM2_ALG_SHA1 ? digest.n == SHA1_SIZE : tpm2_hash(alg, &known) && digest.n == hash_size(known);
        if (r.bad || !sized) return broken(log, "a digest of unknown algorithm or wrong size", e);
        for (size_t i = 0; i < out->digest_count; i++)
            if (out->digests[i].alg == alg) return broken(log, "two digests by one algorithm", e);
        out->digests[out->digest_count++] = (struct eventlog_digest){alg, digest}; /* four algorithms, none twice */
    }
    return out->digest_count > 0 || broken(log, "a record without a digest", e);
}

static bool cel_next(struct eventlog *log, struct eventlog_record *out, struct err *e) {
    struct eventlog_record record = {.cel = true};
    struct reader r = reader_of(log->rest);
    uint8_t types[4], nested;
    e->kind = ERR_NONE;
    if (log->rest.n == 0) return false;
    struct view number = read_tlv(&r, &types[0]), reg = read_tlv(&r, &types[1]), digests = read_tlv(&r, &types[2]),
                content = r.rest;
    struct reader inner = reader_of(read_tlv(&r, &types[3]));
    if (r.bad) return broken(log, "the record is cut", e);
    record.event = view_first(content, content.n - r.rest.n);
    struct reader n = reader_of(number);
    if (types[0] != CEL_RECNUM || number.n != 8 || read_be64(&n) != log->records)
        return broken(log, "a record out of order", e);
    bool cc = types[1] == CEL_CCMR;
    if ((!cc && types[1] != CEL_PCR) || reg.n != 1) return broken(log, "a record without a register", e);
    record.mr_index = reg.p[0];
    if (cc ? record.mr_index < 1 || record.mr_index > 4 : record.mr_index >= EVENTLOG_REGISTERS)
        return broken(log, "no such register", e);
    if (types[2] != CEL_DIGESTS || types[3] != CEL_COS)
        return broken(log, "a record of another form than digests and content", e);
    read_tlv(&inner, &nested);
    if (!reader_done(&inner)) return broken(log, "a content that is not one TLV", e);
    record.type = nested;
    if (!cel_digests(log, digests, &record, e)) return false;
    log->records++;
    log->rest = r.rest;
    *out = record;
    return true;
}

bool eventlog_next(struct eventlog *log, struct eventlog_record *out, struct err *e) {
    if (log->kind == EVENTLOG_CEL) return cel_next(log, out, e);
    struct eventlog_record record = {0};
    struct reader r = reader_of(log->rest);
    e->kind = ERR_NONE;
    if (padding(log->rest)) return false;
    record.mr_index = read_le32(&r);
    record.type = read_le32(&r);
    if (!read_digests(log, &r, &record, e)) return false;
    record.event = read_bytes(&r, read_le32(&r));
    if (r.bad) return broken(log, "the record is cut", e);
    if (record.mr_index >= EVENTLOG_REGISTERS) return broken(log, "a register above 23", e);
    if (!log->started && record.type == EVENT_NO_ACTION && view_starts(record.event, VIEW("Spec ID Event03\0")) &&
        !read_header(log, record.mr_index, record.event, e))
        return false;
    if (log->kind == EVENTLOG_CC && (record.mr_index > 4 || (record.mr_index == 0 && record.type != EVENT_NO_ACTION)))
        return broken(log, "a register that events cannot extend: 1 to 4 are RTMR0 to RTMR3", e);
    log->started = true;
    log->records++;
    log->rest = r.rest;
    *out = record;
    return true;
}

struct eventlog_registers eventlog_registers_new(void) {
    struct eventlog_registers regs = {0};
    for (size_t i = 0; i < EVENTLOG_REGISTERS; i++) {
        regs.sha256[i].bank.alg = HASH_SHA256;
        regs.sha384[i].bank.alg = HASH_SHA384;
    }
    return regs;
}

/* EV_NO_ACTION "StartupLocality\0" | u8: the locality of TPM2_Startup is the last byte of PCR 0's first value. */
static bool start_locality(struct eventlog_registers *to, uint8_t locality, struct err *e) {
    uint8_t *last[] = {&to->sha256[0].bank.value[31], &to->sha384[0].bank.value[47], &to->sha1[0].value[19]};
    if (to->sha256[0].used || to->sha384[0].used || to->sha1[0].used || *last[0])
        return err_set(e, ERR_FORMAT, "event log: a StartupLocality after PCR 0 was started");
    *last[0] = *last[1] = *last[2] = locality;
    return true;
}

static void extend_sha1(struct eventlog_sha1 *reg, struct view digest) {
    br_sha1_context h;
    br_sha1_init(&h);
    br_sha1_update(&h, reg->value, sizeof reg->value);
    br_sha1_update(&h, digest.p, digest.n);
    br_sha1_out(&h, reg->value);
    reg->used = true;
}

bool eventlog_extend(struct eventlog_registers *to, const struct eventlog_record *r, struct err *e) {
    struct view locality = VIEW("StartupLocality\0");
    if (r->type == EVENT_NO_ACTION && !r->cel) {
        if (r->mr_index == 0 && r->event.n == locality.n + 1 && view_starts(r->event, locality) &&
            !start_locality(to, r->event.p[locality.n], e))
            return false;
        to->records++;
        return true;
    }
    for (size_t i = 0; i < r->digest_count; i++) {
        struct eventlog_register *regs = r->digests[i].alg == TPM2_ALG_SHA256   ? to->sha256
                                         : r->digests[i].alg == TPM2_ALG_SHA384 ? to->sha384
                                                                                : NULL;
        if (r->digests[i].alg == TPM2_ALG_SHA1) extend_sha1(&to->sha1[r->mr_index], r->digests[i].bytes);
        if (!regs) continue;
        regs[r->mr_index].used = true;
        register_extend(&regs[r->mr_index].bank, r->digests[i].bytes.p);
    }
    to->records++;
    return true;
}

bool eventlog_replay(struct view bytes, struct eventlog_registers *out, struct err *e) {
    struct eventlog log = eventlog_of(bytes);
    struct eventlog_record record;
    struct eventlog_registers regs = eventlog_registers_new();
    while (eventlog_next(&log, &record, e))
        if (!eventlog_extend(&regs, &record, e)) return false;
    if (e->kind != ERR_NONE) return false;
    *out = regs;
    return true;
}

bool eventlog_aael(const struct eventlog_record *record, struct view *text) {
    struct reader r = reader_of(record->event);
    if (record->cel || record->type != EVENT_EVENT_TAG || read_le32(&r) != EVENT_TAG_AAEL) return false;
    struct view content = read_bytes(&r, read_le32(&r));
    if (!reader_done(&r)) return false;
    *text = content;
    return true;
}

/* UEFI_VARIABLE_DATA: GUID[16] | u64 name characters | u64 bytes | name | bytes. */
static struct view variable_bytes(struct view event) {
    struct reader r = reader_of(event);
    read_bytes(&r, 16);
    uint64_t name = read_le64(&r), n = read_le64(&r);
    if (name > event.n || n > event.n) return event;
    read_bytes(&r, 2 * (size_t)name);
    struct view bytes = read_bytes(&r, (size_t)n);
    return reader_done(&r) ? bytes : event;
}

static bool is_digest(const struct eventlog_digest *d, enum hash_alg alg, struct view message) {
    uint8_t digest[HASH_MAX];
    hash_once(alg, message, digest);
    return view_eq(d->bytes, view_of(digest, hash_size(alg)));
}

/* What the digest is over, or false where the log does not hold it. `other`: what older firmware hashed instead. */
static bool hashed_bytes(const struct eventlog_record *r, struct view *bytes, struct view *other) {
    struct view text;
    *bytes = *other = r->event;
    if (r->cel) return true;
    switch ((int)r->type) {
    case EVENT_EVENT_TAG: return eventlog_aael(r, &text); /* Linux' own tags name what is measured, and do not hold it */
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2: *other = variable_bytes(r->event); return true; /* edk2 before 2025 */
    case EV_SEPARATOR:
    case EV_ACTION:
    case EV_S_CRTM_VERSION:
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_GPT_EVENT:
    case EV_EFI_ACTION:
    case EV_EFI_VARIABLE_AUTHORITY: return true;
    default: return false;
    }
}

bool eventlog_digest_matches(const struct eventlog_record *r, bool *known) {
    struct view bytes, other;
    *known = false;
    if (!hashed_bytes(r, &bytes, &other)) return true;
    for (size_t i = 0; i < r->digest_count; i++) {
        enum hash_alg alg;
        if (!tpm2_hash(r->digests[i].alg, &alg)) continue;
        *known = true;
        if (!is_digest(&r->digests[i], alg, bytes) && !is_digest(&r->digests[i], alg, other)) return false;
    }
    return true;
}

const char *eventlog_type_name(uint32_t type) {
    static const char *const pc[] = {
        "EV_PREBOOT_CERT", "EV_POST_CODE", "EV_UNUSED", "EV_NO_ACTION", "EV_SEPARATOR", "EV_ACTION", "EV_EVENT_TAG",
        "EV_S_CRTM_CONTENTS", "EV_S_CRTM_VERSION", "EV_CPU_MICROCODE", "EV_PLATFORM_CONFIG_FLAGS", "EV_TABLE_OF_DEVICES",
        "EV_COMPACT_HASH", "EV_IPL", "EV_IPL_PARTITION_DATA", "EV_NONHOST_CODE", "EV_NONHOST_CONFIG", "EV_NONHOST_INFO",
        "EV_OMIT_BOOT_DEVICE_EVENTS", "EV_POST_CODE2"};
    static const char *const efi[] = {
        NULL, "EV_EFI_VARIABLE_DRIVER_CONFIG", "EV_EFI_VARIABLE_BOOT", "EV_EFI_BOOT_SERVICES_APPLICATION",
        "EV_EFI_BOOT_SERVICES_DRIVER", "EV_EFI_RUNTIME_SERVICES_DRIVER", "EV_EFI_GPT_EVENT", "EV_EFI_ACTION",
        "EV_EFI_PLATFORM_FIRMWARE_BLOB", "EV_EFI_HANDOFF_TABLES", "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
        "EV_EFI_HANDOFF_TABLES2", "EV_EFI_VARIABLE_BOOT2", "EV_EFI_GPT_EVENT2", NULL, NULL, "EV_EFI_HCRTM_EVENT"};
    static const char *const spdm[] = {"EV_EFI_VARIABLE_AUTHORITY", "EV_EFI_SPDM_FIRMWARE_BLOB",
                                       "EV_EFI_SPDM_FIRMWARE_CONFIG", "EV_EFI_SPDM_DEVICE_POLICY",
                                       "EV_EFI_SPDM_DEVICE_AUTHORITY"};
    uint32_t n = type & 0x7fffffff;
    if (type == n) return n < sizeof pc / sizeof pc[0] ? pc[n] : NULL;
    if (n >= 0xE0) return n - 0xE0 < sizeof spdm / sizeof spdm[0] ? spdm[n - 0xE0] : NULL;
    return n < sizeof efi / sizeof efi[0] ? efi[n] : NULL;
}

const char *eventlog_record_name(const struct eventlog_record *r) {
    static const char *const cos[] = {"COS ImageRef",      "COS ImageDigest", "COS RestartPolicy",
                                      "COS ImageID",       "COS Arg",         "COS EnvVar",
                                      "COS OverrideArg",   "COS OverrideEnv", "COS LaunchSeparator",
                                      "COS MemoryMonitor", "COS GpuCCMode",   "COS GPUDeviceAttestationBinding"};
    if (!r->cel) return eventlog_type_name(r->type);
    return r->type < sizeof cos / sizeof cos[0] ? cos[r->type] : NULL;
}

const char *eventlog_kind_name(enum eventlog_kind kind) {
    static const char *const names[] = {"TPM 1.2", "TPM 2.0", "CC", "CEL"};
    return names[kind];
}

bool ccel_table_read(struct view v, struct ccel_table *out) {
    struct reader r = reader_of(view_skip(v, 4));
    uint8_t sum = 0;
    if (v.n != 56 || !view_starts(v, VIEW("CCEL")) || read_le32(&r) != v.n) return false;
    for (size_t i = 0; i < v.n; i++) sum = (uint8_t)(sum + v.p[i]);
    r = reader_of(view_skip(v, 36));
    out->cc_type = read_u8(&r);
    out->cc_subtype = read_u8(&r);
    read_le16(&r);
    out->log_size = read_le64(&r);
    out->log_address = read_le64(&r);
    return sum == 0;
}
