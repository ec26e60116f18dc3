#include "lib.h"

#include <stdlib.h>

#include "base/codec.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "trust/policy.h"

static struct policy p;

// Replaces $ka, $kb ... by the PEM text as a JSON string's content; ' stands for ".
static struct view expand(const char *text)
{
    static const char *const names[] = {"ka", "kb", "kc", "kp384", "krsa2048", "ked25519"};
    char *out = arena_alloc(&arena, 1 << 20);
    size_t n = 0;
    for (const char *at = text; *at; at++) {
        if (*at != '$') {
            out[n++] = *at == '\'' ? '"' : *at;
            continue;
        }
        for (size_t i = 0; i < 6; i++) {
            if (strncmp(at + 1, names[i], strlen(names[i])) != 0)
                continue;
            char path[50];
            snprintf(path, sizeof path, "keys/%s.pub", names[i]);
            struct view pem = vector(path);
            for (size_t k = 0; k < pem.n; k++)
                n += (size_t)sprintf(out + n, pem.p[k] == '\n' ? "\\n" : "%c", pem.p[k]);
            at += strlen(names[i]);
            break;
        }
    }
    return view_of(out, n);
}

static bool parse(const char *text)
{
    fresh();
    return policy_parse(expand(text), &arena, &p, &err);
}

#define KEYS "'signatures':{'keys':[{'name':'a','pem':'$ka'}]}"
#define CERT "-----BEGIN CERTIFICATE-----\\nMAA=\\n-----END CERTIFICATE-----\\n"

TEST(defaults)
{
    uint8_t hash[32];
    CHECK(parse("{" KEYS "}"));
    CHECK(!p.has_image && p.mirror_count == 0 && p.ca_pem.n == 0 && p.auth_count == 0 && !p.allow_http && !p.allow_unsigned);
    CHECK(p.group_count == 1 && p.groups[0].threshold == 1 && p.groups[0].keys == 1 && p.top_keys && p.key_count == 1 && view_is(p.keys[0].name, "a"));
    CHECK(p.tees == (POLICY_TEE_TPM | POLICY_TEE_TDX | POLICY_TEE_SNP) && p.pcr == 15 && !p.has_args && p.env.count == 0 && p.user.n == 0);
    CHECK(p.limits.layers == 128 && p.limits.bytes == (uint64_t)8 << 30 && p.limits.files == 1000000 && p.limits.seconds == 600);
    CHECK(!p.limits.allow_devices && p.weaknesses.n == 0);
    struct view text = expand("{" KEYS "}");
    hash_once(HASH_SHA256, text, hash);
    CHECK(memcmp(hash, p.digest.sha256, 32) == 0);
}

TEST(everything)
{
    CHECK(parse("{'image':'registry.example/acme/web:1.4',"
                "'registry':{'mirrors':['cache.example/acme','localhost:5000'],'ca':'" CERT "',"
                "'auth':{'auths':{'registry.example':{'auth':'dTpw'},'registry.example/acme':{'username':'v','password':'q:r'}}},'allowHttp':true},"
                "'signatures':{'threshold':2,'keys':[{'name':'a','pem':'$ka'},{'name':'b','pem':'$kb'},{'pem':'$kc','name':'c'}]},"
                "'tee':['snp','tpm'],'register':{'pcr':8},"
                "'run':{'mode':'exec','args':['/bin/x',''],'env':{'A':'1','B':'=','C':''},'user':'www:www'},"
                "'limits':{'layers':3,'bytes':'512MiB','files':9,'seconds':1,'allowDevices':true}}"));
    CHECK(p.has_image && !strcmp(p.image.repository, "acme/web") && !strcmp(p.image.tag, "1.4"));
    CHECK(p.mirror_count == 2 && view_is(p.mirrors[1], "localhost:5000") && p.ca_pem.n > 20 && p.allow_http);
    CHECK(p.auth_count == 2 && view_is(p.auths[0].userpass, "u:p") && view_is(p.auths[1].userpass, "v:q:r"));
    CHECK(p.groups[0].threshold == 2 && p.groups[0].keys == 7 && p.key_count == 3 && view_is(p.keys[2].name, "c"));
    CHECK(p.tees == (POLICY_TEE_SNP | POLICY_TEE_TPM) && p.pcr == 8 && p.has_args && p.args.count == 2 && view_is(p.args.items[0], "/bin/x"));
    CHECK(p.env.count == 3 && view_is(p.env.items[0], "A=1") && view_is(p.env.items[1], "B==") && view_is(p.env.items[2], "C="));
    CHECK(view_is(p.user, "www:www") && p.limits.layers == 3 && p.limits.bytes == 512u << 20 && p.limits.files == 9 && p.limits.seconds == 1);
    CHECK(view_is(p.weaknesses, "registry.allowHttp limits.allowDevices"));
}

