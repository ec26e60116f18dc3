// sys/proc: the worker is this very program, with the descriptors and the environment it was promised; how it ended is told.
#include "lib.h"

#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool same_file(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// In the worker: 0, or the number of the promise that is broken.
static int promises(bool with_input)
{
    int death = 0;
    char c;
    struct stat s;
    if (environ[0]) return 10;
    if (prctl(PR_GET_PDEATHSIG, &death) || death != SIGKILL) return 11;
    if (!same_file(0, "/dev/null") || !same_file(1, "/dev/null")) return 12;
    if (fstat(3, &s) || !S_ISSOCK(s.st_mode)) return 13;
    if (with_input ? fstat(4, &s) || !S_ISFIFO(s.st_mode) : fcntl(4, F_GETFD) >= 0) return 14;
    if (!same_file(5, "/usr")) return 15;
    for (int fd = 6; fd < 200; fd++)
        if (fcntl(fd, F_GETFD) >= 0) return 16;
    if (with_input && (read(4, &c, 1) != 1 || c != 'x')) return 17;
    send(3, "y", 1, MSG_NOSIGNAL); // not everybody waits for it
    return 0;
}

// The worker's side, before main.
__attribute__((constructor)) static void worker(int argc, char **argv)
{
    const char *name = argv[0];
    if (argc != 1 || strncmp(name, "test:", 5) != 0)
        return;
    if (strcmp(name, "test:promises") == 0) _exit(promises(true));
    if (strcmp(name, "test:room-only") == 0) _exit(promises(false));
    if (strcmp(name, "test:three") == 0) _exit(3);
    if (strcmp(name, "test:sigsys") == 0) raise(SIGSYS);
    if (strcmp(name, "test:sigkill") == 0) raise(SIGKILL);
    if (strcmp(name, "test:sigalrm") == 0) raise(SIGALRM); // the sanitizer has SIGSEGV and SIGBUS
    if (strcmp(name, "test:sleep") == 0) sleep(100);
    _exit(0);
}

static int room(void) { return open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC); }

TEST(promises_are_kept)
{
    struct child c;
    char y = 0;
    int leaked = open("/etc/passwd", O_RDONLY | O_CLOEXEC), fd = room();
    CHECK(proc_start("test:promises", fd, true, -1, &c, &err));
    CHECK(write(c.input, "x", 1) == 1 && read(c.control, &y, 1) == 1 && y == 'y');
    if (!proc_end(&c, 10000, &err))
        check_fail("%s", err.text);
    CHECK(c.pid == 0 && c.control == -1 && c.input == -1);
    CHECK(proc_start("test:room-only", fd, false, -1, &c, &err) && c.input == -1);
    if (!proc_end(&c, 10000, &err))
        check_fail("%s", err.text);
    close(leaked), close(fd);
}

TEST(descriptors_in_each_others_place)
{
    struct child c;
    int pipes[2], high = room();
    CHECK(pipe2(pipes, O_CLOEXEC) == 0 && write(pipes[1], "x", 1) == 1);
    // The room at 3 and the input at 5, where the worker's control and room belong.
    int kept[3] = {fcntl(3, F_DUPFD_CLOEXEC, 100), fcntl(4, F_DUPFD_CLOEXEC, 100), fcntl(5, F_DUPFD_CLOEXEC, 100)};
    int input = fcntl(pipes[0], F_DUPFD_CLOEXEC, 100), where = fcntl(high, F_DUPFD_CLOEXEC, 100), end = fcntl(pipes[1], F_DUPFD_CLOEXEC, 100);
    dup3(where, 3, O_CLOEXEC), dup3(input, 5, O_CLOEXEC);
    bool started = proc_start("test:promises", 3, false, 5, &c, &err);
    bool ended = started && proc_end(&c, 10000, &err);
    for (int i = 0; i < 3; i++)
        if (kept[i] >= 0) dup3(kept[i], 3 + i, O_CLOEXEC), close(kept[i]);
        else close(3 + i);
    close(input), close(where), close(end);
    if (!ended)
        check_fail("%s", err.text);
}

static void ends(const char *name, const char *text)
{
    struct child c;
    int fd = room();
    CHECK(proc_start(name, fd, false, -1, &c, &err));
    CHECK(!proc_end(&c, 20000, &err));
    CHECK_EQ(err.kind, ERR_SYSTEM);
    CHECK_ERR(text);
    CHECK(c.pid == 0);
    close(fd);
}

TEST(endings)
{
    ends("test:three", "the three worker ended with status 3");
    ends("test:sigsys", "stopped by its confinement (SIGSYS)");
    ends("test:sigkill", "lack of memory");
    ends("test:sigalrm", "crashed (signal 14");
}

TEST(late_and_killed)
{
    struct child c;
    int fd = room();
    CHECK(proc_start("test:sleep", fd, true, -1, &c, &err));
    pid_t pid = c.pid;
    CHECK(!proc_end(&c, 30, &err));
    CHECK_ERR("did not end in time");
    CHECK(kill(pid, 0) < 0 && errno == ESRCH);
    CHECK(proc_start("test:sleep", fd, true, -1, &c, &err));
    pid = c.pid;
    proc_kill(&c);
    CHECK(c.pid == 0 && kill(pid, 0) < 0 && errno == ESRCH);
    close(fd);
}

TEST(none_and_others)
{
    struct child none = CHILD_NONE, c;
    CHECK(proc_end(&none, 0, &err));
    proc_kill(&none);
    pid_t other = fork();
    if (other == 0)
        _exit(5);
    int fd = room(), status;
    CHECK(proc_start("test:nothing", fd, false, -1, &c, &err) && proc_end(&c, 10000, &err));
    CHECK(waitpid(other, &status, 0) == other && WEXITSTATUS(status) == 5); // still ours to reap
    // Reaped by somebody else, as PID 1 may: not known to be bad.
    CHECK(proc_start("test:nothing", fd, false, -1, &c, &err) && waitpid(c.pid, &status, 0) == c.pid && proc_end(&c, 1000, &err));
    close(fd);
}
