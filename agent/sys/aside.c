/* see aside.h */
#include "sys/aside.h"

#include "sys/deadline.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 200 /* for a killed child to be gone */

static void send(const void *bytes, size_t n) {
    for (const uint8_t *p = bytes; n;) {
        ssize_t sent = write(3, p, n);
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

static _Noreturn void child(aside_work *work, const void *argument, int pipe_fd, struct writer out) {
    struct err e = {0};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || (pipe_fd != 3 && dup2(pipe_fd, 3) < 0) ||
        syscall(SYS_close_range, 4u, ~0u, 0))
        _exit(1);
    struct head head = {work(argument, &out, &e), out.n};
    if (head.ok && out.full) head.ok = err_set(&e, ERR_SYSTEM, "more than %zu bytes", out.size);
    if (!head.ok) head.n = sizeof e;
    send(&head, sizeof head);
    send(head.ok ? (const void *)out.p : &e, head.n);
    _exit(0);
}

/* Exactly `n` bytes; false with errno, which is EPIPE when the child went before. */
static bool receive(int fd, void *out, size_t n, int64_t deadline) {
    for (uint8_t *p = out; n;) {
        if (!deadline_poll(fd, POLLIN, deadline)) return false;
        ssize_t got = read(fd, p, n);
        if (got == 0) return errno = EPIPE, false;
        if (got < 0 && errno != EINTR) return false;
        if (got > 0) p += got, n -= (size_t)got;
    }
    return true;
}

static bool result(const char *what, int fd, int timeout_ms, struct writer *out, struct err *e) {
    int64_t deadline = deadline_in(timeout_ms);
    struct head head;
    struct err told;
    if (receive(fd, &head, sizeof head, deadline)) {
        if (head.ok && head.n <= out->size - out->n && receive(fd, out->p + out->n, head.n, deadline))
            return out->n += head.n, true;
        if (!head.ok && receive(fd, &told, sizeof told, deadline)) return *e = told, err_in(e, "%s", what);
    }
    if (errno != ETIMEDOUT) return err_set(e, ERR_SYSTEM, "%s: the process that was to do it died", what);
    err_set(e, ERR_SYSTEM, "%s: no answer in %d.%d s", what, timeout_ms / 1000, timeout_ms % 1000 / 100);
    e->sys = ETIMEDOUT;
    return false;
}

bool aside(const char *what, aside_work *work, const void *argument, int timeout_ms, struct writer *out,
           struct err *e) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return err_sys(e, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) child(work, argument, ends[1], writer_of(out->p + out->n, out->size - out->n));
    close(ends[1]);
    bool ok = pid > 0 ? result(what, ends[0], timeout_ms, out, e) : err_sys(e, "cannot fork");
    close(ends[0]);
    if (pid > 0) {
        int64_t deadline = deadline_in(GRACE_MS);
        kill(pid, SIGKILL); /* it has said all it had to, or never will */
        while (waitpid(pid, NULL, WNOHANG) == 0 && deadline_pause(deadline, 1)) {}
    }
    return ok;
}
