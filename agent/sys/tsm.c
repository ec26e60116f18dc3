/* see tsm.h */
#include "sys/tsm.h"

#include "base/reader.h"
#include "sys/aside.h"
#include "sys/deadline.h"

#include <fcntl.h>
#include <linux/sev-guest.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORTS "/sys/kernel/config/tsm/report"
#define OWN REPORTS "/plinth" /* PID 1 asks for one at a time */
#define REGISTERS "/sys/devices/virtual/misc/tdx_guest/measurements/"
#define RTMR3 REGISTERS "rtmr3:sha384"
#define MRCONFIGID REGISTERS "mrconfigid"
#define CCEL "/sys/firmware/acpi/tables/data/CCEL"
#define DEVICE "/dev/sev-guest"
#define CERTIFICATES_PAGES 16384u /* SEV_FW_BLOB_MAX_SIZE */
#define EARLIER_MS 500            /* the child's deadline comes before its parent's, so that it can say why */

struct path {
    char text[512];
};

static const char *at(struct path *p, const char *root, const char *name) {
    snprintf(p->text, sizeof p->text, "%s%s", root, name);
    return p->text;
}

/* ---- in the child ---- */

/* Reads a file from its start to its end, as a fresh opening gives it; errno when false. Longer than `out` is EFBIG. */
static bool slurp(const char *path, struct writer *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 1;
    uint8_t more;
    while (got > 0 || (got < 0 && fd >= 0 && errno == EINTR)) {
        bool room = out->n < out->size;
        got = room ? read(fd, out->p + out->n, out->size - out->n) : read(fd, &more, 1);
        if (got > 0 && !room) got = -1, errno = EFBIG;
        if (got > 0) out->n += (size_t)got;
    }
    int why = errno;
    if (fd >= 0) close(fd);
    errno = why;
    return got == 0;
}

/* One write of all the bytes. What a configfs binary file makes of them it does at close, and does not tell. */
static bool put(const char *path, struct view bytes) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t sent = fd < 0 ? -1 : write(fd, bytes.p, bytes.n);
    int why = sent < 0 ? errno : EIO;
    if (fd >= 0 && close(fd)) why = errno, sent = -1;
    errno = why;
    return sent == (ssize_t)bytes.n;
}

/* A line of the own report directory, without its end, as a C string. */
static bool line(const struct tsm *t, const char *name, char out[static TSM_NAME_MAX], struct err *e) {
    struct path p;
    char text[TSM_NAME_MAX];
    struct writer w = writer_of(text, sizeof text);
    if (!slurp(at(&p, t->root, name), &w)) return err_sys(e, "cannot read %s", name);
    return view_to_str(view_trim(writer_view(&w)), out, TSM_NAME_MAX) || err_set(e, ERR_FORMAT, "%s is no text", name);
}

static bool generation(const struct tsm *t, uint64_t *out, struct err *e) {
    char text[TSM_NAME_MAX];
    return line(t, OWN "/generation", text, e) &&
           (view_u64(view_str(text), UINT64_MAX, out) || err_set(e, ERR_FORMAT, "generation is \"%s\"", text));
}

static bool make_own(const struct tsm *t) {
    struct path p;
    return mkdir(at(&p, t->root, OWN), 0700) == 0 ||
           (errno == EEXIST && rmdir(p.text) == 0 && mkdir(p.text, 0700) == 0);
}

static void remove_own(const struct tsm *t) {
    struct path p;
    rmdir(at(&p, t->root, OWN));
}

static bool find_provider(const void *argument, struct writer *out, struct err *e) {
    const struct tsm *t = argument;
    char name[TSM_NAME_MAX];
    if (!make_own(t))
        return errno == ENXIO || errno == ENOENT || err_sys(e, "cannot make " OWN); /* nobody has registered */
    bool ok = line(t, OWN "/provider", name, e);
    remove_own(t);
    if (ok) write_text(out, name);
    return ok;
}

/* What a request needs, and the length of the report in what it gave. */
struct request {
    const struct tsm *t;
    const uint8_t *report_data;
};

static bool still(const struct tsm *t, uint64_t expected, const char *when, struct err *e) {
    char provider[TSM_NAME_MAX];
    uint64_t now;
    if (!line(t, OWN "/provider", provider, e) || !generation(t, &now, e)) return false;
    if (strcmp(provider, t->provider))
        return err_set(e, ERR_DIGEST, "the report provider is \"%s\" %s, and was \"%s\"", provider, when, t->provider);
    if (now == expected) return true;
    return err_set(
        e, ERR_DIGEST,
        "the report's generation is %llu %s, %llu was expected: another request came between, or ours was not taken",
        (unsigned long long)now, when, (unsigned long long)expected);
}

