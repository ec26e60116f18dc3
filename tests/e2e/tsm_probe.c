/* An /init that looks at the kernel's TSM interfaces with nothing of the agent: what the simulated TEE (qemu/simtee) shows, answers and gets
 * wrong. Says all of it on the console as "probe.NAME=VALUE", for test_simtee.py to judge. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPORT "/sys/kernel/config/tsm/report/probe"
#define REGISTERS "/sys/devices/virtual/misc/tdx_guest/measurements"

static uint8_t blob[9 << 20];

static long long now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void say_hex(const char *name, const char *what, const uint8_t *p, ssize_t n) {
    printf("probe.%s.%s=", name, what);
    for (ssize_t i = 0; i < n; i++) printf("%02x", p[i]);
    printf("\n");
}

/* The whole file, or -errno. */
static ssize_t slurp(const char *path, uint8_t *p, size_t size) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return -errno;
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, p + n, size - n)) > 0) n += (size_t)got;
    int why = errno;
    close(fd);
    return got < 0 ? -why : (ssize_t)n;
}

static int spit(const char *path, const void *p, size_t n) {
    int fd = open(path, O_WRONLY);
    if (fd < 0) return errno;
    int why = write(fd, p, n) == (ssize_t)n ? 0 : errno;
    return close(fd) < 0 && !why ? errno : why;
}

static void say_file(const char *name, const char *path) {
    ssize_t n = slurp(path, blob, sizeof blob);
    if (n < 0) printf("probe.%s.errno=%d\n", name, (int)-n);
    else say_hex(name, "bytes", blob, n);
}

static void fault(const char *name) {
    spit("/sys/module/simtee/parameters/fault", name, strlen(name));
}

static int generation(void) {
    char text[32] = "";
    ssize_t n = slurp(REPORT "/generation", (uint8_t *)text, sizeof text - 1);
    return n < 0 ? (int)n : atoi(text);
}

/* One report as the agent asks for it; `whole`: its bytes too, else only where it stands out. */
static void report(const char *name, uint8_t fill, int whole) {
    uint8_t request[64];
    memset(request, fill, sizeof request);
    int wrote = spit(REPORT "/inblob", request, sizeof request), before = generation();
    ssize_t n = slurp(REPORT "/outblob", blob, sizeof blob);
    int after = generation();
    printf("probe.%s.write=%d\nprobe.%s.moved=%d\n", name, wrote, name, after - before);
    if (n < 0) printf("probe.%s.errno=%d\n", name, (int)-n);
    else printf("probe.%s.size=%d\n", name, (int)n);
    if (n >= 0 && whole) say_hex(name, "bytes", blob, n < 8192 ? n : 8192);
}

static void say_directory(const char *name, const char *path) {
    struct dirent **found;
    int n = scandir(path, &found, NULL, alphasort);
    printf("probe.%s.files=", name);
    for (int i = 0; i < n; i++) {
        struct stat st;
        char full[600];
        snprintf(full, sizeof full, "%s/%s", path, found[i]->d_name);
        if (found[i]->d_name[0] != '.' && stat(full, &st) == 0) printf("%s %o,", found[i]->d_name, st.st_mode & 0777);
    }
    printf("\n");
}

static void extend(const char *name, int index, uint8_t fill) {
    char path[200];
    uint8_t digest[48];
    memset(digest, fill, sizeof digest);
    snprintf(path, sizeof path, REGISTERS "/rtmr%d:sha384", index);
    printf("probe.%s.write=%d\n", name, spit(path, digest, sizeof digest));
    say_file(name, path);
}

static void tdx(void) {
    say_directory("registers", REGISTERS);
    for (int i = 0; i < 4; i++) {
        char name[16], path[200];
        snprintf(name, sizeof name, "rtmr%d", i);
        snprintf(path, sizeof path, REGISTERS "/rtmr%d:sha384", i);
        say_file(name, path);
    }
    say_file("mrtd", REGISTERS "/mrtd:sha384");
    say_file("mrconfigid", REGISTERS "/mrconfigid");
    extend("extend1", 3, 1);
    extend("extend2", 3, 2);
    extend("extend3", 2, 3);
    report("extended", 0x22, 1);
    fault("quoted_register");
    report("fault.quoted_register", 0x30, 1);
    fault("register");
    extend("fault.register", 3, 4);
    fault("extend_lost");
    extend("fault.extend_lost", 3, 5);
    fault("extend");
    extend("fault.extend", 3, 6);
    fault("none");
    long long began = now_us();
    uint8_t digest[48] = {7};
    for (int i = 0; i < 100; i++) spit(REGISTERS "/rtmr3:sha384", digest, sizeof digest);
    printf("probe.time.extend_us=%lld\n", (now_us() - began) / 100);
    say_file("ccel.table", "/sys/firmware/acpi/tables/CCEL");
    say_file("ccel.log", "/sys/firmware/acpi/tables/data/CCEL");
}

