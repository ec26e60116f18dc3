/* see cpio.h */
#include "tools/cpio.h"

#include <stdlib.h>
#include <sys/stat.h>

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct cpio_entry *)a)->path, ((const struct cpio_entry *)b)->path);
}

static bool path_is_plain(struct view path) {
    bool more = true;
    if (path.n > CPIO_PATH_MAX || view_is(path, "TRAILER!!!")) return false;
    while (more) {
        struct view part = view_cut(&path, '/', &more);
        if (part.n == 0 || view_is(part, ".") || view_is(part, "..")) return false;
    }
    return true;
}

static bool has_parent(const struct cpio_entry *entries, size_t count, const char *path) {
    char parent[CPIO_PATH_MAX + 1];
    const char *slash = strrchr(path, '/');
    if (!slash) return true;
    if (!view_to_str(view_of(path, (size_t)(slash - path)), parent, sizeof parent)) return false;
    const struct cpio_entry key = {.path = parent}, *found = bsearch(&key, entries, count, sizeof key, by_path);
    return found && S_ISDIR(found->mode);
}

static void pad(struct writer *out, size_t start) {
    while ((out->n - start) % 4 && !out->full) write_u8(out, 0);
}

static void number(struct writer *out, size_t x) {
    const uint8_t be[4] = {(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x};
    write_hex(out, view_of(be, 4));
}

static void put(struct writer *out, size_t start, size_t inode, const struct cpio_entry *t) {
    size_t links = S_ISDIR(t->mode) ? 2 : 1, name = strlen(t->path) + 1;
    const size_t fields[] = {inode, t->mode, 0, 0, links, 0, t->content.n, 0, 0, t->major, t->minor, name, 0};
    write_text(out, "070701");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) number(out, fields[i]);
    write_bytes(out, view_of(t->path, name));
    pad(out, start);
    write_bytes(out, t->content);
    pad(out, start);
}

bool cpio_write(struct cpio_entry *entries, size_t count, struct writer *out, struct err *e) {
    qsort(entries, count, sizeof *entries, by_path);
    for (size_t i = 0; i < count; i++) {
        const char *path = entries[i].path;
        if (!path_is_plain(view_str(path))) return err_set(e, ERR_USAGE, "'%s' is no path for an initramfs", path);
        if (i && !strcmp(path, entries[i - 1].path)) return err_set(e, ERR_USAGE, "/%s is there twice", path);
        if (!has_parent(entries, count, path)) return err_set(e, ERR_USAGE, "/%s is in no directory", path);
        if (entries[i].content.n > UINT32_MAX) return err_set(e, ERR_USAGE, "/%s has 4 GiB or more", path);
    }
    size_t start = out->n;
    for (size_t i = 0; i < count; i++) put(out, start, i + 1, &entries[i]);
    put(out, start, 0, &(struct cpio_entry){.path = "TRAILER!!!"});
    return !out->full || err_set(e, ERR_SYSTEM, "the archive has more than %zu bytes", out->size);
}
