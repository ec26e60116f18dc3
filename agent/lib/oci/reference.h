/* reference: the name of an image, as people type it.
 *
 *   docker://host[:port]/repository[:tag][@sha256:...]     (the policy's `image` also without "docker://")
 *   oci:DIRECTORY[:TAG][@sha256:...]                         (host tool only)
 *
 * Grammar of distribution-spec "Pulling manifests" (name, tag) and image-spec digest. A host needs a dot, a port, or to
 * be "localhost": short names of one vendor's hub are refused, because a measured policy must say where an image is
 * from. Without tag and digest the tag is "latest". */
#ifndef PLINTH_OCI_REFERENCE_H
#define PLINTH_OCI_REFERENCE_H

#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"
#include "oci/digest.h"

struct reference {
    bool layout;                         /* oci: */
    char host[HOST_MAX + 1];             /* with :port as written, or the directory's path is in `directory` */
    char repository[REPOSITORY_MAX + 1]; /* docker only */
    char directory[1024];                /* oci only */
    char tag[TAG_MAX + 1];               /* empty when a digest alone was given */
    bool pinned;                         /* a digest was given */
    struct digest digest;
};

/* ERR_USAGE with the text and the part that is wrong. `layouts` allows "oci:". */
bool reference_parse(struct view text, bool layouts, struct reference *out, struct err *e);
/* The canonical text: docker:// form without scheme for registries ("host/repo:tag@digest"), "oci:dir:tag@digest". */
void reference_text(const struct reference *r, char *out, size_t size);
/* "host/repository" of "host/repository[:tag][@digest]", whatever that holds. */
struct view reference_untagged(struct view text);
/* Repository on a mirror "host[/prefix]": without prefix the same repository, with one the prefix stands for all but
 * the last component ("cache.example/acme" for "registry.example/x/web" gives host cache.example, acme/web). */
bool reference_mirror(const struct reference *r, struct view mirror, struct reference *out, struct err *e);

#endif
