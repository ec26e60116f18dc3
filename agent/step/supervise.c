/* see supervise.h */
#include "step/supervise.h"

#include "crypto/wipe.h"
#include "step/api.h"
#include "step/ratls.h"
#include "sys/aside.h"
#include "sys/console.h"
#include "sys/deadline.h"
#include "sys/mounts.h"
#include "sys/power.h"
#include "sys/secret_memory.h"
#include "worker/address.h"
#include "worker/frame.h"

#include <fcntl.h>
#include <linux/input.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA (32u << 20)    /* of address space, for one answer */
#define JOB_MS 90000         /* a quote has 40 s (sys/tsm.h), a TPM 30 for each command */
#define SEND_MS 2000         /* for the process to take a frame */
#define GIVE_MS 10000        /* and an answer */
#define BURST_MS 2000        /* of the monitor's time that may be used at once */
#define COST_MS 20           /* of the shortest answer */
#define COST_BYTES (10u << 10) /* that many are a millisecond */
#define BUTTONS 4u
#define RENEW_S_MIN 10u
#define RENEW_S_MAX 1000000u

/* A process of the table while it runs. */
struct serving {
    struct child child; /* pid 0: it is over with it */
    unsigned restarts;
    int64_t allowance_ms, since_ms;
};

static struct {
    const struct supervision *s;
    pid_t container;
    int signals, buttons[BUTTONS];
    int64_t kill_at; /* 0: nobody asked to stop */
    bool killed;
    size_t count;
    struct served served[SERVED_MAX];
    struct serving serving[SERVED_MAX];
    struct child address; /* asks for the lease once more */
    int64_t renew_at;     /* when that begins, or is too late; 0: never */
    uint32_t lease_left;
    struct aside_job job; /* an answer that a child makes; whoever else asks waits, for it may be using the TPM */
    size_t job_for;
    int64_t job_since;
    uint8_t frame[FRAME_MAX];
    size_t frame_n;
} keeper;

/* ---- The container ---- */

int supervise_signal(struct view name) {
    static const struct {
        const char *name;
        int number;
    } names[] = {{"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP},
                 {"ABRT", SIGABRT}, {"BUS", SIGBUS},     {"FPE", SIGFPE},   {"KILL", SIGKILL}, {"USR1", SIGUSR1},
                 {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},   {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},
                 {"CHLD", SIGCHLD}, {"CONT", SIGCONT},   {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},
                 {"TTOU", SIGTTOU}, {"URG", SIGURG},     {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"PROF", SIGPROF},
                 {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"PWR", SIGPWR},   {"SYS", SIGSYS},   {"VTALRM", SIGVTALRM}};
    uint64_t n;
    if (view_u64(name, 64, &n)) return (int)n;
    if (view_starts(name, VIEW("SIG"))) name = view_skip(name, 3);
    /* The kernel's numbers: a C library keeps some of the first for itself. */
    if (view_is(name, "RTMIN")) return 34;
    if (view_is(name, "RTMAX")) return 64;
    if (view_starts(name, VIEW("RTMIN+")) && view_u64(view_skip(name, 6), 30, &n)) return 34 + (int)n;
    if (view_starts(name, VIEW("RTMAX-")) && view_u64(view_skip(name, 6), 30, &n)) return 64 - (int)n;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (view_is(name, names[i].name)) return names[i].number;
    return 0;
}

/* Its first process, in name spaces of its own. What fails before it is executed comes back through a pipe. */
static bool start_container(const struct supervision *s, pid_t *out, struct err *e) {
    struct launch_site site = *s->site;
    struct err told;
    int ends[2];
    site.supervised = true;
    if (pipe2(ends, O_CLOEXEC)) return err_sys(e, "cannot make a pipe");
    secret_memory_share(s->secrets, true);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        if (!launch_exec(s->process, &site, s->arena, &told) && write(ends[1], &told, sizeof told) < 0) _exit(126);
        _exit(127);
    }
    secret_memory_share(s->secrets, false);
    close(ends[1]);
    bool ok = pid > 0 || err_sys(e, "cannot make name spaces for the container");
    ssize_t n = ok ? read(ends[0], &told, sizeof told) : 0;
    close(ends[0]);
    if (ok && n != 0) {
        ok = false;
        if (n == sizeof told) *e = told;
        else err_set(e, ERR_SYSTEM, "the container's process ended before it was executed");
        waitpid(pid, NULL, 0);
    }
    if (ok) *out = pid;
    return ok;
}

