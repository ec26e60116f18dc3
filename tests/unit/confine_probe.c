// What a confined worker can still do, tried out: for each role, as root (when started so) and as user 65534, with chroot and
// Landlock, with one of them, and with none. A plain static program, since sanitizers do not live behind such bars; built and run by
// tests/e2e/test_confine.py. Output as in check.h. -v tells how each attempt ended.
//
// Each attempt runs in its own child, which gets descriptors as sys/proc gives them, enters confine_enter, and tries. To stand for a
// kernel without Landlock, or for a process that may not chroot, a seccomp filter fails those calls before confine_enter makes them.
#include "worker/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define USER 65534
#define LEAKED 20 // a directory outside, left open in the child

static char base[] = "/tmp/plinth-confine-XXXXXX"; // holds room/ and outside/
static char path[256];
static struct sockaddr_in listener, second_listener;
static bool verbose;
static bool few_ports; // as the KBS worker has them
static bool changed = true; // the scene, by the last attempt
static int control[2];      // the frame socket; [0] is the monitor's end

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

// ---- attempts: 0 when it worked, else -1 and errno ----

static int try_open(const char *name, int flags) { return open(name, flags, 0600) < 0 ? -1 : 0; }

static int open_passwd(void) { return try_open("/etc/passwd", O_RDONLY); }
static int open_passwd_up(void) { return try_open("../../../../../../etc/passwd", O_RDONLY); }
static int open_root(void) { return openat(WORKER_ROOM, "../../etc/passwd", O_RDONLY) < 0 ? -1 : 0; }
static int open_secret(void) { return try_open(at("outside/secret"), O_RDONLY); }
static int open_secret_write(void) { return try_open(at("outside/secret"), O_WRONLY); }
static int open_secret_up(void) { return try_open("../outside/secret", O_RDONLY); }
static int open_through_symlink(void) { return try_open("escape", O_RDONLY); } // room/escape -> ../outside/secret
static int make_outside(void) { return try_open(at("outside/made"), O_RDWR | O_CREAT); }
static int open_leaked(void) { return openat(LEAKED, "secret", O_RDONLY) < 0 ? -1 : 0; }
static int open_tpmrm0(void) { return try_open("/dev/tpmrm0", O_RDWR); }
static int open_tpm0(void) { return try_open("/dev/tpm0", O_RDWR); }
static int open_stand_in(void) { return try_open(at("outside/stand-in-for-tpmrm0"), O_RDWR); } // a device node, when root made it
static int open_proc(void) { return try_open("/proc/self/mem", O_RDWR); }
static int unlink_outside(void) { return unlinkat(AT_FDCWD, at("outside/secret"), 0); }
static int link_outside(void) { return linkat(AT_FDCWD, at("outside/secret"), AT_FDCWD, "stolen", 0); }
static int chmod_outside(void) { return fchmodat(AT_FDCWD, at("outside/secret"), 0666, 0); }
static int touch_outside(void) { return utimensat(AT_FDCWD, at("outside/secret"), NULL, 0); }
static int chown_outside(void) { return fchownat(AT_FDCWD, at("outside/secret"), USER, USER, 0); }

static int make_file(void) { return try_open("new", O_RDWR | O_CREAT | O_EXCL); }
static int make_tree(void)
{
    return mkdirat(AT_FDCWD, "d", 0700) || try_open("d/f", O_RDWR | O_CREAT) || linkat(AT_FDCWD, "d/f", AT_FDCWD, "hard", 0) ||
                   symlinkat("d/f", AT_FDCWD, "soft") || fchmodat(AT_FDCWD, "d", 0500, 0) || unlinkat(AT_FDCWD, "hard", 0)
               ? -1 : 0;
}
static int make_whiteout(void) { return mknodat(AT_FDCWD, "w", S_IFCHR, 0); }
static int make_device(void) { return mknodat(AT_FDCWD, "null", S_IFCHR | 0600, makedev(1, 3)); }
static int make_chown(void) { return make_file() || fchownat(AT_FDCWD, "new", 1234, 4321, 0) ? -1 : 0; }
static int read_file(void) { return try_open("readable", O_RDONLY); }
static int write_file(void) { return try_open("readable", O_WRONLY); }
static int read_names(void)
{
    char buffer[512];
    return (int)syscall(SYS_getdents64, open(".", O_RDONLY | O_DIRECTORY), buffer, sizeof buffer) < 0 ? -1 : 0;
}
static int read_resolv(void) { return try_open("/etc/resolv.conf", O_RDONLY); }
static int write_resolv(void) { return try_open("/etc/resolv.conf", O_WRONLY); }

