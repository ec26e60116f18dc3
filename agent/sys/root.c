/* see root.h */
#include "sys/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_SIZE 4096 /* PATH_MAX */

int root_open(int root, const char *path, int flags, bool links) {
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_NO_MAGICLINKS};
    if (root != AT_FDCWD) how.resolve |= RESOLVE_IN_ROOT;
    if (!links) how.resolve |= RESOLVE_NO_SYMLINKS;
    return (int)syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof how);
}

int root_directory(int root, const char *path, mode_t mode, bool links, struct err *e) {
    char part[PATH_SIZE];
    int at = root_open(root, "/", O_PATH | O_DIRECTORY, links);
    for (size_t from = 0, end; at >= 0 && path[from]; from = end) {
        from += strspn(path + from, "/");
        end = from + strcspn(path + from, "/");
        if (end >= sizeof part) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(part, path, end);
        part[end] = 0;
        int next = root_open(root, part, O_PATH | O_DIRECTORY, links);
        if (next < 0 && errno == ENOENT && mkdirat(at, part + from, 0755) == 0) {
            if (!path[end]) fchmodat(at, part + from, mode, 0);
            next = root_open(root, part, O_PATH | O_DIRECTORY, links);
        }
        int why = errno;
        close(at);
        at = next;
        errno = why;
    }
    if (at >= 0) return at;
    bool link = errno == ELOOP && !links;
    err_sys(e, "cannot open or make the directory %s of the image", path);
    if (link) err_mend(e, "a mount point must be no symbolic link, nor lie behind one; build the image without it");
    return -1;
}

bool root_read(int root, const char *path, void *buffer, size_t size, struct view *out, bool *found, struct err *e) {
    struct stat st;
    size_t n = 0;
    int fd = root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, true);
    *found = fd >= 0;
    *out = (struct view){0};
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return true;
    if (fd < 0) return err_sys(e, "cannot open %s", path);
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!ok) err_set(e, ERR_FORMAT, "%s is no regular file", path);
    while (ok) {
        uint8_t more;
        ssize_t got = n < size ? read(fd, (uint8_t *)buffer + n, size - n) : read(fd, &more, 1);
        if (got == 0) break;
        if (got < 0)
            ok = err_sys(e, "cannot read %s", path);
        else if (n == size)
            ok = err_set(e, ERR_FORMAT, "%s has more than %zu bytes", path, size);
        else
            n += (size_t)got;
    }
    close(fd);
    if (ok) *out = view_of(buffer, n);
    return ok;
}

bool root_write(int root, const char *path, struct view bytes, mode_t mode, struct err *e) {
    char directory[PATH_SIZE];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) : 0, path);
    int at = root_directory(root, directory, 0755, true, e);
    if (at < 0) return false;
    int fd = -1;
    bool ok = (unlinkat(at, name, 0) == 0 || errno == ENOENT) &&
              (fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) >= 0;
    while (ok && bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        ok = n > 0;
        if (ok) bytes = view_skip(bytes, (size_t)n);
    }
    ok = ok && fchmod(fd, mode) == 0;
    if (!ok) err_sys(e, "cannot write %s", path);
    if (fd >= 0) close(fd);
    close(at);
    return ok;
}
