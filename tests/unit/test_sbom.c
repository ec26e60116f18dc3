// sbom: SPDX and CycloneDX as their producers write them, and broken ones.
#include "lib.h"

#include "trust/sbom.h"

static struct sbom sbom;

static bool read_as(const char *type, struct view text) {
    const json *v;
    return json_parse(text, &arena, &v, &err) && sbom_read(view_str(type), v, &arena, &sbom, &err);
}

static bool spdx(const char *members) {
    static char text[8192];
    fresh();
    snprintf(text, sizeof text, "{'spdxVersion':'SPDX-2.3'%s%s}", members[0] ? "," : "", members);
    return read_as(SBOM_TYPE_SPDX, quoted(text));
}

static bool cyclonedx(const char *components) {
    static char text[8192];
    fresh();
    snprintf(text, sizeof text, "{'bomFormat':'CycloneDX','specVersion':'1.6','components':[%s]}", components);
    return read_as(SBOM_TYPE_CYCLONEDX, quoted(text));
}

// "deb libc6 2.36 amd64;..." in the order of names.
static const char *packages(void) {
    static char text[4096];
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < sbom.package_count; i++) {
        const struct sbom_package *p = &sbom.packages[i];
        n += (size_t)sprintf(text + n, "%s %.*s %.*s %.*s;", sbom_ecosystem_name(p->ecosystem), VIEW_ARG(p->name), VIEW_ARG(p->version),
                             VIEW_ARG(p->arch));
    }
    return text;
}

#define A64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define Z40 "0000000000000000000000000000000000000000"
#define S40 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define S96 "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
#define FILE1(name, sums) "{'SPDXID':'SPDXRef-1','fileName':'" name "','checksums':[" sums "]}"
#define SUM(alg, hex) "{'algorithm':'" alg "','checksumValue':'" hex "'}"

TEST(purls) {
    static const struct {
        const char *purl, *wanted; // NULL: another ecosystem, or a source
    } good[] = {
        {"pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12", "deb libc6 2.36-9+deb12u10 amd64"},
        {"pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14?arch=amd64", "deb libstdc++6 1:12.2.0-14 amd64"},
        {"pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie#a/b", "deb curl 7.50.3-1 i386"},
        {"pkg:apk/alpine/musl@1.2.5-r0?distro=3.20.0&arch=x86_64&upstream=m%40u", "apk musl 1.2.5-r0 x86_64"},
        {"pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&epoch=1", "rpm curl 1:7.50.3-1.fc25 i386"},
        {"pkg:deb/debian/libgmp10@6.2.1%2Bdfsg1-1.1?arch=amd64&epoch=2", "deb libgmp10 2:6.2.1+dfsg1-1.1 amd64"},
        {"pkg:deb/debian/a@2%3A6?epoch=2", "deb a 2:6 "},
        {"pkg:deb/debian/a@6?epoch=0", "deb a 6 "},
        {"PKG", NULL},
        {"pkg:DEB/a", "deb a  "},
        {"pkg:deb/a@", "deb a  "},
        {"pkg://deb//ubuntu/a@1", "deb a 1 "},
        {"pkg:deb/debian/a@1?arch=source", NULL},
        {"pkg:rpm/fedora/a@1?arch=src", NULL},
        {"pkg:npm/%40angular/animation@12.3.1", NULL},
        {"pkg:oci/debian@sha256%3A24?arch=amd64", NULL},
        {"pkg:debx/a@1", NULL},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct sbom_package p = {0};
        char text[200];
        bool known;
        fresh();
        if (!purl_parse(view_str(good[i].purl), &arena, &p, &known, &err)) {
            CHECK_STR(good[i].purl, "PKG");
            continue;
        }
        CHECK_EQ(known, good[i].wanted != NULL);
        snprintf(text, sizeof text, "%s %.*s %.*s %.*s", sbom_ecosystem_name(p.ecosystem), VIEW_ARG(p.name), VIEW_ARG(p.version), VIEW_ARG(p.arch));
        if (known) CHECK_STR(text, good[i].wanted);
    }
    static const char *const bad[] = {"",          "pkg:",           "pkg:deb",           "pkg:deb/",           "deb/debian/a@1",    "pkg:deb/debian/a%",
                                      "pkg:deb/@1", "pkg:deb/a%2@1", "pkg:deb/debian/%zz", "pkg:deb/a@1%00",     "pkg:deb/a@%2",      "pkg:deb/a@1?arch=%f"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sbom_package p;
        bool known;
        if (purl_parse(view_str(bad[i]), fresh(), &p, &known, &err)) check_fail("%s is accepted", bad[i]);
        CHECK_EQ(err.kind, ERR_FORMAT);
    }
}

