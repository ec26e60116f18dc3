/* see require.h */
#include "trust/require.h"

#include <regex.h>
#include <stdio.h>

#define CUSTOM_TYPE "https://cosign.sigstore.dev/attestation/v1"

/* RFC 3339 section 5.6, in seconds since 1970 and 10^-18 seconds. */
struct instant {
    int64_t seconds;
    uint64_t fraction;
};

static bool digits(struct view *v, size_t n, unsigned max, int64_t *out) {
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= v->n || v->p[i] < '0' || v->p[i] > '9') return false;
        *out = *out * 10 + (v->p[i] - '0');
    }
    *v = view_skip(*v, n);
    return *out <= max;
}

static bool mark(struct view *v, char a, char b) {
    if (v->n == 0 || (v->p[0] != a && v->p[0] != b)) return false;
    *v = view_skip(*v, 1);
    return true;
}

static bool read_fraction(struct view *v, uint64_t *out) {
    uint64_t unit = 1000000000000000000u;
    if (!mark(v, '.', '.')) return true;
    while (v->n && v->p[0] >= '0' && v->p[0] <= '9' && unit > 1) {
        *out += (uint64_t)(v->p[0] - '0') * (unit /= 10);
        *v = view_skip(*v, 1);
    }
    return unit < 1000000000000000000u;
}

static bool read_offset(struct view *v, int64_t *seconds) {
    int64_t hours, minutes;
    if (mark(v, 'Z', 'z')) return true;
    int64_t sign = v->n && v->p[0] == '-' ? 1 : -1;
    if (!mark(v, '+', '-') || !digits(v, 2, 23, &hours) || !mark(v, ':', ':') || !digits(v, 2, 59, &minutes))
        return false;
    *seconds += sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_time(struct view v, struct instant *out) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t year, month, day, hour, minute, second;
    if (!digits(&v, 4, 9999, &year) || !mark(&v, '-', '-') || !digits(&v, 2, 12, &month) || !mark(&v, '-', '-') ||
        !digits(&v, 2, 31, &day) || !mark(&v, 'T', 't') || !digits(&v, 2, 23, &hour) || !mark(&v, ':', ':') ||
        !digits(&v, 2, 59, &minute) || !mark(&v, ':', ':') || !digits(&v, 2, 60, &second) || !month || !day)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > days[month - 1] + (leap && month == 2)) return false;
    int64_t past = year + 399; /* years before this one since the year -399, which began a cycle as 2001 did */
    int64_t n = past * 365 + past / 4 - past / 100 + past / 400 + before[month - 1] + (leap && month > 2) + day - 1;
    out->seconds = (n - 865259) * 86400 + hour * 3600 + minute * 60 + second;
    out->fraction = 0;
    return read_fraction(&v, &out->fraction) && read_offset(&v, &out->seconds) && v.n == 0;
}

/* Numbers or times; false when they are not both the same. */
static bool compare(const json *a, const json *b, int *order) {
    struct instant s, t;
    if (json_is_number(a) && json_is_number(b)) {
        *order = json_order(a, b);
        return true;
    }
    if (!json_is_string(a) || !json_is_string(b) || !read_time(json_text(a), &s) || !read_time(json_text(b), &t))
        return false;
    *order = s.seconds != t.seconds ? (s.seconds < t.seconds ? -1 : 1) : (s.fraction > t.fraction) - (s.fraction < t.fraction);
    return true;
}

/* ---- patterns ---- */

/* Behind the '[' at *i, up to its ']' (XBD section 9.3.5): there the other signs mean themselves. */
static void skip_bracket(struct view p, size_t *i) {
    size_t at = *i + 1;
    if (at < p.n && p.p[at] == '^') at++;
    if (at < p.n && p.p[at] == ']') at++;
    while (at < p.n && p.p[at] != ']') {
        uint8_t kind = at + 1 < p.n ? p.p[at + 1] : 0;
        bool class = p.p[at] == '[' && (kind == ':' || kind == '.' || kind == '=');
        for (at += class ? 2 : 1; class && at + 1 < p.n && (p.p[at] != kind || p.p[at + 1] != ']');) at++;
        if (class) at += 2;
    }
    *i = at;
}

/* The factor by which the repetition at *i makes the piece before it grow, at most; 0: no repetition. */
static uint64_t repeats(struct view p, size_t *i) {
    uint64_t most = 1, n = 0;
    if (p.p[*i] == '*' || p.p[*i] == '+' || p.p[*i] == '?') return 2;
    if (p.p[*i] != '{') return 0;
    for (; *i + 1 < p.n && p.p[*i + 1] != '}' && most <= REQUIRE_SIZE_MAX; ++*i) {
        uint8_t c = p.p[*i + 1];
        n = c >= '0' && c <= '9' ? n * 10 + (c - '0') : 0;
        if (n > most) most = n;
    }
    ++*i;
    return most + 1;
}

