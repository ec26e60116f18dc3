// keys, der and sig.
#include "lib.h"

#include "base/codec.h"
#include "crypto/der.h"
#include "crypto/keys.h"
#include "crypto/sig.h"
#include "format/pem.h"

static struct public_key key;
static struct view label, der;

static bool load(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "keys/%s.pub", name);
    fresh();
    struct view text = vector(path);
    CHECK(pem_next(&text, &arena, &label, &der, &err));
    return public_key_decode(label, der, &key, &err);
}

static bool accepts(struct view v) { return public_key_decode(VIEW("PUBLIC KEY"), v, &key, &err); }

TEST(keys_of_cosign)
{
    struct public_key first;
    CHECK(load("ka") && key.type == KEY_EC_P256 && key.point[0] == 4);
    first = key;
    CHECK(load("kb") && memcmp(first.spki_sha256, key.spki_sha256, 32) != 0);
    CHECK(load("kc") && load("kevil") && load("enc-p256"));
}

TEST(other_kinds)
{
    static const char *const kinds[][2] = {{"krsa2048", "an RSA key"}, {"krsa4096", "an RSA key"}, {"enc-rsa", "an RSA key"},
                                           {"kp384", "P-384"},         {"kp521", "P-521"},         {"ked25519", "Ed25519"}};
    for (size_t i = 0; i < 6; i++) {
        CHECK(!load(kinds[i][0]) && err.kind == ERR_USAGE);
        CHECK_ERR(kinds[i][1]);
        CHECK(strstr(err.mend, "P-256"));
    }
    CHECK(load("ka"));
    static const char *const labels[][2] = {{"PRIVATE KEY", "private"}, {"EC PRIVATE KEY", "private"}, {"ENCRYPTED SIGSTORE PRIVATE KEY", "private"},
                                            {"CERTIFICATE", "certificate"}, {"RSA PUBLIC KEY", "'RSA PUBLIC KEY'"}, {"", "''"}};
    for (size_t i = 0; i < 6; i++) {
        CHECK(!public_key_decode(view_str(labels[i][0]), der, &key, &err) && err.kind == ERR_USAGE);
        CHECK_ERR(labels[i][1]);
    }
}

