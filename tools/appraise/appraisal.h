/* appraisal: what one hardware quote is judged with, and what came of it; the common face of tdx.h, snp.h and tpm.h.
 *
 * A verifier is `void X_verify(struct appraisal *a, struct view quote)`: it adds to a->checks one entry per claim, goes on as
 * far as the bytes can be read, and writes every field by its specification's name as members into a->fields (result_hex, ...;
 * fields.h for tables). It prints nothing. The verdict is checks_verdict's. */
#ifndef PLINTH_APPRAISE_APPRAISAL_H
#define PLINTH_APPRAISE_APPRAISAL_H

#include "tools/appraise/checks.h"
#include "tools/appraise/collateral.h"
#include "tools/appraise/x509.h"

struct appraisal {
    /* the relying party's */
    struct arena *arena;
    int64_t at;                        /* the moment of the verdict, seconds since 1970 */
    struct anchors trust;              /* --trust; count 0: the vendor's own, pinned roots */
    const struct collateral *given;    /* --certs */
    const struct option_list *status;  /* --tcb-status: accepted beside UpToDate; NULL: none */
    uint64_t evaluation_min;           /* --tcb-evaluation: least tcbEvaluationDataNumber; 0: any */
    struct view nonce;                 /* --nonce: what the quote must be over; empty: not compared */
    struct view tcb_min;               /* --tcb-minimum: SNP, 8 bytes as REPORTED_TCB; empty: any */
    struct view signature, ak, pcrs;   /* --signature, --ak, --pcrs: the files beside a TPM's quote; empty: not given */
    /* the verifier's */
    struct checks checks;
    struct result fields;
    const char *tcb_status; /* TDX: Intel's word for it; NULL: not known */
};

/* Check `name`: `have` (REPORTDATA, extraData) is the nonce, and zeroes behind it. Nothing when no nonce is wanted. */
void appraisal_nonce(struct appraisal *a, const char *name, struct view have);

/* Members "trust_anchor" {"name", "vendor"} of the chain that was believed, and "at"; NULL: null. */
void appraisal_anchor(struct appraisal *a, const struct anchor *used);

#endif
