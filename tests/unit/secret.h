// What the tests of keys and secrets share: the lines and keys of tests/unit/vectors/secret (see ./make there).
#ifndef TESTS_SECRET_H
#define TESTS_SECRET_H

#include "lib.h"

#include "base/codec.h"
#include "crypto/private_key.h"

// The next line that is no comment, cut at spaces into `count` words; the last holds the rest.
__attribute__((unused)) static bool next_line(struct view *text, struct view *words, size_t count)
{
    while (text->n) {
        struct view line = view_cut(text, '\n', NULL);
        if (!line.n || line.p[0] == '#')
            continue;
        for (size_t i = 0; i + 1 < count; i++)
            words[i] = view_cut(&line, ' ', NULL);
        words[count - 1] = line;
        return true;
    }
    return false;
}

// Hex, "-" for nothing, in the arena.
__attribute__((unused)) static struct view from_hex(struct view text)
{
    if (view_is(text, "-"))
        return (struct view){0};
    uint8_t *p = arena_alloc(&arena, text.n / 2 + 1);
    CHECK(p && hex_decode(text, p, text.n / 2));
    return view_of(p, text.n / 2);
}

__attribute__((unused)) static struct view from_base64(struct view text)
{
    size_t n;
    uint8_t *p = arena_alloc(&arena, text.n + 1);
    CHECK(p && base64_decode(text, p, text.n, &n));
    return view_of(p, n);
}

// vectors/secret/NAME.der
__attribute__((unused)) static struct private_key load_private(struct view name)
{
    char path[100];
    struct private_key key;
    snprintf(path, sizeof path, "secret/%.*s.der", VIEW_ARG(name));
    if (!private_key_decode(vector(path), &key, &err))
        check_fail("%s: %s", path, err.text);
    return key;
}

#endif
