/* see untar.h */
#include "worker/untar.h"

#include "oci/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* An open directory. Adding entries changes its time, and an ordinary user may have to widen its mode for that: both
 * are put right when it is left, so no list of directories has to be kept for the end. */
struct directory {
    int fd; /* -1: none */
    mode_t mode;
    gid_t gid;
    struct timespec mtime;
    bool changed, widened;
    size_t path_n; /* on the way to the parent: its name is the first bytes of parent_path */
};

/* Directories on the way to an entry that stay open, since the next entry is most likely below one of them. */
#define WAY_MAX 16

struct untar {
    const struct unpack_job *job;
    struct untar_input *input;
    struct unpack_result *result;
    int root;
    bool inherits;           /* what is made may get more than its mode from the directory (a default ACL) */
    uid_t uid;               /* the entry's owner */
    gid_t gid, own_gid;      /* and group; ours */
    bool born;               /* the entry gets owner and mode as it is made: nothing is left to set but its time */
    struct archive *archive;
    struct archive_entry *entry;
    mode_t type;             /* of the entry; 0 for a hard link */
    struct layer_path path;  /* the entry's */
    struct directory way[WAY_MAX], *parent; /* from the root to the entry's parent, which is the last of way_n */
    size_t way_n;
    char parent_path[LAYER_PATH_MAX + 1];
    uint64_t logical; /* sum of file sizes, holes included */
    struct view first;
    struct err fault; /* of the input, behind libarchive's back */
    bool blocked;     /* open_parent met something that is no directory, or that a whiteout took away */
    bool ended;       /* the stream ended inside the last file's padding, as umoci's do */
};

/* ---- directories ---- */

static bool directory_leave(struct directory *d, struct err *e) {
    struct timespec times[2] = {d->mtime, d->mtime};
    int fd = d->fd;
    d->fd = -1;
    if (fd < 0) return true;
    bool ok = (!d->changed || futimens(fd, times) == 0) && (!d->widened || fchmod(fd, d->mode) == 0);
    if (!ok) err_sys(e, "cannot set time and mode of a directory");
    close(fd);
    return ok;
}

static bool directory_take(const struct untar *u, int fd, struct directory *out, struct err *e) {
    struct stat s;
    if (fd < 0 || fstat(fd, &s)) return err_sys(e, "cannot open a directory");
    bool widen = !u->job->as_root && (s.st_mode & 0700) != 0700;
    if (widen) fchmod(fd, (s.st_mode & 07777) | 0700);
    *out = (struct directory){fd, s.st_mode & 07777, s.st_gid, s.st_mtim, false, widen, 0};
    return true;
}

static bool directory_root(const struct untar *u, struct directory *out, struct err *e) {
    return directory_take(u, fcntl(u->root, F_DUPFD_CLOEXEC, 0), out, e);
}

static bool directory_enter(const struct untar *u, int at, const char *name, struct directory *out, struct err *e) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat s;
    int fd = openat(at, name, flags);
    if (fd >= 0 || errno != EACCES || fstatat(at, name, &s, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(s.st_mode))
        return directory_take(u, fd, out, e);
    fchmodat(at, name, 0700, 0); /* an unreadable directory of this layer, and we are no root */
    if (!directory_take(u, openat(at, name, flags), out, e)) return false;
    out->mode = s.st_mode & 07777;
    return out->widened = true;
}

/* Leaves "opaque" or "implied" on a directory, in the form the job asks for (see oci/layer.h). */
static bool mark(const struct untar *u, struct directory *d, const char *attribute, const char *node, struct err *e) {
    d->changed = true;
    if (!u->job->overlay_xattr)
        return mknodat(d->fd, node, S_IFCHR, 0) == 0 || errno == EEXIST || err_sys(e, "cannot make the node %s", node);
    if (fsetxattr(d->fd, attribute, "y", 1, 0) == 0) return true;
    err_sys(e, "cannot set %s", attribute);
    return err_mend(e, "the store needs user attributes: tmpfs has them since Linux 6.6 with CONFIG_TMPFS_XATTR");
}

static bool mark_opaque(const struct untar *u, struct directory *d, struct err *e) {
    return mark(u, d, LAYER_ATTRIBUTE_OPAQUE, LAYER_NODE_OPAQUE, e);
}

static bool is_whiteout(const struct stat *s) { return S_ISCHR(s->st_mode) && s->st_rdev == 0; }

