// x509 and key: pools, anchors, chains, CRLs and raw signatures. Chains that are bent: test_tdx.c.
#include "intel.h"

#include "tools/appraise/key.h"
#include "tools/appraise/x509.h"

static struct pool p;
static struct wish w;
static struct forged f;

static void begin(void)
{
    fresh();
    pool_drop(&p);
    forge_drop(&f);
    wish_default(&w);
    forge(&w, &f);
}

static bool takes(struct view v)
{
    pool_drop(&p);
    return pool_add_certificate(&p, v, &err);
}
static bool takes_crl(struct view v)
{
    pool_drop(&p);
    return pool_add_crl(&p, v, &err);
}

TEST(broken_certificates_and_crls)
{
    begin();
    broken(f.leaf, f.leaf.n, takes);
    broken(f.pck_crl, f.pck_crl.n, takes_crl);
    CHECK(!takes(f.pck_crl) && !takes_crl(f.leaf));
    CHECK(!takes(view_of(arena_alloc(&arena, CERTIFICATE_MAX + 1), CERTIFICATE_MAX + 1)));
    CHECK_ERR("at most");
}

// CVE-2026-35189: each relative distribution point of CRLs gets a copy of the issuer's name.
TEST(names_are_bounded)
{
    for (int subject = 0; subject < 2; subject++) {
        for (int parts = 70; parts < 90; parts++) {
            begin();
            const unsigned char *at = f.leaf.p;
            unsigned char *der = NULL;
            X509 *cert = d2i_X509(NULL, &at, (long)f.leaf.n);
            X509_NAME *name = X509_NAME_new();
            for (int i = 0; i < parts; i++) // 12 bytes each
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"a", 1, -1, 0);
            CHECK((subject ? X509_set_subject_name(cert, name) : X509_set_issuer_name(cert, name)) == 1);
            const unsigned char *text;
            size_t size;
            CHECK(X509_NAME_get0_der(name, &text, &size) == 1);
            i2d_re_X509_tbs(cert, NULL); // or the old text comes
            int n = i2d_X509(cert, &der);
            bool ok = takes(view_of(der, (size_t)n));
            CHECK_EQ(ok, size <= NAME_MAX_DER);
            if (!ok) CHECK_ERR("a name of more than 1024 bytes");
            OPENSSL_free(der);
            X509_NAME_free(name);
            X509_free(cert);
        }
    }
}

TEST(pools_are_bounded)
{
    begin();
    for (unsigned i = 0; i <= POOL_CERTS_MAX; i++) {
        bool ok = pool_add_certificate(&p, forge_certificate(&w.root, 100 + i, f.root_key, w.root.name, f.root_key), &err);
        CHECK(ok == (i < POOL_CERTS_MAX));
    }
    CHECK_ERR("more than 48 certificates");
    for (long i = 0; i <= (long)POOL_CRLS_MAX; i++)
        CHECK(pool_add_crl(&p, forge_crl("x", f.root_key, 0, 1, &i, 1, false), &err) == (i < (long)POOL_CRLS_MAX));
    pool_drop(&p);
}

static bool anchored(struct view file)
{
    struct anchors a = {0};
    return anchors_add_file(&a, file, "file", &arena, &err);
}

TEST(anchors)
{
    struct anchors a = {0};
    begin();
    uint8_t *pem = arena_alloc(&arena, 4096);
    struct writer out = writer_of(pem, 4096);
    put_pem(&out, f.root);
    CHECK(anchors_add_file(&a, f.root, "der", &arena, &err) && anchors_add_file(&a, writer_view(&out), "pem", &arena, &err));
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(f.root_key, &spki);
    struct view key = forge_keep(spki, n);
    CHECK(anchors_add_file(&a, key, "key", &arena, &err));
    out = writer_of(pem, 4096);
    write_text(&out, "-----BEGIN PUBLIC KEY-----\n"), write_base64(&out, key), write_text(&out, "\n-----END PUBLIC KEY-----\n");
    CHECK(anchors_add_file(&a, writer_view(&out), "key", &arena, &err));
    CHECK_EQ(a.count, 4);
    for (size_t i = 1; i < 4; i++)
        CHECK(!memcmp(a.list[0].spki_sha256, a.list[i].spki_sha256, 32) && !a.list[i].vendor);
    broken(f.root, f.root.n, anchored);
    CHECK(!anchored(VIEW("hello")) && !anchored(VIEW("")));
    a.count = ANCHORS_MAX;
    CHECK(!anchors_add_file(&a, f.root, "one more", &arena, &err));
}

