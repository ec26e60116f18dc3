// keys and der.
#include "lib.h"

#include "base/codec.h"
#include "crypto/der.h"
#include "crypto/keys.h"
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
    static const struct {
        const char *file;
        enum key_type type;
        size_t size;
    } keys[] = {{"ka", KEY_EC_P256, 65},     {"kb", KEY_EC_P256, 65},   {"kc", KEY_EC_P256, 65},
                {"kevil", KEY_EC_P256, 65},  {"enc-p256", KEY_EC_P256, 65}, {"kp384", KEY_EC_P384, 97},
                {"kp521", KEY_EC_P521, 133}, {"krsa2048", KEY_RSA, 256},        {"krsa3072", KEY_RSA, 384},
                {"krsa4096", KEY_RSA, 512},          {"enc-rsa", KEY_RSA, 0},           {"ked25519", KEY_ED25519, 0}};
    uint8_t seen[sizeof keys / sizeof *keys][32];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK(load(keys[i].file) && key.type == keys[i].type);
        if (key.type == KEY_RSA)
            CHECK((!keys[i].size || key.rsa.n_size == keys[i].size) && memcmp(key.rsa.e, "\0\1\0\1", 4) == 0);
        else if (key.type != KEY_ED25519)
            CHECK(key.ec.size == keys[i].size && key.ec.point[0] == 4);
        memcpy(seen[i], key.spki_sha256, 32);
        for (size_t j = 0; j < i; j++)
            CHECK(memcmp(seen[i], seen[j], 32) != 0);
    }
}

TEST(other_kinds)
{
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
    CHECK_ERR("no point of its curve");
    memset(copy + 27, 0, 64);
    CHECK(!accepts(view_of(copy, 91)));
}

// Cut at every length and with any bit flipped: nothing but the key itself is taken, where its bits say whether they are right.
TEST(broken_keys)
{
    static const char *const names[] = {"kp384", "kp521"};
    for (size_t i = 0; i < 2; i++) {
        CHECK(load(names[i]));
        CHECK_EQ(broken(der, der.n, accepts), 0);
    }
    CHECK(load("krsa2048"));
    broken(der, der.n, accepts); // another odd number is another modulus
    CHECK(load("ked25519"));
    broken(der, der.n, accepts); // half of all y are on the curve
}

// Each line of keys/spki.txt: small order, y and x above p, every other way to write a point, sizes of RSA, parameters.
TEST(other_spellings)
{
    fresh();
    struct view text = vector("keys/spki.txt"), line, word, hex;
    size_t n = 0, good = 0;
    while (text.n) {
        line = view_cut(&text, '\n', NULL);
        if (!line.n || line.p[0] == '#')
            continue;
        word = view_cut(&line, ' ', NULL);
        bool wanted = view_is(word, "good");
        if (wanted)
            word = view_cut(&line, ' ', NULL);
        hex = line;
        uint8_t bytes[2000];
        CHECK(hex.n / 2 <= sizeof bytes && hex_decode(hex, bytes, hex.n / 2));
        struct public_key before = key;
        bool accepted = accepts(view_of(bytes, hex.n / 2));
        if (accepted != wanted)
            check_fail("%.*s is %s", VIEW_ARG(word), accepted ? "accepted" : "refused");
        CHECK(accepted || (err.kind == ERR_USAGE && memcmp(&before, &key, sizeof key) == 0));
        n++, good += wanted;
    }
    CHECK(n > 100 && good > 10);
}

TEST(refusals_name_the_kind)
{
    static const char *const kinds[][2] = {
        {"3011300906072a8648ce380401030200010500", "followed by other bytes"},
        {"300f300906072a8648ce38040103020101", "no SubjectPublicKeyInfo"}, // an unused bit
        {"300d300906072a8648ce3804010300", "no SubjectPublicKeyInfo"},
        {"300f300906072a8648ce38040103020001", "unknown algorithm"},
        {"3014300e06072a8648ce3d020106032b810403020001", "unknown curve"},
        {"3014300e06072a8648ce3d0201300302010103020001", "a curve given by numbers"},
        {"3013300d06092a864886f70d01010a050003020001", "RSA-PSS"},
        {"3013300d06092a864886f70d010101050003020030", "no RSA public key"},
        {"300b300506032b657003020001", "no point of edwards25519"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint8_t bytes[100];
        struct view hex = view_str(kinds[i][0]);
        CHECK(hex_decode(hex, bytes, hex.n / 2));
        CHECK(!accepts(view_of(bytes, hex.n / 2)));
        CHECK_ERR(kinds[i][1]);
        CHECK(strstr(err.mend, "Ed25519"));
    }
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
