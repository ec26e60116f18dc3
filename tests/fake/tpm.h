/* fake tpm: sys/tpm.h over memory. One TPM; set its faults, then let the code under test open it. A test that uses it includes
 * tpm.c, whose functions then win over the library's. */
#ifndef TESTS_FAKE_TPM_H
#define TESTS_FAKE_TPM_H

#include "sys/tpm.h"

struct fake_tpm {
    bool absent;
    bool sha256, sha384;        /* active banks */
    int extends_left;           /* TPM2_PCR_Extend fails when it is 0; -1: never */
    bool other_nonce, other_pcrs; /* what a quote lies about */
    bool lost_extend;           /* PCR_Extend succeeds and does nothing */
    struct view firmware_log, ek_certificate;
    struct register_bank pcrs[2][TPM2_PCRS]; /* sha256, sha384 */
    unsigned extends;
};
extern struct fake_tpm fake_tpm;
/* Both banks, all PCRs zero, no faults. */
void fake_tpm_reset(void);

#endif
