/* see keys.h */
#include "crypto/keys.h"

#include <bearssl_ec.h>

#include "crypto/der.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

#define EC "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" /* id-ecPublicKey, RFC 5480 section 2.1.1 */
#define RSA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"

/* The whole of AlgorithmIdentifier's content: DER has one spelling for it. A curve is known by name only. */
static const struct algorithm {
    const char *der;
    size_t n;
    int curve;
    size_t size; /* of a point */
} algorithms[] = {
    [KEY_EC_P256] = {EC "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 19, BR_EC_secp256r1, 65},
    [KEY_EC_P384] = {EC "\x06\x05\x2b\x81\x04\x00\x22", 16, BR_EC_secp384r1, 97},
    [KEY_EC_P521] = {EC "\x06\x05\x2b\x81\x04\x00\x23", 16, BR_EC_secp521r1, 133},
    [KEY_RSA] = {RSA "\x01\x05\x00", 13, 0, 0}, /* rsaEncryption, NULL: RFC 3279 section 2.3.1 */
    [KEY_ED25519] = {"\x06\x03\x2b\x65\x70", 5, 0, 0},
};
#define ALGORITHM_COUNT (sizeof algorithms / sizeof *algorithms)

static bool refuse(struct err *e, const char *what) {
    err_set(e, ERR_USAGE, "the key is %s", what);
    return err_mend(e, "give an ECDSA P-256, P-384 or P-521, an RSA (2048 to 4096 bits) or an Ed25519 public key, as "
                       "cosign public-key prints it (-----BEGIN PUBLIC KEY-----)");
}

static bool refuse_label(struct view label, struct err *e) {
    if (view_ends(label, VIEW("PRIVATE KEY")))
        return refuse(e, "a private key: it does not belong into a policy, which everybody may read");
    if (view_is(label, "CERTIFICATE")) return refuse(e, "inside a certificate; the policy takes bare public keys");
    err_set(e, ERR_USAGE, "the PEM block is '%.*s', not 'PUBLIC KEY'", VIEW_ARG(view_first(label, 64)));
    return false;
}

static bool refuse_algorithm(struct view algorithm, struct err *e) {
    if (view_starts(algorithm, VIEW(EC "\x30"))) return refuse(e, "on a curve given by numbers, not by its name");
    if (view_starts(algorithm, VIEW(EC))) return refuse(e, "on an unknown curve");
    if (view_starts(algorithm, VIEW(RSA "\x0a"))) return refuse(e, "for RSA-PSS alone, which cosign does not use");
    return refuse(e, "of an unknown algorithm");
}

static bool read_point(const struct algorithm *a, struct view point, struct public_key *key, struct err *e) {
    if (point.n == 1 + a->size / 2 && (point.p[0] == 2 || point.p[0] == 3)) return refuse(e, "a compressed point");
    /* Multiplied by one only if it is 04 || x || y (SEC 1 section 2.3.3), x and y below p, and on the curve. */
    uint8_t product[sizeof key->ec.point], one = 1;
    if (point.n != a->size) return refuse(e, "no point of its curve");
    memcpy(product, point.p, point.n);
    if (!br_ec_prime_i31.mul(product, point.n, &one, 1, a->curve)) return refuse(e, "no point of its curve");
    key->ec.curve = a->curve;
    key->ec.size = point.n;
    memcpy(key->ec.point, point.p, point.n);
    return true;
}

static bool read_rsa(struct view der, struct public_key *key, struct err *e) {
    struct view numbers, n;
    if (!der_take(&der, DER_SEQUENCE, &numbers) || der.n || !der_take_number(&numbers, &n) ||
        !der_take_positive(&numbers, key->rsa.e, sizeof key->rsa.e) || numbers.n)
        return refuse(e, "no RSA public key with an exponent of at most 32 bits");
    size_t bits = n.n * 8;
    for (unsigned top = n.p[0]; top < 0x80; top <<= 1) bits--;
    if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX) {
        err_set(e, ERR_USAGE, "the RSA key has %zu bits, %u to %u are accepted", bits, KEY_RSA_BITS_MIN,
                KEY_RSA_BITS_MAX);
        return err_mend(e, "sign with a larger RSA key, or an ECDSA P-256 key (cosign generate-key-pair)");
    }
    bool one = key->rsa.e[3] == 1 && !(key->rsa.e[0] | key->rsa.e[1] | key->rsa.e[2]);
    if (!(n.p[n.n - 1] & key->rsa.e[3] & 1) || one) return refuse(e, "RSA with an even modulus, or exponent 1 or even");
    key->rsa.n_size = n.n;
    memcpy(key->rsa.n, n.p, n.n);
    return true;
}

static bool read_ed25519(struct view bytes, struct public_key *key, struct err *e) {
    if (bytes.n != sizeof key->ed25519 || !ed25519_good_key(bytes.p)) return refuse(e, "no point of edwards25519");
    memcpy(key->ed25519, bytes.p, bytes.n);
    return true;
}

bool public_key_decode(struct view label, struct view der, struct public_key *out, struct err *e) {
    if (!view_is(label, "PUBLIC KEY")) return refuse_label(label, e);
    struct view rest = der, spki, algorithm, bits;
    if (!der_take(&rest, DER_SEQUENCE, &spki) || !der_take(&spki, DER_SEQUENCE, &algorithm) ||
        !der_take(&spki, DER_BIT_STRING, &bits) || !bits.n || bits.p[0]) /* 0: no unused bits */
        return refuse(e, "no SubjectPublicKeyInfo");
    if (rest.n || spki.n) return refuse(e, "followed by other bytes");
    struct public_key key = {0};
    const struct algorithm *a = algorithms;
    while (key.type < ALGORITHM_COUNT && !view_eq(algorithm, view_of(a->der, a->n))) a++, key.type++;
    if (key.type == ALGORITHM_COUNT) return refuse_algorithm(algorithm, e);
    bits = view_skip(bits, 1);
    bool good = a->curve                  ? read_point(a, bits, &key, e)
                : key.type == KEY_ED25519 ? read_ed25519(bits, &key, e)
                                          : read_rsa(bits, &key, e);
    if (!good) return false;
    hash_once(HASH_SHA256, der, key.spki_sha256);
    *out = key;
    return true;
}
