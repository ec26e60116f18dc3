/* see clock.h */
#include "sys/clock.h"

#include "sys/console.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const char *day(time_t t, char out[static 16]) {
    struct tm tm;
    if (!gmtime_r(&t, &tm) || !strftime(out, 16, "%Y-%m-%d", &tm)) strcpy(out, "beyond reason");
    return out;
}

void clock_at_least(long long build_date) {
    const long long years20 = 20LL * 365 * 86400;
    char now[16], built[16];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (t.tv_sec >= build_date && t.tv_sec - build_date <= years20) return;
    day(t.tv_sec, now);
    day((time_t)build_date, built);
    if (t.tv_sec >= build_date) {
        console_say("the clock says %s, more than 20 years after this agent was built (%s)", now, built);
        return;
    }
    t = (struct timespec){(time_t)build_date, 0};
    if (clock_settime(CLOCK_REALTIME, &t))
        console_say("the clock says %s, before this agent was built (%s), and cannot be set: %s", now, built,
                    strerror(errno));
    else
        console_say("the clock said %s, before this agent was built; it is %s now", now, built);
}
