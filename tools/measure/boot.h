/* boot: what OVMF, systemd's EFI stub and Linux' EFI stub extend on the way to the agent, predicted from files.
 *
 *   PCR 4   direct (-kernel): Authenticode of the kernel, "Calling EFI Application from Boot Option", separator
 *           UKI on a disk:    the action, separator, Authenticode of the UKI, Authenticode of its .linux section
 *   PCR 5   separator, the two ExitBootServices actions (a disk with a GPT adds that: not predicted for a UKI)
 *   PCR 9   Linux: the command line in UTF-16LE with its NUL (OVMF appends " initrd=initrd" to a direct boot's), the
 * initramfs PCR 11  UKI: its sections (uki.h) All as EDK2 "TCG2" and Linux drivers/firmware/efi/libstub measure; held
 * against boots of OVMF 2022.11 and 2025.02. QEMU before 10 changes the kernel's setup header on the way to the
 * firmware, by memory and initramfs size; so the digest in PCR 4 follows from those too. From 10 on, with OVMF 2025.02
 * or newer, the file is measured as it is. */
#ifndef PLINTH_TOOLS_MEASURE_BOOT_H
#define PLINTH_TOOLS_MEASURE_BOOT_H

#include "base/arena.h"
#include "base/err.h"
#include "tee/event.h"
#include "tools/measure/pe.h"

#define BOOT_QEMU_PLAIN 10u /* the first major version that hands the kernel over unchanged */
#define BOOT_PCRS 16u

struct boot {
    struct view uki;                     /* or empty, and: */
    struct view kernel, initrd, cmdline; /* cmdline as given to QEMU's -append, without a NUL */
    unsigned qemu_major;                 /* of a direct boot */
    uint64_t memory;                     /* bytes; matters below BOOT_QEMU_PLAIN */
};

#define BOOT_EVENTS_MAX 48u /* a UKI has two events per section */
struct boot_register {
    const char *unknown;           /* why it is not predicted; NULL: it is */
    struct register_bank banks[2]; /* sha256, sha384 */
    size_t event_count;            /* and the digests of what was extended, in order; those beyond BOOT_EVENTS_MAX are not kept */
    uint8_t events[BOOT_EVENTS_MAX][2][HASH_MAX];
};
struct boot_register boot_register_new(void);
/* One event over `bytes`, in both banks. */
void boot_extend(struct boot_register *r, struct view bytes);
/* One event with digests known already. */
void boot_extend_digests(struct boot_register *r, const uint8_t sha256[static 32], const uint8_t sha384[static 48]);

/* PCRs 0 to 15, without Plinth's own events: PCR 15 is zero. `a` holds a copy of the kernel while this runs.
 * ERR_FORMAT: a kernel or UKI that is none (pe.h; a setup header that is not Linux' where QEMU would change it).
 * ERR_USAGE: "vga=" on the command line where QEMU would change the header by it; more memory taken by the initramfs
 * than there is. */
bool boot_predict_pcrs(const struct boot *boot, struct arena *a, struct boot_register out[static BOOT_PCRS],
                       struct err *e);

/* RTMR1 and RTMR2 of a TD with direct boot (sha384 counts; edk2 maps PCR 2-6 to RTMR1, 8-15 to RTMR2). Two values of
 * RTMR1: [0] with the separator after the action in RTMR1 (edk2 of 2024 and newer), [1] with it in RTMR0 (before). */
bool boot_predict_rtmrs(const struct boot *boot, struct arena *a, struct boot_register rtmr1[static 2],
                        struct boot_register *rtmr2, struct err *e);
/* The same for a known digest of the kernel: for tests against recorded logs. */
void boot_rtmr1(const uint8_t sha256[static 32], const uint8_t sha384[static 48], bool separator_in_rtmr0,
                struct boot_register *out);

#endif