static void snp(void) {
    static uint8_t certs[16384];
    static struct snp_report_resp response;
    struct snp_ext_report_req request = {.certs_address = (uintptr_t)certs};
    struct snp_guest_request_ioctl io = {.msg_version = 1, .req_data = (uintptr_t)&request, .resp_data = (uintptr_t)&response};
    memset(request.data.user_data, 0x44, 64);
    say_file("auxblob", REPORT "/auxblob");
    printf("probe.privlevel.write=%d\n", spit(REPORT "/privlevel", "2", 1));
    report("privlevel", 0x33, 1);
    spit(REPORT "/privlevel", "0", 1);
    fault("vmpl");
    report("fault.vmpl", 0x34, 1);
    fault("no_certs");
    report("fault.no_certs", 0x35, 0);
    say_file("fault.no_certs.auxblob", REPORT "/auxblob");
    fault("none");
    int fd = open("/dev/sev-guest", O_RDWR);
    int rc = ioctl(fd, SNP_GET_EXT_REPORT, &io);
    printf("probe.ioctl.small=%d %u %u\n", rc, io.vmm_error, request.certs_len);
    rc = ioctl(fd, SNP_GET_EXT_REPORT, &io);
    printf("probe.ioctl.good=%d %u\n", rc, io.vmm_error);
    say_hex("ioctl.report", "bytes", response.data, 32 + 1184);
    say_hex("ioctl.certs", "bytes", certs, request.certs_len);
    fault("busy");
    rc = ioctl(fd, SNP_GET_EXT_REPORT, &io);
    printf("probe.ioctl.busy=%d %u\n", rc, io.vmm_error);
    fault("none");
}

static void stall(void) {
    fault("stall");
    pid_t child = fork();
    if (child == 0) {
        report("fault.stall", 0x60, 0);
        fflush(stdout);
        _exit(0);
    }
    usleep(700000);
    printf("probe.stalled=%d\n", waitpid(child, NULL, WNOHANG) == 0);
    fault("none");
    waitpid(child, NULL, 0);
    fault("stall");
    child = fork();
    if (child == 0) {
        report("fault.killed", 0x61, 0);
        _exit(0);
    }
    usleep(300000);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    printf("probe.killed=%d\n", WIFSIGNALED(status));
    fault("none");
}

static void finish(void) {
    char name[300] = "", line[200];
    DIR *d = opendir("/sys/class/virtio-ports");
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] == 'v') snprintf(name, sizeof name, "/dev/%s", e->d_name);
    int port = open(name, O_RDWR);
    dprintf(port, "ready 0\n");
    (void)!read(port, line, sizeof line);
    dprintf(port, "evidence 5\nprobe");
    sleep(1);
}

int main(void) {
    static const char *const faults[] = {"fail", "busy", "timeout", "stale", "generation", "report_data", "signature", "debug", "short", "empty",
                                         "huge", "nonsense"};
    struct utsname u;
    char provider[32] = "";
    mount("dev", "/dev", "devtmpfs", 0, 0);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sys", "/sys", "sysfs", 0, 0);
    mount("config", "/sys/kernel/config", "configfs", 0, 0);
    klogctl(8, NULL, 1); /* SYSLOG_ACTION_CONSOLE_LEVEL: what the faults make the kernel say shall not stand inside our lines */
    uname(&u);
    printf("probe.release=%s\n", u.release);
    printf("probe.mkdir=%d\n", mkdir(REPORT, 0700) ? errno : 0);
    slurp(REPORT "/provider", (uint8_t *)provider, sizeof provider - 1);
    provider[strcspn(provider, "\n")] = 0;
    printf("probe.provider=%s\n", provider);
    say_directory("report", REPORT);
    report("first", 0x11, 1);
    if (!strcmp(provider, "tdx_guest")) tdx();
    if (!strcmp(provider, "sev_guest")) snp();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char name[40];
        snprintf(name, sizeof name, "fault.%s", faults[i]);
        fault(faults[i]);
        report(name, (uint8_t)(0x50 + i), 1);
    }
    fault("none");
    report("last", 0x77, 1);
    stall();
    long long began = now_us();
    for (int i = 0; i < 10; i++) {
        uint8_t request[64] = {(uint8_t)i};
        spit(REPORT "/inblob", request, sizeof request);
        slurp(REPORT "/outblob", blob, sizeof blob);
    }
    printf("probe.time.report_us=%lld\n", (now_us() - began) / 10);
    say_directory("tpm", "/sys/class/tpm");
    say_file("uptime", "/proc/uptime");
    printf("probe.end=1\n");
    fflush(stdout);
    finish();
    reboot(RB_POWER_OFF);
    return 1;
}