TEST(secrets_and_supervisor)
{
    CHECK(parse("{" KEYS ",'kbs':{'url':'http://kbs.example:8080','teeKey':'RSA-OAEP-256','allowHttp':true},'decrypt':{'keys':['kbs:///a/key/1','kbs://h:8/a/key/2']},"
                "'registry':{'auth':'kbs:///a/b/c','ca':'kbs:///a/b/d','mirrors':'kbs:///a/b/e'},"
                "'run':{'mode':'supervise','secrets':[{'uri':'kbs:///a/b/f','file':'f','mode':'440','owner':'www:www'},{'sealed':'sealed.x','env':'E'},{'env':'F'}],"
                "'api':{'feature':'all','resources':['kbs:///a/']},'tls':{'forward':81}}}"));
    CHECK(p.kbs.rsa_key && p.kbs.allow_http && view_is(p.kbs.url, "http://kbs.example:8080") && view_is(p.weaknesses, "kbs.allowHttp"));
    CHECK(p.decrypt_key_count == 2 && view_is(p.decrypt_keys[1], "kbs://h:8/a/key/2") && view_is(p.ca_uri, "kbs:///a/b/d"));
    CHECK(view_is(p.auth_uri, "kbs:///a/b/c") && view_is(p.mirrors_uri, "kbs:///a/b/e") && !p.auth_count && !p.mirror_count && !p.ca_pem.n);
    CHECK(p.mode == POLICY_SUPERVISE && p.secret_count == 3 && p.secrets[0].mode == 0440 && view_is(p.secrets[0].owner, "www:www"));
    CHECK(p.secrets[1].mode == 0400 && view_is(p.secrets[1].sealed, "sealed.x") && view_is(p.secrets[2].env, "F") && !p.secrets[2].uri.n);
    CHECK(p.api == (POLICY_API_RESOURCE | POLICY_API_ATTESTATION) && p.api_prefix_count == 1 && p.tls_port == 8443 && p.tls_forward == 81);
    CHECK(parse("{" KEYS ",'run':{'mode':'supervise','api':{'feature':'attestation'}}}") && p.api == POLICY_API_ATTESTATION && !p.tls_port);
    CHECK(parse("{'kbs':{'url':'https://x','policy':'kbs:///a/b/c'},'tee':['tdx']}") && !p.group_count && view_is(p.kbs.policy, "kbs:///a/b/c"));
}

TEST(resource_uris)
{
    static const char *const bad[] = {"", "kbs:", "kbs:///", "kbs:///a/b", "kbs:///a/b/", "kbs:///a//c", "kbs:///a/b/c/d", "kbs:///a/b/c/", "kbs:///../b/c",
                                      "kbs:///a/./c", "kbs:///a/b/..", "kbs:///a/b/c?x", "kbs:///a/b/%2e", "kbs:///a/b/c d", "KBS:///a/b/c", "kbs://h/a/b", "kbs://u@h/a/b/c",
                                      "https:///a/b/c", "kbs:/a/b/c", "kbs:///a/b/c\n"};
    struct view path;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!policy_resource(view_str(bad[i]), &path));
    CHECK(policy_resource(VIEW("kbs:///a-1/b_2/c.3"), &path) && view_is(path, "a-1/b_2/c.3"));
    CHECK(policy_resource(VIEW("kbs://kbs.example:8080/a/b/c"), &path) && view_is(path, "a/b/c"));
    CHECK(policy_resource(VIEW("kbs:///a/b/..."), &path));
}

TEST(members_from_resources)
{
    CHECK(parse("{" KEYS ",'registry':{'auth':'kbs:///a/b/c'}}"));
    CHECK(policy_take_auth(&p, VIEW("{\"auths\":{\"r.example\":{\"auth\":\"dTpw\"},\"r.example/team\":{\"auth\":\"dDpx\"}},\"credsStore\":\"x\"}"), &arena, &err));
    CHECK(view_is(policy_credential(&p, VIEW("r.example"), VIEW("team/web")), "t:q") && view_is(policy_credential(&p, VIEW("r.example"), VIEW("other")), "u:p"));
    CHECK(!policy_take_auth(&p, VIEW("{}"), &arena, &err) && !policy_take_auth(&p, VIEW("nonsense"), &arena, &err));
    static const char *const wrong[] = {"{'auths':{'r.example':{'username':'u','password':31337}}}", "{'auths':{'r.example':{'username':31337,'password':''}}}",
                                        "{'auths':{'r.example':{'auth':31337}}}", "{'auths':'31337'}", "{'auths':{'r.example':'31337'}}", "{'auths':['31337']}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) { // what is there instead may be a secret
        CHECK(!policy_take_auth(&p, quoted(wrong[i]), &arena, &err));
        if (strstr(err.text, "31337")) check_fail("%s", err.text);
    }
    CHECK(policy_take_mirrors(&p, VIEW("[\"m.example/x\"]"), &arena, &err) && p.mirror_count == 1);
    CHECK(!policy_take_mirrors(&p, VIEW("{}"), &arena, &err) && !policy_take_mirrors(&p, VIEW("[\"https://m\"]"), &arena, &err));
    CHECK(!policy_take_ca(&p, VIEW("nothing"), &arena, &err) && err.kind == ERR_USAGE);
}

