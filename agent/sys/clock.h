/* clock: certificates are judged by the time of day, which the host may set as it likes. */
#ifndef PLINTH_SYS_CLOCK_H
#define PLINTH_SYS_CLOCK_H

/* A clock before the build's date (seconds since 1970, UTC) is wrong: it is set to that date, and that is said. One
 * more than 20 years after it is most likely wrong: that is said only. */
void clock_at_least(long long build_date);

#endif
