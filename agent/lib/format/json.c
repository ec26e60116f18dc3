/* see json.h */
#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/codec.h"
#include "base/limits.h"

/* yyjson's memory from the arena. The array of values grows by realloc and is the arena's last piece: it grows in
 * place. */
static void *take(void *arena, size_t n) { return arena_alloc(arena, n); }

static void *grow(void *arena, void *p, size_t old, size_t n) {
    struct arena *a = arena;
    size_t room = (old + 15) & ~(size_t)15; /* what arena_alloc set aside */
    if (n <= room) return p;
    if ((uint8_t *)p + room == a->base + a->used) return arena_alloc(a, n - room) ? p : NULL;
    void *q = arena_alloc(a, n);
    if (q) memcpy(q, p, old);
    return q;
}

static void leave(void *arena, void *p) { (void)arena, (void)p; }

/* On the text, before anything is built from it. */
static bool depth_ok(struct view text) {
    size_t depth = 0;
    bool string = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (string && c == '\\')
            i++;
        else if (c == '"')
            string = !string;
        else if (!string && (c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
            return false;
        else if (!string && (c == ']' || c == '}') && depth)
            depth--;
    }
    return true;
}

static int by_name(const void *a, const void *b) {
    const yyjson_val *x = *(yyjson_val *const *)a, *y = *(yyjson_val *const *)b;
    size_t n = unsafe_yyjson_get_len((void *)x), m = unsafe_yyjson_get_len((void *)y);
    return n != m ? (n < m ? -1 : 1) : memcmp(x->uni.str, y->uni.str, n);
}

static bool names_differ(yyjson_val *object, struct arena *a, struct err *e) {
    size_t n = unsafe_yyjson_get_len(object);
    if (n < 2) return true;
    yyjson_val **names = arena_alloc(a, n * sizeof *names), *name = unsafe_yyjson_get_first(object);
    if (!names) return arena_full(a, e);
    for (size_t i = 0; i < n; i++, name = unsafe_yyjson_get_next(name + 1)) names[i] = name;
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 1; i < n; i++)
        if (by_name(names + i - 1, names + i) == 0)
            return err_set(e, ERR_FORMAT, "the JSON member '%.*s' is there twice",
                           VIEW_ARG(view_first(json_text(names[i]), 200)));
    return true;
}

bool json_parse(struct view text, struct arena *a, const json **root, struct err *e) {
    if (!depth_ok(text)) return err_set(e, ERR_FORMAT, "JSON nested deeper than %u levels", JSON_DEPTH_MAX);
    yyjson_alc alc = {take, grow, leave, a};
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts((char *)text.p, text.n, YYJSON_READ_NOFLAG, &alc, &why);
    if (!doc && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) return arena_full(a, e);
    if (!doc) return err_set(e, ERR_FORMAT, "not JSON: %s at byte %zu of %zu", why.msg, why.pos, text.n);
    yyjson_val *v = yyjson_doc_get_root(doc), *end = v + yyjson_doc_get_val_count(doc); /* all values, in one array */
    for (yyjson_val *each = v; each < end; each++) {
        if (yyjson_is_str(each) && memchr(each->uni.str, 0, unsafe_yyjson_get_len(each)))
            return err_set(e, ERR_FORMAT, "a JSON string with a NUL character");
        if (yyjson_is_obj(each) && !names_differ(each, a, e)) return false;
    }
    *root = v;
    return true;
}

bool json_is_object(const json *v) { return yyjson_is_obj((json *)v); }
bool json_is_array(const json *v) { return yyjson_is_arr((json *)v); }
bool json_is_string(const json *v) { return yyjson_is_str((json *)v); }
bool json_is_null(const json *v) { return yyjson_is_null((json *)v); }

bool json_is_bool(const json *v, bool *value) {
    if (!yyjson_is_bool((json *)v)) return false;
    *value = yyjson_is_true((json *)v);
    return true;
}

const json *json_get(const json *object, const char *name) { return yyjson_obj_get((json *)object, name); }
const json *json_member(const json *object, struct view name) {
    return yyjson_obj_getn((json *)object, (const char *)name.p, name.n);
}

