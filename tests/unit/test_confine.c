// worker/confine, as far as a program with sanitizers can live behind it: each role is entered, and dies of what it may not do. Whether
// anything can be reached from inside is tried out by confine_probe.c (tests/e2e/test_confine.py), at length.
#include "lib.h"

#include "worker/confine.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[] = "/tmp/plinth-confine-XXXXXX", room[64];

// What a child is asked to do once it is confined; raw calls, for the C library's may be the sanitizer's.
static long act_nothing(void) { return 0; }
static long act_socket(void) { return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }
static long act_inet(void) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }
static long act_passwd(void) { return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }
static long act_room(void) { return syscall(SYS_openat, AT_FDCWD, "file", O_RDONLY); }
static long act_make(void) { return syscall(SYS_mkdirat, AT_FDCWD, "made", 0755); }
static long act_fork(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static long act_kill(void) { return syscall(SYS_kill, getppid(), 0); }

#define REFUSED 1
#define NOT_CONFINED 2

static int run(enum confine_role role, long (*act)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(room, O_PATH | O_DIRECTORY);
        for (int i = WORKER_CONTROL; i <= WORKER_ROOM; i++)
            if (fd != i)
                dup2(fd, i);
        if (!confine_enter(role, &err))
            syscall(SYS_exit_group, NOT_CONFINED);
        syscall(SYS_exit_group, act() < 0 ? REFUSED : 0);
    }
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

__attribute__((destructor)) static void clean(void)
{
    char file[80];
    snprintf(file, sizeof file, "%s/file", room);
    unlink(file);
    snprintf(file, sizeof file, "%s/made", room);
    rmdir(file);
    rmdir(room);
    rmdir(base);
}

static void prepare(void)
{
    if (room[0])
        return;
    CHECK(mkdtemp(base) && chmod(base, 0755) == 0);
    snprintf(room, sizeof room, "%s/room", base);
    CHECK(mkdir(room, 0755) == 0 && chmod(room, 0755) == 0);
    char file[80];
    snprintf(file, sizeof file, "%s/file", room);
    int fd = open(file, O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0 && fchmod(fd, 0644) == 0 && close(fd) == 0);
}

// What each role makes of each act: 0 it works, REFUSED, -SIGSYS.
TEST(each_role)
{
    const struct {
        enum confine_role role;
        int socket, inet, passwd, room, make;
    } want[] = {
        {CONFINE_FETCH, -SIGSYS, 0, REFUSED, 0, -SIGSYS},
        {CONFINE_UNPACK, -SIGSYS, -SIGSYS, REFUSED, 0, 0},
        {CONFINE_ADDRESS, -SIGSYS, -SIGSYS, -SIGSYS, -SIGSYS, -SIGSYS},
        {CONFINE_READER, -SIGSYS, -SIGSYS, REFUSED, 0, -SIGSYS},
        {CONFINE_DECODE, -SIGSYS, -SIGSYS, -SIGSYS, -SIGSYS, -SIGSYS},
    };
    prepare();
    if (run(CONFINE_UNPACK, act_nothing) == NOT_CONFINED && geteuid() != 0)
        return; // neither Landlock nor a user namespace here, and refusing to go on is right
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        enum confine_role role = want[i].role;
        CHECK_EQ(run(role, act_nothing), 0);
        CHECK_EQ(run(role, act_socket), want[i].socket);
        CHECK_EQ(run(role, act_inet), want[i].inet);
        CHECK_EQ(run(role, act_passwd), want[i].passwd);
        CHECK_EQ(run(role, act_room), want[i].room);
        CHECK_EQ(run(role, act_make), want[i].make);
        CHECK_EQ(run(role, act_fork), -SIGSYS);
        CHECK_EQ(run(role, act_kill), -SIGSYS);
    }
}
