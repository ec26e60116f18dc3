/* attestation: what the policy wants to be known of an image (in-toto statements; cosign ATTESTATION_SPEC.md, BUNDLE_SPEC.md).
 *
 * Each of policy.attestations needs `threshold` different keys of its own list, each with a statement of exactly its predicateType
 * about this image, whose predicate meets all requirements. */
#ifndef PLINTH_TRUST_ATTESTATION_H
#define PLINTH_TRUST_ATTESTATION_H

#include "trust/claim.h"

/* One statement that counts; at most one per entry of the policy and key. */
struct attestation_match {
    size_t attestation; /* index into policy->attestations: which requirement it met */
    size_t key;
    enum signature_form form;
    struct digest digest;
    struct view statement; /* the signed bytes: the candidate's */
};

struct attestation_verdict {
    size_t count;
    struct attestation_match *matches; /* in `a` */
};

/* ERR_SIGNATURE with the nearest miss, as signature_check; `claims` and `scratch` may be dropped after it. */
bool attestation_check(const struct policy *policy, const struct image_subject *image, const struct claims *claims,
                       struct arena *scratch, struct arena *a, struct attestation_verdict *out, struct err *e);

#endif
