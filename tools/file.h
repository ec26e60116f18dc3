/* file: whole files in and out, for the host tool. */
#ifndef PLINTH_TOOLS_FILE_H
#define PLINTH_TOOLS_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#include <limits.h>

/* The whole of `path`, at most `max` bytes, into `a`. ERR_USAGE when it cannot be opened, is a directory or too large ("the policy FILE:
 * ..." with `what`); ERR_SYSTEM when reading fails. */
bool file_read(const char *what, const char *path, size_t max, struct arena *a, struct view *out, struct err *e);
/* Writes under a temporary name beside `path` and renames: readers see the old file or the whole new one. Refuses to replace
 * what is no regular file. */
bool file_write(const char *path, struct view bytes, struct err *e);
/* All bytes to a descriptor. */
bool file_put(int fd, struct view bytes, struct err *e);

#define HOST_CA "/etc/ssl/certs/ca-certificates.crt" /* the CA bundle of this host */

#define FILE_BESIDE_MAX (PATH_MAX + 64u)
/* Where `make` (beside this program) or `make install` (../lib/plinth) put a file of ours; beside this program when it is nowhere. */
bool file_beside(const char *name, char out[static FILE_BESIDE_MAX], struct err *e);

#endif
