#include "lib.h"

#include <stdlib.h>

#include "oci/manifest.h"

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CONFIG "'config':{'mediaType':'" OCI "config.v1+json','digest':'sha256:" HEX "','size':7}"
#define LAYER(type) "{'mediaType':'" type "','digest':'sha256:" HEX "','size':9}"
#define GZIP LAYER(OCI "layer.v1.tar+gzip")
#define IMAGE(config, layers) "{'schemaVersion':2," config ",'layers':[" layers "]}"

static struct manifest m;

static bool parse(const char *text)
{
    fresh();
    return manifest_parse(quoted(text), &arena, &m, &err);
}

TEST(recorded_images)
{
    static const struct {
        const char *file;
        enum layer_compression compression;
        uint64_t size;
    } good[] = {{"c2-sig", LAYER_GZIP, 1119267}, {"docker-v2s2", LAYER_GZIP, 166}, {"zstd", LAYER_ZSTD, 0}, {"plain-tar", LAYER_PLAIN, 0}, {"s-control", LAYER_GZIP, 0}, {"enc-rsa", LAYER_GZIP, 166}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char path[100];
        enum manifest_kind kind = MANIFEST_INDEX;
        snprintf(path, sizeof path, "manifest/%s.json", good[i].file);
        fresh();
        struct view v = vector(path);
        CHECK(manifest_kind_of(v, (struct view){0}, &arena, &kind, &err) && kind == MANIFEST_IMAGE);
        if (!manifest_parse(v, &arena, &m, &err))
            check_fail("%s: %s", path, err.text);
        CHECK(m.layer_count == 1 && m.layers[0].compression == good[i].compression && m.layers[0].descriptor.size > 0);
        if (good[i].size)
            CHECK_EQ(m.layers[0].descriptor.size, good[i].size);
        CHECK(m.config.size > 0 && view_ends(m.config.media_type, VIEW("v1+json")));
    }
}