TEST(chains)
{
    struct chain c;
    struct anchors a = {0};
    const struct anchor *used;
    begin();
    CHECK(anchors_add_file(&a, f.root, "root", &arena, &err));
    CHECK(pool_add_certificate(&p, f.leaf, &err));
    CHECK(!chain_of(&p, p.certs[0], &c, &err));
    CHECK_ERR("'Intel SGX PCK Platform CA' is not there");
    CHECK(pool_add_certificate(&p, f.root, &err) && pool_add_certificate(&p, f.ca, &err));
    CHECK(chain_of(&p, p.certs[0], &c, &err));
    CHECK_EQ(c.n, 3);
    CHECK(chain_check(&c, &a, CHAIN_ECDSA_P256, NOW, &used, &err) && used == &a.list[0]);
    CHECK(chain_check(&c, &a, CHAIN_ANY, NOW, &used, &err));
    CHECK(!chain_check(&c, &a, CHAIN_AMD, NOW, &used, &err));
    CHECK_ERR("RSA-4096");
    struct chain alone = {1, {p.certs[1]}}; // the root as its own leaf
    CHECK(!chain_check(&alone, &a, CHAIN_ECDSA_P256, NOW, &used, &err));
    a.count = 0;
    CHECK(!chain_check(&c, &a, CHAIN_ECDSA_P256, NOW, &used, &err));
    // an issuer of the right name with another key does not make a chain
    pool_drop(&p);
    CHECK(pool_add_certificate(&p, f.leaf, &err) && pool_add_certificate(&p, f.root, &err));
    CHECK(pool_add_certificate(&p, forge_certificate(&w.ca, 2, f.other, w.root.name, f.root_key), &err));
    CHECK(!chain_of(&p, p.certs[0], &c, &err));
    pool_drop(&p);
}

TEST(extensions_and_names)
{
    struct view v;
    char text[128];
    begin();
    CHECK(pool_add_certificate(&p, f.leaf, &err));
    CHECK(x509_extension(p.certs[0], "1.2.840.113741.1.13.1", &v) && v.p[0] == 0x30);
    CHECK(!x509_extension(p.certs[0], "1.2.3.4.5", &v) && !x509_extension(p.certs[0], "no oid", &v));
    CHECK_STR(x509_subject_cn(p.certs[0], text, sizeof text), "Intel SGX PCK Certificate");
    CHECK_STR(x509_issuer_cn(p.certs[0], text, sizeof text), "Intel SGX PCK Platform CA");
    CHECK_STR(x509_subject_cn(p.certs[0], text, 10), "");
    CHECK_STR(x509_describe(p.certs[0], text, sizeof text), "serial 03, valid 2025-03-23T00:00:00Z to 2028-03-27T00:00:00Z");
    pool_drop(&p);
}

