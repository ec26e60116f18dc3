/* see rpm_db.h */
#include "oci/rpm_db.h"

#include <stdio.h>

#include "base/reader.h"

#define PAGE_MAX (RPM_DB_BUFFER / 2)
#define DEPTH_MAX 20u /* of a B-tree; SQLite's own bound */

enum tag { NAME, VERSION, RELEASE, ARCH, SOURCERPM, EPOCH, TAGS };
enum { INT32 = 4, STRING = 6 };
static const struct {
    uint32_t tag, type;
    const char *name;
} tags[TAGS] = {
    [NAME] = {1000, STRING, "NAME"}, [VERSION] = {1001, STRING, "VERSION"},     [RELEASE] = {1002, STRING, "RELEASE"},
    [ARCH] = {1022, STRING, "ARCH"}, [SOURCERPM] = {1044, STRING, "SOURCERPM"}, [EPOCH] = {1003, INT32, "EPOCH"}};

/* A header on its way through: count of index entries and size of the store, the index, the store. */
struct header {
    uint64_t at, index_end, end; /* bytes seen; where the store begins; where it ends */
    uint8_t entry[16];
    uint64_t field_at[TAGS]; /* 0: absent */
    uint8_t field[TAGS][PACKAGE_FIELD_MAX + 1];
};

struct walk {
    const struct rpm_db *db;
    struct err *e;
    uint64_t budget; /* bytes that may still be read: a file that leads in circles ends here */
    uint8_t *page, *overflow;
    uint32_t page_size, usable;
    bool big_endian;
    struct header header;
};

static bool load(struct walk *w, uint64_t at, uint8_t *out, size_t n) {
    if (at > w->db->size || n > w->db->size - at || n > w->budget)
        return err_set(w->e, ERR_FORMAT, "it leads in circles, or beyond its end of %llu bytes",
                       (unsigned long long)w->db->size);
    w->budget -= n;
    return w->db->read(w->db->user, at, out, n, w->e);
}

static uint32_t number(const struct walk *w, const uint8_t *p, size_t n) {
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++) value = value << 8 | p[w->big_endian ? i : n - 1 - i];
    return value;
}

/* ---- RPM's header ---- */

static void header_begin(struct walk *w) {
    memset(&w->header, 0, sizeof w->header);
    w->header.index_end = 8;
}

static bool header_index(struct walk *w) {
    struct header *h = &w->header;
    struct reader r = reader_of(view_of(h->entry, sizeof h->entry));
    uint32_t tag = read_be32(&r), type = read_be32(&r), at = read_be32(&r), count = read_be32(&r);
    if (h->at == 8) { /* not an entry yet: how many there are, and the store's size */
        h->index_end += (uint64_t)tag * 16;
        h->end = h->index_end + type;
        return true;
    }
    for (int f = 0; f < TAGS; f++) {
        if (tag != tags[f].tag) continue;
        if (h->field_at[f] || type != tags[f].type || count != 1 || at >= h->end - h->index_end)
            return err_set(w->e, ERR_FORMAT, "a header has %s twice, or of another type", tags[f].name);
        h->field_at[f] = h->index_end + at;
    }
    return true;
}

static bool header_take(struct walk *w, struct view piece) {
    struct header *h = &w->header;
    while (piece.n && h->at < h->index_end) {
        size_t size = h->at < 8 ? 8 : 16, have = (size_t)(h->at < 8 ? h->at : (h->at - 8) % 16);
        struct view part = view_first(piece, size - have);
        memcpy(h->entry + have, part.p, part.n);
        h->at += part.n;
        piece = view_skip(piece, part.n);
        if (have + part.n == size && !header_index(w)) return false;
    }
    for (int f = 0; f < TAGS; f++) {
        uint64_t from = h->field_at[f], to = from + sizeof h->field[f], seen = h->at;
        if (from < seen) from = seen;
        if (to > seen + piece.n) to = seen + piece.n;
        if (h->field_at[f] && from < to)
            memcpy(h->field[f] + (from - h->field_at[f]), piece.p + (from - seen), (size_t)(to - from));
    }
    h->at += piece.n;
    return true;
}

