/* resources: policy, CA, mirrors and credentials out of a source, what is measured of them and when, and what is taken of a source that gives
 * nothing, too much or nonsense. */
#include "lib.h"

#include "step/config.h"
#include "step/measure.h"
#include "step/resources.h"
#include "sys/secret_memory.h"

static const struct given {
    const char *uri, *bytes;
} *given;
static char asked[500];

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e) {
    (void)state;
    snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "%.*s ", VIEW_ARG(view_skip(uri, 7)));
    for (const struct given *g = given; g && g->uri; g++) {
        if (!view_is(uri, g->uri)) continue;
        if (strlen(g->bytes) > max) return err_set(e, ERR_FORMAT, "too long");
        *out = arena_copy(secrets, view_str(g->bytes));
        return true;
    }
    return err_set(e, ERR_POLICY, "denied");
}

static const struct secret_source source = {get, NULL};
static struct config config;
static struct measurement measured;
static struct arena secrets;

#define SIGNED "'signatures':{'allowUnsigned':true},'image':'registry.example/acme/web:1',"
#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"

static void start(const char *policy, const struct given *gives) {
    fresh();
    secret_memory_drop(&secrets);
    CHECK(secret_memory_make(&secrets, 2u << 20, false, &err));
    if (!config_make(quoted(policy), (struct view){0}, VIEW("bundle"), false, &arena, &config, &err)) CHECK_ERR("");
    config.secrets = &source;
    given = gives;
    asked[0] = 0;
    CHECK(measure_begin(&measured, NULL, 15, &arena, &err));
}

static bool logged(const char *part) {
    struct view log = writer_view(&measured.log);
    for (; log.n; log = view_skip(log, 1))
        if (view_starts(log, view_str(part))) return true;
    return false;
}

static bool registry(void) { return resources_registry(&config, &measured, &arena, &secrets, &err); }

TEST(nothing_is_asked_where_nothing_is_named) {
    struct view policy = VIEW("x");
    start("{" SIGNED "'registry':{'mirrors':['cache.example']}}", NULL);
    config.secrets = NULL;
    CHECK(resources_policy(&config, &arena, &policy, &err) && policy.n == 0 && registry());
    CHECK(config.resource_count == 0 && config.policy.mirror_count == 1 && view_is(config.ca_pem, "bundle"));
}

TEST(all_of_them) {
    static const struct given all[] = {{"kbs:///a/b/ca", CERTIFICATE}, {"kbs:///a/b/mirrors", "[\"cache.example/x\"]"},
                                       {"kbs:///a/b/auth", "{\"auths\":{\"registry.example\":{\"auth\":\"YTpi\"}},\"credsStore\":\"x\"}"}, {0}};
    start("{" SIGNED "'registry':{'auth':'kbs:///a/b/auth','ca':'kbs:///a/b/ca','mirrors':'kbs:///a/b/mirrors'}}", all);
    CHECK(registry());
    CHECK(!strcmp(asked, "a/b/ca a/b/mirrors a/b/auth "));
    CHECK(view_is(config.ca_pem, CERTIFICATE) && view_is(config.ca_bundle, "bundle") && view_is(config.policy.mirrors[0], "cache.example/x"));
    struct view user = policy_credential(&config.policy, VIEW("registry.example"), VIEW("acme/web"));
    CHECK(view_is(user, "a:b") && user.p >= secrets.base && user.p < secrets.base + secrets.used); /* in locked memory */
    uint8_t digest[32];
    hash_once(HASH_SHA256, VIEW(CERTIFICATE), digest);
    CHECK(config.resource_count == 2 && !memcmp(config.resources[0].digest.sha256, digest, 32) && view_is(config.resources[1].uri, "kbs:///a/b/mirrors"));
    CHECK(logged("plinth resource {\"digest\":\"sha256:") && logged("\"uri\":\"kbs:///a/b/ca\"}") && logged("\"uri\":\"kbs:///a/b/mirrors\"}"));
    CHECK(!logged("a/b/auth"));
    for (size_t i = 0; i + 3 < arena.used; i++) CHECK(memcmp(arena.base + i, "YTpi", 4)); /* and nowhere else */
}

TEST(another_policy) {
    static const struct given one[] = {{"kbs:///a/b/policy", "{}"}, {"kbs:///a/b/empty", ""}, {0}};
    struct view policy;
    start("{'kbs':{'policy':'kbs:///a/b/policy','url':'https://kbs.example'},'tee':['snp']}", one);
    CHECK(resources_policy(&config, &arena, &policy, &err) && view_is(policy, "{}"));
    start("{'kbs':{'policy':'kbs:///a/b/empty'}}", one);
    CHECK(!resources_policy(&config, &arena, &policy, &err) && err.kind == ERR_FORMAT);
    CHECK_ERR("kbs:///a/b/empty is empty");
    start("{'kbs':{'policy':'kbs:///a/b/none'}}", one);
    CHECK(!resources_policy(&config, &arena, &policy, &err) && err.kind == ERR_POLICY);
    CHECK_ERR("kbs.policy: denied");
    config.secrets = NULL;
    CHECK(!resources_policy(&config, &arena, &policy, &err) && err.kind == ERR_USAGE && strstr(err.mend, "kbs.url"));
    CHECK_ERR("kbs.policy is kbs:///a/b/none, and there is nobody to ask for it");
}

TEST(what_is_no_such_thing) {
    static const struct {
        const char *member, *bytes, *why;
        bool is_measured; /* before it is looked at */
    } cases[] = {
        {"ca", "hello", "kbs:///a/b/x: policy: registry.ca holds no certificate", true},
        {"ca", CERTIFICATE "-----BEGIN CERTIFICATE-----\nMAA=\n", "kbs:///a/b/x: policy: registry.ca", true},
        {"mirrors", "{}", "kbs:///a/b/x: not an array", true},
        {"mirrors", "[5]", "kbs:///a/b/x: policy: registry.mirrors[0]", true},
        {"mirrors", "", "kbs:///a/b/x is empty", false},
        {"auth", "", "kbs:///a/b/x: ", false},
        {"auth", "[]", "kbs:///a/b/x: ", false},
        {"auth", "{\"auths\":{\"registry.example\":{\"auth\":\"c2VjcmV0\"}}}", "is not user:password in base64", false},
        {"auth", "{\"auths\":{\"registry.example\":{\"auth\":\"YTpi\",\"x\":1}}}", "x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct given one[] = {{"kbs:///a/b/x", cases[i].bytes}, {0}};
        char policy[300];
        snprintf(policy, sizeof policy, "{" SIGNED "'registry':{'%s':'kbs:///a/b/x'}}", cases[i].member);
        start(policy, one);
        if (registry()) check_fail("taken: %s", cases[i].bytes);
        CHECK_ERR(cases[i].why);
        CHECK(!strstr(err.text, "c2VjcmV0") && view_is(config.ca_pem, "bundle"));
        CHECK_EQ(logged("plinth resource"), cases[i].is_measured);
    }
}

TEST(a_full_log) {
    static const struct given one[] = {{"kbs:///a/b/ca", CERTIFICATE}, {0}};
    start("{" SIGNED "'registry':{'ca':'kbs:///a/b/ca'}}", one);
    measured.log.size = measured.log.n + 10;
    CHECK(!registry() && view_is(config.ca_pem, "bundle") && !config.policy.ca_pem.n); /* what was not measured does not count */
    CHECK_ERR("does not fit");
}
