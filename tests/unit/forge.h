// Keys, signatures, certificates and CRLs of private vendors.
#ifndef TESTS_FORGE_H
#define TESTS_FORGE_H

#include "lib.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define NOW 1751328000 /* 2025-07-01T00:00:00Z */
#define DAY 86400
#define UNUSED __attribute__((unused))

// An extension and what it holds.
struct forge_oid {
    const char *name;
    uint8_t value[80];
    size_t size;
};

// What one certificate is to be. `extension`: of PCK_EXTENSION_OID, raw DER.
struct ca_wish {
    const char *name;
    bool ca, no_key_usage, critical_unknown, p384;
    int path, version; // path -1: none
    long from, to;     // seconds around NOW
    uint8_t extension[1024];
    size_t extension_size;
    const struct forge_oid *more; // further extensions, ended by a NULL name
};

UNUSED static EVP_PKEY *forge_key(bool p384)
{
    EVP_PKEY *k = EVP_EC_gen(p384 ? "P-384" : "P-256");
    CHECK(k != NULL);
    return k;
}

UNUSED static struct view forge_keep(const unsigned char *p, int n)
{
    CHECK(n > 0);
    struct view v = arena_copy(&arena, view_of(p, (size_t)n));
    CHECK(v.p != NULL);
    OPENSSL_free((void *)p);
    return v;
}

// r||s, big-endian, each of `half` bytes.
UNUSED static void forge_sign_with(EVP_PKEY *key, const EVP_MD *md, struct view message, int half, uint8_t *out)
{
    unsigned char der[160];
    const unsigned char *p = der;
    size_t n = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1 && EVP_DigestSign(ctx, der, &n, message.p, message.n) == 1);
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(s), out, half) == half && BN_bn2binpad(ECDSA_SIG_get0_s(s), out + half, half) == half);
    ECDSA_SIG_free(s);
}

UNUSED static void forge_sign(EVP_PKEY *key, struct view message, uint8_t out[64])
{
    forge_sign_with(key, EVP_sha256(), message, 32, out);
}

// What signs certificates and CRLs: RSASSA-PSS with SHA-384 by an RSA key (AMD), else ECDSA with SHA-256.
UNUSED static EVP_MD_CTX *forge_signer(EVP_PKEY *by)
{
    bool rsa = EVP_PKEY_is_a(by, "RSA");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    CHECK(EVP_DigestSignInit(ctx, &options, rsa ? EVP_sha384() : EVP_sha256(), NULL, by) == 1);
    if (rsa)
        CHECK(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, 48) == 1);
    return ctx;
}

UNUSED static void forge_extension(X509 *cert, const char *oid, bool critical, struct view value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    CHECK(ASN1_OCTET_STRING_set(octets, value.p, (int)value.n) == 1);
    X509_EXTENSION *x = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
    CHECK(X509_add_ext(cert, x, -1) == 1);
    X509_EXTENSION_free(x);
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(object);
}

UNUSED static X509_NAME *forge_name(const char *cn)
{
    X509_NAME *name = X509_NAME_new();
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) == 1);
    CHECK(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Forged", -1, -1, 0) == 1);
    return name;
}

UNUSED static struct view forge_certificate(const struct ca_wish *w, long serial, EVP_PKEY *key, const char *issuer, EVP_PKEY *by)
{
    X509 *cert = X509_new();
    unsigned char *der = NULL;
    X509_set_version(cert, w->version);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    ASN1_TIME_set(X509_getm_notBefore(cert), NOW + w->from);
    ASN1_TIME_set(X509_getm_notAfter(cert), NOW + w->to);
    X509_NAME *subject = forge_name(w->name), *issuer_name = forge_name(issuer);
    X509_set_subject_name(cert, subject), X509_set_issuer_name(cert, issuer_name);
    X509_NAME_free(subject), X509_NAME_free(issuer_name);
    X509_set_pubkey(cert, key);
    BASIC_CONSTRAINTS *bc = BASIC_CONSTRAINTS_new();
    bc->ca = w->ca ? 0xff : 0;
    if (w->path >= 0) {
        bc->pathlen = ASN1_INTEGER_new();
        ASN1_INTEGER_set(bc->pathlen, w->path);
    }
    X509_add1_ext_i2d(cert, NID_basic_constraints, bc, 1, 0);
    BASIC_CONSTRAINTS_free(bc);
    if (!w->no_key_usage)
        forge_extension(cert, "2.5.29.15", true, w->ca ? view_of("\x03\x02\x01\x06", 4) : view_of("\x03\x02\x06\xc0", 4));
    if (w->critical_unknown)
        forge_extension(cert, "1.2.3.4", true, view_of("\x05\x00", 2));
    if (w->extension_size)
        forge_extension(cert, "1.2.840.113741.1.13.1", false, view_of(w->extension, w->extension_size));
    for (const struct forge_oid *o = w->more; o && o->name; o++)
        forge_extension(cert, o->name, false, view_of(o->value, o->size));
    EVP_MD_CTX *ctx = forge_signer(by);
    CHECK(X509_sign_ctx(cert, ctx) > 0);
    EVP_MD_CTX_free(ctx);
    int n = i2d_X509(cert, &der);
    X509_free(cert);
    return forge_keep(der, n);
}

UNUSED static struct view forge_crl(const char *issuer, EVP_PKEY *by, long from, long to, const long *revoked, size_t count, bool critical)
{
    X509_CRL *crl = X509_CRL_new();
    unsigned char *der = NULL;
    X509_CRL_set_version(crl, 1);
    X509_NAME *name = forge_name(issuer);
    X509_CRL_set_issuer_name(crl, name);
    X509_NAME_free(name);
    ASN1_TIME *t = ASN1_TIME_new();
    ASN1_TIME_set(t, NOW + from), X509_CRL_set1_lastUpdate(crl, t);
    ASN1_TIME_set(t, NOW + to), X509_CRL_set1_nextUpdate(crl, t);
    for (size_t i = 0; i < count; i++) {
        X509_REVOKED *r = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, revoked[i]);
        X509_REVOKED_set_serialNumber(r, serial), X509_REVOKED_set_revocationDate(r, t);
        X509_CRL_add0_revoked(crl, r);
        ASN1_INTEGER_free(serial);
    }
    ASN1_TIME_free(t);
    if (critical) {
        ASN1_OBJECT *object = OBJ_txt2obj("2.5.29.28", 1);
        ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(octets, (const unsigned char *)"\x30\x03\x81\x01\xff", 5);
        X509_EXTENSION *x = X509_EXTENSION_create_by_OBJ(NULL, object, 1, octets);
        X509_CRL_add_ext(crl, x, -1);
        X509_EXTENSION_free(x), ASN1_OCTET_STRING_free(octets), ASN1_OBJECT_free(object);
    }
    EVP_MD_CTX *ctx = forge_signer(by);
    CHECK(X509_CRL_sign_ctx(crl, ctx) > 0);
    EVP_MD_CTX_free(ctx);
    int n = i2d_X509_CRL(crl, &der);
    X509_CRL_free(crl);
    return forge_keep(der, n);
}

#endif
