/* see cert_table.h */
#include "tools/appraise/cert_table.h"

#include "base/reader.h"
#include "tee/report.h"
#include "tools/appraise/fields.h"

/* The number of entries before the end; false when there is no end. */
static bool count_entries(struct view bytes, size_t *count) {
    for (*count = 0; *count < CERT_TABLE_ENTRIES_MAX && bytes.n >= SNP_ENTRY_SIZE; (*count)++) {
        if (fields_zero(view_first(bytes, SNP_ENTRY_SIZE))) return true;
        bytes = view_skip(bytes, SNP_ENTRY_SIZE);
    }
    return false;
}

bool cert_table_is(struct view bytes) {
    size_t n;
    count_entries(bytes, &n);
    for (size_t i = 0; i < n; i++)
        if (snp_certificate_kind(view_first(view_skip(bytes, i * SNP_ENTRY_SIZE), SNP_GUID_SIZE)) < SNP_CERTIFICATES) return true;
    return false;
}

bool cert_table_add(struct view bytes, struct pool *p, struct err *e) {
    struct reader in = reader_of(bytes);
    size_t n, start;
    unsigned seen = 0;
    if (!count_entries(bytes, &n))
        return err_set(e, ERR_FORMAT, "certificate table: no entry of zeroes ends it within %zu entries", n);
    start = (n + 1) * SNP_ENTRY_SIZE;
    for (size_t i = 0; i < n; i++) {
        enum snp_certificate kind = snp_certificate_kind(read_bytes(&in, SNP_GUID_SIZE));
        uint32_t offset = read_le32(&in), length = read_le32(&in);
        if (kind == SNP_CERTIFICATES) continue;
        if (offset < start || offset > bytes.n || length > bytes.n - offset)
            return err_set(e, ERR_FORMAT, "certificate table: %s at %u with %u bytes, the files are from %zu to %zu",
                           snp_certificate_name(kind), offset, length, start, bytes.n);
        if (seen & 1u << kind) return err_set(e, ERR_FORMAT, "certificate table: %s is there twice", snp_certificate_name(kind));
        seen |= 1u << kind;
        struct view der = view_first(view_skip(bytes, offset), length);
        if (!(kind == SNP_CRL ? pool_add_crl(p, der, e) : pool_add_certificate(p, der, e)))
            return err_in(e, "certificate table: %s", snp_certificate_name(kind));
    }
    return seen || err_set(e, ERR_FORMAT, "certificate table: no certificate in it");
}
