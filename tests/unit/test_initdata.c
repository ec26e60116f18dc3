/* initdata: its text, the drive that brings it, and what binds it: MRCONFIGID and HOST_DATA over the kernel's TSM files in a folder, PCR 8 over
 * a TPM in memory. Boots with it are in tests/e2e. */
#include "lib.h"
#include "tests/fake/tpm.c"
#include "tests/fake/tsm.c"

#include "base/codec.h"
#include "base/limits.h"
#include "step/initdata.h"
#include "step/measure.h"
#include "tools/eventlog.h"
#include "tools/initdata.h"
#include "worker/initdata.h"

#include <sys/mman.h>

#define SNP_DATA 0x50
#define SNP_HOST_DATA 0xc0
#define FAKE_TSM_MRCONFIGID "/sys/devices/virtual/misc/tdx_guest/measurements/mrconfigid"

static struct initdata in;

static bool parse(struct view v) {
    in = (struct initdata){0};
    return initdata_parse(v, &arena, &in, &err);
}

static struct view text_of(const char *algorithm, const char *data) {
    char *t = arena_alloc(&arena, 8192);
    CHECK(t && snprintf(t, 8192, "version = \"0.1.0\"\nalgorithm = \"%s\"\n[data]\n%s", algorithm, data) < 8192);
    return view_str(t);
}

/* ---- the text ---- */

/* The keys of CoCo's example (trustee, kbs/docs/initdata.md, and the files it speaks of), in our own words. */
static const char coco[] = "\"aa.toml\" = '''\n[token_configs]\n[token_configs.coco_as]\nurl = 'http://127.0.0.1:8080'\n[token_configs.kbs]\nurl = 'http://1.2.3.4:8080'\n"
                           "cert = \"\"\"\n-----BEGIN CERTIFICATE-----\n\"\"\"\ntee_key_algorithm = 'RSA-OAEP-256'\n'''\n"
                           "\"cdh.toml\" = '''\nsocket = 'unix:///run/cdh.sock'\n[kbc]\nname = 'cc_kbc'\nurl = 'http://1.2.3.4:8080'\nkbs_cert = \"-----BEGIN CERTIFICATE-----\\n\"\n"
                           "[image]\nauthenticated_registry_credentials_uri = 'kbs:///default/credential/test'\n'''\n";

TEST(content) {
    char both[1024];
    fresh();
    snprintf(both, sizeof both, "%splinth-policy.json = 1", coco);
    CHECK(!parse(text_of("sha384", both))); /* a dotted key */
    snprintf(both, sizeof both, "%s\"plinth-policy.json\" = '''\n{\"image\": \"x\"}'''\n", coco);
    if (!parse(text_of("sha384", both))) CHECK_ERR("");
    CHECK(in.algorithm == HASH_SHA384 && view_is(in.policy, "{\"image\": \"x\"}"));
    CHECK(view_is(in.ignored, "aa.toml token_configs.coco_as.url, cdh.toml socket"));
    CHECK(view_is(in.kbs.url, "http://1.2.3.4:8080") && view_is(in.kbs.ca_pem, "-----BEGIN CERTIFICATE-----\n") && in.kbs.rsa_key);
    CHECK(view_is(in.kbs.auth_uri, "kbs:///default/credential/test"));
    CHECK(parse(text_of("sha256", "'cdh.toml' = '''\n[kbc]\nurl = \"https://a\"'''\n'aa.toml' = '''\n[token_configs.kbs]\ntee_key_algorithm = \"ECDH-ES+A256KW-P256\"'''")));
    CHECK(view_is(in.kbs.url, "https://a") && !in.kbs.ca_pem.n && !in.kbs.rsa_key);
    CHECK(parse(text_of("sha256", "")) && in.algorithm == HASH_SHA256 && !in.policy.n && !in.ignored.n);
    CHECK(parse(text_of("sha512", "")) && in.algorithm == HASH_SHA512);
}

