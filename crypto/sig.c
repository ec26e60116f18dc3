/* see sig.h */
#include "crypto/sig.h"

#include <bearssl_ec.h>
#include <bearssl_rsa.h>

#include "crypto/der.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

struct message {
    const struct view *parts;
    size_t count;
};

static void hash_parts(struct hash *h, const struct message *m, uint8_t *out) {
    for (size_t i = 0; i < m->count; i++) hash_update(h, m->parts[i]);
    hash_final(h, out);
}

static void hash_message(enum hash_alg alg, const struct message *m, uint8_t *out) {
    struct hash h;
    hash_init(&h, alg);
    hash_parts(&h, m, out);
}

/* Our own reading of SEQUENCE { r, s }, because BearSSL's takes lax DER; it checks that r and s are below the order. */
static bool ecdsa_verify(const struct public_key *key, enum hash_alg alg, const struct message *m,
                         struct view signature) {
    size_t size = key->ec.size / 2;
    uint8_t rs[2 * 66], hash[HASH_MAX];
    struct view sequence;
    if (!der_take(&signature, DER_SEQUENCE, &sequence) || signature.n) return false;
    if (!der_take_positive(&sequence, rs, size) || !der_take_positive(&sequence, rs + size, size)) return false;
    if (sequence.n) return false;
    hash_message(alg, m, hash);
    br_ec_public_key k = {key->ec.curve, (unsigned char *)key->ec.point, key->ec.size};
    return br_ecdsa_vrfy_raw_get_default()(br_ec_get_default(), hash, hash_size(alg), &k, rs, 2 * size) == 1;
}

/* RFC 8017 section 9.2's DigestInfo, whole, as one value: BearSSL's own reading of it takes two spellings. */
static bool rsa_verify(const struct public_key *key, const struct message *m, struct view signature) {
    static const uint8_t sha256[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint8_t wanted[sizeof sha256 + 32], found[sizeof wanted];
    br_rsa_public_key k = {(unsigned char *)key->rsa.n, key->rsa.n_size, (unsigned char *)key->rsa.e,
                           sizeof key->rsa.e};
    if (signature.n != key->rsa.n_size) return false;
    if (!br_rsa_pkcs1_vrfy_get_default()(signature.p, signature.n, NULL, sizeof found, &k, found)) return false;
    memcpy(wanted, sha256, sizeof sha256);
    hash_message(HASH_SHA256, m, wanted + sizeof sha256);
    return memcmp(found, wanted, sizeof wanted) == 0;
}

/* k = SHA-512(R || A || M), or with dom2(1, "") before and SHA-512(M) in place of M. */
static bool ed25519_verify(const struct public_key *key, bool prehashed, const struct message *m,
                           struct view signature) {
    uint8_t digest[HASH_MAX], k[HASH_MAX];
    struct view parts[] = {VIEW("SigEd25519 no Ed25519 collisions\x01\x00"), view_first(signature, 32),
                           view_of(key->ed25519, sizeof key->ed25519), view_of(digest, sizeof digest)};
    struct hash h;
    if (signature.n != 64) return false;
    if (prehashed) hash_message(HASH_SHA512, m, digest);
    hash_init(&h, HASH_SHA512);
    for (size_t i = prehashed ? 0 : 1; i < 3; i++) hash_update(&h, parts[i]);
    hash_parts(&h, prehashed ? &(struct message){parts + 3, 1} : m, k);
    return ed25519_equation_holds(key->ed25519, k, signature.p);
}

bool sig_verify(const struct public_key *key, enum sig_rule rule, const struct view *parts, size_t part_count,
                struct view signature) {
    const struct message m = {parts, part_count};
    bool bundle = rule == SIG_RULE_BUNDLE;
    switch (key->type) {
    case KEY_EC_P384:
        if (bundle && ecdsa_verify(key, HASH_SHA384, &m, signature)) return true;
        break;
    case KEY_EC_P521:
        if (bundle && ecdsa_verify(key, HASH_SHA512, &m, signature)) return true;
        break;
    case KEY_ED25519:
        return (bundle && ed25519_verify(key, true, &m, signature)) || ed25519_verify(key, false, &m, signature);
    case KEY_RSA: return rsa_verify(key, &m, signature);
    case KEY_EC_P256: break;
    }
    return ecdsa_verify(key, HASH_SHA256, &m, signature);
}