static int try_socket(int domain, int type, int protocol) { return socket(domain, type, protocol) < 0 ? -1 : 0; }
static int socket_inet(void) { return try_socket(AF_INET, SOCK_STREAM, 0); }
static int socket_inet6(void) { return try_socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP); }
static int socket_unix(void) { return try_socket(AF_UNIX, SOCK_STREAM, 0); }
static int socket_netlink(void) { return try_socket(AF_NETLINK, SOCK_RAW, 0); }
static int socket_packet(void) { return try_socket(AF_PACKET, SOCK_DGRAM, 0); }
static int socket_raw(void) { return try_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static int socket_sctp(void) { return try_socket(AF_INET, SOCK_STREAM, 132); }
static int socket_vsock(void) { return try_socket(40, SOCK_STREAM, 0); }
static int socket_pair(void) { int s[2]; return socketpair(AF_UNIX, SOCK_STREAM, 0, s); }
static int connect_out(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : connect(s, (struct sockaddr *)&listener, sizeof listener);
}
static int connect_elsewhere(void) // another port on which somebody listens
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : connect(s, (struct sockaddr *)&second_listener, sizeof second_listener);
}
// The same without connect(2), which Landlock does not see.
static int connect_fast(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : sendto(s, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&second_listener, sizeof second_listener) == 1 ? 0 : -1;
}
static int connect_fast_message(void)
{
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_name = &second_listener, .msg_namelen = sizeof second_listener, .msg_iov = &v, .msg_iovlen = 1};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s < 0 ? -1 : sendmsg(s, &m, MSG_FASTOPEN) == 1 ? 0 : -1;
}
static int listen_anew(void) { return listen(socket(AF_INET, SOCK_STREAM, 0), 1); }
static int bind_tcp(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&any, sizeof any);
}
static int bind_udp(void) // as musl's resolver does
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&any, sizeof any);
}

