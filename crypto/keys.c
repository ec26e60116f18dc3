/* see keys.h */
#include "crypto/keys.h"

#include <bearssl_ec.h>

#include "crypto/der.h"
#include "crypto/hash.h"

#define OID_EC_PUBLIC_KEY VIEW("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_PRIME256V1 VIEW("\x2a\x86\x48\xce\x3d\x03\x01\x07")

static bool refuse(struct err *e, const char *what) {
    err_set(e, ERR_USAGE, "the key is %s", what);
    return err_mend(e, "give an ECDSA P-256 public key, as cosign public-key prints it (-----BEGIN PUBLIC KEY-----)");
}

static bool refuse_label(struct view label, struct err *e) {
    if (view_ends(label, VIEW("PRIVATE KEY")))
        return refuse(e, "a private key: it does not belong into a policy, which everybody may read");
    if (view_is(label, "CERTIFICATE")) return refuse(e, "inside a certificate; the policy takes bare public keys");
    err_set(e, ERR_USAGE, "the PEM block is '%.*s', not 'PUBLIC KEY'", VIEW_ARG(view_first(label, 64)));
    return false;
}

/* What this build cannot verify with yet, by the names people know. */
static bool refuse_algorithm(struct view algorithm, struct view parameters, struct err *e) {
    if (view_eq(algorithm, VIEW("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"))) return refuse(e, "an RSA key");
    if (view_eq(algorithm, VIEW("\x2b\x65\x70"))) return refuse(e, "an Ed25519 key");
    if (!view_eq(algorithm, OID_EC_PUBLIC_KEY)) return refuse(e, "of an unknown algorithm");
    if (view_eq(parameters, VIEW("\x2b\x81\x04\x00\x22"))) return refuse(e, "on the curve P-384");
    if (view_eq(parameters, VIEW("\x2b\x81\x04\x00\x23"))) return refuse(e, "on the curve P-521");
    return refuse(e, "on an unknown curve");
}

static bool read_p256(struct view bits, struct public_key *key, struct err *e) {
    /* 0: no unused bits; 4: uncompressed (SEC 1 section 2.3.3). */
    if (bits.n == 34 && bits.p[0] == 0 && (bits.p[1] == 2 || bits.p[1] == 3)) return refuse(e, "a compressed point");
    if (bits.n != 1 + sizeof key->point || bits.p[0] != 0 || bits.p[1] != 4) return refuse(e, "no P-256 point");
    key->type = KEY_EC_P256;
    memcpy(key->point, bits.p + 1, sizeof key->point);
    uint8_t product[sizeof key->point], one = 1; /* BearSSL multiplies only what is on the curve */
    memcpy(product, key->point, sizeof product);
    if (!br_ec_get_default()->mul(product, sizeof product, &one, 1, BR_EC_secp256r1))
        return refuse(e, "no point of the curve P-256");
    return true;
}

bool public_key_decode(struct view label, struct view der, struct public_key *out, struct err *e) {
    if (!view_is(label, "PUBLIC KEY")) return refuse_label(label, e);
    struct view rest = der, spki, algorithm, oid, curve = {0}, bits;
    if (!der_take(&rest, DER_SEQUENCE, &spki) || !der_take(&spki, DER_SEQUENCE, &algorithm) ||
        !der_take(&algorithm, DER_OID, &oid) || !der_take(&spki, DER_BIT_STRING, &bits))
        return refuse(e, "no SubjectPublicKeyInfo");
    if (rest.n || spki.n) return refuse(e, "followed by other bytes");
    bool named = der_take(&algorithm, DER_OID, &curve) && algorithm.n == 0;
    if (!named || !view_eq(oid, OID_EC_PUBLIC_KEY) || !view_eq(curve, OID_PRIME256V1))
        return refuse_algorithm(oid, curve, e);
    struct public_key key = {0};
    if (!read_p256(bits, &key, e)) return false;
    hash_once(HASH_SHA256, der, key.spki_sha256);
    *out = key;
    return true;
}
