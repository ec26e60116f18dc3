/* sig: signature verification. ECDSA (FIPS 186-5) with DER signatures (RFC 3279 section 2.2.3), RSA PKCS#1 v1.5 (RFC
 * 8017 section 8.2), Ed25519 and Ed25519ph without a context (RFC 8032 section 5.1). */
#ifndef PLINTH_CRYPTO_SIG_H
#define PLINTH_CRYPTO_SIG_H

#include "base/view.h"
#include "crypto/keys.h"

/* What the signer hashed with, as cosign does it: EC and RSA with SHA-256 and pure Ed25519 (PLAIN); in bundles P-384
 * with SHA-384, P-521 with SHA-512, Ed25519ph, and where that does not hold, as PLAIN (BUNDLE). */
enum sig_rule { SIG_RULE_PLAIN, SIG_RULE_BUNDLE };

/* True when `signature` by `key` is over the message, which is its parts one after another. One signature has one
 * spelling: DER is minimal with nothing trailing, r, s and S are in range. About 1 ms (Ed25519 0.1, P-384 4, P-521 8;
 * twice that when BUNDLE tries twice), and the hashing. */
bool sig_verify(const struct public_key *key, enum sig_rule rule, const struct view *parts, size_t part_count,
                struct view signature);

#endif
