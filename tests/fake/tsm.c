/* see tsm.h */
#include "tests/fake/tsm.h"

#include "crypto/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fake_tsm fake_tsm;

static const char *const fake_files[] = {"provider", "generation", "inblob", "outblob", "auxblob", "privlevel", "privlevel_floor"};

static void fake_path(char out[static 256], const char *path) { snprintf(out, 256, "%s%s", fake_tsm.root, path); }

static bool fake_is(const char *path, const char *end) {
    return fake_tsm.root[0] && view_starts(view_str(path), view_str(fake_tsm.root)) && view_ends(view_str(path), view_str(end));
}

static ssize_t fake_raw_write(int fd, const void *bytes, size_t n) { return syscall(SYS_write, fd, bytes, n); }

void fake_tsm_write(const char *path, struct view bytes) {
    char full[256];
    fake_path(full, path);
    for (char *slash = full + strlen(fake_tsm.root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        syscall(SYS_mkdir, full, 0755);
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || fake_raw_write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n) abort();
    syscall(SYS_close, fd);
}

size_t fake_tsm_read(const char *path, uint8_t out[static 64]) {
    char full[256];
    fake_path(full, path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, full, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, out, 64);
    if (fd >= 0) syscall(SYS_close, fd);
    return n < 0 ? 0 : (size_t)n;
}

void fake_tsm_remove(const char *path) {
    char full[256];
    fake_path(full, path);
    syscall(SYS_unlink, full);
}

static void fake_remove_root(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fake_tsm.root);
    if (fake_tsm.root[0] && system(command)) abort();
}

void fake_tsm_reset(const char *provider, struct view report, size_t report_data_at, size_t rtmr3_at) {
    static const uint8_t zeros[48];
    static bool registered;
    if (!registered) registered = atexit(fake_remove_root) == 0;
    fake_remove_root();
    fake_tsm = (struct fake_tsm){.provider = provider, .report = report, .report_data_at = report_data_at, .rtmr3_at = rtmr3_at, .moves = 1};
    strcpy(fake_tsm.root, "/tmp/plinth-tsm-XXXXXX");
    if (!mkdtemp(fake_tsm.root)) abort();
    if (provider || report.p) fake_tsm_write("/sys/kernel/config/tsm/report/x", VIEW("")), fake_tsm_remove("/sys/kernel/config/tsm/report/x");
    if (rtmr3_at) fake_tsm_write(FAKE_TSM_RTMR3, view_of(zeros, 48));
}

/* ---- what the kernel does ---- */

static void fake_own(const char *name, struct view bytes) {
    char path[256];
    snprintf(path, sizeof path, FAKE_TSM_OWN "/%s", name);
    fake_tsm_write(path, bytes);
}

static void fake_text(const char *name, const char *text) {
    char line[64];
    snprintf(line, sizeof line, "%s\n", text);
    fake_own(name, view_str(line));
}

static void fake_move(int by) {
    uint8_t text[64] = {0};
    char line[16];
    fake_tsm_read(FAKE_TSM_OWN "/generation", text);
    snprintf(line, sizeof line, "%d", atoi((char *)text) + by);
    fake_text("generation", line);
}

static void fake_report(const uint8_t *inblob) {
    static uint8_t blob[1 << 20];
    memcpy(blob, fake_tsm.report.p, fake_tsm.report.n);
    if (fake_tsm.report_data_at) memcpy(blob + fake_tsm.report_data_at, inblob, 64);
    if (fake_tsm.stale) blob[fake_tsm.report_data_at] ^= 1;
    if (fake_tsm.rtmr3_at) {
        uint8_t value[64];
        fake_tsm_read(FAKE_TSM_RTMR3, value);
        memcpy(blob + fake_tsm.rtmr3_at, value, 48);
    }
    if (!fake_tsm.hangs) fake_own("outblob", view_of(blob, fake_tsm.report.n));
}

