/* see exec.h */
#include "sys/exec.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BIT(capability) (1ull << (capability))

static const uint64_t kept = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |
                             BIT(CAP_KILL) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) |
                             BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_RAW) | BIT(CAP_SYS_CHROOT) | BIT(CAP_MKNOD) |
                             BIT(CAP_AUDIT_WRITE) | BIT(CAP_SETFCAP);

/* Effective and inheritable become what is asked; permitted stays. */
static int set_effective(bool all) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets)) return -1;
    for (int i = 0; i < 2; i++) {
        sets[i].effective = all ? sets[i].permitted : sets[i].effective;
        sets[i].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &header, sets);
}

static void calm(void) {
    struct rlimit files = {1024, 524288};
    sigset_t none;
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (setrlimit(RLIMIT_NOFILE, &files)) return; /* the kernel's default, 1024 to 4096, does too */
}

/* So that /dev/stdout opens for the user; what fails here fails there too. /dev/null stays root's. */
static void own_output(const struct exec_identity *who) {
    struct stat st;
    for (int fd = 1; fd <= 2; fd++)
        if (fstat(fd, &st) || st.st_rdev == makedev(1, 3) || fchown(fd, who->uid, who->gid)) continue;
}

/* The kernel itself takes the capabilities away at execve: root gets the bounding set, any other user nothing. Until
 * then they are permitted (PR_SET_KEEPCAPS), so that a failing execve can still be told and ended in order. */
static bool drop(const struct exec_identity *who, struct err *e) {
    uint64_t bound = who->no_mknod ? kept & ~BIT(CAP_MKNOD) : kept;
    for (int c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (!(bound & BIT(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0)) return err_sys(e, "cannot drop capability %d", c);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || set_effective(false) ||
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
        return err_sys(e, "cannot drop capabilities");
    own_output(who);
    if (setgroups(who->group_count, who->groups) || setresgid(who->gid, who->gid, who->gid) ||
        setresuid(who->uid, who->uid, who->uid))
        return err_sys(e, "cannot become user %u:%u", who->uid, who->gid);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return err_sys(e, "no_new_privs");
    if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC))
        return err_sys(e, "cannot mark descriptors (close_range, Linux 5.11)");
    return true;
}

bool exec_become(const struct exec_identity *who, const char *path, char *const argv[], char *const envp[],
                 struct err *e) {
    calm();
    setsid();
    if (drop(who, e)) {
        execve(path, argv, envp);
        int why = errno;
        err_sys(e, "cannot execute %s as user %u:%u", path, who->uid, who->gid);
        if (why == ENOENT)
            err_mend(e, "the file is there, so what it needs is not: the interpreter after #!, or the ELF loader");
        if (why == ENOEXEC) err_mend(e, "it is neither a program for this machine nor a script with #!");
        if (why == EACCES) err_mend(e, "give that user leave to execute it and to search the directories above it");
        if (why == E2BIG) err_mend(e, "arguments and environment are too long for the kernel");
    }
    set_effective(true);
    return false;
}