/* How it ended, for people. */
static const char *ending(int status, char *out, size_t size) {
    if (WIFSIGNALED(status))
        snprintf(out, size, "the container was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "the container ended with exit status %d", WEXITSTATUS(status));
    return out;
}

static void stop(const char *why) {
    struct view name = keeper.s->image->config.stop_signal;
    int signal = name.n ? supervise_signal(name) : SIGTERM;
    if (keeper.kill_at) return;
    if (!signal) {
        console_say("StopSignal '%.*s' is unknown: SIGTERM", VIEW_ARG(view_first(name, 40)));
        signal = SIGTERM;
    }
    console_say("%s: signal %d (%s) to the container, SIGKILL in %d s", why, signal, strsignal(signal),
                SUPERVISE_GRACE_MS / 1000);
    keeper.kill_at = deadline_in(SUPERVISE_GRACE_MS);
    kill(keeper.container, signal);
}

/* ---- What serves it ---- */

static bool start_served(size_t i, struct err *e) {
    const struct served *v = &keeper.served[i];
    struct serving *g = &keeper.serving[i];
    struct timeval patience = {.tv_sec = SEND_MS / 1000};
    if (!proc_start(v->name, v->listening[1], false, v->listening[0], &g->child, e)) return err_in(e, "%s", v->name);
    setsockopt(g->child.control, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    g->since_ms = clock_ms();
    if (!v->begin || v->begin(v->state, &g->child, e)) return true;
    proc_kill(&g->child);
    return err_in(e, "%s", v->name);
}

/* It crashed, or does what it should not (*why). */
static void restart(size_t i, const struct err *why) {
    struct serving *g = &keeper.serving[i];
    const char *name = keeper.served[i].name;
    struct err e = {0};
    if (!g->child.pid) return;
    bool ended = proc_end(&g->child, 100, &e); /* says more than a socket that was closed, if it crashed */
    console_error(name, ended && why ? why : &e);
    /* It goes on for nobody: a TPM whose command is cut short takes no other. */
    if (keeper.job.pid && keeper.job_for == i) keeper.job_for = SERVED_MAX;
    bool again = g->restarts++ < SUPERVISE_RESTARTS && start_served(i, &e);
    if (again) return;
    console_say("%s: not started again", name);
    for (size_t k = 0; k < 2; k++) /* nobody shall wait for it, or take its place */
        shutdown(keeper.served[i].listening[k], SHUT_RDWR);
}

static void charge(size_t i, int64_t since, int64_t least) {
    int64_t took = clock_ms() - since;
    keeper.serving[i].allowance_ms -= took > least ? took : least;
}

static void give(size_t i, bool ok, struct view answer, const struct err *why) {
    const struct child *c = &keeper.serving[i].child;
    struct err e;
    int64_t since = clock_ms(), cost = (int64_t)(answer.n / COST_BYTES);
    bool sent = ok || frame_send_error(c->control, why, &e);
    for (; ok && sent && answer.n; answer = view_skip(answer, FRAME_MAX))
        sent = (clock_ms() - since < GIVE_MS || err_set(&e, ERR_SYSTEM, "it does not take its answer")) &&
               frame_send(c->control, FRAME_DATA, view_first(answer, FRAME_MAX), (struct view){0}, &e);
    if (ok && sent) sent = frame_send(c->control, FRAME_END, (struct view){0}, (struct view){0}, &e);
    charge(i, since, cost);
    if (!sent) restart(i, &e);
}

static bool answer_aside(const void *argument, struct writer *out, struct err *e) {
    size_t i = *(const size_t *)argument;
    const struct served *v = &keeper.served[i];
    struct arena a;
    struct view answer;
    if (!arena_make(&a, ARENA, e) || !v->answer(v->state, view_of(keeper.frame, keeper.frame_n), &a, &answer, e))
        return false;
    write_bytes(out, answer);
    return true;
}

/* One question. */
static void serve(size_t i) {
    const struct served *v = &keeper.served[i];
    struct serving *g = &keeper.serving[i];
    struct err e = {0};
    struct frame f;
    struct arena a;
    struct view answer = {0};
    int64_t now = clock_ms();
    if (!frame_receive(g->child.control, keeper.frame, sizeof keeper.frame, now + SEND_MS, &f, &e) ||
        (f.type == FRAME_ERROR && !frame_error(f.payload, &e)) ||
        (f.type != FRAME_ASK && !err_set(&e, ERR_SYSTEM, "it sent frame %d out of turn", (int)f.type))) {
        restart(i, &e);
        return;
    }
    keeper.frame_n = f.payload.n;
    if (v->aside && v->aside(v->state, f.payload)) {
        keeper.job_for = i;
        keeper.job_since = now;
        if (!aside_start(answer_aside, &keeper.job_for, SERVED_ANSWER_MAX, &keeper.job, &e)) give(i, false, answer, &e);
        return;
    }
    bool ok = secret_memory_make(&a, ARENA, true, &e);
    if (ok) {
        ok = v->answer(v->state, f.payload, &a, &answer, &e);
        charge(i, now, COST_MS);
        give(i, ok, answer, &e);
        secret_memory_drop(&a);
    } else {
        give(i, false, answer, &e);
    }
}

static void take_job(void) {
    struct err e = {0};
    struct view answer = {0};
    bool done, late = !deadline_left(keeper.job_since + JOB_MS), ok = aside_take(&keeper.job, &done, &answer, &e);
    if (!done && !late) return;
    if (!done) ok = err_set(&e, ERR_SYSTEM, "no answer in %d s", JOB_MS / 1000);
    /* Then no other quote would come either: the monitor would only collect children that hang. */
    if (!ok && (!done || e.sys == ETIMEDOUT)) keeper.s->measured->tee->dead = true;
    if (keeper.job_for < keeper.count) {
        charge(keeper.job_for, keeper.job_since, COST_MS);
        give(keeper.job_for, ok, answer, &e);
    }
    aside_end(&keeper.job);
}

/* ---- Waiting ---- */

/* The power button, where the kernel tells of it (button and evdev). */
static void open_buttons(void) {
    char path[32];
    size_t n = 0;
    for (int i = 0; i < 16 && n < BUTTONS; i++) {
        snprintf(path, sizeof path, "/dev/input/event%d", i);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) keeper.buttons[n++] = fd;
    }
    while (n < BUTTONS) keeper.buttons[n++] = -1;
}

static void read_button(int *fd) {
    struct input_event event;
    ssize_t n;
    while ((n = read(*fd, &event, sizeof event)) == sizeof event)
        if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) stop("power button");
    if (n < 0 && errno == EAGAIN) return;
    close(*fd);
    *fd = -1;
}

