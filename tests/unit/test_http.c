#include "lib.h"

#include "base/writer.h"
#include "format/http.h"

static struct http_head head;

static bool parse(const char *text) { return http_head_parse(view_str(text), &head, &err); }

TEST(head_length)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody";
    size_t n = sizeof text - 1 - 4;
    for (size_t i = 0; i <= sizeof text - 1; i++)
        for (size_t from = 0; from <= i; from++)
            CHECK_EQ(http_head_length(view_of(text, i), from), i >= n && from < n ? n : 0);
}

TEST(heads)
{
    CHECK(parse("HTTP/1.1 200 OK\r\nContent-Type: text/x; a=b \r\ncontent-LENGTH:\t 12\r\nX:\r\n\r\n"));
    CHECK_EQ(head.status, 200);
    CHECK(head.framing == HTTP_LENGTH && head.length == 12 && head.keep_alive);
    CHECK(view_is(http_field_first(&head, "content-type"), "text/x; a=b") && http_field_first(&head, "x").n == 0);
    CHECK(http_field_first(&head, "content").n == 0 && http_field_first(&head, "").n == 0);
    CHECK(parse("HTTP/1.1 404\r\n\r\n") && head.status == 404 && head.framing == HTTP_CLOSE && !head.keep_alive);
    CHECK(parse("HTTP/1.0 200 \r\nContent-Length: 0\r\n\r\n") && head.framing == HTTP_LENGTH && !head.keep_alive);
    CHECK(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n") && head.framing == HTTP_CHUNKED && head.keep_alive);
    CHECK(parse("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n") && head.framing == HTTP_NONE);
    CHECK(parse("HTTP/1.1 100 Continue\r\n\r\n") && head.framing == HTTP_NONE);
    CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, Close\r\n\r\n") && !head.keep_alive);
    CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x\r\nConnection: close\r\n\r\n") && !head.keep_alive);
    CHECK(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: closed, keep-alive\r\n\r\n") && head.keep_alive);
}

TEST(repeated_fields)
{
    CHECK(parse("HTTP/1.1 401 No\r\nA: 1\r\nB: x\r\na: 2\r\n\r\n"));
    struct view v;
    size_t at = 0;
    CHECK(http_field(&head, "a", &at, &v) && view_is(v, "1"));
    CHECK(http_field(&head, "a", &at, &v) && view_is(v, "2"));
    CHECK(!http_field(&head, "a", &at, &v));
}

TEST(heads_refused)
{
    static const char *const bad[] = {
        "", "\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/2 200\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1 200 OK\r\nA b\r\n\r\n", "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest", "HTTP/1.1 200 OK\r\nA: \x7f\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i]))
            check_fail("accepted: %s", bad[i]);
    fresh();
    for (size_t lines = HTTP_FIELDS_MAX; lines <= HTTP_FIELDS_MAX + 1; lines++) {
        struct writer w = writer_of(arena_alloc(&arena, 4096), 4096);
        write_text(&w, "HTTP/1.1 200 OK\r\n");
        for (size_t i = 0; i < lines; i++)
            write_text(&w, "A: b\r\n");
        write_text(&w, "\r\n");
        CHECK_EQ(parse(writer_str(&w)), lines == HTTP_FIELDS_MAX);
    }
}

static bool accepts_head(struct view v)
{
    struct http_head h;
    return http_head_parse(v, &h, &err);
}

TEST(broken_heads)
{
    struct view v = VIEW("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n\r\n");
    broken(v, v.n, accepts_head);
}

// Decodes `text` in pieces of `step` bytes; the body, or NULL.
static const char *chunks(const char *text, size_t step, bool *done)
{
    static char body[300];
    struct http_chunks c = {0};
    struct writer w = writer_of(body, sizeof body);
    *done = false;
    for (struct view all = view_str(text); all.n && !*done; all = view_skip(all, step)) {
        struct view in = view_first(all, step), part;
        while (in.n && !*done) {
            if (!http_chunks_next(&c, &in, &part, done, &err))
                return NULL;
            write_bytes(&w, part);
        }
    }
    return writer_str(&w);
}

TEST(chunked)
{
    static const char text[] = "5\r\nhello\r\n1;x=\"y\"\r\n,\r\n00B  \r\nwide  world\r\n0\r\nTrailer: x\r\nY: z\r\n\r\nnext";
    bool done;
    for (size_t step = 1; step < sizeof text; step++) {
        CHECK_STR(chunks(text, step, &done), "hello,wide  world");
        CHECK(done);
    }
    CHECK_STR(chunks("0\r\n\r\n", 1, &done), "");
    CHECK(done);
    char cut[sizeof text];
    for (size_t n = 0; n < sizeof text - 5; n++) {
        memcpy(cut, text, n);
        cut[n] = 0;
        CHECK(chunks(cut, 3, &done) && !done);
    }
    static const char *const bad[] = {"x", "\r\n", ";x\r\n", "5\nhello", "5\r\nhello!", "5\r\nhello\n", "5\r\rhello", "-1\r\n", "0x5\r\n", "1234567890abcdef\r\n",
                                      "5 \nx", "0\r\nA\nB", "0\r\n\rx", " 5\r\n", "5;a\nb\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (chunks(bad[i], 2, &done))
            check_fail("accepted: %s", bad[i]);
}

TEST(chunk_lines_have_an_end)
{
    fresh();
    for (int trailer = 0; trailer < 2; trailer++) {
        struct http_chunks c = {0};
        struct view in = trailer ? VIEW("0\r\nA: ") : VIEW("5;"), part, more;
        bool done, ok = http_chunks_next(&c, &in, &part, &done, &err);
        size_t n = 0;
        for (CHECK(ok); ok && n < 100000; n++) {
            more = trailer && n % 64 == 63 ? VIEW("\r\nB:") : VIEW("a");
            ok = http_chunks_next(&c, &more, &part, &done, &err);
        }
        CHECK(!ok && n < 10000);
    }
}

TEST(challenges)
{
    struct http_challenge c = {0};
    CHECK(http_challenge_parse(VIEW("Bearer realm=\"https://a/t\",service=\"s, t\" , scope=\"repository:x:pull,push\""), &c, &err));
    CHECK(c.bearer && !c.basic && view_is(c.realm, "https://a/t") && view_is(c.service, "s, t") && view_is(c.scope, "repository:x:pull,push"));
    c = (struct http_challenge){0};
    CHECK(http_challenge_parse(VIEW("Basic realm=\"x\", BEARER Realm = r , error=\"e\""), &c, &err));
    CHECK(c.bearer && c.basic && view_is(c.realm, "r"));
    c = (struct http_challenge){0};
    CHECK(http_challenge_parse(VIEW("Bearer realm=\"a\""), &c, &err) && http_challenge_parse(VIEW("Basic realm=\"b\""), &c, &err));
    CHECK(c.bearer && c.basic && view_is(c.realm, "a"));
    c = (struct http_challenge){0};
    CHECK(http_challenge_parse(VIEW("Bearer realm=\"a\",scope=x, Bearer realm=\"b\""), &c, &err) && view_is(c.realm, "a") && view_is(c.scope, "x"));
    c = (struct http_challenge){0};
    CHECK(http_challenge_parse(VIEW("Negotiate, Digest nonce=\"n\""), &c, &err) && !c.bearer && !c.basic);
    CHECK(http_challenge_parse(VIEW(""), &c, &err) && !c.bearer);
    CHECK(http_challenge_parse(VIEW("Bearer realm=\"\""), &c, &err) && c.bearer && c.realm.n == 0);
    static const char *const bad[] = {"Bearer realm=\"a", "Bearer realm=", "Bearer realm=\"a\\\"b\"", "Bearer realm=\"a\",realm=\"b\"", "\"x\"", "Bearer realm=a;b", "Negotiate YII="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c = (struct http_challenge){0};
        if (http_challenge_parse(view_str(bad[i]), &c, &err))
            check_fail("accepted: %s", bad[i]);
        CHECK(!c.bearer && !c.basic);
    }
}

TEST(links)
{
    static const struct {
        const char *value, *target;
    } cases[] = {
        {"</v2/a/referrers/x?last=1>; rel=\"next\"", "/v2/a/referrers/x?last=1"},
        {"<a>;rel=next", "a"},
        {"<a> ; REL = NEXT ; title=\"x, y\"", "a"},
        {"<p>; rel=prev, <a,;b>; rel=\"last next\"; x", "a,;b"},
        {"<p>; rel=\"next\" , <q>; rel=next", "p"},
        {"<>; rel=next", ""},
        {"<a>; rel=\"nextish\"", ""},
        {"<a>; rel", ""},
        {"<a>", ""},
        {"", ""},
    };
    struct view target;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        target = (struct view){0};
        if (!http_link_next(view_str(cases[i].value), &target, &err) || !view_is(target, cases[i].target))
            check_fail("%s: %.*s", cases[i].value, VIEW_ARG(target));
    }
    static const char *const bad[] = {"a; rel=next", "<a; rel=next", "<a> rel=next", "<a>; rel=\"next", "<a>; rel=", "<a>; rel=\"a\\\"b\"", "<a>; rel=next <b>", "<a>x", ">", "<"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (target = (struct view){0}, http_link_next(view_str(bad[i]), &target, &err))
            check_fail("accepted: %s", bad[i]);
}

TEST(content_ranges)
{
    uint64_t a, b, c;
    CHECK(http_content_range_parse(VIEW("bytes 5-9/10"), &a, &b, &c, &err) && a == 5 && b == 9 && c == 10);
    CHECK(http_content_range_parse(VIEW("Bytes 0-0/*"), &a, &b, &c, &err) && a == 0 && b == 0 && c == UINT64_MAX);
    static const char *const bad[] = {"", "bytes", "bytes ", "bytes 5-9", "bytes 5-9/", "bytes 9-5/10", "bytes 5-10/10", "bytes */10", "bytes 5/10", "bytes -5-9/10",
                                      "bytes 5-9/10 ", "items 5-9/10", "bytes 5-9/1a", "bytes 05-9/10", "bytes 1-9223372036854775808/*", "bytes=5-9/10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (http_content_range_parse(view_str(bad[i]), &a, &b, &c, &err))
            check_fail("accepted: %s", bad[i]);
}

static struct http_request request;

static bool ask(const char *text) { return http_request_parse(view_str(text), &request, &err); }

TEST(requests)
{
    CHECK(ask("GET /aa/evidence?runtime_data=a%20b&x HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK(view_is(request.method, "GET") && view_is(request.path, "/aa/evidence") && view_is(request.query, "runtime_data=a%20b&x"));
    CHECK(request.head.framing == HTTP_NONE && request.head.keep_alive && view_is(http_field_first(&request.head, "host"), "h"));
    CHECK(ask("POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n") && request.query.n == 0);
    CHECK(request.head.framing == HTTP_LENGTH && request.head.length == 7 && !request.head.keep_alive);
    CHECK(ask("POST /?a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n") && view_is(request.query, "a?b"));
    CHECK(request.head.framing == HTTP_CHUNKED && !request.head.keep_alive);
}

TEST(requests_refused)
{
    static const char *const bad[] = {
        "", "\r\n\r\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\n\n", "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET / http/1.1\r\n\r\n",
        "GET /\r\n\r\n", "GET / \r\n\r\n", " GET / HTTP/1.1\r\n\r\n", "GET http://h/ HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n", "GET /\t HTTP/1.1\r\n\r\n", "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\n b\r\n\r\n", "GET / HTTP/1.1\r\n\r\nmore",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ask(bad[i]) || err.kind != ERR_FORMAT)
            check_fail("taken, or not ERR_FORMAT: %s", bad[i]);
}

TEST(broken_requests)
{
    static const char good[] = "GET /a HTTP/1.1\r\nA: b\r\n\r\n";
    for (size_t n = 0; n < sizeof good - 1; n++)
        CHECK(!http_request_parse(view_of(good, n), &request, &err));
}

static const char *form(const char *text)
{
    static uint8_t out[200];
    out[http_form_decode(view_str(text), out)] = 0;
    return (const char *)out;
}

TEST(forms)
{
    CHECK_STR(form(""), "");
    CHECK_STR(form("a+b%2Bc%2b"), "a b+c+");
    CHECK_STR(form("100%"), "100%");
    CHECK_STR(form("%4"), "%4");
    CHECK_STR(form("%zz%41%"), "%zzA%");
    CHECK_STR(form("%2541"), "%41");
    CHECK_EQ(http_form_decode(VIEW("%00"), (uint8_t[3]){1}), 1);
}

TEST(queries)
{
    struct view q = VIEW("&&a=b&c&=d&e=f=g&"), name, value;
    CHECK(http_query_next(&q, &name, &value) && view_is(name, "a") && view_is(value, "b"));
    CHECK(http_query_next(&q, &name, &value) && view_is(name, "c") && value.n == 0);
    CHECK(http_query_next(&q, &name, &value) && name.n == 0 && view_is(value, "d"));
    CHECK(http_query_next(&q, &name, &value) && view_is(name, "e") && view_is(value, "f=g"));
    CHECK(!http_query_next(&q, &name, &value));
}
