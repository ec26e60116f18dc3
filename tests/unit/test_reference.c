#include "lib.h"

#include "oci/reference.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DIGEST "@sha256:" HEX
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct reference r;

TEST(good_ones)
{
    static const struct {
        const char *text, *host, *repository, *tag, *canonical; // NULL: the text itself
    } good[] = {
        {"registry.example/web", "registry.example", "web", "latest", "registry.example/web:latest"},
        {"docker://registry.example/acme/web:1.4", "registry.example", "acme/web", "1.4", "registry.example/acme/web:1.4"},
        {"localhost/a:b", "localhost", "a", "b", NULL},
        {"host:5000/a", "host:5000", "a", "latest", "host:5000/a:latest"},
        {"127.0.0.1:5000/a/b/c:_x.-Y", "127.0.0.1:5000", "a/b/c", "_x.-Y", NULL},
        {"[::1]:5000/a:t", "[::1]:5000", "a", "t", NULL},
        {"[fe80::1]/a:t", "[fe80::1]", "a", "t", NULL},
        {"h.example/a" DIGEST, "h.example", "a", "", NULL},
        {"docker://h.example/a:t" DIGEST, "h.example", "a", "t", "h.example/a:t" DIGEST},
        {"h.example/a-b_c__d.e--f---g/0:t", "h.example", "a-b_c__d.e--f---g/0", "t", NULL},
        {"UPPER.example/a:t", "UPPER.example", "a", "t", NULL},
        {"h.example/a:" A63 A63 "aa", "h.example", "a", A63 A63 "aa", NULL},
        {A63 ".example/a:t", A63 ".example", "a", "t", NULL},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[2000];
        if (!reference_parse(view_str(good[i].text), false, &r, &err))
            check_fail("%s: %s", good[i].text, err.text);
        CHECK_STR(r.host, good[i].host);
        CHECK_STR(r.repository, good[i].repository);
        CHECK_STR(r.tag, good[i].tag);
        CHECK(!r.layout && !r.directory[0] && r.pinned == (strchr(good[i].text, '@') != NULL));
        reference_text(&r, text, sizeof text);
        CHECK_STR(text, good[i].canonical ? good[i].canonical : good[i].text);
    }
}

