/* measure and attest over a TPM in memory: the events to the byte, prediction and guest agreeing, and every way it must stop. */
#include "lib.h"
#include "tests/fake/tpm.c"

#include "base/codec.h"
#include "base/version.h"
#include "format/json.h"
#include "step/attest.h"
#include "step/measure.h"
#include "tools/eventlog.h"

static struct config config;
static struct verified_image image;
static struct process process;
static struct tee tee;
static struct measurement m;

static void prepare(void) {
    static struct view args[2], env[1];
    fresh();
    fake_tpm_reset();
    config = (struct config){.policy = {.pcr = 15}};
    image = (struct verified_image){.manifest = {.layer_count = 2}};
    memset(config.policy.digest.sha256, 0x11, 32);
    memset(image.manifest_digest.sha256, 0x22, 32);
    memset(image.config_digest.sha256, 0x33, 32);
    strcpy(config.image.host, "registry.example");
    strcpy(config.image.repository, "acme/web");
    strcpy(config.image.tag, "1.4");
    for (size_t i = 0; i < 2; i++) {
        memset(image.manifest.layers[i].descriptor.digest.sha256, 0x40 + (int)i, 32);
        memset(image.config.diff_ids[i].sha256, 0x50 + (int)i, 32);
    }
    args[0] = VIEW("/usr/sbin/nginx");
    args[1] = VIEW("say \"\n\x01\xc3\xa9");
    env[0] = VIEW("PATH=/usr/bin");
    process = (struct process){{2, args}, {1, env}, VIEW("nginx"), VIEW("/srv")};
    struct tpm tpm;
    CHECK(tpm_open(0, &tpm, &err));
    tee = tee_of_tpm(tpm, 15);
}

static bool boot(struct tee *t) {
    if (!measure_begin(&m, t, config.policy.pcr, &arena, &err) || !measure_boot(&m, &err) ||
        !measure_policy(&m, &config.policy, &err) || !measure_image(&m, &config, &image, &err))
        return false;
    for (size_t i = 0; i < image.manifest.layer_count; i++)
        if (!measure_layer(&m, &image, i, &err)) return false;
    return measure_launch(&m, &process, &err) && measure_check(&m, &err);
}

static struct eventlog log_at(size_t skip, struct eventlog_record *r) {
    struct eventlog log = eventlog_of(writer_view(&m.log));
    for (size_t i = 0; i <= skip; i++) CHECK(eventlog_next(&log, r, &err));
    return log;
}

static void check_events(const char *const *want) {
    struct eventlog_record r;
    struct eventlog log = log_at(0, &r);
    for (; *want; want++) {
        struct view text = {0};
        bool known;
        CHECK(eventlog_next(&log, &r, &err) && eventlog_aael(&r, &text) && r.mr_index == config.policy.pcr);
        CHECK(eventlog_digest_matches(&r, &known) && known);
        if (!view_eq(text, quoted(*want))) check_fail("event \"%.*s\", wanted \"%s\"", VIEW_ARG(text), *want);
    }
    CHECK(!eventlog_next(&log, &r, &err) && err.kind == ERR_NONE);
}

#define D(two) "'sha256:" two two two two two two two two two two two two two two two two two two two two two two two two two two two two two two two two "'"

TEST(events_to_the_byte) {
    char boot_event[64];
    const char *const want[] = {
        boot_event,
        "plinth policy {'digest':" D("11") "}",
        "plinth manifest {'digest':" D("22") ",'image':'registry.example/acme/web:1.4'}",
        "github.com/confidential-containers PullImage {'digest':" D("22") ",'image':'registry.example/acme/web:1.4'}",
        "plinth config {'digest':" D("33") "}",
        "plinth layer {'diffID':" D("50") ",'digest':" D("40") ",'index':0}",
        "plinth layer {'diffID':" D("51") ",'digest':" D("41") ",'index':1}",
        /* printf %s '{"args":["/usr/sbin/nginx","say \"\n\u0001é"],"cwd":"/srv","env":["PATH=/usr/bin"],"user":"nginx"}' | sha256sum */
        "plinth launch {'process':'sha256:52aaa62058fc28fd6f9eca46e7e363a80782b6c2f8c4c5f74f3d9bb9b5ba5701','user':'nginx'}",
        "plinth separator {}",
        NULL};
    snprintf(boot_event, sizeof boot_event, "plinth boot {'agent':'plinth %s'}", plinth_version);
    prepare();
    CHECK(boot(&tee));
    check_events(want);
    CHECK_EQ(fake_tpm.extends, 9);
}