// The recorded lies that a manifest can tell by itself; the others (s-size, s-diffid, s-mtlie) show at the blob.
TEST(recorded_lies)
{
    static const struct {
        const char *file, *why;
    } bad[] = {
        {"s-size-huge", "layers[0].size must be a whole number of 0 to 2^53, it is 9223372036854775807"},
        {"s-size-neg", "layers[0].size must be a whole number of 0 to 2^53, it is -"},
        {"s-alg", "layers[0].digest: 'md5:00000000000000000000000000000000' is no digest: the algorithm must be sha256"},
        {"s-digest-path", "layers[0].digest: 'sha256:"},
        {"s-digest-upper", "lower case"},
        {"s-mediatype", "which is no layer of a container image"},
        {"s-ambig", "CVE-2021-41190"},
        {"s-mtwrong", "mediaType says 'application/vnd.oci.image.index.v1+json', but its members are those of an image manifest"},
        {"s-schema1", "schemaVersion is 1, only 2"},
        {"bundle", "artifactType application/vnd.dev.sigstore.bundle.v0.3+json: this is no container image"},
        {"c2-two.sig", "layers[0].mediaType is 'application/vnd.dev.cosign.simplesigning.v1+json'"},
        {"index", "it is an index, not an image"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[100];
        snprintf(path, sizeof path, "manifest/%s.json", bad[i].file);
        fresh();
        if (manifest_parse(vector(path), &arena, &m, &err))
            check_fail("%s was accepted", path);
        CHECK(err_status(&err) == 1);
        CHECK_ERR(bad[i].why);
    }
    const char *later[] = {"s-size", "s-diffid", "s-diffcount", "s-mtlie"};
    for (size_t i = 0; i < 4; i++) {
        char path[100];
        snprintf(path, sizeof path, "manifest/%s.json", later[i]);
        fresh();
        CHECK(manifest_parse(vector(path), &arena, &m, &err));
    }
}

TEST(layer_types)
{
    static const struct {
        const char *type;
        int compression;
    } types[] = {
        {OCI "layer.v1.tar", LAYER_PLAIN},
        {OCI "layer.v1.tar+gzip", LAYER_GZIP},
        {OCI "layer.v1.tar+zstd", LAYER_ZSTD},
        {OCI "layer.nondistributable.v1.tar", LAYER_PLAIN},
        {OCI "layer.nondistributable.v1.tar+gzip", LAYER_GZIP},
        {OCI "layer.nondistributable.v1.tar+zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.diff.tar", LAYER_PLAIN},
        {DOCKER "image.rootfs.diff.tar.gzip", LAYER_GZIP},
        {DOCKER "image.rootfs.diff.tar.zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.foreign.diff.tar.gzip", LAYER_GZIP},
        {OCI "layer.v1.tar+gzip+encrypted+encrypted", -1},
        {OCI "layer.v1.tar+xz+encrypted", -1},
        {OCI "layer.v1.tar+encrypted+gzip", -1},
        {OCI "layer.v1.tar+gzip+ENCRYPTED", -1},
        {"+encrypted", -1},
        {OCI "layer.v1.tar+xz", -1},
        {OCI "layer.v1.tar+GZIP", -1},
        {OCI "layer.v1.tar+gzip; x=y", -1},
        {OCI "config.v1+json", -1},
        {"application/octet-stream", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[1000];
        snprintf(text, sizeof text, IMAGE(CONFIG, LAYER("%s")), types[i].type);
        bool yes = parse(text);
        CHECK(yes == (types[i].compression >= 0));
        if (yes)
            CHECK_EQ(m.layers[0].compression, types[i].compression);
        else
            CHECK_ERR(types[i].type);
    }
}

#define ENC "org.opencontainers.image.enc."
#define ENCRYPTED(type, annotations) "{'mediaType':'" type "+encrypted','digest':'sha256:" HEX "','size':9,'annotations':{" annotations "}}"

TEST(encrypted_layers)
{
    static const struct {
        const char *type;
        enum layer_compression compression;
    } types[] = {
        {OCI "layer.v1.tar", LAYER_PLAIN},
        {OCI "layer.v1.tar+gzip", LAYER_GZIP},
        {OCI "layer.v1.tar+zstd", LAYER_ZSTD},
        {OCI "layer.nondistributable.v1.tar", LAYER_PLAIN},
        {OCI "layer.nondistributable.v1.tar+gzip", LAYER_GZIP},
        {OCI "layer.nondistributable.v1.tar+zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.diff.tar", LAYER_PLAIN},
        {DOCKER "image.rootfs.diff.tar.gzip", LAYER_GZIP},
        {DOCKER "image.rootfs.diff.tar.zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.foreign.diff.tar.gzip", LAYER_GZIP},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[2000];
        snprintf(text, sizeof text, IMAGE(CONFIG, ENCRYPTED("%s", "'" ENC "pubopts':'p','" ENC "keys.jwe':'j'") "," GZIP), types[i].type);
        CHECK(parse(text) && m.layers[0].encrypted && !m.layers[1].encrypted);
        CHECK_EQ(m.layers[0].compression, types[i].compression);
        CHECK(view_is(m.layers[0].encryption.pubopts, "p") && view_is(m.layers[0].encryption.jwe, "j"));
        CHECK(!m.layers[0].encryption.provider.n);
    }
    // Which provider, whatever the order.
    CHECK(parse(IMAGE(CONFIG, ENCRYPTED(OCI "layer.v1.tar", "'" ENC "keys.provider.b':'b','" ENC "keys.provider.a':'a','" ENC "pubopts':'p'"))));
    CHECK(view_is(m.layers[0].encryption.provider, "b") && !m.layers[0].encryption.jwe.n);
    CHECK(parse(IMAGE(CONFIG, ENCRYPTED(OCI "layer.v1.tar", "'" ENC "keys.provider.b':'b','" ENC "keys.provider.attestation-agent':'a','"
                                                            ENC "keys.provider.c':'c','" ENC "pubopts':'p','" ENC "keys.pgp':'x'"))));
    CHECK(view_is(m.layers[0].encryption.provider, "a"));
    // On a layer that is not encrypted they mean nothing.
    CHECK(parse(IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':'sha256:" HEX "','size':9,'annotations':{'" ENC
                              "pubopts':'p','" ENC "keys.jwe':'j','" ENC "keys.provider.a':7}}")));
    CHECK(!m.layers[0].encrypted && !m.layers[0].encryption.pubopts.n && !m.layers[0].encryption.jwe.n && !m.layers[0].encryption.provider.n);
    static const struct {
        const char *text, *why;
    } bad[] = {
        {LAYER(OCI "layer.v1.tar+gzip+encrypted"), "layers[0] is encrypted, but has no annotation " ENC "pubopts"},
        {ENCRYPTED(OCI "layer.v1.tar", "'" ENC "keys.jwe':'j'"), "has no annotation " ENC "pubopts"},
        {ENCRYPTED(OCI "layer.v1.tar", "'" ENC "keys.jwe':'j','" ENC "pubopts':''"), "has no annotation " ENC "pubopts"},
        {ENCRYPTED(OCI "layer.v1.tar", "'" ENC "keys.jwe':'j','" ENC "pubopts':7"), "has no annotation " ENC "pubopts"},
        {ENCRYPTED(OCI "layer.v1.tar", "'" ENC "pubopts':'p'"), "its key is in no form that can be opened"},
        {ENCRYPTED(OCI "layer.v1.tar", "'" ENC "pubopts':'p','" ENC "keys.jwe':'','" ENC "keys.pgp':'x','" ENC "keys.pkcs7':'y'"),
         "its key is in no form that can be opened: pgp, pkcs7"},
        {"{'mediaType':'" OCI "layer.v1.tar+encrypted','digest':'sha256:" HEX "','size':9,'annotations':[]}", "has no annotation"},
        {"{'mediaType':'" OCI "layer.v1.tar+encrypted','digest':'sha256:" HEX "','size':9,'annotations':['x','y']}", "has no annotation"},
        {ENCRYPTED(OCI "layer.v1.tar", "'" ENC "pubopts':'p','" ENC "pubopts':'q','" ENC "keys.jwe':'j'"), "is there twice"},
        {"{'mediaType':'" OCI "layer.v1.tar+encrypted','digest':'sha256:" HEX "','size':0,'annotations':{'" ENC "pubopts':'p','" ENC "keys.jwe':'j'}}",
         "layers[0].size is 0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[2000];
        snprintf(text, sizeof text, IMAGE(CONFIG, "%s"), bad[i].text);
        if (parse(text))
            check_fail("%s was accepted", text);
        CHECK_ERR(bad[i].why);
    }
}

TEST(refused_images)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"[]", "not a JSON object"},
        {"<html>", "not JSON"},
        {"{}", "schemaVersion is missing"},
        {"{'schemaVersion':2}", "neither \"manifests\" nor"},
        {"{'schemaVersion':'2'," CONFIG ",'layers':[]}", "schemaVersion must be"},
        {"{'schemaVersion':3," CONFIG ",'layers':[]}", "schemaVersion is 3"},
        {"{'schemaVersion':1,'fsLayers':[]}", "schemaVersion is 1"},
        {"{'schemaVersion':2," CONFIG "}", "manifest: layers is missing"},
        {"{'schemaVersion':2,'layers':[" GZIP "]}", "manifest: config is missing"},
        {IMAGE(CONFIG, ""), "0 layers"},
        {IMAGE(CONFIG, "1"), "layers[0] is not an object"},
        {IMAGE(CONFIG, GZIP ",{}"), "layers[1].mediaType is missing"},
        {IMAGE("'config':[]", GZIP), "config must be an object"},
        {IMAGE("'config':{'mediaType':'" OCI "config.v1+json','digest':'sha256:" HEX "','size':0}", GZIP), "config.size is 0"},
        {IMAGE("'config':{'mediaType':'" OCI "config.v1+json','digest':'sha256:" HEX "','size':4194305}", GZIP), "config.size is 4194305"},
        {IMAGE("'config':{'mediaType':'" OCI "config.v1+json','digest':'sha256:" HEX "','size':1.0}", GZIP), "it is 1"},
        {IMAGE("'config':{'mediaType':'" OCI "config.v1+json','digest':'sha256:" HEX "','size':'7'}", GZIP), "it is '7'"},
        {IMAGE("'config':{'mediaType':'text/plain','digest':'sha256:" HEX "','size':7}", GZIP), "config.mediaType is 'text/plain': this is no container"},
        {IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':'sha256:" HEX "','size':0}"), "layers[0].size is 0"},
        {IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':'sha256:" HEX "','size':9007199254740993}"), "it is 9007199254740993"},
        {IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':7,'size':9}"), "digest must be a string"},
        {IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':'sha256:" HEX "','size':9,'urls':['https://x']}"), "CVE-2020-15157"},
        {IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':'sha256:" HEX "','size':9,'urls':'x'}"), "CVE-2020-15157"},
        {IMAGE(CONFIG ",'mediaType':'text/html'", GZIP), "neither an image manifest nor an index"},
        {IMAGE(CONFIG ",'mediaType':7", GZIP), "mediaType must be a string"},
        {IMAGE(CONFIG ",'mediaType':'" DOCKER "distribution.manifest.v1+prettyjws'", GZIP), "schema 1"},
        {IMAGE(CONFIG ",'manifests':[]", GZIP), "CVE-2021-41190"},
        {IMAGE(CONFIG "," CONFIG, GZIP), "is there twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i].text))
            check_fail("%s was accepted", bad[i].text);
        CHECK(err_status(&err) == 1);
        CHECK_ERR(bad[i].why);
    }
    CHECK(parse(IMAGE(CONFIG ",'subject':{},'annotations':{'a':'b'},'artifactType':'x/y','new':1", GZIP)));
    CHECK(parse(IMAGE(CONFIG, "{'mediaType':'" OCI "layer.v1.tar','digest':'sha256:" HEX "','size':9,'urls':[],'data':'aGk=','annotations':{}}")));
}

TEST(layer_count)
{
    for (unsigned n = LAYERS_MAX; n <= LAYERS_MAX + 1; n++) {
        fresh();
        char *text = arena_alloc(&arena, 100000);
        strcpy(text, "{'schemaVersion':2," CONFIG ",'layers':[");
        for (unsigned i = 0; i < n; i++)
            strcat(strcat(text, i ? "," : ""), GZIP);
        strcat(text, "]}");
        CHECK(manifest_parse(quoted(text), &arena, &m, &err) == (n == LAYERS_MAX));
    }
    CHECK(m.layer_count == LAYERS_MAX);
    CHECK_ERR("129 layers, 1 to 128");
}

static bool kind_is(const char *text, const char *type, enum manifest_kind want)
{
    enum manifest_kind kind;
    fresh();
    return manifest_kind_of(quoted(text), view_str(type), &arena, &kind, &err) && kind == want;
}

TEST(kinds)
{
    const char *image = IMAGE(CONFIG, GZIP), *index = "{'schemaVersion':2,'manifests':[]}";
    CHECK(kind_is(image, "", MANIFEST_IMAGE) && kind_is(index, "", MANIFEST_INDEX));
    CHECK(kind_is(image, OCI "manifest.v1+json", MANIFEST_IMAGE) && kind_is(image, DOCKER "distribution.manifest.v2+json", MANIFEST_IMAGE));
    CHECK(kind_is(image, " " OCI "manifest.v1+json ; charset=utf-8", MANIFEST_IMAGE));
    CHECK(kind_is(index, OCI "index.v1+json", MANIFEST_INDEX) && kind_is(index, DOCKER "distribution.manifest.list.v2+json", MANIFEST_INDEX));
    CHECK(kind_is("{'schemaVersion':2,'mediaType':'" OCI "index.v1+json','manifests':[]}", OCI "index.v1+json", MANIFEST_INDEX));
    CHECK(!kind_is(image, OCI "index.v1+json", MANIFEST_IMAGE));
    CHECK_ERR("the registry says 'application/vnd.oci.image.index.v1+json', but its members are those of an image manifest");
    CHECK(!kind_is(index, OCI "manifest.v1+json", MANIFEST_INDEX));
    CHECK_ERR("but its members are those of an index");
    CHECK(!kind_is("{'schemaVersion':2,'mediaType':'" OCI "index.v1+json','manifests':[]}", DOCKER "distribution.manifest.list.v2+json", MANIFEST_INDEX));
    CHECK_ERR("the registry says 'application/vnd.docker.distribution.manifest.list.v2+json', mediaType says");
    CHECK(!kind_is(image, "text/html", MANIFEST_IMAGE));
    CHECK_ERR("'text/html', which is neither");
    CHECK(!kind_is(image, DOCKER "distribution.manifest.v1+prettyjws", MANIFEST_IMAGE));
    CHECK_ERR("schema 1 is not supported");
}

#define ENTRY(platform) "{'mediaType':'" OCI "manifest.v1+json','digest':'sha256:" HEX "','size':%u,'platform':{" platform "}}"

static uint64_t chosen(const char *variant, const char *text)
{
    struct platform want = {"linux", strchr(variant, '/') ? "arm64" : "amd64", strchr(variant, '/') ? strchr(variant, '/') + 1 : variant};
    struct descriptor d;
    fresh();
    return index_select(quoted(text), &want, &arena, &d, &err) ? d.size : 0;
}

TEST(index_entries)
{
    char text[4000];
    snprintf(text, sizeof text,
             "{'schemaVersion':2,'manifests':[{'digest':7},7," ENTRY("'os':'unknown','architecture':'unknown'") "," ENTRY(
                 "'os':'windows','architecture':'amd64'") "," ENTRY("'os':'linux','architecture':'arm64','variant':'v8'") "," ENTRY(
                 "'os':'linux','architecture':'amd64','variant':'v3'") "," ENTRY("'os':'linux','architecture':'amd64'") "," ENTRY(
                 "'os':'linux','architecture':'amd64','variant':'v1'") "]}",
             1, 2, 3, 4, 5, 6);
    CHECK_EQ(chosen("", text), 5);
    CHECK_EQ(chosen("v3", text), 4);
    CHECK_EQ(chosen("v1", text), 5);
    CHECK_EQ(chosen("/", text), 3);
    CHECK_EQ(chosen("/v8", text), 3);
    CHECK_EQ(chosen("/v9", text), 0);
    CHECK_ERR("windows/amd64, linux/arm64/v8, linux/amd64/v3, linux/amd64, linux/amd64/v1, linux/arm64/v9 is needed");
    CHECK_EQ(chosen("", "{'schemaVersion':2,'manifests':[]}"), 0);
    CHECK_ERR("it offers nothing, linux/amd64 is needed");
    CHECK_EQ(chosen("", "{'schemaVersion':2,'manifests':{}}"), 0);
    CHECK_EQ(chosen("", IMAGE(CONFIG, GZIP)), 0);
    CHECK_ERR("it is an image, not an index");
    // An index in an index, a lying size, urls, no digest.
    CHECK_EQ(chosen("", "{'schemaVersion':2,'manifests':[{'mediaType':'" OCI "index.v1+json','digest':'sha256:" HEX
                        "','size':5,'platform':{'os':'linux','architecture':'amd64'}}]}"), 0);
    snprintf(text, sizeof text, "{'schemaVersion':2,'manifests':[" ENTRY("'os':'linux','architecture':'amd64'") "]}", MANIFEST_MAX);
    CHECK_EQ(chosen("", text), MANIFEST_MAX);
    snprintf(text, sizeof text, "{'schemaVersion':2,'manifests':[" ENTRY("'os':'linux','architecture':'amd64'") "]}", MANIFEST_MAX + 1);
    CHECK_EQ(chosen("", text), 0);
    CHECK_ERR("index: manifests[0].size is 4194305");
    struct platform want = {"linux", "amd64", ""};
    struct descriptor d;
    char hex[DIGEST_TEXT_SIZE];
    fresh();
    CHECK(index_select(vector("manifest/index.json"), &want, &arena, &d, &err));
    CHECK_STR(digest_text(&d.digest, hex), "sha256:75b2a9c8a885b60b73bdcdb4f067f8537f28dc00c2661e2f3c7ab77bcdbcc4c5");
}

TEST(long_offers_are_cut)
{
    fresh();
    char *text = arena_alloc(&arena, 100000);
    strcpy(text, "{'schemaVersion':2,'manifests':[");
    for (int i = 0; i < 300; i++)
        strcat(strcat(text, i ? "," : ""), "{'mediaType':'" OCI "manifest.v1+json','platform':{'os':'linux','architecture':'s390x'}}");
    strcat(text, "]}");
    struct platform want = {"linux", "amd64", ""};
    struct descriptor d;
    CHECK(!index_select(quoted(text), &want, &arena, &d, &err));
    CHECK_ERR("and more, linux/amd64 is needed");
}

TEST(signature_manifests)
{
    struct signature_entry entries[3];
    size_t n = 0;
    fresh();
    CHECK(signature_manifest_parse(vector("manifest/c2-two.sig.json"), &arena, entries, 3, &n, &err) && n == 2);
    CHECK(view_starts(entries[0].signature, VIEW("MEUCI")) || view_starts(entries[0].signature, VIEW("ME")));
    CHECK(entries[1].payload.size > 200 && !view_eq(entries[0].signature, entries[1].signature));
    CHECK(!signature_manifest_parse(vector("manifest/c2-two.sig.json"), &arena, entries, 1, &n, &err) && n == 2);
    CHECK_ERR("it has 2 signatures, 1 are accepted");
    CHECK(signature_manifest_parse(quoted(IMAGE(CONFIG, "")), &arena, entries, 3, &n, &err) && n == 0);
    CHECK(signature_manifest_parse(quoted(IMAGE(CONFIG, GZIP)), &arena, entries, 3, &n, &err) && n == 1 && entries[0].signature.n == 0);
    CHECK(!signature_manifest_parse(quoted(IMAGE(CONFIG, "{}")), &arena, entries, 3, &n, &err));
    CHECK(!signature_manifest_parse(vector("manifest/index.json"), &arena, entries, 3, &n, &err));
}

TEST(referrers)
{
    struct digest list[4], subject;
    struct referrer r;
    size_t n = 0;
    fresh();
    struct view whole = vector("manifest/referrers.json");
    CHECK(referrers_parse(whole, &arena, list, 4, &n, &err) && n == 3);
    CHECK(referrers_parse(whole, &arena, list, 4, &n, &err) && n == 3); // the same again
    CHECK(digest_parse(VIEW("sha256:6cb1bed24733e0998bd92dd8e1376a4bea2b3baf3163e595733006e2dc718559"), &subject, &err) && digest_eq(&list[2], &subject));
    n = 0;
    CHECK(!referrers_parse(whole, &arena, list, 2, &n, &err) && n == 0);
    CHECK_ERR("this part has 3); 2 are opened");
    CHECK(referrers_parse(quoted("{'schemaVersion':2,'manifests':[]}"), &arena, list, 4, &n, &err) && n == 0);
    CHECK(!referrers_parse(quoted("{'schemaVersion':2,'manifests':[{}]}"), &arena, list, 4, &n, &err));
    CHECK(!referrers_parse(quoted("{'schemaVersion':2,'manifests':{}}"), &arena, list, 4, &n, &err));
    CHECK(!referrers_parse(quoted(IMAGE(CONFIG, "")), &arena, list, 4, &n, &err));

    CHECK(referrer_parse(vector("manifest/bundle.json"), &arena, &r, &err) && r.has_subject);
    CHECK(view_is(r.artifact_type, "application/vnd.dev.sigstore.bundle.v0.3+json"));
    CHECK(referrer_parse(quoted(IMAGE(CONFIG, "")), &arena, &r, &err) && !r.has_subject && r.artifact_type.n == 0);
    CHECK(!referrer_parse(whole, &arena, &r, &err));
    CHECK(!referrer_parse(quoted("{'schemaVersion':2,'config':{},'layers':[],'subject':null}"), &arena, &r, &err));
    CHECK(!referrer_parse(quoted("{'schemaVersion':2,'config':{},'layers':[],'subject':{'mediaType':'x','size':1,'digest':'sha256:A'}}"), &arena, &r, &err));
}

static bool accepts(struct view v)
{
    arena.used = 1 << 21;
    memset(arena.base + arena.used, 0, 1 << 16);
    enum manifest_kind kind;
    struct signature_entry entries[3];
    struct platform want = {"linux", "amd64", ""};
    size_t n;
    manifest_kind_of(v, VIEW(OCI "manifest.v1+json"), &arena, &kind, &err);
    index_select(v, &want, &arena, &m.config, &err);
    signature_manifest_parse(v, &arena, entries, 3, &n, &err);
    struct referrer r;
    struct digest list[3];
    referrer_parse(v, &arena, &r, &err);
    n = 0;
    referrers_parse(v, &arena, list, 3, &n, &err);
    return manifest_parse(v, &arena, &m, &err);
}

TEST(broken_sisters)
{
    fresh();
    struct view v = vector("manifest/docker-v2s2.json");
    broken(v, v.n, accepts);
    fresh();
    v = vector("manifest/c2-sig.json");
    broken(v, v.n - 1, accepts); // it ends in a new line
}
