/* collateral: what comes beside a quote (--certs), told apart by content, not by name or order. Nothing here is verified.
 *
 *   PEM                    certificates and CRLs          DER           one certificate or CRL; also as hex (Intel's PCCS)
 *   JSON {"tcbInfo", "signature"}, {"enclaveIdentity", "signature"}     Intel PCS responses; the signed bytes are the value as it
 *                          stands between its braces, never re-serialised
 *   JSON with "id"         such a value alone; its signature is then one of the 64-byte files
 *   64 bytes               a signature r||s of such a value
 *   JSON with "tcb_info", "tcb_info_signature", "tcb_info_issuer_chain", "qe_identity...", "pck_crl...", "root_ca_crl"
 *                          all in one (QVL's quote collateral): strings; signatures and CRLs in hex or base64
 *   GHCB certificate table (SNP auxblob)   its certificates and CRL, see cert_table.h                                            */
#ifndef PLINTH_APPRAISE_COLLATERAL_H
#define PLINTH_APPRAISE_COLLATERAL_H

#include "tools/appraise/x509.h"

#define COLLATERAL_FILE_MAX (8u << 20)
#define SIGNED_MAX 4u

/* A signed JSON value: the bytes under the signature, and r||s (64 bytes; empty when it comes apart). */
struct signed_json {
    struct view body, signature;
};

struct collateral {
    struct pool pool;
    size_t tcb_info_count, qe_identity_count, signature_count;
    struct signed_json tcb_info[SIGNED_MAX], qe_identity[SIGNED_MAX];
    struct view signatures[2 * SIGNED_MAX]; /* loose ones */
};

/* Adds what a file holds; `bytes` and `a` outlive the collateral. ERR_FORMAT: none of the above, broken, or too many of a kind. */
bool collateral_add(struct collateral *c, struct view bytes, struct arena *a, struct err *e);
void collateral_drop(struct collateral *c);

/* The bytes of member `name` of the outermost object of `text`, which json_parse has accepted; false when it has none of this
 * name spelt without escapes. */
bool json_raw_member(struct view text, const char *name, struct view *raw);

#endif
