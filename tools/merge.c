/* see merge.h */
#include "merge.h"

#include "base/view.h"
#include "oci/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LEVELS (LAYER_DEPTH_MAX + 2)
#define XATTRS_MAX 65536 /* XATTR_LIST_MAX, XATTR_SIZE_MAX */

/* ---- directories, widened when their owner could not work in them ---- */

/* The directory's descriptor, or -1; `out` has its attributes from before. */
static int open_wide(int at, const char *name, struct stat *out, struct err *e) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (fstatat(at, name, out, AT_SYMLINK_NOFOLLOW)) {
        err_sys(e, "cannot look at %.100s", name);
        return -1;
    }
    if (S_ISDIR(out->st_mode) && (out->st_mode & 0700) != 0700) fchmodat(at, name, (out->st_mode & 07777) | 0700, 0);
    int fd = openat(at, name, flags);
    if (fd < 0) err_sys(e, "cannot open the directory %.100s", name);
    return fd;
}

/* The same for the directory behind a descriptor, which may shut its owner out. */
static int open_root(int fd, struct stat *out, struct err *e) {
    struct stat wide;
    if (fstat(fd, out)) {
        err_sys(e, "cannot look at a directory");
        return -1;
    }
    if ((out->st_mode & 0700) != 0700) fchmod(fd, (out->st_mode & 07777) | 0700);
    return open_wide(fd, ".", &wide, e);
}

static DIR *read_dir(int fd, struct err *e) {
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d || fd < 0) return d;
    err_sys(e, "cannot read a directory");
    close(fd);
    return NULL;
}

/* The next entry other than "." and ".."; NULL at the end. */
static const struct dirent *next_entry(DIR *d) {
    struct dirent *entry;
    while ((entry = readdir(d)) && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)) continue;
    return entry;
}

static const char *next_name(DIR *d) {
    const struct dirent *entry = next_entry(d);
    return entry ? entry->d_name : NULL;
}

/* ---- removing ---- */

static bool remove_simple(int at, const char *name) {
    return unlinkat(at, name, 0) == 0 || unlinkat(at, name, AT_REMOVEDIR) == 0;
}

