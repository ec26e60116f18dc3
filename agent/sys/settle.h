/* settle: attributes of directories that a layer uses but does not list (image-spec layer.md: a layer holds only what changed).
 *
 * The unpack worker sees one layer alone, makes such a directory 0755 root, and marks it user.overlay.implied. In the overlay the
 * upper directory's attributes win, so /tmp of a lower layer would lose its mode. Here it gets them back. */
#ifndef PLINTH_SYS_SETTLE_H
#define PLINTH_SYS_SETTLE_H

#include "base/err.h"
#include <stddef.h>

/* Gives every marked directory of the store's layers "1" .. "layer_count - 1" owner, mode and time of the same directory in the
 * nearest lower layer that has it. No symlink is followed. ERR_SYSTEM. */
bool settle_layers(int store_fd, size_t layer_count, struct err *e);

#endif
