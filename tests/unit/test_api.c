#include "lib.h"

#include "base/version.h"
#include "step/api.h"
#include "step/measure.h"
#include "worker/api.h"

static struct api_job job;
static struct api_reply reply;

// One request, as it would come; head and body are what api_missing makes of them.
static unsigned at(bool loopback, const char *text)
{
    struct view v = view_str(text);
    size_t head_n;
    fresh();
    CHECK_EQ(api_missing(v, &head_n), 0);
    reply = api_route(view_first(v, head_n), view_skip(v, head_n), loopback, &job, &arena);
    return reply.status;
}

static unsigned get(const char *target)
{
    char text[8192];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:8006\r\n\r\n", target);
    return at(true, text);
}

static unsigned post(const char *body)
{
    char text[30000];
    snprintf(text, sizeof text, "POST /aa/aael HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    return at(true, text);
}

static bool body_is(const char *text) { return view_is(reply.body, text); }
static bool asks(enum api_kind kind, struct view first) { return reply.status == 0 && reply.ask.kind == kind && view_eq(reply.ask.first, first); }

static void offer(unsigned features) { job = (struct api_job){features, VIEW("tdx")}; }

TEST(info)
{
    offer(3);
    CHECK_EQ(get("/info"), 200);
    CHECK(reply.json && body_is("{\"version\":\"0.1.0\",\"tee\":\"tdx\",\"feature\":\"all\"}"));
    offer(1);
    CHECK(get("/info?x=y") == 200 && body_is("{\"version\":\"0.1.0\",\"feature\":\"resource\"}"));
    offer(2);
    CHECK(get("/info") == 200 && body_is("{\"version\":\"0.1.0\",\"tee\":\"tdx\",\"feature\":\"attestation\"}"));
    CHECK(at(true, "POST /info HTTP/1.1\r\n\r\n") == 405 && body_is("Method Not Allowed"));
}

TEST(only_this_machine)
{
    offer(3);
    CHECK(at(false, "GET /info HTTP/1.1\r\n\r\n") == 403 && body_is("Forbidden"));
    CHECK(at(false, "nonsense\r\n\r\n") == 403);
}

TEST(resources)
{
    offer(1);
    get("/cdh/resource/default/key/1");
    CHECK(asks(API_RESOURCE, VIEW("default/key/1")));
    get("/cdh/resource/../../etc/passwd"); // the monitor refuses it: nothing is resolved here
    CHECK(asks(API_RESOURCE, VIEW("../../etc/passwd")));
    CHECK(get("/cdh/resource") == 404 && body_is("URL NOT FOUND"));
    CHECK(get("/cdh/other/a/b/c") == 404 && get("/cdh") == 404 && get("/") == 404 && get("/cdhx/resource/a/b/c") == 404);
    CHECK_EQ(at(true, "DELETE /cdh/resource/a/b/c HTTP/1.1\r\n\r\n"), 405);
    CHECK(get("/aa/token?token_type=kbs") == 404 && body_is("Attestation Feature Not Enabled"));
    offer(2);
    CHECK(get("/cdh/resource/a/b/c") == 404 && body_is("Resource Feature Not Enabled"));
}

TEST(tokens)
{
    offer(2);
    get("/aa/token?token_type=kbs");
    CHECK(asks(API_TOKEN, (struct view){0}));
    get("/aa/token?token_type=coco_as&x&token_type=k%62s"); // the last counts
    CHECK(asks(API_TOKEN, (struct view){0}));
    CHECK(get("/aa/token") == 400 && body_is("BAD REQUEST"));
    CHECK_EQ(get("/aa/token?token_type"), 500);
    CHECK_EQ(get("/aa/token?token_type=coco_as"), 500);
    CHECK(get("/aa/tokens?token_type=kbs") == 404 && body_is("URL NOT FOUND") && get("/aa/") == 404);
    CHECK_EQ(at(true, "POST /aa/token?token_type=kbs HTTP/1.1\r\n\r\n"), 405);
}

TEST(evidence)
{
    offer(2);
    get("/aa/evidence?runtime_data=a+b%2b%00");
    CHECK(asks(API_EVIDENCE, view_of("a b+", 5)) && reply.ask.second.n == 0);
    get("/aa/evidence?runtime_data=");
    CHECK(asks(API_EVIDENCE, (struct view){0}));
    get("/aa/evidence?encoding=base64&runtime_data=_-8");
    CHECK(asks(API_EVIDENCE, view_of("\xff\xef", 2)));
    get("/aa/evidence?runtime_data=x&format=plinth");
    CHECK(asks(API_EVIDENCE, VIEW("x")) && view_is(reply.ask.second, "plinth"));
    CHECK_EQ(get("/aa/evidence?runtime_data=x&format=xml"), 400);
    CHECK(get("/aa/evidence") == 400 && get("/aa/evidence?runtime=x") == 400);
    CHECK(get("/aa/evidence?runtime_data=YWI=&encoding=base64") == 400 && get("/aa/evidence?runtime_data=ab+_&encoding=base64") == 400);
    CHECK_EQ(get("/aa/evidence?runtime_data=00&encoding=hex"), 400);
    get("/aa/evidence?runtime_data=0123456789012345678901234567890123456789012345678901234567890123");
    CHECK(reply.status == 0 && reply.ask.first.n == 64);
    CHECK_EQ(get("/aa/evidence?runtime_data=01234567890123456789012345678901234567890123456789012345678901234"), 500);
    CHECK(get("/aa/additional-evidence?runtime_data=x") == 200 && reply.body.n == 0 && !reply.json);
    CHECK_EQ(get("/aa/additional-evidence"), 400);
}

TEST(events)
{
    offer(3);
    CHECK(post("{\"domain\":\"app\",\"operation\":\"start\",\"content\":\"a\\u0062 \\\"c\\\"\",\"more\":1}") == 0);
    CHECK(asks(API_EXTEND, VIEW("app")) && view_is(reply.ask.second, "start") && view_is(reply.ask.third, "ab \"c\""));
    static const char *const bad[] = {"", "{", "[]", "{\"domain\":\"a\",\"operation\":\"b\"}", "{\"domain\":1,\"operation\":\"b\",\"content\":\"c\"}",
                                      "{\"domain\":\"a\",\"domain\":\"b\",\"operation\":\"b\",\"content\":\"c\"}",
                                      "{\"domain\":\"a\",\"operation\":\"b\",\"content\":\"c\"} x",
                                      "{\"domain\":\"a\",\"operation\":\"b\",\"content\":\"\\u0000\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(post(bad[i]), 500);
    static char big[4096];
    snprintf(big, sizeof big, "{\"domain\":\"a\",\"operation\":\"b\",\"content\":\"%02100d\"}", 0);
    CHECK_EQ(post(big), 500);
    CHECK_EQ(get("/aa/aael"), 405);
    CHECK(at(true, "POST /aa/aael HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 411);
    CHECK(at(true, "POST /aa/aael HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{}") == 413);
    CHECK(at(true, "POST /aa/aael HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET /info HTTP/1.1\r\n\r\n") == 500); // bytes behind it are nobody's
}

TEST(bad_requests)
{
    offer(3);
    CHECK(at(true, "GET /info\r\n\r\n") == 400 && at(true, "GET /info HTTP/1.1\r\nA : b\r\n\r\n") == 400);
    CHECK(at(true, "POST /aa/aael HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}") == 400);
    static char endless[API_HTTP_MAX + 1];
    memset(endless, 'a', API_HTTP_MAX);
    CHECK(at(true, endless) == 400);
}

TEST(pieces)
{
    static const char text[] = "POST /aa/aael HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    size_t head_n, n = sizeof text - 1;
    for (size_t i = 0; i < n; i++)
        CHECK(api_missing(view_of(text, i), &head_n) == (i < n - 4 ? 1 : n - i) && head_n == (i < n - 4 ? 0 : n - 4));
    CHECK(api_missing(view_of(text, n), &head_n) == 0 && head_n == n - 4);
}

TEST(heads)
{
    char text[256];
    struct writer w = writer_of(text, sizeof text);
    struct api_reply r = {.status = 200, .body = VIEW("abc")};
    api_head(&r, &w);
    CHECK_STR(writer_str(&w), "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
    for (r.status = 0; r.status < 1000; r.status++) {
        w = writer_of(text, sizeof text);
        r.body.n = SIZE_MAX;
        api_head(&r, &w);
        CHECK(!w.full);
    }
}

// ---- the monitor's side ----

static bool nothing(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e)
{
    (void)state, (void)uri, (void)max, (void)secrets;
    *out = VIEW("x");
    (void)e;
    return true;
}

TEST(what_the_boot_used)
{
    static struct policy policy;
    static struct used_resources used;
    const struct secret_source source = {nothing, NULL};
    struct view out;
    policy = (struct policy){0};
    const struct secret_source *watched = used_watch(&used, &source, fresh());
    CHECK(api_allows(&policy, &used, VIEW("a/b/c"), &err));
    CHECK(watched->get(watched->state, VIEW("kbs://host/a/b/c"), 9, &arena, &out, &err) && view_is(out, "x"));
    CHECK(watched->get(watched->state, VIEW("kbs:///a/b/c"), 9, &arena, &out, &err) && used.count == 1);
    CHECK(!api_allows(&policy, &used, VIEW("a/b/c"), &err) && err.kind == ERR_POLICY);
    CHECK_ERR("run.api.resources");
    CHECK(api_allows(&policy, &used, VIEW("a/b/d"), &err));
    char uri[64];
    for (int i = 0; i < 300; i++) {
        snprintf(uri, sizeof uri, "kbs:///r/t/%d", i);
        CHECK(watched->get(watched->state, view_str(uri), 9, &arena, &out, &err));
    }
    CHECK(!api_allows(&policy, &used, VIEW("a/b/d"), &err)); // more than can be known
    policy.api_prefixes[policy.api_prefix_count++] = VIEW("kbs:///a");
    CHECK(api_allows(&policy, &used, VIEW("a/b/c"), &err)); // by name it may be the workload's too
}

TEST(prefixes)
{
    static struct policy policy;
    static struct used_resources used;
    policy = (struct policy){.api_prefix_count = 3, .api_prefixes = {VIEW("kbs:///app"), VIEW("kbs:///r/t/"), VIEW("kbs:///x/y/z")}};
    static const char *const yes[] = {"app/b/c", "r/t/c", "x/y/z"}, *const no[] = {"apps/b/c", "r/tt/c", "x/y/zz", "b/app/c", "r/u/t"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        CHECK(api_allows(&policy, &used, view_str(yes[i]), &err));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        CHECK(!api_allows(&policy, &used, view_str(no[i]), &err) && err.kind == ERR_POLICY);
    policy.api_prefixes[0] = VIEW("kbs:///");
    CHECK(api_allows(&policy, &used, VIEW("b/app/c"), &err));
}

TEST(reserved_domains)
{
    static struct measurement m;
    CHECK(measure_begin(&m, NULL, 15, fresh(), &err) && measure_event(&m, "separator", VIEW("{}"), &err));
    size_t n = m.log.n;
    struct register_bank before = m.banks[0];
    static const struct {
        const char *domain, *operation, *content;
        enum err_kind kind;
    } bad[] = {
        {"plinth", "separator", "{}", ERR_POLICY}, {"plinth", "failure", "{}", ERR_POLICY}, {"github.com/confidential-containers", "PullImage", "{}", ERR_POLICY},
        {"plinth separator", "{}", "", ERR_FORMAT}, {"a", "b c", "d", ERR_FORMAT}, {"a\nb", "c", "d", ERR_FORMAT}, {"a", "b", "c\nd", ERR_FORMAT},
        {"", "b", "c", ERR_FORMAT}, {"a", "", "c", ERR_FORMAT}, {" plinth", "layer", "c", ERR_FORMAT}, {"a", "b", "\xc3\xa4", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!measure_workload(&m, view_str(bad[i].domain), view_str(bad[i].operation), view_str(bad[i].content), &err));
        CHECK_EQ(err.kind, bad[i].kind);
    }
    CHECK(!measure_workload(&m, view_of("plinth\0x", 8), VIEW("b"), VIEW("c"), &err) && err.kind == ERR_FORMAT);
    CHECK(m.log.n == n && memcmp(&before, &m.banks[0], sizeof before) == 0);
    CHECK(measure_workload(&m, VIEW("plinth.example"), VIEW("b"), VIEW("c d"), &err) && m.log.n > n);
    CHECK(memmem(m.log.p + n, m.log.n - n, "plinth.example b c d", 20) != NULL);
    CHECK(measure_workload(&m, VIEW("Plinth"), VIEW("b"), VIEW(""), &err)); // another domain, to the letter
    static char content[1800];
    memset(content, 'x', sizeof content);
    size_t events = 0;
    while (measure_workload(&m, VIEW("a"), VIEW("b"), view_of(content, sizeof content), &err))
        events++;
    CHECK(events > 100 && events < 200 && err.kind == ERR_FORMAT);
    CHECK_ERR("does not fit");
    before = m.banks[0], n = m.log.n;
    CHECK(!measure_workload(&m, VIEW("a"), VIEW("b"), view_of(content, sizeof content), &err));
    CHECK(m.log.n == n && memcmp(&before, &m.banks[0], sizeof before) == 0);
}

TEST(stop_signals)
{
    static const struct {
        const char *name;
        int number;
    } cases[] = {{"SIGTERM", 15}, {"TERM", 15}, {"15", 15}, {"SIGQUIT", 3}, {"SIGWINCH", 28}, {"SIGRTMIN", 34}, {"SIGRTMIN+3", 37}, {"RTMAX-1", 63},
                 {"64", 64}, {"SIGKILL", 9}, {"0", 0}, {"65", 0}, {"-1", 0}, {"", 0}, {"SIGX", 0}, {"sigterm", 0}, {"SIGRTMIN+31", 0}, {"15 ", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(supervise_signal(view_str(cases[i].name)), cases[i].number);
}
