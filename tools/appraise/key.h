/* key: signatures over evidence, with raw keys and raw r||s, over libcrypto. */
#ifndef PLINTH_APPRAISE_KEY_H
#define PLINTH_APPRAISE_KEY_H

#include "base/view.h"
#include "crypto/hash.h"

#include <openssl/types.h>

/* A key of 04 || x || y: 65 bytes P-256, 97 bytes P-384. NULL when it is not a point of the curve. Freed by EVP_PKEY_free. */
EVP_PKEY *key_of_point(struct view point);
/* An RSA key of its modulus (big-endian, at most 1024 bytes) and public exponent. NULL else. Freed by EVP_PKEY_free. */
EVP_PKEY *key_of_modulus(struct view n, uint32_t exponent);
/* A certificate's key, borrowed. NULL when libcrypto cannot read it. */
EVP_PKEY *key_of_certificate(const X509 *cert);
/* SubjectPublicKeyInfo in DER, whole. NULL else. */
EVP_PKEY *key_of_spki(struct view der);

/* ECDSA; r_s is r || s, big-endian, each as long as the curve's field. */
bool key_ecdsa_holds(EVP_PKEY *key, enum hash_alg alg, struct view message, struct view r_s);
/* RSASSA of RFC 8017: PKCS#1 v1.5, or PSS with MGF1 of the same hash and a salt of any length. */
bool key_rsa_holds(EVP_PKEY *key, bool pss, enum hash_alg alg, struct view message, struct view signature);

#endif
