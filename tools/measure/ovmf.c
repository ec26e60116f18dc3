/* see ovmf.h */
#include "tools/measure/ovmf.h"

#include "base/reader.h"

#define PAGE 4096u
#define FOOTER_AT 50u
#define ENTRY_HEADER 18u

/* In the order of the bytes: the first three fields are little-endian. */
static const uint8_t footer_guid[] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                      0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t reset_guid[] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                     0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t hashes_guid[] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                      0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t sev_guid[] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                   0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t svsm_guid[] = {0x12, 0xa6, 0x89, 0xa7, 0x97, 0x05, 0x4b, 0x4c,
                                    0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd};
static const uint8_t tdx_guid[] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                   0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};

/* The bytes of an entry; *found says whether there is one. The last in the file counts, as for the firmware. */
static bool table_entry(struct view file, const uint8_t guid[static 16], struct view *out, bool *found, struct err *e) {
    *found = false;
    if (file.n < FOOTER_AT || memcmp(file.p + file.n - FOOTER_AT + 2, footer_guid, 16) != 0)
        return err_set(e, ERR_FORMAT, "firmware: no table of GUIDs at its end");
    struct reader r = reader_of(view_skip(file, file.n - FOOTER_AT));
    size_t size = read_le16(&r), end = file.n - FOOTER_AT;
    if (size < ENTRY_HEADER || size - ENTRY_HEADER > end)
        return err_set(e, ERR_FORMAT, "firmware: its table of %zu bytes does not fit", size);
    for (size_t left = size - ENTRY_HEADER; left;) {
        if (left < ENTRY_HEADER) return err_set(e, ERR_FORMAT, "firmware: a cut entry in its table");
        r = reader_of(view_skip(file, end - ENTRY_HEADER));
        size_t n = read_le16(&r);
        if (n < ENTRY_HEADER || n > left)
            return err_set(e, ERR_FORMAT, "firmware: a table entry of %zu bytes, where %zu are left", n, left);
        if (!memcmp(r.rest.p, guid, 16)) {
            *out = view_of(file.p + end - n, n - ENTRY_HEADER);
            *found = true;
            return true;
        }
        end -= n;
        left -= n;
    }
    return true;
}

/* The first number of an entry; 0 without one. */
static bool table_number(struct view file, const uint8_t guid[static 16], uint32_t *out, bool *found, struct err *e) {
    struct view bytes = {0};
    if (!table_entry(file, guid, &bytes, found, e)) return false;
    struct reader r = reader_of(bytes);
    *out = *found ? read_le32(&r) : 0;
    return !r.bad || err_set(e, ERR_FORMAT, "firmware: a table entry of %zu bytes has no room for a number", bytes.n);
}

/* Metadata `at` bytes before the end: signature[4] | u32 size with the sections | u32 version 1 | u32 count. Leaves the
 * sections. */
static bool metadata(struct view file, uint32_t at, const char *signature, size_t entry, size_t *count,
                     struct reader *out, struct err *e) {
    if (at > file.n)
        return err_set(e, ERR_FORMAT, "firmware: its %s metadata would start %u bytes before the end of %zu bytes",
                       signature, at, file.n);
    struct reader r = reader_of(view_skip(file, file.n - at));
    struct view sign = read_bytes(&r, 4);
    uint32_t size = read_le32(&r), version = read_le32(&r);
    *count = read_le32(&r);
    if (r.bad || !view_is(sign, signature) || version != 1)
        return err_set(e, ERR_FORMAT, "firmware: no %s metadata of version 1 where it should be", signature);
    if (*count > OVMF_SECTIONS_MAX || size < 16 + *count * entry || *count * entry > r.rest.n)
        return err_set(e, ERR_FORMAT, "firmware: %s metadata of %u bytes with %zu sections", signature, size, *count);
    *out = r;
    return true;
}

bool ovmf_read_sev(struct view file, struct ovmf_sev *out, struct err *e) {
    struct ovmf_sev sev = {0};
    struct reader r;
    uint32_t at;
    bool found;
    if (!table_number(file, reset_guid, &sev.reset_eip, &found, e) ||
        !table_number(file, hashes_guid, &sev.hash_table_gpa, &found, e) ||
        !table_number(file, svsm_guid, &sev.svsm_start, &sev.is_svsm, e) ||
        !table_number(file, sev_guid, &at, &found, e))
        return false;
    if (at && !metadata(file, at, "ASEV", 12, &sev.count, &r, e)) return false;
    for (size_t i = 0; i < sev.count; i++) {
        struct ovmf_sev_section *s = &sev.sections[i];
        s->gpa = read_le32(&r);
        s->size = read_le32(&r);
        s->type = read_le32(&r);
        bool known = (s->type >= OVMF_SEC_MEM && s->type <= OVMF_SVSM_CAA) || s->type == OVMF_KERNEL_HASHES;
        bool one_page = s->type == OVMF_SECRETS || s->type == OVMF_CPUID || s->type == OVMF_KERNEL_HASHES;
        if (!known)
            return err_set(e, ERR_FORMAT, "firmware: SEV metadata section %zu has type %u, which is not known", i,
                           s->type);
        if (s->gpa % PAGE || s->size % PAGE || s->size > OVMF_MEMORY_MAX || (one_page && s->size != PAGE))
            return err_set(e, ERR_FORMAT, "firmware: SEV metadata section %zu has %u bytes at 0x%x", i, s->size,
                           s->gpa);
    }
    *out = sev;
    return true;
}

bool ovmf_read_tdx(struct view file, struct ovmf_tdx *out, struct err *e) {
    struct ovmf_tdx tdx = {0};
    struct reader r;
    uint32_t at;
    bool found;
    if (!table_number(file, tdx_guid, &at, &found, e)) return false;
    if (!at) return err_set(e, ERR_FORMAT, "firmware: no TDVF metadata");
    if (!metadata(file, at, "TDVF", 32, &tdx.count, &r, e)) return false;
    for (size_t i = 0; i < tdx.count; i++) {
        struct ovmf_tdx_section *s = &tdx.sections[i];
        s->raw_at = read_le32(&r);
        s->raw_size = read_le32(&r);
        s->gpa = read_le64(&r);
        s->memory_size = read_le64(&r);
        s->type = read_le32(&r);
        s->attributes = read_le32(&r);
        if (s->raw_size && (s->raw_at > file.n || s->raw_size > file.n - s->raw_at)) {
            err_set(e, ERR_FORMAT, "firmware: TDVF section %zu has %u bytes at %u, the file %zu bytes", i, s->raw_size,
                    s->raw_at, file.n);
            return err_mend(e, "an image with code and variables in one file is measured: OVMF.fd, not OVMF_CODE.fd");
        }
        if (s->gpa % PAGE || s->memory_size % PAGE || s->raw_size > s->memory_size ||
            s->memory_size > OVMF_MEMORY_MAX || s->gpa > UINT64_MAX - OVMF_MEMORY_MAX)
            return err_set(e, ERR_FORMAT, "firmware: TDVF section %zu: %u bytes for %llu of memory at 0x%llx", i,
                           s->raw_size, (unsigned long long)s->memory_size, (unsigned long long)s->gpa);
        if ((s->attributes & TDVF_MR_EXTEND) && !s->raw_size && s->type < 2)
            return err_set(e, ERR_FORMAT, "firmware: TDVF section %zu is measured and empty", i);
    }
    *out = tdx;
    return true;
}