static void end(int status) {
    char text[128];
    if (keeper.job.pid) aside_end(&keeper.job);
    for (size_t i = 0; i < keeper.count; i++) proc_kill(&keeper.serving[i].child);
    proc_kill(&keeper.address);
    kbs_drop(keeper.s->kbs);
    power_off(ending(status, text, sizeof text));
}

static void kill_container(void) {
    if (keeper.killed) power_off("the container cannot be killed"); /* the kernel holds it */
    console_say("the container did not stop: SIGKILL");
    kill(keeper.container, SIGKILL);
    keeper.killed = true;
    keeper.kill_at = deadline_in(SUPERVISE_GRACE_MS);
}

static void reap(void) {
    int status;
    siginfo_t gone;
    struct err none = {.kind = ERR_SYSTEM, .text = "it ended"};
    if (waitpid(keeper.container, &status, WNOHANG) == keeper.container) end(status);
    for (size_t i = 0; i < keeper.count; i++) {
        pid_t pid = keeper.serving[i].child.pid;
        gone.si_pid = 0;
        if (!pid || waitid(P_PID, (id_t)pid, &gone, WEXITED | WNOHANG | WNOWAIT) || gone.si_pid != pid) continue;
        if (keeper.job.pid) restart(i, &none);
        else serve(i); /* its last words say why */
    }
}

static void take_signals(void) {
    struct signalfd_siginfo s;
    while (read(keeper.signals, &s, sizeof s) == sizeof s) {
        char why[64];
        if (s.ssi_signo == SIGCHLD) continue;
        snprintf(why, sizeof why, "signal %u (%s)", s.ssi_signo, strsignal((int)s.ssi_signo));
        stop(why);
    }
    reap();
}

/* Waiting shall end then at the latest. */
static void sooner(int64_t moment, int *timeout) {
    int left = deadline_left(moment);
    if (*timeout < 0 || left < *timeout) *timeout = left;
}

/* What the process may still use of the monitor's time: it grows half as fast as time goes. */
static bool may_ask(struct serving *g, int64_t now, int *timeout) {
    if (!g->child.pid) return false;
    g->allowance_ms += (now - g->since_ms) / 2;
    g->since_ms = now - (now - g->since_ms) % 2;
    if (g->allowance_ms > BURST_MS) g->allowance_ms = BURST_MS;
    if (keeper.job.pid) return false;
    if (g->allowance_ms > 0) return true;
    sooner(now + 2 * (1 - g->allowance_ms), timeout);
    return false;
}

/* At half of the lease's time; after a failure at half of what is left. */
static void renew_later(uint32_t seconds) {
    proc_kill(&keeper.address);
    uint32_t wait = seconds / 2 < RENEW_S_MIN ? RENEW_S_MIN : seconds / 2 > RENEW_S_MAX ? RENEW_S_MAX : seconds / 2;
    keeper.lease_left = seconds;
    keeper.renew_at = deadline_in((int)wait * 1000);
}

