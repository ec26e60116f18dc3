/* moment: points in time, seconds since 1970 UTC, at which a verdict is given. */
#ifndef PLINTH_APPRAISE_MOMENT_H
#define PLINTH_APPRAISE_MOMENT_H

#include "base/view.h"

#define MOMENT_TEXT 24u

/* RFC 3339 in UTC ("2025-07-01T00:00:00Z", as Intel's collateral has it), a day ("2025-07-01", its first second), or "@" and
 * seconds. False for anything else, and beyond the years 1970 to 9999. */
bool moment_parse(struct view text, int64_t *seconds);
/* "2025-07-01T00:00:00Z" into `out`; returns it. */
const char *moment_text(int64_t seconds, char out[static MOMENT_TEXT]);

#endif