TEST(layouts)
{
    static const struct {
        const char *text, *directory, *tag;
        bool pinned;
    } good[] = {
        {"oci:dir", "dir", "latest", false},
        {"oci:/a/b@c/d:v1", "/a/b@c/d", "v1", false},
        {"oci:/a b/\xc3\xa9:v", "/a b/\xc3\xa9", "v", false},
        {"oci:dir" DIGEST, "dir", "", true},
        {"oci:dir:v" DIGEST, "dir", "v", true},
        {"oci:.:sha256-" HEX ".sig", ".", "sha256-" HEX ".sig", false},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[2000];
        CHECK(reference_parse(view_str(good[i].text), true, &r, &err));
        CHECK(r.layout && !r.host[0] && !r.repository[0] && r.pinned == good[i].pinned);
        CHECK_STR(r.directory, good[i].directory);
        CHECK_STR(r.tag, good[i].tag);
        reference_text(&r, text, sizeof text);
        if (i)
            CHECK_STR(text, good[i].text);
        CHECK(!reference_parse(view_str(good[i].text), false, &r, &err) && err.kind == ERR_USAGE);
        CHECK_ERR("cannot be named here");
    }
    const char *bad[] = {"oci:", "oci::v", "oci:d:", "oci:d:v:w", "oci:d:.v", "oci:d@sha256:12", "oci:d@sha512:" HEX, "oci:d:v@sha256:" HEX "0", "OCI:d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!reference_parse(view_str(bad[i]), true, &r, &err) && err.kind == ERR_USAGE);
    char longest[1100] = "oci:";
    memset(longest + 4, 'd', 1024);
    CHECK(!reference_parse(view_str(longest), true, &r, &err));
    longest[4 + 1023] = 0;
    CHECK(reference_parse(view_str(longest), true, &r, &err));
    CHECK(!reference_parse(VIEW("oci:a\0b"), true, &r, &err));
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "no registry is named"},
        {"nginx", "no registry is named"},
        {"nginx:1.2", "no registry is named"},
        {"library/nginx", "no registry is named"},
        {"docker://", "no registry is named"},
        {"registry.example", "no registry is named"},
        {"registry.example/", "is no repository name"},
        {"registry.example/a/", "is no repository name"},
        {"registry.example//a", "is no repository name"},
        {"registry.example/A", "is no repository name"},
        {"registry.example/a..b", "is no repository name"},
        {"registry.example/a___b", "is no repository name"},
        {"registry.example/a._b", "is no repository name"},
        {"registry.example/-a", "is no repository name"},
        {"registry.example/a-", "is no repository name"},
        {"registry.example/../a", "is no repository name"},
        {"registry.example/a?b", "is no repository name"},
        {"registry.example/a%2fb", "is no repository name"},
        {"registry.example/a b", "is no repository name"},
        {"registry.example/a:", "'' is no tag"},
        {"registry.example/a:-t", "is no tag"},
        {"registry.example/a:.t", "is no tag"},
        {"registry.example/a:t/u", "is no tag"},
        {"registry.example/a:t:u", "is no tag"},
        {"registry.example/a:" A63 A63 "aaa", "is no tag"},
        {"registry.example/a@", "is no digest"},
        {"registry.example/a@sha256:1234", "sha256 has 64"},
        {"registry.example/a@sha512:" HEX HEX, "algorithm must be sha256"},
        {"registry.example/a@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "lower case"},
        {"registry.example/a" DIGEST DIGEST, "is no repository name"},
        {"user@registry.example/a", "is no digest"},
        {"https://registry.example/a", "is no host name"},
        {"-a.example/a", "is no host name"},
        {"a..example/a", "is no host name"},
        {".example/a", "is no host name"},
        {"a_b.example/a", "is no host name"},
        {"a.example:/a", "is no host name"},
        {"a.example:0/a", "is no host name"},
        {"a.example:65536/a", "is no host name"},
        {"a.example:080/a", "is no host name"},
        {"a.example:1:2/a", "is no host name"},
        {":5000/a", "is no host name"},
        {"[::1/a", "is no host name"},
        {"[::1]5/a", "is no host name"},
        {"[x]:5000/a", "is no host name"},
        {"a" A63 ".example/a", "is no host name"},
        {A63 "." A63 "." A63 "." A63 ".a/a", "is no host name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reference before = r;
        if (reference_parse(view_str(bad[i].text), false, &r, &err))
            check_fail("%s was accepted", bad[i].text);
        CHECK(err.kind == ERR_USAGE && memcmp(&before, &r, sizeof r) == 0);
        CHECK_ERR(bad[i].why);
        CHECK_ERR("reference '");
    }
    CHECK(!reference_parse(VIEW("a.example/a\0b"), false, &r, &err) && !reference_parse(VIEW("a.example/a:\0"), false, &r, &err));
    CHECK(!reference_parse(VIEW("a.ex\0ample/a"), false, &r, &err) && !reference_parse((struct view){0}, true, &r, &err));
}

TEST(longest_repository)
{
    char text[400] = "a.example/";
    memset(text + 10, 'a', 256);
    CHECK(!reference_parse(view_str(text), false, &r, &err));
    text[10 + 255] = 0;
    CHECK(reference_parse(view_str(text), false, &r, &err) && strlen(r.repository) == 255);
}

TEST(mirrors)
{
    struct reference m;
    CHECK(reference_parse(VIEW("registry.example/x/y/web:1" DIGEST), false, &r, &err));
    CHECK(reference_mirror(&r, VIEW("cache.example"), &m, &err) && !strcmp(m.host, "cache.example") && !strcmp(m.repository, "x/y/web"));
    CHECK(reference_mirror(&r, VIEW("cache.example:80/acme"), &m, &err) && !strcmp(m.host, "cache.example:80"));
    CHECK_STR(m.repository, "acme/web");
    CHECK(!strcmp(m.tag, "1") && m.pinned && digest_eq(&m.digest, &r.digest));
    CHECK(reference_mirror(&r, VIEW("localhost/a/b"), &m, &err) && !strcmp(m.repository, "a/b/web"));
    const char *bad[] = {"", "cache", "cache/x", "cache.example/", "cache.example/A", "https://cache.example", "cache.example/a:t", "cache.example:x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!reference_mirror(&r, view_str(bad[i]), &m, &err) && err.kind == ERR_USAGE);
    CHECK(!reference_mirror(&r, (struct view){0}, &m, &err));
    char prefix[300] = "cache.example/";
    memset(prefix + 14, 'a', 252);
    CHECK(!reference_mirror(&r, view_str(prefix), &m, &err));
    CHECK_ERR("longer than 255");
    CHECK(reference_parse(VIEW("registry.example/web"), false, &r, &err) && reference_mirror(&r, VIEW("c.example/p"), &m, &err));
    CHECK_STR(m.repository, "p/web");
}
