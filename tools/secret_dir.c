/* see secret_dir.h */
#include "tools/secret_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole file, which is closed; `size` bytes are room enough, or it is refused. */
static bool take(int fd, const char *name, size_t size, struct arena *secrets, struct view *out, struct err *e) {
    uint8_t *p = arena_alloc(secrets, size + 1);
    size_t n = 0;
    bool ok = p || arena_full(secrets, e);
    for (ssize_t got = 1; ok && got && n <= size;) {
        got = read(fd, p + n, size + 1 - n);
        if (got > 0) n += (size_t)got;
        else if (got < 0 && errno != EINTR) ok = err_sys(e, "cannot read %s", name);
    }
    close(fd);
    if (ok && n > size) ok = err_set(e, ERR_POLICY, "%s has more than %zu bytes", name, size);
    if (ok) *out = view_of(p, n);
    return ok;
}

/* "repository/type/tag", whose parts are names that policy_resource has passed: each is opened by itself, and no link
 * is followed. */
static bool take_resource(const struct secret_dir *d, struct view path, size_t max, struct arena *secrets,
                          struct view *out, struct err *e) {
    char name[3][256], whole[1024];
    int fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
    snprintf(whole, sizeof whole, "%s/%.*s", d->path, VIEW_ARG(path));
    for (size_t i = 0; i < 3 && fd >= 0; i++) {
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (i < 2 ? O_DIRECTORY : 0), at = fd;
        bool fits = view_to_str(view_cut(&path, '/', NULL), name[i], sizeof name[i]);
        fd = fits ? openat(at, name[i], flags) : (errno = ENAMETOOLONG, -1);
        int why = errno;
        close(at);
        errno = why;
    }
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) return err_sys(e, "cannot open %s", whole);
    if (fd < 0)
        return err_set(e, ERR_POLICY,
                       errno == ENOENT ? "there is no %s" : "%s: a symbolic link, or no directory, on the way", whole);
    struct stat st;
    if (max > SECRET_DIR_FILE_MAX) max = SECRET_DIR_FILE_MAX;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= max)
        return take(fd, whole, (size_t)st.st_size, secrets, out, e);
    close(fd);
    return err_set(e, ERR_POLICY, "%s is no regular file of at most %zu bytes", whole, max);
}

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e) {
    const struct secret_dir *d = state;
    struct view path;
    for (size_t i = 0; i < d->file_count; i++) {
        if (!view_eq(d->files[i], uri)) continue;
        const char *name = (const char *)d->files[i].p;
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? err_sys(e, "cannot open %s", name) : take(fd, name, max, secrets, out, e);
    }
    if (!policy_resource(uri, &path))
        return err_set(e, ERR_POLICY, "'%.*s' is not kbs:///repository/type/tag", VIEW_ARG(view_first(uri, 200)));
    if (d->path) return take_resource(d, path, max, secrets, out, e);
    err_set(e, ERR_POLICY, "no KBS is asked on the host");
    return err_mend(e, "--secrets DIR, with the resource as DIR/%.*s", VIEW_ARG(view_first(path, 150)));
}

bool secret_dir_open(const char *path, struct secret_dir *out, struct err *e) {
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (path && fd < 0)
        return err_set(e, ERR_USAGE, "cannot open the directory --secrets %s: %s", path, strerror(errno));
    *out = (struct secret_dir){.source = {get, out}, .path = path, .fd = fd};
    return true;
}

bool secret_dir_keys(struct secret_dir *d, const struct option_list *files, struct policy *policy, struct err *e) {
    if (!d->path) policy->decrypt_key_count = 0; /* nobody here has them */
    for (size_t i = 0; i < files->count; i++) {
        if (policy->decrypt_key_count == POLICY_DECRYPT_KEYS_MAX)
            return err_set(e, ERR_USAGE, "--decryption-key and decrypt.keys together name more than %u keys",
                           POLICY_DECRYPT_KEYS_MAX);
        if (access(files->items[i], R_OK) < 0)
            return err_set(e, ERR_USAGE, "cannot read --decryption-key %s: %s", files->items[i], strerror(errno));
        d->files[d->file_count++] = policy->decrypt_keys[policy->decrypt_key_count++] = view_str(files->items[i]);
    }
    return true;
}
