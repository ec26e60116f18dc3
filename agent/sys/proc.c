/* see proc.h */
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20) /* what an ordinary user may ask for; a layer's bytes then move in few steps */

/* Puts `fds` at 3, 4 and 5 (-1: nothing there). First all go high, so that none is in another's place. */
static bool place(int fds[3]) {
    int high[3], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++) {
        high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 10);
        if (fds[i] >= 0 && high[i] < 0) return false;
    }
    for (int i = 0; i < 2 && null >= 0; i++) dup2(null, i);
    for (int i = 0; i < 3; i++) {
        close(3 + i);
        if (high[i] >= 0 && dup2(high[i], 3 + i) < 0) return false;
    }
    syscall(SYS_close_range, 6u, ~0u, 0); /* what our own parent left open; ours are close-on-exec */
    return true;
}

/* Runs after fork; there is no way back. The program is the one that runs, whatever its file is called by now. */
static _Noreturn void become(const char *name, int fds[3], pid_t parent) {
    char *const argv[] = {(char *)(uintptr_t)name, NULL}, *const env[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || !place(fds)) _exit(127);
    int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (self >= 0) syscall(SYS_execveat, self, "", argv, env, AT_EMPTY_PATH);
    execve("/init", argv, env); /* PID 1 before /proc is there */
    _exit(127);
}

bool proc_start(const char *name, int room_fd, bool with_pipe, int input_fd, struct child *out, struct err *e) {
    int control[2] = {-1, -1}, input[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control)) return err_sys(e, "cannot make a socket pair");
    if (with_pipe && pipe2(input, O_CLOEXEC)) {
        err_sys(e, "cannot make a pipe");
    } else {
        if (with_pipe) fcntl(input[1], F_SETPIPE_SZ, PIPE_BYTES); /* when refused, 64 KiB do it too */
        pid = fork();
        if (pid == 0) become(name, (int[3]){control[1], with_pipe ? input[0] : input_fd, room_fd}, parent);
        if (pid < 0) err_sys(e, "cannot start %s", name);
    }
    close(control[1]);
    if (with_pipe) close(input[0]);
    if (pid > 0) {
        *out = (struct child){pid, control[0], input[1], name};
        return true;
    }
    close(control[0]);
    if (with_pipe) close(input[1]);
    return false;
}

static void close_ends(struct child *c) {
    if (c->control >= 0) close(c->control);
    if (c->input >= 0) close(c->input);
    c->control = c->input = -1;
}

/* 0 while it runs, else its pid; a child that somebody else reaped (PID 1 waits for everybody) counts as ended well. */
static pid_t reap(const struct child *c, int *status, int flags) {
    pid_t r;
    do r = waitpid(c->pid, status, flags);
    while (r < 0 && errno == EINTR);
    if (r < 0) *status = 0;
    return r < 0 ? c->pid : r;
}

static bool verdict(const char *name, int status, bool late, struct err *e) {
    const char *colon = strchr(name, ':'), *duty = colon ? colon + 1 : name;
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0, code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (late) return err_set(e, ERR_SYSTEM, "the %s worker did not end in time and was stopped", duty);
    if (!signal && !code) return true;
    if (signal == SIGSYS) {
        err_set(e, ERR_SYSTEM, "the %s worker was stopped by its confinement (SIGSYS)", duty);
        return err_mend(e, "it asked for what is not its duty: the image may hold an attack, or this is a bug");
    }
    if (signal == SIGKILL) {
        err_set(e, ERR_SYSTEM, "the %s worker was killed (SIGKILL), probably for lack of memory", duty);
        return err_mend(e, "give the machine more memory");
    }
    if (signal) return err_set(e, ERR_SYSTEM, "the %s worker crashed (signal %d, %s)", duty, signal, strsignal(signal));
    if (code == 127) return err_set(e, ERR_SYSTEM, "the %s worker could not be executed", duty);
    return err_set(e, ERR_SYSTEM, "the %s worker ended with status %d", duty, code);
}

/* Linux before 5.3 has no descriptors of processes, so there it looks every millisecond. */
static void wait_for(const struct child *c, int *timeout_ms) {
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, c->pid, 0), .events = POLLIN};
    int n = poll(&p, p.fd >= 0, p.fd >= 0 ? *timeout_ms : 1);
    *timeout_ms = p.fd >= 0 && n == 0 ? 0 : *timeout_ms - 1;
    if (p.fd >= 0) close(p.fd);
}

bool proc_end(struct child *c, int timeout_ms, struct err *e) {
    if (c->pid <= 0) return true;
    int status = 0;
    close_ends(c);
    pid_t done;
    while ((done = reap(c, &status, WNOHANG)) == 0 && timeout_ms > 0) wait_for(c, &timeout_ms);
    const char *name = c->name;
    if (!done) proc_kill(c);
    *c = CHILD_NONE;
    return verdict(name, status, !done, e);
}

void proc_kill(struct child *c) {
    int status;
    close_ends(c);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        reap(c, &status, 0);
    }
    *c = CHILD_NONE;
}
