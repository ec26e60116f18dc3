/* see settle.h */
#include "sys/settle.h"

#include "oci/layer.h"
#include "sys/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct walk {
    int store;
    size_t layer;
    char path[LAYER_PATH_MAX + 16]; /* of the directory at hand, below the layer's */
    unsigned depth;
};

/* What the nearest lower layer has at the walk's path. False when none has it, or something in its way hides it. */
static bool find_below(const struct walk *w, struct stat *out) {
    for (size_t lower = w->layer; lower-- > 0;) {
        char path[sizeof w->path + 24];
        snprintf(path, sizeof path, "%zu/%s", lower, w->path);
        int fd = root_open(w->store, path, O_PATH | O_NOFOLLOW, false);
        if (fd < 0 && errno == ENOENT) continue;
        bool ok = fd >= 0 && fstat(fd, out) == 0;
        if (fd >= 0) close(fd);
        return ok;
    }
    return false;
}

static bool settle_directory(const struct walk *w, int fd, struct err *e) {
    struct stat s;
    char value;
    if (fgetxattr(fd, LAYER_ATTRIBUTE_IMPLIED, &value, 1) < 0) return true;
    if (!find_below(w, &s) || !S_ISDIR(s.st_mode)) return true;
    struct timespec times[2] = {s.st_mtim, s.st_mtim};
    if (fchown(fd, s.st_uid, s.st_gid) || fchmod(fd, s.st_mode & 07777) || futimens(fd, times))
        return err_sys(e, "cannot set the attributes of %.200s in layer %zu", w->path, w->layer + 1);
    return true;
}

static bool walk_directory(struct walk *w, int fd, bool hides, struct err *e);

/* The walk's path names the entry; `at` is its directory. */
static bool walk_entry(struct walk *w, int at, const struct dirent *entry, bool hides, struct err *e) {
    struct stat s;
    if (entry->d_type == DT_DIR)
        return walk_directory(w, openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), hides, e);
    if (entry->d_type != DT_CHR || fstatat(at, entry->d_name, &s, AT_SYMLINK_NOFOLLOW) || s.st_rdev != 0) return true;
    if (!hides && find_below(w, &s)) return true;
    return unlinkat(at, entry->d_name, 0) == 0 || err_sys(e, "cannot remove a whiteout of nothing, %.200s", w->path);
}

/* `fd` is w->path's, and is closed. `hides`: a directory above is opaque. The depth is bounded by what the unpack worker may have made. */
static bool walk_directory(struct walk *w, int fd, bool hides, struct err *e) {
    size_t n = strlen(w->path);
    char value;
    struct stat before, after;
    DIR *d = fd < 0 || w->depth > LAYER_DEPTH_MAX ? NULL : fdopendir(fd);
    if (!d) return err_sys(e, "cannot read %.200s in layer %zu", w->path, w->layer + 1);
    bool ok = fstat(fd, &before) == 0;
    hides = hides || fgetxattr(fd, LAYER_ATTRIBUTE_OPAQUE, &value, 1) == 1;
    for (struct dirent *i; ok && (i = readdir(d));) {
        if (!strcmp(i->d_name, ".") || !strcmp(i->d_name, "..")) continue;
        if (n + strlen(i->d_name) + 2 > sizeof w->path) continue; /* longer than any path that could be opened */
        sprintf(w->path + n, "%s%s", n ? "/" : "", i->d_name);
        w->depth++;
        ok = walk_entry(w, fd, i, hides, e);
        w->depth--;
        w->path[n] = 0;
    }
    struct timespec times[2] = {before.st_mtim, before.st_mtim}; /* a whiteout removed is no change of the image */
    if (ok && fstat(fd, &after) == 0 && after.st_mtim.tv_sec != before.st_mtim.tv_sec) futimens(fd, times);
    ok = ok && settle_directory(w, fd, e);
    closedir(d);
    return ok;
}

bool settle_layers(int store_fd, size_t layer_count, struct err *e) {
    struct walk w = {.store = store_fd};
    for (w.layer = 1; w.layer < layer_count; w.layer++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", w.layer);
        if (!walk_directory(&w, openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), false, e)) return false;
    }
    return true;
}
