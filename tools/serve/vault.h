/* vault: the resources of `plinth serve`: regular files DIR/repository/type/tag.
 *
 * A path has three parts of letters, digits, '-', '_' and '.', none beginning with '.', so that no path leads out of
 * DIR or to a file that is being written. Symbolic links are not followed, below DIR. */
#ifndef PLINTH_SERVE_VAULT_H
#define PLINTH_SERVE_VAULT_H

#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"

#define VAULT_RESOURCE_MAX KBS_RESOURCE_MAX

/* `also`: a character that may stand in a part, too ('*' of a pattern), or 0. */
bool vault_path_ok(struct view path, char also);
/* A descriptor of DIR for the two below. ERR_USAGE. *loose: others than the owner may read it. */
bool vault_open(const char *dir, int *fd, bool *loose, struct err *e);
/* *out is malloc'ed, at most VAULT_RESOURCE_MAX bytes; vault_wipe gives it back. ERR_POLICY: there is none of that
 * name, or it is no regular file; ERR_SYSTEM: reading failed, or it is too large. */
bool vault_read(int fd, struct view path, struct view *out, struct err *e);
void vault_wipe(struct view *resource);
/* Whole or not at all, mode 0600, on the disk when it returns. Missing directories are made (0700). ERR_POLICY:
 * something stands there that is no regular file; ERR_SYSTEM. */
bool vault_write(int fd, struct view path, struct view bytes, struct err *e);

#endif