bool json_pointer_ok(struct view path) {
    if (path.n && path.p[0] != '/') return false;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '~' && (i + 1 == path.n || (path.p[i + 1] != '0' && path.p[i + 1] != '1'))) return false;
    return true;
}

/* Whether `token`, with its ~0 and ~1, stands for `name`. */
static bool token_is(struct view token, struct view name) {
    size_t i = 0, k = 0;
    for (; i < token.n && k < name.n; i++, k++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        if (escape) i++;
        if ((escape ? (token.p[i] == '0' ? '~' : '/') : token.p[i]) != name.p[k]) return false;
    }
    return i == token.n && k == name.n;
}

const json *json_pointer(const json *v, struct view path) {
    while (v && path.n) {
        path = view_skip(path, 1);
        const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;
        struct view token = view_first(path, slash ? (size_t)(slash - path.p) : path.n);
        path = view_skip(path, token.n);
        uint64_t index;
        const json *found = NULL;
        if (json_is_array(v) && view_u64(token, json_count(v), &index)) found = json_at(v, index);
        if (json_is_object(v))
            for (struct json_iter it = json_each(v); !found && json_next(&it);)
                if (token_is(token, it.name)) found = it.value;
        v = found;
    }
    return v;
}

size_t json_count(const json *v) { return yyjson_is_ctn((json *)v) ? unsafe_yyjson_get_len((json *)v) : 0; }
const json *json_at(const json *array, size_t i) { return yyjson_arr_get((json *)array, i); }

struct json_iter json_each(const json *v) {
    size_t n = json_count(v);
    return (struct json_iter){
        .next = n ? unsafe_yyjson_get_first((json *)v) : NULL, .left = n, .object = json_is_object(v)};
}

bool json_next(struct json_iter *it) {
    if (it->left == 0) return false;
    yyjson_val *v = (yyjson_val *)it->next;
    if (it->object) it->name = json_text(v++);
    it->value = v;
    it->next = --it->left ? unsafe_yyjson_get_next(v) : NULL;
    return true;
}

struct view json_text(const json *v) {
    return json_is_string(v) ? view_of(v->uni.str, unsafe_yyjson_get_len((json *)v)) : (struct view){0};
}

bool json_u64(const json *v, uint64_t *out) {
    if (!yyjson_is_uint((json *)v) || v->uni.u64 > (uint64_t)1 << 53) return false;
    *out = v->uni.u64;
    return true;
}

bool json_is_number(const json *v) { return yyjson_is_num((json *)v); }

/* As sign and magnitude; false for what is not a whole number of 64 bits. */
static bool whole(const json *v, bool *negative, uint64_t *magnitude) {
    double d = yyjson_get_real((json *)v);
    *negative = yyjson_is_sint((json *)v) ? v->uni.i64 < 0 : yyjson_is_real((json *)v) && d < 0;
    if (!yyjson_is_real((json *)v)) {
        *magnitude = *negative ? 0 - v->uni.u64 : v->uni.u64;
        return true;
    }
    d = *negative ? -d : d;
    if (d >= 18446744073709551616.0 || (double)(uint64_t)d != d) return false;
    *magnitude = (uint64_t)d;
    return true;
}

int json_order(const json *a, const json *b) {
    bool a_negative, b_negative;
    uint64_t m, n;
    if (whole(a, &a_negative, &m) && whole(b, &b_negative, &n)) {
        if (a_negative != b_negative) return a_negative ? -1 : 1;
        return m == n ? 0 : (m < n) != a_negative ? -1 : 1;
    }
    double x = yyjson_get_num((json *)a), y = yyjson_get_num((json *)b);
    return x < y ? -1 : x > y;
}

