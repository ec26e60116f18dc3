/* see err.h */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Copies text with control and non-ASCII bytes written as \xHH; UTF-8 is escaped too, since a console may be anything. */
static void put_escaped(char *out, size_t size, const char *text) {
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c >= 0x20 && c < 0x7f;
        if (n + (plain ? 1 : 4) >= size) break;
        if (plain) {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n] = 0;
}

static void set(struct err *e, enum err_kind kind, int sys, const char *format, va_list args) {
    char raw[sizeof e->text];
    vsnprintf(raw, sizeof raw, format, args);
    if (sys) {
        size_t n = strlen(raw);
        snprintf(raw + n, sizeof raw - n, ": %s", strerror(sys));
    }
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->sys = sys;
    put_escaped(e->text, sizeof e->text, raw);
}

bool err_set(struct err *e, enum err_kind kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(e, kind, 0, format, args);
    va_end(args);
    return false;
}

bool err_sys(struct err *e, const char *format, ...) {
    int saved = errno;
    va_list args;
    va_start(args, format);
    set(e, ERR_SYSTEM, saved, format, args);
    va_end(args);
    return false;
}

bool err_in(struct err *e, const char *format, ...) {
    char raw[128], clean[128], old[sizeof e->trail];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    put_escaped(clean, sizeof clean, raw);
    memcpy(old, e->trail, sizeof old);
    snprintf(e->trail, sizeof e->trail, "%s%s%.*s", clean, old[0] ? ": " : "", (int)(sizeof old - 132), old);
    return false;
}

bool err_mend(struct err *e, const char *format, ...) {
    if (e->mend[0]) return false;
    char raw[sizeof e->mend];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    put_escaped(e->mend, sizeof e->mend, raw);
    return false;
}

int err_status(const struct err *e) {
    switch (e->kind) {
    case ERR_NONE: return 0;
    case ERR_USAGE: return 2;
    case ERR_NETWORK:
    case ERR_SYSTEM: return 3;
    default: return 1;
    }
}

void err_line(const struct err *e, char *out, unsigned long size) {
    snprintf(out, size, "%s%s%s", e->trail, e->trail[0] ? ": " : "", e->text);
}
