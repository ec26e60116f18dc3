/* see uki.h */
#include "tools/uki.h"

#include "base/reader.h"
#include "base/writer.h"

#define NEW_MAX 5u
#define PAGE 4096u
#define DATA_READABLE 0x40000040u /* IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ */
#define DEBUG_DIRECTORY 6u

struct placed {
    const char *name;
    struct view bytes;
    uint32_t address, raw_at, raw_size;
};

static uint64_t align_up(uint64_t x, uint64_t to) { return (x + to - 1) & ~(to - 1); }

static void put16(uint8_t *p, uint16_t x) { p[0] = (uint8_t)x, p[1] = (uint8_t)(x >> 8); }
static void put32(uint8_t *p, uint32_t x) { put16(p, (uint16_t)x), put16(p + 2, (uint16_t)(x >> 16)); }

static bool check_cmdline(struct view line, struct err *e) {
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < 0x20 || line.p[i] > 0x7e)
            return err_set(e, ERR_FORMAT, "the command line has byte 0x%02x; the stub takes printable ASCII",
                           line.p[i]);
    if (view_trim(line).n != line.n)
        return err_set(e, ERR_FORMAT, "the command line has blanks at its ends, which the stub would drop");
    return true;
}

/* True when directory `i` of the optional header is not empty. */
static bool has_directory(const struct pe *pe, unsigned i) {
    struct reader r = reader_of(view_skip(pe->file, pe->optional_at + 108));
    if (read_le32(&r) <= i) return false;
    read_bytes(&r, 8 * i);
    return read_le32(&r) != 0;
}

static bool check_stub(const struct pe *stub, const struct placed *new, size_t count, struct err *e) {
    for (size_t i = 0; i < stub->section_count; i++)
        for (size_t j = 0; j < count; j++)
            if (!strcmp(stub->sections[i].name, new[j].name))
                return err_set(e, ERR_FORMAT, "the stub has a section %s already", new[j].name);
    if (stub->section_count + count > PE_SECTIONS_MAX) return err_set(e, ERR_FORMAT, "the stub has too many sections");
    return true;
}

static size_t new_sections(const struct uki_parts *p, struct placed out[static NEW_MAX]) {
    const struct placed all[NEW_MAX] = {{".osrel", p->osrel, 0, 0, 0},
                                        {".cmdline", p->cmdline, 0, 0, 0},
                                        {".uname", p->uname, 0, 0, 0},
                                        {".initrd", p->initrd, 0, 0, 0},
                                        {".linux", p->linux_, 0, 0, 0}};
    size_t n = 0;
    for (size_t i = 0; i < NEW_MAX; i++)
        if (all[i].bytes.n) out[n++] = all[i];
    return n;
}

/* Where the stub's own sections end, in memory and in the file. */
static void ends(const struct pe *pe, uint64_t *memory, uint64_t *first_address, uint64_t *raw) {
    *memory = *raw = pe->headers_size;
    *first_address = UINT32_MAX;
    for (size_t i = 0; i < pe->section_count; i++) {
        const struct pe_section *s = &pe->sections[i];
        uint64_t size = s->memory_size > s->raw_size ? s->memory_size : s->raw_size;
        if (s->address + size > *memory) *memory = s->address + size;
        if (s->address < *first_address) *first_address = s->address;
        if (s->raw_size && (uint64_t)s->raw_at + s->raw_size > *raw) *raw = (uint64_t)s->raw_at + s->raw_size;
    }
}

/* The headers of the result, in place over a copy of the stub's. */
static void write_headers(const struct pe *stub, uint8_t *out, const struct placed *new, size_t count, uint32_t headers,
                          uint32_t moved) {
    uint8_t *optional = out + stub->optional_at, *table = out + stub->table_at;
    const struct placed *last = &new[count - 1];
    struct reader r = reader_of(view_skip(stub->file, stub->optional_at + 8));
    uint32_t initialized = read_le32(&r);
    put16(out + stub->coff_at + 2, (uint16_t)(stub->section_count + count));
    memset(out + stub->coff_at + 8, 0, 8); /* symbols */
    for (size_t i = 0; i < stub->section_count; i++)
        if (stub->sections[i].raw_size) put32(table + i * PE_SECTION_HEADER + 20, stub->sections[i].raw_at + moved);
    for (size_t i = 0; i < count; i++) {
        uint8_t *header = table + (stub->section_count + i) * PE_SECTION_HEADER;
        memset(header, 0, PE_SECTION_HEADER);
        memcpy(header, new[i].name, strlen(new[i].name));
        put32(header + 8, (uint32_t) new[i].bytes.n);
        put32(header + 12, new[i].address);
        put32(header + 16, new[i].raw_size);
        put32(header + 20, new[i].raw_at);
        put32(header + 36, DATA_READABLE);
        initialized += new[i].raw_size;
    }
    put32(optional + 8, initialized);
    put32(optional + 56, (uint32_t)align_up((uint64_t)last->address + last->bytes.n, stub->section_alignment));
    put32(optional + 60, headers);
    put32(optional + 64, 0);
    if (stub->security_at) memset(out + stub->security_at, 0, 8);
}