TEST(more_members) {
    static const char *const want[] = {
        "plinth policy {'digest':" D("11") ",'weaknesses':'signatures.allowUnsigned registry.allowHttp'}",
        "plinth manifest {'digest':" D("22") ",'image':'other.example/x:2','index':" D("77") "}",
        "github.com/confidential-containers PullImage {'digest':" D("22") ",'image':'other.example/x:2'}",
        "plinth config {'digest':" D("33") "}",
        "plinth policy {'digest':" D("44") ",'uri':'kbs:///acme/policy/web'}",
        "plinth weaknesses {'weaknesses':'signatures.allowUnsigned registry.allowHttp'}",
        NULL};
    struct config_resource second = {.uri = VIEW("kbs:///acme/policy/web")};
    prepare();
    memset(second.digest.sha256, 0x44, 32);
    config.policy.weaknesses = VIEW("signatures.allowUnsigned registry.allowHttp");
    config.policy.has_image = true; /* counts before the command line's */
    strcpy(config.policy.image.host, "other.example");
    strcpy(config.policy.image.repository, "x");
    strcpy(config.policy.image.tag, "2");
    image.through_index = true;
    memset(image.index_digest.sha256, 0x77, 32);
    CHECK(measure_begin(&m, NULL, 15, &arena, &err) && measure_policy(&m, &config.policy, &err) &&
          measure_image(&m, &config, &image, &err) && measure_resource(&m, "policy", &second, &err) &&
          measure_weaknesses(&m, &config.policy, &err));
    config.policy.weaknesses = (struct view){0};
    CHECK(measure_weaknesses(&m, &config.policy, &err)); /* none: no event */
    check_events(want);
}

TEST(prediction_is_the_guest) {
    struct measurement guest;
    prepare();
    CHECK(boot(&tee));
    guest = m;
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err));
    CHECK(guest.bank_count == 2 && m.bank_count == 2);
    CHECK(view_eq(writer_view(&guest.log), writer_view(&m.log)));
    for (size_t i = 0; i < 2; i++) {
        size_t n = hash_size(m.banks[i].alg);
        CHECK(memcmp(m.banks[i].value, fake_tpm.pcrs[i][15].value, n) == 0);
        CHECK(memcmp(m.banks[i].value, guest.banks[i].value, n) == 0);
    }
    struct eventlog_registers regs;
    CHECK(eventlog_replay(writer_view(&m.log), &regs, &err));
    CHECK(memcmp(regs.sha384[15].bank.value, m.banks[1].value, 48) == 0);
    image.config.diff_ids[1].sha256[31] ^= 1;
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err));
    CHECK(memcmp(m.banks[0].value, guest.banks[0].value, 32) != 0);
}

TEST(one_bank) {
    prepare();
    fake_tpm.sha256 = false;
    CHECK(tpm_open(0, &tee.tpm, &err));
    tee = tee_of_tpm(tee.tpm, 15);
    CHECK(boot(&tee));
    CHECK(m.bank_count == 1 && m.banks[0].alg == HASH_SHA384);
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err));
    CHECK(memcmp(m.banks[1].value, fake_tpm.pcrs[1][15].value, 48) == 0);
}

TEST(refuses_a_used_register) {
    prepare();
    fake_tpm.pcrs[1][15].value[3] = 1; /* in one bank only */
    CHECK(!boot(&tee) && err.kind == ERR_POLICY);
    CHECK_ERR("somebody extended the register before this boot: PCR 15 is 000000010000");
    CHECK_ERR("in the sha384 bank");
    CHECK(strstr(err.mend, "register.pcr"));
    config.policy.pcr = 14;
    tee = tee_of_tpm(tee.tpm, 14);
    CHECK(boot(&tee));
}

TEST(refuses_a_register_that_moved) {
    prepare();
    CHECK(boot(&tee));
    fake_tpm.pcrs[0][15].value[0] ^= 0xff;
    CHECK(!measure_check(&m, &err) && err.kind == ERR_DIGEST);
    CHECK_ERR("does not hold what the event log says");
    prepare();
    fake_tpm.lost_extend = true;
    CHECK(!boot(&tee) && err.kind == ERR_DIGEST);
    CHECK_ERR("PCR 15 is 0000");
}

TEST(extend_comes_before_the_log) {
    prepare();
    CHECK(measure_begin(&m, &tee, 15, &arena, &err) && measure_boot(&m, &err));
    struct measurement before = m;
    fake_tpm.extends_left = 0;
    CHECK(!measure_policy(&m, &config.policy, &err));
    CHECK_ERR("event \"policy\": TPM2_PCR_Extend");
    CHECK(m.log.n == before.log.n && memcmp(before.banks, m.banks, sizeof m.banks) == 0);
    CHECK(!strcmp(m.in_flight, "policy"));
}

