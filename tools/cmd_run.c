/* cmd_run: plinth run. The other end of the port protocol in sys/port.h. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "sys/console.h"
#include "tools/fat.h"
#include "tools/file.h"
#include "tools/guest.h"
#include "tools/initdata.h"
#include "tools/initrd.h"
#include "tools/machine.h"
#include "tools/options.h"
#include "tools/result.h"
#include "tools/simtee.h"
#include "tools/uki.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define NONCE_MAX 64u
#define CMDLINE "console=ttyS0 panic=-1 quiet"
#define LAST_WORDS_MS 15000 /* from the agent's refusal to power off */

enum outcome { OUTCOME_NONE, OUTCOME_EVIDENCE, OUTCOME_REFUSED };

struct run {
    struct initrd_parts parts;
    struct machine_plan plan;
    const char *uki, *tee, *append, *nonce_text, *evidence_path, *console_path;
    const char *initdata_path;
    const char *memory, *cpus, *timeout_text, *simulate, *host_data_text, *launch_text;
    bool keep, json;

    uint8_t host_data[48], launch[48], nonce_bytes[NONCE_MAX];
    struct view launch_digest, nonce; /* of those; launch_digest may be empty */
    struct view initdata; /* the text */
    uint64_t timeout_s;
    struct machine machine;
    int console, signals;
    char escape; /* 0, or where in a terminal's control sequence the console stands */
    enum outcome outcome;
    struct view evidence; /* into message */
    bool done;            /* the machine ended, or it is to be ended */
    size_t message_n;
    uint8_t message[2 * (GUEST_MESSAGE_MAX + GUEST_LINE_MAX)];
};

/* ---- what comes from the machine ---- */

static bool read_console(struct run *r, struct err *e) {
    uint8_t bytes[4096];
    ssize_t n = recv(r->machine.console, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
        close(r->machine.console);
        r->machine.console = -1;
        return true;
    }
    if (r->console == 2) n = (ssize_t)guest_text(&r->escape, bytes, (size_t)n);
    return file_put(r->console, view_of(bytes, (size_t)n), e) || err_in(e, "console");
}

static bool evidence_came(struct run *r, struct err *e) {
    if (!r->evidence_path) return true;
    if (!file_write(r->evidence_path, r->evidence, e)) return false;
    console_say("evidence: %zu bytes in %s", r->evidence.n, r->evidence_path);
    return true;
}

static bool send_nonce(struct run *r, struct err *e) {
    uint8_t line[NONCE_MAX * 2 + 16];
    struct writer w = writer_of(line, sizeof line);
    write_text(&w, "nonce ");
    write_hex(&w, r->nonce);
    write_u8(&w, '\n');
    return file_put(r->machine.attest, writer_view(&w), e);
}

/* The buffer keeps the evidence at its front; what follows is read behind it. */
static bool take_messages(struct run *r, struct err *e) {
    for (;;) {
        size_t at = r->outcome == OUTCOME_EVIDENCE ? (size_t)(r->evidence.p - r->message) + r->evidence.n : 0;
        struct view rest = view_of(r->message + at, r->message_n - at);
        struct guest_message m;
        if (!guest_message(&rest, &m, e)) return false;
        if (m.kind == GUEST_PART) return true;
        if (m.kind == GUEST_READY) {
            memmove(r->message + at, rest.p, rest.n);
            r->message_n = at + rest.n;
            /* A machine that fails after its evidence asks again: it gets no second quote. */
            if (r->outcome == OUTCOME_NONE && !send_nonce(r, e)) return false;
            continue;
        }
        if (m.kind == GUEST_FAILURE) {
            struct view reason = view_first(m.body, 600);
            r->outcome = OUTCOME_REFUSED;
            err_set(e, ERR_POLICY, "%.*s", VIEW_ARG(reason));
            return err_in(e, "machine");
        }
        if (r->outcome != OUTCOME_NONE) return err_set(e, ERR_FORMAT, "the machine sent evidence twice");
        r->outcome = OUTCOME_EVIDENCE;
        r->evidence = m.body;
        if (!evidence_came(r, e)) return false;
    }
}

