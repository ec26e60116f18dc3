/* see mounts.h */
#include "sys/mounts.h"

#include "base/writer.h"
#include "oci/layer.h"
#include "sys/root.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct entry {
    const char *path, *type;
    unsigned long flags;
    const char *options;
    bool optional; /* kernels may lack it */
};

#define LATE 2
static const struct entry early[] = {
    {"/proc", "proc", SAFE, NULL, false},
    {"/sys", "sysfs", SAFE, NULL, false},
    {"/dev", "devtmpfs", MS_NOSUID, "mode=0755", false},
    {"/run", "tmpfs", SAFE, "mode=0755,size=16m", false},
    /* the last LATE of them after the modules */
    {"/sys/kernel/security", "securityfs", SAFE, NULL, true},
    {"/sys/kernel/config", "configfs", SAFE, NULL, true},
};

static const struct entry container[] = {
    {"/proc", "proc", SAFE, NULL, false},
    {"/sys", "sysfs", SAFE | MS_RDONLY, NULL, false},
    {"/sys/fs/cgroup", "cgroup2", SAFE | MS_RDONLY, NULL, true},
    {"/dev", "tmpfs", SAFE | MS_STRICTATIME, "mode=0755,size=1m", false},
    {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5", true},
    {"/dev/shm", "tmpfs", SAFE, "mode=1777,size=64m", false},
    {"/dev/mqueue", "mqueue", SAFE, NULL, true},
};

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty", "console"};
static const char *const links[][2] = {{"fd", "/proc/self/fd"},
                                       {"stdin", "/proc/self/fd/0"},
                                       {"stdout", "/proc/self/fd/1"},
                                       {"stderr", "/proc/self/fd/2"},
                                       {"ptmx", "pts/ptmx"}};
static const char *const masked[] = {"/proc/acpi",       "/proc/asound",      "/proc/interrupts",
                                     "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
                                     "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                                     "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
static const char *const frozen[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* mount(2) by descriptor, so that what was checked is what is mounted on. */
static int mount_on(int fd, const char *source, const char *type, unsigned long flags, const char *options) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return mount(source ? source : path, path, type, flags, options);
}

/* Mounts a table under `root`. The initramfs is the agent's own, and has no /proc yet: plain paths do there. */
static bool mount_table(int root, const struct entry *table, size_t n, struct err *e) {
    for (const struct entry *t = table; t < table + n; t++) {
        int fd = root_directory(root, t->path, 0755, false, e);
        bool ok = fd >= 0 && (root == AT_FDCWD ? mount(t->type, t->path, t->type, t->flags, t->options)
                                               : mount_on(fd, t->type, t->type, t->flags, t->options)) == 0;
        if (t->optional || (fd >= 0 && errno == EBUSY))
            ok = true; /* EBUSY: it is there already */
        else if (fd >= 0 && !ok)
            err_sys(e, "cannot mount %s on %s", t->type, t->path);
        if (fd >= 0) close(fd);
        if (!ok) return false;
    }
    return true;
}

static void stdio(int fd, const char *path, int flags) {
    int opened = open(path, flags | O_NOCTTY);
    if (opened < 0) opened = open("/dev/null", flags); /* a machine may have no console */
    if (opened < 0 || opened == fd) return;
    dup2(opened, fd);
    close(opened);
}

bool mount_early(struct err *e) {
    if (!mount_table(AT_FDCWD, early, COUNT(early) - LATE, e)) return false;
    stdio(0, "/dev/null", O_RDONLY);
    stdio(1, "/dev/console", O_WRONLY);
    stdio(2, "/dev/console", O_WRONLY);
    return true;
}

void mount_late(void) {
    struct err ignored;
    mount_table(AT_FDCWD, early + COUNT(early) - LATE, LATE, &ignored);
}

bool mount_image_store(const char *path, uint64_t bytes, uint64_t files, struct err *e) {
    char options[96];
    struct sysinfo memory;
    if (sysinfo(&memory)) return err_sys(e, "sysinfo");
    uint64_t total = (uint64_t)memory.totalram * memory.mem_unit, page = 4096;
    if (bytes > total / 8 * 7) bytes = total / 8 * 7;
    if (files > total / page) files = total / page;
    snprintf(options, sizeof options, "mode=0755,size=%llu,nr_inodes=%llu", (unsigned long long)bytes,
             (unsigned long long)files);
    int fd = root_directory(AT_FDCWD, path, 0755, false, e);
    if (fd < 0) return false;
    bool ok = mount_on(fd, "tmpfs", "tmpfs", SAFE, options) == 0;
    if (!ok) err_sys(e, "cannot mount a tmpfs for the image (%s)", options);
    close(fd);
    return ok;
}

/* "N:...:1:0", the topmost layer first; relative names, so that 128 of them fit into mount(2)'s one page. Overlayfs overlooks that a layer's
 * very root is opaque: then the layers below are left out. */
static bool overlay_options(size_t layer_count, char *out, size_t size) {
    struct writer w = writer_of(out, size);
    bool opaque = false;
    write_text(&w, "userxattr,upperdir=upper,workdir=work,lowerdir=");
    if (!layer_count) write_text(&w, "empty");
    for (size_t i = layer_count; i > 0 && !opaque; i--) {
        char name[24], value;
        snprintf(name, sizeof name, "%zu", i - 1);
        if (i < layer_count) write_text(&w, ":");
        write_text(&w, name);
        opaque = getxattr(name, LAYER_ATTRIBUTE_OPAQUE, &value, 1) == 1;
    }
    return writer_str(&w) != NULL;
}

/* The root directory of an overlay is the upper one's: it takes after the topmost layer's. */
static bool make_upper(size_t layer_count, struct err *e) {
    char top[24];
    struct stat s;
    snprintf(top, sizeof top, "%zu", layer_count - 1);
    if (mkdir("upper", 0755) || mkdir("work", 0700) || (!layer_count && mkdir("empty", 0755))) return err_sys(e, "cannot prepare the overlay");
    if (!layer_count) return true;
    struct timespec times[2];
    if (stat(top, &s)) return err_sys(e, "layer %s", top);
    times[0] = times[1] = s.st_mtim;
    if (chown("upper", s.st_uid, s.st_gid) || chmod("upper", s.st_mode & 07777) || utimensat(AT_FDCWD, "upper", times, 0))
        return err_sys(e, "cannot set the attributes of the image's root");
    return true;
}

bool mount_overlay(const char *store, size_t layer_count, const char *target, bool with_devices, struct err *e) {
    char options[4096];
    int fd = root_directory(AT_FDCWD, target, 0755, false, e);
    if (fd < 0) return false;
    close(fd);
    if (chdir(store)) return err_sys(e, "cannot enter %s", store);
    if (!make_upper(layer_count, e)) return false;
    if (!overlay_options(layer_count, options, sizeof options))
        return err_set(e, ERR_FORMAT, "%zu layers are too many", layer_count);
    bool ok = mount("overlay", target, "overlay", MS_NOEXEC | (with_devices ? 0 : MS_NODEV), options) == 0;
    int why = errno;
    if (chdir("/")) return err_sys(e, "cannot return to /");
    errno = why;
    if (ok) return true;
    err_sys(e, "cannot mount the overlay of %zu layers", layer_count);
    return err_mend(e, why == ENODEV ? "the kernel needs CONFIG_OVERLAY_FS, or overlay.ko in the initramfs"
                                     : "Linux 6.6 or later is needed, with CONFIG_TMPFS_XATTR");
}

static bool bind_device(int root, const char *name, struct err *e) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", name);
    if (access(path, F_OK)) return true; /* no console */
    if (!root_write(root, path, (struct view){0}, 0666, e)) return false;
    int fd = root_open(root, path, O_PATH, false);
    bool ok = fd >= 0 && mount_on(fd, path, NULL, MS_BIND, NULL) == 0;
    if (!ok) err_sys(e, "cannot mount %s for the container", path);
    if (fd >= 0) close(fd);
    return ok;
}

/* Hides a path: a file behind /dev/null, a directory behind an empty read-only tmpfs. */
static bool mask(int root, const char *path, struct err *e) {
    struct stat st;
    int fd = root_open(root, path, O_PATH, false);
    if (fd < 0) return true; /* this kernel has no such thing */
    bool ok = fstat(fd, &st) == 0 && (S_ISDIR(st.st_mode) ? mount_on(fd, "tmpfs", "tmpfs", SAFE | MS_RDONLY, NULL)
                                                          : mount_on(fd, "/dev/null", NULL, MS_BIND, NULL)) == 0;
    if (!ok) err_sys(e, "cannot mask %s", path);
    close(fd);
    return ok;
}

bool mount_read_only(int root, const char *path, struct err *e) {
    int fd = root_open(root, path, O_PATH, false);
    bool ok = fd >= 0 && mount_on(fd, NULL, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE, NULL) == 0;
    if (!ok) err_sys(e, "cannot make %s read-only", path);
    if (fd >= 0) close(fd);
    return ok;
}

/* The same for a path that is no mount: first it becomes one. */
static bool freeze(int root, const char *path, struct err *e) {
    int fd = root_open(root, path, O_PATH, false);
    if (fd < 0) return true;
    bool ok = mount_on(fd, NULL, NULL, MS_BIND | MS_REC, NULL) == 0;
    if (!ok) err_sys(e, "cannot mount %s on itself", path);
    close(fd);
    return ok && mount_read_only(root, path, e);
}

bool mount_scratch(int root, const char *path, uint64_t bytes, mode_t mode, struct err *e) {
    char options[64];
    snprintf(options, sizeof options, "mode=%04o,size=%llu", mode, (unsigned long long)bytes);
    struct entry entry = {path, "tmpfs", SAFE, options, false};
    return mount_table(root, &entry, 1, e);
}

bool mount_container(int root, struct err *e) {
    if (!mount_table(root, container, COUNT(container), e)) return false;
    for (size_t i = 0; i < COUNT(devices); i++)
        if (!bind_device(root, devices[i], e)) return false;
    int dev = root_open(root, "dev", O_PATH | O_DIRECTORY, false);
    if (dev < 0) return err_sys(e, "cannot open the container's /dev");
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT(links); i++)
        if (symlinkat(links[i][1], dev, links[i][0])) ok = err_sys(e, "cannot link /dev/%s", links[i][0]);
    close(dev);
    for (size_t i = 0; ok && i < COUNT(masked); i++) ok = mask(root, masked[i], e);
    for (size_t i = 0; ok && i < COUNT(frozen); i++) ok = freeze(root, frozen[i], e);
    return ok;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st, (void)kind, (void)where;
    remove(path); /* mount points stay, as they must */
    return 0;
}

