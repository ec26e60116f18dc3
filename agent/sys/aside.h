/* aside: work that may never return, done in a child so that PID 1 keeps its deadline.
 *
 * A read from the kernel's report files can hang, in a way that no signal ends (the host does not answer; a lock is
 * held). So the child of this same program does it and hands the bytes through a pipe; at the deadline it is killed,
 * and, where even that does not end it, left behind. It has no descriptor but that pipe and 0-2: what is left behind
 * holds nothing open. */
#ifndef PLINTH_SYS_ASIDE_H
#define PLINTH_SYS_ASIDE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"
#include <sys/types.h>

/* Writes its result into `out` (the child's copy of the caller's buffer). Opens what it needs itself, by path. */
typedef bool aside_work(const void *argument, struct writer *out, struct err *e);

/* Runs it and appends its bytes to `out`. ERR_SYSTEM (e->sys ETIMEDOUT) "what: no answer in N s" at the deadline; the
 * child's own error; ERR_SYSTEM when it died, or when `out` is too small. */
bool aside(const char *what, aside_work *work, const void *argument, int timeout_ms, struct writer *out, struct err *e);


/* The same while the caller goes on: poll `fd` for reading, then call aside_take. */
struct aside_job {
    pid_t pid; /* 0: none */
    int fd;
    struct arena memory; /* what came so far lies here */
};
/* At most `max` bytes of result. The child keeps all descriptors, for one that it needs could not be opened again. */
bool aside_start(aside_work *work, const void *argument, size_t max, struct aside_job *out, struct err *e);
/* Takes what is there. *done: the child has ended its work; then true with its bytes in *out until aside_end, or
 * false with its error. */
bool aside_take(struct aside_job *j, bool *done, struct view *out, struct err *e);
/* Kills what still runs (reaped when it can be), gives the memory back, wiped. */
void aside_end(struct aside_job *j);

#endif