TEST(unsigned_by_name)
{
    CHECK(parse("{'signatures':{'allowUnsigned':true}}") && p.group_count == 0 && p.key_count == 0);
    CHECK(view_is(p.weaknesses, "signatures.allowUnsigned"));
    CHECK(parse("{'signatures':{'allowUnsigned':false,'keys':[{'name':'a','pem':'$ka'}]}}") && p.groups[0].threshold == 1);
}

TEST(all_must_sign_unless_said)
{
    CHECK(parse("{'signatures':{'keys':[{'name':'a','pem':'$ka'},{'name':'b','pem':'$kb'}]}}") && p.groups[0].threshold == 2);
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "policy: not JSON"},
        {"[]", "policy: not a JSON object"},
        {"{}", "policy: signatures.keys is missing"},
        {"{'image':'registry.example/web'}", "policy: signatures.keys is missing"},
        {"{" KEYS ",'imgae':'x'}", "policy: imgae is not known to this build; known here: image, registry, signatures, attestations, sbom, decrypt, kbs, tee, register, run, limits"},
        {"{" KEYS "," KEYS "}", "'signatures' is there twice"},
        {"{" KEYS ",'sbom':{'matchRootfs':true}}", "policy: sbom.matchRootfs, but attestations has no entry"},
        {"{" KEYS ",'sbom':{'match':true}}", "policy: sbom.match is not known"},
        {"{" KEYS ",'sbom':{'matchRootfs':'yes'}}", "policy: sbom.matchRootfs must be true or false"},
        {"{" KEYS ",'sbom':{'refuse':'missing'}}", "policy: sbom.refuse"},
        {"{" KEYS ",'sbom':{'refuse':['gone']}}", "policy: sbom.refuse names 'gone'"},
        {"{" KEYS ",'sbom':{'refuse':['changed','changed']}}", "policy: sbom.refuse names 'changed'; known, each once"},
        {"{" KEYS ",'image':7}", "policy: image must be a string, it is 7"},
        {"{" KEYS ",'image':'nginx'}", "policy: image: reference 'nginx': no registry is named"},
        {"{" KEYS ",'image':'oci:dir'}", "cannot be named here"},
        {"{" KEYS ",'registry':[]}", "policy: registry must be an object"},
        {"{" KEYS ",'registry':{'proxy':'x'}}", "policy: registry.proxy is not known"},
        {"{" KEYS ",'registry':{'allowHttp':1}}", "policy: registry.allowHttp must be true or false"},
        {"{" KEYS ",'registry':{'allowHttp':null}}", "policy: registry.allowHttp must be true or false"},
        {"{" KEYS ",'registry':{'mirrors':'cache.example'}}", "policy: registry.mirrors must be an array"},
        {"{" KEYS ",'registry':{'mirrors':['cache.example','https://x.example']}}", "policy: registry.mirrors[1]: "},
        {"{" KEYS ",'registry':{'mirrors':[7]}}", "policy: registry.mirrors[0]: "},
        {"{" KEYS ",'registry':{'mirrors':['a.b','a.b','a.b','a.b','a.b','a.b','a.b','a.b','a.b']}}", "9 entries, 8 are accepted"},
        {"{" KEYS ",'registry':{'ca':''}}", "policy: registry.ca holds no certificate"},
        {"{" KEYS ",'registry':{'ca':'$ka'}}", "policy: registry.ca holds no certificate"},
        {"{" KEYS ",'registry':{'ca':'" CERT "-----BEGIN CERTIFICATE-----\\nMAA'}}", "policy: registry.ca: PEM: the block 'CERTIFICATE' has no end"},
        {"{" KEYS ",'registry':{'auth':'kbs:///x/y'}}", "policy: registry.auth is 'kbs:///x/y', which is not kbs:///repository/type/tag"},
        {"{" KEYS ",'registry':{'ca':'kbs:///x/../z'}}", "policy: registry.ca is 'kbs:///x/../z', which is not"},
        {"{" KEYS ",'registry':{'auth':'x'}}", "policy: registry.auth must be an object"},
        {"{" KEYS ",'registry':{'auth':{}}}", "policy: registry.auth.auths is missing"},
        {"{" KEYS ",'registry':{'auth':{'credHelpers':{}}}}", "policy: registry.auth.credHelpers is not known"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'https://index.docker.io/v1/':{'auth':'dTpw'}}}}}", "must be host[:port][/path]"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':7}}}}", "policy: registry.auth.auths.a.example must be an object"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{}}}}}", "policy: registry.auth.auths.a.example.username is missing"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'username':'u'}}}}}", "password is missing"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'auth':'dTpw','username':'u'}}}}}", "has both auth and username"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'auth':'dTpw\\n'}}}}}", "is not user:password in base64"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'auth':''}}}}}", "is not user:password in base64"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'auth':'dXA='}}}}}", "is not user:password in base64"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'auth':'dTpwDQo='}}}}}", "a control character"},
        {"{" KEYS ",'registry':{'auth':{'auths':{'a.example':{'username':'u:v','password':'p'}}}}}", "a ':' in the user's name"},
        {"{'signatures':[]}", "policy: signatures must be an object"},
        {"{'signatures':{}}", "policy: signatures.keys is missing"},
        {"{'signatures':{'allowUnsigned':false}}", "policy: signatures.keys is missing"},
        {"{'signatures':{'threshold':1}}", "policy: signatures.keys is missing"},
        {"{'signatures':{'keys':[]}}", "policy: signatures.keys is empty: no image can satisfy it"},
        {"{'signatures':{'keys':{}}}", "policy: signatures.keys must be an array"},
        {"{'signatures':{'keys':['x']}}", "policy: signatures.keys[0] must be an object"},
        {"{'signatures':{'threshold':0,'keys':[{'name':'a','pem':'$ka'}]}}", "policy: signatures.threshold is 0"},
        {"{'signatures':{'threshold':-1,'keys':[{'name':'a','pem':'$ka'}]}}", "policy: signatures.threshold must be a whole number of 0 to 2^53, it is -1"},
        {"{'signatures':{'threshold':1.0,'keys':[{'name':'a','pem':'$ka'}]}}", "it is 1"},
        {"{'signatures':{'threshold':4294967297,'keys':[{'name':'a','pem':'$ka'}]}}", "threshold is 4294967297, but only 1 key is given: no image"},
        {"{'signatures':{'threshold':3,'keys':[{'name':'a','pem':'$ka'},{'name':'b','pem':'$kb'}]}}",
         "policy: signatures.threshold is 3, but only 2 keys are given: no image can satisfy it"},
        {"{'signatures':{'allowUnsigned':true,'keys':[{'name':'a','pem':'$ka'}]}}", "both allowUnsigned and members"},
        {"{'signatures':{'allowUnsigned':true,'threshold':0}}", "both allowUnsigned and members"},
        {"{'signatures':{'keys':[{'name':'a','pem':'$ka'},{'name':'a','pem':'$kb'}]}}", "policy: signatures.keys[1]: 'a' is already the name of another key"},
        {"{'signatures':{'keys':[{'name':'a','pem':'$ka'},{'name':'b','pem':'$ka'}]}}", "signatures.keys[1], 'b', is the same key as 'a': it would count once"},
        {"{'signatures':{'keys':[{'name':'a','pem':'$ka','x':1}]}}", "policy: signatures.keys[0].x is not known"},
        {"{'signatures':{'keys':[{'pem':'$ka'}]}}", "policy: signatures.keys[0].name is missing"},
        {"{'signatures':{'keys':[{'name':'a'}]}}", "policy: signatures.keys[0].pem is missing"},
        {"{'signatures':{'keys':[{'name':'','pem':'$ka'}]}}", "keys[0].name must be 1 to 128"},
        {"{'signatures':{'keys':[{'name':'a\\n','pem':'$ka'}]}}", "keys[0].name must be 1 to 128"},
        {"{'signatures':{'keys':[{'name':'a','pem':''}]}}", "keys[0].pem holds no PEM block"},
        {"{'signatures':{'keys':[{'name':'a','pem':'$ka$kb'}]}}", "keys[0].pem holds more than one key"},
        {"{'signatures':{'keys':[{'name':'a','pem':'$ka-----BEGIN X-----\\n'}]}}", "keys[0].pem holds more than one key"},
        {"{'signatures':{'keys':[{'name':'a','pem':'" CERT "'}]}}", "inside a certificate"},
        {"{'signatures':{'keys':[{'name':'a','pem':'-----BEGIN PUBLIC KEY-----\\n!\\n-----END PUBLIC KEY-----'}]}}", "keys[0].pem: PEM: the block"},
        {"{" KEYS ",'tee':[]}", "policy: tee is empty: no machine can satisfy it"},
        {"{" KEYS ",'tee':'tpm'}", "policy: tee must be an array"},
        {"{" KEYS ",'tee':['tpm','sgx']}", "policy: tee names 'sgx'; known are tpm, tdx, snp"},
        {"{" KEYS ",'register':{'pcr':7}}", "policy: register.pcr is 7, 8 to 15 is accepted"},
        {"{" KEYS ",'register':{'pcr':16}}", "policy: register.pcr is 16"},
        {"{" KEYS ",'register':{'pcr':'15'}}", "policy: register.pcr must be a whole number"},
        {"{" KEYS ",'run':{'mode':'fork'}}", "policy: run.mode is 'fork', not exec or supervise"},
        {"{" KEYS ",'run':{'api':{}}}", "policy: run.api needs a supervisor"},
        {"{" KEYS ",'run':{'mode':'exec','tls':{}}}", "policy: run.tls needs a supervisor"},
        {"{" KEYS ",'run':{'mode':'supervise','api':{'feature':'none'}}}", "policy: run.api.feature is 'none'"},
        {"{" KEYS ",'run':{'mode':'supervise','api':{'resources':['kbs://host/a']}}}", "does not begin with kbs:///"},
        {"{" KEYS ",'run':{'mode':'supervise','api':{'resources':[]}}}", "run.api.resources"},
        {"{" KEYS ",'run':{'mode':'supervise','tls':{'port':80}}}", "policy: run.tls: port and forward are both 80"},
        {"{" KEYS ",'run':{'mode':'supervise','api':{},'tls':{'forward':8006}}}", "policy: run.tls: 8006 is the port of run.api"},
        {"{" KEYS ",'run':{'mode':'supervise','tls':{'port':65536}}}", "policy: run.tls.port is 65536"},
        {"{" KEYS ",'run':{'args':[]}}", "policy: run.args has 0 entries, 1 to 1024 are accepted"},
        {"{" KEYS ",'run':{'args':'sh'}}", "policy: run.args must be an array"},
        {"{" KEYS ",'run':{'args':['sh',1]}}", "policy: run.args[1] must be a string"},
        {"{" KEYS ",'run':{'env':['A=1']}}", "policy: run.env must be an object"},
        {"{" KEYS ",'run':{'env':{'A':1}}}", "policy: run.env.A must be a string"},
        {"{" KEYS ",'run':{'env':{'A=B':'1'}}}", "policy: run.env: 'A=B' is no name"},
        {"{" KEYS ",'run':{'env':{'':'1'}}}", "policy: run.env: '' is no name"},
        {"{" KEYS ",'run':{'user':''}}", "policy: run.user is empty"},
        {"{" KEYS ",'run':{'secrets':{}}}", "policy: run.secrets must be an array"},
        {"{" KEYS ",'run':{'secrets':['x']}}", "policy: run.secrets[0] must be an object"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c'}]}}", "must have either file or env"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'f','env':'E'}]}}", "must have either file or env"},
        {"{" KEYS ",'run':{'secrets':[{'file':'f'}]}}", "must have either uri or sealed"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','sealed':'sealed.x','env':'E'}]}}", "must have either uri or sealed"},
        {"{" KEYS ",'run':{'secrets':[{'sealed':'x','env':'E'}]}}", "does not begin with 'sealed.'"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b','env':'E'}]}}", "policy: run.secrets[0].uri is 'kbs:///a/b', which is not kbs:///repository/type/tag"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'../f'}]}}", "is no name"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'a/f'}]}}", "is no name"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','env':'A=B'}]}}", "is no name"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'f','mode':'0888'}]}}", "four octal digits"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'f','mode':'4755'}]}}", "at most 0777"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'f','mode':''}]}}", "four octal digits"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','file':'f','mode':'00400'}]}}", "four octal digits"},
        {"{" KEYS ",'run':{'secrets':[{'sealed':'','env':'E'}]}}", "does not begin with 'sealed.'"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','env':'E','mode':'0400'}]}}", "mode is for files"},
        {"{" KEYS ",'run':{'secrets':[{'uri':'kbs:///a/b/c','env':'E'},{'uri':'kbs:///a/b/d','env':'E'}]}}", "run.secrets[1]: 'E' is there twice"},
        {"{" KEYS ",'kbs':{'url':'ftp://x'}}", "policy: kbs.url is 'ftp://x'"},
        {"{" KEYS ",'kbs':{'url':'http://x'}}", "policy: kbs.url is http://x: anybody"},
        {"{" KEYS ",'kbs':{'url':'https://x','teeKey':'RSA1_5'}}", "policy: kbs.teeKey is 'RSA1_5'"},
        {"{" KEYS ",'kbs':{'url':'https://x','ca':'x'}}", "policy: kbs.ca holds no certificate"},
        {"{" KEYS ",'kbs':{'url':'https://x','policy':'kbs:///a/b/c'}}", "policy: beside kbs.policy.signatures is not known"},
        {"{'kbs':{'policy':'x'}}", "policy: kbs.policy is 'x'"},
        {"{" KEYS ",'decrypt':{}}", "policy: decrypt.keys is missing"},
        {"{" KEYS ",'decrypt':{'keys':[]}}", "policy: decrypt.keys has 0 entries"},
        {"{" KEYS ",'decrypt':{'keys':['a']}}", "policy: an entry of decrypt.keys is 'a'"},
        {"{" KEYS ",'limits':{'layers':0}}", "policy: limits.layers is 0, 1 to 128 is accepted"},
        {"{" KEYS ",'limits':{'layers':129}}", "policy: limits.layers is 129"},
        {"{" KEYS ",'limits':{'files':0}}", "policy: limits.files is 0"},
        {"{" KEYS ",'limits':{'seconds':0}}", "policy: limits.seconds is 0"},
        {"{" KEYS ",'limits':{'bytes':0}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':'0GiB'}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':'8GB'}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':'8'}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':'GiB'}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':'8 GiB'}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':'99999999TiB'}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'bytes':null}}", "policy: limits.bytes must be"},
        {"{" KEYS ",'limits':{'allowDevices':'yes'}}", "policy: limits.allowDevices must be true or false"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&p, 0x55, sizeof p);
        if (parse(bad[i].text))
            check_fail("%s was accepted", bad[i].text);
        if (err.kind != ERR_USAGE || p.pcr != 0x55555555)
            check_fail("%s: kind %d", bad[i].text, err.kind);
        CHECK_ERR(bad[i].why);
    }
}

#define A "{'name':'a','pem':'$ka'}"
#define B "{'name':'b','pem':'$kb'}"

TEST(lists)
{
    CHECK(parse("{'signatures':{'keys':[" A "],'groups':[{'threshold':1,'keys':[" B "," A "]},{'keys':[{'name':'other','pem':'$ka'}]}],"
                "'annotations':{'x':'y'},'identity':'localhost:5000/a/b','messageSignatures':true,'inline':[{'payload':'eA==','signature':'eXo='}]},"
                "'attestations':[{'predicateType':'t','keys':[{'name':'p','pem':'$kp384'},{'name':'r','pem':'$krsa2048'},{'name':'e','pem':'$ked25519'}],"
                "'threshold':2,'require':[{'path':'/a','exists':true},{'path':'','equals':null}]},{'predicateType':'t','keys':[" A "]}]}"));
    CHECK(p.key_count == 5 && view_is(p.keys[0].name, "a") && p.group_count == 3 && p.top_keys);
    CHECK(p.groups[0].keys == 1 && p.groups[1].keys == 3 && p.groups[1].threshold == 1 && p.groups[2].keys == 1 && p.groups[2].threshold == 1);
    CHECK(p.message_signatures && view_is(p.identity, "localhost:5000/a/b") && json_count(p.annotations) == 1);
    CHECK(p.inline_count == 1 && view_is(p.inlines[0].payload, "x") && view_is(p.inlines[0].signature, "yz"));
    CHECK(p.attestation_count == 2 && p.attestations[0].signers.keys == 0x1c && p.attestations[0].signers.threshold == 2);
    CHECK(p.attestations[0].requirement_count == 2 && view_is(p.attestations[0].requirements[0].path, "/a"));
    CHECK(p.attestations[1].signers.keys == 1 && p.attestations[1].requirement_count == 0 && p.weaknesses.n == 0);
    CHECK(parse("{'signatures':{'groups':[{'keys':[" A "]}]}}") && p.group_count == 1 && !p.top_keys);
    CHECK(!p.sbom.match_rootfs && p.sbom.refuse == (1u << SBOM_MISSING | 1u << SBOM_CHANGED));
    CHECK(parse("{" KEYS ",'sbom':{'matchRootfs':true,'refuse':['unlisted']},'attestations':[{'predicateType':'https://spdx.dev/Document','keys':[" A "]}]}"));
    CHECK(p.sbom.match_rootfs && p.sbom.refuse == 1u << SBOM_UNLISTED);
    CHECK(parse("{" KEYS ",'sbom':{'matchRootfs':true,'refuse':[]},'attestations':[{'predicateType':'https://cyclonedx.org/bom','keys':[" A "]}]}") && !p.sbom.refuse);
    CHECK(parse("{'signatures':{'allowUnsigned':true},'attestations':[{'predicateType':'t','keys':[" A "]}]}") && p.attestation_count == 1);
}

#define S "{'signatures':{'keys':[" A "],"
#define ATT(more) "{" KEYS ",'attestations':[{'predicateType':'t','keys':[" A "]" more "}]}"
#define REQ(text) ATT(",'require':[{'path':'/a','exists':true}," text "]")

TEST(lists_refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"{'signatures':{'groups':[]}}", "policy: signatures.groups has 0 entries, 1 to 16"},
        {"{'signatures':{'groups':{}}}", "policy: signatures.groups must be an array"},
        {"{'signatures':{'groups':[7]}}", "policy: signatures.groups[0] must be an object"},
        {"{'signatures':{'groups':[{}]}}", "policy: signatures.groups[0].keys is missing"},
        {"{'signatures':{'groups':[{'keys':[]}]}}", "policy: signatures.groups[0].keys is empty"},
        {"{'signatures':{'groups':[{'keys':[" A "],'threshold':2}]}}", "policy: signatures.groups[0].threshold is 2, but only 1 key is given"},
        {"{'signatures':{'groups':[{'keys':[" A "],'threshold':0}]}}", "policy: signatures.groups[0].threshold is 0"},
        {"{'signatures':{'groups':[{'keys':[" A "," A "]}]}}", "policy: signatures.groups[0].keys[1], 'a', is the same key"},
        {"{'signatures':{'groups':[{'keys':[" A "]},{'keys':[{'name':'a','pem':'$kb'}]}]}}", "policy: signatures.groups[1].keys[0]: 'a' is already the name of another key"},
        {"{'signatures':{'groups':[{'keys':[" A "],'name':'x'}]}}", "policy: signatures.groups[0].name is not known"},
        {"{'signatures':{'threshold':1,'groups':[{'keys':[" A "]}]}}", "policy: signatures.keys is missing"},
        {"{'signatures':{'allowUnsigned':true,'groups':[{'keys':[" A "]}]}}", "both allowUnsigned"},
        {"{'signatures':{'allowUnsigned':true,'annotations':{'a':'b'}}}", "both allowUnsigned"},
        {S "'annotations':{}}}", "signatures.annotations is empty"},
        {S "'annotations':[]}}", "signatures.annotations must be an object"},
        {S "'annotations':{'a':1}}}", "signatures.annotations.a must be a string"},
        {S "'identity':''}}", "signatures.identity is ''"},
        {S "'identity':'a.b/c:1'}}", "signatures.identity is 'a.b/c:1': it must be host/repository without tag and digest"},
        {S "'identity':'a.b/c@sha256:00'}}", "signatures.identity is"},
        {S "'identity':[]}}", "signatures.identity must be a string"},
        {S "'messageSignatures':1}}", "signatures.messageSignatures must be true or false"},
        {S "'inline':[]}}", "signatures.inline has 0 entries"},
        {S "'inline':[{'payload':'eA=='}]}}", "policy: signatures.inline[0].signature is missing"},
        {S "'inline':[{'payload':'eA','signature':'eA=='}]}}", "policy: signatures.inline[0].payload is not base64"},
        {S "'inline':[{'payload':'eA==','signature':''}]}}", "policy: signatures.inline[0].signature has 0 bytes, 1 to 1024 are accepted"},
        {S "'inline':[{'payload':'eA==','signature':'eA==','key':'a'}]}}", "policy: signatures.inline[0].key is not known"},
        {"{" KEYS ",'attestations':[]}", "policy: attestations has 0 entries, 1 to 16"},
        {"{" KEYS ",'attestations':['x']}", "policy: attestations[0] must be an object"},
        {"{" KEYS ",'attestations':[{'keys':[" A "]}]}", "policy: attestations[0].predicateType is missing"},
        {"{" KEYS ",'attestations':[{'predicateType':'','keys':[" A "]}]}", "policy: attestations[0].predicateType must be a URI"},
        {"{" KEYS ",'attestations':[{'predicateType':'t'}]}", "policy: attestations[0].keys is missing"},
        {ATT(",'threshold':2"), "policy: attestations[0].threshold is 2, but only 1 key is given"},
        {ATT(",'policy':'x'"), "policy: attestations[0].policy is not known"},
        {ATT(",'require':[]"), "policy: attestations[0].require has 0 entries"},
        {ATT(",'require':{}"), "policy: attestations[0].require must be an array"},
        {REQ("7"), "policy: attestations[0].require[1] must be an object"},
        {REQ("{'exists':true}"), "policy: attestations[0].require[1].path is missing"},
        {REQ("{'path':'/a'}"), "policy: attestations[0].require[1] has no operator"},
        {REQ("{'path':'/a','like':1}"), "policy: attestations[0].require[1].like is not known"},
        {REQ("{'path':'a','exists':true}"), "policy: attestations[0].require[1].path, 'a', is no JSON Pointer"},
        {REQ("{'path':'/a~2','exists':true}"), "is no JSON Pointer"},
        {REQ("{'path':'/a/~','exists':true}"), "is no JSON Pointer"},
        {REQ("{'path':'/a/*/b','exists':true}"), "has a component '*', which is not supported"},
        {REQ("{'path':'/a','exists':'yes'}"), "require[1].exists must be true or false"},
        {REQ("{'path':'/a','exists':false,'equals':1}"), "nothing that does not exist"},
        {REQ("{'path':'/a','in':[]}"), "require[1].in must be a list of values"},
        {REQ("{'path':'/a','in':'x'}"), "require[1].in must be a list of values"},
        {REQ("{'path':'/a','matches':7}"), "require[1].matches must be a string"},
        {REQ("{'path':'/a','matches':'a('}"), "policy: attestations[0].require[1].matches: 'a(': "},
        {REQ("{'path':'/a','matches':'[a'}"), "require[1].matches: '[a': "},
        {REQ("{'path':'/a','matches':'(a)\\\\1'}"), "back-references are not supported"},
        {REQ("{'path':'/a','matches':'((a{200}){200}){200}'}"), "it is too large, its repetitions multiplied out"},
        {REQ("{'path':'/a','matches':'a+++++++++++'}"), "it is too large"},
        {REQ("{'path':'/a','matches':'a{999999999999999999999999}'}"), "it is too large"},
        {REQ("{'path':'/a','matches':'a)|(b'}"), "a ')' without '('"},
        {REQ("{'path':'/a','matches':'(((((((((((((((((a)))))))))))))))))'}"), "nested too deep"},
        {REQ("{'path':'/a','matches':''}"), "it must have 1 to 512 bytes"},
        {REQ("{'path':'/a','atLeast':'x'}"), "require[1].atLeast must be a number or an RFC 3339 time"},
        {REQ("{'path':'/a','atMost':true}"), "require[1].atMost must be a number or an RFC 3339 time"},
        {REQ("{'path':'/a','atLeast':2,'atMost':1}"), "nothing is both atLeast and atMost that"},
        {REQ("{'path':'/a','atLeast':2,'atMost':'2026-01-01T00:00:00Z'}"), "nothing is both"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i].text))
            check_fail("%s was accepted", bad[i].text);
        if (err.kind != ERR_USAGE)
            check_fail("%s: kind %d", bad[i].text, err.kind);
        CHECK_ERR(bad[i].why);
    }
}