static bool read_attest(struct run *r, struct err *e) {
    size_t room = sizeof r->message - r->message_n;
    ssize_t n = recv(r->machine.attest, r->message + r->message_n, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
        close(r->machine.attest);
        r->machine.attest = -1;
        return true;
    }
    r->message_n += (size_t)n;
    return take_messages(r, e);
}

static bool read_signal(struct run *r, struct err *e) {
    struct signalfd_siginfo s;
    if (read(r->signals, &s, sizeof s) != (ssize_t)sizeof s) return true;
    if (s.ssi_signo == SIGCHLD) return true;
    r->done = true;
    if (r->outcome == OUTCOME_EVIDENCE) return true;
    return err_set(e, ERR_SYSTEM, "stopped by signal %u before there was evidence", s.ssi_signo);
}

/* Everything that is there to be read; `wait_ms` for something to be. */
static bool read_all(struct run *r, int wait_ms, struct err *e) {
    struct pollfd p[] = {{r->machine.console, POLLIN, 0}, {r->machine.attest, POLLIN, 0}, {r->signals, POLLIN, 0}};
    if (poll(p, 3, wait_ms) < 0 && errno != EINTR) return err_sys(e, "poll");
    if (p[0].revents && !read_console(r, e)) return false;
    if (p[1].revents && !read_attest(r, e)) return false;
    return !p[2].revents || read_signal(r, e);
}

/* What a machine that has ended left in its sockets. */
static bool drain(struct run *r, struct err *e) {
    while (r->machine.console >= 0 || r->machine.attest >= 0)
        if (!read_all(r, 0, e)) return false;
    return true;
}

static bool watch(struct run *r, struct err *e) {
    int64_t end = clock_ms() + (int64_t)r->timeout_s * 1000;
    while (!r->done) {
        int64_t left = r->outcome == OUTCOME_EVIDENCE ? 60000 : end - clock_ms();
        if (left <= 0) {
            err_set(e, ERR_SYSTEM, "no evidence in %llu seconds", (unsigned long long)r->timeout_s);
            return err_mend(e, "--timeout SECONDS waits longer; the console tells how far it came");
        }
        if (!read_all(r, left < 1000 ? (int)left : 1000, e)) return false;
        struct err how = {0};
        if (r->done || !machine_ended(&r->machine, &how)) continue;
        if (!drain(r, e)) return false;
        r->done = true;
        if (how.kind != ERR_NONE) {
            *e = how;
            return false;
        }
        if (r->outcome == OUTCOME_NONE) {
            err_set(e, ERR_SYSTEM, "the machine ended without evidence");
            return err_mend(e, "its console tells why: %s", r->console_path ? r->console_path : "see above");
        }
    }
    return true;
}

/* After a refusal the machine powers off by itself; its console is still of interest. */
static void last_words(struct run *r) {
    int64_t end = clock_ms() + LAST_WORDS_MS;
    struct err ignored;
    while (r->machine.qemu > 0 && !machine_ended(&r->machine, &ignored) && clock_ms() < end) {
        struct pollfd p[] = {{r->machine.console, POLLIN, 0}, {r->signals, POLLIN, 0}};
        poll(p, 2, 200);
        if (p[0].revents) read_console(r, &ignored);
        if (p[1].revents && !read_signal(r, &ignored)) return;
    }
    while (r->machine.console >= 0 && r->machine.qemu == 0) read_console(r, &ignored);
}

/* ---- what goes in ---- */

