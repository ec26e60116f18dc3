/* root: paths inside a directory tree that somebody else filled; no name in it leads outside.
 *
 * Every path is resolved by openat2 (Linux 5.6) with `root` as its "/", so that absolute symbolic links and ".." stay
 * inside. Where `links` is false, a symbolic link anywhere in the path is an error: mount points must be where they say
 * (CVE-2019-19921, CVE-2021-30465). Magic links of /proc are never followed. `root` AT_FDCWD with an absolute path: the
 * real root, for our own files. */
#ifndef PLINTH_SYS_ROOT_H
#define PLINTH_SYS_ROOT_H

#include "base/err.h"
#include "base/view.h"
#include <sys/types.h>

/* A descriptor (close-on-exec), or -1 with errno set. */
int root_open(int root, const char *path, int flags, bool links);
/* The directory `path` as an O_PATH descriptor; missing ones are made, owned by root, with `mode` for the last and 0755
 * for those above. -1: ERR_SYSTEM naming the path. */
int root_directory(int root, const char *path, mode_t mode, bool links, struct err *e);
/* Reads a regular file into `buffer`; *out is what it holds. *found false (and true returned) when there is none.
 * ERR_FORMAT: another kind of file, or more than `size` bytes. */
bool root_read(int root, const char *path, void *buffer, size_t size, struct view *out, bool *found, struct err *e);
/* Makes the file new, with `mode` whatever the umask; what stood there is removed, never followed. Its directory is
 * made when missing; links in the path to it are followed. */
bool root_write(int root, const char *path, struct view bytes, mode_t mode, struct err *e);

#endif
