/* see pe.h */
#include "tools/measure/pe.h"

#include "base/reader.h"

#define COFF_SIZE 20u
#define PE32_PLUS 0x20bu
#define CHECKSUM_AT 64u /* in the optional header */
#define DIRECTORIES_AT 112u
#define SECURITY 4u /* index of the certificate table among the data directories */

static bool power_of_two(uint32_t x) { return x && !(x & (x - 1)); }

static struct reader at(struct view file, size_t offset) { return reader_of(view_skip(file, offset)); }

static bool read_section(struct reader *r, struct view file, struct pe_section *out) {
    struct view name = read_bytes(r, 8);
    if (!r->bad) memcpy(out->name, name.p, 8);
    out->memory_size = read_le32(r);
    out->address = read_le32(r);
    out->raw_size = read_le32(r);
    out->raw_at = read_le32(r);
    read_bytes(r, 16);
    return !r->bad && (out->raw_size == 0 || (out->raw_at <= file.n && out->raw_size <= file.n - out->raw_at));
}

static bool read_optional(struct pe *pe, size_t size, struct err *e) {
    struct reader r = at(pe->file, pe->optional_at);
    struct view all = read_bytes(&r, size);
    if (r.bad || size < DIRECTORIES_AT) return err_set(e, ERR_FORMAT, "PE: the optional header is cut");
    r = reader_of(all);
    uint16_t magic = read_le16(&r);
    if (magic != PE32_PLUS)
        return err_set(e, ERR_FORMAT, "PE: the optional header's magic is 0x%x, not 0x20b (PE32+)", magic);
    r = at(all, 32);
    pe->section_alignment = read_le32(&r);
    pe->file_alignment = read_le32(&r);
    r = at(all, 56);
    pe->image_size = read_le32(&r);
    pe->headers_size = read_le32(&r);
    r = at(all, DIRECTORIES_AT - 4);
    uint32_t directories = read_le32(&r);
    if (!power_of_two(pe->section_alignment) || !power_of_two(pe->file_alignment))
        return err_set(e, ERR_FORMAT, "PE: an alignment that is no power of two");
    if (directories > 16 || DIRECTORIES_AT + 8 * directories > size)
        return err_set(e, ERR_FORMAT, "PE: %u data directories do not fit the optional header", directories);
    if (directories <= SECURITY) return true;
    r = at(all, DIRECTORIES_AT + 8 * SECURITY);
    uint32_t from = read_le32(&r), n = read_le32(&r);
    if (n && (from > pe->file.n || n > pe->file.n - from))
        return err_set(e, ERR_FORMAT, "PE: the certificates lie outside the file");
    pe->security_at = pe->optional_at + DIRECTORIES_AT + 8 * SECURITY;
    pe->security_size = n;
    return true;
}

bool pe_read(struct view file, struct pe *out, struct err *e) {
    struct pe pe = {.file = file};
    struct reader r = reader_of(file);
    if (read_le16(&r) != 0x5a4d) return err_set(e, ERR_FORMAT, "PE: it does not start with MZ");
    r = at(file, 0x3c);
    uint32_t start = read_le32(&r);
    r = at(file, start);
    if (read_le32(&r) != 0x00004550) return err_set(e, ERR_FORMAT, "PE: no signature PE at offset %u", start);
    pe.coff_at = (size_t)start + 4;
    pe.optional_at = pe.coff_at + COFF_SIZE;
    read_le16(&r);
    pe.section_count = read_le16(&r);
    read_bytes(&r, 12);
    size_t optional_size = read_le16(&r);
    if (r.bad || pe.section_count > PE_SECTIONS_MAX)
        return err_set(e, ERR_FORMAT, "PE: the COFF header is cut, or names too many sections");
    if (!read_optional(&pe, optional_size, e)) return false;
    pe.table_at = pe.optional_at + optional_size;
    r = at(file, pe.table_at);
    for (size_t i = 0; i < pe.section_count; i++)
        if (!read_section(&r, file, &pe.sections[i]))
            return err_set(e, ERR_FORMAT, "PE: section %zu lies outside the file", i);
    size_t table_end = pe.table_at + PE_SECTION_HEADER * pe.section_count;
    if (pe.headers_size > file.n || pe.headers_size < table_end)
        return err_set(e, ERR_FORMAT, "PE: SizeOfHeaders is %zu; the section table ends at %zu, the file at %zu",
                       pe.headers_size, table_end, file.n);
    *out = pe;
    return true;
}

/* Indices of the sections with bytes in the file, by where those are. */
static size_t by_offset(const struct pe *pe, size_t order[static PE_SECTIONS_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < pe->section_count; i++) {
        if (!pe->sections[i].raw_size) continue;
        size_t j = n++;
        for (; j && pe->sections[order[j - 1]].raw_at > pe->sections[i].raw_at; j--) order[j] = order[j - 1];
        order[j] = i;
    }
    return n;
}

static void add(struct hash *h, struct view file, size_t from, size_t to) {
    hash_update(h, view_first(view_skip(file, from), to - from));
}

bool pe_authenticode(const struct pe *pe, enum hash_alg alg, uint8_t *out, struct err *e) {
    struct hash h;
    size_t order[PE_SECTIONS_MAX], count = by_offset(pe, order), checksum = pe->optional_at + CHECKSUM_AT;
    uint64_t hashed = pe->headers_size, end = pe->file.n - pe->security_size;
    hash_init(&h, alg);
    add(&h, pe->file, 0, checksum);
    add(&h, pe->file, checksum + 4, pe->security_at ? pe->security_at : pe->headers_size);
    if (pe->security_at) add(&h, pe->file, pe->security_at + 8, pe->headers_size);
    for (size_t i = 0; i < count; i++) {
        const struct pe_section *s = &pe->sections[order[i]];
        hashed += s->raw_size;
        if (hashed > pe->file.n) break; /* before hashing 96 times the file */
        add(&h, pe->file, s->raw_at, (size_t)s->raw_at + s->raw_size);
    }
    if (hashed > end)
        return err_set(e, ERR_FORMAT, "PE: headers and sections are %llu bytes, the file without certificates is %llu",
                       (unsigned long long)hashed, (unsigned long long)end);
    add(&h, pe->file, (size_t)hashed, (size_t)end);
    hash_final(&h, out);
    return true;
}

bool pe_section(const struct pe *pe, const char *name, struct view *out, size_t *zeros) {
    for (size_t i = 0; i < pe->section_count; i++) {
        const struct pe_section *s = &pe->sections[i];
        if (strcmp(s->name, name)) continue;
        if (!s->memory_size) return false;
        *out = view_first(view_of(pe->file.p + s->raw_at, s->raw_size), s->memory_size);
        *zeros = s->memory_size - out->n;
        return true;
    }
    return false;
}
