// What the fuzz targets of agent/lib share: an arena that is new for each input, and reading what a view promises.
#ifndef TESTS_FUZZ_LIB_H
#define TESTS_FUZZ_LIB_H

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/view.h"

static struct arena arena;

// Zeroes only what the last input used, which is much faster than new pages.
static inline void start(size_t size)
{
    struct err e;

    if (!arena.base && !arena_make(&arena, size, &e))
        abort();
    memset(arena.base, 0, arena.used);
    arena.used = 0;
}

// Reads every byte.
static inline void touch(struct view v)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < v.n; i++)
        sum = (uint8_t)(sum + v.p[i]);
}

#endif
