/* see layout.h */
#include "layout.h"

#include "format/json.h"
#include "worker/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A regular file of the room, which is the current directory. *fd -1 and true when there is none. O_NONBLOCK: a FIFO
 * shall not stop us. */
static bool open_file(const char *path, int *fd, uint64_t *size, struct err *e) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return errno == ENOENT || err_sys(e, "cannot open %s in the image layout", path);
    bool ok = fstat(*fd, &st) == 0 || err_sys(e, "cannot look at %s in the image layout", path);
    if (ok && !S_ISREG(st.st_mode)) ok = err_set(e, ERR_FORMAT, "%s in the image layout is not a file", path);
    *size = ok ? (uint64_t)st.st_size : 0;
    if (!ok) close(*fd);
    return ok;
}

/* The next bytes of a file; *n 0 at its end. */
static bool read_some(int fd, const char *path, uint8_t *p, size_t size, size_t *n, struct err *e) {
    ssize_t got;
    do got = read(fd, p, size);
    while (got < 0 && errno == EINTR);
    if (got < 0) return err_sys(e, "cannot read %s in the image layout", path);
    *n = (size_t)got;
    return true;
}

static bool read_file(const char *path, struct arena *a, struct view *out, bool *found, struct err *e) {
    int fd;
    uint64_t size;
    if (!open_file(path, &fd, &size, e)) return false;
    *found = fd >= 0;
    if (!*found) return true;
    bool ok = size <= MANIFEST_MAX || err_set(e, ERR_FORMAT, "%s has %llu bytes, at most %u are read", path,
                                              (unsigned long long)size, MANIFEST_MAX);
    uint8_t *p = ok ? arena_alloc(a, (size_t)size) : NULL;
    if (ok && !p) ok = arena_full(a, e);
    size_t at = 0, n = 1;
    while (ok && n && at < size) {
        ok = read_some(fd, path, p + at, (size_t)size - at, &n, e);
        at += n;
    }
    close(fd);
    *out = view_of(p, at);
    return ok;
}

static void blob_path(const struct digest *d, char *out, size_t size) {
    char text[DIGEST_TEXT_SIZE];
    snprintf(out, size, "blobs/sha256/%s", digest_text(d, text) + 7);
}

static bool layout_open(void *state, const struct fetch_source *source, struct view ca_pem, struct err *e) {
    (void)source;
    (void)ca_pem;
    struct layout *l = state;
    struct view text, version;
    const json *root, *manifests;
    bool found;
    if (!arena_make(&l->arena, 14u << 20, e) || !read_file("oci-layout", &l->arena, &text, &found, e)) return false;
    if (!found) return err_set(e, ERR_FORMAT, "this is no OCI image layout: the file oci-layout is missing");
    if (!json_parse(text, &l->arena, &root, e) ||
        !json_need_text(root, "imageLayoutVersion", "oci-layout", &version, e))
        return err_in(e, "image layout");
    if (!view_is(version, "1.0.0"))
        return err_set(e, ERR_FORMAT, "oci-layout: imageLayoutVersion is '%.*s', known is 1.0.0", VIEW_ARG(version));
    if (!read_file("index.json", &l->arena, &text, &found, e)) return false;
    if (!found) return err_set(e, ERR_FORMAT, "the image layout has no index.json");
    if (!json_parse(text, &l->arena, &root, e) || !json_need_array(root, "manifests", "index.json", &manifests, e))
        return err_in(e, "image layout");
    l->manifests = manifests;
    return true;
}

/* The entry of index.json with this tag or (by_digest) this digest. *entry NULL when there is none. */
static bool find(const struct layout *l, struct view wanted, bool by_digest, const json **entry, struct err *e) {
    const json *untagged = NULL;
    size_t untagged_count = 0;
    *entry = NULL;
    for (struct json_iter it = json_each(l->manifests); json_next(&it);) {
        struct view tag = json_text(json_get(json_get(it.value, "annotations"), "org.opencontainers.image.ref.name"));
        if (!tag.n) {
            untagged = it.value;
            untagged_count++;
        }
        if (!view_eq(by_digest ? json_text(json_get(it.value, "digest")) : tag, wanted)) continue;
        if (*entry && !by_digest)
            return err_set(e, ERR_FORMAT, "index.json: the tag '%.*s' stands there twice", VIEW_ARG(wanted));
        *entry = it.value;
    }
    if (!*entry && !by_digest && view_is(wanted, "latest") && untagged_count == 1) *entry = untagged;
    return true;
}