static void fake_extend(const uint8_t *digest) {
    uint8_t value[64];
    struct register_bank bank = {.alg = HASH_SHA384};
    fake_tsm_read(FAKE_TSM_RTMR3, value);
    memcpy(bank.value, value, 48);
    register_extend(&bank, digest);
    if (!fake_tsm.lost_extend) fake_tsm_write(FAKE_TSM_RTMR3, view_of(bank.value, 48));
}

int mkdir(const char *path, mode_t mode) {
    char fifo[256];
    bool own = fake_is(path, "/plinth");
    if (own && !fake_tsm.provider) return errno = ENXIO, -1;
    if (syscall(SYS_mkdir, path, mode)) return -1;
    if (!own) return 0;
    fake_text("provider", fake_tsm.provider);
    fake_text("generation", "0");
    fake_own("inblob", VIEW(""));
    if (fake_tsm.auxblob.p) fake_own("auxblob", fake_tsm.auxblob);
    if (fake_tsm.privlevel) fake_own("privlevel", VIEW("")), fake_text("privlevel_floor", "0");
    fake_path(fifo, FAKE_TSM_OWN "/outblob");
    if (fake_tsm.hangs && mkfifo(fifo, 0600)) abort();
    return 0;
}

int rmdir(const char *path) {
    char file[300];
    for (size_t i = 0; fake_is(path, "/plinth") && i < sizeof fake_files / sizeof fake_files[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", path, fake_files[i]);
        syscall(SYS_unlink, file);
    }
    return (int)syscall(SYS_rmdir, path);
}

int open(const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (fake_is(path, "/outblob")) {
        if (fake_tsm.errors) {
            if (fake_tsm.errors > 0) fake_tsm.errors--;
            return errno = fake_tsm.error, -1;
        }
        if (fake_tsm.moves_again) fake_move(1);
        if (fake_tsm.provider_later) fake_text("provider", fake_tsm.provider_later);
    }
    if (fake_is(path, "/CCEL") && fake_tsm.ccel_error) return errno = fake_tsm.ccel_error, -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    char link[32], path[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = fake_tsm.root[0] ? readlink(link, path, sizeof path - 1) : 0;
    if (got > 0 && fake_is(path, "/inblob")) {
        fake_move(fake_tsm.moves);
        if (n == 64) fake_report(bytes); /* else the kernel's EINVAL comes with the reading: there is no outblob */
        if (n > 64) return errno = EFBIG, -1;
    }
    if (got > 0 && fake_is(path, "/privlevel")) fake_move(1);
    if (got > 0 && fake_is(path, "rtmr3:sha384")) {
        if (fake_tsm.rtmr_error && !fake_tsm.late_extend) return errno = fake_tsm.rtmr_error, -1;
        if (n != 48) return errno = EINVAL, -1;
        fake_extend(bytes);
        if (fake_tsm.rtmr_error) return errno = fake_tsm.rtmr_error, -1;
        return (ssize_t)n;
    }
    return fake_raw_write(fd, bytes, n);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list ap;
    va_start(ap, request);
    struct snp_guest_request_ioctl *call = va_arg(ap, void *);
    va_end(ap);
    bool extended = request == SNP_GET_EXT_REPORT;
    if (!extended && request != SNP_GET_REPORT) return (int)syscall(SYS_ioctl, fd, request, call);
    if (extended && fake_tsm.ioctl_error) {
        call->vmm_error = fake_tsm.vmm_error;
        return errno = fake_tsm.ioctl_error, -1;
    }
    const struct snp_report_req *plain = (const void *)(uintptr_t)call->req_data;
    const struct snp_ext_report_req *ext = (const void *)(uintptr_t)call->req_data;
    uint8_t *answer = (uint8_t *)(uintptr_t)call->resp_data;
    if (call->msg_version != 1) abort();
    memcpy(answer + 32, fake_tsm.report.p, fake_tsm.report.n);
    memcpy(answer + 32 + fake_tsm.report_data_at, (extended ? &ext->data : plain)->user_data, 64);
    if (extended && fake_tsm.auxblob.n <= ext->certs_len) memcpy((void *)(uintptr_t)ext->certs_address, fake_tsm.auxblob.p, fake_tsm.auxblob.n);
    return 0;
}