TEST(spdx_files) {
    CHECK(spdx("'files':[" FILE1("./usr/bin/x", SUM("SHA1", S40) "," SUM("SHA256", A64)) "," FILE1("/a b", SUM("SHA1", S40)) "," FILE1(".//./c", SUM("SHA1", Z40)) ","
               FILE1("d", SUM("SHA384", S96) "," SUM("SHA256", A64)) "," FILE1("./", "") "," FILE1("e", SUM("SHA256", A64) "," SUM("SHA384", S96)) "]"));
    CHECK_EQ(sbom.file_count, 5);
    const struct sbom_file *f = sbom.files;
    CHECK(view_is(f[0].path, "usr/bin/x") && f[0].present && f[0].compared && f[0].alg == HASH_SHA256 && f[0].digest[0] == 0xe3 && f[0].digest[31] == 0x55);
    CHECK(view_is(f[1].path, "a b") && f[1].present && !f[1].compared);
    CHECK(view_is(f[2].path, "c") && !f[2].present && !f[2].compared);
    CHECK(f[3].compared && f[3].alg == HASH_SHA256 && f[3].digest[0] == 0xe3 && f[4].alg == HASH_SHA256 && f[4].digest[0] == 0xe3);
}

TEST(spdx_packages) {
#define PURL(p) "{'name':'n','externalRefs':[{'referenceType':'cpe23Type','referenceLocator':'cpe:2.3:a'},{'referenceType':'purl','referenceLocator':'" p "'}]}"
    CHECK(spdx("'documentDescribes':['SPDXRef-img'],'relationships':[{'spdxElementId':'SPDXRef-DOCUMENT','relationshipType':'DESCRIBES',"
               "'relatedSpdxElement':'SPDXRef-top'}],'packages':[{'SPDXID':'SPDXRef-img','name':'i','versionInfo':'1'},{'SPDXID':'SPDXRef-top','name':'t','versionInfo':'1'},"
               "{'name':'src','versionInfo':'1','primaryPackagePurpose':'SOURCE'},{'name':'zlib1g','versionInfo':'1:1.2'},{'name':'noversion'},"
               PURL("pkg:apk/alpine/b@2") "," PURL("pkg:deb/debian/a@1?arch=all") "," PURL("pkg:pypi/p@1") "," PURL("pkg:deb/debian/a@1?arch=source") "]"));
    CHECK_STR(packages(), "deb a 1 all;apk b 2 ;package zlib1g 1:1.2 ;");
    struct sbom_package *first;
    CHECK(sbom_find(&sbom, VIEW("b"), &first) == 1 && first == sbom.packages + 1);
    CHECK(sbom_find(&sbom, VIEW("aa"), &first) == 0 && sbom_find(&sbom, VIEW(""), &first) == 0 && sbom_find(&sbom, VIEW("zz"), &first) == 0);
    CHECK(spdx("'packages':[" PURL("pkg:deb/a@1") "," PURL("pkg:deb/b@1") "," PURL("pkg:deb/a@2") "]"));
    CHECK(sbom_find(&sbom, VIEW("a"), &first) == 2 && sbom_find(&sbom, VIEW("b"), &first) == 1);
}

