/* tdx_quote: the layout of a TDX quote, versions 4 and 5 (Intel TDX DCAP Quoting Library API, "Quote Format"). All integers are
 * little-endian; nothing is verified here. Views point into the quote. */
#ifndef PLINTH_APPRAISE_TDX_QUOTE_H
#define PLINTH_APPRAISE_TDX_QUOTE_H

#include "base/err.h"
#include "base/view.h"
#include "tools/appraise/fields.h"

#define TDX_BODY_10 584u /* TD report 1.0 */
#define TDX_BODY_15 648u /* 1.5: TEE_TCB_SVN_2 and MRSERVICETD behind it */
#define SGX_REPORT_SIZE 384u
/* Quotes come in buffers of 5 to 8 KiB; a platform manifest instead of certificates may have 50 KiB. */
#define TDX_QUOTE_MAX (1u << 20)

/* TDATTRIBUTES, as a little-endian number */
#define TD_DEBUG 0x01u
#define TD_TUD_RESERVED 0xfeu /* the rest of "TD under debug": must be zero */
#define TD_SEPT_VE_DISABLE (1u << 28)

enum pck_cert_type { PCK_PPID = 1, PCK_PPID_RSA2048, PCK_PPID_RSA3072, PCK_LEAF, PCK_CHAIN, PCK_QE_REPORT, PCK_MANIFEST };

struct tdx_quote {
    uint16_t version, att_key_type, body_type; /* body_type: 0 in version 4, else 2 or 3 */
    uint32_t tee_type;
    struct view header, signed_part; /* header and body (version 5: with body type and size) */
    struct view body;                /* TDX_BODY_10 or TDX_BODY_15 bytes */
    struct view mrsignerseam, seam_attributes, td_attributes, tee_tcb_svn, tee_tcb_svn_2, mrservicetd, report_data; /* of the body */
    struct view signature, attestation_key; /* r||s; x||y */
    struct view qe_report, qe_report_signature, qe_auth_data;
    uint16_t cert_type; /* enum pck_cert_type, not 6 */
    struct view cert_data;
    struct view trailing; /* behind the quote; buffers are padded */
};

/* ERR_FORMAT: an SGX quote (named as such), another version, TEE, key type, QE vendor or body type, a size in conflict. */
bool tdx_quote_parse(struct view bytes, struct tdx_quote *out, struct err *e);

/* Layouts by Intel's names, lower case; the table of the header is the same in both versions. */
extern const struct field tdx_header_fields[], tdx_body_fields[], sgx_report_fields[];

#endif
