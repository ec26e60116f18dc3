#include "lib.h"

#include "format/dsse.h"

#define TYPE "'payloadType':'application/vnd.in-toto+json'"

static struct dsse_envelope d;

static bool parse(struct view v)
{
    const json *root;
    return json_parse(v, &arena, &root, &err) && dsse_parse(root, &arena, &d, &err);
}

static bool parses(const char *text) { return parse(quoted(text)); }

TEST(recorded)
{
    static const struct {
        const char *name, *why; // why: it is refused
        size_t signatures;
    } cases[] = {
        {"c2-att-custom", NULL, 1},
        {"p-att-2sigs", NULL, 2},
        {"p-att-keyid", NULL, 1},
        {"p-att-b64url", "not base64", 0},
        {"n-att-ptype", "payloadType is 'application/json'", 0},
        {"n-att-nosigs", "it has 0 signatures", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[64];
        fresh();
        snprintf(path, sizeof path, "dsse/%s.json", cases[i].name);
        bool yes = parse(vector(path));
        if (yes != !cases[i].why)
            check_fail("%s: %s", cases[i].name, yes ? "accepted" : err.text);
        if (!yes) {
            CHECK_ERR(cases[i].why);
            continue;
        }
        CHECK_EQ(d.signature_count, cases[i].signatures);
        CHECK(view_starts(d.payload, VIEW("{\"_type\":\"https://in-toto.io/Statement/v")) && d.payload.p[d.payload.n - 1] == '}');
        for (size_t k = 0; k < d.signature_count; k++)
            CHECK(d.signatures[k].p[0] == 0x30 && d.signatures[k].n >= 68 && d.signatures[k].n <= 72);
    }
}

TEST(decodes_in_place)
{
    fresh();
    CHECK(parses("{" TYPE ",'payload':'aGVsbG8sIHdvcmxk','signatures':[{'sig':'YQ==','keyid':7},{'sig':'YWI='},{'sig':'YWJj','x':1}],'more':{}}"));
    CHECK(view_is(d.payload, "hello, world") && d.signature_count == 3);
    CHECK(view_is(d.signatures[0], "a") && view_is(d.signatures[1], "ab") && view_is(d.signatures[2], "abc"));
    CHECK(parses("{'payload_type':'application/vnd.in-toto+json','payload':'','signatures':[{'sig':'YQ=='}]}") && d.payload.n == 0);
    CHECK(parses("{" TYPE ",'payload':'\\u0061GVs\\/w==','signatures':[{'sig':'YQ=='}]}") && view_is(d.payload, "hel\xff"));
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "payloadType is missing"},
        {"{'payload':'','signatures':[{'sig':'YQ=='}]}", "payloadType is missing"},
        {"{'payloadType':1,'payload':'','signatures':[{'sig':'YQ=='}]}", "payloadType must be a string"},
        {"{'payloadType':'application/vnd.in-toto+json ','payload':'','signatures':[{'sig':'YQ=='}]}", "payloadType is"},
        {"{'payloadType':'x','payload_type':'application/vnd.in-toto+json','payload':'','signatures':[{'sig':'YQ=='}]}", "payloadType is 'x'"},
        {"{" TYPE "," TYPE ",'payload':'','signatures':[{'sig':'YQ=='}]}", "is there twice"},
        {"{" TYPE ",'payload':'YQ==','payload':'','signatures':[{'sig':'YQ=='}]}", "is there twice"},
        {"{" TYPE ",'signatures':[{'sig':'YQ=='}]}", "payload is missing"},
        {"{" TYPE ",'payload':null,'signatures':[{'sig':'YQ=='}]}", "payload must be a string"},
        {"{" TYPE ",'payload':'YQ=','signatures':[{'sig':'YQ=='}]}", "envelope: payload is not base64"},
        {"{" TYPE ",'payload':'YR==','signatures':[{'sig':'YQ=='}]}", "payload is not base64"},
        {"{" TYPE ",'payload':'YQ==\\n','signatures':[{'sig':'YQ=='}]}", "payload is not base64"},
        {"{" TYPE ",'payload':'Y-_=','signatures':[{'sig':'YQ=='}]}", "payload is not base64"},
        {"{" TYPE ",'payload':''}", "signatures is missing"},
        {"{" TYPE ",'payload':'','signatures':{}}", "signatures must be an array"},
        {"{" TYPE ",'payload':'','signatures':[]}", "it has 0 signatures"},
        {"{" TYPE ",'payload':'','signatures':[{}]}", "signatures[0].sig is missing"},
        {"{" TYPE ",'payload':'','signatures':['YQ==']}", "signatures[0].sig is missing"},
        {"{" TYPE ",'payload':'','signatures':[{'sig':'YQ=='},{'sig':''}]}", "signatures[1].sig has 0 bytes"},
        {"{" TYPE ",'payload':'','signatures':[{'sig':'YQ=='},{'sig':'YQ'}]}", "signatures[1].sig is not base64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh();
        if (parses(cases[i].text))
            check_fail("accepted: %s", cases[i].text);
        CHECK_ERR(cases[i].why);
    }
}

TEST(bounds)
{
    for (size_t bytes = SIGNATURE_MAX - 1; bytes <= SIGNATURE_MAX + 2; bytes += 3) {
        char text[2048] = "{" TYPE ",'payload':'','signatures':[{'sig':'";
        fresh();
        for (size_t i = 0; i < bytes / 3; i++)
            strcat(text, "AAAA");
        strcat(text, "'}]}");
        CHECK(parses(text) == (bytes <= SIGNATURE_MAX));
    }
    for (unsigned n = SIGNATURES_MAX; n <= SIGNATURES_MAX + 1; n++) {
        char text[4096] = "{" TYPE ",'payload':'','signatures':[{'sig':'YQ=='}";
        fresh();
        for (unsigned i = 1; i < n; i++)
            strcat(text, ",{'sig':'YQ=='}");
        strcat(text, "]}");
        CHECK(parses(text) == (n == SIGNATURES_MAX));
    }
    CHECK_ERR("it has 101 signatures");
}

static bool accepts(struct view v)
{
    memset(arena.base + (2 << 20), 0, 1 << 16);
    arena.used = 2 << 20;
    return parse(v);
}

TEST(broken_sisters)
{
    fresh();
    struct view v = vector("dsse/p-att-2sigs.json");
    broken(v, v.n, accepts);
}