TEST(too_many_keys)
{
    fresh();
    char *text = arena_alloc(&arena, 100000);
    strcpy(text, "{'signatures':{'keys':[0");
    for (unsigned i = 0; i < KEYS_MAX; i++)
        strcat(text, ",0");
    strcat(text, "]}}");
    CHECK(!policy_parse(expand(text), &arena, &p, &err));
    CHECK_ERR("65 keys, 64 are accepted");
    char *big = arena_alloc(&arena, POLICY_MAX + 1);
    memset(big, ' ', POLICY_MAX + 1);
    CHECK(!policy_parse(view_of(big, POLICY_MAX + 1), &arena, &p, &err));
    CHECK_ERR("1048577 bytes, 1048576 are accepted");
}

TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"1", 1}, {"'1KiB'", 1024}, {"'8GiB'", (uint64_t)8 << 30}, {"'2TiB'", (uint64_t)2 << 40}, {"9007199254740992", (uint64_t)1 << 53}, {"'8192TiB'", (uint64_t)1 << 53}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[200];
        snprintf(text, sizeof text, "{" KEYS ",'limits':{'bytes':%s}}", good[i].text);
        CHECK(parse(text) && p.limits.bytes == good[i].bytes);
    }
}

TEST(credentials)
{
    CHECK(parse("{" KEYS ",'registry':{'auth':{'auths':{'a.example/x':{'auth':'MTpw'},'a.example':{'auth':'Mjpw'},'a.example/x/y':{'auth':'Mzpw'},"
                "'b.example:5000/q':{'auth':'NDpw'},'empty.example':{'username':'','password':''}}}}}"));
    static const struct {
        const char *host, *repository, *want;
    } cases[] = {{"a.example", "x", "1:p"},     {"a.example", "x/z", "1:p"}, {"a.example", "xy", "2:p"},        {"a.example", "x/y/z", "3:p"},
                 {"A.Example", "x/yy", "1:p"},  {"b.example", "q", ""},      {"b.example:5000", "q/r", "4:p"},  {"b.example:5000", "r", ""},
                 {"a.example:443", "x", ""},    {"c.example", "x", ""},      {"a.example.evil", "x", ""},       {"empty.example", "z", ":"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!view_is(policy_credential(&p, view_str(cases[i].host), view_str(cases[i].repository)), cases[i].want))
            check_fail("%s/%s", cases[i].host, cases[i].repository);
}

static bool accepts(struct view v)
{
    arena.used = 8 << 20;
    memset(arena.base + arena.used, 0, 1 << 16);
    return policy_parse(v, &arena, &p, &err);
}

TEST(broken_sisters)
{
    fresh();
    struct view v = expand("{" KEYS ",'image':'a.example/b:c','run':{'args':['x'],'env':{'A':'b'}},'limits':{'bytes':'8GiB'}}");
    broken(v, v.n, accepts);
}