/* What the C library would take but should not: back-references (not linear), and what makes it explode. `size` of each open
 * group counts the positions that the matcher will have, `piece` those of what stands last. */
static const char *pattern_fault(struct view p) {
    uint64_t size[REQUIRE_GROUPS_MAX + 1] = {0}, piece = 0, factor;
    size_t depth = 0;
    if (p.n == 0 || p.n > REQUIRE_PATTERN_MAX) return "it must have 1 to 512 bytes";
    for (size_t i = 0; i < p.n; i++) {
        if ((factor = repeats(p, &i)) > 0) {
            size[depth] += piece * (factor - 1), piece *= factor;
        } else if (p.p[i] == '(') {
            if (++depth > REQUIRE_GROUPS_MAX) return "its groups are nested too deep";
            size[depth] = piece = 0;
        } else {
            if (p.p[i] == '\\' && i + 1 < p.n && p.p[i + 1] >= '0' && p.p[i + 1] <= '9')
                return "back-references are not supported";
            if (p.p[i] == ')' && depth == 0) return "a ')' without '('";
            piece = p.p[i] == ')' ? size[depth--] + 1 : 1;
            size[depth] += piece;
            if (p.p[i] == '[') skip_bracket(p, &i);
            if (i < p.n && p.p[i] == '\\') i++;
        }
        if (size[depth] > REQUIRE_SIZE_MAX) return "it is too large, its repetitions multiplied out";
    }
    return NULL;
}

static bool compile(struct view pattern, struct arena *a, regex_t *out, struct err *e) {
    const char *fault = pattern_fault(pattern);
    char why[100];
    if (fault) return err_set(e, ERR_USAGE, "'%.*s': %s", VIEW_ARG(view_first(pattern, 200)), fault);
    char *text = arena_str(a, pattern);
    if (!text) return arena_full(a, e);
    int status = regcomp(out, text, REG_EXTENDED);
    if (status == 0) return true;
    regerror(status, out, why, sizeof why);
    return err_set(e, ERR_USAGE, "'%.*s': %s", VIEW_ARG(view_first(pattern, 200)), why);
}

/* The matcher finds the leftmost longest match: if any covers the whole text, it is this one. */
static bool matches(struct view pattern, struct view text, struct arena *a, struct err *e) {
    regex_t compiled;
    regmatch_t at = {-1, -1};
    char *s = arena_str(a, text);
    if (!s) return arena_full(a, e);
    if (!compile(pattern, a, &compiled, e)) return false;
    int status = regexec(&compiled, s, 1, &at, 0);
    regfree(&compiled);
    if (status != 0 && status != REG_NOMATCH) return err_set(e, ERR_SYSTEM, "no memory for a regular expression");
    return status == 0 && at.rm_so == 0 && (size_t)at.rm_eo == text.n;
}

/* ---- the policy's side ---- */

static bool bad(const char *where, const char *what, struct err *e) {
    return err_set(e, ERR_USAGE, "%s%s", where, what);
}

static bool parse_path(struct view path, const char *where, struct err *e) {
    if (path.n > REQUIRE_PATH_MAX) return bad(where, ".path is longer than 512 bytes", e);
    if (!json_pointer_ok(path)) {
        err_set(e, ERR_USAGE, "%s.path, '%.*s', is no JSON Pointer", where, VIEW_ARG(view_first(path, 200)));
        return err_mend(e, "write \"\" or \"/member/0/member\"; '~' is ~0 and '/' in a name is ~1 (RFC 6901)");
    }
    for (struct view rest = path; rest.n;)
        if (view_is(view_cut(&rest, '/', NULL), "*")) {
            err_set(e, ERR_USAGE, "%s.path, '%.*s', has a component '*', which is not supported", where,
                    VIEW_ARG(view_first(path, 200)));
            return err_mend(e, "name the element: /packages/0/name; one requirement for each");
        }
    return true;
}

static bool parse_order(const json *v, const char *where, const char *name, struct err *e) {
    struct instant unused;
    return !v || json_is_number(v) || (json_is_string(v) && read_time(json_text(v), &unused)) ||
           err_set(e, ERR_USAGE, "%s.%s must be a number or an RFC 3339 time (\"2026-01-31T00:00:00Z\")", where, name);
}

