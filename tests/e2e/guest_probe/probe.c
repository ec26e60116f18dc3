/* guest_probe: the entrypoint of test images. Prints what a container's process sees as "probe.key=value" lines, the
 * last of them "probe.end=1"; then it ends (as PID 1: with a kernel panic, which panic=-1 and QEMU's -no-reboot make an
 * end of the machine).
 *
 *     musl-gcc -static -Os -s -o probe probe.c
 *
 * Arguments: "ls:PATH" lists a directory, "cat:PATH" shows the first 4 KB of a file, "path:PATH" its kind, mode and owner; "sleep" waits for
 * ever instead of ending; others are only shown. Values hold no line breaks: they are shown as "\n". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

static void show(const char *key, const char *format, ...) {
    char value[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    printf("probe.%s=", key);
    for (const char *p = value; *p; p++) *p == '\n' ? (void)fputs("\\n", stdout) : (void)putchar(*p);
    putchar('\n');
}

/* "ok", or the errno's text. */
static const char *result(int failed) { return failed ? strerror(errno) : "ok"; }

static const char *try_open(const char *path, int flags) {
    int fd = open(path, flags | O_NONBLOCK | O_NOCTTY, 0600);
    const char *text = result(fd < 0);
    if (fd >= 0) close(fd);
    return text;
}

static void show_file(const char *key, const char *path) {
    char text[4096];
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n < 0)
        show(key, "(%s)", strerror(errno));
    else
        text[n] = 0, show(key, "%s", text);
    if (fd >= 0) close(fd);
}

static void show_list(const char *key, const char *path) {
    char text[4096] = "";
    size_t n = 0;
    DIR *d = opendir(path);
    if (!d) {
        show(key, "(%s)", strerror(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(d)) && n < sizeof text - 300;)
        if (e->d_name[0] != '.') n += (size_t)sprintf(text + n, "%s%s", n ? " " : "", e->d_name);
    closedir(d);
    show(key, "%s", text);
}

/* Selected lines of /proc/self/status: capabilities, no_new_privs, signal masks. */
static void show_status(void) {
    static const char *const wanted[] = {"CapInh",  "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
                                         "Seccomp", "SigBlk", "SigIgn", "SigCgt", "Umask",  "Groups"};
    char line[512];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            size_t n = strlen(wanted[i]);
            if (strncmp(line, wanted[i], n) || line[n] != ':') continue;
            line[strcspn(line, "\n")] = 0;
            show(wanted[i], "%s", line + n + 1 + strspn(line + n + 1, "\t "));
        }
    if (f) fclose(f);
}

static void show_lines(const char *key, const char *path) {
    char line[1024], name[64];
    FILE *f = fopen(path, "r");
    for (int i = 0; f && fgets(line, sizeof line, f); i++) {
        line[strcspn(line, "\n")] = 0;
        snprintf(name, sizeof name, "%s.%d", key, i);
        show(name, "%s", line);
    }
    if (f) fclose(f);
}

/* What a masked or read-only path looks like: kind, size or entries, and whether it can be written. */
static void show_path(const char *path) {
    char key[256], kind[64] = "file";
    struct stat st;
    snprintf(key, sizeof key, "path:%s", path);
    if (lstat(path, &st)) {
        show(key, "(%s)", strerror(errno));
        return;
    }
    if (S_ISLNK(st.st_mode)) strcpy(kind, "link");
    if (S_ISCHR(st.st_mode)) sprintf(kind, "char %u:%u", major(st.st_rdev), minor(st.st_rdev));
    if (S_ISDIR(st.st_mode)) {
        int n = 0;
        DIR *d = opendir(path);
        while (d && readdir(d)) n++;
        if (d) closedir(d);
        sprintf(kind, "dir %d", n - 2);
    }
    show(key, "%s mode %o owner %u:%u", kind, st.st_mode & 07777, st.st_uid, st.st_gid);
}

/* Makes a device node there, and opens it. */
static void try_node(const char *key, const char *path, dev_t device) {
    int made = mknod(path, S_IFCHR | 0600, device);
    show(key, "mknod %s, open %s", result(made), made ? "-" : try_open(path, O_RDWR));
    if (!made) unlink(path);
}

/* The classic way out of a chroot, for whoever has CAP_SYS_CHROOT. */
static void try_escape(void) {
    pid_t child = fork();
    if (child == 0) {
        mkdir("/tmp/out", 0755);
        int failed = chroot("/tmp/out");
        for (int i = 0; i < 32 && !failed; i++) failed = chdir("..");
        if (failed || chroot("."))
            show("escape.chroot", "%s", strerror(errno));
        else {
            show_list("escape.root", "/");
            show("escape.init", "%s", try_open("/init", O_RDONLY));
            show("escape.policy", "%s", try_open("/etc/plinth/policy.json", O_RDONLY));
        }
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    rmdir("/tmp/out");
}

static void try_exec(const char *key, const char *path) {
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    char buffer[65536];
    for (ssize_t n; from >= 0 && to >= 0 && (n = read(from, buffer, sizeof buffer)) > 0;)
        if (write(to, buffer, (size_t)n) != n) break;
    close(from);
    close(to);
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, "nothing", (char *)NULL);
        _exit(errno & 127 ? errno & 127 : 1);
    }
    waitpid(child, &status, 0);
    show(key, "%s", WIFEXITED(status) ? (WEXITSTATUS(status) ? strerror(WEXITSTATUS(status)) : "ok") : "signal");
    unlink(path);
}

