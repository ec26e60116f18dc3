/* see view.h */
#include "base/view.h"

struct view view_cut(struct view *rest, uint8_t at, bool *found) {
    const uint8_t *hit = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    if (found) *found = hit != NULL;
    struct view head = *rest;
    if (hit) head.n = (size_t)(hit - rest->p);
    *rest = view_skip(*rest, hit ? head.n + 1 : head.n);
    return head;
}

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct view view_trim(struct view v) {
    while (v.n && is_space(v.p[0])) v = view_skip(v, 1);
    while (v.n && is_space(v.p[v.n - 1])) v.n--;
    return v;
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

bool view_eq_nocase(struct view a, struct view b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    return true;
}

bool view_is_word(struct view v, const char *also) {
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i], letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && !(c && strchr(also, c))) return false;
    }
    return true;
}

bool view_u64(struct view v, uint64_t max, uint64_t *out) {
    if (v.n == 0 || (v.n > 1 && v.p[0] == '0')) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return false;
        uint64_t digit = (uint64_t)(v.p[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (value > max) return false;
    *out = value;
    return true;
}

bool view_to_str(struct view v, char *out, size_t size) {
    if (v.n >= size || (v.n && memchr(v.p, 0, v.n))) return false;
    if (v.n) memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}
