/* tpm: offline verification of a TPM 2.0 quote (TPM 2.0 Library Part 2, TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE).
 *
 * `quote` is TPMS_ATTEST, with signature, AK and PCR values as the appraisal's parts; or Plinth's evidence.json (tee/evidence.h), whose
 * members stand in for parts that were not given. The signature is TPMT_SIGNATURE, or the bare bytes of RSASSA with SHA-256
 * (Azure); the AK is TPMT_PUBLIC, TPM2B_PUBLIC, a public key in PEM or DER, or an HCL report that names it (hcl.h); PCR values are JSON
 * {"sha256": {"0": hex, ...}, ...}. Checks, by name:
 *   quote-format       magic, type, banks, nothing trailing; nothing else is looked at when it is bad
 *   ak-public          the AK can be read: RSA of 2048 bits or more, P-256 or P-384
 *   ak-attributes      restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin, not decrypt: such a key signs what a TPM made and
 *                      nothing else (missing with a key alone)
 *   ak-certificate     a certificate of this AK with a chain to --trust; no TPM maker's root is built in
 *   ak-crl             none of the chain is revoked (only said when no CRL is given)
 *   ek-certificate     the EK's chain, where one is given; that the AK lies beside it is not shown offline (TPM2_ActivateCredential)
 *   hcl-report         REPORT_DATA of the HCL report is of the claims that name this AK (only there)
 *   quote-signature    by the AK, with the scheme and hash of its public area
 *   qualifying-data    extraData is the appraisal's nonce, all of it (only where it has one)
 *   pcr-selection      at least one PCR; pcr-bank    not of SHA-1 alone (policy)
 *   pcr-digest         it is the hash, by the signature's hash algorithm, of the values given
 *   unquoted-pcrs      values were given that are not under the quote: they count for nothing (only said)                     */
#ifndef PLINTH_APPRAISE_TPM_H
#define PLINTH_APPRAISE_TPM_H

#include "tools/appraise/appraisal.h"

void tpm_verify(struct appraisal *a, struct view quote);

#endif
