// request: heads as `plinth serve` takes them; format/http's own cases are in test_http.
#include "lib.h"

#include "tools/serve/request.h"

static struct request r;

static bool parse(const char *text) {
    struct view v = view_str(text);
    return http_head_length(v, 0) == v.n && request_parse(v, &r, &err);
}

static bool parses(struct view v) { return http_head_length(v, 0) == v.n && v.n && request_parse(v, &r, &err); }

#define HOST "Host: a\r\n"

TEST(good)
{
    CHECK(parse("GET /kbs/v0/resource/a/b/c?x=../y HTTP/1.1\r\n" HOST "Authorization: bearer  a.b.c \r\nCookie: x=1; kbs-session-id=0011 ;y\r\n\r\n"));
    CHECK(r.method == REQUEST_GET && view_is(r.path, "/kbs/v0/resource/a/b/c") && r.head.keep_alive && !r.head.length && !r.expects);
    struct view v;
    CHECK(request_bearer(&r, &v, &err) && view_is(v, "a.b.c"));
    CHECK(request_cookie(&r, "kbs-session-id", &v, &err) && view_is(v, "0011"));
    CHECK(request_cookie(&r, "kbs-session", &v, &err) && !v.n);
    CHECK(request_cookie(&r, "y", &v, &err) && !v.n);
    CHECK(parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 17\r\nExpect: 100-Continue\r\nConnection: x, close\r\n\r\n"));
    CHECK(r.method == REQUEST_POST && r.head.length == 17 && r.expects && !r.head.keep_alive);
    CHECK(parse("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n") && !r.expects);
    CHECK(parse("GET / HTTP/1.0\r\n\r\n") && !r.head.keep_alive);
    CHECK(parse("DELETE / HTTP/1.1\r\n" HOST "\r\n") && r.method == REQUEST_OTHER);
    CHECK(parse("get / HTTP/1.1\r\n" HOST "\r\n") && r.method == REQUEST_OTHER);
}

TEST(refused)
{
    static const struct {
        const char *text;
        unsigned status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://a/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 400},
        {"GET /  HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "\r\n", 411},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 411},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: a miracle\r\n\r\n", 417},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (parse(cases[i].text)) check_fail("accepted: %s", cases[i].text);
        if (r.refuse != cases[i].status) check_fail("%u, wanted %u: %s", r.refuse, cases[i].status, cases[i].text);
    }
    char path[1200] = "GET /";
    memset(path + 5, 'a', 1024);
    strcpy(path + 5 + 1024, " HTTP/1.1\r\n" HOST "\r\n");
    CHECK(!parse(path) && r.refuse == 414);
    strcpy(path + 5 + 1023, " HTTP/1.1\r\n" HOST "\r\n");
    CHECK(parse(path));
}

TEST(credentials)
{
    struct view v;
    CHECK(parse("GET / HTTP/1.1\r\n" HOST "\r\n") && request_bearer(&r, &v, &err) && !v.n);
    CHECK(parse("GET / HTTP/1.1\r\n" HOST "Authorization: Basic YTpi\r\n\r\n") && !request_bearer(&r, &v, &err));
    CHECK(parse("GET / HTTP/1.1\r\n" HOST "Authorization: Bearer \r\n\r\n") && !request_bearer(&r, &v, &err));
    CHECK(parse("GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n") && !request_bearer(&r, &v, &err));
    CHECK(parse("GET / HTTP/1.1\r\n" HOST "Cookie: k=1;k=2\r\n\r\n") && !request_cookie(&r, "k", &v, &err));
    CHECK(parse("GET / HTTP/1.1\r\n" HOST "Cookie: k=1\r\nCookie: k=1\r\n\r\n") && !request_cookie(&r, "k", &v, &err));
}

TEST(broken_heads)
{
    struct view v = VIEW("POST /kbs/v0/attest HTTP/1.1\r\n" HOST "Content-Length: 5\r\nCookie: kbs-session-id=00\r\n\r\n");
    broken(v, v.n, parses);
}