/* The initramfs' files are memory. Only a root that is a ramfs or tmpfs and whose /init this program is will be
 * emptied. */
static void empty_initramfs(void) {
    struct statfs fs;
    struct stat init, self;
    if (getpid() != 1 || statfs("/", &fs) || (fs.f_type != 0x858458f6 && fs.f_type != 0x01021994)) return;
    if (stat("/init", &init) || stat("/proc/self/exe", &self) || init.st_dev != self.st_dev ||
        init.st_ino != self.st_ino)
        return;
    nftw("/", remove_one, 16, FTW_PHYS | FTW_MOUNT | FTW_DEPTH); /* FTW_MOUNT: this device only */
}

bool mount_switch_root(const char *target, const char *store, bool last, struct err *e) {
    if (chdir(target)) return err_sys(e, "cannot enter %s", target);
    if (last) empty_initramfs();
    umount2(store, MNT_DETACH); /* the overlay holds it, by no name */
    for (size_t i = COUNT(early); i > 0; i--) umount2(early[i - 1].path, MNT_DETACH);
    if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
        return err_sys(e, "cannot make the image the root");
    return true;
}

bool mount_private(struct err *e) {
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || err_sys(e, "cannot make the mounts private");
}

void mount_forget(const char *path) { umount2(path, MNT_DETACH); }

bool mount_make_executable(bool with_devices, struct err *e) {
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | (with_devices ? 0 : MS_NODEV), NULL) == 0) return true;
    return err_sys(e, "cannot make the image executable");
}