TEST(refused_content) {
    static const struct {
        enum err_kind kind;
        const char *text, *why;
    } cases[] = {
        {ERR_FORMAT, "", "version is \"\""}, {ERR_FORMAT, "version = '0.2.0'\nalgorithm = 'sha256'", "version is \"0.2.0\", not \"0.1.0\""},
        {ERR_FORMAT, "version = '0.1.0'", "algorithm is \"\""}, {ERR_FORMAT, "version = '0.1.0'\nalgorithm = 'sm3'", "algorithm is \"sm3\""},
        {ERR_FORMAT, "version = '0.1.0'\nalgorithm = 'SHA256'", "algorithm is \"SHA256\""}, {ERR_FORMAT, "version = '0.1.0'\nalgorithm = 'sha-256'", "algorithm is \"sha-256\""},
        {ERR_POLICY, "version = 1", "version is nothing that this build follows"}, {ERR_POLICY, "more = 'x'", "more is nothing"}, {ERR_POLICY, "[other]\na = 'x'", "other.a is nothing"},
        {ERR_POLICY, "[data.x]\na = 'x'", "data.x.a is nothing"}, {ERR_POLICY, "[data]\n'policy.rego' = 'x'", "data.policy.rego is nothing"}, {ERR_POLICY, "[data]\nversion = '0.1.0'", "data.version is nothing"},
        {ERR_POLICY, "[data]\n'plinth-policy.json' = ''", "plinth-policy.json is nothing"}, {ERR_POLICY, "[data]\n'plinth-policy.json' = true", "plinth-policy.json is nothing"},
        {ERR_POLICY, "'plinth-policy.json' = '{}'", "plinth-policy.json is nothing"}, {ERR_FORMAT, "[data]\n'aa.toml' = '['", "aa.toml: TOML, line 1"},
        {ERR_POLICY, "[data]\n'aa.toml' = 'x = 1'", "aa.toml x is nothing"}, {ERR_POLICY, "[data]\n'aa.toml' = '''\n[eventlog_config]\ninit_pcr = 17'''", "aa.toml eventlog_config.init_pcr is nothing"},
        {ERR_POLICY, "[data]\n'cdh.toml' = '''\n[token_configs.kbs]\nurl = \"x\"'''", "cdh.toml token_configs.kbs.url is nothing"},
        {ERR_POLICY, "[data]\n'cdh.toml' = '''\n[image]\nimage_security_policy = \"{}\"'''", "cdh.toml image.image_security_policy is nothing"},
        {ERR_POLICY, "[data]\n'cdh.toml' = '''\n[image]\nregistry_config = \"x\"'''", "image.registry_config is nothing"},
        {ERR_POLICY, "[data]\n'cdh.toml' = '''\n[image.image_pull_proxy]\nhttps_proxy = \"x\"'''", "image.image_pull_proxy.https_proxy is nothing"},
        {ERR_FORMAT, "[data]\n'cdh.toml' = '''\n[[credentials]]\npath = \"x\"'''", "cdh.toml: TOML, line 1: an array of tables"},
        {ERR_FORMAT, "[data]\n'cdh.toml' = '''\n[image]\nextra_root_certificates = [\"x\"]'''", "cdh.toml: TOML, line 2: an array"},
    };
    fresh();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (parse(view_str(cases[i].text))) check_fail("taken: %s", cases[i].text);
        CHECK_ERR(cases[i].why);
        CHECK_EQ(err.kind, cases[i].kind);
        CHECK(err.kind != ERR_POLICY || strstr(err.mend, "plinth-policy.json"));
    }
}

/* What says whom to ask is followed, so it must be said in one way. */
TEST(refused_kbs) {
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"'aa.toml' = '''\n[token_configs.kbs]\nurl = \"https://a\"'''\n'cdh.toml' = '''\n[kbc]\nurl = \"https://b\"'''", "cdh.toml kbc.url is 'https://b', the other file says 'https://a'"},
        {"'cdh.toml' = '''\n[kbc]\nkbs_cert = \"x\"'''\n'aa.toml' = '''\n[token_configs.kbs]\ncert = \"y\"'''", "aa.toml token_configs.kbs.cert is 'y', the other file says 'x'"},
        {"'cdh.toml' = '''\n[kbc]\nname = \"offline_fs_kbc\"'''", "cdh.toml kbc.name is 'offline_fs_kbc', which this build does not speak"},
        {"'aa.toml' = '''\n[token_configs.kbs]\ntee_key_algorithm = \"ECDH-ES+A256KW-P521\"'''", "tee_key_algorithm is 'ECDH-ES+A256KW-P521', which"},
        {"'aa.toml' = '''\n[token_configs.kbs]\nurl = \"\"'''", "aa.toml token_configs.kbs.url is ''"},
        {"'aa.toml' = '''\n[token_configs.kbs]\nurl = 5'''", "kbs.url is '5'"},
        {"'cdh.toml' = '''\n[kbc]\nname = true'''", "kbc.name is 'true'"},
    };
    fresh();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (parse(text_of("sha256", cases[i].text))) check_fail("taken: %s", cases[i].text);
        CHECK_ERR(cases[i].why);
        CHECK_EQ(err.kind, ERR_POLICY);
    }
}