static bool unmark_implied(const struct untar *u, struct directory *d, struct err *e) {
    d->changed = true;
    if (u->job->overlay_xattr ? fremovexattr(d->fd, LAYER_ATTRIBUTE_IMPLIED) : unlinkat(d->fd, LAYER_NODE_IMPLIED, 0))
        return errno == ENODATA || errno == ENOENT || err_sys(e, "cannot unmark a directory");
    return true;
}

/* A directory that the layer does not list, or not yet: 0755, root's, of no time. */
static bool make_plain(const struct untar *u, struct directory *d, struct err *e) {
    d->mtime = (struct timespec){0};
    d->mode = 0755;
    d->changed = d->widened = true;
    return !u->job->as_root || fchown(d->fd, 0, 0) == 0 || err_sys(e, "cannot give a directory to root");
}

static bool mark_implied(const struct untar *u, struct directory *d, struct err *e) {
    return mark(u, d, LAYER_ATTRIBUTE_IMPLIED, LAYER_NODE_IMPLIED, e);
}

/* Such a directory as a parent. `hidden`: in place of a whiteout, so that not even attributes come from below. */
static bool make_implied(struct untar *u, struct directory *d, const char *name, bool hidden, struct directory *out,
                         struct err *e) {
    d->changed = true;
    if (hidden && unlinkat(d->fd, name, 0)) return err_sys(e, "cannot replace %s", name);
    if (mkdirat(d->fd, name, 0700)) return err_sys(e, "cannot make the directory %s", name);
    if (!directory_enter(u, d->fd, name, out, e)) return false;
    if (make_plain(u, out, e) && (hidden ? mark_opaque(u, out, e) : mark_implied(u, out, e))) return true;
    close(out->fd);
    return false;
}

/* Opens the child of `d`, which is path[0..at), on the way to path[0..n). Returns where the child's name ends, or 0. */
static size_t descend(struct untar *u, struct directory *d, const char *path, size_t at, size_t n, bool make,
                      struct directory *out, struct err *e) {
    struct stat s = {0};
    char name[LAYER_NAME_MAX + 1];
    size_t begin = at + (at > 0), end = begin;
    while (end < n && path[end] != '/') end++;
    if (!view_to_str(view_of(path + begin, end - begin), name, sizeof name)) return 0;
    if (!directory_enter(u, d->fd, name, out, e)) {
        bool there = fstatat(d->fd, name, &s, AT_SYMLINK_NOFOLLOW) == 0;
        if (there && S_ISDIR(s.st_mode)) return 0;
        u->blocked = there && (!is_whiteout(&s) || u->path.kind != LAYER_ENTRY);
        if (there && S_ISLNK(s.st_mode)) return err_set(e, ERR_FORMAT, "a path through a symlink, %s", name);
        if (there && !is_whiteout(&s)) return err_set(e, ERR_FORMAT, "a path through %s, which is no directory", name);
        if (!make || u->blocked) return err_set(e, ERR_FORMAT, "%s is not in this layer", name);
        if (!make_implied(u, d, name, there, out, e)) return 0;
    }
    return end;
}

/* Leaves the directories that are not on the way to `path`, whose first `n` bytes name a directory. */
static bool leave_way(struct untar *u, const char *path, size_t n, struct err *e) {
    while (u->way_n) {
        struct directory *d = &u->way[u->way_n - 1];
        size_t k = d->path_n;
        if (path && k <= n && memcmp(u->parent_path, path, k) == 0 && (k == 0 || k == n || path[k] == '/')) break;
        u->way_n--;
        if (!directory_leave(d, e)) return false;
    }
    return true;
}

/* Opens the directory of the first `n` bytes of `path`, which becomes u->parent. */
static bool go(struct untar *u, const char *path, size_t n, bool make, struct err *e) {
    if (!leave_way(u, path, n, e)) return false;
    if (u->way_n == 0) {
        if (!directory_root(u, u->way, e)) return false;
        u->way_n = 1;
    }
    for (size_t at = u->way[u->way_n - 1].path_n, end; at < n; at = end) {
        struct directory *d = &u->way[u->way_n - 1], child;
        end = descend(u, d, path, at, n, make, &child, e);
        if (!end) return false;
        memcpy(u->parent_path + at, path + at, end - at);
        child.path_n = end;
        bool left = u->way_n < WAY_MAX || directory_leave(d, e);
        u->way_n += u->way_n < WAY_MAX;
        u->way[u->way_n - 1] = child;
        if (!left) return false;
    }
    u->parent = &u->way[u->way_n - 1];
    return true;
}

