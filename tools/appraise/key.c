/* see key.h */
#include "tools/appraise/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

EVP_PKEY *key_of_modulus(struct view n, uint32_t exponent) {
    uint8_t little[1024], e[4] = {(uint8_t)exponent, (uint8_t)(exponent >> 8), (uint8_t)(exponent >> 16),
                                  (uint8_t)(exponent >> 24)};
    if (!n.n || n.n > sizeof little) return NULL;
    for (size_t i = 0; i < n.n; i++) little[i] = n.p[n.n - 1 - i];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, little, n.n),
                           OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, sizeof e), OSSL_PARAM_construct_end()};
    return from_params("RSA", params);
}

EVP_PKEY *key_of_point(struct view point) {
    const char *group = point.n == 65 ? "prime256v1" : point.n == 97 ? "secp384r1" : NULL;
    if (!group || point.p[0] != 4) return NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.p, point.n),
                           OSSL_PARAM_construct_end()};
    return from_params("EC", params);
}

EVP_PKEY *key_of_certificate(const X509 *cert) { return X509_get0_pubkey(cert); }

EVP_PKEY *key_of_spki(struct view der) {
    const unsigned char *p = der.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);
    if (key && p == der.p + der.n) return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool holds(EVP_PKEY *key, bool pss, enum hash_alg alg, struct view message, struct view signature) {
    const EVP_MD *md = alg == HASH_SHA256 ? EVP_sha256() : alg == HASH_SHA384 ? EVP_sha384() : EVP_sha512();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    bool ok = ctx && EVP_DigestVerifyInit(ctx, &options, md, NULL, key) == 1 &&
              (!pss || (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_AUTO) == 1)) &&
              EVP_DigestVerify(ctx, signature.p, signature.n, message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool key_ecdsa_holds(EVP_PKEY *key, enum hash_alg alg, struct view message, struct view r_s) {
    size_t half = key ? ((size_t)EVP_PKEY_get_bits(key) + 7) / 8 : 0;
    if (!key || !EVP_PKEY_is_a(key, "EC") || r_s.n != 2 * half) return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(r_s.p, (int)half, NULL), *s = BN_bin2bn(r_s.p + half, (int)half, NULL);
    unsigned char *der = NULL;
    int n = -1;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) r = s = NULL, n = i2d_ECDSA_SIG(sig, &der);
    bool ok = n > 0 && holds(key, false, alg, message, view_of(der, (size_t)n));
    OPENSSL_free(der);
    BN_free(r), BN_free(s);
    ECDSA_SIG_free(sig);
    return ok;
}

bool key_rsa_holds(EVP_PKEY *key, bool pss, enum hash_alg alg, struct view message, struct view signature) {
    return key && EVP_PKEY_is_a(key, "RSA") && signature.n == (size_t)EVP_PKEY_get_size(key) &&
           holds(key, pss, alg, message, signature);
}
