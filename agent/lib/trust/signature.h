/* signature: which of the policy's keys signed this image (cosign SIGNATURE_SPEC.md).
 *
 * The fetch worker hands over candidates, all unverified. A payload is parsed only after a signature by a policy key
 * holds over its bytes. */
#ifndef PLINTH_TRUST_SIGNATURE_H
#define PLINTH_TRUST_SIGNATURE_H

#include "base/arena.h"
#include "base/err.h"
#include "oci/digest.h"
#include "trust/policy.h"

enum signature_form { SIGNATURE_TAG /* simple signing at the .sig tag */ };

struct signature_candidate {
    enum signature_form form;
    struct view payload;   /* the signed bytes */
    struct view signature; /* as stored: base64 text for SIGNATURE_TAG */
};

/* One policy key that counts, at most one per key. */
struct signature_match {
    size_t key; /* index into policy->keys */
    enum signature_form form;
    struct digest digest; /* what it signed: the manifest, or the index that led to it */
};

struct signature_verdict {
    size_t count; /* distinct keys */
    struct signature_match matches[KEYS_MAX];
};

/* Checks all candidates against all keys. `digests` are the acceptable digests (manifest first, then the index or
 * NULL). True when at least policy->threshold distinct keys each have one good signature. Else ERR_SIGNATURE: how many
 * of how many, which keys are missing, and the nearest miss: "no signature", "signed by a key outside the policy",
 * "signature by 'builder' is for sha256:.., the image is sha256:..", "payload: critical.type is ...". `out` is filled
 * in either case. */
bool signature_check(const struct policy *policy, const struct signature_candidate *candidates, size_t candidate_count,
                     const struct digest *manifest, const struct digest *index, struct arena *a,
                     struct signature_verdict *out, struct err *e);

/* "tag" */
const char *signature_form_name(enum signature_form form);

#endif