/* NAME-VERSION-RELEASE.src.rpm */
static void name_source(const char *file, struct package_db_entry *out) {
    struct view rest = view_str(file), name = rest;
    for (int dashes = 0; name.n && dashes < 2; name.n--) dashes += name.p[name.n - 1] == '-';
    if (view_ends(rest, VIEW(".src.rpm"))) rest.n -= 8;
    if (view_ends(rest, VIEW(".nosrc.rpm"))) rest.n -= 10;
    out->source = name;
    out->source_version = view_skip(rest, name.n + 1);
}

static bool header_end(struct walk *w) {
    struct header *h = &w->header;
    char version[2 * PACKAGE_FIELD_MAX + 16] = "";
    if (h->at != h->end)
        return err_set(w->e, ERR_FORMAT, "a header says that it has %llu bytes, and has %llu",
                       (unsigned long long)h->end, (unsigned long long)h->at);
    for (int f = 0; f < EPOCH; f++) {
        const uint8_t *end = memchr(h->field[f], 0, sizeof h->field[f]);
        bool there = end && h->field_at[f] + (size_t)(end - h->field[f]) < h->end;
        if (!there || (f < ARCH && end == h->field[f]))
            return err_set(w->e, ERR_FORMAT, "a header's %s is missing, or longer than %u bytes", tags[f].name,
                           PACKAGE_FIELD_MAX);
    }
    struct reader r = reader_of(view_of(h->field[EPOCH], 4));
    uint32_t epoch = read_be32(&r);
    int n = epoch ? sprintf(version, "%u:", epoch) : 0;
    sprintf(version + n, "%s-%s", (char *)h->field[VERSION], (char *)h->field[RELEASE]);
    struct package_db_entry entry = {.name = view_str((char *)h->field[NAME]),
                                     .version = view_str(version),
                                     .arch = view_str((char *)h->field[ARCH])};
    name_source((char *)h->field[SOURCERPM], &entry);
    return w->db->package(w->db->user, &entry, w->e);
}

/* ---- SQLite ---- */

static bool load_page(struct walk *w, uint32_t page, uint8_t *out) {
    return load(w, ((uint64_t)page - 1) * w->page_size, out, w->page_size);
}

static uint64_t read_varint(struct reader *r) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        uint8_t byte = read_u8(r);
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80) return value;
    }
    return value << 8 | read_u8(r);
}

/* The next column's bytes in a record, by its type. */
static struct view read_column(struct reader *types, struct reader *record) {
    static const uint8_t integers[] = {0, 1, 2, 3, 4, 6, 8, 8};
    uint64_t type = read_varint(types);
    return read_bytes(record, type < sizeof integers ? integers[type] : type < 12 ? 0 : (size_t)((type - 12) / 2));
}

/* A row of the schema: where the table "Packages" begins, if that is it. */
static bool schema_row(struct walk *w, struct reader *types, struct reader *record, uint32_t *packages) {
    struct view kind = read_column(types, record), name = read_column(types, record);
    read_column(types, record);
    struct view root = read_column(types, record);
    if (record->bad || types->bad) return err_set(w->e, ERR_FORMAT, "a row of the schema is broken");
    if (!view_is(kind, "table") || !view_is(name, "Packages")) return true;
    if (*packages || root.n > 4) return err_set(w->e, ERR_FORMAT, "the table Packages is there twice, or nowhere");
    *packages = root.n ? number(w, root.p, root.n) : 0;
    return true;
}

