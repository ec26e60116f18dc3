/* aside: what a child finds out comes back whole; what it fails at, comes back too; and its end, or its never ending, is met in time. */
#include "lib.h"
#include "base/clock.h"
#include "sys/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t buffer[1 << 20];
static struct writer out;

static bool run(aside_work *work, const void *argument, int timeout_ms) {
    out = writer_of(buffer, sizeof buffer);
    write_text(&out, "before ");
    err = (struct err){0};
    bool ok = aside("it", work, argument, timeout_ms, &out, &err);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* and nobody is left */
    return ok;
}

static bool some(const void *argument, struct writer *w, struct err *e) {
    (void)e;
    for (size_t i = 0; i < *(const size_t *)argument; i++) write_u8(w, (uint8_t)i);
    return true;
}

TEST(bytes_come_back) {
    static const size_t lengths[] = {0, 1, 4096, 100000, sizeof buffer - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        CHECK(run(some, &lengths[i], 5000) && out.n == 7 + lengths[i]);
        for (size_t at = 0; at < lengths[i]; at++) CHECK(buffer[7 + at] == (uint8_t)at);
    }
    size_t more = sizeof buffer - 6;
    CHECK(!run(some, &more, 5000) && err.kind == ERR_SYSTEM && out.n == 7);
    CHECK_ERR("it: more than");
}

static bool fails(const void *argument, struct writer *w, struct err *e) {
    (void)argument;
    write_text(w, "half");
    errno = EBUSY;
    err_sys(e, "cannot");
    return err_mend(e, "wait");
}

TEST(errors_come_back) {
    CHECK(!run(fails, NULL, 5000) && err.kind == ERR_SYSTEM && err.sys == EBUSY && out.n == 7 && !strcmp(err.mend, "wait"));
    CHECK_ERR("it: cannot: Device or resource busy");
}

static bool dies(const void *argument, struct writer *w, struct err *e) {
    (void)argument, (void)w, (void)e;
    raise(SIGKILL);
    return true;
}

static bool hangs(const void *argument, struct writer *w, struct err *e) {
    (void)argument, (void)w, (void)e;
    signal(SIGTERM, SIG_IGN);
    while (pause() < 0) {}
    return true;
}

TEST(it_dies) {
    CHECK(!run(dies, NULL, 5000) && err.kind == ERR_SYSTEM && err.sys == 0);
    CHECK_ERR("it: the process that was to do it died");
}

TEST(it_hangs) {
    int64_t before = clock_ms();
    CHECK(!run(hangs, NULL, 200) && err.sys == ETIMEDOUT && clock_ms() - before < 1000);
    CHECK_ERR("it: no answer in 0.2 s");
}

/* Whether descriptor N is open there. */
static bool open_there(const void *argument, struct writer *w, struct err *e) {
    (void)e;
    write_u8(w, fcntl(*(const int *)argument, F_GETFD) >= 0);
    return true;
}

TEST(it_holds_nothing_open) {
    int fd = open("/dev/null", O_RDONLY), high = fcntl(fd, F_DUPFD, 200);
    CHECK(fd > 2 && high >= 200);
    CHECK(run(open_there, &high, 5000) && buffer[7] == 0);
    int one = 1;
    CHECK(run(open_there, &one, 5000) && buffer[7] == 1);
    close(fd);
    close(high);
}

/* ---- a job ---- */

static struct aside_job job;
static struct view bytes;

/* Waits for the job's end. */
static bool take(void) {
    bool done = false, ok = false;
    for (int64_t end = clock_ms() + 5000; !done && clock_ms() < end;) {
        struct pollfd p = {job.fd, POLLIN, 0};
        poll(&p, 1, 100);
        ok = aside_take(&job, &done, &bytes, &err);
    }
    CHECK(done);
    return ok;
}

static void done_with_job(void) {
    aside_end(&job);
    CHECK(job.pid == 0 && job.fd < 0 && !job.memory.base);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    aside_end(&job);
}

TEST(job_bytes_come_back) {
    static const size_t lengths[] = {0, 1, 4096, 100000, 1 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        CHECK(aside_start(some, &lengths[i], 1 << 20, &job, &err));
        CHECK(take() && bytes.n == lengths[i]);
        for (size_t at = 0; at < lengths[i]; at++) CHECK(bytes.p[at] == (uint8_t)at);
        done_with_job();
    }
    size_t more = (1 << 20) + 1;
    CHECK(aside_start(some, &more, 1 << 20, &job, &err) && !take() && err.kind == ERR_SYSTEM);
    CHECK_ERR("more than 1048576 bytes");
    done_with_job();
}

TEST(job_fails_dies_or_hangs) {
    bool done;
    CHECK(aside_start(fails, NULL, 10, &job, &err) && !take() && err.sys == EBUSY && !strcmp(err.mend, "wait"));
    done_with_job();
    CHECK(aside_start(dies, NULL, 10, &job, &err) && !take());
    CHECK_ERR("died");
    done_with_job();
    CHECK(aside_start(hangs, NULL, 10, &job, &err));
    CHECK(aside_take(&job, &done, &bytes, &err) && !done); /* at once: nobody waits */
    done_with_job();
}

TEST(job_keeps_descriptors) {
    int fd = open("/dev/null", O_RDONLY);
    CHECK(aside_start(open_there, &fd, 10, &job, &err) && take() && bytes.n == 1 && bytes.p[0] == 1);
    done_with_job();
    close(fd);
}
