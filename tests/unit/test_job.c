#include "lib.h"

#include "worker/job.h"

static uint8_t bytes[2048];
static struct writer w;

static struct writer *out(void)
{
    w = writer_of(bytes, sizeof bytes);
    return &w;
}

static bool is_source(struct view v)
{
    struct fetch_source s;
    return fetch_source_decode(v, &s, &err);
}

TEST(fetch_source)
{
    struct fetch_source s = {.endpoint_count = 2, .allow_http = true, .os = VIEW("linux"), .architecture = VIEW("amd64"), .variant = VIEW("")}, t;
    s.endpoints[0] = (struct fetch_endpoint){VIEW("mirror.example:5000"), VIEW("a/b"), VIEW("")};
    s.endpoints[1] = (struct fetch_endpoint){VIEW("registry.example"), VIEW("b"), VIEW("user:pass word")};
    fetch_source_encode(&s, out());
    CHECK(!w.full && fetch_source_decode(writer_view(&w), &t, &err));
    CHECK(t.endpoint_count == 2 && t.allow_http && view_is(t.os, "linux") && view_is(t.architecture, "amd64") && t.variant.n == 0);
    CHECK(view_is(t.endpoints[0].host, "mirror.example:5000") && view_is(t.endpoints[1].credential, "user:pass word") && view_is(t.endpoints[1].repository, "b"));
    broken(writer_view(&w), w.n, is_source);
    write_u8(&w, 0);
    CHECK(!is_source(writer_view(&w)) && err.kind == ERR_FORMAT);
}

TEST(fetch_source_bounds)
{
    static char text[70000];
    memset(text, 'a', sizeof text);
    for (size_t count = 0; count <= FETCH_ENDPOINTS_MAX + 1; count++) {
        memset(bytes, 0, sizeof bytes);
        bytes[0] = (uint8_t)count;
        CHECK_EQ(is_source(view_of(bytes, 1 + 6 * count + 7)), count >= 1 && count <= FETCH_ENDPOINTS_MAX);
    }
    struct fetch_source s = {.endpoint_count = 1};
    s.endpoints[0].host = view_of(text, 261);
    fetch_source_encode(&s, out());
    CHECK(is_source(writer_view(&w)));
    s.endpoints[0].host.n = 262;
    fetch_source_encode(&s, out());
    CHECK(!w.full && !is_source(writer_view(&w)));
    static uint8_t big[140000];
    s.endpoints[0] = (struct fetch_endpoint){.credential = view_of(text, 65536)};
    w = writer_of(big, sizeof big);
    fetch_source_encode(&s, &w);
    CHECK(w.full);
}

static bool is_job(struct view v)
{
    struct unpack_job j;
    return unpack_job_decode(v, &j, &err);
}

TEST(unpack_job)
{
    struct unpack_job j = {LAYER_ZSTD, 1ull << 40, 12345, true, false, true}, k;
    unpack_job_encode(&j, out());
    CHECK(unpack_job_decode(writer_view(&w), &k, &err));
    CHECK(k.compression == LAYER_ZSTD && k.bytes_max == 1ull << 40 && k.files_max == 12345 && k.allow_devices && !k.as_root && k.overlay_xattr);
    broken(writer_view(&w), w.n, is_job);
    bytes[0] = LAYER_ZSTD + 1;
    CHECK(!is_job(writer_view(&w)));
    bytes[0] = LAYER_PLAIN;
    bytes[w.n - 1] = 2;
    CHECK(!is_job(writer_view(&w)));
}

static bool is_result(struct view v)
{
    struct unpack_result r;
    return unpack_result_decode(v, &r, &err);
}

TEST(unpack_result)
{
    struct unpack_result r = {.bytes = UINT64_MAX, .files = 3, .skipped = 1}, s;
    memset(r.diff_id, 0xab, sizeof r.diff_id);
    unpack_result_encode(&r, out());
    CHECK(unpack_result_decode(writer_view(&w), &s, &err) && memcmp(&r, &s, sizeof r) == 0);
    broken(writer_view(&w), w.n, is_result);
    write_u8(&w, 0);
    CHECK(!is_result(writer_view(&w)));
}

