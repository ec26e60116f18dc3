/* proc: starting and ending workers. */
#ifndef PLINTH_SYS_PROC_H
#define PLINTH_SYS_PROC_H

#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid;   /* 0: none */
    int control; /* our end of the frame socket, -1 */
    int input;   /* our end of the input pipe, -1 */
    const char *name; /* the caller's, "plinth:unpack"; messages call it "the unpack worker" */
};
#define CHILD_NONE ((struct child){0, -1, -1, ""})

/* Starts this same program with argv {name}, an empty environment, and descriptors 3 control, 4 input, 5 room, nothing
 * else; 0 and 1 are /dev/null, 2 is the parent's. `input_fd` -1: make a pipe when `with_pipe`; else the descriptor is
 * passed. It dies with us. `name` must outlive the child. */
bool proc_start(const char *name, int room_fd, bool with_pipe, int input_fd, struct child *out, struct err *e);
/* Closes our ends, waits up to `timeout_ms`, then kills. Tells how it ended when that was not exit 0: ERR_SYSTEM ("the
 * unpack worker was stopped by its confinement (SIGSYS)", "was killed for lack of memory"). Safe on CHILD_NONE. */
bool proc_end(struct child *c, int timeout_ms, struct err *e);
/* Kills at once and reaps. */
void proc_kill(struct child *c);

#endif
