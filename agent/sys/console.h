/* console: what people see. The only file-scope state of the program.
 *
 * Guest: lines "[  1.234] plinth: ..." on /dev/console. Host: standard error, with one progress line that is rewritten on a
 * terminal and plain lines elsewhere. Workers never print. */
#ifndef PLINTH_SYS_CONSOLE_H
#define PLINTH_SYS_CONSOLE_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum console_mode { CONSOLE_GUEST, CONSOLE_HOST, CONSOLE_QUIET };

void console_open(enum console_mode mode);
/* One line. */
void console_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Progress of a long work; `total` 0 when unknown. Rate-limited by itself; `done == total` ends the line. */
void console_progress(const char *what, uint64_t done, uint64_t total);
/* First line "plinth: <verb>: <trail: text>", under it the chain and what would mend it. */
void console_error(const char *verb, const struct err *e);

#endif
