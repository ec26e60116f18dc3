// replay: Plinth's log of a good boot, and every way in which it could be bent.
#include "lib.h"

#include "tools/appraise/replay.h"

#define SHA(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define MR 4u

struct line {
    const char *domain, *operation, *content; // ' stands for "
};
static const struct line boot[] = {
    {"plinth", "boot", "{'agent':'plinth 0.1.0'}"},
    {"plinth", "policy", "{'digest':'" SHA("aa") "','weaknesses':'signatures.allowUnsigned registry.allowHttp'}"},
    {"plinth", "manifest", "{'digest':'" SHA("bb") "','image':'host/repo:tag','index':'" SHA("cc") "'}"},
    {"github.com/confidential-containers", "PullImage", "{'digest':'" SHA("bb") "','image':'host/repo:tag'}"},
    {"plinth", "config", "{'digest':'" SHA("dd") "'}"},
    {"plinth", "layer", "{'diffID':'" SHA("e0") "','digest':'" SHA("f0") "','index':0}"},
    {"plinth", "layer", "{'diffID':'" SHA("e1") "','digest':'" SHA("f1") "','index':1}"},
    {"plinth", "launch", "{'process':'" SHA("ab") "','user':'nginx'}"},
    {"plinth", "separator", "{}"},
};
#define BOOT (sizeof boot / sizeof *boot)

static struct register_bank banks[2] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}}, value[2];
static struct writer out;
static struct replay r;

static void begin(void) {
    fresh();
    out = writer_of(arena_alloc(&arena, 1 << 16), 1 << 16);
    memset(value[0].value, 0, HASH_MAX), memset(value[1].value, 0, HASH_MAX);
    value[0].alg = HASH_SHA256, value[1].alg = HASH_SHA384;
    event_log_header(banks, 2, &out);
}

static void add(uint32_t mr, const char *domain, const char *operation, const char *content) {
    uint8_t bytes[EVENT_MAX], digest[HASH_MAX];
    struct writer event = writer_of(bytes, sizeof bytes);
    if (!event_encode(domain, operation, quoted(content), &event, &err)) check_fail("%s", err.text);
    event_record(mr, banks, 2, writer_view(&event), &out);
    for (size_t i = 0; i < 2; i++) {
        hash_once(banks[i].alg, writer_view(&event), digest);
        register_extend(&value[i], digest);
    }
}

static bool replays(void) {
    err = (struct err){0};
    return replay_log(writer_view(&out), MR, banks, 2, &arena, &r, &err);
}

// A boot whose line `at` is `with` instead; NULL operation: it is left out.
static bool bent(size_t at, struct line with) {
    begin();
    for (size_t i = 0; i < BOOT; i++) {
        struct line l = i == at ? with : boot[i];
        if (l.operation) add(MR, l.domain, l.operation, l.content);
    }
    return replays();
}

#define REFUSED(cond, kind_, part)                                                                  \
    do {                                                                                            \
        if (cond) check_fail("line %d: accepted", __LINE__);                                        \
        if (err.kind != kind_ || !strstr(err.text, part))                                           \
            check_fail("line %d: %d: %s; wanted %d with \"%s\"", __LINE__, err.kind, err.text, kind_, part); \
    } while (0)

static bool is(struct view v, const char *s) { return view_is(v, s); }

