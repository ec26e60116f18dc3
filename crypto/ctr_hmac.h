/* ctr_hmac: AES-256-CTR (NIST SP 800-38A section 6.5) with HMAC-SHA256 (FIPS 198-1) over the ciphertext, both with one
 * key, as ocicrypt encrypts layers (containers/ocicrypt, blockcipher/blockcipher_aes_ctr.go). The nonce is the first
 * counter: 128 bits, big-endian, which may wrap. Streaming, in place, in pieces of any length; constant time.
 *
 * What was decrypted counts only when ctr_hmac_right has said so. The context is secret; who is done with it
 * wipes it. */
#ifndef PLINTH_CRYPTO_CTR_HMAC_H
#define PLINTH_CRYPTO_CTR_HMAC_H

#include "base/view.h"
#include <bearssl_block.h>
#include <bearssl_hmac.h>

struct ctr_hmac {
    br_aes_gen_ctrcbc_keys aes;
    br_hmac_context hmac;
    uint8_t counter[16];
    uint8_t stream[16]; /* the key stream of a block that was begun */
    size_t left;        /* its last bytes, not used yet */
};

void ctr_hmac_begin(struct ctr_hmac *c, const uint8_t key[static 32], const uint8_t nonce[static 16]);
void ctr_hmac_decrypt(struct ctr_hmac *c, uint8_t *bytes, size_t n);
/* Whether `mac` is that of all bytes so far; compared in constant time. */
bool ctr_hmac_right(const struct ctr_hmac *c, const uint8_t mac[static 32]);

/* AES-256-CTR alone. */
void ctr_once(const uint8_t key[static 32], const uint8_t nonce[static 16], uint8_t *bytes, size_t n);

#endif
