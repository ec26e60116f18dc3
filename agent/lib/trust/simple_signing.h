/* simple_signing: the payload of cosign's first form (SIGNATURE_SPEC.md "Simple Signing"; containers-signature(5)). */
#ifndef PLINTH_TRUST_SIMPLE_SIGNING_H
#define PLINTH_TRUST_SIMPLE_SIGNING_H

#include "base/arena.h"
#include "base/err.h"
#include "format/json.h"
#include "oci/digest.h"

struct simple_signing {
    struct digest manifest_digest; /* critical.image.docker-manifest-digest */
    struct view docker_reference;  /* critical.identity.docker-reference; a claim, not checked here */
    const json *optional;          /* object, or NULL */
};

/* Only for bytes whose signature holds. ERR_FORMAT: not strict JSON, critical.type other than "cosign container image
 * signature", a missing member, a digest that is none. Unknown members are ignored, as cosign writes new ones. */
bool simple_signing_parse(struct view payload, struct arena *a, struct simple_signing *out, struct err *e);

#endif
