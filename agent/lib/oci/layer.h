/* layer: what a name in a layer's tar means (image-spec layer.md "Whiteouts"), and which names are refused. Pure text
 * rules: that no parent is a symlink is checked by worker/untar, on the directories themselves. */
#ifndef PLINTH_OCI_LAYER_H
#define PLINTH_OCI_LAYER_H

#include "base/err.h"
#include "base/view.h"

#define LAYER_PATH_MAX 4096u    /* PATH_MAX: no program could open a longer one */
#define LAYER_NAME_MAX 255u     /* NAME_MAX */
#define LAYER_DEPTH_MAX 255u    /* directories below each other; `plinth pull` holds two descriptors for each */
#define LAYER_SYMLINK_MAX 4095u /* symlink(2) */

/* What an unpacked layer's directory says about lower layers, beside whiteouts, until they are joined: attributes where
 * overlayfs does that, else character devices 0:0 of these names, which no layer can hold, for `.wh..wh.*` is reserved.
 * Opaque: nothing of lower layers is seen in this directory. Implied: the layer has entries in this directory but none
 * for itself, so its owner, mode and time are those of the nearest lower layer. */
#define LAYER_ATTRIBUTE_OPAQUE "user.overlay.opaque"
#define LAYER_ATTRIBUTE_IMPLIED "user.overlay.implied"
#define LAYER_NODE_OPAQUE ".wh..wh..opq"
#define LAYER_NODE_IMPLIED ".wh..wh..implied"

enum layer_path_kind {
    LAYER_ENTRY,
    LAYER_ROOT,     /* ".", "./", "/": attributes of the root directory */
    LAYER_WHITEOUT, /* ".wh.NAME": hides NAME of lower layers; `base` is NAME */
    LAYER_OPAQUE,   /* ".wh..wh..opq": hides all that lower layers have in the directory; `base` is empty */
    LAYER_IGNORED,  /* other ".wh..wh.*", AUFS's own */
};

/* Points into itself: not to be copied. */
struct layer_path {
    enum layer_path_kind kind;
    unsigned depth;                /* components, with the last */
    size_t parent_n;               /* text's first bytes that name the directory, 0 for the root */
    const char *base;              /* last component, in `text` */
    char text[LAYER_PATH_MAX + 1]; /* "." and empty components are gone; NUL-terminated */
};

/* Takes a name apart. ERR_FORMAT: empty, absolute, a ".." component, NUL, too long, too deep, `.wh.` without a name or
 * with "." or "..", something below a whiteout's name. */
bool layer_path_parse(struct view name, struct layer_path *out, struct err *e);

/* Checks a symlink's target: an absolute one means the container's root and is fine; a relative one may not climb above
 * the root, counted by its text. ERR_FORMAT also when empty, too long, or with a NUL. */
bool layer_symlink_check(const struct layer_path *at, struct view target, struct err *e);

#endif