/* After a failure u->blocked says that a whiteout or opaque mark may be ignored: what it is about is hidden already. */
static bool open_parent(struct untar *u, struct err *e) {
    u->blocked = false;
    return go(u, u->path.text, u->path.parent_n, true, e);
}

/* ---- attributes ---- */

static struct timespec mtime_of(struct archive_entry *entry) {
    long ns = archive_entry_mtime_nsec(entry);
    return (struct timespec){archive_entry_mtime(entry), ns >= 0 && ns < 1000000000 ? ns : 0};
}

static bool take_owner(struct untar *u, struct err *e) {
    int64_t user = archive_entry_uid(u->entry), group = archive_entry_gid(u->entry);
    if (user < 0 || user >= UINT32_MAX || group < 0 || group >= UINT32_MAX)
        return err_set(e, ERR_FORMAT, "owner %lld:%lld, which no file can have", (long long)user, (long long)group);
    u->uid = (uid_t)user;
    u->gid = (gid_t)group;
    if (!u->job->as_root && (user || group)) u->result->skipped++;
    return true;
}

static bool keeps_xattr(const char *name) {
    return strcmp(name, "security.capability") == 0 ||
           (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0);
}

static bool set_xattrs(struct untar *u, int fd, struct err *e) {
    const char *name;
    const void *value;
    size_t n;
    archive_entry_xattr_reset(u->entry);
    while (archive_entry_xattr_next(u->entry, &name, &value, &n) == ARCHIVE_OK) {
        if (!name || !keeps_xattr(name) || fsetxattr(fd, name, value, n, 0) == 0) continue;
        if (errno != ENOTSUP && errno != EPERM) return err_sys(e, "cannot set the attribute %.100s", name);
        u->result->skipped++;
    }
    return true;
}

/* Most entries are root's, of a plain mode and without attributes: three system calls less for each. A new file's group
 * is ours or the directory's, by mount option and setgid bit, so both must be the wanted one. */
static bool is_born(const struct untar *u) {
    bool owner = !u->job->as_root || !(u->uid | u->gid | u->own_gid | u->parent->gid);
    return owner && !u->inherits && !(archive_entry_perm(u->entry) & 07000) && !(u->parent->mode & S_ISGID) &&
           archive_entry_xattr_count(u->entry) == 0;
}

/* chown takes setuid and capabilities away, so it comes first. */
static bool set_attributes(struct untar *u, int fd, struct err *e) {
    if (u->job->as_root && fchown(fd, u->uid, u->gid)) return err_sys(e, "cannot set owner %u:%u", u->uid, u->gid);
    if (!set_xattrs(u, fd, e)) return false;
    return fchmod(fd, archive_entry_perm(u->entry)) == 0 || err_sys(e, "cannot set the mode");
}

static bool set_directory(struct untar *u, struct directory *d, struct err *e) {
    d->mtime = mtime_of(u->entry);
    d->mode = archive_entry_perm(u->entry);
    bool ok = unmark_implied(u, d, e) && set_attributes(u, d->fd, e);
    d->widened = false; /* the mode is the entry's now */
    return directory_leave(d, e) && ok;
}

/* ---- entries ---- */

/* An error of libarchive's, or the input's below it. */
static bool tar_fault(struct untar *u, struct err *e) {
    if (u->fault.kind != ERR_NONE) *e = u->fault;
    else if (archive_errno(u->archive) == ENOMEM) err_set(e, ERR_SYSTEM, "no memory for a tar header");
    else err_set(e, ERR_FORMAT, "not a sound tar: %s", archive_error_string(u->archive));
    return false;
}

static bool write_at(int fd, const uint8_t *p, size_t n, int64_t at, struct err *e) {
    while (n) {
        ssize_t done = pwrite(fd, p, n, at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            err_sys(e, "cannot write");
            return err_mend(e, "make room: a larger disk, or more memory for a store in tmpfs");
        }
        p += done;
        n -= (size_t)done;
        at += done;
    }
    return true;
}

