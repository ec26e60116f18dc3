/* see confine.h */
#include "worker/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FETCH (1u << CONFINE_FETCH)
#define DEVICES (1u << CONFINE_UNPACK_DEVICES)
#define UNPACK (1u << CONFINE_UNPACK | DEVICES)
#define ADDRESS (1u << CONFINE_ADDRESS)
#define READER (1u << CONFINE_READER)
#define DECODE (1u << CONFINE_DECODE)
#define API (1u << CONFINE_API)
#define TLS (1u << CONFINE_TLS)
#define NO_FILES (ADDRESS | DECODE | API | TLS)
#define ALL (FETCH | UNPACK | ADDRESS | READER | DECODE | API | TLS)
#define NOBODY 65534u

/* ---- descriptors and limits ---- */

static void close_others(enum confine_role role) {
    const int fds[] = {WORKER_INPUT, WORKER_ROOM};
    const unsigned roles[] = {UNPACK | NO_FILES, FETCH | UNPACK | READER | API};
    for (size_t i = 0; i < 2; i++)
        if (!(roles[i] & 1u << role)) close(fds[i]);
    if (syscall(SYS_close_range, WORKER_ROOM + 1, ~0u, 0) == 0) return;
    for (int fd = WORKER_ROOM + 1; fd < 1024; fd++) close(fd); /* Linux before 5.9; ours are close-on-exec anyway */
}

static bool lower_limit(int what, rlim_t value, struct err *e) {
    struct rlimit l;
    if (getrlimit(what, &l)) return err_sys(e, "cannot read resource limit %d", what);
    if (l.rlim_max < value) value = l.rlim_max;
    l.rlim_cur = l.rlim_max = value;
    return setrlimit(what, &l) == 0 || err_sys(e, "cannot set resource limit %d", what);
}

static bool lower_limits(enum confine_role role, struct err *e) {
#if !defined(__SANITIZE_ADDRESS__) /* its shadow is terabytes of address space */
    /* zstd's largest window is 128 MiB, a statement's envelope sets aside 110 (signatures.c); only what is used costs
     * memory. */
    if (!lower_limit(RLIMIT_AS, 192u << 20, e)) return false;
#endif
    return lower_limit(RLIMIT_NOFILE, role == CONFINE_TLS ? 512 : 32, e) && lower_limit(RLIMIT_NPROC, 0, e) &&
           lower_limit(RLIMIT_CORE, 0, e) &&
           (UNPACK & 1u << role || lower_limit(RLIMIT_FSIZE, 0, e));
}

/* ---- room: chroot and Landlock (Documentation/userspace-api/landlock.rst, ABI 1 to 7) ---- */

enum { /* LANDLOCK_ACCESS_FS_* by bit */
    FS_EXECUTE = 1 << 0, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_MAKE_SOCK = 1 << 9, FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14, FS_IOCTL_DEV = 1 << 15,
};

struct landlock_ruleset {
    uint64_t fs, net, scoped;
};

struct landlock_beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

static int landlock_abi(void) { return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* version */); }

static bool landlock_allow(int rules, const char *path, uint64_t access, struct err *e) {
    struct landlock_beneath b = {access, open(path, O_PATH | O_CLOEXEC)};
    bool ok = b.fd >= 0 && syscall(SYS_landlock_add_rule, rules, 1 /* path beneath */, &b, 0) == 0;
    if (!ok && errno != ENOENT) err_sys(e, "Landlock does not take %s", path);
    else ok = true; /* a host without that file */
    if (b.fd >= 0) close(b.fd);
    return ok;
}

static bool landlock_enter(enum confine_role role, bool room, int abi, struct err *e) {
    static const uint64_t known[] = {0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff}; /* rights by ABI */
    uint64_t wanted = UNPACK & 1u << role ? 0xffff & ~(FS_EXECUTE | FS_MAKE_SOCK | FS_IOCTL_DEV)
                    : role == CONFINE_READER ? FS_READ_FILE | FS_READ_DIR : FS_READ_FILE;
    struct landlock_ruleset r = {known[(abi < 5 ? abi : 5) - 1], (FETCH | TLS) & 1u << role ? 1 : 3, 3};
    uint64_t allowed = NO_FILES & 1u << role ? 0 : wanted & r.fs;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &r, abi < 4 ? 8 : abi < 6 ? 16 : 24, 0);
    if (rules < 0) return err_sys(e, "cannot make a Landlock ruleset");
    bool ok = true;
    if (room && allowed) ok = landlock_allow(rules, ".", allowed, e);
    else if (role == CONFINE_FETCH)
        ok = landlock_allow(rules, "/etc/resolv.conf", allowed, e) && landlock_allow(rules, "/etc/hosts", allowed, e);
    if (ok && syscall(SYS_landlock_restrict_self, rules, 0)) ok = err_sys(e, "Landlock cannot be entered");
    close(rules);
    return ok;
}

