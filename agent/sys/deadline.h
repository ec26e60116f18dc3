/* deadline: waiting on descriptors until a moment of the monotonic clock, in milliseconds. */
#ifndef PLINTH_SYS_DEADLINE_H
#define PLINTH_SYS_DEADLINE_H

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

static inline int64_t deadline_in(int timeout_ms) { return clock_ms() + timeout_ms; }

/* Milliseconds left, 0 when it has passed. */
static inline int deadline_left(int64_t deadline) {
    int64_t left = deadline - clock_ms();
    return left > 0 ? (int)left : 0;
}

/* Sleeps `ms` for the next try; false, at once, when the deadline has passed. */
static inline bool deadline_pause(int64_t deadline, int ms) {
    if (!deadline_left(deadline)) return false;
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
    return true;
}

/* True when `fd` is ready (or broken: the next read or write says how). False with errno ETIMEDOUT, or poll's own. */
static inline bool deadline_poll(int fd, short events, int64_t deadline) {
    struct pollfd p = {fd, events, 0};
    int n;
    while ((n = poll(&p, 1, deadline_left(deadline))) < 0 && errno == EINTR) {}
    if (n == 0) errno = ETIMEDOUT;
    return n > 0;
}

#endif
