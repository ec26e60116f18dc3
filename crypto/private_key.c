/* see private_key.h */
#include "crypto/private_key.h"

#include <bearssl_ec.h>
#include <bearssl_pem.h>
#include <bearssl_rsa.h>
#include <bearssl_x509.h>
#include <errno.h>
#include <sys/random.h>

#include "base/codec.h"
#include "base/reader.h"
#include "crypto/der.h"
#include "crypto/wipe.h"

#define RSA_BITS_MIN 2048u /* NIST SP 800-131A */
#define DER_MAX 4096u      /* RSA-4096 in base64 of PKCS#8 has 3170 */

static br_rsa_private_key rsa_of(const struct private_key *k) {
    uint32_t bits = (uint32_t)k->rsa.n_size * 8;
    size_t n = k->rsa.part_size;
    for (unsigned top = k->rsa.n[0]; top < 0x80; top <<= 1) bits--;
#define PART(x) (unsigned char *)k->rsa.x, n
    return (br_rsa_private_key){bits, PART(p), PART(q), PART(dp), PART(dq), PART(iq)};
#undef PART
}

static br_rsa_public_key rsa_public_of(const struct private_key *k) {
    return (br_rsa_public_key){(unsigned char *)k->rsa.n, k->rsa.n_size, (unsigned char *)k->rsa.e, sizeof k->rsa.e};
}

static br_ec_private_key ec_of(const struct private_key *k) {
    return (br_ec_private_key){BR_EC_secp256r1, (unsigned char *)k->ec.d, sizeof k->ec.d};
}

static bool refuse(struct err *e, const char *what) {
    err_set(e, ERR_USAGE, "the private key is %s", what);
    return err_mend(
        e, "give a P-256 or an RSA key (2048 to 4096 bits) in PEM without a password, as openssl genpkey prints it");
}

static bool take_bytes(struct view *rest, const char *bytes, size_t n) {
    if (!view_starts(*rest, view_of(bytes, n))) return false;
    *rest = view_skip(*rest, n);
    return true;
}

#define TAKE(rest, literal) take_bytes(rest, literal, sizeof literal - 1)
#define P256_OID "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"

/* What follows the version in RFC 5915's ECPrivateKey. */
static bool read_ec(struct view v, bool named, struct private_key *k, struct err *e) {
    struct view d, oid, bits;
    size_t n;
    const br_ec_impl *ec = br_ec_get_default();
    if (!der_take(&v, 0x04, &d) || d.n != sizeof k->ec.d) return refuse(e, "no P-256 key: not 32 bytes");
    if (der_take(&v, 0xa0, &oid)) named = view_eq(oid, view_of(P256_OID, sizeof P256_OID - 1));
    if (!named) return refuse(e, "on another curve than P-256, or on none");
    uint8_t any = 0;
    for (size_t i = 0; i < d.n; i++) any |= d.p[i];
    if (!any || memcmp(d.p, ec->order(BR_EC_secp256r1, &n), d.n) >= 0)
        return refuse(e, "zero, or not below the curve's order");
    memcpy(k->ec.d, d.p, d.n);
    ec->mulgen(k->ec.point, k->ec.d, sizeof k->ec.d, BR_EC_secp256r1);
    if (der_take(&v, 0xa1, &bits) &&
        (!TAKE(&bits, "\x03\x42\x00") || !view_eq(bits, view_of(k->ec.point, sizeof k->ec.point))))
        return refuse(e, "not that of the public key beside it");
    if (v.n) return refuse(e, "followed by other bytes");
    k->type = PRIVATE_EC_P256;
    return true;
}

/* What follows the version in RFC 8017's RSAPrivateKey. Its d is not needed: that the others belong together, one
 * number shows that is the same after both operations. */