TEST(a_good_boot) {
    if (!bent(BOOT, (struct line){0})) check_fail("%s", err.text);
    CHECK_EQ(r.event_count, BOOT);
    CHECK_EQ(r.workload_count, 0);
    CHECK(r.separated && is(r.agent, "plinth 0.1.0") && is(r.policy, SHA("aa")) && is(r.manifest, SHA("bb")) && is(r.index, SHA("cc")));
    CHECK(is(r.weaknesses, "signatures.allowUnsigned registry.allowHttp") && is(r.image, "host/repo:tag") && is(r.config, SHA("dd")));
    CHECK(is(r.process, SHA("ab")) && is(r.user, "nginx") && !r.failure.n);
    CHECK_EQ(r.layer_count, 2);
    CHECK(is(r.layers[1].diff_id, SHA("e1")) && is(r.layers[0].digest, SHA("f0")));
    CHECK(!memcmp(r.banks[0].value, value[0].value, 32) && !memcmp(r.banks[1].value, value[1].value, 48));
    CHECK(!memcmp(r.boot, r.banks, sizeof r.boot));
    CHECK(is(r.events[8], "plinth separator {}"));
    struct register_bank have[2];
    CHECK(replay_register(writer_view(&out), MR, banks, 2, have, &err) && !memcmp(have[1].value, value[1].value, 48));
    // An image without layers, without weaknesses and index.
    begin();
    for (size_t i = 0; i < BOOT; i++)
        if (i != 5 && i != 6)
            add(MR, boot[i].domain, boot[i].operation,
                i == 1 ? "{'digest':'" SHA("aa") "'}" : i == 2 ? "{'digest':'" SHA("bb") "','image':'host/repo:tag'}" : boot[i].content);
    CHECK(replays() && r.layer_count == 0 && !r.index.n && !r.weaknesses.n);
}

TEST(the_workload_appends) {
    begin();
    for (size_t i = 0; i < BOOT; i++) add(MR, boot[i].domain, boot[i].operation, boot[i].content);
    struct register_bank at_boot = value[1];
    add(MR, "acme.example", "anything", "not even JSON");
    add(MR, "github.com/confidential-containers", "PullImage", "{'digest':'" SHA("11") "','image':'other'}");
    if (!replays()) check_fail("%s", err.text);
    CHECK_EQ(r.workload_count, 2);
    CHECK(is(r.image, "host/repo:tag") && is(r.manifest, SHA("bb")));
    CHECK(!memcmp(r.boot[1].value, at_boot.value, 48) && !memcmp(r.banks[1].value, value[1].value, 48) && memcmp(at_boot.value, value[1].value, 48));
    for (size_t i = 0; i < BOOT; i++) {
        begin();
        for (size_t k = 0; k < BOOT; k++) add(MR, boot[k].domain, boot[k].operation, boot[k].content);
        add(MR, boot[i].domain, boot[i].operation, boot[i].content);
        if (i == 3) CHECK(replays()); // CoCo's domain is the workload's, too
        else REFUSED(replays(), ERR_FORMAT, "behind the separator");
    }
}

TEST(order_is_fixed) {
    for (size_t i = 0; i < BOOT; i++) { // each one missing; each one twice; each one before its neighbour
        bool layer = i == 6; // the last layer may be missing: then it was another image
        CHECK(bent(i, (struct line){0}) == layer);
        begin();
        for (size_t k = 0; k < BOOT; k++)
            for (size_t n = 0; n < (k == i ? 2u : 1u); n++) add(MR, boot[k].domain, boot[k].operation, boot[k].content);
        CHECK(!replays());
        if (i + 1 == BOOT) break;
        begin();
        for (size_t k = 0; k < BOOT; k++) {
            const struct line *l = &boot[k == i ? i + 1 : k == i + 1 ? i : k];
            add(MR, l->domain, l->operation, l->content);
        }
        CHECK(!replays());
    }
    REFUSED(bent(BOOT - 1, (struct line){0}), ERR_POLICY, "without the separator");
    REFUSED(bent(4, (struct line){0}), ERR_FORMAT, "'layer' where 'config' is due");
    begin();
    REFUSED(replays(), ERR_POLICY, "where 'boot' is due");
}