/* SNP: the privilege level of the report is the guest's own, the lowest that the kernel gives. */
static bool set_privlevel(const struct tsm *t, struct err *e) {
    struct path p;
    char floor[TSM_NAME_MAX];
    if (access(at(&p, t->root, OWN "/privlevel_floor"), F_OK)) return true;
    return line(t, OWN "/privlevel_floor", floor, e) && (put(at(&p, t->root, OWN "/privlevel"), view_str(floor)) ||
                                                         err_sys(e, "cannot set the privilege level %s", floor));
}

/* Reading makes the kernel ask for the report, and a failure is not kept: so it can be asked again. */
static bool blob(const struct tsm *t, const char *name, int64_t deadline, struct writer *out, struct err *e) {
    struct path p;
    struct writer w = *out;
    while (!slurp(at(&p, t->root, name), &w)) {
        if ((errno != EINTR && errno != EBUSY) || !deadline_pause(deadline, 50))
            return err_sys(e, "cannot read %s", name);
        w = *out;
    }
    *out = w;
    return true;
}

static bool ask(const struct request *q, struct writer *out, struct err *e) {
    const struct tsm *t = q->t;
    int64_t deadline = deadline_in(t->report_ms - EARLIER_MS);
    struct path p;
    uint64_t before;
    struct writer length = writer_of(out->p, 4);
    write_le32(out, 0);
    if (!set_privlevel(t, e) || !generation(t, &before, e)) return false;
    if (!put(at(&p, t->root, OWN "/inblob"), view_of(q->report_data, REPORT_DATA_SIZE)))
        return err_sys(e, "cannot write " OWN "/inblob");
    if (!still(t, before + 1, "after the request", e) || !blob(t, OWN "/outblob", deadline, out, e)) return false;
    write_le32(&length, (uint32_t)(out->n - 4));
    bool table = access(at(&p, t->root, OWN "/auxblob"), F_OK) == 0;
    return (!table || blob(t, OWN "/auxblob", deadline, out, e)) && still(t, before + 1, "after the report", e);
}

static bool ask_configfs(const void *argument, struct writer *out, struct err *e) {
    const struct request *q = argument;
    if (!make_own(q->t)) return err_sys(e, "cannot make " OWN);
    bool ok = ask(q, out, e);
    remove_own(q->t);
    return ok;
}

/* The response: status, size, 24 bytes, the report (AMD 56860, table 24). A failed request must not be repeated: it can
 * cost the guest its key for messages. Only "the table needs more room" is no failure, and then the report comes
 * without it. */
static bool ask_device(const void *argument, struct writer *out, struct err *e) {
    static uint8_t table[CERTIFICATES_PAGES] __attribute__((aligned(4096)));
    const struct request *q = argument;
    struct path p;
    struct snp_report_resp answer = {{0}};
    struct snp_ext_report_req r = {.certs_address = (uintptr_t)table, .certs_len = sizeof table};
    struct snp_guest_request_ioctl call = {
        .msg_version = 1, .req_data = (uintptr_t)&r, .resp_data = (uintptr_t)&answer};
    memcpy(r.data.user_data, q->report_data, REPORT_DATA_SIZE);
    int fd = open(at(&p, q->t->root, DEVICE), O_RDWR | O_CLOEXEC);
    if (fd < 0) return err_sys(e, "cannot open " DEVICE);
    bool table_came = ioctl(fd, SNP_GET_EXT_REPORT, &call) == 0, ok = table_came;
    if (!ok && call.vmm_error == SNP_GUEST_VMM_ERR_INVALID_LEN) {
        call = (struct snp_guest_request_ioctl){
            .msg_version = 1, .req_data = (uintptr_t)&r.data, .resp_data = (uintptr_t)&answer};
        ok = ioctl(fd, SNP_GET_REPORT, &call) == 0;
    }
    if (!ok) err_sys(e, DEVICE ": firmware error 0x%x, host error 0x%x", call.fw_error, call.vmm_error);
    close(fd);
    if (!ok) return false;
    write_le32(out, SNP_REPORT_SIZE);
    write_bytes(out, view_of(answer.data + 32, SNP_REPORT_SIZE));
    if (table_came) write_bytes(out, view_of(table, r.certs_len < sizeof table ? r.certs_len : sizeof table));
    return true;
}