static bool read_rsa(struct view v, struct private_key *k, struct err *e) {
    struct view n, d;
    uint8_t number[PRIVATE_RSA_MAX];
    if (!der_take_number(&v, &n)) return refuse(e, "no RSA key");
    if (n.n < RSA_BITS_MIN / 8 || n.n > sizeof k->rsa.n || (n.n == RSA_BITS_MIN / 8 && n.p[0] < 0x80))
        return refuse(e, "an RSA key that has not 2048 to 4096 bits");
    size_t part = k->rsa.part_size = (n.n + 1) / 2;
    if (!der_take_positive(&v, k->rsa.e, sizeof k->rsa.e) || !der_take_number(&v, &d) ||
        !der_take_positive(&v, k->rsa.p, part) || !der_take_positive(&v, k->rsa.q, part) ||
        !der_take_positive(&v, k->rsa.dp, part) || !der_take_positive(&v, k->rsa.dq, part) ||
        !der_take_positive(&v, k->rsa.iq, part) || v.n)
        return refuse(e, "no RSA key of two primes of one size and an exponent of at most 32 bits");
    k->type = PRIVATE_RSA;
    k->rsa.n_size = n.n;
    memcpy(k->rsa.n, n.p, n.n);
    br_rsa_private_key private = rsa_of(k);
    br_rsa_public_key public = rsa_public_of(k);
    memset(number, 0x2a, n.n);
    number[0] = 0;
    if (!br_rsa_public_get_default()(number, n.n, &public) || !br_rsa_private_get_default()(number, &private))
        return refuse(e, "an RSA key whose numbers do not belong together");
    for (size_t i = 0; i < n.n; i++)
        if (number[i] != (i ? 0x2a : 0)) return refuse(e, "an RSA key whose numbers do not belong together");
    return true;
}

static bool read_key(struct view der, struct private_key *k, struct err *e) {
    struct view v, algorithm, inner;
    if (!der_take(&der, DER_SEQUENCE, &v)) return refuse(e, "none in DER");
    if (der.n) return refuse(e, "followed by other bytes");
    if (TAKE(&v, "\x02\x01\x01")) return read_ec(v, false, k, e);
    if (!TAKE(&v, "\x02\x01\x00")) return refuse(e, "of an unknown form or version");
    if (v.n && v.p[0] == DER_INTEGER) return read_rsa(v, k, e);
    if (!der_take(&v, DER_SEQUENCE, &algorithm) || !der_take(&v, 0x04, &inner) || v.n)
        return refuse(e, "no PKCS#8, or one with attributes");
    bool ec = view_eq(algorithm, VIEW("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" P256_OID));
    if (!ec && !view_eq(algorithm, VIEW("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")))
        return refuse(e, "of another algorithm or curve");
    if (!der_take(&inner, DER_SEQUENCE, &v) || inner.n || !take_bytes(&v, ec ? "\x02\x01\x01" : "\x02\x01\x00", 3))
        return refuse(e, "no key in PKCS#8");
    return ec ? read_ec(v, true, k, e) : read_rsa(v, k, e);
}

/* RFC 7468, one block and nothing beside it, into `der`. */
static bool read_pem(struct view text, uint8_t der[static DER_MAX], size_t *n, struct err *e) {
    struct writer base64 = writer_of(der, DER_MAX);
    text = view_trim(text);
    struct view first = view_trim(view_cut(&text, '\n', NULL)), line;
    if (view_is(first, "-----BEGIN ENCRYPTED PRIVATE KEY-----")) return refuse(e, "encrypted with a password");
    if (!view_is(first, "-----BEGIN PRIVATE KEY-----") && !view_is(first, "-----BEGIN EC PRIVATE KEY-----") &&
        !view_is(first, "-----BEGIN RSA PRIVATE KEY-----"))
        return refuse(e, "no PEM block PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY");
    while (line = view_trim(view_cut(&text, '\n', NULL)), !view_starts(line, VIEW("-----")) && (line.n || text.n))
        write_bytes(&base64, line);
    if (!view_starts(line, VIEW("-----END ")) || !view_eq(view_skip(line, 9), view_skip(first, 11)) ||
        view_trim(text).n)
        return refuse(e, "PEM without an end, or with other text behind it");
    if (base64.full ||
        !base64_decode(writer_view(&base64), der, DER_MAX, n)) /* in place: it writes behind what it reads */
        return refuse(e, "encrypted, or not in base64");
    return true;
}

bool private_key_decode(struct view text, struct private_key *out, struct err *e) {
    uint8_t der[DER_MAX];
    struct private_key key;
    size_t n = 0;
    memset(&key, 0, sizeof key);
    bool raw = text.n && text.p[0] == DER_SEQUENCE;
    bool good = (raw || read_pem(text, der, &n, e)) && read_key(raw ? text : view_of(der, n), &key, e);
    if (good) *out = key;
    wipe(der, sizeof der);
    wipe(&key, sizeof key);
    wipe_stack();
    return good;
}