/* Recursion is bounded: json_parse lets nothing through that is nested deeper than JSON_DEPTH_MAX. */
bool json_equal(const json *a, const json *b) {
    if (json_is_number(a) && json_is_number(b)) return json_order(a, b) == 0;
    if (!a || !b || yyjson_get_type((json *)a) != yyjson_get_type((json *)b) || json_count(a) != json_count(b))
        return false;
    if (json_is_string(a)) return view_eq(json_text(a), json_text(b));
    if (yyjson_is_bool((json *)a)) return yyjson_is_true((json *)a) == yyjson_is_true((json *)b);
    struct json_iter x = json_each(a), y = json_each(b);
    while (json_next(&x) && json_next(&y))
        if (!json_equal(x.value, x.object ? json_member(b, x.name) : y.value)) return false;
    return true;
}

const char *json_brief(const json *v, char *out, size_t size) {
    struct view text = view_first(json_text(v), 120);
    if (yyjson_is_num((json *)v) && !yyjson_is_real((json *)v))
        snprintf(out, size, yyjson_is_uint((json *)v) ? "%llu" : "%lld", (unsigned long long)v->uni.u64);
    else if (yyjson_is_real((json *)v)) snprintf(out, size, "%.17g", v->uni.f64);
    else if (json_is_string(v)) snprintf(out, size, "'%.*s'%s", VIEW_ARG(text), text.n < json_text(v).n ? "..." : "");
    else if (yyjson_is_ctn((json *)v)) snprintf(out, size, "of type %s", yyjson_get_type_desc((json *)v));
    else snprintf(out, size, "%s", !v ? "missing" : yyjson_is_null((json *)v) ? "null" : yyjson_is_true((json *)v) ? "true" : "false");
    return out;
}

/* "where: name" at the top of a document, "where: path.name" below. */
static const char *joint(const char *where) { return strstr(where, ": ") ? "." : ": "; }

static bool wrong(const json *v, const char *name, const char *where, const char *want, struct err *e) {
    if (!v) return err_set(e, ERR_FORMAT, "%s%s%s is missing", where, joint(where), name);
    char is[160];
    return err_set(e, ERR_FORMAT, "%s%s%s must be %s, it is %s", where, joint(where), name, want,
                   json_brief(v, is, sizeof is));
}

bool json_need_text(const json *object, const char *name, const char *where, struct view *out, struct err *e) {
    const json *v = json_get(object, name);
    if (!json_is_string(v)) return wrong(v, name, where, "a string", e);
    *out = json_text(v);
    return true;
}

bool json_need_u64(const json *object, const char *name, const char *where, uint64_t *out, struct err *e) {
    const json *v = json_get(object, name);
    return json_u64(v, out) || wrong(v, name, where, "a whole number of 0 to 2^53", e);
}

bool json_need_object(const json *object, const char *name, const char *where, const json **out, struct err *e) {
    const json *v = json_get(object, name);
    if (!json_is_object(v)) return wrong(v, name, where, "an object", e);
    *out = v;
    return true;
}

bool json_need_array(const json *object, const char *name, const char *where, const json **out, struct err *e) {
    const json *v = json_get(object, name);
    if (!json_is_array(v)) return wrong(v, name, where, "an array", e);
    *out = v;
    return true;
}

bool json_need_base64(const json *object, const char *name, const char *where, struct view *out, struct err *e) {
    struct view text;
    size_t n;
    if (!json_need_text(object, name, where, &text, e)) return false;
    uint8_t *p = (uint8_t *)text.p; /* in the arena, and each byte is read before one is written over it */
    if (!base64_decode(text, p, text.n, &n))
        return err_set(e, ERR_FORMAT, "%s%s%s is not base64", where, joint(where), name);
    *out = view_of(p, n);
    return true;
}

bool json_only(const json *object, const char *const *names, const char *where, struct err *e) {
    struct json_iter it = json_each(object);
    while (json_next(&it)) {
        const char *const *known = names;
        while (*known && !view_is(it.name, *known)) known++;
        if (*known) continue;
        char list[200] = "";
        for (size_t n = 0; *names && n < sizeof list; names++)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *names);
        return err_set(e, ERR_USAGE, "%s%s%.*s is not known to this build; known here: %s", where, joint(where),
                       VIEW_ARG(view_first(it.name, 100)), list);
    }
    return true;
}