TEST(strict_spki)
{
    CHECK(load("ka") && der.n == 91);
    CHECK(broken(der, der.n, accepts) == 0); // every flipped bit gives another structure, curve, or no point
    uint8_t copy[100];
    memcpy(copy, der.p, der.n);
    copy[der.n] = 0;
    CHECK(!accepts(view_of(copy, der.n + 1)));
    CHECK_ERR("followed by other bytes");
    // The same key, with a length in long form: 30 81 59.
    copy[0] = 0x30, copy[1] = 0x81, copy[2] = 0x59;
    memcpy(copy + 3, der.p + 2, 89);
    CHECK(!accepts(view_of(copy, 92)));
    CHECK_ERR("no SubjectPublicKeyInfo");
    // Compressed: 30 39 ... 03 22 00 02 x.
    memcpy(copy, der.p, 91);
    copy[1] = 0x39, copy[24] = 0x22, copy[26] = 2 + (der.p[90] & 1);
    CHECK(!accepts(view_of(copy, 59)));
    CHECK_ERR("a compressed point");
    // x = p, the field's modulus, which is zero in another spelling; y is then a root of b, but the spelling is refused.
    static const uint8_t p[32] = {255, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    memcpy(copy, der.p, 91);
    memcpy(copy + 27, p, 32);
    CHECK(!accepts(view_of(copy, 91)));
    CHECK_ERR("no point of the curve");
    memset(copy + 27, 0, 64);
    CHECK(!accepts(view_of(copy, 91)));
}

TEST(der_elements)
{
    struct view v, content;
    static const struct {
        const char *bytes;
        size_t n;
        bool good;
    } cases[] = {
        {"\x30\x00", 2, true},          {"\x30\x01x", 3, true},      {"\x30", 1, false},           {"\x30\x01", 2, false},
        {"\x31\x00", 2, false},         {"\x30\x80\0\0", 4, false},  {"\x30\x81\x01x", 4, false},  {"\x30\x81\x7f", 3, false},
        {"\x30\x82\x00\x80", 4, false}, {"\x30\x83\0\0\1x", 6, false}, {"\x30\x84\0\0\0\1x", 7, false}, {"\x30\xff", 2, false},
        {"\x30\x81", 2, false},         {"\x30\x82\x01", 3, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        v = view_of(cases[i].bytes, cases[i].n);
        if (der_take(&v, DER_SEQUENCE, &content) != cases[i].good)
            check_fail("case %zu", i);
        CHECK(cases[i].good ? v.n == 0 : v.n == cases[i].n);
    }
    uint8_t big[70000] = {0x30, 0x82, 0x01, 0x00};
    v = view_of(big, 4 + 256);
    CHECK(der_take(&v, DER_SEQUENCE, &content) && content.n == 256);
    big[1] = 0x81, big[2] = 0x80;
    v = view_of(big, 3 + 128);
    CHECK(der_take(&v, DER_SEQUENCE, &content) && content.n == 128);
}

TEST(der_integers)
{
    static const struct {
        const char *bytes;
        size_t n;
        int value; // -1: refused
    } cases[] = {
        {"\x02\x01\x01", 3, 1},    {"\x02\x01\x7f", 3, 127},      {"\x02\x02\x00\x80", 4, 128}, {"\x02\x02\x01\x00", 4, 256},
        {"\x02\x01\x00", 3, -1},   {"\x02\x00", 2, -1},           {"\x02\x01\x80", 3, -1},      {"\x02\x02\x00\x7f", 4, -1},
        {"\x02\x02\xff\x7f", 4, -1}, {"\x02\x03\x00\x00\x80", 5, -1}, {"\x02\x03\x01\x00\x00", 5, -1}, {"\x02\x02\x00\x00", 4, -1},
        {"\x02\x03\x00\xff\xff", 5, 65535}, {"\x03\x01\x01", 3, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct view v = view_of(cases[i].bytes, cases[i].n);
        uint8_t out[2] = {0xaa, 0xaa};
        bool good = der_take_positive(&v, out, 2);
        if (good != (cases[i].value >= 0) || (good && (out[0] << 8 | out[1]) != cases[i].value) || (good ? v.n != 0 : v.n != cases[i].n))
            check_fail("case %zu", i);
    }
}

// RFC 6979 A.2.5: P-256, message "sample", SHA-256 and SHA-384.
#define POINT "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define SIG "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"

static struct view sig;
static uint8_t sig_bytes[80];

static void rfc6979(const char *hex)
{
    key.type = KEY_EC_P256;
    CHECK(hex_decode(VIEW(POINT), key.point, 65) && hex_decode(view_str(hex), sig_bytes, strlen(hex) / 2));
    sig = view_of(sig_bytes, strlen(hex) / 2);
}

static bool verifies(struct view v) { return sig_verify(&key, HASH_SHA256, VIEW("sample"), v); }

TEST(ecdsa)
{
    rfc6979(SIG);
    CHECK(verifies(sig));
    CHECK(!sig_verify(&key, HASH_SHA384, VIEW("sample"), sig) && !sig_verify(&key, HASH_SHA256, VIEW("Sample"), sig));
    CHECK(!sig_verify(&key, HASH_SHA256, (struct view){0}, sig) && !verifies((struct view){0}));
    key.point[64] ^= 1;
    CHECK(!verifies(sig));
    rfc6979("304402200eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef771902204861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954");
    CHECK(sig_verify(&key, HASH_SHA384, VIEW("sample"), sig) && !verifies(sig));
}

TEST(ecdsa_broken_sisters)
{
    rfc6979(SIG);
    CHECK(broken(sig, sig.n, verifies) == 0);
    static const char *const bad[] = {
        // trailing, inside and outside
        SIG "00",
        "3047022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda800",
        // length in long form
        "308146022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        // negative r: the padding left out
        "30450220efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        // one zero too many
        "304702220000efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        // r = 0, s = 0, r = s = 1, s = n
        "3026020100022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        "3026022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716020100",
        "3006020101020101",
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        // s + n, in 33 bytes
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022101f7cb1c932d657c42d436c7a1b6e29f65b0cffb8860c792abcdf7e0725a6e22f9",
        "3000",
        "",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rfc6979(bad[i]);
        if (verifies(sig))
            check_fail("case %zu", i);
    }
    // The other root, n - s, verifies too: it says the same, by the same key.
    rfc6979("3045022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf371602200834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9");
    CHECK(verifies(sig));
}