static bool find_kernel(struct run *r, struct arena *a, struct err *e) {
    static const char *const pattern = "/boot/vmlinuz-*-cloud-amd64";
    const char *newest = NULL;
    glob_t found;
    if (r->plan.kernel) return true;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (!newest || strverscmp(found.gl_pathv[i], newest) > 0) newest = found.gl_pathv[i];
        r->plan.kernel = newest ? arena_str(a, view_str(newest)) : NULL;
        globfree(&found);
    }
    if (r->plan.kernel) return true;
    err_set(e, ERR_USAGE, "no kernel: there is no %s", pattern);
    return err_mend(e, "`qemu/parts stock-kernel` fetches Debian's and prints its path; --kernel FILE names it");
}

static bool read_tee(struct run *r, struct err *e) {
    struct view with = view_str(r->tee ? r->tee : "tpm"), first = view_cut(&with, ',', NULL);
    r->plan.cpu = view_is(first, "tdx") ? CPU_TDX : view_is(first, "snp") ? CPU_SNP : CPU_PLAIN;
    r->plan.tpm = view_is(r->plan.cpu == CPU_PLAIN ? first : with, "tpm");
    if ((r->plan.cpu == CPU_PLAIN && (!r->plan.tpm || with.n)) || (with.n && !r->plan.tpm))
        return err_set(e, ERR_USAGE, "--tee %s: not tpm, tdx, snp, tdx,tpm or snp,tpm", r->tee);
    if (r->plan.cpu == CPU_PLAIN && (r->simulate || r->host_data_text))
        return err_set(e, ERR_USAGE, "%s goes with --tee tdx or snp", r->simulate ? "--simulate" : "--host-data");
    if (r->launch_text && !r->simulate) return err_set(e, ERR_USAGE, "--launch-digest goes with --simulate: real hardware computes it");
    size_t host_data_n = r->plan.cpu == CPU_TDX ? 48 : 32;
    if (!option_hex("--host-data", r->host_data_text, host_data_n, host_data_n, r->host_data, &r->plan.host_data, e) ||
        !option_hex("--launch-digest", r->launch_text, 48, 48, r->launch, &r->launch_digest, e))
        return false;
    r->plan.simulated = r->simulate != NULL;
    if (r->plan.cpu == CPU_PLAIN || r->simulate) return true;
    if (!machine_host_has(r->plan.cpu, e)) return err_mend(e, "--simulate DIR stands in for it, for tests; it is NOT A TEE");
    if (!r->plan.firmware) return err_set(e, ERR_USAGE, "--tee %s needs --firmware FILE: an OVMF made for it", r->tee);
    return true;
}

static bool read_options(struct run *r, struct err *e) {
    r->plan.memory_mib = 1024;
    r->timeout_s = 300;
    const struct initrd_parts *p = &r->parts;
    if (r->uki &&
        (p->policy || p->base || p->modules.count || p->adds.count || p->agent || p->ca || r->append || r->plan.kernel || r->simulate))
        return err_set(e, ERR_USAGE,
                       "--uki FILE has kernel, initramfs, policy and command line inside; none can be given beside it, nor --simulate");
    if (!read_tee(r, e)) return false;
    if (!r->uki && !p->policy && !p->base && !r->initdata_path)
        return err_set(e, ERR_USAGE, "--policy FILE is missing, or --initdata FILE that brings one");
    if (!option_number("--memory", r->memory, 128, 1u << 20, &r->plan.memory_mib, e)) return false;
    if (!option_number("--cpus", r->cpus, 1, 255, &r->plan.cpus, e)) return false;
    if (!option_number("--timeout", r->timeout_text, 1, 86400, &r->timeout_s, e)) return false;
    r->nonce = view_of(r->nonce_bytes, 32);
    if (!r->nonce_text) return getrandom(r->nonce_bytes, 32, 0) == 32 || err_sys(e, "getrandom");
    return option_hex("--nonce", r->nonce_text, 1, NONCE_MAX, r->nonce_bytes, &r->nonce, e);
}

