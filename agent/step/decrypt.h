/* decrypt: the keys of encrypted layers, and what the monitor does to their bytes between hashing them and feeding the
 * unpack worker (lib/secret/ocicrypt.h, crypto/ctr_hmac.h). No worker ever has a key.
 *
 * ocicrypt's HMAC stands over the ciphertext, with a key that only its reader has; the digest in the private options is
 * that of what was encrypted. skopeo, when it compresses on the way, puts the digest of the uncompressed layer there:
 * that one is the diffID, which is compared anyway, and is taken too. */
#ifndef PLINTH_STEP_DECRYPT_H
#define PLINTH_STEP_DECRYPT_H

#include "step/step.h"

struct decryption; /* in locked memory of its own */

/* Opens the key of every encrypted layer; *out is NULL where none is. Wrapping keys and the private keys of
 * policy.decrypt_keys come from config->secrets, each asked for once and only where a layer wants it. ERR_POLICY: no
 * key opens a layer; ERR_NETWORK: no answer of a KBS. Names the layer. */
bool decrypt_open(const struct config *config, const struct manifest *manifest, struct arena *a,
                  struct decryption **out, struct err *e);
/* One layer at a time goes through a lane. Each does nothing for a layer that is not encrypted. */
void decrypt_begin(struct decryption *d, size_t lane, size_t layer);
/* In place; every byte of the layer once, in order. */
void decrypt_bytes(struct decryption *d, size_t lane, uint8_t *bytes, size_t n);
/* All bytes were there, and their digest is the manifest's: is the HMAC, and the digest of what came out? Else
 * ERR_DIGEST. */
bool decrypt_end(struct decryption *d, size_t lane, const struct digest *diff_id, struct err *e);
/* Wipes all keys. NULL is fine. */
void decrypt_drop(struct decryption *d);

#endif
