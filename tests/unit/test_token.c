// token: the JWT of an attested guest, and every way of forging one.
#include "lib.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "tools/serve/token.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define NONCE "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define CLAIMS "{\"verdict\":\"affirming\",\"tee\":\"tpm\"}"
#define SUBMODS "{\"cpu0\":{\"ear.status\":\"affirming\"}}"
#define JWK "{\"kty\":\"EC\"}"

static struct token_key key, other;
static struct token t;
static char text[TOKEN_MAX + 64];
static const int64_t now = 1700000000;

static struct view sign_by(const struct token_key *k, int64_t expires) {
    struct writer w = writer_of(text, sizeof text);
    CHECK(token_sign(k, VIEW(NONCE), now, expires, VIEW(CLAIMS), VIEW(SUBMODS), VIEW(JWK), &w, &err));
    return writer_view(&w);
}

static bool accepts(struct view v) {
    fresh();
    return token_verify(&key, v, now, &arena, &t, &err);
}

static void keys(void) {
    fresh();
    if (!key.key) CHECK(token_key_read((struct view){0}, &key, &err) && token_key_read((struct view){0}, &other, &err));
}

// EC PRIVATE KEY, or PRIVATE KEY.
static struct view pem_of(EVP_PKEY *pkey, bool old) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    CHECK((old ? PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL)
               : PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)) == 1);
    long n = BIO_get_mem_data(bio, &pem);
    struct view v = arena_copy(&arena, view_of(pem, (size_t)n));
    BIO_free(bio);
    return v;
}

// A whole token of any header and payload, signed by `k` like one of ours.
static struct view forged(const struct token_key *k, const char *header, const char *payload) {
    static char out[8192];
    uint8_t der[80], r_s[64];
    const uint8_t *p = der;
    size_t n = sizeof der;
    struct writer w = writer_of(out, sizeof out);
    write_base64url(&w, quoted(header));
    write_u8(&w, '.');
    write_base64url(&w, quoted(payload));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->key) == 1 && EVP_DigestSign(ctx, der, &n, w.p, w.n) == 1);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    CHECK(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), r_s, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(sig), r_s + 32, 32) == 32);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
    write_u8(&w, '.');
    write_base64url(&w, view_of(r_s, 64));
    CHECK(!w.full);
    return writer_view(&w);
}

TEST(good)
{
    keys();
    struct view v = sign_by(&key, now + 300);
    CHECK(accepts(v));
    CHECK_EQ(t.issued, now);
    CHECK_EQ(t.expires, now + 300);
    CHECK(t.nonce[0] == 1 && t.nonce[31] == 32);
    CHECK(view_is(json_text(json_get(t.claims, "tee")), "tpm") && view_is(json_text(json_get(t.tee_pubkey, "kty")), "EC"));
}

TEST(keys_are_read)
{
    fresh();
    struct token_key k, again;
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    CHECK(token_key_read(pem_of(ec, false), &k, &err));
    CHECK(token_key_read(pem_of(ec, true), &again, &err) && !strcmp(k.kid, again.kid) && !memcmp(&k.ticket, &again.ticket, sizeof k.ticket));
    EVP_PKEY_free(ec);
    // RFC 7638: the thumbprint is over this text
    char jwk[256], kid[44];
    uint8_t digest[32];
    snprintf(jwk, sizeof jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", k.x, k.y);
    hash_once(HASH_SHA256, view_str(jwk), digest);
    struct writer w = writer_of(kid, sizeof kid);
    write_base64url(&w, view_of(digest, 32));
    CHECK_STR(k.kid, writer_str(&w));
    char set[512];
    w = writer_of(set, sizeof set);
    token_jwks(&k, &w);
    const json *root;
    CHECK(json_parse(writer_view(&w), &arena, &root, &err));
    CHECK(view_is(json_text(json_pointer(root, VIEW("/keys/0/kid"))), k.kid) && view_is(json_text(json_pointer(root, VIEW("/keys/0/x"))), k.x));
    token_key_drop(&k), token_key_drop(&again);
    keys();
    CHECK(strcmp(key.kid, other.kid) && memcmp(&key.ticket, &other.ticket, sizeof key.ticket));
    CHECK(!token_key_read(VIEW("no key"), &k, &err));
    CHECK_ERR("not a P-256 private key");
    EVP_PKEY *const wrong[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < 3; i++) {
        CHECK(!token_key_read(pem_of(wrong[i], false), &k, &err));
        CHECK_ERR("not a P-256 private key");
        EVP_PKEY_free(wrong[i]);
    }
}

TEST(expired)
{
    keys();
    CHECK(!accepts(sign_by(&key, now)));
    CHECK_ERR("it expired 0 seconds ago");
    struct view v = sign_by(&key, now + 1);
    CHECK(accepts(v));
    fresh();
    CHECK(!token_verify(&key, v, now + 1, &arena, &t, &err));
    CHECK(!token_verify(&key, v, now - 61, &arena, &t, &err));
    CHECK_ERR("not yet valid");
    CHECK(token_verify(&key, v, now - 60, &arena, &t, &err));
}

#define PAYLOAD                                                                                                                  \
    "{'iss':'plinth serve','iat':1700000000,'nbf':1700000000,'exp':1700000300,"                                                 \
    "'eat_profile':'tag:github.com,2023:veraison/ear','eat_nonce':'" NONCE "','plinth':{},'tee-pubkey':{}}"

TEST(headers)
{
    keys();
    static const char *const wrong[] = {
        "{'alg':'none','kid':'$','typ':'JWT'}",         "{'alg':'none','typ':'JWT'}",
        "{'alg':'HS256','kid':'$','typ':'JWT'}",        "{'alg':'ES384','kid':'$','typ':'JWT'}",
        "{'alg':'RS256','kid':'$','typ':'JWT'}",        "{'alg':'ES256','typ':'JWT'}",
        "{'alg':'ES256','kid':'x','typ':'JWT'}",        "{'alg':'ES256','kid':'$','typ':'JWE'}",
        "{'alg':'ES256','kid':'$','typ':'JWT','crit':['exp']}", "{'alg':'ES256','kid':'$','typ':'JWT' }",
        "{'alg':'es256','kid':'$','typ':'JWT'}",        "{'alg':'none','alg':'ES256','kid':'$','typ':'JWT'}",
        "{'alg':'ES256','kid':'$','typ':'JWT','jwk':{'kty':'EC'}}", "", "{}",
    };
    char header[256];
    snprintf(header, sizeof header, "{'alg':'ES256','kid':'%s','typ':'JWT'}", key.kid);
    CHECK(accepts(forged(&key, header, PAYLOAD)));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *at = strchr(wrong[i], '$');
        snprintf(header, sizeof header, "%.*s%s%s", at ? (int)(at - wrong[i]) : (int)strlen(wrong[i]), wrong[i], at ? key.kid : "", at ? at + 1 : "");
        fresh();
        if (accepts(forged(&key, header, PAYLOAD))) check_fail("accepted: %s", header);
        CHECK_ERR("its header is not");
    }
    // alg none has no signature
    snprintf(header, sizeof header, "{'alg':'none','kid':'%s','typ':'JWT'}", key.kid);
    struct view v = forged(&key, header, PAYLOAD);
    while (v.p[v.n - 1] != '.') v.n--;
    CHECK(!accepts(v));
    CHECK_ERR("its header is not");
}