/* Its digest becomes what the host binds at launch, unless --host-data says otherwise. */
static bool read_initdata(struct run *r, struct arena *a, struct err *e) {
    struct initdata d;
    if (!r->initdata_path) return true;
    if (!initdata_file(r->initdata_path, a, &r->initdata, &d, e)) return false;
    if (r->plan.cpu == CPU_PLAIN || r->host_data_text) return true;
    size_t size = r->plan.cpu == CPU_TDX ? 48 : 32;
    initdata_bound(r->initdata, d.algorithm, r->host_data, size);
    r->plan.host_data = view_of(r->host_data, size);
    return true;
}

/* Before minutes of booting, not after. */
static bool evidence_can_be_written(const char *path, struct err *e) {
    char directory[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!path) return true;
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path + 1) : 2, slash ? path : "./");
    if (access(directory, W_OK)) return err_set(e, ERR_USAGE, "cannot write --evidence %s: %s", path, strerror(errno));
    unlink(path); /* of an earlier run: nobody shall take it for this one's */
    return true;
}

static bool open_ends(struct run *r, struct err *e) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->signals < 0) return err_sys(e, "signalfd");
    if (!r->console_path) return true;
    r->console = open(r->console_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return r->console >= 0 || err_set(e, ERR_USAGE, "cannot write the console's file %s: %s", r->console_path, strerror(errno));
}

static const char *tee_name(const struct run *r) {
    return r->plan.cpu == CPU_TDX ? "tdx" : r->plan.cpu == CPU_SNP ? "snp" : "tpm";
}

/* One file of the simulation, in the machine's directory. NULL when there is nothing to write. */
static bool write_part(struct run *r, const char *name, struct view bytes, struct arena *a, const char **out, struct err *e) {
    char path[256];
    if (!bytes.n) return true;
    *out = arena_str(a, view_str(machine_path(&r->machine, name, path)));
    return *out ? file_write(path, bytes, e) : arena_full(a, e);
}

static bool simulate(struct run *r, struct view initrd, struct arena *a, struct err *e) {
    struct simtee_made made;
    struct machine_simulation *s = &r->plan.simulation;
    const struct simtee_plan plan = {r->simulate, r->plan.cpu == CPU_SNP, r->plan.kernel, r->plan.cmdline, initrd, r->plan.host_data,
                                     r->launch_digest, r->plan.memory_mib};
    if (!r->simulate) {
        struct view kernel;
        return file_read("kernel", r->plan.kernel, INITRD_MAX, a, &kernel, e) && simtee_absent(kernel, r->plan.kernel, e);
    }
    if (!simtee_make(&plan, a, &made, e) || !write_part(r, "simtee", made.device, a, &s->device, e) ||
        !write_part(r, "ccel.table", made.ccel_table, a, &s->ccel_table, e) || !write_part(r, "ccel.log", made.ccel_log, a, &s->ccel_log, e))
        return false;
    s->log_address = made.log_address;
    console_say("SIMULATED %s, NOT A TEE: nothing is protected, and throw-away keys sign the evidence", tee_name(r));
    return true;
}

/* What the firmware starts: the unified image on a disk of its own, or kernel, initramfs and command line. */
static bool make_disk(struct run *r, char disk[static 256], struct err *e) {
    struct view uki, image;
    struct arena a = {0};
    bool ok = arena_make(&a, UKI_ARENA, e) && file_read("unified kernel image", r->uki, UKI_FILE_MAX, &a, &uki, e) &&
              fat_disk(uki, &a, &image, e) && machine_begin(&r->machine, e) &&
              file_write(machine_path(&r->machine, "disk.img", disk), image, e);
    arena_drop(&a);
    r->plan.boot_disk = disk;
    return ok;
}

static bool make_initrd(struct run *r, struct arena *a, char initrd[static 256], struct err *e) {
    struct initrd_made made;
    if (!initrd_build(&r->parts, a, &made, e) || !machine_begin(&r->machine, e)) return false;
    r->plan.initrd = machine_path(&r->machine, "initrd.img", initrd);
    return file_write(initrd, made.image, e) && simulate(r, made.image, a, e);
}

