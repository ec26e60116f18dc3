/* see ctr_hmac.h */
#include "crypto/ctr_hmac.h"

#include "crypto/hash.h"
#include "crypto/wipe.h"

/* BearSSL's CTR classes count in 32 bits; its "ctrcbc" classes, made for CCM and EAX, in 128. */
static void ctr_begin(struct ctr_hmac *c, const uint8_t key[static 32], const uint8_t nonce[static 16]) {
    const br_block_ctrcbc_class *aes = br_aes_x86ni_ctrcbc_get_vtable();
    if (!aes) aes = &br_aes_ct64_ctrcbc_vtable;
    aes->init(&c->aes.vtable, key, 32);
    memcpy(c->counter, nonce, sizeof c->counter);
    c->left = 0;
}

/* Takes key stream of the block that was begun. */
static size_t ctr_rest(struct ctr_hmac *c, uint8_t *bytes, size_t n) {
    size_t taken = n < c->left ? n : c->left;
    for (size_t i = 0; i < taken; i++) bytes[i] ^= c->stream[sizeof c->stream - c->left + i];
    c->left -= taken;
    return taken;
}

static void ctr_run(struct ctr_hmac *c, uint8_t *bytes, size_t n) {
    size_t taken = ctr_rest(c, bytes, n), whole = (n - taken) & ~(size_t)15;
    if (whole) c->aes.vtable->ctr(&c->aes.vtable, c->counter, bytes + taken, whole);
    taken += whole;
    if (taken == n) return;
    memset(c->stream, 0, sizeof c->stream);
    c->aes.vtable->ctr(&c->aes.vtable, c->counter, c->stream, sizeof c->stream);
    c->left = sizeof c->stream;
    ctr_rest(c, bytes + taken, n - taken);
}

void ctr_hmac_begin(struct ctr_hmac *c, const uint8_t key[static 32], const uint8_t nonce[static 16]) {
    br_hmac_key_context hmac_key;
    ctr_begin(c, key, nonce);
    br_hmac_key_init(&hmac_key, hash_class(HASH_SHA256), key, 32);
    br_hmac_init(&c->hmac, &hmac_key, 0);
    wipe(&hmac_key, sizeof hmac_key);
    wipe_stack();
}

void ctr_hmac_decrypt(struct ctr_hmac *c, uint8_t *bytes, size_t n) {
    if (!n) return;
    br_hmac_update(&c->hmac, bytes, n);
    ctr_run(c, bytes, n);
}

bool ctr_hmac_right(const struct ctr_hmac *c, const uint8_t mac[static 32]) {
    uint8_t found[32], difference = 0;
    br_hmac_out(&c->hmac, found);
    for (size_t i = 0; i < sizeof found; i++) difference |= (uint8_t)(found[i] ^ mac[i]);
    return difference == 0;
}

void ctr_once(const uint8_t key[static 32], const uint8_t nonce[static 16], uint8_t *bytes, size_t n) {
    struct ctr_hmac c;
    ctr_begin(&c, key, nonce);
    ctr_run(&c, bytes, n);
    wipe(&c, sizeof c);
    wipe_stack();
}