bool confine_connect(const uint16_t *ports, size_t count, struct err *e) {
    const struct landlock_ruleset r = {0, 2 /* connect TCP */, 0};
    if (landlock_abi() < 4) return true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return err_sys(e, "cannot set no_new_privs");
    int rules = (int)syscall(SYS_landlock_create_ruleset, &r, 16, 0);
    bool ok = rules >= 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = syscall(SYS_landlock_add_rule, rules, 2 /* port */, (const uint64_t[]){2, ports[i]}, 0) == 0;
    ok = ok && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (!ok) err_sys(e, "Landlock does not take the ports");
    if (rules >= 0) close(rules);
    return ok;
}

static bool enter_room(enum confine_role role, struct err *e) {
    bool room = !(NO_FILES & 1u << role) && fcntl(WORKER_ROOM, F_GETFD) >= 0, rooted = false;
    if (room && fchdir(WORKER_ROOM)) return err_sys(e, "cannot enter the worker's room");
    if (room) rooted = chroot(".") == 0;
    int refusal = errno, abi = landlock_abi();
    /* Landlock does not cover chmod and utimes: a user namespace, where an ordinary user gets one, lets him chroot. */
    if (room && !rooted && geteuid() != 0) rooted = unshare(CLONE_NEWUSER) == 0 && chroot(".") == 0;
    if (!room && chdir("/")) return err_sys(e, "cannot leave the current directory");
    /* ABI 1 forbids all links between directories, which layers have: chroot alone is the better room then. */
    if (abi >= 1 && !(abi == 1 && rooted)) return landlock_enter(role, room, abi, e);
    if (rooted || NO_FILES & 1u << role) return true;
    errno = room ? refusal : ENOSYS;
    err_sys(e, "the worker cannot be confined: no Landlock in the kernel, and %s", room ? "no chroot" : "no room");
    return err_mend(e, "boot a kernel with Landlock (lsm=landlock,...), or run as root");
}

/* ---- capabilities and user ---- */

#define CAP(name) (1ull << CAP_##name)

static bool drop_privileges(enum confine_role role, struct err *e) {
    uint64_t files = CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(SETFCAP);
    uint64_t keep = UNPACK & 1u << role ? files : role == CONFINE_READER ? CAP(DAC_READ_SEARCH) : 0;
    if (role == CONFINE_UNPACK_DEVICES) keep |= CAP(MKNOD); /* a whiteout needs no capability since Linux 5.8 */
    bool nobody = geteuid() == 0 && (FETCH | NO_FILES) & 1u << role;
    /* These need CAP_SETPCAP; nothing is lost where it is missing, since nothing can be executed any more. */
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (cap > 63 || !(keep >> cap & 1)) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    unsigned long bits = SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_CAP_AMBIENT_RAISE;
    prctl(PR_SET_SECUREBITS, bits | bits << 1 /* locked */ | SECBIT_KEEP_CAPS_LOCKED, 0, 0, 0);
    /* EINVAL, EPERM: a user namespace without that user; the capabilities go all the same. */
    if (nobody && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)) &&
        errno != EINVAL && errno != EPERM)
        return err_sys(e, "cannot become user %u", NOBODY);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets)) return err_sys(e, "cannot read the capabilities");
    for (size_t i = 0; i < 2; i++) {
        sets[i].permitted &= (uint32_t)(keep >> 32 * i);
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, sets) == 0 || err_sys(e, "cannot give up capabilities");
}

/* ---- seccomp: what may be called, by role ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64 /* x32 calls have bit 30 set in their number and are on no list */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter does not know this architecture"
#endif

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define ARG(i) LOAD(args[i]) /* the low word; both architectures are little-endian */
#define IF(what, k, yes, no) BPF_JUMP(BPF_JMP | BPF_##what | BPF_K, k, yes, no)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static const struct sock_filter yes[] = {ALLOW};
static const struct sock_filter not_executable[] = {ARG(2), IF(JSET, PROT_EXEC, 0, 1), KILL, ALLOW};
/* F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL are 0 to 4; F_SETOWN and F_SETSIG would be ways to signal others. */
static const struct sock_filter plain_fcntl[] = {
    ARG(1), IF(JGT, F_SETFL, 0, 2), IF(JEQ, F_DUPFD_CLOEXEC, 1, 0), KILL, ALLOW};
#define WRITING (O_ACCMODE | O_CREAT | O_TRUNC)
static const struct sock_filter openat_to_read[] = {ARG(2), IF(JSET, WRITING, 0, 1), KILL, ALLOW};
static const struct sock_filter open_to_read[] = {ARG(1), IF(JSET, WRITING, 0, 1), KILL, ALLOW};
static const struct sock_filter no_device[] = {ARG(3), IF(JEQ, 0, 1, 0), KILL, ALLOW};
static const struct sock_filter inet_socket[] = {
    ARG(0), IF(JEQ, AF_INET, 1, 0), IF(JEQ, AF_INET6, 0, 8),
    ARG(1), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf), IF(JEQ, SOCK_STREAM, 1, 0), IF(JEQ, SOCK_DGRAM, 0, 4),
    ARG(2), IF(JEQ, 0, 3, 0), IF(JEQ, IPPROTO_TCP, 2, 0), IF(JEQ, IPPROTO_UDP, 1, 0), KILL, ALLOW};

