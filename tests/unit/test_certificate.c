#include "lib.h"

#include "format/pem.h"
#include "worker/certificate.h"

// Vectors: tests/unit/vectors/certificate/make
static struct certificate c;

static struct view load(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "certificate/%s.pem", name);
    struct view text = vector(path), label, der;
    CHECK(pem_next(&text, &arena, &label, &der, &err));
    return der;
}

static const char *names(void)
{
    static char text[300];
    struct writer w = writer_of(text, sizeof text);
    certificate_names(&c, &w);
    return writer_str(&w);
}

TEST(names_and_dates)
{
    fresh();
    CHECK(certificate_parse(load("server"), &c));
    CHECK_STR(c.not_before, "2020-01-02");
    CHECK_STR(c.not_after, "2051-03-04");
    CHECK(view_is(certificate_common_name(c.issuer), "Vector CA") && view_is(certificate_common_name(c.subject), "server"));
    CHECK_STR(names(), "a.example, *.b.example, 192.0.2.7, 2001:0db8:0000:0000:0000:0000:0000:0001");
    CHECK(certificate_has_ip(&c, VIEW("\xc0\x00\x02\x07")) && !certificate_has_ip(&c, VIEW("\xc0\x00\x02\x08")) && !certificate_has_ip(&c, VIEW("\xc0\x00\x02")));
    CHECK(certificate_has_ip(&c, VIEW("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")) && !certificate_has_ip(&c, VIEW("")));
}

TEST(without_names)
{
    fresh();
    CHECK(certificate_parse(load("organisation"), &c) && c.names.n == 0);
    CHECK_STR(names(), "Vector Org");
    CHECK(view_is(certificate_common_name(c.issuer), "Vector Org"));
    CHECK(!certificate_has_ip(&c, VIEW("\xc0\x00\x02\x07")) && !certificate_has_ip(&c, VIEW("")));
}

#define EXTENSION "\x30\x0e\x06\x03\x55\x1d\x11\x04\x07\x30\x05\x82\x03" "a.b"
#define UP_TO_KEY "\x02\x01\x01\x30\0\x30\0\x30\x1e\x17\x0d" "500102030405Z" "\x17\x0d" "490102030405Z" "\x30\0\x30\0"

TEST(names_twice)
{
    CHECK(certificate_parse(VIEW("\x30\x41\x30\x3f" UP_TO_KEY "\xa3\x12\x30\x10" EXTENSION), &c));
    CHECK_STR(names(), "a.b");
    CHECK_STR(c.not_before, "1950-01-02");
    CHECK_STR(c.not_after, "2049-01-02");
    CHECK(!certificate_parse(VIEW("\x30\x51\x30\x4f" UP_TO_KEY "\xa3\x22\x30\x20" EXTENSION EXTENSION), &c));
}

TEST(nothing_fits)
{
    fresh();
    char small[20];
    struct writer w = writer_of(small, sizeof small);
    CHECK(certificate_parse(load("server"), &c));
    certificate_names(&c, &w);
    CHECK(w.full && view_starts(writer_view(&w), VIEW("a.example")));
}

static bool accepts(struct view v)
{
    struct certificate d;
    if (!certificate_parse(v, &d))
        return false;
    char text[100];
    struct writer w = writer_of(text, sizeof text);
    certificate_names(&d, &w);
    certificate_has_ip(&d, VIEW("\xc0\x00\x02\x07"));
    return true;
}

TEST(broken_ones)
{
    fresh();
    struct view der = load("server");
    broken(der, der.n, accepts);
    uint8_t *more = arena_alloc(&arena, der.n + 1);
    memcpy(more, der.p, der.n);
    CHECK(!accepts(view_of(more, der.n + 1)) && !accepts((struct view){0}));
}