bool uki_build(const struct uki_parts *parts, struct arena *a, struct view *out, struct err *e) {
    struct pe stub, kernel;
    struct placed new[NEW_MAX];
    size_t count = new_sections(parts, new);
    if (!parts->linux_.n) return err_set(e, ERR_USAGE, "no kernel for the image");
    if (!pe_read(parts->stub, &stub, e)) return err_in(e, "stub");
    if (!pe_read(parts->linux_, &kernel, e)) return err_in(e, "kernel");
    if (!check_cmdline(parts->cmdline, e) || !check_stub(&stub, new, count, e)) return false;

    uint64_t memory, first_address, raw;
    uint64_t table_end = stub.table_at + (stub.section_count + count) * PE_SECTION_HEADER;
    ends(&stub, &memory, &first_address, &raw);
    uint64_t headers = table_end > stub.headers_size ? align_up(table_end, stub.file_alignment) : stub.headers_size;
    uint64_t moved = headers - stub.headers_size, raw_end = raw + moved,
             alignment = stub.section_alignment > PAGE ? stub.section_alignment : PAGE;
    if (headers > first_address)
        return err_set(e, ERR_FORMAT, "the stub's first section leaves no room for %zu more headers", count);
    if (moved && has_directory(&stub, DEBUG_DIRECTORY))
        return err_set(e, ERR_FORMAT, "the stub's debug directory would have to move");
    raw_end = align_up(raw_end, stub.file_alignment);
    for (size_t i = 0; i < count; i++) {
        memory = align_up(memory, alignment);
        new[i].address = (uint32_t)memory;
        new[i].raw_at = (uint32_t)raw_end;
        new[i].raw_size = (uint32_t)align_up(new[i].bytes.n, stub.file_alignment);
        memory += new[i].bytes.n;
        raw_end += new[i].raw_size;
        if (memory > INT32_MAX || raw_end > INT32_MAX)
            return err_set(e, ERR_USAGE, "the image would have more than 2 GiB");
    }
    uint8_t *bytes = arena_alloc(a, (size_t)raw_end);
    if (!bytes) return arena_full(a, e);
    memcpy(bytes, parts->stub.p, stub.headers_size);
    memcpy(bytes + headers, parts->stub.p + stub.headers_size, (size_t)raw - stub.headers_size);
    for (size_t i = 0; i < count; i++) memcpy(bytes + new[i].raw_at, new[i].bytes.p, new[i].bytes.n);
    write_headers(&stub, bytes, new, count, (uint32_t)headers, (uint32_t)moved);
    *out = view_of(bytes, (size_t)raw_end);
    return pe_read(*out, &kernel, e) || err_in(e, "the image made");
}

unsigned uki_stub_version(const struct pe *pe) {
    struct view text, prefix = VIEW("#### LoaderInfo: systemd-stub ");
    size_t zeros;
    unsigned version = 0;
    if (!pe_section(pe, ".sdmagic", &text, &zeros) || !view_starts(text, prefix)) return 0;
    text = view_skip(text, prefix.n);
    for (size_t i = 0; i < text.n && i < 4 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        version = version * 10 + (text.p[i] - '0');
    return version;
}

const char *const *uki_measured(unsigned stub_version) {
    static const char *const v252[] = {".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey", NULL};
    static const char *const v254[] = {".linux", ".osrel", ".cmdline", ".initrd",  ".ucode",   ".splash", ".dtb",
                                       ".uname", ".sbat",  ".pcrpkey", ".profile", ".dtbauto", ".hwids",  NULL};
    return stub_version == 252 ? v252 : stub_version >= 254 && stub_version <= 257 ? v254 : NULL;
}
