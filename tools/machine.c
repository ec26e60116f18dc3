/* see machine.h */
#include "tools/machine.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/view.h"
#include "base/writer.h"
#include "tools/file.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "qemu-system-x86_64"
#define PROBE_MS 3000
#define STOP_MS 5000
#define PORTS_MAX 64u

/* ---- command lines: arguments one after another in a fixed buffer ---- */

struct args {
    size_t count, used;
    char *items[128];
    char text[16384];
};

/* One argument. What does not fit is a bug that start() refuses. */
static __attribute__((format(printf, 2, 3))) void arg(struct args *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t room = sizeof a->text - a->used;
    int n = vsnprintf(a->text + a->used, room, format, args);
    va_end(args);
    if (a->count + 1 >= sizeof a->items / sizeof a->items[0] || n < 0 || (size_t)n >= room) {
        a->count = sizeof a->items / sizeof a->items[0];
        return;
    }
    a->items[a->count++] = a->text + a->used;
    a->used += (size_t)n + 1;
}

/* Several fixed arguments, split at blanks. */
static void args_fixed(struct args *a, const char *words) {
    struct view rest = view_str(words);
    while (rest.n) {
        struct view word = view_cut(&rest, ' ', NULL);
        arg(a, "%.*s", VIEW_ARG(word));
    }
}

/* QEMU doubles commas inside the values of its options. */
static const char *quoted(const char *path, char out[static 1024]) {
    size_t n = 0;
    for (; *path && n + 3 < 1024; path++) {
        out[n++] = *path;
        if (*path == ',') out[n++] = ',';
    }
    out[n] = 0;
    return out;
}

/* ---- children ---- */

struct stdio {
    int log;     /* standard output and error */
    int pass[2]; /* descriptors that go along under their own numbers; -1 */
};

static void become(char **argv, const struct stdio *io, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0); /* ^C is for us: we end the machine in order */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(io->log, 1) < 0 || dup2(io->log, 2) < 0) return;
    for (int i = 0; i < 2; i++)
        if (io->pass[i] >= 0 && fcntl(io->pass[i], F_SETFD, 0) < 0) return;
    execvp(argv[0], argv);
}

/* Starts a program; why it could not be executed comes back through a pipe that exec closes. */
static bool start(struct args *a, const struct stdio *io, const char *package, pid_t *out, struct err *e) {
    int report[2], failure = 0;
    if (a->count >= sizeof a->items / sizeof a->items[0]) return err_set(e, ERR_USAGE, "too many or too long arguments for %s", a->items[0]);
    a->items[a->count] = NULL;
    if (pipe2(report, O_CLOEXEC) < 0) return err_sys(e, "pipe");
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        become(a->items, io, parent);
        failure = errno;
        (void)!write(report[1], &failure, sizeof failure);
        _exit(127);
    }
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return err_sys(e, "fork");
    }
    bool failed = read(report[0], &failure, sizeof failure) == (ssize_t)sizeof failure;
    close(report[0]);
    if (!failed) {
        *out = pid;
        return true;
    }
    waitpid(pid, NULL, 0);
    errno = failure;
    err_sys(e, "cannot start %s", a->items[0]);
    return err_mend(e, "apt-get install %s", package);
}

static void pause_ms(int ms) {
    poll(NULL, 0, ms);
}

/* Waits for the end of `pid`; false when it still runs after `timeout_ms`. */
static bool wait_end(pid_t pid, int timeout_ms, int *status) {
    for (int waited = 0;; waited += 10) {
        pid_t done = waitpid(pid, status, WNOHANG);
        if (done == pid || (done < 0 && errno == ECHILD)) return true;
        if (waited >= timeout_ms) return false;
        pause_ms(10);
    }
}

static void end_child(pid_t *pid) {
    int status;
    if (*pid <= 0) return;
    kill(*pid, SIGTERM);
    if (!wait_end(*pid, STOP_MS, &status)) {
        kill(*pid, SIGKILL);
        waitpid(*pid, &status, 0);
    }
    *pid = 0;
}

/* ---- the directory ---- */

bool machine_begin(struct machine *m, struct err *e) {
    const char *top = getenv("TMPDIR");
    *m = MACHINE_NONE;
    if (!top || top[0] != '/' || strlen(top) > 40) top = "/tmp";
    snprintf(m->directory, sizeof m->directory, "%s/plinth-run.XXXXXX", top);
    if (mkdtemp(m->directory)) return true;
    err_sys(e, "cannot make a directory in %s", top);
    m->directory[0] = 0;
    return false;
}

