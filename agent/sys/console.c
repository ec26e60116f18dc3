/* see console.h */
#include "sys/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    enum console_mode mode;
    bool terminal;    /* a progress line can be rewritten */
    bool unfinished;  /* one stands there */
    int64_t shown_ms; /* when progress was last shown */
} console;

static int64_t boot_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void console_open(enum console_mode mode) {
    console.mode = mode;
    console.terminal = mode == CONSOLE_HOST && isatty(STDERR_FILENO);
    console.unfinished = false;
    console.shown_ms = boot_ms();
}

/* One write per line, so that lines of kernel and agent do not mix; bytes that would steer a terminal become '?'. */
static void put(const char *before, const char *text, const char *after) {
    char line[1400];
    int n = snprintf(line, sizeof line - 1, "%s%s", console.unfinished ? "\r\033[K" : "", before);
    for (; *text && n < (int)sizeof line - 8; text++) line[n++] = *text >= 0x20 && *text < 0x7f ? *text : '?';
    n += snprintf(line + n, sizeof line - (size_t)n, "%s", after);
    console.unfinished = after[0] != '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0) return; /* nobody left to tell */
}

/* "[  1.234] plinth: " in the guest, "plinth: " elsewhere. */
static const char *prefix(char *out, size_t size) {
    int64_t now = boot_ms();
    if (console.mode == CONSOLE_GUEST)
        snprintf(out, size, "[%3lld.%03d] plinth: ", (long long)(now / 1000), (int)(now % 1000));
    else
        snprintf(out, size, "plinth: ");
    return out;
}

void console_say(const char *format, ...) {
    char before[40], text[1200];
    if (console.mode == CONSOLE_QUIET) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(prefix(before, sizeof before), text, "\n");
}

void console_progress(const char *what, uint64_t done, uint64_t total) {
    char before[40], text[128];
    int64_t now = boot_ms();
    bool end = total && done >= total;
    if (console.mode == CONSOLE_QUIET || (!end && now - console.shown_ms < (console.terminal ? 100 : 5000))) return;
    console.shown_ms = now;
    int n = snprintf(text, sizeof text, "%s: %.1f", what, (double)done / 1048576);
    if (total && n > 0 && n < (int)sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, " of %.1f MiB (%u %%)", (double)total / 1048576,
                 (unsigned)(done * 100.0 / total));
    else if (n > 0 && n < (int)sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, " MiB");
    put(prefix(before, sizeof before), text, console.terminal && !end ? "" : "\n");
}

void console_error(const char *verb, const struct err *e) {
    char before[40], text[1200];
    int n = snprintf(text, sizeof text, "%s: ", verb);
    err_line(e, text + n, sizeof text - (size_t)n);
    put(prefix(before, sizeof before), text, "\n");
    if (e->mend[0]) put("  to mend it: ", e->mend, "\n");
}
