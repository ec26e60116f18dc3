/* arena: memory that is given back all at once.
 *
 * One arena per step, or per document. It is born with its maximum and grows never; the pages come from mmap and are
 * touched only when used. Everything allocated lives until arena_drop. A full arena is an error, not an abort. */
#ifndef PLINTH_BASE_ARENA_H
#define PLINTH_BASE_ARENA_H

#include "base/err.h"
#include "base/view.h"

struct arena {
    uint8_t *base;
    size_t used, size;
};

/* Reserves `size` bytes of address space. ERR_SYSTEM when the kernel refuses. */
bool arena_make(struct arena *a, size_t size, struct err *e);
/* Gives all pages back; the arena may be dropped twice. */
void arena_drop(struct arena *a);
/* `n` zeroed bytes, aligned to 16. NULL when full. */
void *arena_alloc(struct arena *a, size_t n);
/* A copy of `v`, or an empty view with p == NULL when full (v.n > 0). */
struct view arena_copy(struct arena *a, struct view v);
/* A NUL-terminated copy, or NULL when full or when `v` holds a NUL byte. */
char *arena_str(struct arena *a, struct view v);
/* Sets ERR_SYSTEM "out of memory" with the arena's size, for callers whose allocation returned NULL. */
bool arena_full(const struct arena *a, struct err *e);

#endif
