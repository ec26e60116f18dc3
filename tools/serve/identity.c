/* see identity.h */
#include "tools/serve/identity.h"

#include "base/writer.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#define DAY 86400L

/* The peer may offer HTTP/2; we speak 1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                           unsigned in_n, void *arg) {
    static const unsigned char ours[] = "\10http/1.1";
    (void)ssl, (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, n, ours, sizeof ours - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_make(void) {
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    if (c && SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM") == 1 &&
        SSL_CTX_set_ciphersuites(c, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256") == 1 &&
        SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1 && SSL_CTX_set_num_tickets(c, 0) == 1) {
        SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
        SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
        SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
        return c;
    }
    SSL_CTX_free(c);
    return NULL;
}

static bool fingerprint(const X509 *cert, char out[65]) {
    uint8_t digest[32];
    unsigned n;
    if (X509_digest(cert, EVP_sha256(), digest, &n) != 1 || n != 32) return false;
    struct writer w = writer_of(out, 65);
    write_hex(&w, view_of(digest, 32));
    return writer_str(&w);
}

bool identity_read(struct view chain, struct view key_pem, struct identity *out, struct err *e) {
    struct identity i = {.tls = context_make()};
    BIO *bio = BIO_new_mem_buf(chain.p, (int)chain.n), *key_bio = BIO_new_mem_buf(key_pem.p, (int)key_pem.n);
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL, *next;
    EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, (void *)"") : NULL;
    bool ok = i.tls != NULL;
    if (!ok)
        err_set(e, ERR_SYSTEM, "cannot make a TLS context");
    else if (!leaf)
        ok = err_set(e, ERR_USAGE, "--cert: no certificate in PEM");
    else if (!key)
        ok = err_set(e, ERR_USAGE, "--key: no private key in PEM (without passphrase)");
    else if (SSL_CTX_use_certificate(i.tls, leaf) != 1)
        ok = err_set(e, ERR_USAGE, "--cert: TLS does not take this certificate");
    else if (SSL_CTX_use_PrivateKey(i.tls, key) != 1)
        ok = err_set(e, ERR_USAGE, "--key is not the key of --cert");
    while (ok && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        ok = SSL_CTX_add1_chain_cert(i.tls, next) == 1 || err_set(e, ERR_USAGE, "--cert: TLS does not take its chain");
        X509_free(next);
    }
    ERR_clear_error(); /* the end of the file */
    if (ok && !fingerprint(leaf, i.fingerprint)) ok = err_set(e, ERR_SYSTEM, "cannot hash a certificate");
    X509_free(leaf);
    EVP_PKEY_free(key);
    BIO_free(bio), BIO_free(key_bio);
    if (ok)
        *out = i;
    else
        SSL_CTX_free(i.tls);
    return ok;
}

static bool add_extension(X509 *cert, const X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, (X509 *)issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = x && X509_add_ext(cert, x, -1) == 1;
    X509_EXTENSION_free(x);
    return ok;
}

static bool add_names(X509 *cert, const char *const *names, size_t count) {
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool ok = all != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        uint8_t address[16];
        size_t n = inet_pton(AF_INET, names[i], address) == 1    ? 4
                   : inet_pton(AF_INET6, names[i], address) == 1 ? 16
                                                                 : 0;
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_STRING *text = n ? (ASN1_STRING *)ASN1_OCTET_STRING_new() : (ASN1_STRING *)ASN1_IA5STRING_new();
        ok = name && text && ASN1_STRING_set(text, n ? (const void *)address : names[i], n ? (int)n : -1) == 1;
        if (ok)
            GENERAL_NAME_set0_value(name, n ? GEN_IPADD : GEN_DNS, text);
        else
            ASN1_STRING_free(text);
        ok = ok && sk_GENERAL_NAME_push(all, name) > 0;
        if (!ok) GENERAL_NAME_free(name);
    }
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

static X509 *certify(EVP_PKEY *key, const char *cn, const X509 *issuer, EVP_PKEY *issuer_key, const char *const *names,
                     size_t count) {
    X509 *cert = X509_new();
    uint8_t serial[16];
    bool ca = !issuer;
    BIGNUM *number = NULL;
    time_t now = time(NULL);
    bool ok = cert && RAND_bytes(serial, sizeof serial) == 1 && X509_set_version(cert, X509_VERSION_3) == 1;
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and all 16 bytes long */
    ok = ok && (number = BN_bin2bn(serial, sizeof serial, NULL)) &&
         BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) &&
         ASN1_TIME_set(X509_getm_notBefore(cert), now - DAY) &&
         ASN1_TIME_set(X509_getm_notAfter(cert), now + 365 * DAY) &&
         X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
                                    0) == 1 &&
         X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) == 1 &&
         X509_set_pubkey(cert, key) == 1 &&
         add_extension(cert, cert, NID_basic_constraints, ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
         add_extension(cert, cert, NID_key_usage, ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
         add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
         add_extension(cert, issuer ? issuer : cert, NID_authority_key_identifier, "keyid:always") &&
         (ca || (add_extension(cert, cert, NID_ext_key_usage, "serverAuth") && add_names(cert, names, count))) &&
         X509_sign(cert, ca ? key : issuer_key, EVP_sha256()) > 0;
    BN_free(number);
    if (ok) return cert;
    X509_free(cert);
    return NULL;
}

static char *to_pem(X509 *cert) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *copy = NULL;
    if (bio && PEM_write_bio_X509(bio, cert) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        copy = calloc(1, (size_t)n + 1);
        if (copy) memcpy(copy, text, (size_t)n);
    }
    BIO_free(bio);
    return copy;
}

bool identity_make(const char *const *names, size_t count, struct identity *out, struct err *e) {
    struct identity i = {.tls = context_make()};
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key ? certify(ca_key, "plinth serve, made for one run", NULL, NULL, NULL, 0) : NULL;
    X509 *cert = ca && key ? certify(key, "plinth serve", ca, ca_key, names, count) : NULL;
    bool ok = i.tls && cert && SSL_CTX_use_certificate(i.tls, cert) == 1 && SSL_CTX_use_PrivateKey(i.tls, key) == 1 &&
              (i.ca_pem = to_pem(ca)) && fingerprint(ca, i.fingerprint);
    X509_free(ca), X509_free(cert);
    EVP_PKEY_free(ca_key), EVP_PKEY_free(key);
    if (ok) {
        *out = i;
        return true;
    }
    identity_drop(&i);
    return err_set(e, ERR_SYSTEM, "cannot make a certificate");
}

void identity_drop(struct identity *i) {
    SSL_CTX_free(i->tls);
    free(i->ca_pem);
    *i = (struct identity){0};
}
