/* supervise: run.mode "supervise": PID 1 stays in the initramfs, the container runs in a PID and a mount name space
 * of its own, and other processes of this program serve it or those who call it (struct served). The network is
 * shared.
 *
 * PID 1 waits for all of them. When the container's first process ends, the console says how, and the machine is
 * powered off. A request to stop (SIGTERM, SIGINT and with it ctrl-alt-del, SIGPWR, the ACPI power button where the
 * kernel has evdev) sends the image's StopSignal (SIGTERM where it names none), and SIGKILL after SUPERVISE_GRACE_MS:
 * as PID 1 of its name space a process without a handler does not notice the first.
 *
 * A process that serves is not trusted: it gets what it asks for only as far as `answer` allows, one request at a
 * time, and of the monitor's time at most half (and of that of its evidence, which a child of the monitor makes while
 * the monitor goes on); when it crashes or breaks the protocol it is started again, SUPERVISE_RESTARTS times. */
#ifndef PLINTH_STEP_SUPERVISE_H
#define PLINTH_STEP_SUPERVISE_H

#include "step/kbs.h"
#include "step/launch.h"

#define SUPERVISE_GRACE_MS 10000
#define SUPERVISE_RESTARTS 5u

struct supervision {
    const struct config *config;
    struct measurement *measured;
    const struct verified_image *image;
    const struct process *process;
    const struct launch_site *site;
    struct kbs *kbs; /* NULL: no KBS */
    struct arena *arena;
    struct arena *secrets; /* what site->secrets lives in: wiped once the container has it */
    const struct used_resources *used; /* step/api.h: what the boot asked the KBS for */
};

/* A worker that goes on serving while the container runs. */
struct served {
    const char *name; /* worker/worker.h */
    int listening[2]; /* descriptors 4 and 5 of it, -1: none; made before the container starts */
    /* After each start, also the second: tells it what it has to know. May be NULL. */
    bool (*begin)(void *state, const struct child *c, struct err *e);
    /* Answers FRAME_ASK, whose payload may be anything: the bytes of the answer, in `a` (locked memory, wiped after
     * they were sent; in a child: its own). An error is sent on to the process, so it holds nothing secret. */
    bool (*answer)(void *state, struct view asked, struct arena *a, struct view *out, struct err *e);
    /* True: `answer` takes long and changes nothing here, so a forked child does it. It has no locked memory of ours.
     * May be NULL. */
    bool (*aside)(void *state, struct view asked);
    void *state;
};
#define SERVED_MAX 2u
#define SERVED_ANSWER_MAX (2u << 20)

/* Starts the container and what serves it (run.api, run.tls), and looks after them until the container ends; powers the
 * machine off then. Returns only when it could not be started. */
bool supervise_run(const struct supervision *s, struct err *e);

/* StopSignal of an image ("SIGTERM", "TERM", "15", "SIGRTMIN+3"); 0 when it is none. */
int supervise_signal(struct view name);

#endif
