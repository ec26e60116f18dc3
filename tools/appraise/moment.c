/* see moment.h */
#include "tools/appraise/moment.h"

#include <stdio.h>
#include <time.h>

#define MOMENT_LAST 253402300799 /* 9999-12-31T23:59:59Z */

bool moment_parse(struct view text, int64_t *seconds) {
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    uint64_t plain;
    int number[6] = {0}, at = 0;
    if (text.n && text.p[0] == '@') {
        if (!view_u64(view_skip(text, 1), MOMENT_LAST, &plain)) return false;
        *seconds = (int64_t)plain;
        return true;
    }
    if (text.n != 10 && text.n != sizeof shape - 1) return false;
    for (size_t i = 0; i < text.n; i++) {
        if (shape[i] != 'd') {
            if (text.p[i] != (uint8_t)shape[i]) return false;
            at++;
        } else {
            if (text.p[i] < '0' || text.p[i] > '9') return false;
            number[at] = number[at] * 10 + (text.p[i] - '0');
        }
    }
    struct tm tm = {.tm_year = number[0] - 1900,
                    .tm_mon = number[1] - 1,
                    .tm_mday = number[2],
                    .tm_hour = number[3],
                    .tm_min = number[4],
                    .tm_sec = number[5]};
    struct tm kept = tm;
    time_t t = timegm(&tm); /* sets right what is no date: then it is not what was written */
    if (number[0] < 1970 || tm.tm_year != kept.tm_year || tm.tm_mon != kept.tm_mon || tm.tm_mday != kept.tm_mday ||
        tm.tm_hour != kept.tm_hour || tm.tm_min != kept.tm_min || tm.tm_sec != kept.tm_sec)
        return false;
    *seconds = t;
    return true;
}

const char *moment_text(int64_t seconds, char out[static MOMENT_TEXT]) {
    time_t t = (time_t)seconds;
    struct tm tm;
    if (seconds < 0 || seconds > MOMENT_LAST || !gmtime_r(&t, &tm) ||
        !strftime(out, MOMENT_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(out, MOMENT_TEXT, "?");
    return out;
}