static bool is_spared(int at, const char *name, const struct stat *spare) {
    struct stat s;
    return spare && fstatat(at, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && s.st_dev == spare->st_dev &&
           s.st_ino == spare->st_ino;
}

/* Empties the directory `fd` but for `spare` (may be NULL) and closes it. A directory that was emptied is found again
 * by its parent, and goes then. */
static bool clear(int fd, const struct stat *spare, struct err *e) {
    DIR *stack[LEVELS];
    struct stat s;
    size_t n = 0;
    bool ok = true;
    if (!(stack[n++] = read_dir(fd, e))) return false;
    while (ok && n) {
        const char *name = next_name(stack[n - 1]);
        if (!name) {
            closedir(stack[--n]);
            if (n) rewinddir(stack[n - 1]);
        } else if (!remove_simple(dirfd(stack[n - 1]), name) && !is_spared(dirfd(stack[n - 1]), name, spare)) {
            if (n == LEVELS) ok = err_set(e, ERR_SYSTEM, "directories too deep below each other to remove");
            else ok = (stack[n] = read_dir(open_wide(dirfd(stack[n - 1]), name, &s, e), e)) != NULL;
            n += ok;
        }
    }
    while (n) closedir(stack[--n]);
    return ok;
}

static bool remove_tree(int at, const char *name, struct err *e) {
    struct stat s;
    if (remove_simple(at, name) || errno == ENOENT) return true;
    int fd = open_wide(at, name, &s, e);
    if (fd < 0 || !clear(fd, NULL, e)) return false;
    return unlinkat(at, name, AT_REMOVEDIR) == 0 || err_sys(e, "cannot remove %.100s", name);
}

bool merge_clear(int dir_fd, struct err *e) {
    struct stat s;
    int fd = open_root(dir_fd, &s, e);
    return fd >= 0 && clear(fd, NULL, e);
}

/* ---- merging ---- */

/* `from` is a directory of the layer. `into`: its counterpart in the result, or -1 when `from` was moved there as a
 * whole and only its nodes are looked for. */
struct level {
    DIR *from;
    int into;
    bool implied;
    bool touched; /* or merged: the attributes are to be set */
    struct stat attributes; /* what the result gets */
    char name[LAYER_NAME_MAX + 1];
};

struct merge {
    struct stat store; /* of the layers, which may lie in the result */
    size_t n;
    struct level levels[LEVELS];
};

static bool is_node(int at, const char *name) {
    struct stat s;
    return fstatat(at, name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == 0;
}

/* Takes both descriptors. `upper` and `lower`: attributes before anything was touched; `lower` NULL when no layer gave
 * any. */
static bool push(struct merge *m, const char *name, int from, const struct stat *upper, int into,
                 const struct stat *lower, struct err *e) {
    struct level *l = &m->levels[m->n];
    if (m->n == LEVELS) {
        close(from);
        if (into >= 0) close(into);
        return err_set(e, ERR_SYSTEM, "more than %u directories below each other", (unsigned)LAYER_DEPTH_MAX);
    }
    if (!(l->from = read_dir(from, e))) {
        if (into >= 0) close(into);
        return false;
    }
    m->n++;
    l->into = into;
    strncpy(l->name, name, sizeof l->name - 1);
    l->attributes = *upper;
    l->touched = into >= 0 || (upper->st_mode & 0700) != 0700;
    l->implied = false;
    if (into < 0) return true; /* its marks are met as whiteouts are */
    l->implied = is_node(from, LAYER_NODE_IMPLIED);
    if (l->implied && lower) l->attributes = *lower;
    bool opaque = is_node(from, LAYER_NODE_OPAQUE);
    if ((l->implied && unlinkat(from, LAYER_NODE_IMPLIED, 0)) || (opaque && unlinkat(from, LAYER_NODE_OPAQUE, 0)))
        return err_sys(e, "cannot remove a mark");
    if (!opaque) return true;
    int again = openat(into, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return again >= 0 ? clear(again, &m->store, e) : err_sys(e, "cannot open a directory");
}

/* The upper directory's attributes replace the lower one's. Directories hardly ever have any. */
static bool copy_xattrs(int from, int into, struct err *e) {
    char *names = malloc(2 * XATTRS_MAX), *value = names + XATTRS_MAX;
    if (!names) return err_set(e, ERR_SYSTEM, "no memory for attributes");
    ssize_t n = flistxattr(into, names, XATTRS_MAX);
    for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
        if (strncmp(p, "user.", 5) == 0) fremovexattr(into, p);
    n = flistxattr(from, names, XATTRS_MAX);
    bool ok = true;
    for (char *p = names; ok && n > 0 && p < names + n; p += strlen(p) + 1) {
        if (strncmp(p, "user.", 5) != 0) continue;
        ssize_t size = fgetxattr(from, p, value, XATTRS_MAX);
        ok = (size >= 0 && fsetxattr(into, p, value, (size_t)size, 0) == 0) ||
             err_sys(e, "cannot copy the attribute %s", p);
    }
    free(names);
    return ok;
}

static bool pop(struct merge *m, struct err *e) {
    struct level *l = &m->levels[--m->n];
    const struct stat *s = &l->attributes;
    const struct timespec times[2] = {s->st_mtim, s->st_mtim};
    int fd = l->into >= 0 ? l->into : dirfd(l->from);
    bool ok = l->into < 0 || l->implied || copy_xattrs(dirfd(l->from), l->into, e);
    if (ok && l->touched && geteuid() == 0 && fchown(fd, s->st_uid, s->st_gid))
        ok = err_sys(e, "cannot set the owner of %s", l->name);
    if (ok && l->touched && (fchmod(fd, s->st_mode & 07777) || futimens(fd, times)))
        ok = err_sys(e, "cannot set the attributes of %s", l->name);
    if (ok && l->into >= 0 && m->n && unlinkat(dirfd(m->levels[m->n - 1].from), l->name, AT_REMOVEDIR))
        ok = err_sys(e, "cannot remove the layer's %s after it was merged", l->name);
    closedir(l->from);
    if (l->into >= 0) close(l->into);
    return ok;
}

static bool merge_directory(struct merge *m, const struct level *l, const char *name, struct err *e) {
    struct stat upper, lower = {0};
    int from = open_wide(dirfd(l->from), name, &upper, e), into = -1;
    if (from < 0) return false;
    if (l->into < 0) return push(m, name, from, &upper, -1, NULL, e);
    if (fstatat(l->into, name, &lower, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(lower.st_mode)) {
        into = open_wide(l->into, name, &lower, e);
        if (into >= 0) return push(m, name, from, &upper, into, &lower, e);
    } else if (remove_tree(l->into, name, e)) {
        if (renameat(dirfd(l->from), name, l->into, name) == 0) return push(m, name, from, &upper, -1, NULL, e);
        err_sys(e, "cannot move the directory %.100s", name);
    }
    close(from);
    return false;
}

/* Moves what is no directory, over whatever is there. */
static bool move(struct merge *m, const char *name, struct err *e) {
    const struct level *l = &m->levels[m->n - 1];
    int from = dirfd(l->from);
    if (renameat(from, name, l->into, name) == 0) return true;
    if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST) return err_sys(e, "cannot move %.100s", name);
    return remove_tree(l->into, name, e) &&
           (renameat(from, name, l->into, name) == 0 || err_sys(e, "cannot move %.100s", name));
}

/* What the file system's own listing says is neither a directory nor a node needs no look at all, and no move where its
 * directory was moved. */
static bool merge_entry(struct merge *m, const struct dirent *entry, struct err *e) {
    struct level *l = &m->levels[m->n - 1];
    struct stat s;
    int from = dirfd(l->from);
    const char *name = entry->d_name;
    bool plain = entry->d_type == DT_REG || entry->d_type == DT_LNK || entry->d_type == DT_FIFO;
    if (plain && l->into < 0) return true;
    if (plain) return move(m, name, e);
    if (entry->d_type == DT_DIR) return merge_directory(m, l, name, e);
    if (fstatat(from, name, &s, AT_SYMLINK_NOFOLLOW)) return err_sys(e, "cannot look at %.100s", name);
    if (S_ISDIR(s.st_mode)) return merge_directory(m, l, name, e);
    if (S_ISCHR(s.st_mode) && s.st_rdev == 0) {
        if (l->into >= 0 && !remove_tree(l->into, name, e)) return false;
        l->touched = true;
        return unlinkat(from, name, 0) == 0 || err_sys(e, "cannot remove a whiteout");
    }
    return l->into < 0 || move(m, name, e);
}

static bool merge_layer(struct merge *m, int dir_fd, int layer_fd, bool first, struct err *e) {
    struct stat upper, lower;
    m->n = 0;
    int from = open_root(layer_fd, &upper, e), into = from < 0 ? -1 : open_root(dir_fd, &lower, e);
    if (into < 0) {
        if (from >= 0) close(from);
        return false;
    }
    bool ok = fstatat(from, "..", &m->store, 0) == 0 || err_sys(e, "cannot look at the layers' store");
    ok = ok && push(m, ".", from, &upper, into, first ? NULL : &lower, e);
    while (ok && m->n) {
        const struct dirent *entry = next_entry(m->levels[m->n - 1].from);
        ok = entry ? merge_entry(m, entry, e) : pop(m, e);
    }
    while (m->n) {
        struct err ignored;
        pop(m, &ignored);
    }
    return ok;
}

bool merge_layers(int dir_fd, const int *layer_fds, size_t n, struct err *e) {
    struct merge *m = calloc(1, sizeof *m);
    if (!m) return err_set(e, ERR_SYSTEM, "no memory to merge layers");
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = merge_layer(m, dir_fd, layer_fds[i], i == 0, e) || err_in(e, "layer %zu of %zu", i + 1, n);
    free(m);
    return ok;
}
