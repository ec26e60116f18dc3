/* image_config: image-spec config.md; Docker's container config is the same for the members read here. */
#ifndef PLINTH_OCI_IMAGE_CONFIG_H
#define PLINTH_OCI_IMAGE_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"
#include "oci/digest.h"
#include "oci/manifest.h"

struct text_list {
    size_t count;
    struct view *items; /* in the arena */
};

struct image_config {
    struct view os, architecture, variant;
    struct view user, working_dir, stop_signal; /* empty when absent */
    struct text_list entrypoint, cmd, env;      /* env as "NAME=value" */
    size_t diff_id_count;
    struct digest diff_ids[LAYERS_MAX];
};

/* Refused (ERR_FORMAT): rootfs.type other than "layers", a diffID that is no digest, env without "=" or with an
 * empty name, NUL in any text, more than ARGS_MAX items in a list, a number of diffIDs other than manifest layers
 * (`layer_count`: both numbers in the message), os other than linux or an architecture other than `want`. */
bool image_config_parse(struct view bytes, size_t layer_count, const struct platform *want, struct arena *a,
                        struct image_config *out, struct err *e);

#endif
