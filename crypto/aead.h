/* aead: AES-256-GCM (NIST SP 800-38D) and the AES key wrap (RFC 3394), as JOSE uses both. */
#ifndef PLINTH_CRYPTO_AEAD_H
#define PLINTH_CRYPTO_AEAD_H

#include "base/view.h"

/* Decrypts `n` bytes in place. False, with the bytes wiped, when the tag is not right; false for an IV of other than 12
 * bytes or a tag of other than 16. `key` has 16, 24 or 32 bytes. */
bool aead_open(struct view key, struct view iv, struct view aad, uint8_t *bytes, size_t n, struct view tag);
/* Unwraps wrapped.n - 8 bytes; wrapped.n is a multiple of 8, from 24, else it is false. `kek` has 16, 24 or 32 bytes.
 * False, with `out` wiped, when the integrity value is not right. */
bool key_unwrap(struct view kek, struct view wrapped, uint8_t *out);

#endif