TEST(cyclonedx_components) {
#define HASH(alg, hex) "{'alg':'" alg "','content':'" hex "'}"
    CHECK(cyclonedx("{'type':'operating-system','name':'debian','version':'12'},{'type':'library','name':'x','purl':'pkg:deb/debian/x@1?arch=amd64','components':["
                    "{'type':'file','name':'/etc/x','hashes':[" HASH("MD5", "aa") "," HASH("SHA-1", S40) "," HASH("SHA-256", A64) "],'components':["
                    "{'type':'library','name':'y','purl':'pkg:apk/alpine/y@2'}]}]},{'type':'file','name':'/etc/y'}"));
    CHECK_STR(packages(), "deb x 1 amd64;apk y 2 ;");
    CHECK_EQ(sbom.file_count, 2);
    CHECK(view_is(sbom.files[0].path, "etc/x") && sbom.files[0].compared && !sbom.files[1].present);
    CHECK(cyclonedx("{'type':'file','name':'a','hashes':[" HASH("SHA-256", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855") "]}") && sbom.files[0].digest[0] == 0xe3);
    // As deep as JSON may be.
    static char deep[4096];
    size_t n = 0;
    for (int i = 0; i < 30; i++) n += (size_t)sprintf(deep + n, "{'purl':'pkg:deb/a%02d@1','components':[", i);
    for (int i = 0; i < 30; i++) n += (size_t)sprintf(deep + n, "]}");
    CHECK(cyclonedx(deep));
    CHECK_EQ(sbom.package_count, 30);
}

TEST(text_in_a_string) {
    fresh();
    CHECK(read_as(SBOM_TYPE_SPDX, VIEW("\"{\\\"spdxVersion\\\":\\\"SPDX-2.2\\\",\\\"files\\\":[{\\\"fileName\\\":\\\"a\\\"}]}\"")) && sbom.file_count == 1);
    CHECK(!read_as(SBOM_TYPE_SPDX, VIEW("\"SPDXVersion: SPDX-2.3\"")));
    CHECK_ERR("the text that the predicate is: not JSON");
    CHECK(!read_as(SBOM_TYPE_SPDX, VIEW("\"\\\"{}\\\"\"")));
    CHECK_ERR("the predicate is no JSON object");
    CHECK(!sbom_read(VIEW(SBOM_TYPE_SPDX), NULL, &arena, &sbom, &err));
}

TEST(refused) {
    static const char *const bad[][2] = {
        {"'files':{}", "files"},
        {"'files':[1]", "fileName"},
        {"'files':[{'fileName':'a','checksums':{}}]", "checksums"},
        {"'files':[{'fileName':'a','checksums':[{'algorithm':'SHA256'}]}]", "checksumValue"},
        {"'files':[" FILE1("a", SUM("SHA256", "e3b0")) "]", "'e3b0' is no SHA256 of the file a"},
        {"'files':[" FILE1("a", SUM("SHA256", "g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")) "]", "is no SHA256"},
        {"'files':[" FILE1("a", SUM("SHA512", A64)) "]", "is no SHA512"},
        {"'files':[" FILE1("a", SUM("SHA256", A64) "," SUM("SHA256", A64)) "]", "the file a has two SHA256"},
        {"'packages':1", "packages"},
        {"'packages':[{}]", "name"},
        {"'packages':[{'name':'a','externalRefs':1}]", "externalRefs"},
        {"'packages':[{'name':'a','externalRefs':[{'referenceType':'purl'}]}]", "is no package URL"},
        {"'relationships':1", "relationships"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (spdx(bad[i][0])) check_fail("%s is accepted", bad[i][0]);
        CHECK_ERR(bad[i][1]);
        CHECK_EQ(err.kind, ERR_FORMAT);
    }
    static const char *const versions[] = {"'SPDX-3.0'", "'SPDX-2.1'", "2.3", "null"}, *const others[] = {"'1.3'", "'2.0'", "'1.'", "'1.4.1'", "1.5", "'1.04'"};
    char text[200];
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        snprintf(text, sizeof text, "{'spdxVersion':%s}", versions[i]);
        fresh();
        CHECK(!read_as(SBOM_TYPE_SPDX, quoted(text)));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(text, sizeof text, "{'bomFormat':'CycloneDX','specVersion':%s}", others[i]);
        fresh();
        CHECK(!read_as(SBOM_TYPE_CYCLONEDX, quoted(text)));
    }
    CHECK(!read_as(SBOM_TYPE_CYCLONEDX, quoted("{'spdxVersion':'SPDX-2.3'}")));
    CHECK(!cyclonedx("{'components':{}}") && !cyclonedx("{'type':'file'}") && !cyclonedx("{'purl':1}"));
}

#define WHOLE                                                                                                          \
    "{'spdxVersion':'SPDX-2.3','files':[" FILE1("./usr/bin/x", SUM("SHA1", S40) "," SUM("SHA256", A64)) "],'packages':[" PURL("pkg:deb/a%2B@1?arch=all") "]}"

static bool accepts(struct view v) {
    struct arena own;
    const json *j;
    CHECK(arena_make(&own, 1 << 20, &err));
    bool ok = json_parse(v, &own, &j, &err) && sbom_read(VIEW(SBOM_TYPE_SPDX), j, &own, &sbom, &err);
    arena_drop(&own);
    return ok;
}

TEST(broken) {
    fresh();
    struct view v = quoted(WHOLE);
    CHECK(accepts(v));
    broken(v, v.n, accepts);
}
