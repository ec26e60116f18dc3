#include "lib.h"

#include "base/codec.h"
#include "crypto/ctr_hmac.h"
#include "crypto/hash.h"

static void hex(const char *text, uint8_t *out)
{
    CHECK(hex_decode(view_str(text), out, strlen(text) / 2));
}

// NIST SP 800-38A F.5.5 and F.5.6, CTR-AES256.
TEST(nist)
{
    uint8_t key[32], counter[16], plain[64], cipher[64];
    hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key);
    hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", counter);
    hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710", plain);
    hex("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6", cipher);
    ctr_once(key, counter, plain, sizeof plain);
    CHECK(memcmp(plain, cipher, sizeof cipher) == 0);
}

// key 00..1f, plaintext 00..45, by OpenSSL 3 (python3-cryptography 48): nonces that wrap at 2^128, 2^32 and 2^64 on their way.
static const struct {
    const char *nonce, *cipher, *mac;
} vectors[] = {
    {"ffffffffffffffffffffffffffffffff",
     "e998e61e48a276dd5b8e1b70518259e1e28112a53e5c89c7b1ea8071c133699fd07c548d6e9cb9c28edfb11a64ef18123e8d87ed8119b58a3091930e2411afa6920214106cc4",
     "d874af03662c429d3b89e8d5992249d38a5d0b6b346a7dc1359ca8a17b19a187"},
    {"000000000000000000000000fffffffe",
     "fd9ea1fa2827eda6926161b228fbe87ba9d3618b04deb740b1e7700b90734881443c3819a49be9d1d8daa5bc48d0e1b9064fca1bbc04634330d838ae362bdc555597fdbf00b1",
     "80f025ad152bcdc1daf894dc2dec3463ebc584909503614c07f9d4d7328bd128"},
    {"0000000000000000ffffffffffffffff",
     "a6fad95ff9e57b1c50f43c2a7bb1f1d0410cc7fc8e7d3d6abc868bd3705264dc60e41eccb6ca0b43174aa1a90ef630aa013a564e05a8eaa5dc6aa4a0820a39b2aba2ecb8bba6",
     "6acb951cc7146d5bf20e85bf21bb2011e4987fd8bbd3ba86d5f2228ecc6da1bf"},
};

// In pieces of `step` bytes, the first one of `first`.
static void decrypt(struct ctr_hmac *c, uint8_t *bytes, size_t n, size_t first, size_t step)
{
    for (size_t at = 0, piece = first; at < n; at += piece, piece = step)
        ctr_hmac_decrypt(c, bytes + at, piece = piece < n - at ? piece : n - at);
}

TEST(vectors_in_pieces)
{
    uint8_t key[32], nonce[16], bytes[70], mac[32];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        for (size_t first = 0; first <= 70; first++)
            for (size_t step = 1; step <= 70; step += step < 34 ? 1 : 9) {
                struct ctr_hmac c;
                hex(vectors[i].nonce, nonce);
                hex(vectors[i].cipher, bytes);
                hex(vectors[i].mac, mac);
                ctr_hmac_begin(&c, key, nonce);
                decrypt(&c, bytes, sizeof bytes, first, step);
                for (size_t k = 0; k < sizeof bytes; k++)
                    CHECK(bytes[k] == k);
                CHECK(ctr_hmac_right(&c, mac));
                CHECK(ctr_hmac_right(&c, mac)); // it may be asked again
            }
}

TEST(a_wrong_mac)
{
    uint8_t key[32] = {0}, nonce[16] = {0}, mac[32], bytes[40] = {1, 2, 3};
    struct ctr_hmac c;
    ctr_hmac_begin(&c, key, nonce);
    br_hmac_out(&c.hmac, mac);
    CHECK(ctr_hmac_right(&c, mac)); // of nothing
    ctr_hmac_decrypt(&c, bytes, sizeof bytes);
    CHECK(!ctr_hmac_right(&c, mac));
    br_hmac_out(&c.hmac, mac);
    for (size_t bit = 0; bit < 256; bit++) {
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!ctr_hmac_right(&c, mac));
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(ctr_hmac_right(&c, mac));
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) { // and one bit of the ciphertext
        uint8_t copy[40] = {1, 2, 3};
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ctr_hmac_begin(&c, key, nonce);
        ctr_hmac_decrypt(&c, copy, sizeof copy);
        CHECK(!ctr_hmac_right(&c, mac));
    }
}

// SP 800-38A section 6.5 from single blocks, the counter counted in bytes.
static void by_blocks(const uint8_t key[32], uint8_t counter[16], uint8_t *bytes, size_t n)
{
    br_aes_small_cbcenc_keys aes;
    br_aes_small_cbcenc_init(&aes, key, 32);
    for (size_t at = 0; at < n; at += 16) {
        uint8_t block[16], zero[16] = {0};
        memcpy(block, counter, 16);
        br_aes_small_cbcenc_run(&aes, zero, block, 16);
        for (size_t i = 0; i < 16 && at + i < n; i++)
            bytes[at + i] ^= block[i];
        for (size_t i = 16; i-- > 0 && ++counter[i] == 0;)
            ;
    }
}

// Every class that may be taken, at every distance from each wrap, in long runs and odd pieces.
TEST(wraps)
{
    const br_block_ctrcbc_class *classes[] = {br_aes_x86ni_ctrcbc_get_vtable(), &br_aes_ct64_ctrcbc_vtable};
    uint8_t key[32], want[400], got[400];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(7 * i + 1);
    for (size_t high = 0; high <= 16; high += 4)
        for (int before = 0; before < 12; before++) {
            uint8_t nonce[16], counter[16];
            memset(nonce, 0x5a, high);
            memset(nonce + high, 0xff, 16 - high);
            nonce[15] = (uint8_t)(nonce[15] - before);
            memset(want, 0, sizeof want);
            memcpy(counter, nonce, 16);
            by_blocks(key, counter, want, sizeof want);
            for (size_t k = 0; k < 2; k++) {
                br_aes_gen_ctrcbc_keys aes;
                if (!classes[k])
                    continue;
                classes[k]->init(&aes.vtable, key, 32);
                memset(got, 0, sizeof got);
                memcpy(counter, nonce, 16);
                aes.vtable->ctr(&aes.vtable, counter, got, 48);
                aes.vtable->ctr(&aes.vtable, counter, got + 48, sizeof got - 48);
                CHECK(memcmp(want, got, sizeof got) == 0);
            }
            for (size_t step = 1; step < 200; step += 13) {
                struct ctr_hmac c;
                memset(got, 0, sizeof got);
                ctr_hmac_begin(&c, key, nonce);
                decrypt(&c, got, sizeof got, step / 2, step);
                CHECK(memcmp(want, got, sizeof got) == 0);
            }
        }
}
