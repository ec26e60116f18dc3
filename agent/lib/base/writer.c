/* see writer.h */
#include "base/writer.h"

void write_bytes(struct writer *w, struct view v) {
    if (w->full || v.n > w->size - w->n) {
        w->full = true;
        return;
    }
    if (v.n) memcpy(w->p + w->n, v.p, v.n);
    w->n += v.n;
}

static void write_be(struct writer *w, uint64_t x, size_t n) {
    uint8_t b[8];
    for (size_t i = 0; i < n; i++) b[i] = (uint8_t)(x >> 8 * (n - 1 - i));
    write_bytes(w, view_of(b, n));
}

static void write_le(struct writer *w, uint64_t x, size_t n) {
    uint8_t b[8];
    for (size_t i = 0; i < n; i++) b[i] = (uint8_t)(x >> 8 * i);
    write_bytes(w, view_of(b, n));
}

void write_u8(struct writer *w, uint8_t x) { write_be(w, x, 1); }
void write_be16(struct writer *w, uint16_t x) { write_be(w, x, 2); }
void write_be32(struct writer *w, uint32_t x) { write_be(w, x, 4); }
void write_be64(struct writer *w, uint64_t x) { write_be(w, x, 8); }
void write_le16(struct writer *w, uint16_t x) { write_le(w, x, 2); }
void write_le32(struct writer *w, uint32_t x) { write_le(w, x, 4); }
void write_le64(struct writer *w, uint64_t x) { write_le(w, x, 8); }

static const char hex_digits[] = "0123456789abcdef";

void write_hex(struct writer *w, struct view v) {
    for (size_t i = 0; i < v.n; i++) {
        write_u8(w, (uint8_t)hex_digits[v.p[i] >> 4]);
        write_u8(w, (uint8_t)hex_digits[v.p[i] & 15]);
    }
}

void write_dec(struct writer *w, uint64_t x) {
    char b[20];
    size_t i = sizeof b;
    do b[--i] = (char)('0' + x % 10);
    while (x /= 10);
    write_bytes(w, view_of(b + i, sizeof b - i));
}

void write_base64(struct writer *w, struct view v) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < v.n; i += 3) {
        size_t left = v.n - i;
        uint32_t x = (uint32_t)v.p[i] << 16 | (left > 1 ? (uint32_t)v.p[i + 1] << 8 : 0) | (left > 2 ? v.p[i + 2] : 0);
        uint8_t b[4] = {(uint8_t)digits[x >> 18], (uint8_t)digits[x >> 12 & 63],
                        left > 1 ? (uint8_t)digits[x >> 6 & 63] : '=', left > 2 ? (uint8_t)digits[x & 63] : '='};
        write_bytes(w, view_of(b, 4));
    }
}

void write_base64url(struct writer *w, struct view v) {
    size_t from = w->n;
    write_base64(w, v);
    while (w->n > from && w->p[w->n - 1] == '=') w->n--;
    for (size_t i = from; i < w->n; i++) w->p[i] = w->p[i] == '+' ? '-' : w->p[i] == '/' ? '_' : w->p[i];
}

void write_json_string(struct writer *w, struct view v) {
    static const char special[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    write_u8(w, '"');
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        const char *at = c ? strchr(special, c) : NULL;
        if (at) {
            write_u8(w, '\\');
            write_u8(w, (uint8_t)letter[at - special]);
        } else if (c < 0x20) {
            write_text(w, "\\u00");
            write_hex(w, view_of(&c, 1));
        } else {
            write_u8(w, c);
        }
    }
    write_u8(w, '"');
}

void write_member(struct writer *w, const char *name) {
    if (w->n && w->p[w->n - 1] != '{') write_u8(w, ',');
    write_json_string(w, view_str(name));
    write_u8(w, ':');
}

const char *writer_str(struct writer *w) {
    write_u8(w, 0);
    if (w->full) return NULL;
    w->n--;
    return (const char *)w->p;
}
