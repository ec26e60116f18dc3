/* report: what the guest itself reads of its CPU's evidence before it hands that on: a TDX quote (Intel TDX DCAP
 * Quoting Library API, appendix A; versions 4 and 5), an SEV-SNP attestation report (AMD 56860, table 23; versions 2 to
 * 5).
 *
 * Signatures and certificates are the relying party's to check. The bytes came through the host, so they are read like
 * any hostile bytes: bounded, by cursor. A quote may be padded; nothing here trusts the blob's length. */
#ifndef PLINTH_TEE_REPORT_H
#define PLINTH_TEE_REPORT_H

#include "base/err.h"
#include "base/view.h"

#define REPORT_DATA_SIZE 64u
#define RTMR_SIZE 48u
#define SNP_REPORT_SIZE 1184u

struct report {
    struct view report_data; /* REPORT_DATA_SIZE bytes */
    struct view rtmr3;       /* RTMR_SIZE bytes; empty on SNP */
    struct view host_data;   /* what the host bound at launch: MRCONFIGID (48 bytes), HOST_DATA (32) */
    bool debug; /* TD attribute DEBUG (bit 0), guest policy DEBUG (bit 19): the host may read and write the guest */
};

/* ERR_FORMAT: other version, TEE type or body type, or too short for its body. */
bool report_tdx(struct view quote, struct report *out, struct err *e);
/* ERR_FORMAT: not SNP_REPORT_SIZE bytes, or a version this was not written for. */
bool report_snp(struct view report, struct report *out, struct err *e);

/* The certificate table beside an SNP report (GHCB 4.1.8.1): {GUID[16], u32 offset, u32 length}..., ended by an entry of zeros. GUIDs are
 * in the order they are printed in. */
#define SNP_GUID_SIZE 16u
#define SNP_ENTRY_SIZE 24u
enum snp_certificate { SNP_VCEK, SNP_VLEK, SNP_ASK, SNP_ARK, SNP_CRL, SNP_CERTIFICATES };
/* SNP_CERTIFICATES: a GUID of none of them. */
enum snp_certificate snp_certificate_kind(struct view guid);
/* "VCEK"; NULL for SNP_CERTIFICATES. */
const char *snp_certificate_name(enum snp_certificate kind);

#endif
