#include "lib.h"

#include "format/pem.h"

static struct view label, der;

static bool next(struct view *text) { return pem_next(text, &arena, &label, &der, &err); }

TEST(blocks)
{
    fresh();
    struct view text = VIEW("a comment\n-----BEGIN CERTIFICATE-----\r\nZm9v\r\nYmFy\r\n-----END CERTIFICATE-----\r\n# more\n\n"
                            "-----BEGIN PUBLIC KEY-----\n Zg==\n\n-----END PUBLIC KEY-----\n-----BEGIN X-----\nZm8=\n-----END X-----");
    CHECK(next(&text) && view_is(label, "CERTIFICATE") && view_is(der, "foobar"));
    CHECK(next(&text) && view_is(label, "PUBLIC KEY") && view_is(der, "f"));
    CHECK(next(&text) && view_is(label, "X") && view_is(der, "fo"));
    CHECK(!next(&text) && err.kind == ERR_NONE);
}

TEST(nothing_there)
{
    fresh();
    const char *none[] = {"", "text", "-----BEGIN-----\nZm9v\n-----END-----\n", "-----BEGIN -----\n", "x-----BEGIN A-----\nZm9v\n-----END A-----\n",
                          "-----END A-----\n", "-----BEGIN A----\n", "----BEGIN A-----\n"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct view text = view_str(none[i]);
        CHECK(!next(&text) && err.kind == ERR_NONE);
    }
}

TEST(broken_blocks)
{
    fresh();
    const char *bad[] = {"-----BEGIN A-----\n", "-----BEGIN A-----\nZm9v\n", "-----BEGIN A-----\nZm9v\n-----END B-----\n",
                         "-----BEGIN A-----\n-----END A-----\n", "-----BEGIN A-----\nZm9\n-----END A-----\n",
                         "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n-----END A-----\n", "-----BEGIN A-----\nZg==\nZg==\n-----END A-----\n",
                         "-----BEGIN A-----\nZm9v\n-----BEGIN A-----\nZm9v\n-----END A-----\n", "-----BEGIN A-----\nZm9v-----END A-----\n",
                         "-----BEGIN AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-----\nZm9v\n-----END A-----\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct view text = view_str(bad[i]);
        if (next(&text) || err.kind != ERR_FORMAT)
            check_fail("accepted or no error: %s", bad[i]);
    }
}

static bool accepts(struct view v) { return next(&v); }

TEST(cut_and_flipped)
{
    fresh();
    struct view v = vector("keys/ka.pub");
    broken(v, v.n - 1, accepts); // without the last line's end it is whole
}
