/* mounts: every file system of the machine: the agent's own, the image's, the container's. (<sys/mount.h> is the C
 * library's.)
 *
 *   boot    mount_early, mount_late   /proc /sys /dev /run; securityfs, configfs
 *   layers  mount_image_store         tmpfs; nothing in it can be executed, opened as a device, or run set-uid
 *           mount_overlay             the layers joined, still not executable
 *   launch  mount_container           the file systems that every container has
 *           mount_switch_root         the overlay becomes "/", the initramfs is emptied
 *           mount_make_executable     the last thing before exec */
#ifndef PLINTH_SYS_MOUNTS_H
#define PLINTH_SYS_MOUNTS_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Also opens descriptors 0 (/dev/null: what the host types is not for us), 1 and 2 (/dev/console). ERR_SYSTEM names
 * what could not be mounted. */
bool mount_early(struct err *e);
/* securityfs and configfs where there are; after the modules. */
void mount_late(void);

/* A tmpfs at `path` (made when missing) for the layers' bytes and what the container writes: `bytes` and `files` at
 * most, and never more than seven eighths of the memory and one file per page. */
bool mount_image_store(const char *path, uint64_t bytes, uint64_t files, struct err *e);

/* Overlays the store's directories "0" .. "layer_count - 1" (0 lowest) at `target`, with the writable "upper" and
 * "work" beside them. Opaque directories are those with user.overlay.opaque (userxattr: Linux 5.11; on tmpfs 6.6). Not
 * executable yet; devices in layers work only with `devices`. */
bool mount_overlay(const char *store, size_t layer_count, const char *target, bool devices, struct err *e);

/* Mounts what runtimes give to every container under the directory `root` (Docker's set): /proc, /sys and cgroup2
 * read-only, /dev with pts, shm, mqueue and the harmless devices (no TPM: every other place forbids devices), masked
 * and read-only kernel paths. */
bool mount_container(int root, struct err *e);
/* A tmpfs of `bytes` at `path` under `root` (made when missing), and the same, or any other mount, made read-only. */
bool mount_scratch(int root, const char *path, uint64_t bytes, mode_t mode, struct err *e);
bool mount_read_only(int root, const char *path, struct err *e);

/* Makes `target` the root of this process and namespace, empties the initramfs (only where nobody uses it any more,
 * `last`, when it is one, and this is its init), and lets go of the agent's own mounts and of the store. After it no
 * path of the agent's exists any more. */
bool mount_switch_root(const char *target, const char *store, bool last, struct err *e);
/* A mount name space of this process's own begins as a copy; from here on nothing done in it is seen elsewhere. */
bool mount_private(struct err *e);
/* Lets go of a mount, and of what is mounted in it, by no name any more. */
void mount_forget(const char *path);
/* Lets files of "/" be executed, and devices be opened if `devices`. */
bool mount_make_executable(bool devices, struct err *e);

#endif