const char *machine_path(const struct machine *m, const char *name, char out[static 256]) {
    snprintf(out, 256, "%s/%s", m->directory, name);
    return out;
}

static int open_log(const struct machine *m, const char *name) {
    char path[256];
    return open(machine_path(m, name, path), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The last line of a log, for an error's text. */
static void last_line(const struct machine *m, const char *name, char *out, size_t size) {
    int fd = open_log(m, name);
    char tail[600];
    ssize_t n = 0;
    out[0] = 0;
    if (fd < 0) return;
    off_t end = lseek(fd, 0, SEEK_END);
    if (end > 0) n = pread(fd, tail, sizeof tail, end > (off_t)sizeof tail ? end - (off_t)sizeof tail : 0);
    close(fd);
    struct view text = view_trim(view_of(tail, n > 0 ? (size_t)n : 0)), line = text;
    while (text.n) line = view_cut(&text, '\n', NULL);
    snprintf(out, size, "%.*s", VIEW_ARG(line));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* ---- KVM ---- */

/* A BIOS that uses what a kernel uses: x87 in real mode, protected mode, paging, long mode, SSE, x87 again; then it writes 33 to port 0xf4,
 * and isa-debug-exit ends QEMU with 2 * 33 + 1. Nested KVMs were met that run integer code and stop at the first x87 instruction. */
static const char probe_code[] =
    "fafc9bdbe32e660f011600ff0f20c00c010f22c066ea1cfeffff080066b810008ed88ec08ed0bc00800000bf0010000031c0b900"
    "100000f3abc7050010000003200000c7050020000003300000c7051820000003400000c7050030000083000000bf00400000b883"
    "0000c0890783c708050000200073f40f20e00d200600000f22e0b8001000000f22d8b9800000c00f320d000100000f300f20c083"
    "e0fb0d020000800f22c0eaadfeffff1800dbe3687f030000d92c24b8010000000fa266480f6ec0660fefc1660fd4c868801f0000"
    "0fae14240f3166baf400b021eef4ebfd0000000000000000ffff0000009bcf00ffff00000093cf00ffff0000009baf001f00e0fe"
    "ffff";
#define PROBE_CODE_AT 0xfe00
#define PROBE_ENTRY_AT 0xfff0 /* where the processor starts: jmp PROBE_CODE_AT */
#define PROBE_ANSWER 67

static bool write_probe(const char *path) {
    static uint8_t bios[64 << 10];
    struct err e;
    memcpy(bios + PROBE_ENTRY_AT, "\xe9\x0d\xfe", 3);
    return hex_decode(view_str(probe_code), bios + PROBE_CODE_AT, (sizeof probe_code - 1) / 2) &&
           file_write(path, view_of(bios, sizeof bios), &e);
}

/* QEMU stays, paused, when KVM gives up; its log says so at once. */
static bool gave_up(int log) {
    char text[2048];
    ssize_t n = pread(log, text, sizeof text, 0);
    return n > 0 && memmem(text, (size_t)n, "internal error", 14);
}

/* Runs the probe; *why stays when it answers. */
static bool probe_answers(int log, const char *bios, const char **why) {
    char name[1024];
    struct args a = {0};
    struct stdio io = {log, {-1, -1}};
    struct err e;
    pid_t pid;
    int status = 0, waited = 0;
    args_fixed(&a, QEMU " -nodefaults -no-user-config -display none -machine q35,accel=kvm -cpu host -m 16 -monitor none");
    args_fixed(&a, "-no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 -bios");
    arg(&a, "%s", quoted(bios, name));
    *why = "the probe cannot be started";
    if (!start(&a, &io, "qemu-system-x86", &pid, &e)) return false;
    while (!wait_end(pid, 50, &status)) {
        waited += 50;
        if (waited < PROBE_MS && !gave_up(log)) continue;
        *why = "KVM is there, but a guest gives no answer";
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return false;
    }
    *why = "KVM is there, but refuses to run a guest";
    return WIFEXITED(status) && WEXITSTATUS(status) == PROBE_ANSWER;
}

bool machine_probe_kvm(struct machine *m, const char **why) {
    char path[256];
    int log = open_log(m, "probe.log"), kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    bool works = false;
    *why = errno == EACCES ? "no permission on /dev/kvm" : "no KVM on this host";
    if (kvm >= 0 && log >= 0 && write_probe(machine_path(m, "probe.bin", path))) works = probe_answers(log, path, why);
    if (kvm >= 0) close(kvm);
    if (log >= 0) close(log);
    return works;
}

/* ---- vTPM ---- */

static bool failed_with(const struct machine *m, const char *program, const char *log, struct err *e) {
    char line[400];
    last_line(m, log, line, sizeof line);
    return err_set(e, ERR_SYSTEM, "%s ended: %s", program, line[0] ? line : "without a word");
}

static bool start_tpm(struct machine *m, int control, struct err *e) {
    char state[256];
    int status = 0;
    pid_t setup;
    struct args a = {0}, b = {0};
    if (mkdir(machine_path(m, "tpm", state), 0700) < 0) return err_sys(e, "mkdir %s", state);
    struct stdio io = {open_log(m, "swtpm.log"), {-1, -1}};
    if (io.log < 0) return err_sys(e, "swtpm.log");
    args_fixed(&a, "swtpm_setup --tpm2 --overwrite --pcr-banks sha256,sha384 --tpmstate");
    arg(&a, "%s", state);
    bool ok = start(&a, &io, "swtpm-tools", &setup, e);
    if (ok && !wait_end(setup, 30000, &status)) {
        end_child(&setup);
        ok = err_set(e, ERR_SYSTEM, "swtpm_setup does not end");
    }
    if (ok && status != 0) ok = failed_with(m, "swtpm_setup", "swtpm.log", e);
    io.pass[0] = control;
    args_fixed(&b, "swtpm socket --tpm2 --terminate --flags startup-none --tpmstate");
    arg(&b, "dir=%s,mode=0600", state);
    arg(&b, "--ctrl");
    arg(&b, "type=unixio,clientfd=%d", control);
    ok = ok && start(&b, &io, "swtpm", &m->tpm, e);
    close(io.log);
    return ok;
}

/* ---- firmware ---- */

/* Code and variables in one image, fresh at every start; where Debian 12 and 13 have it. */
static const char debian_firmware[] = "/usr/share/ovmf/OVMF.fd";

/* ---- QEMU ---- */

static bool parse_ports(const char *text, unsigned ports[static 2]) {
    struct view guest = view_str(text), host = view_cut(&guest, ':', NULL);
    uint64_t from, to;
    if (!view_u64(host, 65535, &from) || !view_u64(guest, 65535, &to) || !from || !to) return false;
    ports[0] = (unsigned)from;
    ports[1] = (unsigned)to;
    return true;
}

/* NULL: QEMU's own. */
static const char *firmware_of(const struct machine_plan *plan) {
    if (plan->firmware) return plan->firmware;
    return plan->simulated && !plan->tpm ? NULL : debian_firmware;
}

bool machine_host_has(enum machine_cpu cpu, struct err *e) {
    const char *path = cpu == CPU_TDX ? "/sys/module/kvm_intel/parameters/tdx" : "/sys/module/kvm_amd/parameters/sev_snp";
    char says = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool read_it = fd >= 0 && read(fd, &says, 1) == 1;
    if (fd >= 0) close(fd);
    if (read_it && says == 'Y' && access("/dev/kvm", R_OK | W_OK) == 0) return true;
    return err_set(e, ERR_SYSTEM, "this host makes no %s guests: %s", cpu == CPU_TDX ? "TDX" : "SEV-SNP",
                   !read_it       ? "its KVM has no such parameter"
                   : says == 'Y' ? "no permission on /dev/kvm"
                                  : "its KVM says that it cannot");
}

bool machine_check(const struct machine_plan *plan, struct err *e) {
    unsigned ports[2];
    if (plan->published.count > PORTS_MAX) return err_set(e, ERR_USAGE, "more than %u --publish", PORTS_MAX);
    for (size_t i = 0; i < plan->published.count; i++)
        if (!parse_ports(plan->published.items[i], ports))
            return err_set(e, ERR_USAGE, "--publish %s: not HOSTPORT:GUESTPORT", plan->published.items[i]);
    if (!plan->boot_disk && access(plan->kernel, R_OK) < 0) return err_set(e, ERR_USAGE, "cannot read the kernel %s: %s", plan->kernel, strerror(errno));
    if (plan->firmware && access(plan->firmware, R_OK) < 0)
        return err_set(e, ERR_USAGE, "cannot read the firmware %s: %s", plan->firmware, strerror(errno));
    if (plan->disk && access(plan->disk, R_OK) < 0) return err_set(e, ERR_USAGE, "cannot read the disk %s: %s", plan->disk, strerror(errno));
    if (!firmware_of(plan) || plan->firmware || access(debian_firmware, R_OK) == 0) return true;
    err_set(e, ERR_USAGE, "no firmware: %s is not there", debian_firmware);
    return err_mend(e, "apt-get install ovmf, or --firmware FILE");
}

static void add_network(const struct option_list *published, struct args *a) {
    char text[40 * (PORTS_MAX + 1)] = "user,id=net";
    size_t n = strlen(text);
    for (size_t i = 0; i < published->count && i < PORTS_MAX; i++) {
        unsigned ports[2] = {0, 0};
        (void)parse_ports(published->items[i], ports);
        n += (size_t)snprintf(text + n, sizeof text - n, ",hostfwd=tcp:127.0.0.1:%u-:%u", ports[0], ports[1]);
    }
    arg(a, "-netdev");
    arg(a, "%s", text);
    args_fixed(a, "-device virtio-net-pci,netdev=net,romfile=");
}

/* A TDX guest (QEMU 10.1, docs/system/i386/tdx.rst). Quotes come from Intel's service on this host, over vsock. */
static void add_tdx(const struct machine_plan *plan, struct args *a) {
    char id[100];
    struct writer w = writer_of(id, sizeof id);
    write_base64(&w, plan->host_data);
    args_fixed(a, "-machine q35,accel=kvm,kernel-irqchip=split,hpet=off,confidential-guest-support=tee -cpu host -object");
    arg(a, "{\"qom-type\":\"tdx-guest\",\"id\":\"tee\",%s%s%s\"quote-generation-socket\":"
           "{\"type\":\"vsock\",\"cid\":\"2\",\"port\":\"4050\"}}",
        w.n ? "\"mrconfigid\":\"" : "", writer_str(&w), w.n ? "\"," : "");
}

/* An SEV-SNP guest (QEMU 9.1, docs/system/i386/amd-memory-encryption.rst); kernel, initramfs and command line are measured. */
static void add_snp(const struct machine_plan *plan, struct args *a) {
    char data[100];
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    struct writer w = writer_of(data, sizeof data);
    write_base64(&w, plan->host_data);
    /* CPUID Fn8000_001F: the position of the C bit, and how many address bits it costs */
    __get_cpuid_count(0x8000001f, 0, &eax, &ebx, &ecx, &edx);
    args_fixed(a, "-machine q35,accel=kvm,confidential-guest-support=tee,memory-backend=ram -cpu EPYC-v4 -object");
    arg(a, "memory-backend-memfd,id=ram,size=%lluM,share=true,prealloc=false", (unsigned long long)plan->memory_mib);
    arg(a, "-object");
    arg(a, "sev-snp-guest,id=tee,policy=0x30000,kernel-hashes=on,cbitpos=%u,reduced-phys-bits=%u%s%s", ebx & 63, ebx >> 6 & 63,
        w.n ? ",host-data=" : "", writer_str(&w));
}

/* What stands in for a TEE: a file for the kernel's simulated device, and for TDX a table and, outside of RAM, the log it points to. */
static void add_simulation(const struct machine_plan *plan, struct args *a) {
    char path[1024];
    const struct machine_simulation *s = &plan->simulation;
    arg(a, "-fw_cfg");
    arg(a, "name=opt/plinth/simtee,file=%s", quoted(s->device, path));
    if (!s->ccel_table) return;
    arg(a, "-acpitable");
    arg(a, "sig=CCEL,rev=1,oem_id=PLINTH,oem_table_id=SIMULATE,data=%s", quoted(s->ccel_table, path));
    arg(a, "-object");
    arg(a, "memory-backend-file,id=ccel,share=off,size=2M,mem-path=%s", quoted(s->ccel_log, path));
    arg(a, "-device");
    arg(a, "pc-dimm,memdev=ccel,addr=%llu", (unsigned long long)s->log_address);
}

static void add_machine(const struct machine *m, const struct machine_plan *plan, struct args *a) {
    bool log = plan->simulation.ccel_log != NULL;
    if (plan->cpu != CPU_PLAIN && !plan->simulated) {
        if (plan->cpu == CPU_TDX) add_tdx(plan, a);
        else add_snp(plan, a);
    } else {
        arg(a, "-machine");
        arg(a, "q35,accel=%s", m->kvm ? "kvm" : "tcg");
        args_fixed(a, m->kvm ? "-cpu host" : "-cpu max");
    }
    if (plan->simulated) add_simulation(plan, a);
    arg(a, "-m");
    arg(a, log ? "%llu,slots=1,maxmem=%lluM" : "%llu", (unsigned long long)plan->memory_mib, (unsigned long long)plan->memory_mib + 1024);
}

static void add_disk(struct args *a, const char *id, const char *file, const char *more) {
    char path[1024];
    arg(a, "-drive");
    arg(a, "if=none,id=%s,format=raw,read-only=on,file=%s", id, quoted(file, path));
    arg(a, "-device");
    arg(a, "virtio-blk-pci,drive=%s%s", id, more);
}

static bool start_qemu(struct machine *m, const struct machine_plan *plan, int tpm, int console, int attest, struct err *e) {
    struct args a = {0};
    const char *firmware = firmware_of(plan);
    args_fixed(&a, QEMU " -nodefaults -no-user-config -display none -monitor none -no-reboot");
    add_machine(m, plan, &a);
    arg(&a, "-smp");
    arg(&a, "%llu", (unsigned long long)plan->cpus);
    if (firmware) {
        arg(&a, "-bios");
        arg(&a, "%s", firmware);
    }
    if (plan->boot_disk) {
        add_disk(&a, "boot", plan->boot_disk, ",bootindex=0");
    } else {
        arg(&a, "-kernel");
        arg(&a, "%s", plan->kernel);
        arg(&a, "-initrd");
        arg(&a, "%s", plan->initrd);
        arg(&a, "-append");
        arg(&a, "%s", plan->cmdline);
    }
    if (plan->tpm) {
        arg(&a, "-chardev");
        arg(&a, "socket,id=tpm,fd=%d", tpm);
        args_fixed(&a, "-tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0");
    }
    if (plan->disk) add_disk(&a, "disk", plan->disk, "");
    if (plan->initdata) add_disk(&a, "initdata", plan->initdata, "");
    arg(&a, "-chardev");
    arg(&a, "socket,id=console,fd=%d", console);
    args_fixed(&a, "-serial chardev:console -device virtio-serial-pci -chardev");
    arg(&a, "socket,id=attest,fd=%d", attest);
    args_fixed(&a, "-device virtserialport,chardev=attest,name=dev.plinth.attest -device virtio-rng-pci");
    add_network(&plan->published, &a);
    struct stdio io = {open_log(m, "qemu.log"), {console, attest}};
    if (io.log < 0) return err_sys(e, "qemu.log");
    /* tpm goes along by its flag alone: three descriptors, two places */
    bool ok = (!plan->tpm || fcntl(tpm, F_SETFD, 0) == 0) && start(&a, &io, "qemu-system-x86", &m->qemu, e);
    close(io.log);
    return ok;
}

static void close_pair(int pair[2]) {
    if (pair[0] >= 0) close(pair[0]);
    if (pair[1] >= 0) close(pair[1]);
}

bool machine_start(struct machine *m, const struct machine_plan *plan, struct err *e) {
    int tpm[2] = {-1, -1}, console[2] = {-1, -1}, attest[2] = {-1, -1};
    const int type = SOCK_STREAM | SOCK_CLOEXEC;
    bool ok = socketpair(AF_UNIX, type, 0, tpm) == 0 && socketpair(AF_UNIX, type, 0, console) == 0 &&
              socketpair(AF_UNIX, type, 0, attest) == 0;
    if (!ok) err_sys(e, "socketpair");
    ok = ok && (!plan->tpm || start_tpm(m, tpm[0], e)) && start_qemu(m, plan, tpm[1], console[1], attest[1], e);
    if (ok) {
        m->console = console[0];
        m->attest = attest[0];
        console[0] = attest[0] = -1;
    }
    close_pair(tpm);
    close_pair(console);
    close_pair(attest);
    return ok;
}

bool machine_ended(struct machine *m, struct err *e) {
    int status = 0;
    if (m->qemu <= 0 || !wait_end(m->qemu, 0, &status)) return false;
    m->qemu = 0;
    if (status != 0) failed_with(m, "QEMU", "qemu.log", e);
    return true;
}

void machine_stop(struct machine *m, bool keep) {
    end_child(&m->qemu);
    end_child(&m->tpm);
    if (m->console >= 0) close(m->console);
    if (m->attest >= 0) close(m->attest);
    if (m->directory[0] && !keep) nftw(m->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    *m = MACHINE_NONE;
}