static bool boot(struct run *r, struct arena *a, struct err *e) {
    const char *why;
    char path[256], cmdline[2048];
    r->plan.boot_disk = r->uki;
    if (!read_options(r, e) || !read_initdata(r, a, e) || (!r->uki && !find_kernel(r, a, e)) || !machine_check(&r->plan, e)) return false;
    if (!evidence_can_be_written(r->evidence_path, e) || !open_ends(r, e)) return false;
    r->plan.cmdline = cmdline;
    if (snprintf(cmdline, sizeof cmdline, "%s%s%s", CMDLINE, r->append ? " " : "", r->append ? r->append : "") >= (int)sizeof cmdline)
        return err_set(e, ERR_USAGE, "--append: more than %zu bytes", sizeof cmdline - sizeof CMDLINE);
    struct view drive = {0};
    if (r->uki ? !make_disk(r, path, e) : !make_initrd(r, a, path, e)) return false;
    if ((r->initdata.n && !initdata_drive(r->initdata, a, &drive, e)) || !write_part(r, "initdata.img", drive, a, &r->plan.initdata, e))
        return false;
    r->machine.kvm = machine_probe_kvm(&r->machine, &why);
    if (!r->machine.kvm && r->plan.cpu != CPU_PLAIN && !r->simulate) return err_set(e, ERR_SYSTEM, "--tee %s needs KVM: %s", r->tee, why);
    /* Translated processors wait for each other while the host is busy: one of 40 boots with two stood still in the firmware. */
    if (!r->plan.cpus) r->plan.cpus = r->machine.kvm ? 2 : 1;
    if (!machine_start(&r->machine, &r->plan, e)) return false;
    console_say("machine: %s, %s%s%s, %llu MiB, %llu CPU%s", r->uki ? r->uki : r->plan.kernel,
                r->machine.kvm ? "KVM" : "TCG (", r->machine.kvm ? "" : why, r->machine.kvm ? "" : ")",
                (unsigned long long)r->plan.memory_mib, (unsigned long long)r->plan.cpus, r->plan.cpus == 1 ? "" : "s");
    return true;
}

static int report(struct run *r, const struct err *e, int status) {
    uint8_t digest[32];
    bool came = r->evidence.n > 0;
    if (came) hash_once(HASH_SHA256, r->evidence, digest);
    if (r->json) {
        struct result result;
        result_begin(&result, e);
        result_text(&result, "tee", tee_name(r));
        result_text(&result, "simulated", r->simulate ? "SIMULATED, NOT A TEE" : NULL);
        result_hex(&result, "nonce", r->nonce);
        result_text(&result, "evidence", came ? r->evidence_path : NULL);
        result_number(&result, "size", came, r->evidence.n);
        result_hex(&result, "sha256", view_of(digest, came ? sizeof digest : 0));
        return result_end(&result, status);
    }
    if (!came) return status;
    uint8_t text[512];
    struct writer w = writer_of(text, sizeof text);
    if (r->simulate) write_text(&w, "SIMULATED ");
    write_text(&w, "evidence ");
    write_dec(&w, r->evidence.n);
    write_text(&w, " bytes, sha256 ");
    write_hex(&w, view_of(digest, sizeof digest));
    write_text(&w, ", nonce ");
    write_hex(&w, r->nonce);
    write_text(&w, "\n");
    return fwrite(text, 1, w.n, stdout) == w.n && fflush(stdout) == 0 ? status : 3;
}