TEST(full_log_extends_nothing) {
    prepare();
    CHECK(measure_begin(&m, &tee, 15, &arena, &err) && measure_boot(&m, &err));
    m.log.size = m.log.n + 100;
    unsigned extends = fake_tpm.extends;
    CHECK(!measure_policy(&m, &config.policy, &err));
    CHECK_ERR("does not fit");
    CHECK_EQ(fake_tpm.extends, extends);
    CHECK(!m.log.full && measure_check(&m, &err));
}

TEST(workload_goes_on_after_a_failure) {
    prepare();
    CHECK(measure_begin(&m, &tee, 15, &arena, &err) && measure_boot(&m, &err));
    size_t n = m.log.n;
    fake_tpm.extends_left = 0;
    CHECK(!measure_workload(&m, VIEW("app"), VIEW("a"), VIEW("b"), &err) && m.log.n == n && !m.in_flight);
    fake_tpm.extends_left = -1;
    CHECK(measure_check(&m, &err) && measure_workload(&m, VIEW("app"), VIEW("a"), VIEW("b"), &err) && m.log.n > n && measure_check(&m, &err));
}

TEST(largest_image_fits) {
    prepare();
    image.manifest.layer_count = LAYERS_MAX;
    CHECK(boot(&tee));
    CHECK(m.log.n < EVENTLOG_MAX / 2);
}

TEST(hostile_text) {
    struct err why;
    prepare();
    process.user = VIEW("a\"b\\c\n\xff");
    CHECK(boot(&tee));
    struct eventlog_record r;
    struct view text = {0};
    log_at(8, &r);
    CHECK(eventlog_aael(&r, &text) && view_ends(text, VIEW("\"user\":\"a\\\"b\\\\c??\"}")));
    err_set(&why, ERR_DIGEST, "digest is \"x\"\n%0600d", 1);
    err_in(&why, "layers");
    CHECK(measure_failure(&m, &why, &err));
    log_at(10, &r);
    CHECK(eventlog_aael(&r, &text) && view_starts(text, VIEW("plinth failure {\"reason\":\"layers: digest is \\\"x\\\"\\\\x0a000")));
    CHECK(text.n < 600);
    CHECK(measure_check(&m, &err));
    m = (struct measurement){0};
    CHECK(measure_failure(&m, &why, &err)); /* before there is a register */
}

TEST(process_counts) {
    uint8_t first[48];
    prepare();
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err));
    memcpy(first, m.banks[1].value, 48);
    process.cwd = VIEW("/");
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err) && memcmp(first, m.banks[1].value, 48) != 0);
    prepare();
    process.args.count = 1; /* [a,b] [c] is not [a] [b,c] */
    CHECK(measure_predict(&m, &config, &image, &process, &arena, &err) && memcmp(first, m.banks[1].value, 48) != 0);
}

TEST(evidence) {
    struct view json_text_, out;
    const json *root;
    struct attestation at;
    prepare();
    fake_tpm.firmware_log = VIEW("firmware");
    CHECK(boot(&tee));
    CHECK(attest_make(&m, &config, &image, VIEW("nonce"), &arena, &json_text_, &err));
    CHECK(json_parse(json_text_, &arena, &root, &err));
    CHECK(view_is(json_text(json_get(root, "nonce")), "6e6f6e6365") && view_is(json_text(json_get(root, "firmware_log")), "ZmlybXdhcmU="));
    CHECK(view_is(json_text(json_get(root, "image")), "registry.example/acme/web:1.4"));
    CHECK(view_starts(json_text(json_get(root, "manifest")), VIEW("sha256:2222")));
    CHECK(view_starts(json_text(json_get(root, "policy")), VIEW("sha256:1111")));
    uint8_t value[32];
    CHECK(hex_decode(json_text(json_get(json_get(root, "register"), "sha256")), value, 32) && memcmp(value, m.banks[0].value, 32) == 0);

    CHECK(attest_run(&m, &config, &image, &arena, &at, &err)); /* no port here: the TPM's nonce */
    CHECK(!at.host_nonce && json_parse(at.evidence, &arena, &root, &err));
    CHECK(json_text(json_get(root, "nonce")).n == 64);

    fake_tpm.other_nonce = true;
    CHECK(!attest_make(&m, &config, &image, VIEW("nonce"), &arena, &out, &err) && err.kind == ERR_DIGEST);
    CHECK_ERR("another nonce");
    fake_tpm.other_nonce = false;
    fake_tpm.other_pcrs = true;
    CHECK(!attest_make(&m, &config, &image, VIEW("nonce"), &arena, &out, &err) && err.kind == ERR_DIGEST);
    CHECK_ERR("other PCR values");

    m.tee = NULL;
    CHECK(attest_run(&m, &config, &image, &arena, &at, &err) && at.evidence.n == 0);
}