static bool is_whole(struct view v) {
    arena.used = 0;
    return parse(v) && view_is(in.policy, "{}");
}

TEST(broken_text) {
    fresh();
    broken(VIEW("version = '0.1.0'\nalgorithm = 'sha256'\n[data]\n'plinth-policy.json' = '{}'"), 73, is_whole);
}

/* ---- the digest ---- */

TEST(digests) {
    fresh();
    struct view text = VIEW("abc");
    uint8_t bound[48], want[64];
    static const struct {
        enum hash_alg alg;
        size_t size;
        const char *hex; /* FIPS 180-4's examples, padded or cut */
    } cases[] = {
        {HASH_SHA256, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {HASH_SHA256, 48, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad00000000000000000000000000000000"},
        {HASH_SHA384, 32, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"},
        {HASH_SHA384, 48, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
        {HASH_SHA512, 32, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"},
        {HASH_SHA512, 48, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum hash_alg alg = HASH_SHA256;
        initdata_bound(text, cases[i].alg, bound, cases[i].size);
        CHECK(hex_decode(view_str(cases[i].hex), want, cases[i].size) && !memcmp(bound, want, cases[i].size));
        CHECK(initdata_match(text, "X", view_of(bound, cases[i].size), &alg, &err) && alg == cases[i].alg);
        bound[cases[i].size - 1] ^= 1;
        CHECK(!initdata_match(text, "X", view_of(bound, cases[i].size), &alg, &err) && err.kind == ERR_DIGEST);
        CHECK_ERR("X is ");
        CHECK_ERR("digests are sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, sha384 cb00753f45a35e8bb5a03d699ac65007");
        if (cases[i].size == 48) CHECK_ERR("sha512 ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd");
    }
    memset(bound, 0, sizeof bound);
    enum hash_alg alg;
    CHECK(!initdata_match(text, "X", view_of(bound, 48), &alg, &err) && err.kind == ERR_DIGEST);
    CHECK_ERR("X is all zero: nothing was bound");
}

/* ---- the drive ---- */

static bool reads(struct view drive, struct view *text) {
    int fd = memfd_create("drive", 0);
    CHECK(fd >= 0 && write(fd, drive.p, drive.n) == (ssize_t)drive.n && lseek(fd, 0, SEEK_SET) == 0);
    size_t used = arena.used;
    bool ok = initdata_read(fd, &arena, text, &err);
    arena.used = used;
    close(fd);
    return ok;
}

/* False also for one that has no magic. */
static bool reads_some(struct view drive) {
    struct view text;
    return reads(drive, &text) && text.n;
}

TEST(drive) {
    fresh();
    struct view text = text_of("sha256", coco), drive, again;
    CHECK(initdata_drive(text, &arena, &drive, &err) && drive.n % 512 == 0 && view_starts(drive, VIEW("initdata")));
    CHECK(reads(drive, &again) && view_eq(again, text));
    size_t size = 16 + (drive.p[8] | (size_t)drive.p[9] << 8);
    broken(view_first(drive, size), size, reads_some);
    CHECK(reads(VIEW(""), &again) && !again.n && reads(VIEW("initdat"), &again) && !again.n && reads(VIEW("INITDATA\1\0\0\0\0\0\0\0x"), &again) && !again.n);
    CHECK(!reads(VIEW("initdata"), &again) && err.kind == ERR_FORMAT);
    CHECK(!reads(VIEW("initdata\1\0\0\0\0\0\0"), &again));
    CHECK(!reads(VIEW("initdata\0\0\0\0\0\0\0\0"), &again));
    CHECK_ERR("no whole gzip");
    CHECK(!reads(VIEW("initdata\xff\xff\xff\xff\xff\xff\xff\xff"), &again));
    CHECK_ERR("its header says 18446744073709551615 bytes; the device has 0, at most 2097152 are taken");
    uint8_t *p = arena_alloc(&arena, drive.n + 512);
    memcpy(p, drive.p, size);
    p[8] = (uint8_t)(size - 15), p[9] = (uint8_t)((size - 15) >> 8); /* a byte more than the member has: no padding there */
    CHECK(!reads(view_of(p, size + 1), &again));
    CHECK_ERR("there is more");
    for (size_t n = size - 17; n; n--) { /* less, and the header agrees: the member is cut */
        p[8] = (uint8_t)n, p[9] = (uint8_t)(n >> 8);
        CHECK(!reads(view_of(p, 16 + n), &again) && err.kind == ERR_FORMAT);
    }
}

TEST(drives_too_large) {
    fresh();
    uint8_t *zeros = arena_alloc(&arena, INITDATA_MAX + 1);
    struct view drive, again;
    CHECK(zeros && initdata_drive(view_of(zeros, INITDATA_MAX), &arena, &drive, &err) && reads(drive, &again) && again.n == INITDATA_MAX);
    CHECK(initdata_drive(view_of(zeros, INITDATA_MAX + 1), &arena, &drive, &err) && !reads(drive, &again) && err.kind == ERR_FORMAT);
    CHECK_ERR("cut, empty or too long");
    CHECK(initdata_drive(VIEW(""), &arena, &drive, &err) && !reads(drive, &again));
    CHECK_ERR("cut, empty or too long");
}

/* ---- what binds it ---- */

static struct registers registers;
static uint8_t own_report[2048];

static void machine(const char *provider) {
    fresh();
    fake_tpm_reset();
    fake_tpm.absent = provider != NULL;
    registers = (struct registers){.root = fake_tsm.root};
    if (provider && !strcmp(provider, "tdx_guest")) fake_tsm_reset(provider, vector("tee/quote-v4-phala.bin"), 48 + 520, 48 + 328 + 3 * 48);
    else if (provider) {
        struct view v = vector("tee/siena-v3-genoa-chain.report.bin");
        memcpy(own_report, v.p, v.n);
        memset(own_report + SNP_HOST_DATA, 0, 32);
        fake_tsm_reset(provider, view_of(own_report, v.n), SNP_DATA, 0);
    } else
        fake_tsm_reset(NULL, (struct view){0}, 0, 0);
}

static void host_binds(struct view text, enum hash_alg alg) {
    uint8_t bound[48] = {0};
    if (text.n) initdata_bound(text, alg, bound, fake_tsm.report.p == own_report ? 32 : 48);
    if (fake_tsm.report.p == own_report) memcpy(own_report + SNP_HOST_DATA, bound, 32);
    else fake_tsm_write(FAKE_TSM_MRCONFIGID, view_of(bound, 48));
}

static bool binds(struct view text) {
    if (!register_open(&registers, &err)) return false;
    registers.cpu.tsm.report_ms = 3000;
    return initdata_bind(&registers, text, &arena, &in, &err);
}

TEST(a_cpu_binds) {
    for (unsigned snp = 0; snp < 2; snp++)
        for (unsigned alg = HASH_SHA256; alg <= HASH_SHA512; alg++) {
            const char *provider = snp ? "sev_guest" : "tdx_guest", *name = snp ? "HOST_DATA" : "MRCONFIGID";
            char want[100];
            machine(provider);
            struct view text = text_of(hash_name((enum hash_alg)alg), coco), flipped = arena_copy(&arena, text), none = {0};
            ((uint8_t *)(uintptr_t)flipped.p)[text.n - 1] ^= 1;
            host_binds(text, (enum hash_alg)alg);
            if (!binds(text)) CHECK_ERR("");
            CHECK(in.algorithm == alg && in.ignored.n);
            CHECK(!binds(flipped) && err.kind == ERR_DIGEST);
            snprintf(want, sizeof want, "%s is ", name);
            CHECK_ERR(want);
            CHECK(!binds(none) && err.kind == ERR_DIGEST); /* the owner bound something, and it is not here */
            CHECK_ERR(", and there is no initdata");
            host_binds(none, HASH_SHA256);
            CHECK(!binds(text) && err.kind == ERR_DIGEST);
            CHECK_ERR("is all zero: nothing was bound");
            CHECK(binds(none) && !in.policy.n && !in.ignored.n);
            uint8_t of_nothing[48];
            initdata_bound(none, (enum hash_alg)alg, of_nothing, 48);
            if (snp) memcpy(own_report + SNP_HOST_DATA, of_nothing, 32);
            else fake_tsm_write(FAKE_TSM_MRCONFIGID, view_of(of_nothing, 48));
            CHECK(!binds(none) && err.kind == ERR_DIGEST);
            /* The right digest, of another algorithm than the text says. */
            unsigned other = alg == HASH_SHA256 ? HASH_SHA512 : HASH_SHA256;
            host_binds(text, (enum hash_alg)other);
            CHECK(!binds(text) && err.kind == ERR_DIGEST);
            snprintf(want, sizeof want, "algorithm is %s, %s is bound by %s", hash_name((enum hash_alg)alg), hash_name((enum hash_alg)other), name);
            CHECK_ERR(want);
        }
}

TEST(what_is_not_bound_is_not_parsed) {
    machine("sev_guest");
    host_binds(VIEW("x"), HASH_SHA256);
    CHECK(!binds(VIEW("no TOML")) && err.kind == ERR_DIGEST);
    host_binds(VIEW("no TOML"), HASH_SHA256);
    CHECK(!binds(VIEW("no TOML")) && err.kind == ERR_FORMAT);
}

TEST(a_cpu_that_does_not_tell) {
    machine("tdx_guest"); /* no such file: Linux before 6.16 */
    CHECK(!binds((struct view){0}) && err.kind == ERR_SYSTEM);
    CHECK_ERR("mrconfigid: No such file");
    fake_tsm_write(FAKE_TSM_MRCONFIGID, VIEW("short"));
    CHECK(!binds((struct view){0}) && err.kind == ERR_FORMAT);
    machine("sev_guest");
    fake_tsm.stale = true; /* an earlier report, with what was bound then */
    CHECK(!binds((struct view){0}) && err.kind == ERR_DIGEST);
    CHECK_ERR("over other report_data");
}

TEST(a_tpm_binds) {
    machine(NULL);
    struct view text = text_of("sha256", coco);
    CHECK(binds((struct view){0}) && fake_tpm.extends == 0);
    CHECK(binds(text) && fake_tpm.extends == 1 && in.algorithm == HASH_SHA256);
    for (size_t i = 0; i < 2; i++) {
        struct register_bank want = {.alg = i ? HASH_SHA384 : HASH_SHA256};
        uint8_t digest[HASH_MAX];
        hash_once(want.alg, text, digest);
        register_extend(&want, digest);
        CHECK(!memcmp(fake_tpm.pcrs[i][8].value, want.value, hash_size(want.alg)));
    }
    CHECK(!binds(text) && err.kind == ERR_POLICY); /* used by now */
    CHECK_ERR("somebody extended the register before this boot: PCR 8 is ");
    CHECK(strstr(err.mend, "UKI"));
    machine(NULL);
    CHECK(!binds(text_of("sha384", "")) && err.kind == ERR_DIGEST && fake_tpm.extends == 1); /* extended before it was parsed */
    CHECK_ERR("algorithm is sha384, sha256 is bound by PCR 8");
    machine(NULL);
    fake_tpm.lost_extend = true;
    CHECK(!binds(text_of("sha256", "")) && err.kind == ERR_DIGEST);
    CHECK_ERR("the register does not hold what the event log says: PCR 8 is ");
    machine(NULL);
    fake_tpm.extends_left = 0;
    CHECK(!binds(text_of("sha256", "")));
}

TEST(a_cpu_with_a_tpm) {
    machine("sev_guest");
    fake_tpm.absent = false;
    struct view text = text_of("sha384", "");
    host_binds(text, HASH_SHA384);
    CHECK(binds(text) && fake_tpm.extends == 0 && registers.has_cpu && registers.has_tpm);
}

TEST(nothing_binds) {
    machine(NULL);
    fake_tpm.absent = true;
    registers.opened = true; /* not 5 s of waiting for a TPM */
    CHECK(binds((struct view){0}));
    CHECK(!binds(text_of("sha256", "")) && err.kind == ERR_POLICY);
    CHECK_ERR("no TEE that could bind it");
}

/* ---- the event ---- */

TEST(event) {
    machine(NULL);
    static struct config config;
    static struct verified_image image;
    struct process process = {0};
    struct measurement m;
    struct eventlog_record r;
    config = (struct config){.policy = {.pcr = 15}, .has_initdata = true};
    memset(config.initdata.sha256, 0x77, 32);
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err));
    struct eventlog log = eventlog_of(writer_view(&m.log));
    for (size_t i = 0; i < 3; i++) CHECK(eventlog_next(&log, &r, &err)); /* header, boot, initdata */
    static const char want[] = "plinth initdata {\"digest\":\"sha256:7777777777777777777777777777777777777777777777777777777777777777\"}";
    CHECK(memmem(writer_view(&m.log).p, m.log.n, want, sizeof want - 1));
    struct register_bank with = m.banks[1];
    config.has_initdata = false;
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err) && memcmp(with.value, m.banks[1].value, 48));
    CHECK(!memmem(writer_view(&m.log).p, m.log.n, "initdata", 8));
}
