/* cpio: an initramfs archive in "newc" form (linux Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * The same entries give the same bytes: sorted by path, inode numbers in that order, owner 0:0, time 0. */
#ifndef PLINTH_TOOLS_CPIO_H
#define PLINTH_TOOLS_CPIO_H

#include "base/err.h"
#include "base/writer.h"

#define CPIO_PATH_MAX 255u

struct cpio_entry {
    const char *path;          /* "etc/plinth/policy.json": relative, no "." or "..", no empty component */
    uint32_t mode;             /* type and permission, as st_mode: S_IFREG, S_IFDIR, S_IFCHR */
    uint32_t major, minor;     /* of a device node */
    struct view content;       /* of a regular file */
};

/* Sorts `entries` in place and writes the archive with its trailer; a multiple of 4 bytes. ERR_USAGE: a path that is not as above, twice the same
 * path, or one whose parent is no directory entry (the kernel would leave it out without a word); a file of 4 GiB or more.
 * ERR_SYSTEM when `out` is full. */
bool cpio_write(struct cpio_entry *entries, size_t count, struct writer *out, struct err *e);

#endif
