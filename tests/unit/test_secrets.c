// secrets_collect over a source that gives, denies and is silent; then sealed ones, made by tests/e2e/sealed.py.
#include "lib.h"

#include "step/secrets.h"
#include "sys/secret_memory.h"

static struct config config;
static struct process process;
static struct arena locked;
static struct workload_secrets out;
static const char *asked[16];
static size_t asked_count;

static struct resource {
    const char *uri;
    struct view bytes;
} resources[8];

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *bytes, struct err *e) {
    CHECK(state == resources && max <= SECRET_MAX && secrets != &locked);
    asked[asked_count++ % 16] = arena_str(&arena, uri);
    for (struct resource *r = resources; r->uri; r++)
        if (view_is(uri, r->uri)) {
            *bytes = arena_copy(secrets, r->bytes);
            return true;
        }
    if (view_is(uri, "kbs:///silent/a/b")) return err_set(e, ERR_NETWORK, "no answer");
    return err_set(e, ERR_POLICY, "%.*s: denied, or there is none", VIEW_ARG(uri));
}

static const struct secret_source source = {get, resources};

// A policy with these run.secrets (JSON, ' for "), no environment, no resources.
static void start(const char *secrets) {
    char text[4096];
    fresh();
    secret_memory_drop(&locked);
    CHECK(secret_memory_make(&locked, 4u << 20, false, &err));
    memset(resources, 0, sizeof resources);
    snprintf(text, sizeof text, "{'signatures':{'allowUnsigned':true},'kbs':{'url':'https://kbs.example'},'run':{'secrets':%s}}", secrets);
    config = (struct config){.secrets = &source};
    process = (struct process){.env.items = arena_alloc(&arena, 8 * sizeof(struct view))};
    out = (struct workload_secrets){.file_count = 99};
    asked_count = 0;
    if (!policy_parse(quoted(text), &arena, &config.policy, &err)) check_fail("%s", err.text);
}

static void env(const char *variable) { process.env.items[process.env.count++] = view_str(variable); }
static bool collect(void) { return secrets_collect(&config, &process, &locked, &out, &err); }

static void refused(enum err_kind kind, const char *why) {
    CHECK(!collect());
    CHECK(err.kind == kind);
    check_err(__FILE__, __LINE__, why);
    CHECK_EQ(out.file_count, 99);
}

TEST(files_and_variables) {
    start("[{'uri':'kbs:///a/b/1','file':'key','mode':'0440','owner':'web:adm'},{'uri':'kbs:///a/b/2','env':'TOKEN'},{'uri':'kbs:///a/b/1','file':'again'}]");
    resources[0] = (struct resource){"kbs:///a/b/1", VIEW("bytes\0with NUL")};
    resources[1] = (struct resource){"kbs:///a/b/2", VIEW("a=b\n")};
    CHECK(collect());
    CHECK_EQ(out.file_count, 2);
    CHECK(view_is(out.files[0].name, "key") && view_eq(out.files[0].bytes, VIEW("bytes\0with NUL")) && out.files[0].mode == 0440);
    CHECK(view_is(out.files[0].owner, "web:adm"));
    CHECK(view_is(out.files[1].name, "again") && out.files[1].mode == 0400 && !out.files[1].owner.n);
    CHECK_EQ(out.env.count, 1);
    CHECK_STR((const char *)out.env.items[0].p, "TOKEN=a=b\n"); // with a NUL behind it
    CHECK_EQ(out.env.items[0].n, 10);
    for (size_t i = 0; i < out.file_count; i++)
        CHECK(out.files[i].bytes.p >= locked.base && out.files[i].bytes.p < locked.base + locked.used);
    CHECK(out.env.items[0].p >= locked.base && out.env.items[0].p < locked.base + locked.used);
    CHECK_EQ(asked_count, 3);
}

TEST(none) {
    start("[]");
    config.secrets = NULL;
    CHECK(collect());
    CHECK(out.file_count == 0 && out.env.count == 0);
}

TEST(one_missing_is_all_missing) {
    start("[{'uri':'kbs:///a/b/1','file':'key'},{'uri':'kbs:///a/b/2','env':'TOKEN'}]");
    resources[0] = (struct resource){"kbs:///a/b/1", VIEW("x")};
    refused(ERR_POLICY, "run.secrets[1], variable TOKEN: kbs:///a/b/2: denied, or there is none");
    start("[{'uri':'kbs:///silent/a/b','file':'key'}]");
    refused(ERR_NETWORK, "run.secrets[0], /run/secrets/key: no answer");
    start("[{'uri':'kbs:///a/b/1','file':'key'}]");
    config.secrets = NULL;
    refused(ERR_POLICY, "nobody to ask");
    CHECK(strstr(err.mend, "kbs.url"));
}