/* `cell` reaches from the row's beginning to the page's end. *packages 0, in the schema; NULL: a row of Packages. */
static bool sqlite_row(struct walk *w, struct view cell, uint32_t *packages) {
    struct reader r = reader_of(cell);
    uint64_t n = read_varint(&r), here = n;
    read_varint(&r);
    if (n > w->usable - 35) { /* how much stays on this page: "B-tree Cell Format" */
        uint64_t least = (w->usable - 12) * 32 / 255 - 23;
        here = least + (n - least) % (w->usable - 4);
        if (here > w->usable - 35) here = least;
    }
    struct reader record = reader_of(read_bytes(&r, (size_t)here));
    uint32_t next = here < n ? read_be32(&r) : 0;
    uint64_t header = read_varint(&record), taken = here - record.rest.n;
    struct reader types = reader_of(read_bytes(&record, (size_t)(header - taken)));
    if (packages) return schema_row(w, &types, &record, packages);
    uint64_t id = read_varint(&types), blob = read_varint(&types);
    if (r.bad || record.bad || !reader_done(&types) || id != 0 || blob != 2 * (n - header) + 12)
        return err_set(w->e, ERR_FORMAT, "a row of the table Packages is not a number and a blob");
    header_begin(w);
    if (!header_take(w, record.rest)) return false;
    for (uint64_t left = n - here; left;) {
        if (!load_page(w, next, w->overflow)) return false;
        struct view piece = view_first(view_of(w->overflow + 4, w->usable - 4), (size_t)left);
        if (!header_take(w, piece)) return false;
        next = number(w, w->overflow, 4);
        left -= piece.n;
    }
    return header_end(w);
}

/* Interior pages are loaded anew for each of their children, the last of which takes their place. */
static bool sqlite_table(struct walk *w, uint32_t root, uint32_t *packages) {
    struct place {
        uint32_t page, child;
    } stack[DEPTH_MAX] = {{root, 0}};
    size_t depth = 1;
    while (depth > 0 && depth < DEPTH_MAX) {
        struct place *top = &stack[depth - 1];
        if (!load_page(w, top->page, w->page)) return false;
        struct view page = view_of(w->page, w->usable);
        struct reader r = reader_of(view_skip(page, top->page == 1 ? 100 : 0));
        uint8_t type = read_u8(&r);
        read_bytes(&r, 2);
        uint32_t count = read_be16(&r);
        read_bytes(&r, 3);
        if (r.rest.n < 2 * count + 4) break;
        if (type == 13) {
            for (uint32_t i = 0; i < count; i++)
                if (!sqlite_row(w, view_skip(page, read_be16(&r)), packages)) return false;
            depth--;
        } else if (type == 5) {
            uint32_t last = read_be32(&r), child = top->child++;
            read_bytes(&r, 2 * (size_t)child);
            struct reader cell = reader_of(view_skip(page, read_be16(&r)));
            if (child < count)
                stack[depth++] = (struct place){read_be32(&cell), 0};
            else
                *top = (struct place){last, 0};
        } else {
            break;
        }
    }
    return depth == 0 || err_set(w->e, ERR_FORMAT, "a page of a table is none, or its tree is too deep");
}

static bool read_sqlite(struct walk *w, const uint8_t *head) {
    uint32_t packages = 0;
    w->big_endian = true;
    w->page_size = number(w, head + 16, 2);
    if (w->page_size == 1) w->page_size = PAGE_MAX;
    w->usable = w->page_size - head[20];
    if (w->page_size < 512 || w->usable < 480 || w->page_size & (w->page_size - 1))
        return err_set(w->e, ERR_FORMAT, "SQLite has no pages of %u bytes", w->page_size);
    if (!sqlite_table(w, 1, &packages)) return false;
    return packages ? sqlite_table(w, packages, NULL) : err_set(w->e, ERR_FORMAT, "there is no table Packages");
}

/* ---- NDB: slots of 16 bytes in pages of 4096, the first two of them the file's head; blobs in blocks of 16 ---- */

static bool ndb_blob(struct walk *w, struct reader slot) {
    uint8_t head[16];
    uint32_t magic = read_le32(&slot), index = read_le32(&slot);
    uint64_t at = 16 * (uint64_t)read_le32(&slot), left;
    if (magic != 0x746f6c53) return err_set(w->e, ERR_FORMAT, "a slot is none");
    if (!at) return true;
    if (!load(w, at, head, sizeof head)) return false;
    if (number(w, head, 4) != 0x53626c42 || number(w, head + 4, 4) != index)
        return err_set(w->e, ERR_FORMAT, "the blob of package %u is none", index);
    header_begin(w);
    for (at += sizeof head, left = number(w, head + 12, 4); left;) {
        size_t n = left < PAGE_MAX ? (size_t)left : PAGE_MAX;
        if (!load(w, at, w->overflow, n) || !header_take(w, view_of(w->overflow, n))) return false;
        at += n, left -= n;
    }
    return header_end(w);
}

