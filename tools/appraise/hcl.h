/* hcl: Azure's HCL report, which wraps the report of the hardware and the claims that it is bound to.
 *
 *   0     "HCLA" header, 32 bytes          32    SNP report (1184 bytes) or TDREPORT (1024 bytes, then zeroes up to 1216)
 *   1216  le32 size, version, report type (2 SNP, 4 TDX), hash type (1 SHA-256), size of the claims
 *   1236  claims: JSON; "HCLAkPub" among its "keys" is the vTPM's AK
 * REPORT_DATA is SHA-256 of the claims, then zeroes. Padding (an NV index has 2600 bytes) is zero. */
#ifndef PLINTH_APPRAISE_HCL_H
#define PLINTH_APPRAISE_HCL_H

#include "base/err.h"
#include "base/view.h"

enum hcl_type { HCL_SNP = 2, HCL_TDX = 4 };

struct hcl {
    enum hcl_type type;
    struct view report, report_data, claims; /* of the file */
    bool bound;                              /* REPORT_DATA is of these claims */
};
bool hcl_is(struct view bytes);
/* ERR_FORMAT: cut, sizes in conflict, another report or hash type, other padding than zeroes. */
bool hcl_parse(struct view bytes, struct hcl *out, struct err *e);

#endif
