/* sig: signature verification. ECDSA (FIPS 186-5) with DER signatures (RFC 3279 section 2.2.3). */
#ifndef PLINTH_CRYPTO_SIG_H
#define PLINTH_CRYPTO_SIG_H

#include "base/view.h"
#include "crypto/hash.h"
#include "crypto/keys.h"

/* True when `signature` by `key` is over hash(`message`). DER is strict: minimal integers, nothing trailing; r and s
 * are in 1..n-1. About 1 ms. */
bool sig_verify(const struct public_key *key, enum hash_alg alg, struct view message, struct view signature);

#endif