static int take_connection(void) // whatever the descriptor is: the call itself may be made
{
    return accept4(WORKER_INPUT, NULL, NULL, SOCK_CLOEXEC) < 0 && errno != ENOTSOCK ? -1 : 0;
}
static int send_frame(void)
{
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    return sendmsg(WORKER_CONTROL, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}
static int wait_input(void)
{
    struct pollfd p = {WORKER_CONTROL, POLLOUT, 0};
    return poll(&p, 1, 100) == 1 ? 0 : -1;
}
static int use_memory(void)
{
    char *p = malloc(20 << 20); // more than a heap's start: mmap
    if (!p) return -1;
    memset(p, 1, 20 << 20);
    free(p);
    return 0;
}
static int much_memory(void) { return mmap(NULL, 300 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }
static int many_files(void)
{
    for (int i = 0; i < 64; i++)
        if (fcntl(WORKER_CONTROL, F_DUPFD, 6) < 0) return -1;
    return 0;
}
static int big_file(void) { char c = 0; int fd = open("big", O_RDWR | O_CREAT, 0600); return fd < 0 ? -1 : pwrite(fd, &c, 1, 1 << 20) < 0 ? -1 : 0; }

static int run_sh(void) { char *argv[] = {"sh", NULL}; return execve("/bin/sh", argv, NULL); }
static int run_self(void) { char *argv[] = {"x", NULL}; return (int)syscall(SYS_execveat, WORKER_CONTROL, "", argv, NULL, AT_EMPTY_PATH); }
static int do_fork(void) { return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static int do_clone3(void) { return (int)syscall(SYS_clone3, NULL, 0); }
static int trace_parent(void) { return (int)ptrace(PTRACE_ATTACH, getppid(), 0, 0); }
static int read_parent(void) { return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0); }
static int signal_parent(void) { return kill(getppid(), SIGURG); }
static int signal_thread(void) { return (int)syscall(SYS_tgkill, getppid(), getppid(), SIGURG); }
static int signal_all(void) { return kill(-1, 0); }
static int signal_by_fd(void) { return fcntl(WORKER_CONTROL, F_SETOWN, getppid()); }
static int signal_choice(void) { return fcntl(WORKER_CONTROL, F_SETSIG, SIGURG); }
static int pidfd(void) { return (int)syscall(SYS_pidfd_open, 1, 0); }
static int do_ioctl(void) { return (int)syscall(SYS_ioctl, WORKER_CONTROL, 0x5421, path); }
static int do_prctl(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static int do_setuid(void) { return setresuid(0, 0, 0); }
static int do_capset(void) { return (int)syscall(SYS_capset, NULL, NULL); }
static int do_mount(void) { return mount("none", "/", "tmpfs", 0, NULL); }
static int do_chroot(void) { return chroot("."); }
static int do_chdir(void) { return chdir(".."); }
static int do_unshare(void) { return unshare(CLONE_NEWUSER); }
static int do_setns(void) { return setns(WORKER_CONTROL, 0); }
static int by_handle(void) { return (int)syscall(SYS_open_by_handle_at, WORKER_ROOM, path, 0); }
static int do_bpf(void) { return (int)syscall(SYS_bpf, 0, NULL, 0); }
static int do_uring(void) { return (int)syscall(425, 1, path); }
static int do_keyctl(void) { return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static int do_userfaultfd(void) { return (int)syscall(SYS_userfaultfd, 0); }
static int do_perf(void) { return (int)syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0); }
static int do_memfd(void) { return (int)syscall(SYS_memfd_create, "x", 0); }
static int do_limit(void) { struct rlimit l = {1 << 20, 1 << 20}; return setrlimit(RLIMIT_CORE, &l); }
static int map_code(void) { return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }
static int make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
#if defined(__x86_64__)
static int as_x32(void) { return (int)syscall(0x40000000 | SYS_getpid); }
static int as_i386(void)
{
    int r = 20; // getpid of i386
    __asm__ volatile("int $0x80" : "+a"(r)::"memory", "r8", "r9", "r10", "r11");
    return r;
}
#endif

// ---- the table ----

enum wanted {
    WORKS,
    FAILS,  // an error, or death: it had no effect
    KILLED, // SIGSYS
};

#define F (1u << CONFINE_FETCH)
#define U (1u << CONFINE_UNPACK)
#define A (1u << CONFINE_ADDRESS)
#define R (1u << CONFINE_READER)
#define D (1u << CONFINE_UNPACK_DEVICES)
#define C (1u << CONFINE_DECODE)
#define P (1u << CONFINE_API)
#define S (1u << CONFINE_TLS)
#define ALL (F | U | A | R | D | C | P | S)

static const struct attempt {
    const char *name;
    int (*act)(void);
    unsigned works, fails, killed; // roles
} attempts[] = {
#define T(act, works, fails, killed) {#act, act, works, fails, killed}
    T(open_passwd, 0, ALL, 0), T(open_passwd_up, 0, ALL, 0), T(open_root, 0, ALL, 0), T(open_secret, 0, ALL, 0),
    T(open_secret_write, 0, ALL, 0), T(open_secret_up, 0, ALL, 0), T(open_through_symlink, 0, ALL, 0), T(make_outside, 0, ALL, 0),
    T(open_leaked, 0, ALL, 0), T(open_tpmrm0, 0, ALL, 0), T(open_tpm0, 0, ALL, 0), T(open_stand_in, 0, ALL, 0),
    T(open_proc, 0, ALL, 0), T(unlink_outside, 0, ALL, 0), T(link_outside, 0, ALL, 0), T(chmod_outside, 0, ALL, 0),
    T(touch_outside, 0, ALL, 0), T(chown_outside, 0, ALL, 0),
    T(make_file, U | D, A | C | P | S, F | R), T(make_tree, U | D, 0, F | A | C | P | S | R), T(make_whiteout, U | D, 0, F | A | C | P | S | R),
    T(read_file, F | U | D | R, A | C | P | S, 0), T(write_file, U | D, A | C | P | S, F | R), T(read_names, R, F, U | A | C | P | S | D), T(big_file, U | D, F | A | C | P | S | R, 0),
    T(socket_inet, F | S, 0, U | A | C | P | R | D), T(socket_inet6, F, 0, U | A | C | P | S | R | D), T(connect_out, F | S, 0, U | A | C | P | R | D),
    T(connect_elsewhere, F, S, U | A | C | P | R | D), T(connect_fast, 0, F | S, U | A | C | P | R | D),
    T(connect_fast_message, 0, F | S, U | A | C | P | R | D), T(listen_anew, 0, 0, ALL),
    T(bind_udp, F, 0, U | A | C | P | S | R | D), T(bind_tcp, 0, F, U | A | C | P | S | R | D),
    T(socket_unix, 0, 0, ALL), T(socket_netlink, 0, 0, ALL), T(socket_packet, 0, 0, ALL), T(socket_raw, 0, 0, ALL),
    T(socket_sctp, 0, 0, ALL), T(socket_vsock, 0, 0, ALL), T(socket_pair, 0, 0, ALL),
    T(take_connection, P | S, 0, F | U | A | R | D | C),
    T(send_frame, ALL, 0, 0), T(wait_input, ALL, 0, 0), T(use_memory, ALL, 0, 0), T(much_memory, 0, ALL, 0), T(many_files, S, ALL, 0),
    T(run_sh, 0, 0, ALL), T(run_self, 0, 0, ALL), T(do_fork, 0, 0, ALL), T(do_clone3, 0, 0, ALL), T(trace_parent, 0, 0, ALL),
    T(read_parent, 0, 0, ALL), T(signal_parent, 0, 0, ALL), T(signal_thread, 0, 0, ALL), T(signal_all, 0, 0, ALL),
    T(signal_by_fd, 0, 0, ALL), T(signal_choice, 0, 0, ALL), T(pidfd, 0, 0, ALL), T(do_ioctl, 0, 0, ALL), T(do_prctl, 0, 0, ALL),
    T(do_setuid, 0, 0, ALL), T(do_capset, 0, 0, ALL), T(do_mount, 0, 0, ALL), T(do_chroot, 0, 0, ALL), T(do_chdir, 0, 0, ALL),
    T(do_unshare, 0, 0, ALL), T(do_setns, 0, 0, ALL), T(by_handle, 0, 0, ALL), T(do_bpf, 0, 0, ALL), T(do_uring, 0, 0, ALL),
    T(do_keyctl, 0, 0, ALL), T(do_userfaultfd, 0, 0, ALL), T(do_perf, 0, 0, ALL), T(do_memfd, 0, 0, ALL), T(do_limit, 0, 0, ALL),
    T(map_code, 0, 0, ALL), T(make_code, 0, 0, ALL),
#if defined(__x86_64__)
    T(as_x32, 0, 0, ALL), T(as_i386, 0, ALL, 0), // a kernel without IA-32 emulation answers with SIGSEGV
#endif
};

enum variant { BOTH, ONLY_CHROOT, ONLY_LANDLOCK, NEITHER, NO_ROOM };
static const char *const variants[] = {"chroot and Landlock", "chroot alone", "Landlock alone", "neither", "no room"};
static const char *const roles[] = {[CONFINE_FETCH] = "fetch", [CONFINE_UNPACK] = "unpack", [CONFINE_ADDRESS] = "address", [CONFINE_READER] = "reader",
                                    [CONFINE_UNPACK_DEVICES] = "unpack with devices", [CONFINE_DECODE] = "decode", [CONFINE_API] = "api",
                                    [CONFINE_TLS] = "TLS server"};

// ---- running one ----

static bool quiet(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0666) == 0;
    close(fd);
    return ok;
}

// A fresh room/ and outside/ after every attempt that changed something, open to the ordinary user: only the confinement may be what
// stops him.
static bool scene(bool root)
{
    static int made = -1;
    char command[200];
    if (made == root && !changed) return true;
    made = root;
    changed = false;
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s/room %s/outside", base, base, base);
    if (system(command)) return false;
    bool ok = mkdir(at("room"), 0777) == 0 && chmod(at("room"), 0777) == 0 && mkdir(at("outside"), 0777) == 0 &&
              chmod(at("outside"), 0777) == 0 && quiet(at("outside/secret"), "secret") && quiet(at("room/readable"), "text") &&
              symlink("../outside/secret", at("room/escape")) == 0;
    if (geteuid() == 0) ok = ok && mknod(at("outside/stand-in-for-tpmrm0"), S_IFCHR | 0666, makedev(1, 3)) == 0 && chmod(path, 0666) == 0;
    else ok = ok && quiet(at("outside/stand-in-for-tpmrm0"), "a plain file, for only root makes device nodes");
    if (geteuid() == 0 && !root) ok = ok && chown(at("room"), USER, USER) == 0 && chown(at("outside/secret"), USER, USER) == 0;
    return ok;
}

// Makes system call `nr` fail with EPERM from now on, as a kernel or a container would.
static void deny(int nr)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {4, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#define CONFINE_FAILED 200

static void child(enum confine_role role, bool root, enum variant v, int (*act)(void))
{
    struct err e = {0};
    int input[2], room = open(at("room"), O_PATH | O_DIRECTORY), outside = open(at("outside"), O_RDONLY | O_DIRECTORY);
    signal(SIGSYS, SIG_DFL);
    if (pipe(input) || dup2(outside, LEAKED) < 0) _exit(CONFINE_FAILED);
    int high[] = {fcntl(control[1], F_DUPFD, 30), fcntl(input[0], F_DUPFD, 30), fcntl(room, F_DUPFD, 30)};
    for (int i = 0; i < 3; i++) dup2(high[i], 3 + i);
    if (v == NO_ROOM) close(WORKER_ROOM);
    if (!root && geteuid() == 0 && (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))) _exit(CONFINE_FAILED);
    if (v == ONLY_CHROOT || v == NEITHER) deny(SYS_landlock_create_ruleset);
    if (v == ONLY_LANDLOCK || v == NEITHER) deny(SYS_chroot);
    const uint16_t ports[] = {53, ntohs(listener.sin_port)};
    if (((role == CONFINE_TLS || few_ports) && !confine_connect(ports, 2, &e)) || !confine_enter(role, &e)) {
        if (verbose) dprintf(1, "    %s\n", e.text);
        _exit(CONFINE_FAILED);
    }
    errno = 0;
    _exit(act() >= 0 ? 0 : errno ? errno : 199);
}

static int run(enum confine_role role, bool root, enum variant v, int (*act)(void))
{
    int status;
    if (!scene(root)) return -1;
    pid_t pid = fork();
    if (pid == 0) child(role, root, v, act);
    waitpid(pid, &status, 0);
    changed = status == 0 || act == make_tree;
    return status;
}

static const char *ending(int status)
{
    static char text[80];
    if (WIFSIGNALED(status)) snprintf(text, sizeof text, "killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == CONFINE_FAILED) return "could not be confined";
    else if (WEXITSTATUS(status)) snprintf(text, sizeof text, "%s", strerror(WEXITSTATUS(status)));
    else return "worked";
    return text;
}

static enum wanted wanted(const struct attempt *t, enum confine_role role)
{
    unsigned me = 1u << role;
    return t->works & me ? WORKS : t->fails & me ? FAILS : KILLED;
}

static bool as_wanted(enum wanted w, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == CONFINE_FAILED) return false;
    if (w == WORKS) return status == 0;
    if (w == KILLED) return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    return status != 0;
}

static int failed;

static bool judge(const char *who, enum variant v, const char *name, enum wanted w, int status)
{
    static const char *const words[] = {"to work", "to fail", "SIGSYS"};
    if (verbose) printf("    %s, %s, %s: %s\n", who, variants[v], name, ending(status));
    if (as_wanted(w, status)) return true;
    printf("not ok %s, %s, %s: %s, wanted %s\n", who, variants[v], name, ending(status), words[w]);
    failed = 1;
    return false;
}

static void role_test(enum confine_role role, bool root, enum variant v)
{
    char who[64];
    snprintf(who, sizeof who, "%s as %s", roles[role], root ? "root" : "user");
    size_t good = 0, n = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct attempt *t = &attempts[i];
        // Landlock has no say over metadata, nor chroot over ports: what stands then is told in confine.h.
        bool metadata = t->act == chmod_outside || t->act == touch_outside || t->act == chown_outside;
        if ((v == ONLY_LANDLOCK && metadata) || (v == ONLY_CHROOT && (t->act == bind_tcp || t->act == connect_elsewhere))) continue;
        n++;
        good += judge(who, v, t->name, wanted(t, role), run(role, root, v, t->act));
    }
    bool unpack = role == CONFINE_UNPACK || role == CONFINE_UNPACK_DEVICES;
    if (unpack && root) {
        n += 2;
        good += judge(who, v, "make_chown", WORKS, run(role, root, v, make_chown));
        good += judge(who, v, "make_device", role == CONFINE_UNPACK ? KILLED : WORKS, run(role, root, v, make_device));
    }
    if (good == n) printf("ok %s, %s: %zu attempts\n", who, variants[v], n);
}

// Without a room only fetch makes sense: the host's two files, and nothing else.
static void no_room_test(bool root)
{
    char who[64];
    snprintf(who, sizeof who, "fetch as %s", root ? "root" : "user");
    bool ok = judge(who, NO_ROOM, "read_resolv", WORKS, run(CONFINE_FETCH, root, NO_ROOM, read_resolv));
    int (*const acts[])(void) = {write_resolv, open_passwd, open_secret, open_secret_up, open_leaked, open_stand_in, make_outside, read_file};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        ok &= judge(who, NO_ROOM, "open", FAILS, run(CONFINE_FETCH, root, NO_ROOM, acts[i]));
    ok &= judge(who, NO_ROOM, "connect_out", WORKS, run(CONFINE_FETCH, root, NO_ROOM, connect_out));
    if (ok) printf("ok %s, no room\n", who);
    few_ports = true;
    ok = judge("the KBS worker", BOTH, "connect_out", WORKS, run(CONFINE_FETCH, root, BOTH, connect_out));
    ok &= judge("the KBS worker", BOTH, "connect_elsewhere", FAILS, run(CONFINE_FETCH, root, BOTH, connect_elsewhere));
    ok &= judge("the KBS worker", BOTH, "read_file", WORKS, run(CONFINE_FETCH, root, BOTH, read_file));
    few_ports = false;
    if (ok) printf("ok the KBS worker as %s\n", root ? "root" : "user");
}

// These have no system call that takes a path, and so do without a room.
static bool no_files(enum confine_role role) { return role == CONFINE_ADDRESS || role == CONFINE_DECODE || role == CONFINE_API || role == CONFINE_TLS; }

static void neither_test(enum confine_role role, bool root)
{
    int status = run(role, root, NEITHER, use_memory);
    bool ok = no_files(role) ? status == 0 : WIFEXITED(status) && WEXITSTATUS(status) == CONFINE_FAILED;
    printf("%s %s as %s, neither chroot nor Landlock%s%s\n", ok ? "ok" : "not ok", roles[role], root ? "root" : "user",
           ok ? "" : ": ", ok ? "" : ending(status));
    failed |= !ok;
}

static bool user_can_chroot(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))) _exit(2);
        _exit(unshare(CLONE_NEWUSER) || chroot("/"));
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

