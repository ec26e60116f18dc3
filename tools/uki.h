/* uki: a unified kernel image (UAPI Group Specification "Unified Kernel Image"): systemd's EFI stub with kernel,
 * initramfs and command line as sections of one PE file, which firmware measures whole (PCR 4) and the stub by section
 * (PCR 11). */
#ifndef PLINTH_TOOLS_UKI_H
#define PLINTH_TOOLS_UKI_H

#include "base/arena.h"
#include "tools/measure/pe.h"

#define UKI_FILE_MAX (256u << 20) /* of each input */
#define UKI_ARENA (3 * (size_t)UKI_FILE_MAX)
/* Where Debian's systemd-boot-efi has it. */
#define UKI_STUB "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"

/* An empty view: no such section. */
struct uki_parts {
    struct view stub, linux_, initrd, cmdline, osrel, uname;
};

/* The file's bytes, in `a`: they follow from the parts alone. Order of the new sections: .osrel, .cmdline, .uname,
 * .initrd, .linux (last: a kernel may want room behind it). The stub's symbols and signature are dropped, the checksum
 * is zero: who signs it sets it. ERR_FORMAT: a stub or kernel that is no PE32+; a stub with one of these sections
 * already, or with a debug directory that would have to move; a command line that the stub would alter (blanks at its
 * ends, bytes that are not printable ASCII). ERR_USAGE: no kernel; more than 2 GiB. */
bool uki_build(const struct uki_parts *parts, struct arena *a, struct view *out, struct err *e);

/* The sections that a stub of this version measures into PCR 11, in its order, ended by NULL: for each that is there
 * the name with its NUL, then the contents (systemd docs/TPM2_PCR_MEASUREMENTS.md). NULL for a version whose list was
 * never held against a boot: known are 252 (Debian 12), which leaves out .uname and .sbat, and 254 to 257 (Debian 13
 * has 257). */
const char *const *uki_measured(unsigned stub_version);

/* The stub's version from its .sdmagic section ("#### LoaderInfo: systemd-stub 252.39-1 ####"): 252, or 0 for anything
 * else. */
unsigned uki_stub_version(const struct pe *pe);

#endif
