/* see event.h */
#include "tee/event.h"

#include "base/reader.h"

uint16_t tpm2_alg(enum hash_alg alg) {
    return alg == HASH_SHA256 ? TPM2_ALG_SHA256 : alg == HASH_SHA384 ? TPM2_ALG_SHA384 : TPM2_ALG_SHA512;
}

bool tpm2_hash(uint16_t tpm_alg, enum hash_alg *alg) {
    for (enum hash_alg i = HASH_SHA256; i <= HASH_SHA512; i++)
        if (tpm2_alg(i) == tpm_alg) return *alg = i, true;
    return false;
}

static bool printable(struct view v, uint8_t lowest) {
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < lowest || v.p[i] > 0x7e) return false;
    return true;
}

bool event_encode(const char *domain, const char *operation, struct view content, struct writer *out, struct err *e) {
    struct view first = view_str(domain), second = view_str(operation);
    if (!first.n || !second.n || !printable(first, 0x21) || !printable(second, 0x21) || !printable(content, 0x20))
        return err_set(e, ERR_FORMAT, "event \"%s %s\": only printable ASCII can be measured, without space in a name",
                       domain, operation);
    size_t n = first.n + second.n + 2 + content.n;
    if (n > EVENT_TEXT_MAX || out->full || n + 8 > out->size - out->n)
        return err_set(e, ERR_FORMAT, "event \"%s %s\" has %zu bytes, at most %u can be measured", domain, operation, n,
                       EVENT_TEXT_MAX);
    write_le32(out, EVENT_TAG_AAEL);
    write_le32(out, (uint32_t)n);
    write_bytes(out, first);
    write_u8(out, ' ');
    write_bytes(out, second);
    write_u8(out, ' ');
    write_bytes(out, content);
    return true;
}

void register_extend(struct register_bank *bank, const uint8_t *digest) {
    struct hash h;
    hash_init(&h, bank->alg);
    hash_update(&h, view_of(bank->value, hash_size(bank->alg)));
    hash_update(&h, view_of(digest, hash_size(bank->alg)));
    hash_final(&h, bank->value);
}

void event_record(uint32_t mr_index, const struct register_bank *banks, size_t bank_count, struct view event,
                  struct writer *log) {
    write_le32(log, mr_index);
    write_le32(log, EVENT_EVENT_TAG);
    write_le32(log, (uint32_t)bank_count);
    for (size_t i = 0; i < bank_count; i++) {
        uint8_t digest[HASH_MAX];
        hash_once(banks[i].alg, event, digest);
        write_le16(log, tpm2_alg(banks[i].alg));
        write_bytes(log, view_of(digest, hash_size(banks[i].alg)));
    }
    write_le32(log, (uint32_t)event.n);
    write_bytes(log, event);
}

void event_log_header(const struct register_bank *banks, size_t bank_count, struct writer *log) {
    static const uint8_t no_digest[20], platform[] = {0, 0, 0, 0, 0, 2, 0, 2}; /* client; 2.0 errata 0; 64-bit UINTN */
    write_le32(log, 0);
    write_le32(log, EVENT_NO_ACTION);
    write_bytes(log, view_of(no_digest, sizeof no_digest));
    write_le32(log, (uint32_t)(16 + sizeof platform + 4 + 4 * bank_count + 1));
    write_bytes(log, VIEW("Spec ID Event03\0"));
    write_bytes(log, view_of(platform, sizeof platform));
    write_le32(log, (uint32_t)bank_count);
    for (size_t i = 0; i < bank_count; i++) {
        write_le16(log, tpm2_alg(banks[i].alg));
        write_le16(log, (uint16_t)hash_size(banks[i].alg));
    }
    write_u8(log, 0); /* no vendor information */
}

/* Header record and the others differ in their digests: one SHA-1 of 20 bytes; a counted list. */
static void skip_record(struct reader *r, bool first) {
    enum hash_alg alg;
    read_bytes(r, 8); /* mrIndex, type */
    uint32_t count = first ? 0 : read_le32(r);
    if (first) read_bytes(r, 20);
    if (count > 8) r->bad = true;
    for (; count && !r->bad; count--) {
        uint16_t id = read_le16(r);
        if (tpm2_hash(id, &alg)) read_bytes(r, hash_size(alg));
        else if (id == TPM2_ALG_SHA1 || id == TPM2_ALG_SM3) read_bytes(r, id == TPM2_ALG_SHA1 ? 20 : 32);
        else r->bad = true;
    }
    read_bytes(r, read_le32(r));
}

bool event_log_end(struct view area, struct view *records, struct err *e) {
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255}, zeros[8];
    struct reader r = reader_of(area);
    for (bool first = true;
         r.rest.n && (first || (!view_starts(r.rest, view_of(ones, 8)) && !view_starts(r.rest, view_of(zeros, 8))));
         first = false) {
        size_t at = area.n - r.rest.n;
        skip_record(&r, first);
        if (r.bad)
            return err_set(e, ERR_FORMAT, "the record at offset %zu of %zu is cut, or of an unknown form", at, area.n);
    }
    *records = view_first(area, area.n - r.rest.n);
    return true;
}