static bool write_rtmr3(const void *argument, struct writer *out, struct err *e) {
    const struct request *q = argument;
    struct path p;
    (void)out;
    return put(at(&p, q->t->root, RTMR3), view_of(q->report_data, RTMR_SIZE)) || err_sys(e, "cannot write " RTMR3);
}

static bool read_register(const struct tsm *t, const char *name, struct writer *out, struct err *e) {
    struct path p;
    if (!slurp(at(&p, t->root, name), out)) return err_sys(e, "cannot read %s", name);
    return out->n == RTMR_SIZE || err_set(e, ERR_FORMAT, "%s has %zu bytes instead of %u", name, out->n, RTMR_SIZE);
}

static bool read_rtmr3(const void *argument, struct writer *out, struct err *e) {
    return read_register(argument, RTMR3, out, e);
}

static bool read_mrconfigid(const void *argument, struct writer *out, struct err *e) {
    return read_register(argument, MRCONFIGID, out, e);
}

/* The area may be larger than any log in it. */
static bool read_ccel(const void *argument, struct writer *out, struct err *e) {
    struct path p;
    if (slurp(at(&p, ((const struct tsm *)argument)->root, CCEL), out) || errno == ENOENT || errno == EFBIG)
        return true;
    return err_sys(e, "cannot read " CCEL);
}

/* ---- in the parent ---- */

bool tsm_open(const char *root, struct tsm *out, struct err *e) {
    struct tsm t = {.root = root, .report_ms = TSM_REPORT_MS, .files_ms = TSM_FILES_MS};
    struct path p;
    struct writer name = writer_of(t.provider, sizeof t.provider - 1);
    if (access(at(&p, root, REPORTS), F_OK) == 0 && !aside("the report provider", find_provider, &t, t.files_ms, &name, e)) return false;
    if (!name.n && access(at(&p, root, DEVICE), F_OK) == 0) {
        t.device = true;
        write_text(&name, TSM_SEV);
    }
    *out = t;
    return true;
}

bool tsm_report(const struct tsm *t, const uint8_t report_data[static REPORT_DATA_SIZE], struct writer *out,
                size_t *report_n, struct err *e) {
    struct request q = {t, report_data};
    struct writer w = *out;
    if (!aside("report", t->device ? ask_device : ask_configfs, &q, t->report_ms, &w, e))
        return e->sys == ETIMEDOUT ? err_mend(e, "the host must answer: a quoting service (TDX) or the PSP (SNP)")
                                   : false;
    struct reader r = reader_of(view_skip(writer_view(&w), out->n));
    *report_n = read_le32(&r);
    memmove(out->p + out->n, r.rest.p, r.rest.n);
    out->n += r.rest.n;
    return true;
}

static bool files(const char *what, aside_work *work, const struct tsm *t, const void *argument, struct writer *out,
                  struct err *e) {
    return aside(what, work, argument, t->files_ms, out, e) ||
           (e->sys == ENOENT
                ? err_mend(e, "Linux 6.16 or later, with CONFIG_TDX_GUEST_DRIVER, has the measurement files of a TD")
                : false);
}

bool tsm_rtmr3_extend(const struct tsm *t, const uint8_t digest[static RTMR_SIZE], struct err *e) {
    struct request q = {t, digest};
    struct writer none = {0};
    return files("RTMR3", write_rtmr3, t, &q, &none, e);
}

static bool value_of(const char *name, aside_work *work, const struct tsm *t, uint8_t value[static RTMR_SIZE],
                     struct err *e) {
    uint8_t bytes[RTMR_SIZE];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (!files(name, work, t, t, &w, e)) return false;
    memcpy(value, bytes, sizeof bytes);
    return true;
}

bool tsm_rtmr3_read(const struct tsm *t, uint8_t value[static RTMR_SIZE], struct err *e) {
    return value_of("RTMR3", read_rtmr3, t, value, e);
}

bool tsm_mrconfigid_read(const struct tsm *t, uint8_t value[static RTMR_SIZE], struct err *e) {
    return value_of("MRCONFIGID", read_mrconfigid, t, value, e);
}

bool tsm_ccel(const struct tsm *t, struct writer *out, struct err *e) {
    return aside("CCEL", read_ccel, t, t->files_ms, out, e);
}
