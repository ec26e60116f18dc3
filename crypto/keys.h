/* keys: public keys of the policy, RFC 5280 SubjectPublicKeyInfo in PEM ("PUBLIC KEY") as `cosign public-key` writes
 * it. */
#ifndef PLINTH_CRYPTO_KEYS_H
#define PLINTH_CRYPTO_KEYS_H

#include "base/err.h"
#include "base/view.h"

enum key_type { KEY_EC_P256 }; /* more types come as members here and cases in keys.c and sig.c */

struct public_key {
    enum key_type type;
    uint8_t point[65];       /* EC: 04 || x || y */
    uint8_t spki_sha256[32]; /* of the DER: two keys are the same key when this is equal */
};

/* Reads one PEM block: `label` is what stands after BEGIN, `der` what it holds. ERR_USAGE naming what it is instead (a
 * private key, a certificate, another curve, RSA), a point that is not on the curve, or trailing bytes. DER is read
 * strictly. */
bool public_key_decode(struct view label, struct view der, struct public_key *out, struct err *e);

#endif
