// recipient: what is sealed here opens in the guest (lib/secret/jwe over BearSSL), and nowhere else.
#include "lib.h"

#include "base/codec.h"
#include "base/limits.h"
#include "secret/jwe.h"
#include "secret/rcar.h"
#include "tools/serve/recipient.h"

static struct recipient r;

static bool reads(const char *text) {
    const json *jwk;
    return json_parse(quoted(text), &arena, &jwk, &err) && recipient_read(jwk, &r, &err);
}

static void of_key(const struct private_key *key) {
    char text[1024];
    struct writer w = writer_of(text, sizeof text);
    const json *jwk;
    rcar_jwk(key, &w);
    CHECK(!w.full && json_parse(writer_view(&w), &arena, &jwk, &err) && recipient_read(jwk, &r, &err));
    // ours is the same text: both are in RFC 8785 order
    char again[RECIPIENT_JWK_MAX];
    struct writer a = writer_of(again, sizeof again);
    recipient_write(&r, &a);
    CHECK(view_eq(writer_view(&w), writer_view(&a)));
    uint8_t here[48], there[48];
    recipient_report_data(&r, VIEW("AAAA"), here);
    rcar_report_data(VIEW("AAAA"), key, there);
    CHECK(!memcmp(here, there, 48));
}

static void opens(const struct private_key *key, const struct private_key *wrong, struct view secret) {
    size_t size = RECIPIENT_SEALED_MAX(secret.n);
    struct writer w = writer_of(arena_alloc(&arena, size), size);
    struct jwe j;
    struct view out;
    CHECK(recipient_seal(&r, secret, &w, &err));
    CHECK(jwe_parse(writer_view(&w), true, &arena, &j, &err));
    CHECK(jwe_open(&j, key, &arena, &out, &err) && view_eq(out, secret));
    CHECK(!jwe_open(&j, wrong, &arena, &out, &err));
    struct writer small = writer_of(arena_alloc(&arena, 100), 100);
    CHECK(!recipient_seal(&r, secret, &small, &err) && !small.n);
}

TEST(ec)
{
    struct private_key key, wrong;
    fresh();
    CHECK(private_key_make(PRIVATE_EC_P256, &key, &err) && private_key_make(PRIVATE_EC_P256, &wrong, &err));
    of_key(&key);
    opens(&key, &wrong, VIEW("a secret"));
    opens(&key, &wrong, VIEW(""));
    uint8_t *large = arena_alloc(&arena, KBS_RESOURCE_MAX);
    memset(large, 7, KBS_RESOURCE_MAX);
    opens(&key, &wrong, view_of(large, KBS_RESOURCE_MAX));
}

TEST(rsa)
{
    struct private_key key, wrong;
    fresh();
    CHECK(private_key_make(PRIVATE_RSA, &key, &err) && private_key_make(PRIVATE_RSA, &wrong, &err));
    of_key(&key);
    opens(&key, &wrong, VIEW("a secret"));
}

TEST(never_twice_the_same)
{
    struct private_key key;
    char a[4096], b[4096];
    struct writer wa = writer_of(a, sizeof a), wb = writer_of(b, sizeof b);
    fresh();
    CHECK(private_key_make(PRIVATE_EC_P256, &key, &err));
    of_key(&key);
    CHECK(recipient_seal(&r, VIEW("x"), &wa, &err) && recipient_seal(&r, VIEW("x"), &wb, &err));
    const json *ja, *jb;
    CHECK(json_parse(writer_view(&wa), &arena, &ja, &err) && json_parse(writer_view(&wb), &arena, &jb, &err));
    static const char *const members[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag"};
    for (size_t i = 0; i < 5; i++) CHECK(!json_equal(json_get(ja, members[i]), json_get(jb, members[i])));
    CHECK_EQ(json_count(ja), 5);
}

// ecosystem facts 1.3: the vector of the text and its SHA-384
#define X "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"
#define Y "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"

TEST(report_data)
{
    uint8_t got[48], wanted[48];
    fresh();
    CHECK(reads("{'x':'" X "','kty':'EC','y':'" Y "','alg':'ECDH-ES+A256KW','crv':'P-256'}"));
    recipient_report_data(&r, VIEW("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), got);
    CHECK(hex_decode(VIEW("bc18735746472713c97d2b881e0a178e1b09bb652fd2a3d5e7945e756c7f14496d7cc1a29bf74a6b3bfe248691e5f3b4"), wanted, 48));
    CHECK(!memcmp(got, wanted, 48));
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{}", "kty"},
        {"[]", "kty"},
        {"{'kty':'oct','k':'AAAA'}", "kty"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'" X "'}", "and no others"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'" X "','y':'" Y "','kid':'a'}", "and no others"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'" X "','y':7}", "and no others"},
        {"{'kty':'EC','crv':'P-521','alg':'ECDH-ES+A256KW','x':'" X "','y':'" Y "'}", "crv"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES','x':'" X "','y':'" Y "'}", "alg"},
        {"{'kty':'EC','crv':'P-256','alg':'none','x':'" X "','y':'" Y "'}", "alg"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'" Y "','y':'" X "'}", "no point"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'" X "=','y':'" Y "'}", "base64url"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'AAAA','y':'" Y "'}", "32 bytes"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'" X "AA','y':'" Y "'}", "32 bytes"},
        {"{'kty':'EC','crv':'P-256','alg':'ECDH-ES+A256KW','x':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA','y':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}", "no point"},
        {"{'kty':'RSA','alg':'RSA-OAEP','n':'gAAB','e':'AQAB'}", "alg"},
        {"{'kty':'RSA','alg':'RSA-OAEP-256','n':'gAAB','e':'AQAB'}", "2048 to 4096"},
        {"{'kty':'RSA','alg':'RSA-OAEP-256','n':'gAAB','e':'AQAB','d':'AQAB'}", "and no others"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh();
        if (reads(cases[i].text)) check_fail("accepted: %s", cases[i].text);
        CHECK_ERR(cases[i].why);
    }
}

TEST(rsa_numbers)
{
    char text[2048], n[700];
    uint8_t bytes[520];
    static const struct {
        size_t size;
        uint8_t first, last;
        const char *e;
        bool ok;
    } cases[] = {{256, 0x80, 1, "AQAB", true}, {512, 0xff, 1, "AQAB", true}, {255, 0x80, 1, "AQAB", false}, {513, 0x80, 1, "AQAB", false},
                 {256, 0x7f, 1, "AQAB", false}, {256, 0x80, 2, "AQAB", false}, {256, 0x80, 1, "Aw", false}, {256, 0x80, 1, "AQAA", false},
                 {256, 0x80, 1, "AAEAAQ", false}, {256, 0x80, 1, "", false}, {256, 0x80, 1, "AQAAAAE", false}, {256, 0x80, 1, "AQAAAQ", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh();
        memset(bytes, 0x55, sizeof bytes);
        bytes[0] = cases[i].first, bytes[cases[i].size - 1] = cases[i].last;
        struct writer w = writer_of(n, sizeof n);
        write_base64url(&w, view_of(bytes, cases[i].size));
        snprintf(text, sizeof text, "{'kty':'RSA','alg':'RSA-OAEP-256','n':'%s','e':'%s'}", writer_str(&w), cases[i].e);
        if (reads(text) != cases[i].ok) check_fail("case %zu: %s", i, err.text);
    }
}
