/* see aside.h */
#include "sys/aside.h"

#include "crypto/wipe.h"
#include "sys/deadline.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 200 /* for a killed child to be gone */

static void send(int fd, const void *bytes, size_t n) {
    for (const uint8_t *p = bytes; n;) {
        ssize_t sent = write(fd, p, n);
        if (sent <= 0) _exit(1);
        p += sent;
        n -= (size_t)sent;
    }
}

/* What comes first: the bytes that follow are the result, or the error as it lies in memory; both ends are this
 * program. */
struct head {
    bool ok;
    size_t n;
};

static _Noreturn void child(aside_work *work, const void *argument, int pipe_fd, bool keep, struct writer out) {
    struct err e = {0};
    int fd = keep ? pipe_fd : 3;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
        (!keep && ((pipe_fd != 3 && dup2(pipe_fd, 3) < 0) || syscall(SYS_close_range, 4u, ~0u, 0))))
        _exit(1);
    struct head head = {work(argument, &out, &e), out.n};
    if (head.ok && out.full) head.ok = err_set(&e, ERR_SYSTEM, "more than %zu bytes", out.size);
    if (!head.ok) head.n = sizeof e;
    send(fd, &head, sizeof head);
    send(fd, head.ok ? (const void *)out.p : &e, head.n);
    _exit(0);
}

static bool start(aside_work *work, const void *argument, size_t max, bool keep, struct aside_job *out, struct err *e) {
    struct aside_job j = {.fd = -1};
    int ends[2];
    if (!arena_make(&j.memory, sizeof(struct head) + (max < sizeof(struct err) ? sizeof(struct err) : max), e)) return false;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
        arena_drop(&j.memory);
        return err_sys(e, "cannot make a pipe");
    }
    j.pid = fork();
    if (j.pid == 0) {
        fcntl(ends[1], F_SETFL, 0); /* its end blocks */
        child(work, argument, ends[1], keep, writer_of(j.memory.base, max));
    }
    close(ends[1]);
    j.fd = ends[0];
    if (j.pid < 0) {
        err_sys(e, "cannot fork");
        aside_end(&j);
        return false;
    }
    *out = j;
    return true;
}

bool aside_start(aside_work *work, const void *argument, size_t max, struct aside_job *out, struct err *e) {
    return start(work, argument, max, true, out, e);
}

bool aside(const char *what, aside_work *work, const void *argument, int timeout_ms, struct writer *out,
           struct err *e) {
    int64_t deadline = deadline_in(timeout_ms);
    struct aside_job j;
    struct view got = {0};
    bool done = false, ok = start(work, argument, out->size - out->n, false, &j, e);
    if (!ok) return err_in(e, "%s", what);
    while (ok && !done) {
        if ((ok = deadline_poll(j.fd, POLLIN, deadline))) {
            ok = aside_take(&j, &done, &got, e);
        } else {
            err_set(e, ERR_SYSTEM, "no answer in %d.%d s", timeout_ms / 1000, timeout_ms % 1000 / 100);
            e->sys = ETIMEDOUT;
        }
    }
    if (ok) write_bytes(out, got);
    aside_end(&j);
    return ok || err_in(e, "%s", what);
}

bool aside_take(struct aside_job *j, bool *done, struct view *out, struct err *e) {
    struct head head;
    ssize_t n;
    while ((n = read(j->fd, j->memory.base + j->memory.used, j->memory.size - j->memory.used)) > 0)
        j->memory.used += (size_t)n;
    *done = n == 0 || (errno != EAGAIN && errno != EINTR);
    if (!*done) return true;
    struct view got = view_of(j->memory.base, j->memory.used);
    if (got.n >= sizeof head) {
        memcpy(&head, got.p, sizeof head);
        *out = view_skip(got, sizeof head);
        if (out->n == head.n && head.ok) return true;
        if (out->n == head.n && head.n == sizeof *e) return memcpy(e, out->p, sizeof *e), false;
    }
    return err_set(e, ERR_SYSTEM, "the process that was to do it died");
}

void aside_end(struct aside_job *j) {
    if (j->fd >= 0) close(j->fd);
    if (j->pid > 0) {
        int64_t deadline = deadline_in(GRACE_MS);
        kill(j->pid, SIGKILL);
        while (waitpid(j->pid, NULL, WNOHANG) == 0 && deadline_pause(deadline, 1)) {}
    }
    if (j->memory.base) wipe(j->memory.base, j->memory.used);
    arena_drop(&j->memory);
    *j = (struct aside_job){.fd = -1};
}
