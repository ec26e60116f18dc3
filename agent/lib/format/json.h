/* json: strict reading of RFC 8259 texts (yyjson underneath).
 *
 * Stricter than the RFC where laxness would let two readers see different documents: duplicate member names, bytes
 * after the value, invalid UTF-8, nesting beyond JSON_DEPTH_MAX and NUL characters in strings are errors (ERR_FORMAT).
 * Values are views into the arena and live as long as it. */
#ifndef PLINTH_FORMAT_JSON_H
#define PLINTH_FORMAT_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

typedef struct yyjson_val json; /* opaque; NULL stands for "absent" in every function here */

/* Parses the whole of `text` into `a`: about 4 times the text, at most 13 times ("[0,0,0..."). ERR_SYSTEM when `a` is
 * too small. */
bool json_parse(struct view text, struct arena *a, const json **root, struct err *e);

bool json_is_object(const json *v);
bool json_is_array(const json *v);
bool json_is_string(const json *v);
bool json_is_null(const json *v);
bool json_is_bool(const json *v, bool *value);

/* Member of an object, or NULL when absent or `object` is not an object. */
const json *json_get(const json *object, const char *name);
const json *json_member(const json *object, struct view name);
/* JSON Pointer (RFC 6901): "" is the value itself, "/a/0/b~1c" a descendant; NULL when there is none. An array's index
 * has no leading zero; "-" is never there. */
bool json_pointer_ok(struct view path);
const json *json_pointer(const json *v, struct view path);
/* Elements of an array or members of an object; 0 for anything else. */
size_t json_count(const json *v);
/* Element i of an array; NULL beyond its end. Linear in i: use json_each for loops. */
const json *json_at(const json *array, size_t i);
/* Iteration: `struct json_iter it = json_each(v); while (json_next(&it)) ...it.name (objects)...it.value` */
struct json_iter {
    const json *value;
    struct view name; /* empty for arrays */
    const void *next;
    size_t left;
    bool object;
};
struct json_iter json_each(const json *object_or_array);
bool json_next(struct json_iter *it);

/* A string's characters; {NULL, 0} when v is not a string. */
struct view json_text(const json *v);
/* An integer of 0..2^53; false for fractions, negatives, exponents, other types. */
bool json_u64(const json *v, uint64_t *out);

bool json_is_number(const json *v);
/* Numbers: below, at or above zero as `a` is to `b`. Exact for whole numbers of 64 bits; beyond, and with a fraction, they
 * are what IEEE 754 doubles make of them (RFC 8259 section 6). */
int json_order(const json *a, const json *b);
/* Same value: members in any order, 1 is 1.0. Strings are compared byte by byte. */
bool json_equal(const json *a, const json *b);
/* For messages: a string in quotes, a number, true, "an object"; cut to `size`. Returns `out`. */
const char *json_brief(const json *v, char *out, size_t size);

/* Required members. The error names `where` and the member: "manifest: config.digest is missing". */
bool json_need_text(const json *object, const char *name, const char *where, struct view *out, struct err *e);
bool json_need_u64(const json *object, const char *name, const char *where, uint64_t *out, struct err *e);
bool json_need_object(const json *object, const char *name, const char *where, const json **out, struct err *e);
bool json_need_array(const json *object, const char *name, const char *where, const json **out, struct err *e);
/* The bytes of a string in base64 (base/codec.h), decoded in its place: once. */
bool json_need_base64(const json *object, const char *name, const char *where, struct view *out, struct err *e);
/* Every member's name must be one of `names` (NULL-terminated); else ERR_USAGE naming the unknown member and the known
 * ones. */
bool json_only(const json *object, const char *const *names, const char *where, struct err *e);

#endif