TEST(raw_signatures)
{
    uint8_t point[65] = {4}, sig[64];
    begin();
    forge_point(f.ak, point + 1);
    forge_sign(f.ak, VIEW("message"), sig);
    EVP_PKEY *key = key_of_point(view_of(point, 65));
    CHECK(key != NULL);
    CHECK(key_ecdsa_holds(key, HASH_SHA256, VIEW("message"), view_of(sig, 64)));
    CHECK(!key_ecdsa_holds(key, HASH_SHA384, VIEW("message"), view_of(sig, 64)));
    CHECK(!key_ecdsa_holds(key, HASH_SHA256, VIEW("massage"), view_of(sig, 64)));
    CHECK(!key_ecdsa_holds(key, HASH_SHA256, VIEW("message"), view_of(sig, 63)));
    CHECK(!key_ecdsa_holds(NULL, HASH_SHA256, VIEW("message"), view_of(sig, 64)));
    CHECK(!key_rsa_holds(key, true, HASH_SHA256, VIEW("message"), view_of(sig, 64)));
    for (size_t i = 0; i < 64 * 8; i += 5) {
        sig[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK(!key_ecdsa_holds(key, HASH_SHA256, VIEW("message"), view_of(sig, 64)));
        sig[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    memset(sig, 0, 64);
    CHECK(!key_ecdsa_holds(key, HASH_SHA256, VIEW("message"), view_of(sig, 64)));
    EVP_PKEY_free(key);
    point[64] ^= 1; // off the curve
    CHECK(!key_of_point(view_of(point, 65)));
    memset(point + 1, 0, 64);
    CHECK(!key_of_point(view_of(point, 65)));
    point[64] ^= 1, point[0] = 3;
    CHECK(!key_of_point(view_of(point, 65)) && !key_of_point(view_of(point, 33)) && !key_of_point(view_of(point, 0)));
}

TEST(rsa_signatures)
{
    uint8_t sig[256];
    fresh();
    EVP_PKEY *key = EVP_RSA_gen(2048);
    for (int pss = 0; pss < 2; pss++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *options;
        size_t n = sizeof sig;
        CHECK(EVP_DigestSignInit(ctx, &options, EVP_sha256(), NULL, key) == 1);
        CHECK(!pss || EVP_PKEY_CTX_set_rsa_padding(options, 6 /* RSA_PKCS1_PSS_PADDING */) == 1);
        CHECK(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)"message", 7) == 1);
        EVP_MD_CTX_free(ctx);
        CHECK(key_rsa_holds(key, pss, HASH_SHA256, VIEW("message"), view_of(sig, n)));
        CHECK(!key_rsa_holds(key, !pss, HASH_SHA256, VIEW("message"), view_of(sig, n)));
        CHECK(!key_rsa_holds(key, pss, HASH_SHA384, VIEW("message"), view_of(sig, n)));
        CHECK(!key_rsa_holds(key, pss, HASH_SHA256, VIEW("massage"), view_of(sig, n)));
        CHECK(!key_rsa_holds(key, pss, HASH_SHA256, VIEW("message"), view_of(sig, n - 1)));
        CHECK(!key_ecdsa_holds(key, HASH_SHA256, VIEW("message"), view_of(sig, n)));
    }
    EVP_PKEY_free(key);
}

TEST(amd_chains)
{
    struct anchors a = {0};
    const struct anchor *used;
    struct chain c;
    fresh();
    CHECK(anchors_add_file(&a, vector("x509/milan-ark.der"), "ARK-Milan", &arena, &err));
    CHECK(pool_add_certificate(&p, vector("x509/milan-vcek.der"), &err) && pool_add_certificate(&p, vector("x509/milan-ask.der"), &err) &&
          pool_add_certificate(&p, vector("x509/milan-ark.der"), &err));
    CHECK(chain_of(&p, p.certs[0], &c, &err));
    CHECK_EQ(c.n, 3);
    CHECK(chain_check(&c, &a, CHAIN_AMD, NOW, &used, &err));
    CHECK(!chain_check(&c, &a, CHAIN_ECDSA_P256, NOW, &used, &err));
    CHECK(!chain_check(&c, &a, CHAIN_AMD, NOW + 3000 * (int64_t)DAY, &used, &err));
    CHECK_ERR("expired");
    struct chain ask = {2, {c.certs[1], c.certs[2]}}; // the ASK as a leaf
    CHECK(!chain_check(&ask, &a, CHAIN_AMD, NOW, &used, &err));
    pool_drop(&p);
}
