/* reference_fetch: reference values as their publisher keeps them, beside the image in the registry: an attestation of
 * a predicateType of ours (in-toto statement; cosign attest --type REFERENCE_PREDICATE), whose predicate is the very
 * object that tools/appraise/reference.h describes. Fetched and verified by the code that pulls in the guest.
 *
 * The policy is the relying party's and says whose statements count. It is another file than the guest's, which is
 * measured and so cannot ask for a statement about itself. */
#ifndef PLINTH_TOOLS_REFERENCE_FETCH_H
#define PLINTH_TOOLS_REFERENCE_FETCH_H

#include "format/json.h"
#include "oci/digest.h"

#define REFERENCE_PREDICATE "urn:plinth:reference:v1"

struct reference_published {
    char manifest[DIGEST_TEXT_SIZE]; /* of the image; empty: nothing was fetched */
    char signers[256];               /* "'builder', 'auditor'": names of the keys in the policy */
    struct view statement;           /* the signed bytes */
    const json *predicate;           /* NULL when it has none */
};

/* Whether `text` names an image ("docker://", "oci:") and no file. */
bool reference_is_published(const char *text);
/* `image` as docker:// or oci:, `policy` the name of the relying party's policy. ERR_USAGE: no policy, or none of its
 * attestations is of REFERENCE_PREDICATE. ERR_SIGNATURE: no such statement, or not by enough of its keys. ERR_POLICY:
 * statements that count differ. Beside what pull_resolve and pull_trust refuse. Everything lives in `a`. */
bool reference_fetch(const char *image, const char *policy, struct arena *a, struct reference_published *out,
                     struct err *e);

#endif
