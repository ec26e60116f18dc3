// proof: the bodies of /auth and /attest.
#include "lib.h"

#include "tools/serve/proof.h"

static struct proof p;
static struct view tee;

static bool reads(struct view v) {
    fresh();
    return proof_read(v, &arena, &p, &err);
}

static bool reads_request(struct view v) {
    fresh();
    return proof_read_request(v, &arena, &tee, &err);
}

#define NONCE "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define JWK                                                                                                                      \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ECDH-ES+A256KW\",\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","       \
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}"
#define RUNTIME "\"runtime-data\":{\"nonce\":\"" NONCE "\",\"tee-pubkey\":" JWK "}"

TEST(request)
{
    CHECK(reads_request(VIEW("{\"version\":\"0.4.0\",\"tee\":\"tdx\",\"extra-params\":{\"supported-hash-algorithms\":[\"sha384\"]}}")) && view_is(tee, "tdx"));
    CHECK(reads_request(VIEW("{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":\"\"}")) && view_is(tee, "snp"));
    static const char *const versions[] = {"0.1.1", "0.4.1", "0.4", "", "0.4.0 "};
    for (size_t i = 0; i < 5; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"version\":\"%s\",\"tee\":\"tdx\"}", versions[i]);
        CHECK(!reads_request(view_str(text)));
        CHECK_ERR("Protocol Version Mismatch");
    }
    CHECK(!reads_request(VIEW("{\"tee\":\"tdx\"}")) && !reads_request(VIEW("{\"version\":\"0.4.0\"}")) && !reads_request(VIEW("{\"version\":4,\"tee\":\"tdx\"}")));
    CHECK(!reads_request(VIEW("{\"version\":\"0.4.0\",\"version\":\"0.4.0\",\"tee\":\"tdx\"}")) && !reads_request(VIEW("[]")) && !reads_request(VIEW("")));
}

TEST(evidence_is_what_was_sent)
{
    static const struct {
        const char *text, *evidence;
    } cases[] = {
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":{},\"additional_evidence\":\"\"}}", "{}"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":{}}}", "{}"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary\\u005fevidence\":{\"a\":1}}}", "{\"a\":1}"},
        {" { \"tee-evidence\" : { \"additional_evidence\" : \"\" , \"primary_evidence\" : { \"a\" : [ 1 , \"}\\\"{\" ] } } , " RUNTIME " } ", "{ \"a\" : [ 1 , \"}\\\"{\" ] }"},
        {"{\"a\":1,\"b\":[[],{}],\"c\":\"\\\\\",\"d\":null,\"e\":-1.5e3,\"\":true,\"init-data\":{\"format\":\"toml\",\"body\":\"tee-evidence\"}," RUNTIME
         ",\"tee-evidence\":{\"x\":{\"primary_evidence\":1},\"y\":[\"primary_evidence\",{\"primary_evidence\":2}],\"primary_evidence\":{\"b\":2},\"z\":1}}", "{\"b\":2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!reads(view_str(cases[i].text))) check_fail("%s: %s", cases[i].text, err.text);
        const json *want;
        CHECK(json_parse(view_str(cases[i].evidence), &arena, &want, &err) && json_equal(p.evidence, want));
        CHECK(view_is(p.nonce_text, NONCE) && p.nonce[31] == 32 && p.recipient.ec);
    }
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{}", "runtime-data"},
        {"{" RUNTIME "}", "tee-evidence"},
        {"{" RUNTIME ",\"tee-evidence\":{}}", "primary_evidence"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":\"{}\"}}", "primary_evidence"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":[]}}", "primary_evidence"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":{},\"additional_evidence\":\"{}\"}}", "no device is judged"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":{},\"additional_evidence\":{}}}", "no device is judged"},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary\\u005fevidence\":{},\"primary_evidence\":{}}}", ""},
        {"{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":{\"a\":1},\"primary_evidence\":{}}}", ""},
        {"{\"runtime-data\":{\"nonce\":\"AAAA\",\"tee-pubkey\":" JWK "},\"tee-evidence\":{\"primary_evidence\":{}}}", "not one of ours"},
        {"{\"runtime-data\":{\"nonce\":\"" NONCE "AAAA\",\"tee-pubkey\":" JWK "},\"tee-evidence\":{\"primary_evidence\":{}}}", "not one of ours"},
        {"{\"runtime-data\":{\"nonce\":\"" NONCE "\",\"tee-pubkey\":{}},\"tee-evidence\":{\"primary_evidence\":{}}}", "kty"},
        {"{\"runtime-data\":{\"nonce\":\"" NONCE "\"},\"tee-evidence\":{\"primary_evidence\":{}}}", "tee-pubkey"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (reads(view_str(cases[i].text))) check_fail("accepted: %s", cases[i].text);
        CHECK_ERR(cases[i].why);
    }
}

TEST(broken_bodies)
{
    struct view v = VIEW("{" RUNTIME ",\"tee-evidence\":{\"primary_evidence\":{\"a\":\"\\\"\"},\"additional_evidence\":\"\"}}");
    broken(v, v.n, reads);
}
