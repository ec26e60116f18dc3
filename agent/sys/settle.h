/* settle: what an unpack worker could not know of the layers below its own, put right before overlayfs joins them.
 *
 * Directories that a layer uses but does not list (image-spec layer.md: a layer holds only what changed): the worker makes them 0755 root and
 * marks them. In the overlay the upper directory's attributes win, so /tmp of a lower layer would lose its mode; here it gets it back.
 * Whiteouts that hide nothing: overlayfs would show them as names without a file. */
#ifndef PLINTH_SYS_SETTLE_H
#define PLINTH_SYS_SETTLE_H

#include "base/err.h"
#include <stddef.h>

/* In layers "1" .. "layer_count - 1" of the store: every marked directory gets owner, mode and time of the same directory in the nearest
 * lower layer that has it; whiteouts with nothing below are removed. No symlink is followed. ERR_SYSTEM. */
bool settle_layers(int store_fd, size_t layer_count, struct err *e);

#endif
