/* machine: a virtual machine under QEMU with a vTPM, as a TDX or SEV-SNP guest, or with both, and everything that goes away with it.
 *
 * swtpm and QEMU are children in their own process group, talking over socket pairs: no socket file, no port but the published
 * ones on 127.0.0.1. State lives in one temporary directory. When this program dies, both die. */
#ifndef PLINTH_TOOLS_MACHINE_H
#define PLINTH_TOOLS_MACHINE_H

#include "base/view.h"
#include "tools/options.h"

#include <sys/types.h>

enum machine_cpu { CPU_PLAIN, CPU_TDX, CPU_SNP };

/* What the SIMULATED TEE of the guest's kernel gets (tools/simtee.h): files. */
struct machine_simulation {
    const char *device;
    const char *ccel_table, *ccel_log; /* TDX */
    uint64_t log_address;
};

struct machine_plan {
    enum machine_cpu cpu;
    bool tpm, simulated; /* simulated: `simulation` takes the place of hardware */
    struct machine_simulation simulation;
    struct view host_data; /* for real hardware: MRCONFIGID or HOST_DATA, or empty */
    const char *kernel, *initrd, *cmdline;
    const char *boot_disk; /* instead of those three: a disk that the firmware boots from */
    /* One OVMF image, or NULL: where Debian's ovmf package puts it; QEMU's own BIOS for a simulated TEE without vTPM, which boots four
     * times as fast. */
    const char *firmware;
    const char *disk, *initdata; /* raw, read-only, virtio; NULL: none */
    uint64_t memory_mib, cpus;
    struct option_list published; /* "HOSTPORT:GUESTPORT" */
};

struct machine {
    char directory[64];   /* empty: not begun */
    pid_t tpm, qemu;      /* 0: not running */
    int console, attest;  /* our ends: the serial line, the port "dev.plinth.attest"; -1 */
    bool kvm;
};
#define MACHINE_NONE ((struct machine){.console = -1, .attest = -1})

/* The temporary directory, under $TMPDIR or /tmp. */
bool machine_begin(struct machine *m, struct err *e);
/* "DIRECTORY/name" into out. */
const char *machine_path(const struct machine *m, const char *name, char out[static 256]);
/* Whether KVM runs a guest here: boots one of a hundred instructions, which must answer in 3 seconds. *why says why not. */
bool machine_probe_kvm(struct machine *m, const char **why);
/* Whether this host's KVM makes guests of that kind, by what its module says. ERR_SYSTEM otherwise. */
bool machine_host_has(enum machine_cpu cpu, struct err *e);
/* Before anything is started. ERR_USAGE: no kernel, firmware or disk, a published port that is none. */
bool machine_check(const struct machine_plan *plan, struct err *e);
/* For a checked plan. ERR_SYSTEM: a program that is missing or ended at once, with what it said and the package that brings it. */
bool machine_start(struct machine *m, const struct machine_plan *plan, struct err *e);
/* True when QEMU has ended: *e says how when that was not in order. */
bool machine_ended(struct machine *m, struct err *e);
/* Ends what runs (asks, then kills), removes the directory unless `keep`. Safe at any time, and twice. */
void machine_stop(struct machine *m, bool keep);

#endif