static void renew(bool readable) {
    const struct network *n = keeper.s->site->network;
    struct err e = {0};
    uint32_t seconds = 0;
    bool running = keeper.address.pid, ok = true;
    if (!running && !keeper.renew_at) return;
    if (running && readable)
        ok = network_renewed(n, &keeper.address, &seconds, &e);
    else if (clock_ms() < keeper.renew_at)
        return;
    else if (running)
        ok = err_set(&e, ERR_NETWORK, "no answer from DHCP");
    else if ((ok = network_renew(n, &keeper.address, &e)))
        keeper.renew_at = deadline_in((ADDRESS_SECONDS + 5) * 1000);
    if (!ok || seconds) renew_later(ok ? seconds : keeper.lease_left / 2);
    if (!ok) console_error("the address was not renewed", &e);
    if (seconds) console_say("%s: the address is ours for another %u s", n->interface.name, seconds);
}

static _Noreturn void keep(void) {
    for (;;) {
        struct pollfd fds[3 + SERVED_MAX + BUTTONS];
        int64_t now = clock_ms();
        int timeout = -1;
        fds[0] = (struct pollfd){keeper.signals, POLLIN, 0};
        fds[1] = (struct pollfd){keeper.job.pid ? keeper.job.fd : -1, POLLIN, 0};
        if (keeper.job.pid) sooner(keeper.job_since + JOB_MS, &timeout);
        if (keeper.kill_at) sooner(keeper.kill_at, &timeout);
        if (keeper.renew_at) sooner(keeper.renew_at, &timeout);
        for (size_t i = 0; i < SERVED_MAX; i++) {
            bool asks = i < keeper.count && may_ask(&keeper.serving[i], now, &timeout);
            fds[2 + i] = (struct pollfd){asks ? keeper.serving[i].child.control : -1, POLLIN, 0};
        }
        for (size_t i = 0; i < BUTTONS; i++) fds[2 + SERVED_MAX + i] = (struct pollfd){keeper.buttons[i], POLLIN, 0};
        fds[2 + SERVED_MAX + BUTTONS] = (struct pollfd){keeper.address.control, POLLIN, 0};
        int n = poll(fds, sizeof fds / sizeof fds[0], timeout);
        if (n > 0 && fds[0].revents) {
            take_signals();
            continue; /* another process may be in the place of one that was asked about */
        }
        for (size_t i = 0; n > 0 && i < BUTTONS; i++)
            if (fds[2 + SERVED_MAX + i].revents) read_button(&keeper.buttons[i]);
        if (keeper.kill_at && !deadline_left(keeper.kill_at)) kill_container();
        renew(n > 0 && fds[2 + SERVED_MAX + BUTTONS].revents);
        if (keeper.job.pid && (fds[1].revents || !deadline_left(keeper.job_since + JOB_MS))) take_job();
        for (size_t i = 0; n > 0 && i < keeper.count; i++)
            if (fds[2 + i].revents && !keeper.job.pid) serve(i);
    }
}

static bool begin(const struct supervision *s, struct err *e) {
    const struct policy *policy = &s->config->policy;
    sigset_t wanted;
    int evidence = launch_evidence(s->site, e);
    if (evidence < 0) return false;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD), sigaddset(&wanted, SIGTERM), sigaddset(&wanted, SIGINT), sigaddset(&wanted, SIGPWR);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    keeper.signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (keeper.signals < 0) return err_sys(e, "signalfd");
    if (policy->api && !api_serve(s, evidence, &keeper.served[keeper.count++], e)) return err_in(e, "API");
    if (policy->tls_port && !ratls_serve(s, &keeper.served[keeper.count++], e)) return err_in(e, "run.tls");
    close(evidence);
    for (size_t i = 0; i < keeper.count; i++)
        if (!start_served(i, e)) return false;
    return true;
}

bool supervise_run(const struct supervision *s, struct err *e) {
    keeper.s = s;
    keeper.job.fd = -1;
    keeper.address = CHILD_NONE;
    for (size_t i = 0; i < SERVED_MAX; i++)
        keeper.serving[i] = (struct serving){.child = CHILD_NONE, .allowance_ms = BURST_MS};
    bool ok = begin(s, e) && start_container(s, &keeper.container, e);
    if (!ok) {
        for (size_t i = 0; i < keeper.count; i++) proc_kill(&keeper.serving[i].child);
        return false;
    }
    secret_memory_drop(s->secrets);
    mount_forget(s->site->store);
    close(s->site->root);
    launch_forget();
    reboot(RB_DISABLE_CAD); /* ctrl-alt-del becomes SIGINT */
    open_buttons();
    if (s->site->network->leased.family) renew_later(s->site->network->lease_seconds);
    console_say("supervising process %d", (int)keeper.container);
    keep();
}
