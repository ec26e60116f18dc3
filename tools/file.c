/* see file.h */
#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_read(const char *what, const char *path, size_t max, struct arena *a, struct view *out, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_set(e, ERR_USAGE, "cannot open the %s %s: %s", what, path, strerror(errno));
    /* Read in place, into what is left of the arena, and claim it afterwards: pipes (`--policy <(...)`) tell no size. */
    uint8_t *p = a->base + a->used;
    size_t n = 0, room = a->size - a->used;
    bool ok = true;
    for (ssize_t got = 1; ok && got != 0 && n <= max;) {
        if (n == room) {
            ok = arena_full(a, e);
            break;
        }
        got = read(fd, p + n, room - n);
        if (got > 0) n += (size_t)got;
        else if (got < 0 && errno == EISDIR) ok = err_set(e, ERR_USAGE, "the %s %s is a directory", what, path);
        else if (got < 0 && errno != EINTR) ok = err_sys(e, "cannot read the %s %s", what, path);
    }
    close(fd);
    if (ok && n > max) ok = err_set(e, ERR_USAGE, "the %s %s has more than %zu bytes", what, path, max);
    if (ok) *out = view_of(arena_alloc(a, n), n);
    else memset(p, 0, n); /* an arena gives zeroes */
    return ok;
}

bool file_put(int fd, struct view v, struct err *e) {
    while (v.n) {
        ssize_t put = write(fd, v.p, v.n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return err_sys(e, "cannot write");
        v = view_skip(v, (size_t)put);
    }
    return true;
}

bool file_write(const char *path, struct view bytes, struct err *e) {
    char temporary[4096];
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && !S_ISREG(st.st_mode)) return err_set(e, ERR_USAGE, "%s is there and is no regular file", path);
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return err_set(e, ERR_USAGE, "%s: too long a name", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) return err_sys(e, "cannot write %s", path);
    mode_t mask = umask(0);
    umask(mask);
    bool ok = file_put(fd, bytes, e);
    if (ok && fchmod(fd, there ? st.st_mode & 0777 : 0666 & ~mask) < 0) ok = err_sys(e, "chmod");
    if (close(fd) < 0 && ok) ok = err_sys(e, "close");
    if (ok && rename(temporary, path) < 0) ok = err_sys(e, "rename");
    if (ok) return true;
    unlink(temporary);
    return err_in(e, "writing %s", path);
}

bool file_beside(const char *name, char out[static FILE_BESIDE_MAX], struct err *e) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return err_sys(e, "where is this program? /proc/self/exe");
    self[n] = 0;
    *strrchr(self, '/') = 0;
    snprintf(out, FILE_BESIDE_MAX, "%s/%s", self, name);
    if (access(out, R_OK) < 0) snprintf(out, FILE_BESIDE_MAX, "%s/../lib/plinth/%s", self, name);
    if (access(out, R_OK) < 0) snprintf(out, FILE_BESIDE_MAX, "%s/%s", self, name);
    return true;
}
