/* see cert_table.h */
#include "tools/appraise/cert_table.h"

#include "base/reader.h"
#include "tools/appraise/fields.h"

#define GUID_SIZE 16u
#define ENTRY_SIZE 24u

static const struct {
    const char *name;
    uint8_t guid[GUID_SIZE];
} known[] = {
    {"VCEK", {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd}},
    {"VLEK", {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1}},
    {"ASK", {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82}},
    {"ARK", {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae}},
    {"CRL", {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea}},
};
#define KNOWN (sizeof known / sizeof *known)
#define CRL (KNOWN - 1)

static size_t which(struct view guid) {
    size_t i = 0;
    while (i < KNOWN && !view_eq(guid, view_of(known[i].guid, GUID_SIZE))) i++;
    return i;
}

/* The number of entries before the end; false when there is no end. */
static bool count_entries(struct view bytes, size_t *count) {
    for (*count = 0; *count < CERT_TABLE_ENTRIES_MAX && bytes.n >= ENTRY_SIZE; (*count)++) {
        if (fields_zero(view_first(bytes, ENTRY_SIZE))) return true;
        bytes = view_skip(bytes, ENTRY_SIZE);
    }
    return false;
}

bool cert_table_is(struct view bytes) {
    size_t n;
    count_entries(bytes, &n);
    for (size_t i = 0; i < n; i++)
        if (which(view_first(view_skip(bytes, i * ENTRY_SIZE), GUID_SIZE)) < KNOWN) return true;
    return false;
}

bool cert_table_add(struct view bytes, struct pool *p, struct err *e) {
    struct reader in = reader_of(bytes);
    size_t n, start, kind;
    unsigned seen = 0;
    if (!count_entries(bytes, &n))
        return err_set(e, ERR_FORMAT, "certificate table: no entry of zeroes ends it within %zu entries", n);
    start = (n + 1) * ENTRY_SIZE;
    for (size_t i = 0; i < n; i++) {
        kind = which(read_bytes(&in, GUID_SIZE));
        uint32_t offset = read_le32(&in), length = read_le32(&in);
        if (kind == KNOWN) continue;
        if (offset < start || offset > bytes.n || length > bytes.n - offset)
            return err_set(e, ERR_FORMAT, "certificate table: %s at %u with %u bytes, the files are from %zu to %zu",
                           known[kind].name, offset, length, start, bytes.n);
        if (seen & 1u << kind) return err_set(e, ERR_FORMAT, "certificate table: %s is there twice", known[kind].name);
        seen |= 1u << kind;
        struct view der = view_first(view_skip(bytes, offset), length);
        if (!(kind == CRL ? pool_add_crl(p, der, e) : pool_add_certificate(p, der, e)))
            return err_in(e, "certificate table: %s", known[kind].name);
    }
    return seen || err_set(e, ERR_FORMAT, "certificate table: no certificate in it");
}