TEST(empty_and_too_large) {
    static uint8_t big[SECRET_MAX + 1];
    memset(big, 'x', sizeof big);
    start("[{'uri':'kbs:///a/b/1','file':'key'}]");
    resources[0] = (struct resource){"kbs:///a/b/1", VIEW("")};
    refused(ERR_POLICY, "it is empty");
    resources[0].bytes = view_of(big, sizeof big); // a source that does not keep to its word
    refused(ERR_POLICY, "1048577 bytes, 1048576 are accepted");
    resources[0].bytes = view_of(big, sizeof big - 1);
    CHECK(collect());
    CHECK_EQ(out.files[0].bytes.n, SECRET_MAX);
}

TEST(variable_limits) {
    static uint8_t big[SECRET_VARIABLE_MAX];
    memset(big, 'x', sizeof big);
    start("[{'uri':'kbs:///a/b/1','env':'T'}]");
    resources[0] = (struct resource){"kbs:///a/b/1", VIEW("a\0b")};
    refused(ERR_POLICY, "NUL byte");
    resources[0].bytes = view_of(big, SECRET_VARIABLE_MAX - 1);
    refused(ERR_POLICY, "131072 bytes, a variable can have 131071");
    resources[0].bytes = view_of(big, SECRET_VARIABLE_MAX - 2);
    CHECK(collect());
    CHECK_EQ(out.env.items[0].n, SECRET_VARIABLE_MAX);
    CHECK(!strstr(err.mend, "xxx") && !strstr(err.text, "xxx"));
}

TEST(locked_memory_full) {
    start("[{'uri':'kbs:///a/b/1','file':'1'},{'uri':'kbs:///a/b/1','file':'2'}]");
    static uint8_t big[SECRET_MAX];
    memset(big, 'x', sizeof big);
    resources[0] = (struct resource){"kbs:///a/b/1", view_of(big, sizeof big)};
    secret_memory_drop(&locked);
    CHECK(secret_memory_make(&locked, 1u << 21, false, &err));
    refused(ERR_SYSTEM, "run.secrets[1], /run/secrets/2: more than");
}

TEST(variable_of_the_process) {
    start("[{'env':'TOKEN'}]");
    refused(ERR_POLICY, "no uri, no sealed, and the process has no such variable that begins with 'sealed.'");
    env("TOKENS=sealed.x");
    env("NOTTOKEN=sealed.x");
    refused(ERR_POLICY, "no such variable");
    env("TOKEN=plain-secret-value");
    refused(ERR_POLICY, "no such variable");
    CHECK(!strstr(err.text, "plain-secret-value") && !strstr(err.mend, "plain-secret-value"));
    CHECK_EQ(asked_count, 0);
    process.env.count--;
    env("TOKEN=sealed.x.y.z");
    CHECK(!collect());
    CHECK(err.kind == ERR_FORMAT || err.kind == ERR_SIGNATURE);
    CHECK_ERR("run.secrets[0], variable TOKEN");
}

TEST(not_sealed_from_a_uri) { // what a KBS gives as it is stays as it is, whatever it looks like
    start("[{'uri':'kbs:///a/b/1','env':'TOKEN'}]");
    env("TOKEN=sealed.of.the.image");
    resources[0] = (struct resource){"kbs:///a/b/1", VIEW("sealed.x.y.z")};
    CHECK(collect());
    CHECK_STR((const char *)out.env.items[0].p, "TOKEN=sealed.x.y.z");
}

// tests/e2e/sealed.py with the scalar 7 and the key 00 01 02 .. 1f.
#define JWK "{\"kty\": \"EC\", \"crv\": \"P-256\", \"alg\": \"ES256\", \"x\": \"jlM7b6C_e0YluzBmfAH7YH75-LioD-9bMAYocDGHsqM\", \"y\": \"c-sdveAzGDZtBp-DpvWQAFPHNjPLBBshxV4ahsH0ALQ\"}"
#define VAULT \
    "sealed.eyJhbGciOiAiRVMyNTYiLCAia2lkIjogImticzovLy9hY21lL3NpZ25lci8xIn0.eyJ2ZXJzaW9uIjogIjAuMS4wIiwgInR5cGUiOiA" \
    "idmF1bHQiLCAicHJvdmlkZXIiOiAia2JzIiwgIm5hbWUiOiAia2JzOi8vL2EvYi8yIiwgInByb3ZpZGVyX3NldHRpbmdzIjoge30sICJhbm5vd" \
    "GF0aW9ucyI6IHt9fQ.glbwvMr2e5mrtCo6_-xihIG6XSU8rBZHzjTsOuZrZmbeTboRpu-qcXAEMJNT7VYrrfM6wGqob0IYi9D73YzFWw"
