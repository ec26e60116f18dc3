/* ovmf: what a firmware image says about itself: the table of GUIDs at its end (edk2
 * OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm), the SEV metadata ("ASEV") and the TDVF metadata (Intel TDX Virtual
 * Firmware Design Guide, section 11) that it points to.
 *
 * The image ends at 4 GiB of the guest's address space. At its size - 50: u16 size of the table and this GUID; before
 * it the entries, last first: bytes | u16 size with this header | GUID. */
#ifndef PLINTH_TOOLS_MEASURE_OVMF_H
#define PLINTH_TOOLS_MEASURE_OVMF_H

#include "base/err.h"
#include "base/view.h"

#define OVMF_SECTIONS_MAX 64u
#define OVMF_MEMORY_MAX (1u << 30) /* of one section: a larger one is no firmware's, and would be hashed page by page  \
                                    */

enum ovmf_sev_type { OVMF_SEC_MEM = 1, OVMF_SECRETS = 2, OVMF_CPUID = 3, OVMF_SVSM_CAA = 4, OVMF_KERNEL_HASHES = 0x10 };
struct ovmf_sev {
    uint32_t reset_eip;      /* where the application processors start; 0: not said */
    uint32_t hash_table_gpa; /* 0: takes no kernel hashes */
    bool is_svsm;            /* it has SVSM_INFO: where in the file all vCPUs start, */
    uint32_t svsm_start;     /* in 32-bit protected mode */
    size_t count;
    struct ovmf_sev_section {
        uint32_t gpa, size, type; /* enum ovmf_sev_type */
    } sections[OVMF_SECTIONS_MAX];
};
/* ERR_FORMAT: no table, one that is cut or has an entry of wrong size; metadata outside the file, of unknown version or
 * type, or with a section that is not in whole pages (none at all is what edk2's TDX build has). An image without SEV
 * metadata has count 0. */
bool ovmf_read_sev(struct view file, struct ovmf_sev *out, struct err *e);

enum { TDVF_MR_EXTEND = 1, TDVF_PAGE_AUG = 2 }; /* attributes */
struct ovmf_tdx {
    size_t count;
    struct ovmf_tdx_section {
        uint32_t raw_at, raw_size;
        uint64_t gpa, memory_size;
        uint32_t type, attributes;
    } sections[OVMF_SECTIONS_MAX];
};
/* As above; also for an image without TDVF metadata and for raw bytes outside the file (OVMF_CODE without its
 * variables). */
bool ovmf_read_tdx(struct view file, struct ovmf_tdx *out, struct err *e);

#endif
