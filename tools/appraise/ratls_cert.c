/* see ratls_cert.h */
#include "tools/appraise/ratls_cert.h"

#include "base/reader.h"
#include "crypto/hash.h"
#include "format/pem.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <time.h>

bool ratls_cert_unwrap(struct view value, struct view *evidence, struct err *e) {
    struct view head = VIEW("\x83\x78\x24" RATLS_MEDIA_TYPE "\x59");
    struct reader r = reader_of(value);
    bool known = view_eq(read_bytes(&r, head.n), head);
    uint16_t n = read_be16(&r);
    struct view document = read_bytes(&r, n);
    if (!known)
        return err_set(e, ERR_FORMAT,
                       "extension " RATLS_OID " holds no CMW record of " RATLS_MEDIA_TYPE
                       ": other software's evidence, which is not read here");
    if (n < 256 || read_u8(&r) != 4 || !reader_done(&r)) /* a shorter one would have a shorter head */
        return err_set(e, ERR_FORMAT,
                       "extension " RATLS_OID " is cut, or followed by other bytes, or says that it is no evidence");
    *evidence = document;
    return true;
}

static bool take_extension(const X509 *cert, struct view *value, struct err *e) {
    ASN1_OBJECT *object = OBJ_txt2obj(RATLS_OID, 1);
    int i = object ? X509_get_ext_by_OBJ(cert, object, -1) : -1;
    bool twice = i >= 0 && X509_get_ext_by_OBJ(cert, object, i) >= 0;
    ASN1_OBJECT_free(object);
    if (i < 0) {
        err_set(e, ERR_FORMAT, "the certificate carries no evidence (extension " RATLS_OID ")");
        return err_mend(e, "only the port of run.tls has such a certificate");
    }
    if (twice) return err_set(e, ERR_FORMAT, "the certificate has extension " RATLS_OID " twice: which one counts?");
    const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(X509_get_ext(cert, i));
    *value = view_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    return true;
}

static bool take_moment(const ASN1_TIME *t, int64_t *out) {
    struct tm tm;
    return t && ASN1_TIME_to_tm(t, &tm) == 1 && ((*out = timegm(&tm)), true);
}

static bool take_key(X509 *cert, struct ratls_cert *out, struct err *e) {
    char curve[32] = "";
    unsigned char *der = NULL;
    EVP_PKEY *key = X509_get0_pubkey(cert);
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (n > 0) {
        ratls_nonce(view_of(der, (size_t)n), out->nonce);
        hash_once(HASH_SHA256, view_of(der, (size_t)n), out->spki_sha256);
    }
    OPENSSL_free(der);
    if (n <= 0 || !key || !EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) != 1 ||
        strcmp(curve, "prime256v1") || X509_get_signature_nid(cert) != NID_ecdsa_with_SHA256)
        return err_set(e, ERR_FORMAT, "the certificate is not one of a P-256 key, signed with ECDSA and SHA-256");
    return X509_verify(cert, key) == 1 || err_set(e, ERR_SIGNATURE, "the certificate is not signed with its own key");
}

static bool read_cert(X509 *cert, struct arena *a, struct ratls_cert *out, struct err *e) {
    struct view value;
    if (!take_key(cert, out, e) || !take_extension(cert, &value, e) || !ratls_cert_unwrap(value, &value, e))
        return false;
    if (!take_moment(X509_get0_notBefore(cert), &out->not_before) ||
        !take_moment(X509_get0_notAfter(cert), &out->not_after))
        return err_set(e, ERR_FORMAT, "the certificate's validity cannot be read");
    out->evidence = arena_copy(a, value);
    return out->evidence.p || arena_full(a, e);
}

bool ratls_cert_read(struct view text, struct arena *a, struct ratls_cert *out, struct err *e) {
    struct ratls_cert c = {.der = text};
    struct view label;
    *e = (struct err){0};
    if (view_starts(view_trim(text), VIEW("-----BEGIN ")) &&
        (!pem_next(&text, a, &label, &c.der, e) || !view_is(label, "CERTIFICATE")))
        return e->kind != ERR_NONE ? false : err_set(e, ERR_FORMAT, "the PEM text does not begin with a certificate");
    const unsigned char *at = c.der.p;
    if (c.der.n > RATLS_CERTIFICATE_MAX)
        return err_set(e, ERR_FORMAT, "a certificate of %zu bytes; ours have %u at most", c.der.n,
                       RATLS_CERTIFICATE_MAX);
    X509 *cert = c.der.n ? d2i_X509(NULL, &at, (long)c.der.n) : NULL;
    bool ok = cert ? at == c.der.p + c.der.n || err_set(e, ERR_FORMAT, "bytes follow the certificate")
                   : err_set(e, ERR_FORMAT, "it is neither PEM nor DER of an X.509 certificate");
    hash_once(HASH_SHA256, c.der, c.sha256);
    ok = ok && read_cert(cert, a, &c, e);
    X509_free(cert);
    if (ok) *out = c;
    return ok;
}
