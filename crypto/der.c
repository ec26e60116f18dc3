/* see der.h */
#include "crypto/der.h"

bool der_take(struct view *rest, uint8_t tag, struct view *content) {
    struct view v = *rest;
    if (v.n < 2 || v.p[0] != tag) return false;
    size_t length = v.p[1], head = 2;
    if (length > 0x80) {
        size_t digits = length & 0x7f;
        if (digits > 2 || v.n < 2 + digits) return false;
        head += digits;
        length = digits == 1 ? v.p[2] : (size_t)v.p[2] << 8 | v.p[3];
        if (length < (digits == 1 ? 0x80 : 0x100)) return false;
    } else if (length == 0x80) {
        return false;
    }
    v = view_skip(v, head);
    if (v.n < length) return false;
    *content = view_first(v, length);
    *rest = view_skip(v, length);
    return true;
}

bool der_take_number(struct view *rest, struct view *number) {
    struct view after = *rest, v;
    if (!der_take(&after, DER_INTEGER, &v)) return false;
    bool padded = v.n > 1 && v.p[0] == 0;
    if (!v.n || v.p[0] >= 0x80 || (v.p[0] == 0 && !(padded && v.p[1] >= 0x80))) return false;
    *number = view_skip(v, padded);
    *rest = after;
    return true;
}

bool der_take_positive(struct view *rest, uint8_t *out, size_t size) {
    struct view after = *rest, v;
    if (!der_take_number(&after, &v) || v.n > size) return false;
    memset(out, 0, size - v.n);
    memcpy(out + (size - v.n), v.p, v.n);
    *rest = after;
    return true;
}