TEST(events_that_no_boot_has) {
    for (size_t i = 0; i < BOOT; i++) {
        static const struct line extra[] = {{"plinth", "secret", "{}"}, {"acme", "boot", "{}"}, {"acme", "PullImage", "{}"},
                                            {"github.com/confidential-containers", "PullLayer", "{}"}, {"plinth", "PullImage", "{}"},
                                            {"plinthx", "separator", "{}"}};
        for (size_t x = 0; x < sizeof extra / sizeof *extra; x++) {
            begin();
            for (size_t k = 0; k < BOOT; k++) {
                if (k == i) add(MR, extra[x].domain, extra[x].operation, extra[x].content);
                add(MR, boot[k].domain, boot[k].operation, boot[k].content);
            }
            REFUSED(replays(), ERR_FORMAT, "is no event of a boot");
        }
    }
    begin();
    add(MR, "plinth", "boot", boot[0].content);
    event_record(MR, banks, 2, VIEW("\0\0\0\0\0\0\0\0"), &out);
    REFUSED(replays(), ERR_FORMAT, "no event in CoCo's form");
}

TEST(a_boot_that_failed) {
    for (size_t i = 1; i < BOOT; i++) {
        begin();
        for (size_t k = 0; k < i; k++) add(MR, boot[k].domain, boot[k].operation, boot[k].content);
        add(MR, "plinth", "failure", i & 1 ? "{'reason':'layer 3 is not what it says'}" : "{'inFlight':'layer','reason':'layer 3 is not what it says'}");
        REFUSED(replays(), ERR_POLICY, "the boot failed: layer 3");
        CHECK(is(r.failure, "layer 3 is not what it says"));
    }
}

static bool begins(void) {
    err = (struct err){0};
    return replay_prefix(writer_view(&out), MR, banks, 2, &arena, &r, &err);
}

// Only the end of a stage is a boot that is not over; and for nobody who wants a whole one.
TEST(how_a_boot_begins) {
    static const enum replay_stage stages[BOOT + 1] = {0, 0, REPLAY_STARTED, 0, 0, REPLAY_IMAGE, REPLAY_IMAGE, REPLAY_IMAGE, 0, REPLAY_LAUNCHED};
    for (size_t n = 0; n <= BOOT; n++) {
        begin();
        for (size_t i = 0; i < n; i++) add(MR, boot[i].domain, boot[i].operation, boot[i].content);
        CHECK(begins() == (stages[n] != REPLAY_NONE) && (!n || r.stage == stages[n]));
        if (!stages[n]) CHECK(err.kind == ERR_POLICY && strstr(err.text, "the boot was not over"));
        if (n < BOOT) REFUSED(replays(), ERR_POLICY, "the log ends without the separator");
        CHECK(r.separated == (n == BOOT) && r.event_count == n);
        // Nothing else is let through.
        add(MR, "acme", "stray", "{}");
        if (n < BOOT) REFUSED(begins(), ERR_FORMAT, "is no event of a boot");
        else CHECK(begins() && r.workload_count == 1 && r.stage == REPLAY_LAUNCHED);
    }
    begin();
    add(MR, "plinth", "boot", boot[0].content), add(MR, "plinth", "policy", boot[1].content), add(MR, "plinth", "failure", "{'reason':'no'}");
    REFUSED(begins(), ERR_POLICY, "the boot failed: no");
    CHECK_STR(replay_stage_name(REPLAY_STARTED), "started");
    CHECK_STR(replay_stage_name(REPLAY_IMAGE), "image");
    CHECK_STR(replay_stage_name(REPLAY_LAUNCHED), "launched");
}

#define SECOND "{'digest':'" SHA("a2") "','uri':'kbs:///acme/policy/web'}"
#define WEAK "{'weaknesses':'registry.allowHttp'}"
#define RESOURCE "{'digest':'" SHA("c0") "','uri':'kbs:///acme/registry/ca'}"
static const struct line more[] = {{"plinth", "initdata", "{'digest':'" SHA("11") "'}"}, {"plinth", "policy", SECOND}, {"plinth", "weaknesses", WEAK},
                                   {"plinth", "resource", RESOURCE},
                                   {"plinth", "resource", "{'digest':'" SHA("c1") "','uri':'kbs:///acme/registry/mirrors'}"}};
