/* ed25519: what RFC 8032 section 5.1 computes on the curve, over libsodium's field and group arithmetic. The hashing is
 * sig.c's, so that a message comes in parts. */
#ifndef PLINTH_CRYPTO_ED25519_H
#define PLINTH_CRYPTO_ED25519_H

#include <stdbool.h>
#include <stdint.h>

/* A point of the curve in its one spelling (y < p), of large order. */
bool ed25519_good_key(const uint8_t key[32]);
/* Whether S B = R + k A, for the signature R || S, the key A and k = H(R || A || M), in section 5.1.7's form without
 * cofactor. S is below the group's order; R and A are not of small order. */
bool ed25519_equation_holds(const uint8_t key[32], const uint8_t k[64], const uint8_t signature[64]);

#endif