static bool write_content(struct untar *u, int fd, struct err *e) {
    int64_t size = archive_entry_size(u->entry), end = 0, at;
    const void *p;
    size_t n;
    int r;
    while ((r = archive_read_data_block(u->archive, &p, &n, &at)) == ARCHIVE_OK) {
        if (at < 0 || at > size || n > (uint64_t)(size - at))
            return err_set(e, ERR_FORMAT, "a sparse map that leaves the file's %lld bytes", (long long)size);
        if (!write_at(fd, p, n, at, e)) return false;
        end = at + (int64_t)n;
    }
    u->ended = r != ARCHIVE_EOF && end == size && u->input->ended && u->fault.kind == ERR_NONE;
    if (r != ARCHIVE_EOF && !u->ended) return tar_fault(u, e);
    return end == size || ftruncate(fd, size) == 0 || err_sys(e, "cannot set a size of %lld bytes", (long long)size);
}

/* Opens the target's parent and links, all below the root. Returns as linkat; -2 with *e set when it is refused. */
static int make_link(struct untar *u, struct err *e) {
    const char *text = archive_entry_hardlink(u->entry);
    struct directory at = {.fd = -1}, child;
    struct layer_path target;
    struct stat s, old;
    if (!layer_path_parse(view_str(text), &target, e)) goto refused;
    if (!directory_root(u, &at, e)) goto refused;
    for (size_t done = 0; done < target.parent_n; at = child) {
        done = descend(u, &at, target.text, done, target.parent_n, false, &child, e);
        if (!done || !directory_leave(&at, e)) goto refused;
    }
    if (target.kind != LAYER_ENTRY || fstatat(at.fd, target.base, &s, AT_SYMLINK_NOFOLLOW) || is_whiteout(&s)) {
        err_set(e, ERR_FORMAT, "it is not in this layer");
        err_mend(e, "a hard link into a lower layer cannot be kept; build the image so that the file is copied");
        goto refused;
    }
    if (S_ISDIR(s.st_mode)) {
        err_set(e, ERR_FORMAT, "it is a directory");
        goto refused;
    }
    int r = linkat(at.fd, target.base, u->parent->fd, u->path.base, 0), saved = errno;
    bool same = r && saved == EEXIST && fstatat(u->parent->fd, u->path.base, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
                old.st_dev == s.st_dev && old.st_ino == s.st_ino;
    if (!directory_leave(&at, e)) return -2;
    errno = saved;
    return same ? 0 : r;
refused:
    err_in(e, "hard link to %.80s", text);
    if (at.fd >= 0) close(at.fd);
    return -2;
}

static dev_t device_of(struct archive_entry *entry) {
    return makedev((unsigned)archive_entry_rdevmajor(entry), (unsigned)archive_entry_rdevminor(entry));
}

/* One attempt: a descriptor for files, else 0; -1 with errno; -2 with *e. Modes are the entry's, or narrow until
 * set_attributes. */
static int make(struct untar *u, struct err *e) {
    int at = u->parent->fd;
    const char *name = u->path.base;
    mode_t mode = u->born ? archive_entry_perm(u->entry) : u->type == AE_IFDIR ? 0700 : 0600;
    switch (u->type) {
    case 0: return make_link(u, e);
    case AE_IFREG: return openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    case AE_IFDIR: return mkdirat(at, name, mode);
    case AE_IFLNK: return symlinkat(archive_entry_symlink(u->entry), at, name);
    case AE_IFIFO: return mknodat(at, name, S_IFIFO | mode, 0);
    default: return mknodat(at, name, u->type | mode, device_of(u->entry));
    }
}

/* Takes away what has the entry's name. *keep: a directory meets a directory. *hides: what that hid of lower layers
 * stays hidden. */
static bool displace(struct untar *u, bool *keep, bool *hides, struct err *e) {
    struct stat s;
    if (fstatat(u->parent->fd, u->path.base, &s, AT_SYMLINK_NOFOLLOW))
        return err_sys(e, "cannot look at what is there");
    *keep = S_ISDIR(s.st_mode) && u->type == AE_IFDIR;
    *hides = !*keep && u->type == AE_IFDIR;
    if (*keep || unlinkat(u->parent->fd, u->path.base, S_ISDIR(s.st_mode) ? AT_REMOVEDIR : 0) == 0) return true;
    if (errno == ENOTEMPTY) return err_set(e, ERR_FORMAT, "a directory with entries before, and now something else");
    return err_sys(e, "cannot replace what is there");
}

static bool finish_node(struct untar *u, struct err *e) {
    int at = u->parent->fd;
    const char *name = u->path.base;
    struct timespec times[2] = {mtime_of(u->entry), mtime_of(u->entry)};
    if (!u->born && u->job->as_root && fchownat(at, name, u->uid, u->gid, AT_SYMLINK_NOFOLLOW))
        return err_sys(e, "cannot set owner %u:%u", u->uid, u->gid);
    if (!u->born && u->type != AE_IFLNK && fchmodat(at, name, archive_entry_perm(u->entry), 0))
        return err_sys(e, "cannot set the mode");
    return utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) == 0 || err_sys(e, "cannot set the time");
}