static bool layout_manifest(void *state, struct view reference, struct arena *a, struct view *bytes,
                            struct view *media_type, bool *found, struct err *e) {
    struct layout *l = state;
    struct digest digest;
    const json *entry;
    char path[96];
    bool by_digest = reference.n && memchr(reference.p, ':', reference.n);
    if (!find(l, reference, by_digest, &entry, e)) return false;
    *found = entry || by_digest;
    if (!*found) return true;
    struct view text = by_digest ? reference : json_text(json_get(entry, "digest"));
    if (!digest_parse(text, &digest, e)) return err_in(e, "index.json");
    blob_path(&digest, path, sizeof path);
    struct view type = json_text(json_get(entry, "mediaType"));
    *media_type = arena_copy(a, type);
    if (type.n && !media_type->n) return arena_full(a, e);
    if (!read_file(path, a, bytes, found, e)) return false;
    return *found || by_digest || err_set(e, ERR_FORMAT, "the image layout has no %s, which index.json names", path);
}

/* Whether the manifest of an entry of index.json names `wanted` as its subject. What cannot be read names nothing. */
static bool refers_to(const json *entry, const struct digest *wanted, struct digest *out) {
    struct arena a = {0};
    struct view bytes;
    struct referrer r;
    struct err ignored;
    bool found;
    char path[96];
    if (!digest_parse(json_text(json_get(entry, "digest")), out, &ignored)) return false;
    blob_path(out, path, sizeof path);
    bool yes = arena_make(&a, 6 * MANIFEST_MAX, &ignored) && read_file(path, &a, &bytes, &found, &ignored) && found &&
               referrer_parse(bytes, &a, &r, &ignored) && r.has_subject && digest_eq(&r.subject, wanted);
    arena_drop(&a);
    return yes;
}

static bool layout_referrers(void *state, struct view subject, struct arena *a, struct digest *out, size_t max,
                             size_t *count, bool *complete, struct err *e) {
    (void)a;
    const struct layout *l = state;
    struct digest wanted, found;
    if (!digest_parse(subject, &wanted, e)) return false;
    *count = 0;
    *complete = false;
    for (struct json_iter it = json_each(l->manifests); json_next(&it);) {
        if (!refers_to(it.value, &wanted, &found)) continue;
        if (*count == max)
            return err_set(e, ERR_FORMAT, "more than %zu manifests of the image layout refer to %.*s", max,
                           VIEW_ARG(subject));
        out[(*count)++] = found;
    }
    return true;
}

static bool layout_blob(void *state, struct view digest, uint64_t size,
                        bool (*sink)(void *sink_state, struct view bytes, struct err *e), void *sink_state,
                        struct err *e) {
    (void)state;
    struct digest d;
    char path[96];
    uint8_t buffer[65536];
    uint64_t there, at = 0;
    int fd;
    if (!digest_parse(digest, &d, e)) return false;
    blob_path(&d, path, sizeof path);
    if (!open_file(path, &fd, &there, e)) return false;
    if (fd < 0) return err_set(e, ERR_FORMAT, "the image layout has no %s", path);
    bool ok = there == size || err_set(e, ERR_DIGEST, "%s has %llu bytes, the descriptor says %llu", path,
                                       (unsigned long long)there, (unsigned long long)size);
    for (size_t n = 1; ok && n && at < size; at += n) {
        ok = read_some(fd, path, buffer, size - at < sizeof buffer ? (size_t)(size - at) : sizeof buffer, &n, e) &&
             sink(sink_state, view_of(buffer, n), e);
    }
    close(fd);
    if (ok && at != size) ok = err_set(e, ERR_DIGEST, "%s became shorter while it was read", path);
    return ok;
}

const struct source_ops layout_ops = {layout_open, layout_manifest, layout_referrers, layout_blob, NULL, NULL};

int layout_main(void) {
    struct layout l = {0};
    return fetch_main(CONFINE_READER, &layout_ops, &l);
}