bool require_parse(const json *v, const char *where, struct arena *a, struct requirement *out, struct err *e) {
    static const char *const members[] = {"path", "equals", "in", "exists", "matches", "atLeast", "atMost", NULL};
    struct requirement r = {.operators = v};
    bool exists = true;
    int order;
    if (!json_is_object(v)) return bad(where, " must be an object with path and an operator", e);
    if (!json_only(v, members, where, e) || !json_need_text(v, "path", where, &r.path, e) || !parse_path(r.path, where, e))
        return false;
    if (json_count(v) < 2) {
        bad(where, " has no operator", e);
        return err_mend(e, "add equals, in, exists, matches, atLeast or atMost");
    }
    const json *in = json_get(v, "in"), *pattern = json_get(v, "matches"), *least = json_get(v, "atLeast"),
               *most = json_get(v, "atMost"), *there = json_get(v, "exists");
    if (there && !json_is_bool(there, &exists)) return bad(where, ".exists must be true or false", e);
    if (!exists && json_count(v) > 2) return bad(where, ": nothing that does not exist can meet another operator", e);
    if (in && json_count(in) == 0) return bad(where, ".in must be a list of values, not empty", e);
    if (in && !json_is_array(in)) return bad(where, ".in must be a list of values", e);
    if (pattern) {
        regex_t compiled;
        if (!json_is_string(pattern)) return bad(where, ".matches must be a string", e);
        if (!compile(json_text(pattern), a, &compiled, e)) return err_in(e, "%s.matches", where);
        regfree(&compiled);
    }
    if (!parse_order(least, where, "atLeast", e) || !parse_order(most, where, "atMost", e)) return false;
    if (least && most && (!compare(least, most, &order) || order > 0))
        return bad(where, ": nothing is both atLeast and atMost that", e);
    *out = r;
    return true;
}

/* ---- the predicate's side ---- */

/* Where the path leads; enters a document inside a string. ERR_FORMAT when that string holds none. */
static bool locate(const struct requirement *r, struct view type, const json *predicate, struct arena *a, const json **out,
                   struct err *e) {
    struct view path = r->path;
    const json *inside = predicate;
    const char *what = "the predicate";
    if (view_is(type, CUSTOM_TYPE) && view_starts(path, VIEW("/Data/")) && json_is_string(json_get(predicate, "Data")))
        inside = json_get(predicate, "Data"), path = view_skip(path, 5), what = "predicate.Data";
    if (path.n && json_is_string(inside)) {
        if (!json_parse(json_text(inside), a, &inside, e)) return err_in(e, "%s", what);
        if (!json_is_object(inside) && !json_is_array(inside))
            return err_set(e, ERR_FORMAT, "%s is a string without an object or array in it", what);
    }
    *out = json_pointer(inside, path);
    return true;
}

static bool is_in(const json *v, const json *list) {
    for (struct json_iter it = json_each(list); json_next(&it);)
        if (json_equal(v, it.value)) return true;
    return false;
}

/* e->kind stays ERR_NONE for a plain no. */
static bool holds(const json *v, struct view name, const json *operand, struct arena *a, struct err *e) {
    int order;
    bool wanted;
    if (view_is(name, "exists")) return json_is_bool(operand, &wanted) && wanted == (v != NULL);
    if (!v) return false;
    if (view_is(name, "equals")) return json_equal(v, operand);
    if (view_is(name, "in")) return is_in(v, operand);
    if (view_is(name, "matches"))
        return json_is_string(v) && json_text(v).n <= REQUIRE_TEXT_MAX && matches(json_text(operand), json_text(v), a, e);
    return compare(v, operand, &order) && (view_is(name, "atLeast") ? order >= 0 : view_is(name, "atMost") && order <= 0);
}

/* 'a', 'b', ... of a list. */
static const char *brief(const json *operand, char *out, size_t size) {
    size_t n = 0;
    char one[160];
    if (!json_is_array(operand)) return json_brief(operand, out, size);
    for (struct json_iter it = json_each(operand); n < size && json_next(&it);)
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", json_brief(it.value, one, sizeof one));
    return out;
}

bool require_met(const struct requirement *r, struct view predicate_type, const json *predicate, struct arena *a,
                 struct err *e) {
    const json *v = NULL;
    char is[160], wanted[160] = "";
    if (!locate(r, predicate_type, predicate, a, &v, e)) return false;
    for (struct json_iter it = json_each(r->operators); json_next(&it);) {
        struct err why = {0};
        if (view_is(it.name, "path") || holds(v, it.name, it.value, a, &why)) continue;
        if (why.kind == ERR_SYSTEM) {
            *e = why;
            return false;
        }
        return err_set(e, ERR_POLICY, "%.*s of the predicate is %s, wanted is %.*s %s", VIEW_ARG(view_first(r->path, 120)),
                       json_brief(v, is, sizeof is), VIEW_ARG(it.name), brief(it.value, wanted, sizeof wanted));
    }
    return true;
}
