/* signature: which of the policy's keys signed this image (cosign SIGNATURE_SPEC.md, BUNDLE_SPEC.md).
 *
 * The fetch worker hands over candidates, all unverified; claim.h says what becomes of them. A signature is simple signing,
 * or a statement of predicateType https://sigstore.dev/cosign/sign/v1 (another attestation is none), or, where the policy has
 * signatures.messageSignatures, a messageSignature over the manifest's bytes. */
#ifndef PLINTH_TRUST_SIGNATURE_H
#define PLINTH_TRUST_SIGNATURE_H

#include "base/arena.h"
#include "base/err.h"
#include "oci/digest.h"
#include "trust/policy.h"

enum signature_form {
    SIGNATURE_TAG,     /* simple signing: at the .sig tag, or such a manifest found as referrer */
    SIGNATURE_DSSE,    /* a DSSE envelope at the .att tag */
    SIGNATURE_BUNDLE,  /* a sigstore bundle v0.3 with a dsseEnvelope */
    SIGNATURE_MESSAGE, /* a sigstore bundle with a messageSignature, which is over the manifest's own bytes */
    SIGNATURE_INLINE,  /* simple signing, in the policy itself */
    SIGNATURE_FORMS
};

struct signature_candidate {
    enum signature_form form;
    struct view payload;   /* TAG, INLINE: the signed bytes; DSSE, BUNDLE: the statement, signed as its PAE; MESSAGE: empty */
    struct view signature; /* raw bytes */
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

struct claims;
struct image_subject;

/* True when every group of the policy has `threshold` of its keys with a signature that carries all the annotations and the
 * identity that the policy asks for. Keys count once, over all forms together; a key may count in several groups. Else
 * ERR_SIGNATURE: how many of how many, which keys are missing, and the nearest miss: "no signature", "signed by a key outside
 * the policy", "signature by 'builder' is for sha256:.., the image is sha256:..", "payload: critical.type is ...", and what
 * would mend that. `out` is filled in either case. */
bool signature_check(const struct policy *policy, const struct image_subject *image, const struct claims *claims,
                     struct signature_verdict *out, struct err *e);

/* "tag", "dsse", "bundle", "message", "inline" */
const char *signature_form_name(enum signature_form form);

#endif