int cmd_run(int argc, char **argv) {
    struct err e = {0};
    struct arena a = {0}; /* a static struct of this size would count against the address space of every worker */
    struct run *r = arena_make(&a, INITRD_ARENA, &e) ? arena_alloc(&a, sizeof *r) : NULL;
    if (!r) return command_fail(&e);
    const struct option options[] = {
        {"--policy", "FILE", "the policy to boot with; needed, unless it is in --initrd or --initdata", .text = &r->parts.policy},
        {"--tee", "tpm|tdx|snp", "what vouches for the machine: a virtual TPM (default), TDX, SEV-SNP;\n\"tdx,tpm\" and \"snp,tpm\" have both", .text = &r->tee},
        {"--simulate", "DIR", "no hardware: a SIMULATED TEE (qemu/simtee/make DIR), NOT A TEE", .text = &r->simulate},
        {"--initdata", "FILE", "initdata on a drive of its own, and its digest as --host-data", .text = &r->initdata_path},
        {"--host-data", "HEX", "what the host binds at launch: MRCONFIGID (tdx, 48 bytes), HOST_DATA\n(snp, 32 bytes)", .text = &r->host_data_text},
        {"--launch-digest", "HEX", "with --simulate: what it says as MRTD or MEASUREMENT (48 bytes)", .text = &r->launch_text},
        {"--firmware", "FILE", "an OVMF image (default: Debian's OVMF.fd)", .text = &r->plan.firmware},
        {"--uki", "FILE",
         "boot this unified kernel image (plinth uki) from a disk; it has\nkernel, initramfs, policy and command line "
         "inside",
         .text = &r->uki},
        {"--kernel", "FILE", "default: the newest /boot/vmlinuz-*-cloud-amd64", .text = &r->plan.kernel},
        {"--initrd", "FILE",
         "append policy and modules to this one, instead of making one from\nthe agent beside plinth",
         .text = &r->parts.base},
        {"--module", "FILE", "as for plinth initrd; may be repeated", .list = &r->parts.modules},
        {"--add", "HOST=GUEST", "as for plinth initrd; may be repeated", .list = &r->parts.adds},
        {"--agent", "FILE", "as for plinth initrd", .text = &r->parts.agent},
        {"--ca", "FILE|none", "as for plinth initrd", .text = &r->parts.ca},
        {"--append", "TEXT", "more for the kernel command line (" CMDLINE ")", .text = &r->append},
        {"--disk", "FILE", "a raw disk image, read-only", .text = &r->plan.disk},
        {"--publish", "HOSTPORT:GUESTPORT", "TCP, on 127.0.0.1 of the host; may be repeated", .list = &r->plan.published},
        {"--nonce", "HEX", "what the quote is over (default: 32 random bytes)", .text = &r->nonce_text},
        {"--evidence", "FILE", "where the evidence goes", .text = &r->evidence_path},
        {"--console", "FILE", "where the machine's console goes (default: standard error)", .text = &r->console_path},
        {"--memory", "MIB", "default: 1024", .text = &r->memory},
        {"--cpus", "N", "default: 2 under KVM, else 1", .text = &r->cpus},
        {"--timeout", "SECONDS", "how long to wait for evidence (default: 300)", .text = &r->timeout_text},
        {"--keep", NULL, "keep the directory with initramfs, TPM state and logs", .on = &r->keep},
        {"--json", NULL, "one JSON object on standard output", .on = &r->json},
        {0},
    };
    const struct usage usage = {"run", NULL,
        "Boots agent, policy and image under QEMU, asks for evidence, and stays until the machine\npowers off or a signal ends it.",
        0, 0, options};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;

    r->machine = MACHINE_NONE;
    r->console = 2;
    r->signals = -1;
    bool ok = boot(r, &a, &e) && watch(r, &e);
    status = ok ? 0 : command_fail(&e);
    if (!ok && r->outcome == OUTCOME_REFUSED) last_words(r);
    if (r->keep && r->machine.directory[0]) console_say("kept: %s", r->machine.directory);
    machine_stop(&r->machine, r->keep);
    status = report(r, &e, status);
    arena_drop(&a);
    return status;
}