static bool make_rsa(const br_prng_class **rng, struct private_key *k) {
    uint8_t parts[BR_RSA_KBUF_PRIV_SIZE(RSA_BITS_MIN)], numbers[BR_RSA_KBUF_PUB_SIZE(RSA_BITS_MIN)];
    br_rsa_private_key private;
    br_rsa_public_key public;
    bool good = br_rsa_keygen_get_default()(rng, &private, parts, &public, numbers, RSA_BITS_MIN, 65537);
    if (good) {
        k->rsa.n_size = public.nlen;
        k->rsa.part_size = private.plen;
        memcpy(k->rsa.n, public.n, public.nlen);
        memcpy(k->rsa.e + sizeof k->rsa.e - public.elen, public.e, public.elen);
        memcpy(k->rsa.p, private.p, private.plen);
        memcpy(k->rsa.q, private.q, private.qlen);
        memcpy(k->rsa.dp, private.dp, private.dplen);
        memcpy(k->rsa.dq, private.dq, private.dqlen);
        memcpy(k->rsa.iq, private.iq, private.iqlen);
    }
    wipe(parts, sizeof parts);
    return good;
}

bool private_key_make(enum private_key_type type, struct private_key *out, struct err *e) {
    br_hmac_drbg_context rng;
    uint8_t seed[48];
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) return err_sys(e, "making a key: getrandom");
    br_hmac_drbg_init(&rng, hash_class(HASH_SHA256), seed, sizeof seed);
    memset(out, 0, sizeof *out);
    out->type = type;
    bool good = true;
    if (type == PRIVATE_RSA)
        good = make_rsa(&rng.vtable, out);
    else {
        br_ec_private_key key;
        br_ec_keygen(&rng.vtable, br_ec_get_default(), &key, out->ec.d, BR_EC_secp256r1);
        br_ec_get_default()->mulgen(out->ec.point, out->ec.d, sizeof out->ec.d, BR_EC_secp256r1);
    }
    wipe(seed, sizeof seed);
    wipe(&rng, sizeof rng);
    wipe_stack();
    return good || err_set(e, ERR_SYSTEM, "making an RSA key failed");
}

void private_key_pem(const struct private_key *key, struct writer *out) {
    uint8_t der[DER_MAX], d[PRIVATE_RSA_MAX];
    char text[DER_MAX];
    size_t n;
    if (key->type == PRIVATE_RSA) {
        br_rsa_private_key private = rsa_of(key);
        br_rsa_public_key public = rsa_public_of(key);
        size_t d_size = br_rsa_compute_privexp_get_default()(
            d, &private, read_be32(&(struct reader){view_of(key->rsa.e, 4), false}));
        n = br_encode_rsa_pkcs8_der(der, &private, &public, d, d_size);
    } else {
        br_ec_private_key private = ec_of(key);
        br_ec_public_key public = {BR_EC_secp256r1, (unsigned char *)key->ec.point, sizeof key->ec.point};
        n = br_encode_ec_pkcs8_der(der, &private, &public);
    }
    write_bytes(out, view_of(text, br_pem_encode(text, der, n, "PRIVATE KEY", BR_PEM_LINE64)));
    wipe(der, sizeof der);
    wipe(d, sizeof d);
    wipe(text, sizeof text);
    wipe_stack();
}

bool private_key_agree(const struct private_key *key, struct view point, uint8_t z[static 32]) {
    uint8_t product[65];
    if (key->type != PRIVATE_EC_P256 || point.n != sizeof product) return false;
    memcpy(product, point.p, sizeof product);
    bool good = br_ec_get_default()->mul(product, sizeof product, key->ec.d, sizeof key->ec.d, BR_EC_secp256r1);
    if (good) memcpy(z, product + 1, 32);
    wipe(product, sizeof product);
    wipe_stack();
    return good;
}

bool private_key_oaep(const struct private_key *key, enum oaep_hash hash, uint8_t *bytes, size_t *n) {
    if (key->type != PRIVATE_RSA || *n != key->rsa.n_size) return false;
    br_rsa_private_key private = rsa_of(key);
    const br_hash_class *class = hash == OAEP_SHA1 ? &br_sha1_vtable : hash_class(HASH_SHA256);
    bool good = br_rsa_oaep_decrypt_get_default()(class, NULL, 0, &private, bytes, n);
    wipe_stack();
    return good;
}

size_t private_key_sign(const struct private_key *key, struct view message, uint8_t out[static 72]) {
    uint8_t hash[32];
    if (key->type != PRIVATE_EC_P256) return 0;
    br_ec_private_key private = ec_of(key);
    hash_once(HASH_SHA256, message, hash);
    size_t n = br_ecdsa_sign_asn1_get_default()(br_ec_get_default(), hash_class(HASH_SHA256), hash, &private, out);
    wipe_stack();
    return n;
}
