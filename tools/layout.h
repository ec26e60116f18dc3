/* layout: images from an OCI image layout on disk (image-spec image-layout.md), as a fetch worker of the host tool.
 *
 * The worker sees only the layout's directory (WORKER_ROOM) and answers the same requests as one that speaks to a
 * registry. Tags are the org.opencontainers.image.ref.name annotations of index.json; a tag that stands there twice is
 * refused. "latest" (no tag given) may also be the only entry without a tag. A digest is looked for in blobs/, listed
 * in index.json or not. Referrers are the manifests of index.json that name a subject, and the tag that lists them. */
#ifndef PLINTH_TOOLS_LAYOUT_H
#define PLINTH_TOOLS_LAYOUT_H

#include "worker/worker.h"

#define WORKER_LAYOUT "plinth:layout"

extern const struct source_ops layout_ops; /* state: struct layout */

struct layout {
    struct arena arena; /* index.json and its tree, from open on */
    const void *manifests;
};

int layout_main(void);

#endif
