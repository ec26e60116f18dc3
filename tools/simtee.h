/* simtee: what `plinth run --simulate` gives to the SIMULATED TEE in the guest's kernel (qemu/simtee), so that its registers stand as
 * a real one's would after this boot: measured are the kernel, the command line and the initramfs that are booted.
 *
 * TDX: a CCEL table and log (UEFI 2.10 section 38.4.1, ACPI 6.5 section 5.2.34, TCG crypto-agile format, SHA-384), as OVMF and the EFI
 * stub would write it for direct kernel boot, and RTMR0-2 that it replays to. RTMR0, where the firmware would record itself, says that
 * it is simulated. SNP: a launch digest over the digests of the same files.
 *
 * It is NOT A TEE: it shows what programs do with such registers, never that a machine is protected. */
#ifndef PLINTH_TOOLS_SIMTEE_H
#define PLINTH_TOOLS_SIMTEE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#include <stdint.h>

#define SIMTEE_LOG_ROOM (2u << 20) /* of the memory device that holds the log */

struct simtee_plan {
    const char *directory; /* made by qemu/simtee/make */
    bool snp;              /* else TDX */
    const char *kernel, *cmdline;
    struct view initrd;
    struct view host_data; /* MRCONFIGID (48 bytes), HOST_DATA (32 bytes), or empty: zeroes */
    struct view launch;    /* MRTD or launch digest (48 bytes), or empty: its own */
    uint64_t memory_mib;
};

struct simtee_made {
    struct view device;     /* for -fw_cfg name=opt/plinth/simtee */
    struct view ccel_table; /* TDX: for -acpitable, what follows the header */
    struct view ccel_log;   /* TDX: SIMTEE_LOG_ROOM bytes, for a memory device at log_address */
    uint64_t log_address;
};

/* Everything lies in `a`. ERR_USAGE: no such directory or file, a kernel without a simulated TEE (its release does not say so) or that
 * is no bzImage with an EFI stub, `host_data` or `launch` of another length. */
bool simtee_make(const struct simtee_plan *plan, struct arena *a, struct simtee_made *out, struct err *e);

/* ERR_USAGE when the kernel's release says that it holds a simulated TEE: it is for plinth run --simulate alone. `path` is for the text. */
bool simtee_absent(struct view kernel, const char *path, struct err *e);

#endif