static bool read_ndb(struct walk *w, const uint8_t *head) {
    uint64_t slots = (uint64_t)number(w, head + 12, 4) * 256;
    for (uint64_t i = 0; i < slots; i++) {
        if (i % 256 == 0 && !load(w, i * 16, w->page, 4096)) return false;
        if (i >= 2 && !ndb_blob(w, reader_of(view_of(w->page + i % 256 * 16, 16)))) return false;
    }
    return slots || err_set(w->e, ERR_FORMAT, "it has no slots");
}

/* ---- Berkeley DB, hash ---- */

enum { BDB_HEAD = 26, BDB_HASH_UNSORTED = 2, BDB_OVERFLOW = 7, BDB_HASH = 13, BDB_INLINE = 1, BDB_OFFPAGE = 3 };

static bool bdb_item(struct walk *w, struct view item) {
    header_begin(w);
    if (item.p[0] == BDB_INLINE) return header_take(w, view_skip(item, 1)) && header_end(w);
    if (item.p[0] != BDB_OFFPAGE || item.n < 12) return err_set(w->e, ERR_FORMAT, "an item of an unknown type");
    uint64_t next = number(w, item.p + 4, 4);
    for (uint32_t left = number(w, item.p + 8, 4); left;) {
        if (!load(w, next * w->page_size, w->overflow, w->page_size)) return false;
        uint32_t n = number(w, w->overflow + 22, 2);
        if (w->overflow[25] != BDB_OVERFLOW || n > left || n > w->page_size - BDB_HEAD)
            return err_set(w->e, ERR_FORMAT, "page %llu holds no part of an item", (unsigned long long)next);
        if (!header_take(w, view_of(w->overflow + BDB_HEAD, n))) return false;
        next = number(w, w->overflow + 16, 4);
        left -= n;
    }
    return header_end(w);
}

/* Keys and items stand in turns, each from its offset to the one before; key 0 is not a package. */
static bool bdb_page(struct walk *w) {
    uint32_t count = number(w, w->page + 20, 2) & ~1u, end = w->page_size;
    for (uint32_t i = 0; i < count; i += 2) {
        const uint8_t *offsets = w->page + BDB_HEAD + 2 * i;
        if (BDB_HEAD + 2 * (i + 2) > w->page_size) end = 0;
        uint32_t key = end ? number(w, offsets, 2) : 0, item = end ? number(w, offsets + 2, 2) : 0;
        if (item < BDB_HEAD || item >= key || key >= end) return err_set(w->e, ERR_FORMAT, "a page's items overlap");
        bool zero = end - key == 5 && number(w, w->page + key + 1, 4) == 0;
        if (!zero && !bdb_item(w, view_of(w->page + item, key - item))) return false;
        end = item;
    }
    return true;
}

static bool read_bdb(struct walk *w, const uint8_t *head) {
    w->page_size = number(w, head + 20, 4);
    if (w->page_size < 512 || w->page_size > PAGE_MAX || head[24])
        return err_set(w->e, ERR_FORMAT, "Berkeley DB: pages of %u bytes, or encrypted", w->page_size);
    for (uint64_t page = 1, last = number(w, head + 32, 4); page <= last; page++) {
        if (!load(w, page * w->page_size, w->page, w->page_size)) return false;
        if ((w->page[25] == BDB_HASH || w->page[25] == BDB_HASH_UNSORTED) && !bdb_page(w)) return false;
    }
    return true;
}

/* ---- */

bool rpm_db_read(const struct rpm_db *db, struct err *e) {
    uint8_t head[36];
    struct walk w = {.db = db, .e = e, .budget = 2 * db->size, .page = db->buffer, .overflow = db->buffer + PAGE_MAX};
    if (!load(&w, 0, head, sizeof head)) return false;
    if (view_starts(view_of(head, sizeof head), VIEW("SQLite format 3\0"))) return read_sqlite(&w, head);
    if (number(&w, head, 4) == 0x506d7052) return read_ndb(&w, head);
    for (int i = 0; i < 2; i++, w.big_endian = true)
        if (number(&w, head + 12, 4) == 0x061561) return read_bdb(&w, head);
    return err_set(e, ERR_FORMAT, "neither SQLite, nor NDB, nor a hash of Berkeley DB");
}
