/* see vault.h */
#include "tools/serve/vault.h"

#include "crypto/wipe.h"
#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_MAX 255u

static bool part_ok(struct view part, char also) {
    if (!part.n || part.n > PART_MAX || part.p[0] == '.') return false;
    for (size_t i = 0; i < part.n; i++) {
        uint8_t c = part.p[i], low = c | 0x20;
        if (!((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
              (also && c == (uint8_t)also)))
            return false;
    }
    return true;
}

bool vault_path_ok(struct view path, char also) {
    bool first, second, third;
    struct view a = view_cut(&path, '/', &first), b = view_cut(&path, '/', &second), c = view_cut(&path, '/', &third);
    return first && second && !third && part_ok(a, also) && part_ok(b, also) && part_ok(c, also);
}

bool vault_open(const char *dir, int *fd, bool *loose, struct err *e) {
    struct stat st;
    int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d < 0 || fstat(d, &st) < 0) {
        err_set(e, ERR_USAGE, "cannot open the directory %s: %s", dir, strerror(errno));
        if (d >= 0) close(d);
        return err_mend(e, "--secrets names a directory of REPOSITORY/TYPE/TAG files");
    }
    *fd = d;
    *loose = st.st_mode & 077;
    return true;
}

/* The directory of the third part, and that part's name. */
static int open_parent(int fd, struct view path, bool make, char tag[static PART_MAX + 1]) {
    char name[PART_MAX + 1];
    int at = fd;
    for (int i = 0; i < 2; i++) {
        if (!view_to_str(view_cut(&path, '/', NULL), name, sizeof name)) return -1;
        if (make && mkdirat(at, name, 0700) == 0) fsync(at);
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (at != fd) close(at);
        if (next < 0) return -1;
        at = next;
    }
    if (view_to_str(path, tag, PART_MAX + 1)) return at;
    close(at);
    return -1;
}

static bool absent(struct err *e, const char *why) { return err_set(e, ERR_POLICY, "no such resource: %s", why); }

void vault_wipe(struct view *resource) {
    if (resource->p) wipe((void *)resource->p, resource->n);
    free((void *)resource->p);
    *resource = (struct view){0};
}

bool vault_read(int fd, struct view path, struct view *out, struct err *e) {
    char tag[PART_MAX + 1];
    struct stat st;
    if (!vault_path_ok(path, 0)) return absent(e, "not the name of one");
    int dir = open_parent(fd, path, false, tag);
    if (dir < 0) return absent(e, strerror(errno));
    int file = openat(dir, tag, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(dir);
    if (file < 0) return absent(e, strerror(errno));
    if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(file);
        return absent(e, "not a regular file");
    }
    /* Room for what it has now; a file that is being replaced has another inode. */
    size_t size = st.st_size > 0 && (uint64_t)st.st_size <= VAULT_RESOURCE_MAX ? (size_t)st.st_size : 0, n = 0;
    uint8_t *p = malloc(size + 1);
    bool ok = p && (uint64_t)st.st_size <= VAULT_RESOURCE_MAX;
    if (!ok) err_set(e, ERR_SYSTEM, p ? "the resource has more than %u bytes" : "out of memory", VAULT_RESOURCE_MAX);
    while (ok) {
        ssize_t got = read(file, p + n, size + 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = err_sys(e, "cannot read the resource");
        if (got <= 0) break;
        n += (size_t)got;
        if (n > size) ok = err_set(e, ERR_SYSTEM, "the resource grew while it was read");
    }
    close(file);
    *out = view_of(p, n);
    if (!ok) vault_wipe(out);
    return ok;
}

bool vault_write(int fd, struct view path, struct view bytes, struct err *e) {
    char tag[PART_MAX + 1], temporary[64];
    struct stat st;
    uint64_t random;
    if (!vault_path_ok(path, 0)) return err_set(e, ERR_POLICY, "not the name of a resource");
    int dir = open_parent(fd, path, true, tag);
    if (dir < 0) return err_set(e, ERR_POLICY, "cannot make its directory: %s", strerror(errno));
    if (fstatat(dir, tag, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
        close(dir);
        return err_set(e, ERR_POLICY, "something stands there that is no regular file");
    }
    if (getrandom(&random, sizeof random, 0) != sizeof random) random = (uint64_t)getpid();
    snprintf(temporary, sizeof temporary, ".new-%016llx", (unsigned long long)random);
    int file = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = (file >= 0 || err_sys(e, "cannot write the resource")) && file_put(file, bytes, e);
    if (ok && fsync(file) < 0) ok = err_sys(e, "fsync");
    if (file >= 0 && close(file) < 0 && ok) ok = err_sys(e, "close");
    if (ok && (renameat(dir, temporary, dir, tag) < 0 || fsync(dir) < 0)) ok = err_sys(e, "rename");
    if (!ok && file >= 0) unlinkat(dir, temporary, 0);
    close(dir);
    return ok;
}
