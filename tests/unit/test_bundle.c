#include "lib.h"

#include "format/bundle.h"

#define TYPE "'mediaType':'application/vnd.dev.sigstore.bundle.v0.3+json'"
#define KEY "'verificationMaterial':{'publicKey':{'hint':'x'}}"
#define ENVELOPE "{'payloadType':'application/vnd.in-toto+json','payload':'YWJj','signatures':[{'sig':'YQ=='}]}"
#define MESSAGE "{'messageDigest':{'algorithm':'SHA2_256','digest':'x'},'signature':'YWI='}"

static struct bundle b;

static bool parse(struct view v) { return bundle_parse(v, &arena, &b, &err); }

static bool parses(const char *text) { return parse(quoted(text)); }

TEST(recorded)
{
    static const struct {
        const char *name, *why; // why: it is refused
    } cases[] = {
        {"c3-annot", NULL}, {"c2-att-bundle", NULL}, {"p-b-pretty", NULL}, {"p-b-oldmt", NULL}, {"o-b-msgsig", NULL},
        {"n-b-mt", "v9.9"}, {"n-b-2sigs", "2 of dsseEnvelope.signatures"}, {"n-b-nosig", "it has 0 signatures"},
        {"n-b-ptype", "payloadType is 'application/json'"}, {"n-b-both", "2 of dsseEnvelope and messageSignature"},
        {"n-b-none", "0 of dsseEnvelope and messageSignature"}, {"n-b-nomat", "0 of verificationMaterial"}, {"n-b-trunc", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[64];
        fresh();
        snprintf(path, sizeof path, "bundle/%s.json", cases[i].name);
        bool yes = parse(vector(path));
        if (yes != !cases[i].why)
            check_fail("%s: %s", cases[i].name, yes ? "accepted" : err.text);
        if (!yes) {
            CHECK_ERR(cases[i].why);
            continue;
        }
        bool message = strcmp(cases[i].name, "o-b-msgsig") == 0;
        CHECK(b.has_message == message && !b.has_certificate);
        struct view signature = message ? b.message_signature : b.envelope.signatures[0];
        CHECK(signature.p[0] == 0x30 && signature.n >= 68 && signature.n <= 72);
        CHECK(message || view_starts(b.envelope.payload, VIEW("{\"_type\":\"https://in-toto.io/Statement/v")));
    }
}

TEST(names_and_unknown_members)
{
    fresh();
    CHECK(parses("{" TYPE "," KEY ",'dsseEnvelope':" ENVELOPE "}") && view_is(b.envelope.payload, "abc") && !b.has_message);
    CHECK(parses("{" TYPE "," KEY ",'messageSignature':" MESSAGE "}") && view_is(b.message_signature, "ab") && b.has_message);
    CHECK(parses("{'media_type':'application/vnd.dev.sigstore.bundle+json;version=0.1','verification_material':{'public_key':{},'tlog_entries':[{}]},'dsse_envelope':" ENVELOPE ",'x':[1]}"));
    CHECK(parses("{" TYPE ",'verificationMaterial':{'publicKey':{},'tlogEntries':[{'logIndex':'1'}],'timestampVerificationData':{},'certificate':null},'dsseEnvelope':" ENVELOPE
                 ",'messageSignature':null}"));
    CHECK(parses("{" TYPE ",'verificationMaterial':{'certificate':{'rawBytes':''}},'dsseEnvelope':" ENVELOPE "}") && b.has_certificate);
    CHECK(parses("{" TYPE ",'verificationMaterial':{'x509CertificateChain':{}},'dsseEnvelope':" ENVELOPE "}") && b.has_certificate);
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "mediaType is missing"},
        {"{" KEY ",'dsseEnvelope':" ENVELOPE "}", "mediaType is missing"},
        {"{'mediaType':'application/vnd.dev.sigstore.bundle+json;version=0.4'," KEY ",'dsseEnvelope':" ENVELOPE "}", "version=0.4"},
        {"{" TYPE "," TYPE "," KEY ",'dsseEnvelope':" ENVELOPE "}", "is there twice"},
        {"{" TYPE "," KEY ",'verification_material':{'publicKey':{}},'dsseEnvelope':" ENVELOPE "}", "verificationMaterial is there twice, once as verification_material"},
        {"{" TYPE "," KEY ",'dsseEnvelope':" ENVELOPE ",'dsse_envelope':" ENVELOPE "}", "dsseEnvelope is there twice"},
        {"{" TYPE ",'dsseEnvelope':" ENVELOPE "}", "0 of verificationMaterial"},
        {"{" TYPE ",'verificationMaterial':null,'dsseEnvelope':" ENVELOPE "}", "0 of verificationMaterial"},
        {"{" TYPE ",'verificationMaterial':[],'dsseEnvelope':" ENVELOPE "}", "verificationMaterial must be an object"},
        {"{" TYPE ",'verificationMaterial':{'publicKey':'x'},'dsseEnvelope':" ENVELOPE "}", "publicKey must be an object"},
        {"{" TYPE ",'verificationMaterial':{'publicKey':{},'certificate':{}},'dsseEnvelope':" ENVELOPE "}", "2 of verificationMaterial"},
        {"{" TYPE ",'verificationMaterial':{'publicKey':{},'x509_certificate_chain':{}},'dsseEnvelope':" ENVELOPE "}", "2 of verificationMaterial"},
        {"{" TYPE ",'verificationMaterial':{'publicKey':{},'certificate':{},'x509CertificateChain':{}},'dsseEnvelope':" ENVELOPE "}", "3 of verificationMaterial"},
        {"{" TYPE "," KEY "}", "0 of dsseEnvelope"},
        {"{" TYPE "," KEY ",'dsseEnvelope':" ENVELOPE ",'messageSignature':" MESSAGE "}", "2 of dsseEnvelope"},
        {"{" TYPE "," KEY ",'messageSignature':{}}", "messageSignature.signature is missing"},
        {"{" TYPE "," KEY ",'messageSignature':{'signature':''}}", "has 0 bytes"},
        {"{" TYPE "," KEY ",'messageSignature':{'signature':'YW'}}", "messageSignature.signature is not base64"},
        {"{" TYPE "," KEY ",'dsseEnvelope':" ENVELOPE "} {}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh();
        if (parses(cases[i].text))
            check_fail("accepted: %s", cases[i].text);
        CHECK_ERR(cases[i].why);
    }
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
    struct view v = vector("bundle/c3-annot.json");
    broken(v, v.n, accepts);
    fresh();
    v = vector("bundle/o-b-msgsig.json");
    broken(v, v.n, accepts);
}
