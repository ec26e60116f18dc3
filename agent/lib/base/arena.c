/* see arena.h */
#include "base/arena.h"

#include <sys/mman.h>

bool arena_make(struct arena *a, size_t size, struct err *e) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return err_sys(e, "no memory for an arena of %zu bytes", size);
    *a = (struct arena){p, 0, size};
    return true;
}

void arena_drop(struct arena *a) {
    if (a->base) munmap(a->base, a->size);
    *a = (struct arena){0};
}

void *arena_alloc(struct arena *a, size_t n) {
    if (n > a->size - a->used) return NULL;
    void *p = a->base + a->used;
    size_t step = (n + 15) & ~(size_t)15;
    a->used += step > a->size - a->used ? a->size - a->used : step;
    return p;
}

struct view arena_copy(struct arena *a, struct view v) {
    if (v.n == 0) return (struct view){0};
    uint8_t *p = arena_alloc(a, v.n);
    if (!p) return (struct view){0};
    memcpy(p, v.p, v.n);
    return view_of(p, v.n);
}

char *arena_str(struct arena *a, struct view v) {
    if (v.n && memchr(v.p, 0, v.n)) return NULL;
    char *s = arena_alloc(a, v.n + 1);
    if (s && v.n) memcpy(s, v.p, v.n);
    return s;
}

bool arena_full(const struct arena *a, struct err *e) {
    return err_set(e, ERR_SYSTEM, "more than %zu bytes of working memory needed", a->size);
}
