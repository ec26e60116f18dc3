/* see aead.h */
#include "crypto/aead.h"

#include <bearssl_aead.h>
#include <bearssl_block.h>

#include "crypto/wipe.h"

bool aead_open(struct view key, struct view iv, struct view aad, uint8_t *bytes, size_t n, struct view tag) {
    br_aes_gen_ctr_keys aes;
    br_gcm_context gcm;
    if (iv.n != 12 || tag.n != 16) return false;
    const br_block_ctr_class *ctr = br_aes_x86ni_ctr_get_vtable();
    br_ghash hash = br_ghash_pclmul_get();
    if (!ctr) ctr = &br_aes_ct64_ctr_vtable;
    ctr->init(&aes.vtable, key.p, key.n);
    br_gcm_init(&gcm, &aes.vtable, hash ? hash : br_ghash_ctmul64);
    br_gcm_reset(&gcm, iv.p, iv.n);
    br_gcm_aad_inject(&gcm, aad.p, aad.n);
    br_gcm_flip(&gcm);
    br_gcm_run(&gcm, 0, bytes, n);
    bool good = br_gcm_check_tag(&gcm, tag.p);
    if (!good) wipe(bytes, n);
    wipe(&aes, sizeof aes);
    wipe(&gcm, sizeof gcm);
    wipe_stack();
    return good;
}

bool key_unwrap(struct view kek, struct view wrapped, uint8_t *out) {
    br_aes_gen_cbcdec_keys aes;
    uint8_t block[16], differ = 0;
    size_t n = wrapped.n / 8 - 1; /* RFC 3394 section 2.2.2, with its names */
    if (wrapped.n < 24 || wrapped.n % 8) return false;
    const br_block_cbcdec_class *cbc = br_aes_x86ni_cbcdec_get_vtable();
    if (!cbc) cbc = &br_aes_ct64_cbcdec_vtable;
    cbc->init(&aes.vtable, kek.p, kek.n);
    memcpy(block, wrapped.p, 8);
    memcpy(out, wrapped.p + 8, n * 8);
    for (size_t t = 6 * n; t; t--) {
        uint8_t *r = out + (t - 1) % n * 8, iv[16] = {0}; /* one block in CBC with no IV is the bare cipher */
        for (size_t i = 0; i < 8; i++) block[7 - i] ^= (uint8_t)((uint64_t)t >> 8 * i);
        memcpy(block + 8, r, 8);
        cbc->run(&aes.vtable, iv, block, sizeof block);
        memcpy(r, block + 8, 8);
    }
    for (size_t i = 0; i < 8; i++) differ |= block[i] ^ 0xa6;
    if (differ) wipe(out, n * 8);
    wipe(&aes, sizeof aes);
    wipe(block, sizeof block);
    wipe_stack();
    return !differ;
}
