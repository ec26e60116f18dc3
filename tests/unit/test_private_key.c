// private_key: every form that openssl and Python write (secret/keys.txt), forged ones, OAEP and ECDH; libcrypto is the other side.
#include "secret.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/writer.h"
#include "crypto/sig.h"
#include "crypto/wipe.h"

static struct private_key key;

static bool accepts(struct view v) { return private_key_decode(v, &key, &err); }

// The key as libcrypto reads our PEM of it, which checks that all of its numbers belong together.
static EVP_PKEY *other_side(const struct private_key *k, bool check)
{
    static char pem[8192];
    struct writer w = writer_of(pem, sizeof pem);
    private_key_pem(k, &w);
    CHECK(!w.full);
    BIO *bio = BIO_new_mem_buf(pem, (int)w.n);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    CHECK(pkey != NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    CHECK(!check || EVP_PKEY_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    struct private_key again;
    CHECK(private_key_decode(view_of(pem, w.n), &again, &err) && again.type == k->type);
    CHECK(k->type == PRIVATE_EC_P256 ? !memcmp(again.ec.d, k->ec.d, 32) && !memcmp(again.ec.point, k->ec.point, 65)
                                     : !memcmp(again.rsa.n, k->rsa.n, k->rsa.n_size) && !memcmp(again.rsa.p, k->rsa.p, k->rsa.part_size));
    return pkey;
}

static void spki_sha256(EVP_PKEY *pkey, uint8_t out[32])
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    CHECK(n > 0);
    hash_once(HASH_SHA256, view_of(der, (size_t)n), out);
    OPENSSL_free(der);
}

TEST(every_form)
{
    fresh();
    struct view text = vector("secret/keys.txt"), w[3];
    size_t good = 0, bad = 0;
    while (next_line(&text, w, 3)) {
        struct view verdict = w[1], size = view_cut(&verdict, ':', NULL);
        memset(&key, 0x55, sizeof key);
        struct private_key before = key;
        bool accepted = accepts(from_base64(w[2]));
        if (!verdict.n) {
            char part[100];
            CHECK(view_to_str(size, part, sizeof part));
            for (char *p = part; *p; p++)
                *p = *p == '_' ? ' ' : *p;
            if (accepted || err.kind != ERR_USAGE || !strstr(err.text, part))
                check_fail("%.*s: %s, wanted %s", VIEW_ARG(w[0]), accepted ? "accepted" : err.text, part);
            CHECK(memcmp(&before, &key, sizeof key) == 0 && strstr(err.mend, "openssl genpkey"));
            bad++;
            continue;
        }
        if (!accepted)
            check_fail("%.*s: %s", VIEW_ARG(w[0]), err.text);
        EVP_PKEY *pkey = other_side(&key, key.type == PRIVATE_EC_P256 || view_ends(w[0], VIEW("pkcs8-pem"))); // two primes take it a second
        uint8_t want[32], got[32];
        CHECK(hex_decode(verdict, want, 32));
        spki_sha256(pkey, got);
        EVP_PKEY_free(pkey);
        CHECK(memcmp(want, got, 32) == 0);
        char name[16];
        snprintf(name, sizeof name, key.type == PRIVATE_EC_P256 ? "ec" : "rsa%zu", key.rsa.n_size * 8);
        CHECK(view_is(size, name));
        good++;
    }
    CHECK(good > 40 && bad > 80);
}

TEST(broken_ec)
{
    fresh();
    struct view v = vector("secret/other-p256.der");
    CHECK(accepts(v) && v.n == 138);
    CHECK_EQ(broken(v, v.n, accepts), 0); // d and the point hold each other
    v = vector("secret/enc-p256.der");
    CHECK_EQ(broken(v, v.n, accepts), 0);
}

// Of RSA's numbers only d is not read; one bit in any other is found.
TEST(broken_rsa)
{
    fresh();
    struct view v = vector("secret/enc-rsa.der");
    CHECK(accepts(v) && key.rsa.n_size == 256);
    size_t d = 4 + 3 + 4 + 257 + 5 + 4; // SEQUENCE, version, n, e, and d's head
    uint8_t *copy = malloc(v.n);
    for (size_t i = 0; i <= v.n; i++) {
        memcpy(copy, v.p, i);
        CHECK(accepts(view_of(copy, i)) == (i == v.n));
    }
    for (size_t i = 0; i < v.n; i += i < 40 ? 1 : 13) {
        copy[i] ^= 0x10;
        bool in_d = i > d && i < d + 256;
        if (i != d && accepts(view_of(copy, v.n)) != in_d)
            check_fail("byte %zu changed: %s", i, in_d ? err.text : "accepted");
        copy[i] ^= 0x10;
    }
    free(copy);
}

TEST(broken_pem)
{
    fresh();
    struct view text = vector("secret/keys.txt"), w[3];
    while (next_line(&text, w, 3) && !view_is(w[0], "enc-p256-pkcs8-pem"))
        ;
    struct view pem = from_base64(w[2]);
    CHECK(view_ends(pem, VIEW("-----\n")));
    CHECK_EQ(broken(pem, pem.n - 1, accepts), 0); // but for the last line's end
}

TEST(made_here)
{
    struct private_key a, b;
    uint8_t za[32], zb[32], signature[72];
    CHECK(private_key_make(PRIVATE_EC_P256, &a, &err) && private_key_make(PRIVATE_EC_P256, &b, &err));
    CHECK(memcmp(a.ec.d, b.ec.d, 32) != 0);
    EVP_PKEY_free(other_side(&a, true));
    CHECK(private_key_agree(&a, view_of(b.ec.point, 65), za) && private_key_agree(&b, view_of(a.ec.point, 65), zb));
    CHECK(memcmp(za, zb, 32) == 0);

    struct public_key public = {.type = KEY_EC_P256, .ec = {.curve = 23, .size = 65}};
    struct view message = VIEW("to be signed");
    memcpy(public.ec.point, a.ec.point, 65);
    for (int i = 0; i < 20; i++) {
        size_t n = private_key_sign(&a, message, signature);
        CHECK(n >= 66 && n <= 72 && sig_verify(&public, SIG_RULE_PLAIN, &message, 1, view_of(signature, n)));
        message.n -= i % 2;
    }
    CHECK(private_key_sign(&a, VIEW("x"), signature) && !sig_verify(&public, SIG_RULE_PLAIN, &message, 1, view_of(signature, 70)));

    CHECK(private_key_make(PRIVATE_RSA, &b, &err) && b.rsa.n_size == 256 && b.rsa.n[0] >= 0x80 && !memcmp(b.rsa.e, "\0\1\0\1", 4));
    CHECK(!private_key_agree(&b, view_of(a.ec.point, 65), za) && private_key_sign(&b, message, signature) == 0);
    EVP_PKEY *pkey = other_side(&b, true);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    uint8_t sealed[256];
    size_t n = sizeof sealed;
    CHECK(EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_encrypt(ctx, sealed, &n, message.p, message.n) == 1 && n == 256);
    CHECK(private_key_oaep(&b, OAEP_SHA256, sealed, &n) && view_eq(view_of(sealed, n), message));
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

TEST(agree_refuses_points)
{
    fresh();
    uint8_t z[32], point[66];
    struct private_key mine = load_private(VIEW("enc-p256")), other = load_private(VIEW("other-p256"));
    memcpy(point, other.ec.point, 65);
    CHECK(private_key_agree(&mine, view_of(point, 65), z));
    for (size_t n = 0; n <= 66; n++)
        CHECK(private_key_agree(&mine, view_of(point, n), z) == (n == 65));
    for (size_t bit = 0; bit < 65 * 8; bit++) {
        point[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!private_key_agree(&mine, view_of(point, 65), z));
        point[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    memset(point + 1, 0, 64);
    CHECK(!private_key_agree(&mine, view_of(point, 65), z));
    memset(point, 0, 65);
    CHECK(!private_key_agree(&mine, view_of(point, 65), z) && !private_key_agree(&mine, view_of(point, 1), z));
    memset(point, 0xff, 65);
    point[0] = 4;
    CHECK(!private_key_agree(&mine, view_of(point, 65), z));
}

TEST(oaep_of_openssl)
{
    fresh();
    struct view text = vector("secret/oaep.txt"), w[4];
    size_t count = 0;
    while (next_line(&text, w, 4)) {
        struct private_key k = load_private(w[0]);
        enum oaep_hash hash = view_is(w[1], "sha1") ? OAEP_SHA1 : OAEP_SHA256;
        struct view want = from_hex(w[2]), sealed = from_hex(w[3]);
        uint8_t bytes[PRIVATE_RSA_MAX + 1] = {0};
        size_t n = sealed.n;
        memcpy(bytes, sealed.p, n);
        CHECK(private_key_oaep(&k, hash, bytes, &n) && view_eq(view_of(bytes, n), want));
        memcpy(bytes, sealed.p, n = sealed.n);
        CHECK(!private_key_oaep(&k, !hash, bytes, &n));
        for (size_t size = 0; size <= sizeof bytes; size++) // every other length, and anything that is not below n
            CHECK(size == sealed.n || !private_key_oaep(&k, hash, bytes, &(size_t){size}));
        memset(bytes, 0xff, n = sealed.n);
        CHECK(!private_key_oaep(&k, hash, bytes, &n));
        memset(bytes, 0, n = sealed.n);
        CHECK(!private_key_oaep(&k, hash, bytes, &n));
        for (size_t i = 0; !want.n && i < sealed.n; i += 1 + sealed.n / 6) {
            memcpy(bytes, sealed.p, n = sealed.n);
            bytes[i] ^= 1;
            CHECK(!private_key_oaep(&k, hash, bytes, &n));
        }
        count++;
    }
    CHECK_EQ(count, 24);
    struct private_key ec = load_private(VIEW("enc-p256"));
    uint8_t bytes[256] = {0};
    CHECK(!private_key_oaep(&ec, OAEP_SHA1, bytes, &(size_t){256}) && !private_key_oaep(&ec, OAEP_SHA1, bytes, &(size_t){0}));
}
