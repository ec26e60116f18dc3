/* see hash.h */
#include "crypto/hash.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Asked of the processor anew by each hash_init: the library keeps no state of its own. */
static bool have_sha_ni(void) {
    unsigned a, b, c, d;
    bool sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1);
    return sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* FIPS 180-4 section 6.2.2 over whole blocks; the instructions keep the state as ABEF and CDGH. */
__attribute__((target("sha,sse4.1"))) static void sha_ni_blocks(uint32_t state[8], const uint8_t *p, size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0), w[16];
    for (; blocks; blocks--, p += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            if (i < 4)
                w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
            else
                w[i] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(w[i - 4], w[i - 3]), _mm_alignr_epi8(w[i - 1], w[i - 2], 4)),
                    w[i - 1]);
            __m128i k = _mm_add_epi32(w[i], _mm_load_si128((const __m128i *)(round_constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}
#else
static bool have_sha_ni(void) { return false; }
static void sha_ni_blocks(uint32_t state[8], const uint8_t *p, size_t blocks) { (void)state, (void)p, (void)blocks; }
#endif

static const br_hash_class *const classes[] = {&br_sha256_vtable, &br_sha384_vtable, &br_sha512_vtable};

void hash_init(struct hash *h, enum hash_alg alg) {
    h->alg = alg;
    h->sha_ni = alg == HASH_SHA256 && have_sha_ni();
    classes[alg]->init(&h->ctx.vtable);
}

static void update(struct hash *h, struct view bytes) {
    if (bytes.n) classes[h->alg]->update(&h->ctx.vtable, bytes.p, bytes.n);
}

void hash_update(struct hash *h, struct view bytes) {
    if (h->sha_ni) { /* BearSSL fills its buffer up to a block, whole blocks go past it */
        br_sha256_context *c = &h->ctx.sha256;
        struct view head = view_first(bytes, -(size_t)c->count & 63);
        update(h, head);
        bytes = view_skip(bytes, head.n);
        size_t blocks = bytes.n / 64;
        if (blocks) sha_ni_blocks(c->val, bytes.p, blocks);
        c->count += blocks * 64;
        bytes = view_skip(bytes, blocks * 64);
    }
    update(h, bytes);
}

void hash_final(const struct hash *h, uint8_t *out) { classes[h->alg]->out(&h->ctx.vtable, out); }

size_t hash_size(enum hash_alg alg) { return alg == HASH_SHA256 ? 32 : alg == HASH_SHA384 ? 48 : 64; }

const char *hash_name(enum hash_alg alg) {
    static const char *const names[] = {"sha256", "sha384", "sha512"};
    return names[alg];
}

void hash_once(enum hash_alg alg, struct view bytes, uint8_t *out) {
    struct hash h;
    hash_init(&h, alg);
    hash_update(&h, bytes);
    hash_final(&h, out);
}