static const struct sock_filter tcp_socket[] = {
    ARG(0), IF(JEQ, AF_INET, 0, 5), ARG(1), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf), IF(JEQ, SOCK_STREAM, 0, 2),
    ARG(2), IF(JEQ, 0, 1, 0), KILL, ALLOW};

/* MSG_FASTOPEN connects where Landlock does not look. musl's resolver tries it first, and then connect. */
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP)
static const struct sock_filter sendmsg_connected[] = {ARG(2), IF(JSET, MSG_FASTOPEN, 0, 1), REFUSE, ALLOW};
static const struct sock_filter sendto_connected[] = {ARG(3), IF(JSET, MSG_FASTOPEN, 0, 1), REFUSE, ALLOW};

#define CHECK(fragment) fragment, sizeof fragment / sizeof *fragment
static const struct rule {
    int number;
    unsigned roles;
    const struct sock_filter *check;
    size_t n;
} rules[] = {
#define R(name, roles) {SYS_##name, roles, CHECK(yes)}
    R(read, ALL), R(write, ALL), R(readv, ALL), R(writev, ALL), R(close, ALL), R(lseek, ALL), R(fstat, ALL),
    /* frames go over the control socket, which is connected: no other peer can be named */
    {SYS_sendmsg, ALL, CHECK(sendmsg_connected)},
    R(munmap, ALL), R(mremap, ALL), R(brk, ALL), R(madvise, ALL), R(futex, ALL), R(getrandom, ALL), R(ppoll, ALL),
    R(clock_gettime, ALL), R(gettimeofday, ALL), R(clock_nanosleep, ALL), R(nanosleep, ALL), R(sched_yield, ALL),
    R(getpid, ALL), R(gettid, ALL), R(rt_sigaction, ALL), R(rt_sigprocmask, ALL), R(rt_sigreturn, ALL),
    R(restart_syscall, ALL), R(exit, ALL), R(exit_group, ALL),
    {SYS_mmap, ALL, CHECK(not_executable)}, {SYS_mprotect, ALL, CHECK(not_executable)},
    {SYS_fcntl, ALL, CHECK(plain_fcntl)},
    R(openat, UNPACK), {SYS_openat, FETCH | READER, CHECK(openat_to_read)},
    R(newfstatat, UNPACK | READER), R(statx, UNPACK | READER), R(pread64, READER), R(getdents64, READER),
    R(mknodat, DEVICES), {SYS_mknodat, 1u << CONFINE_UNPACK, CHECK(no_device)},
    R(pwrite64, UNPACK), R(ftruncate, UNPACK), R(mkdirat, UNPACK), R(linkat, UNPACK), R(symlinkat, UNPACK),
    R(unlinkat, UNPACK), R(fchown, UNPACK), R(fchownat, UNPACK), R(fchmod, UNPACK), R(fchmodat, UNPACK),
    R(utimensat, UNPACK), R(fsetxattr, UNPACK), R(fgetxattr, UNPACK),
    R(fremovexattr, UNPACK), R(wait4, UNPACK), R(getegid, UNPACK),
    {SYS_socket, FETCH, CHECK(inet_socket)}, {SYS_socket, TLS, CHECK(tcp_socket)},
    R(connect, FETCH | TLS), R(bind, FETCH), R(shutdown, FETCH | TLS),
    R(setsockopt, FETCH | TLS), R(getsockopt, FETCH | TLS), R(getsockname, FETCH), R(getpeername, FETCH),
    {SYS_sendto, FETCH | ADDRESS | TLS, CHECK(sendto_connected)}, R(recvfrom, FETCH | ADDRESS | TLS),
    R(recvmsg, FETCH | ADDRESS), R(accept4, API | TLS),
#if defined(__x86_64__) /* older names, which musl prefers */
    R(open, UNPACK), {SYS_open, FETCH | READER, CHECK(open_to_read)},
    R(poll, ALL), R(stat, UNPACK | READER), R(lstat, UNPACK | READER),
#endif
#undef R
};

static bool enter_seccomp(enum confine_role role, struct err *e) {
    struct sock_filter code[256] = {LOAD(arch), IF(JEQ, ARCH, 1, 0), KILL, LOAD(nr)};
    size_t n = 4;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!(rules[i].roles & 1u << role)) continue;
        code[n++] = (struct sock_filter)IF(JEQ, (uint32_t)rules[i].number, 0, (uint8_t)rules[i].n);
        for (size_t k = 0; k < rules[i].n; k++) code[n++] = rules[i].check[k];
    }
    code[n++] = (struct sock_filter)KILL;
    struct sock_fprog program = {(unsigned short)n, code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0) return true;
    return err_sys(e, "cannot set the seccomp filter");
}

bool confine_enter(enum confine_role role, struct err *e) {
    close_others(role);
    if (!lower_limits(role, e)) return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return err_sys(e, "cannot set no_new_privs"); /* Landlock asks for it */
    if (!enter_room(role, e) || !drop_privileges(role, e)) return false;
    /* A change of user forgets both of these. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return err_sys(e, "cannot set the worker's process attributes");
    return enter_seccomp(role, e);
}
