/* claim: what a policy key said about this image, in whichever form and place.
 *
 * Candidates from the fetch worker and the policy's inline signatures become claims here, each once: a payload is parsed
 * only after a signature by a policy key holds over its bytes. What a claim is good for is decided in signature.h (may the
 * image run?) and attestation.h (what is known of it?). */
#ifndef PLINTH_TRUST_CLAIM_H
#define PLINTH_TRUST_CLAIM_H

#include "base/arena.h"
#include "base/err.h"
#include "format/json.h"
#include "oci/digest.h"
#include "trust/policy.h"
#include "trust/signature.h"

/* The image at hand. `index` is what led to the manifest, where an index did; else has_index is false. */
struct image_subject {
    struct digest manifest, index;
    bool has_index;
    struct view manifest_bytes, index_bytes; /* what a messageSignature is over */
};

/* Nearness to counting, for the one miss that is told. */
enum claim_state {
    CLAIM_NONE,
    CLAIM_UNREADABLE,
    CLAIM_FOREIGN,     /* not by a key of the policy, or altered */
    CLAIM_REPEATED,    /* by a key that counts already */
    CLAIM_BAD_PAYLOAD, /* by a key of the policy, but not what such a payload must be */
    CLAIM_OTHER_IMAGE,
    CLAIM_OTHER_KIND,  /* an attestation where a signature is wanted, another predicateType */
    CLAIM_UNMET,       /* the right kind, but annotations, identity or requirements are not met */
    CLAIM_HOLDS
};

struct claim {
    enum signature_form form;
    enum claim_state state;
    const struct err *why; /* of a claim that does not hold */
    size_t key;            /* index into policy->keys; KEYS_MAX where no key fits */
    struct digest digest;  /* the manifest's or the index's */
    struct view identity;  /* docker-reference, or the subject's name; may be empty */
    const json *annotations, *predicate; /* or NULL */
    struct view predicate_type;          /* empty but for DSSE and BUNDLE */
    struct view statement;               /* the same: the candidate's payload, which outlives the claims */
};

struct claims {
    size_t count;
    struct claim *items;
};

/* All candidates, then the policy's inline signatures. Everything lives in `a`, at most 13 times the payloads by policy keys.
 * False only for ERR_SYSTEM. */
bool claims_open(const struct policy *policy, const struct image_subject *image,
                 const struct signature_candidate *candidates, size_t candidate_count, struct arena *a,
                 struct claims *out, struct err *e);

/* ---- for signature.c and attestation.c ---- */

/* What a claim by a policy key about this image is asked: CLAIM_HOLDS, or how near it came and why (ERR_SYSTEM ends it all). */
typedef enum claim_state claim_test(const void *context, const struct claim *c, struct err *why);

struct claim_question {
    const struct policy *policy;
    const struct claims *claims;
    const char *what;           /* "signatures" */
    const char *absent;         /* what is said when there is no claim at all */
    unsigned told;              /* bits of the forms whose unreadable or foreign candidates are worth telling */
    claim_test *test;
    const void *context;
};

/* The first claim of each key that passes the test; NULL for the others. Gives the set of these keys. */
bool claims_select(const struct claim_question *q, const struct claim *by_key[KEYS_MAX], uint64_t *passed, struct err *e);

/* Whether enough of `keys` passed; else ERR_SIGNATURE "1 of 2 required signatures (by 'a'); <the nearest miss>; not signed by 'b'",
 * and what to mend if the miss says so. */
bool claims_enough(const struct claim_question *q, const struct policy_keys *keys, uint64_t passed,
                   const struct claim *const by_key[KEYS_MAX], struct err *e);

#endif
