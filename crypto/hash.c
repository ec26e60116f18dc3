/* see hash.h */
#include "crypto/hash.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

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

/* The class works on BearSSL's context for SHA-256. Only ni_init looks at the vtable in there: where BearSSL saves and
 * restores states (multihash, HMAC) it may be another or none. */
static void ni_init(const br_hash_class **cc) {
    br_sha256_init((br_sha256_context *)(void *)cc);
    *cc = &hash_sha256_ni;
}

static void ni_update(const br_hash_class **cc, const void *p, size_t n) {
    br_sha256_context *c = (void *)cc;
    const uint8_t *from = p;
    size_t have = c->count & 63, head = have ? 64 - have : 0;
    c->count += n;
    if (have && n >= head) {
        memcpy(c->buf + have, from, head);
        sha_ni_blocks(c->val, c->buf, 1);
        from += head;
        n -= head;
        have = 0;
    }
    if (have == 0) {
        sha_ni_blocks(c->val, from, n / 64);
        from += n & ~(size_t)63;
        n &= 63;
    }
    if (n) memcpy(c->buf + have, from, n);
}

static void ni_out(const br_hash_class *const *cc, void *out) {
    br_sha256_context c = *(const br_sha256_context *)(const void *)cc;
    uint8_t end[72] = {0x80}, *bytes = out;
    size_t zeros = (55 - (size_t)c.count) & 63;
    for (int i = 0; i < 8; i++) end[1 + zeros + i] = (uint8_t)(c.count << 3 >> (56 - 8 * i));
    ni_update(&c.vtable, end, 1 + zeros + 8);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(c.val[i / 4] >> (24 - i % 4 * 8));
}

static uint64_t ni_state(const br_hash_class *const *cc, void *out) { return br_sha256_state((const void *)cc, out); }

static void ni_set_state(const br_hash_class **cc, const void *state, uint64_t count) {
    br_sha256_set_state((void *)cc, state, count);
}

const br_hash_class hash_sha256_ni = {
    sizeof(br_sha256_context),
    BR_HASHDESC_ID(br_sha256_ID) | BR_HASHDESC_OUT(32) | BR_HASHDESC_STATE(32) | BR_HASHDESC_LBLEN(6) |
        BR_HASHDESC_MD_PADDING | BR_HASHDESC_MD_PADDING_BE,
    ni_init, ni_update, ni_out, ni_state, ni_set_state};

bool hash_has_sha_ni(void) {
    unsigned a, b, c, d;
    bool sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1);
    return sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}
#else
const br_hash_class hash_sha256_ni;
bool hash_has_sha_ni(void) { return false; }
#endif

const br_hash_class *hash_class(enum hash_alg alg) {
    /* CPUID leaves a virtual machine, a confidential one by way of an exception: asked once. */
    static _Atomic(const br_hash_class *) sha256;
    if (alg != HASH_SHA256) return alg == HASH_SHA384 ? &br_sha384_vtable : &br_sha512_vtable;
    if (!sha256) sha256 = hash_has_sha_ni() ? &hash_sha256_ni : &br_sha256_vtable;
    return sha256;
}

void hash_init(struct hash *h, enum hash_alg alg) {
    h->alg = alg;
    hash_class(alg)->init(&h->ctx.vtable);
}

void hash_update(struct hash *h, struct view bytes) {
    if (bytes.n) h->ctx.vtable->update(&h->ctx.vtable, bytes.p, bytes.n);
}

void hash_final(const struct hash *h, uint8_t *out) { h->ctx.vtable->out(&h->ctx.vtable, out); }

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
