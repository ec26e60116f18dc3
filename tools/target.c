/* see target.h */
#include "tools/target.h"

#include "tools/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_dot(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

static bool is_empty(int fd) {
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry = NULL;
    if (!d) return false;
    while ((entry = readdir(d)) != NULL && is_dot(entry->d_name)) continue;
    closedir(d);
    return entry == NULL;
}

bool target_open(const char *path, struct target *out, struct err *e) {
    struct target t = {path, -1, mkdir(path, 0755) == 0, 0};
    if (!t.made && errno != EEXIST) return err_set(e, ERR_USAGE, "cannot make the directory %s: %s", path, strerror(errno));
    t.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t.fd < 0) return err_set(e, ERR_USAGE, "cannot open the directory %s: %s", path, strerror(errno));
    struct stat st;
    t.mode = fstat(t.fd, &st) == 0 ? st.st_mode & 07777 : 0755;
    if (!is_empty(t.fd)) {
        close(t.fd);
        err_set(e, ERR_USAGE, "%s is not empty", path);
        return err_mend(e, "name an empty or a new directory");
    }
    *out = t;
    return true;
}

int target_store(int target, char *name, struct err *e) {
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
    for (char *x = strchr(name, 'X'); x && *x == 'X'; x++) {
        uint8_t byte;
        if (getrandom(&byte, 1, 0) != 1) return err_sys(e, "getrandom"), -1;
        *x = digits[byte % 32];
    }
    if (mkdirat(target, name, 0700) < 0) return err_sys(e, "cannot write into the directory"), -1;
    int fd = openat(target, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) err_sys(e, "cannot open the layers' store");
    return fd;
}

bool target_remove(int fd, const char *name, struct err *e) {
    struct stat st;
    int store = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = store >= 0 && merge_clear(store, e);
    if (store < 0) err_sys(e, "cannot open the layers' store");
    if (store >= 0) close(store);
    if (!ok || fstat(fd, &st) < 0) return false;
    /* The root directory has its attributes from the image by now: an owner may be unable to write, and its time must stay. */
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (!(st.st_mode & 0200)) (void)fchmod(fd, (st.st_mode & 07777) | 0700);
    ok = unlinkat(fd, name, AT_REMOVEDIR) == 0 || err_sys(e, "cannot remove the layers' store");
    if (!(st.st_mode & 0200)) (void)fchmod(fd, st.st_mode & 07777);
    (void)futimens(fd, times);
    return ok;
}

bool target_close(struct target *t, bool keep, struct err *e) {
    if (!keep) (void)fchmod(t->fd, t->mode | 0700);
    bool ok = keep || merge_clear(t->fd, e);
    if (!keep) (void)fchmod(t->fd, t->mode);
    close(t->fd);
    t->fd = -1;
    if (!keep && ok && t->made && rmdir(t->path) < 0) return err_sys(e, "cannot remove %s", t->path);
    return ok;
}