static bool finish_file(struct untar *u, int fd, struct err *e) {
    struct timespec times[2] = {mtime_of(u->entry), mtime_of(u->entry)};
    bool ok = write_content(u, fd, e) && (u->born || set_attributes(u, fd, e)) &&
              (futimens(fd, times) == 0 || err_sys(e, "cannot set the time"));
    close(fd);
    return ok;
}

static bool put_entry(struct untar *u, struct err *e) {
    bool keep = false, hides = false;
    if (u->type && !take_owner(u, e)) return false;
    u->born = is_born(u);
    u->parent->changed = true;
    int fd = make(u, e);
    if (fd == -1 && errno == EEXIST) {
        if (!displace(u, &keep, &hides, e)) return false;
        fd = keep ? 0 : make(u, e);
    }
    if (fd == -1) return err_sys(e, "cannot make it");
    if (fd == -2) return false;
    if (u->type == 0) return true;
    if (u->type == AE_IFREG) return finish_file(u, fd, e);
    if (u->type != AE_IFDIR || (u->born && !keep && !hides)) return finish_node(u, e);
    struct directory d;
    if (!directory_enter(u, u->parent->fd, u->path.base, &d, e)) return false;
    if (!hides || mark_opaque(u, &d, e)) return set_directory(u, &d, e);
    close(d.fd);
    return false;
}

/* A name that this layer has itself stays; as a directory it shows nothing of the lower layers. */
static bool put_whiteout(struct untar *u, struct err *e) {
    struct directory d;
    struct stat s;
    u->parent->changed = true;
    if (mknodat(u->parent->fd, u->path.base, S_IFCHR, 0) == 0) return true;
    if (errno != EEXIST || fstatat(u->parent->fd, u->path.base, &s, AT_SYMLINK_NOFOLLOW))
        return err_sys(e, "cannot make a whiteout");
    if (!S_ISDIR(s.st_mode)) return true;
    if (!directory_enter(u, u->parent->fd, u->path.base, &d, e)) return false;
    bool marked = mark_opaque(u, &d, e) && unmark_implied(u, &d, e);
    return directory_leave(&d, e) && marked;
}

static bool put_root(struct untar *u, struct err *e) {
    if (u->type != AE_IFDIR) return err_set(e, ERR_FORMAT, "the layer's root is to be something else than a directory");
    struct directory d;
    return leave_way(u, NULL, 0, e) && take_owner(u, e) && directory_root(u, &d, e) && set_directory(u, &d, e);
}

/* What may be refused before anything is made. *skip: it is fine and left out. */
static bool check_entry(struct untar *u, bool *skip, struct err *e) {
    const char *target = archive_entry_symlink(u->entry);
    int64_t size = archive_entry_size(u->entry);
    *skip = false;
    switch (u->type) {
    case 0:
        if (!archive_entry_hardlink(u->entry)) return err_set(e, ERR_FORMAT, "a hard link without a target");
        return size == 0 || err_set(e, ERR_FORMAT, "a hard link with content; readers differ on what that means");
    case AE_IFREG:
        if (size >= 0 && (uint64_t)size <= u->job->bytes_max - u->logical) {
            u->logical += (uint64_t)size;
            return true;
        }
        err_set(e, ERR_POLICY, "with its %lld bytes the files exceed the %llu that are left of limits.bytes",
                (long long)size, (unsigned long long)u->job->bytes_max);
        return err_mend(e, "raise limits.bytes in the policy, if the image is meant to be so large");
    case AE_IFDIR:
    case AE_IFIFO: return true;
    case AE_IFLNK: return layer_symlink_check(&u->path, target ? view_str(target) : (struct view){0}, e);
    case AE_IFCHR:
    case AE_IFBLK: break;
    default: return err_set(e, ERR_FORMAT, "an entry of type %o", (unsigned)u->type);
    }
    dev_t device = device_of(u->entry);
    if (u->type == AE_IFCHR && device == 0)
        return err_set(e, ERR_FORMAT, "character device 0:0, which is overlayfs's whiteout");
    if (!u->job->allow_devices) {
        err_set(e, ERR_POLICY, "a device (%u:%u), which limits.allowDevices does not allow", major(device),
                minor(device));
        return err_mend(e, "remove it from the image, or set limits.allowDevices to true in the policy");
    }
    *skip = !u->job->as_root;
    u->result->skipped += *skip;
    return true;
}

