/* merge: makes one root file system of the layers' directories, as image-spec layer.md describes; for `plinth pull`, on
 * the host.
 *
 * The layers are what worker/untar left, all verified, on the same file system as the result. Files are moved, not
 * copied. No symlink is followed. Works as root and as an ordinary user, for whom read-only directories are made
 * writable for as long as it takes. */
#ifndef PLINTH_TOOLS_MERGE_H
#define PLINTH_TOOLS_MERGE_H

#include "base/err.h"

#include <stddef.h>

/* Moves what is in layer_fds[0] (the lowest) to layer_fds[n - 1] into `dir_fd`, each over what is there. Whiteouts
 * remove, directories merge and get the attributes of the upper one (unless that one is only implied), everything else
 * replaces. No node or mark of oci/layer.h is left in the result; of the layers empty directories stay. The directory
 * that holds the layers may itself lie in `dir_fd`; it is left alone. ERR_SYSTEM. */
bool merge_layers(int dir_fd, const int *layer_fds, size_t n, struct err *e);

/* Removes all that is in the directory, whatever its modes. */
bool merge_clear(int dir_fd, struct err *e);

#endif