int main(int argc, char **argv) {
    static const char *const paths[] = {"/",
                                        "/proc/acpi",
                                        "/proc/asound",
                                        "/proc/interrupts",
                                        "/proc/kcore",
                                        "/proc/keys",
                                        "/proc/latency_stats",
                                        "/proc/timer_list",
                                        "/proc/sched_debug",
                                        "/proc/scsi",
                                        "/sys/firmware",
                                        "/sys/devices/virtual/powercap",
                                        "/proc/bus",
                                        "/proc/fs",
                                        "/proc/irq",
                                        "/proc/sys",
                                        "/proc/sysrq-trigger",
                                        "/dev/null",
                                        "/dev/zero",
                                        "/dev/full",
                                        "/dev/random",
                                        "/dev/urandom",
                                        "/dev/tty",
                                        "/dev/console",
                                        "/dev/ptmx",
                                        "/dev/fd",
                                        "/dev/stdin",
                                        "/dev/stdout",
                                        "/dev/pts",
                                        "/dev/shm",
                                        "/dev/mqueue",
                                        "/dev/tpm0",
                                        "/dev/tpmrm0",
                                        "/dev/mem",
                                        "/tmp",
                                        "/run",
                                        "/run/plinth",
                                        "/run/plinth/evidence.json",
                                        "/etc/hosts",
                                        "/etc/hostname",
                                        "/etc/resolv.conf",
                                        "/init"};
    char text[4096], key[64];
    gid_t groups[256];
    struct rlimit files;
    if (argc > 1 && strcmp(argv[1], "nothing") == 0) return 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    show("pid", "%d", getpid());
    show("uid", "%u %u", getuid(), geteuid());
    show("gid", "%u %u", getgid(), getegid());
    int n = getgroups(256, groups), at = 0;
    text[0] = 0;
    for (int i = 0; i < n; i++) at += sprintf(text + at, "%s%u", i ? " " : "", groups[i]);
    show("groups", "%s", text);
    for (int i = 0; i < argc; i++) snprintf(key, sizeof key, "arg.%d", i), show(key, "%s", argv[i]);
    for (int i = 0; environ[i]; i++) snprintf(key, sizeof key, "env.%d", i), show(key, "%s", environ[i]);
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "ls:", 3) == 0) show_list(argv[i], argv[i] + 3);
        if (strncmp(argv[i], "cat:", 4) == 0) show_file(argv[i], argv[i] + 4);
        if (strncmp(argv[i], "path:", 5) == 0) show_path(argv[i] + 5);
    }
    show("cwd", "%s", getcwd(text, sizeof text) ? text : strerror(errno));
    show("hostname", "%s", gethostname(text, sizeof text) ? strerror(errno) : text);
    show("session", "%d %d", getsid(0), getpgrp());
    getrlimit(RLIMIT_NOFILE, &files);
    show("nofile", "%llu %llu", (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
    show_status();
    show_file("cgroup", "/proc/self/cgroup");
    show_list("cgroup.files", "/sys/fs/cgroup");
    show_list("fds", "/proc/self/fd");
    show_list("root", "/");
    show_list("dev", "/dev");
    show_list("run.plinth", "/run/plinth");
    show_lines("mount", "/proc/self/mounts");
    show_lines("net.dev", "/proc/net/dev");
    show_file("hosts", "/etc/hosts");
    show_file("resolv.conf", "/etc/resolv.conf");
    show_file("etc.hostname", "/etc/hostname");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) show_path(paths[i]);

    ssize_t got = read(0, text, 1);
    show("stdin", "%s", got == 0 ? "end" : got < 0 ? strerror(errno) : "a byte");
    show("reopen.stdout", "%s", try_open("/dev/stdout", O_WRONLY));
    show("write:/proc/sysrq-trigger", "%s", try_open("/proc/sysrq-trigger", O_WRONLY));
    show("write:/proc/sys/kernel/hostname", "%s", try_open("/proc/sys/kernel/hostname", O_WRONLY));
    show("write:/sys/kernel/mm", "%s", result(mkdir("/sys/kernel/mm/x", 0755)));
    show("write:/sys/fs/cgroup", "%s", result(mkdir("/sys/fs/cgroup/x", 0755)));
    show("write:/run/plinth/x", "%s", try_open("/run/plinth/x", O_WRONLY | O_CREAT));
    show("write:/run/plinth/evidence.json", "%s", try_open("/run/plinth/evidence.json", O_WRONLY));
    show("write:/tmp/x", "%s", try_open("/tmp/x", O_WRONLY | O_CREAT));
    show("write:/dev/shm/x", "%s", try_open("/dev/shm/x", O_WRONLY | O_CREAT));
    show("write:/x", "%s", try_open("/x", O_WRONLY | O_CREAT));
    show("pty", "%s", try_open("/dev/ptmx", O_RDWR));
    try_node("node:/tmp/tpm", "/tmp/tpm", makedev(10, 224));
    try_node("node:/dev/tpm", "/dev/tpm", makedev(10, 224));
    try_node("node:/dev/shm/null", "/dev/shm/null", makedev(1, 3));
    show("mount", "%s", result(mount("t", "/tmp", "tmpfs", 0, NULL)));
    show("umount", "%s", result(umount("/sys/firmware")));
    show("sethostname", "%s", result(sethostname("x", 1)));
    show("module", "%s", try_open("/sys/module", O_RDONLY));
    show("setuid0", "%s", result(setuid(0)));
    show("listen80", "%s", result(socket(AF_INET, SOCK_STREAM, 0) < 0));
    show("vsock", "%s", result(socket(AF_VSOCK, SOCK_STREAM, 0) < 0));
    try_exec("exec:/tmp", "/tmp/again");
    try_exec("exec:/dev/shm", "/dev/shm/again");
    try_escape();
    show("end", "1");
    fflush(stdout);
    tcdrain(1);
    while (argc > 1 && strcmp(argv[1], "sleep") == 0) pause();
    return 0;
}