static bool put(struct untar *u, const char *name, struct err *e) {
    bool skip = false;
    if (u->result->files++ >= u->job->files_max) {
        err_set(e, ERR_POLICY, "the layer has more entries than the %llu that are left of limits.files",
                (unsigned long long)u->job->files_max);
        return err_mend(e, "raise limits.files in the policy, if the image is meant to have so many");
    }
    u->type = archive_entry_hardlink(u->entry) ? 0 : archive_entry_filetype(u->entry);
    if (!layer_path_parse(name ? view_str(name) : (struct view){0}, &u->path, e)) return false;
    switch (u->path.kind) {
    case LAYER_IGNORED: return true;
    case LAYER_ROOT: return put_root(u, e);
    /* umoci lists what a directory had when a symlink took its place. The symlink hides all of that by itself. */
    case LAYER_WHITEOUT: return open_parent(u, e) ? put_whiteout(u, e) : u->blocked;
    case LAYER_OPAQUE: return open_parent(u, e) ? mark_opaque(u, u->parent, e) : u->blocked;
    default: return check_entry(u, &skip, e) && (skip || (open_parent(u, e) && put_entry(u, e)));
    }
}

/* ---- the stream ---- */

static bool next_block(struct untar *u, struct view *out, struct err *e) {
    return u->input->next(u->input->state, out, &u->input->ended, e);
}

static la_ssize_t feed(struct archive *a, void *state, const void **out) {
    struct untar *u = state;
    struct view v = u->first;
    u->first = (struct view){0};
    if (v.n == 0 && !next_block(u, &v, &u->fault)) {
        archive_set_error(a, EIO, "input");
        return -1;
    }
    *out = v.p;
    return (la_ssize_t)v.n;
}

static bool entries(struct untar *u, struct err *e) {
    if (archive_read_support_format_tar(u->archive) != ARCHIVE_OK ||
        archive_read_open(u->archive, u, NULL, feed, NULL) != ARCHIVE_OK)
        return tar_fault(u, e);
    while (!u->ended) {
        int r = archive_read_next_header(u->archive, &u->entry);
        if (r == ARCHIVE_EOF) break;
        /* A pax name that is no UTF-8 is a warning and comes through as it is; any other warning, a header misread. */
        if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && archive_errno(u->archive) == EILSEQ)) return tar_fault(u, e);
        const char *name = archive_entry_pathname(u->entry);
        if (!put(u, name, e)) return err_in(e, "%.120s", name ? name : "");
    }
    return leave_way(u, NULL, 0, e);
}

bool untar(int root_fd, const struct unpack_job *job, struct untar_input *input, struct unpack_result *out,
           struct err *e) {
    struct unpack_result result = {0};
    struct directory root;
    struct untar u = {.job = job, .input = input, .result = &result, .root = root_fd, .own_gid = getegid()};
    u.inherits = fgetxattr(root_fd, "system.posix_acl_default", NULL, 0) > 0;
    if (!directory_root(&u, &root, e)) return false;
    bool begun = make_plain(&u, &root, e) && mark_implied(&u, &root, e);
    if (!directory_leave(&root, e) || !begun) return false;
    if (!next_block(&u, &u.first, e)) return false;
    if (u.first.n) { /* a layer of no bytes at all has no entries */
        u.archive = archive_read_new();
        if (!u.archive) return err_set(e, ERR_SYSTEM, "no memory for the tar reader");
        bool ok = entries(&u, e);
        while (u.way_n) close(u.way[--u.way_n].fd);
        archive_read_free(u.archive);
        if (!ok) return false;
    }
    for (struct view rest = {0}; !input->ended;) /* what follows the end mark belongs to the diffID too */
        if (!next_block(&u, &rest, e)) return false;
    *out = result;
    return true;
}
