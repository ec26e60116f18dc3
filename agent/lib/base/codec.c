/* see codec.h */
#include "base/codec.h"

int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct view text, uint8_t *out, size_t n) {
    if (text.n != 2 * n) return false;
    for (size_t i = 0; i < text.n; i++)
        if (hex_value(text.p[i]) < 0 || (text.p[i] >= 'A' && text.p[i] <= 'F')) return false;
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(hex_value(text.p[2 * i]) << 4 | hex_value(text.p[2 * i + 1]));
    return true;
}

static int base64_digit(uint8_t c, bool url) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (url ? '-' : '+')) return 62;
    if (c == (url ? '_' : '/')) return 63;
    return -1;
}

static bool decode(struct view text, bool url, uint8_t *out, size_t size, size_t *n) {
    if (!url) {
        if (text.n % 4) return false;
        for (int pad = 0; pad < 2 && text.n && text.p[text.n - 1] == '='; pad++) text.n--;
    }
    size_t tail = text.n % 4, bytes = text.n / 4 * 3 + (tail ? tail - 1 : 0);
    if (tail == 1 || bytes > size) return false;
    uint32_t bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = base64_digit(text.p[i], url);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 == 3) {
            out[at++] = (uint8_t)(bits >> 16);
            out[at++] = (uint8_t)(bits >> 8);
            out[at++] = (uint8_t)bits;
            bits = 0;
        }
    }
    if (tail == 2) {
        if (bits & 15) return false; /* bits that no encoder writes: a second spelling of the same bytes */
        out[at++] = (uint8_t)(bits >> 4);
    } else if (tail == 3) {
        if (bits & 3) return false;
        out[at++] = (uint8_t)(bits >> 10);
        out[at++] = (uint8_t)(bits >> 2);
    }
    *n = at;
    return true;
}

bool base64_decode(struct view text, uint8_t *out, size_t size, size_t *n) { return decode(text, false, out, size, n); }
bool base64url_decode(struct view text, uint8_t *out, size_t size, size_t *n) { return decode(text, true, out, size, n); }
