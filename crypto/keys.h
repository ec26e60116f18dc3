/* keys: public keys of the policy, RFC 5280 SubjectPublicKeyInfo in PEM ("PUBLIC KEY") as `cosign public-key` writes
 * it: ECDSA on P-256, P-384 and P-521 (RFC 5480), RSA of 2048 to 4096 bits (RFC 3279), Ed25519 (RFC 8410). */
#ifndef PLINTH_CRYPTO_KEYS_H
#define PLINTH_CRYPTO_KEYS_H

#include "base/err.h"
#include "base/view.h"

enum key_type { KEY_EC_P256, KEY_EC_P384, KEY_EC_P521, KEY_RSA, KEY_ED25519 };

#define KEY_RSA_BITS_MIN 2048 /* NIST SP 800-131A */
#define KEY_RSA_BITS_MAX 4096 /* what BearSSL computes with */

struct public_key {
    enum key_type type;
    uint8_t spki_sha256[32]; /* of the DER: two keys are the same key when this is equal; no key has two spellings */
    union {
        struct {
            int curve; /* TLS's number of it (RFC 8422), which BearSSL uses too */
            size_t size;
            uint8_t point[1 + 2 * 66]; /* 04 || x || y */
        } ec;
        struct {
            size_t n_size;
            uint8_t n[KEY_RSA_BITS_MAX / 8], e[4]; /* big-endian; n without leading zeros */
        } rsa;
        uint8_t ed25519[32]; /* RFC 8032 section 5.1.2 */
    };
};

/* Reads one PEM block: `label` is what stands after BEGIN, `der` what it holds. ERR_USAGE naming what it is instead (a
 * private key, a certificate, another curve or algorithm), a size that is not accepted, a point that is not on the
 * curve, or trailing bytes. DER is read strictly. */
bool public_key_decode(struct view label, struct view der, struct public_key *out, struct err *e);

#endif