int main(int argc, char **argv)
{
    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGURG, SIG_IGN);
    if (!mkdtemp(base) || chmod(base, 0755)) return perror(base), 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, control)) return perror("socketpair"), 1;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof listener;
    listener = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(server, (struct sockaddr *)&listener, n) || listen(server, 1000) || getsockname(server, (struct sockaddr *)&listener, &n))
        return perror("listen"), 1;
    second_listener = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int second = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(second, (struct sockaddr *)&second_listener, n) || listen(second, 1000) || getsockname(second, (struct sockaddr *)&second_listener, &n))
        return perror("listen"), 1;
    bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0, namespaces = user_can_chroot();
    printf("# Landlock: %s, chroot for users: %s\n", landlock ? "yes" : "no", namespaces ? "yes" : "no");

    // The scene itself: what is tried can be done by who is not confined.
    bool sound = scene(geteuid() == 0) && open_secret() == 0 && open_stand_in() == 0 && open_passwd() == 0 && socket_unix() == 0;
    printf("%s unconfined, the same attempts work\n", sound ? "ok" : "not ok");
    failed |= !sound;
    for (int root = geteuid() == 0; root >= 0; root--) {
        for (enum confine_role role = 0; role < sizeof roles / sizeof *roles; role++) {
            if (!roles[role] || (role == CONFINE_UNPACK_DEVICES && !root)) continue;
            for (enum variant v = landlock ? BOTH : ONLY_CHROOT; v <= ONLY_LANDLOCK; v++) {
                bool possible = v == ONLY_CHROOT ? root || namespaces || no_files(role) : landlock;
                if (possible) role_test(role, root, v);
            }
            neither_test(role, root);
        }
        if (landlock) no_room_test(root);
    }
    changed = true;
    if (scene(geteuid() == 0)) {
        char command[200];
        snprintf(command, sizeof command, "rm -rf %s", base);
        if (system(command)) return 1;
    }
    return failed;
}
