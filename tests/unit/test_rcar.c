// rcar: the texts to the byte. The report_data vector is computed by the rule of Trustee's protocol, elsewhere.
#include "secret.h"

#include "base/version.h"
#include "format/json.h"
#include "secret/rcar.h"

static uint8_t buffer[16384];
static struct writer out;

static struct writer *empty(void)
{
    out = writer_of(buffer, sizeof buffer);
    return &out;
}

// The key of the vector: its private part is not used.
static struct private_key vector_key(void)
{
    struct private_key key = {.type = PRIVATE_EC_P256};
    size_t n;
    key.ec.point[0] = 4;
    CHECK(base64url_decode(VIEW("axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"), key.ec.point + 1, 32, &n) && n == 32);
    CHECK(base64url_decode(VIEW("T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"), key.ec.point + 33, 32, &n) && n == 32);
    return key;
}

#define NONCE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

TEST(report_data)
{
    static const uint8_t want[48] = {0xbc, 0x18, 0x73, 0x57, 0x46, 0x47, 0x27, 0x13, 0xc9, 0x7d, 0x2b, 0x88, 0x1e, 0x0a, 0x17, 0x8e,
                                     0x1b, 0x09, 0xbb, 0x65, 0x2f, 0xd2, 0xa3, 0xd5, 0xe7, 0x94, 0x5e, 0x75, 0x6c, 0x7f, 0x14, 0x49,
                                     0x6d, 0x7c, 0xc1, 0xa2, 0x9b, 0xf7, 0x4a, 0x6b, 0x3b, 0xfe, 0x24, 0x86, 0x91, 0xe5, 0xf3, 0xb4};
    struct private_key key = vector_key();
    uint8_t got[48], other[48];
    rcar_report_data(VIEW(NONCE), &key, got);
    CHECK(memcmp(got, want, 48) == 0);
    rcar_report_data(VIEW("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &key, other);
    CHECK(memcmp(got, other, 48) != 0);
    key.ec.point[64] ^= 1;
    rcar_report_data(VIEW(NONCE), &key, other);
    CHECK(memcmp(got, other, 48) != 0);
}

TEST(jwk)
{
    fresh();
    struct private_key key = vector_key();
    rcar_jwk(&key, empty());
    CHECK(view_is(writer_view(&out), "{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","
                                     "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}"));
    key = load_private(VIEW("rsa4096"));
    rcar_jwk(&key, empty());
    CHECK(view_starts(writer_view(&out), VIEW("{\"alg\":\"RSA-OAEP-256\",\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"")) && view_ends(writer_view(&out), VIEW("\"}")));
    const json *root;
    uint8_t n[600];
    size_t size;
    CHECK(json_parse(writer_view(&out), &arena, &root, &err) && base64url_decode(json_text(json_get(root, "n")), n, sizeof n, &size));
    CHECK(size == 512 && memcmp(n, key.rsa.n, 512) == 0);
    for (size_t room = 0; room < out.n; room++) {
        struct writer small = writer_of(buffer + 8192, room);
        rcar_jwk(&key, &small);
        CHECK(small.full && small.n <= room);
    }
}

// What is hashed is what stands in the attestation: the hash over its members, written again in RFC 8785's order.
TEST(longest)
{
    fresh();
    struct private_key key = load_private(VIEW("rsa4096"));
    uint8_t nonce[RCAR_NONCE_MAX], got[48], want[48];
    memset(nonce, 1, sizeof nonce); // each is six characters
    rcar_report_data(view_of(nonce, sizeof nonce), &key, got);
    empty();
    write_text(&out, "{\"additional-evidence\":\"\",\"nonce\":");
    write_json_string(&out, view_of(nonce, sizeof nonce));
    write_text(&out, ",\"tee-pubkey\":");
    rcar_jwk(&key, &out);
    write_text(&out, "}");
    hash_once(HASH_SHA384, writer_view(&out), want);
    CHECK(!out.full && memcmp(got, want, 48) == 0);
}

TEST(request)
{
    char want[200];
    snprintf(want, sizeof want, "{\"version\":\"0.4.0\",\"tee\":\"tdx\",\"extra-params\":{\"supported-hash-algorithms\":[\"sha384\"],\"plinth\":\"%s\"}}", plinth_version);
    rcar_request(VIEW("tdx"), empty());
    CHECK(view_is(writer_view(&out), want));
}

TEST(attestation)
{
    struct private_key key = vector_key();
#define RUNTIME                                                                                                                      \
    "\"runtime-data\":{\"nonce\":\"" NONCE "\",\"tee-pubkey\":{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\","           \
    "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\",\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}},"                     \
    "\"tee-evidence\":{\"primary_evidence\":{\"svn\":\"1\"},\"additional_evidence\":\"\"}}"
    rcar_attestation(VIEW(NONCE), &key, (struct view){0}, VIEW("{\"svn\":\"1\"}"), empty());
    CHECK(view_is(writer_view(&out), "{" RUNTIME));
    rcar_attestation(VIEW(NONCE), &key, VIEW("version = \"0.1.0\"\n"), VIEW("{\"svn\":\"1\"}"), empty());
    CHECK(view_is(writer_view(&out), "{\"init-data\":{\"format\":\"toml\",\"body\":\"version = \\\"0.1.0\\\"\\n\"}," RUNTIME));
    size_t whole = out.n;
    for (size_t room = 0; room < whole; room++) {
        struct writer small = writer_of(buffer + 8192, room);
        rcar_attestation(VIEW(NONCE), &key, VIEW("version = \"0.1.0\"\n"), VIEW("{\"svn\":\"1\"}"), &small);
        CHECK(small.full && small.n <= room);
    }
}
