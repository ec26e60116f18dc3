/* view: read-only bytes that somebody else owns.
 *
 * Everything from outside travels as a view; it is not NUL-terminated. A view lives as long as the buffer or
 * arena under it. The empty view is {NULL, 0} or {p, 0}: test `n`, never `p`. */
#ifndef PLINTH_BASE_VIEW_H
#define PLINTH_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
    const uint8_t *p;
    size_t n;
};

/* A view of a string literal, without its NUL. */
#define VIEW(literal) ((struct view){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* For printf("%.*s", VIEW_ARG(v)). Only for text that was checked, or goes through err (which escapes). */
#define VIEW_ARG(v) (int)(v).n, (const char *)(v).p

static inline struct view view_of(const void *p, size_t n) { return (struct view){p, n}; }
static inline struct view view_str(const char *s) { return (struct view){(const uint8_t *)s, strlen(s)}; }
static inline bool view_eq(struct view a, struct view b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool view_is(struct view a, const char *s) { return view_eq(a, view_str(s)); }
static inline bool view_starts(struct view a, struct view prefix) {
    return a.n >= prefix.n && view_eq(view_of(a.p, prefix.n), prefix);
}
static inline bool view_ends(struct view a, struct view suffix) {
    return a.n >= suffix.n && view_eq(view_of(a.p + (a.n - suffix.n), suffix.n), suffix);
}
/* The view without its first `n` bytes (all of it when n is larger). */
static inline struct view view_skip(struct view v, size_t n) {
    return n >= v.n ? (struct view){v.p ? v.p + v.n : NULL, 0} : view_of(v.p + n, v.n - n);
}
static inline struct view view_first(struct view v, size_t n) { return view_of(v.p, n < v.n ? n : v.n); }

/* Splits `*rest` at the first `at`: returns what stands before it and leaves what follows. Without `at` the whole
 * is returned and `*rest` becomes empty. `found` may be NULL. */
struct view view_cut(struct view *rest, uint8_t at, bool *found);

/* Without spaces, tabs, CR and LF at both ends. */
struct view view_trim(struct view v);

/* ASCII letters compared without case (HTTP names, host names). */
bool view_eq_nocase(struct view a, struct view b);

/* ASCII letters, digits and the characters of `also`, nothing else; true for the empty view. */
bool view_is_word(struct view v, const char *also);

/* Decimal digits only, no sign, no leading zero except "0" itself, at most `max`. False leaves *out alone. */
bool view_u64(struct view v, uint64_t max, uint64_t *out);

/* Copies into `out` with a NUL. False when it does not fit or holds a NUL byte. */
bool view_to_str(struct view v, char *out, size_t size);

#endif
