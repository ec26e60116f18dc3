/* tdx: complete offline verification of a TDX quote (versions 4 and 5) with Intel's collateral.
 *
 * Checks, by name:
 *   quote-format          layout, sizes, TEE, key type, QE vendor; nothing else is looked at when it is bad
 *   trailing-bytes        only zeroes follow the quote (policy: buffers are padded)
 *   pck-chain             PCK certificate, Platform or Processor CA, root: names, ECDSA P-256, validity, pinned root key
 *   pck-extension         PPID, TCB, PCE-ID, FMSPC can be read, and agree with certification data of type 1 to 3
 *   qe-report-signature   by the PCK certificate's key          qe-report-data    SHA-256(attestation key || auth data) || 0
 *   qe-debug              the QE is no debug enclave            quote-signature   by the attestation key
 *   root-ca-crl, pck-crl  neither CA nor leaf is revoked (collateral)
 *   tcb-info              signed by Intel SGX TCB Signing, current, for this FMSPC and PCE-ID (collateral)
 *   tdx-module            MRSIGNERSEAM and SEAMATTRIBUTES as the TCB info (without one: zero), and a known module SVN
 *   tcb-level             a level that the platform reaches; for TD report 1.5 both with TEE_TCB_SVN and TEE_TCB_SVN_2
 *   qe-identity           signed, current (collateral); qe-report: MISCSELECT, ATTRIBUTES, MRSIGNER, ISVPRODID, a known ISVSVN
 *   tcb-status            the worst status of platform, module and QE is UpToDate or one of the appraisal's (policy); Revoked never
 *   tcb-evaluation        tcbEvaluationDataNumber of both is not below the appraisal's (only where it names one)
 *   report-data           REPORTDATA is the appraisal's nonce, then zeroes (only where it has one)
 *   td-debug, sept-ve-disable, mrservicetd   (policy)           td-attributes     reserved bits of TUD are clear
 * Collateral is needed, unless another root than Intel's is trusted and none was given: a private root has none. */
#ifndef PLINTH_APPRAISE_TDX_H
#define PLINTH_APPRAISE_TDX_H

#include "tools/appraise/appraisal.h"

void tdx_verify(struct appraisal *a, struct view quote);

#endif