#define ENVELOPE \
    "sealed.eyJhbGciOiAiRVMyNTYiLCAia2lkIjogImticzovLy9hY21lL3NpZ25lci8xIn0.eyJ2ZXJzaW9uIjogIjAuMS4wIiwgInR5cGUiOiA" \
    "iZW52ZWxvcGUiLCAicHJvdmlkZXIiOiAia2JzIiwgImtleV9pZCI6ICJrYnM6Ly8vYWNtZS9rZXkvMSIsICJ3cmFwX3R5cGUiOiAiQTI1NkdDT" \
    "SIsICJpdiI6ICJyT0lBSmt4anRWdjkrL1lMIiwgImVuY3J5cHRlZF9rZXkiOiAiWEdXRzAzbi96c0E3UVoxQUQ3WVFrdFhjUGVIZGszWTRpYm9" \
    "6NHBSY01oSWluWVNjSTNmaGJaZjkwMDNIN240TyIsICJlbmNyeXB0ZWRfZGF0YSI6ICJ0bUo5MDF0bDI1Q0t5UXh5NVI1ZHhUQlFiOGRnUGZxS" \
    "0hiRjJCbGVUTlJnPSIsICJwcm92aWRlcl9zZXR0aW5ncyI6IHt9LCAiYW5ub3RhdGlvbnMiOiB7Iml2IjogImRnL3JVTmREb1RtTVg1Z2EifX0" \
    ".kPi7xaE8DlwW2MgGPgxLUx8kKJNM1nCOsfB6I9-rJvolr9Pbg2vq1e3DWcViZCzkMORT9_ozTNa78DBV6EfcMQ"

static void add_sealed_keys(void) {
    static uint8_t key[32];
    for (uint8_t i = 0; i < 32; i++) key[i] = i;
    resources[0] = (struct resource){"kbs:///acme/signer/1", VIEW(JWK)};
    resources[1] = (struct resource){"kbs:///a/b/2", VIEW("from the vault")};
    resources[2] = (struct resource){"kbs:///acme/key/1", view_of(key, sizeof key)};
}

TEST(sealed_forms) {
    start("[{'sealed':'" VAULT "','file':'v'},{'sealed':'" ENVELOPE "','file':'e'},{'env':'V'},{'env':'E'}]");
    env("V=" VAULT);
    env("E=" ENVELOPE);
    add_sealed_keys();
    CHECK(collect());
    CHECK(out.file_count == 2 && view_is(out.files[0].bytes, "from the vault") && view_is(out.files[1].bytes, "from an envelope"));
    CHECK(out.env.count == 2 && view_is(out.env.items[0], "V=from the vault") && view_is(out.env.items[1], "E=from an envelope"));
    CHECK(view_is(process.env.items[0], "V=" VAULT)); // what is measured stays
}

TEST(sealed_is_not_opened) {
    start("[{'sealed':'" ENVELOPE "','file':'e'}]");
    refused(ERR_POLICY, "kbs:///acme/signer/1: denied");
    add_sealed_keys();
    resources[2].uri = "kbs:///x/y/z";
    refused(ERR_POLICY, "kbs:///acme/key/1: denied");
    add_sealed_keys();
    ((uint8_t *)resources[2].bytes.p)[3] ^= 1;
    refused(ERR_DIGEST, "another key");
    start("[{'sealed':'" VAULT "A','file':'v'}]");
    add_sealed_keys();
    CHECK(!collect());
    CHECK_ERR("run.secrets[0], /run/secrets/v");
    start("[{'sealed':'" VAULT "','file':'v'}]");
    add_sealed_keys();
    resources[0].bytes = quoted("{'kty':'EC','crv':'P-256','x':'axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY','y':'T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU'}");
    refused(ERR_SIGNATURE, "not signed with the key at kbs:///acme/signer/1");
}

// What is read from the KBS but not given to the workload is nowhere in the memory that stays.
TEST(keys_do_not_stay) {
    start("[{'sealed':'" ENVELOPE "','file':'e'}]");
    add_sealed_keys();
    CHECK(collect());
    CHECK(memmem(locked.base, locked.used, "from an envelope", 16) != NULL);
    CHECK(memmem(locked.base, locked.used, resources[2].bytes.p, 32) == NULL);
    CHECK(memmem(locked.base, locked.used, "P-256", 5) == NULL);
}
