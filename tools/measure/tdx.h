/* tdx: MRTD of a TD from its firmware (Intel TDX Module Base Architecture Specification, "MRTD"; TDVF Design Guide).
 *
 * MRTD is SHA-384 over 128 bytes for every page added ("MEM.PAGE.ADD", address at 16) and, where a section is measured,
 * for every 256 bytes of it 128 bytes ("MR.EXTEND", address at 16) and these 256. The order is the hypervisor's. */
#ifndef PLINTH_TOOLS_MEASURE_TDX_H
#define PLINTH_TOOLS_MEASURE_TDX_H

#include "tools/measure/ovmf.h"

enum tdx_order {
    TDX_TWO_PASS,   /* QEMU: all pages of a section, then all its extensions */
    TDX_SINGLE_PASS /* page by page */
};
/* ERR_FORMAT: see ovmf_read_tdx. */
bool tdx_mrtd(struct view firmware, enum tdx_order order, uint8_t out[static 48], struct err *e);

#endif