// A good boot with more[i] before event at[i] of it.
static void with(const size_t at[5]) {
    begin();
    for (size_t i = 0; i < BOOT; i++) {
        for (size_t k = 0; k < 5; k++)
            if (at[k] == i) add(MR, more[k].domain, more[k].operation, more[k].content);
        add(MR, boot[i].domain, boot[i].operation, boot[i].content);
    }
}

TEST(initdata_second_policy_and_resources) {
    with((size_t[]){1, 2, 2, 2, 2});
    if (!replays()) check_fail("%s: %s", err.trail, err.text);
    CHECK(is(r.initdata, SHA("11")) && is(r.policy, SHA("a2")) && is(r.named_by, SHA("aa")) && is(r.policy_uri, "kbs:///acme/policy/web"));
    CHECK(is(r.weaknesses, "signatures.allowUnsigned registry.allowHttp registry.allowHttp"));
    CHECK(r.resource_count == 2 && is(r.resources[1].uri, "kbs:///acme/registry/mirrors") && is(r.resources[0].digest, SHA("c0")));
    CHECK_EQ(r.event_count, BOOT + 5);
    // Each alone, and each at every other place; weaknesses go with the second policy.
    for (size_t k = 0; k < 5; k++)
        for (size_t i = 0; i <= BOOT; i++) {
            size_t at[5] = {BOOT, BOOT, BOOT, BOOT, BOOT};
            at[k] = i;
            with(at);
            bool good = i == BOOT || (k != 2 && i == (k ? 2 : 1));
            if (replays() != good) check_fail("%s before event %zu: %s", more[k].operation, i, good ? err.text : "accepted");
        }
    with((size_t[]){BOOT, 2, BOOT, BOOT, BOOT});
    CHECK(replays() && is(r.policy, SHA("a2")) && is(r.weaknesses, "signatures.allowUnsigned registry.allowHttp"));
    with((size_t[]){BOOT, BOOT, BOOT, 2, BOOT});
    CHECK(replays() && is(r.policy, SHA("aa")) && !r.named_by.n && r.resource_count == 1);
    // A resource before the second policy; a third policy, a third resource, initdata twice; a second policy without uri, a first one with.
    struct line bad[][3] = {{more[3], more[1]}, {more[1], more[1]}, {more[3], more[3], more[3]}, {more[0]}, {more[2], more[1]},
                            {more[1], more[2], more[2]}, {more[1], more[3], more[2]}, {more[1], {"plinth", "weaknesses", "{}"}},
                            {{"plinth", "policy", "{'digest':'" SHA("a2") "','uri':'kbs:///a/b/c','weaknesses':'x'}"}},
                            {{"plinth", "policy", "{'digest':'" SHA("a2") "'}"}}, {{"plinth", "policy", "{'uri':'kbs:///a/b/c'}"}},
                            {{"plinth", "resource", "{'digest':'" SHA("c0") "'}"}}, {{"plinth", "resource", "{'uri':'kbs:///a/b/c'}"}},
                            {{"plinth", "resource", "{'digest':'" SHA("c0") "','uri':'kbs:///a/b/c','x':1}"}}, {{"acme", "resource", RESOURCE}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin();
        for (size_t k = 0; k < BOOT; k++) {
            for (size_t n = 0; k == 2 && n < 3 && bad[i][n].operation; n++) add(MR, bad[i][n].domain, bad[i][n].operation, bad[i][n].content);
            add(MR, boot[k].domain, boot[k].operation, boot[k].content);
        }
        if (replays()) check_fail("case %zu: accepted", i);
    }
    CHECK(!bent(1, (struct line){"plinth", "policy", SECOND}) && strstr(err.text, "uri"));
}

TEST(contents_are_exact) {
    struct {
        size_t at;
        const char *content, *part;
    } bad[] = {
        {0, "{}", "agent"}, {0, "{'agent':1}", "agent"}, {0, "{'agent':'x','more':1}", "more"}, {0, "[]", "no JSON object"}, {0, "", ""},
        {0, "{'agent':'a','agent':'a'}", "agent"}, {0, "{'agent':'a'} {}", ""},
        {1, "{'digest':'sha256:aa'}", "sha256:aa"}, {1, "{'digest':'" SHA("AA") "'}", ""}, {1, "{'digest':'" SHA("aa") "','weaknesses':[]}", "weaknesses"},
        {2, "{'digest':'" SHA("bb") "'}", "image"}, {2, "{'digest':'" SHA("bb") "','image':'host/repo:tag','index':'x'}", "x"},
        {3, "{'digest':'" SHA("bc") "','image':'host/repo:tag'}", "another digest"}, {3, "{'digest':'" SHA("bb") "','image':'host/repo:other'}", "another image"},
        {4, "{}", "digest"}, {5, "{'diffID':'" SHA("e0") "','digest':'" SHA("f0") "','index':1}", "layer 1, the next one is 0"},
        {6, "{'diffID':'" SHA("e0") "','digest':'" SHA("f0") "','index':0}", "layer 0, the next one is 1"},
        {5, "{'diffID':'" SHA("e0") "','index':0}", "digest"}, {5, "{'digest':'" SHA("e0") "','index':0}", "diffID"},
        {7, "{'process':'" SHA("ab") "'}", "user"}, {7, "{'user':'x'}", "process"}, {8, "{'x':1}", "x"}, {8, "", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct line l = boot[bad[i].at];
        l.content = bad[i].content;
        if (bent(bad[i].at, l)) check_fail("case %zu: accepted", i);
        char number[32];
        snprintf(number, sizeof number, "event %zu", bad[i].at + 1);
        if (!strstr(err.text, bad[i].part) || !strstr(err.trail, number)) check_fail("case %zu: %s: %s", i, err.trail, err.text);
    }
}

TEST(registers_and_digests) {
    begin();
    add(MR + 1, "plinth", "boot", boot[0].content);
    REFUSED(replays(), ERR_FORMAT, "a record of register 5");
    struct register_bank have[2], strong[3] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}, {.alg = HASH_SHA512}};
    CHECK(!replay_register(writer_view(&out), MR, banks, 2, have, &err));
    CHECK(bent(BOOT, (struct line){0}));
    CHECK(!replay_log(writer_view(&out), MR, strong, 3, &arena, &r, &err) && strstr(err.text, "without a sha512 digest"));
    // A record's digest is one thing, its event another.
    size_t at = out.n - 3;
    out.p[at] ^= 1;
    REFUSED(replays(), ERR_DIGEST, "not that of the event");
    out.p[at] ^= 1;
    // Without its header it is no log of ours.
    struct writer whole = out;
    out.p += 65, out.n -= 65;
    CHECK(!replays());
    out = whole;
    CHECK(replays());
}

TEST(cut_or_bent_anywhere) {
    CHECK(bent(BOOT, (struct line){0}));
    struct view whole = writer_view(&out);
    struct register_bank good[2];
    memcpy(good, r.banks, sizeof good);
    struct arena mine = {0};
    CHECK(arena_make(&mine, 1 << 20, &err));
    for (size_t n = 0; n < whole.n; n++) {
        mine.used = 0;
        if (replay_log(view_first(whole, n), MR, banks, 2, &mine, &r, &err)) check_fail("cut at %zu: accepted", n);
    }
    for (size_t i = 0; i < whole.n; i++)
        for (uint8_t bit = 1; bit; bit = (uint8_t)(bit << 1)) {
            mine.used = 0;
            out.p[i] ^= bit;
            bool ok = replay_log(whole, MR, banks, 2, &mine, &r, &err);
            if (ok && memcmp(good[1].value, r.banks[1].value, 48)) check_fail("bit of byte %zu: another register, accepted", i);
            out.p[i] ^= bit;
        }
    arena_drop(&mine);
}