static bool is_lease(struct view v)
{
    struct lease l;
    return lease_decode(v, &l, &err);
}

TEST(lease)
{
    struct lease l = {{192, 0, 2, 5}, {192, 0, 2, 1}, {192, 0, 2, 2}, {{9, 9, 9, 9}, {1, 1, 1, 1}, {0}}, 24, 3600, 1500, VIEW("Example.org"), VIEW("host-1")}, m;
    lease_encode(&l, out());
    CHECK(lease_decode(writer_view(&w), &m, &err) && memcmp(&l, &m, offsetof(struct lease, prefix)) == 0);
    CHECK(m.prefix == 24 && m.seconds == 3600 && m.mtu == 1500);
    CHECK(view_is(m.domain, "Example.org") && view_is(m.hostname, "host-1"));
    broken(writer_view(&w), w.n, is_lease);
    static const char *const names[] = {"a b", "a\nb", "a/b", "a_b", "\xc3\xa4", "a;b", "@", "[", "`", "{", ":"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        l.domain = view_str(names[i]);
        lease_encode(&l, out());
        CHECK(!is_lease(writer_view(&w)));
    }
    l.domain = VIEW("");
    l.mtu = 575;
    lease_encode(&l, out());
    CHECK(!is_lease(writer_view(&w)));
    l.mtu = 576;
    lease_encode(&l, out());
    CHECK(is_lease(writer_view(&w)));
    l.prefix = 33;
    lease_encode(&l, out());
    CHECK(!is_lease(writer_view(&w)));
}

static bool is_api_job(struct view v)
{
    struct api_job j;
    return api_job_decode(v, &j, &err);
}

static bool is_api_request(struct view v)
{
    struct api_request q;
    return api_request_decode(v, &q, &err);
}

TEST(api_job)
{
    struct api_job j = {3, VIEW("tdx")}, t;
    api_job_encode(&j, out());
    CHECK(!w.full && api_job_decode(writer_view(&w), &t, &err) && t.features == 3 && view_is(t.tee, "tdx"));
    broken(writer_view(&w), w.n, is_api_job);
    write_u8(&w, 0);
    CHECK(!is_api_job(writer_view(&w)) && err.kind == ERR_FORMAT);
}

TEST(api_request)
{
    static char text[API_TEXT_MAX + 1];
    static uint8_t big[API_REQUEST_MAX + 8];
    struct api_request q = {API_EXTEND, VIEW("app"), VIEW("op"), VIEW("what happened")}, t;
    api_request_encode(&q, out());
    CHECK(!w.full && api_request_decode(writer_view(&w), &t, &err) && t.kind == API_EXTEND);
    CHECK(view_is(t.first, "app") && view_is(t.second, "op") && view_is(t.third, "what happened"));
    broken(writer_view(&w), w.n, is_api_request);
    write_u8(&w, 0);
    CHECK(!is_api_request(writer_view(&w)) && err.kind == ERR_FORMAT);
    for (unsigned kind = 0; kind < 256; kind++) {
        bytes[0] = (uint8_t)kind;
        CHECK_EQ(is_api_request(view_of(bytes, w.n - 1)), kind < API_KINDS);
    }
    memset(text, 'x', sizeof text);
    for (size_t n = API_TEXT_MAX; n <= API_TEXT_MAX + 1; n++) {
        w = writer_of(big, sizeof big);
        q.first = q.second = q.third = view_of(text, n);
        api_request_encode(&q, &w);
        CHECK(!w.full && (n > API_TEXT_MAX || w.n == API_REQUEST_MAX));
        CHECK_EQ(is_api_request(writer_view(&w)), n <= API_TEXT_MAX);
    }
}
