/* fat: a disk with one file, as firmware starts it: FAT16 without partition table (Microsoft "FAT32 File System
 * Specification" 1.03), \EFI\BOOT\BOOTX64.EFI inside (UEFI 2.10 section 3.5.1.1). The bytes follow from the file alone.
 */
#ifndef PLINTH_TOOLS_FAT_H
#define PLINTH_TOOLS_FAT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

/* The disk's bytes, in `a` (its unused end is zero). ERR_USAGE: more than 250 MiB. */
bool fat_disk(struct view bootx64, struct arena *a, struct view *out, struct err *e);

#endif
