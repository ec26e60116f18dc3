// What the unit tests of agent/lib and crypto share: a fresh arena per test, files, broken copies of a good document.
#ifndef TESTS_LIB_H
#define TESTS_LIB_H

#include "check.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

static struct arena arena;
static struct err err;

// All of `arena` anew, and no error.
__attribute__((unused)) static struct arena *fresh(void)
{
    arena_drop(&arena);
    CHECK(arena_make(&arena, 256u << 20, &err));
    err = (struct err){0};
    return &arena;
}

// JSON for people: ' stands for ". Lives in the arena.
__attribute__((unused)) static struct view quoted(const char *text)
{
    char *s = arena_str(&arena, view_str(text));
    CHECK(s != NULL);
    for (char *p = s; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    return view_str(s);
}

// tests/unit/vectors/PATH, in the arena.
__attribute__((unused)) static struct view vector(const char *path)
{
    char name[256];
    snprintf(name, sizeof name, "tests/unit/vectors/%s", path);
    FILE *f = fopen(name, "rb");
    if (!f)
        check_fail("%s cannot be opened (run the tests in the root of the sources)", name);
    uint8_t *p = arena_alloc(&arena, 1 << 20);
    CHECK(p != NULL);
    size_t n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return view_of(p, n);
}

// Whether the error's one line holds `part`; shows the line when not.
#define CHECK_ERR(part) check_err(__FILE__, __LINE__, part)
__attribute__((unused)) static void check_err(const char *file, int line, const char *part)
{
    char text[1200];
    err_line(&err, text, sizeof text);
    if (!strstr(text, part))
        check_fail("%s:%d: the error is \"%s\", wanted \"%s\" in it", file, line, text, part);
}

// Gives `accepts` a copy of v that is cut at every length, in memory of just that size, so that a read beyond it is caught. It must
// refuse all of them but those of at least `enough` bytes. Then with single bits flipped (every bit of short ones, one in each
// byte of long ones): it must not crash. Returns how many of the flipped ones were accepted.
__attribute__((unused)) static size_t broken(struct view v, size_t enough, bool (*accepts)(struct view))
{
    size_t accepted = 0;
    for (size_t n = 0; n <= v.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, v.p, n);
        bool yes = accepts(view_of(copy, n));
        free(copy);
        if (yes != (n >= enough))
            check_fail("cut to %zu of %zu bytes: %s", n, v.n, yes ? "accepted" : "refused");
    }
    uint8_t *copy = malloc(v.n);
    memcpy(copy, v.p, v.n);
    for (size_t i = 0; i < v.n * 8; i += v.n > 128 ? 9 : 1) {
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        accepted += accepts(view_of(copy, v.n));
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    free(copy);
    return accepted;
}

#endif
