#include "lib.h"

#include "format/url.h"

static struct url u;

static bool parse(const char *text) { return url_parse(view_str(text), &u, &err); }

TEST(parts)
{
    static const struct {
        const char *text;
        bool https;
        const char *host;
        int port;
        const char *authority, *target;
    } good[] = {
        {"https://registry.example/v2/a/b", true, "registry.example", 443, "registry.example", "/v2/a/b"},
        {"HTTP://Localhost:5000", false, "Localhost", 5000, "Localhost:5000", "/"},
        {"https://h?x=1&y=/:@", true, "h", 443, "h", "/?x=1&y=/:@"},
        {"https://[2001:db8::1]:8443/x#frag", true, "2001:db8::1", 8443, "[2001:db8::1]:8443", "/x"},
        {"http://[::ffff:1.2.3.4]/", false, "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]", "/"},
        {"https://a_b.c-d/x%20y?q=%2F", true, "a_b.c-d", 443, "a_b.c-d", "/x%20y?q=%2F"},
        {"https://h:65535/", true, "h", 65535, "h:65535", "/"},
        {"https://h#f", true, "h", 443, "h", "/"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char target[100];
        struct writer w = writer_of(target, sizeof target);
        CHECK(parse(good[i].text));
        CHECK_EQ(u.https, good[i].https);
        CHECK(view_is(u.host, good[i].host) && view_is(u.authority, good[i].authority));
        CHECK_EQ(u.port, good[i].port);
        url_target(&u, &w);
        CHECK_STR(writer_str(&w), good[i].target);
    }
    CHECK(parse("https://h") && !u.port_given && parse("https://h:443") && u.port_given);
}

TEST(refused)
{
    static const char *const bad[] = {
        "", "/x", "h", "ftp://h/", "https:/h", "https:h", "file:///etc/passwd", "https://", "https:///x", "https://:80/", "https://h:/", "https://h:0/",
        "https://h:65536/", "https://h:080/", "https://h:8a/", "https://h:1:2/", "https://user@h/", "https://user:pw@h/", "https://h /", "https://h/a b",
        "https://h/\r\nX:", "https://h/\x7f", "https://h/\xc3\xa4", "https://h\\x/", "https://h/\\x", "https://[::1/", "https://::1/", "https://[::1]x/",
        "https://[]/", "https://[1%25eth0]/", "https://h,x/", "https://h%2f/", "javascript:x", " https://h/", "https://h/\t",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i]))
            check_fail("accepted: %s", bad[i]);
    char text[URL_MAX + 2] = "https://h/";
    memset(text + 10, 'a', sizeof text - 11);
    CHECK(!parse(text));
    text[URL_MAX] = 0;
    CHECK(parse(text));
    memset(text, 'a', 300);
    memcpy(text, "https://", 8);
    text[8 + 254] = '/';
    CHECK(!parse(text));
    text[8 + 253] = '/';
    CHECK(parse(text));
    CHECK(!url_parse(VIEW("https://h\0x/"), &u, &err));
}

TEST(resolving)
{
    static const char *const pairs[][3] = {
        {"https://a/b/c?d", "https://x:1/y?z", "https://x:1/y?z"}, {"https://a/b/c?d", "//x/y", "https://x/y"}, {"http://a:1/b/c?d", "/y?z", "http://a:1/y?z"},
        {"https://a/b/c?d/e", "y", "https://a/b/y"},               {"https://a", "y", "https://a/y"},           {"https://a?x/y", "z", "https://a/z"},
        {"https://a/b/c?d", "?z", "https://a/b/c?z"},              {"https://a/b/", "../y", "https://a/b/../y"}, {"https://a/b", "http://x/", "http://x/"},
        {"https://a/b", "HTTPS://x/", "HTTPS://x/"},
    };
    char out[URL_MAX];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct writer w = writer_of(out, sizeof out);
        CHECK(parse(pairs[i][0]) && url_resolve(&u, view_str(pairs[i][1]), &w, &err));
        CHECK_STR(writer_str(&w), pairs[i][2]);
    }
    static const char *const bad[] = {"//", "//u@x/", "http://", "a b", "\n", "//x:0/", "https://h:x/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct writer w = writer_of(out, sizeof out);
        CHECK(parse("https://a/b") && !url_resolve(&u, view_str(bad[i]), &w, &err));
    }
    struct writer small = writer_of(out, 10);
    CHECK(!url_resolve(&u, VIEW("/longer"), &small, &err));
}

TEST(origins)
{
    static const char *const same[][2] = {{"https://a/x", "https://A:443/y"}, {"http://a", "http://a:80"}};
    static const char *const other[][2] = {{"https://a", "http://a"}, {"https://a", "https://a:444"}, {"https://a", "https://b"}, {"https://a", "https://a.b"}, {"http://a:443", "https://a"}};
    struct url v;
    for (size_t i = 0; i < 2; i++)
        CHECK(parse(same[i][0]) && url_parse(view_str(same[i][1]), &v, &err) && url_same_origin(&u, &v));
    for (size_t i = 0; i < 5; i++)
        CHECK(parse(other[i][0]) && url_parse(view_str(other[i][1]), &v, &err) && !url_same_origin(&u, &v));
}

TEST(escaping)
{
    char out[64];
    struct writer w = writer_of(out, sizeof out);
    url_escape(VIEW("repository:a/b:pull & \xff~._-"), &w);
    CHECK_STR(writer_str(&w), "repository%3Aa%2Fb%3Apull%20%26%20%FF~._-");
}