TEST(other_keys)
{
    keys();
    CHECK(!accepts(sign_by(&other, now + 300)));
    CHECK_ERR("its header is not");
    char header[256];
    snprintf(header, sizeof header, "{'alg':'ES256','kid':'%s','typ':'JWT'}", key.kid);
    fresh();
    CHECK(!accepts(forged(&other, header, PAYLOAD)));
    CHECK_ERR("the signature does not hold");
}

TEST(payloads)
{
    keys();
    static const struct {
        const char *from, *to, *why;
    } cases[] = {
        {"plinth serve", "plinth swerve", "for something else"},
        {"veraison", "vraisson", "for something else"},
        {"'exp':1700000300", "'exp':'x'", "exp"},
        {"'exp':1700000300", "'exp':1700000300.5", "exp"},
        {"'exp':1700000300,", "", "exp is missing"},
        {"'exp':1700000300", "'exp':1700000300,'exp':1800000000", ""},
        {"'nbf':1700000000", "'nbf':1700000061", "not yet valid"},
        {"'plinth':{}", "'plinth':7", "plinth"},
        {"'tee-pubkey':{}", "'tee-pubkey':[]", "tee-pubkey"},
        {NONCE, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==", "for something else"},
        {"}}", "}}}", ""},
    };
    char header[256], payload[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh();
        snprintf(header, sizeof header, "{'alg':'ES256','kid':'%s','typ':'JWT'}", key.kid);
        const char *at = strstr(PAYLOAD, cases[i].from);
        CHECK(at);
        snprintf(payload, sizeof payload, "%.*s%s%s", (int)(at - PAYLOAD), PAYLOAD, cases[i].to, at + strlen(cases[i].from));
        if (accepts(forged(&key, header, payload))) check_fail("accepted: %s", payload);
        CHECK_ERR(cases[i].why);
    }
}

TEST(forms)
{
    keys();
    struct view v = sign_by(&key, now + 300);
    char copy[2 * TOKEN_MAX];
    memcpy(copy, v.p, v.n);
    static const char *const tails[] = {".", ".AAAA", "A", "=", "==", " ", "\n"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        memcpy(copy + v.n, tails[i], strlen(tails[i]));
        CHECK(!accepts(view_of(copy, v.n + strlen(tails[i]))));
    }
    CHECK(accepts(view_of(copy, v.n)));
    memset(copy + v.n, 'A', TOKEN_MAX);
    CHECK(!accepts(view_of(copy, TOKEN_MAX + 1)));
    CHECK_ERR("more than");
    CHECK(!accepts(VIEW("")) && !accepts(VIEW("..")) && !accepts(VIEW("a.b.c")));
    // A changed letter anywhere, one bit of it at least: nothing is taken.
    CHECK_EQ(broken(v, v.n, accepts), 0);
}

TEST(largest)
{
    keys();
    static char claims[JUDGE_CLAIMS_MAX], submods[JUDGE_SUBMODS_MAX], jwk[800];
    memset(claims, 'a', sizeof claims), memset(submods, 'a', sizeof submods), memset(jwk, 'a', sizeof jwk);
    memcpy(claims, "{\"a\":\"", 6), memcpy(claims + sizeof claims - 2, "\"}", 2);
    memcpy(submods, "{\"a\":\"", 6), memcpy(submods + sizeof submods - 2, "\"}", 2);
    memcpy(jwk, "{\"a\":\"", 6), memcpy(jwk + sizeof jwk - 2, "\"}", 2);
    struct writer w = writer_of(text, TOKEN_MAX);
    CHECK(token_sign(&key, VIEW(NONCE), now, now + 300, view_of(claims, sizeof claims), view_of(submods, sizeof submods), view_of(jwk, sizeof jwk), &w, &err));
    CHECK(accepts(writer_view(&w)));
    struct writer small = writer_of(text, 400);
    CHECK(!token_sign(&key, VIEW(NONCE), now, now + 300, VIEW(CLAIMS), VIEW(SUBMODS), VIEW(JWK), &small, &err));
    CHECK_EQ(small.n, 0);
}
