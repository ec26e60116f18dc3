/* snp: complete offline verification of an SEV-SNP attestation report, versions 2 to 5 (AMD 56860 "ATTESTATION_REPORT", KDS 57230).
 *
 * The report is 1184 bytes, or Azure's HCL report around it (hcl.h). Its VCEK or VLEK is among the certificates given (a GHCB
 * certificate table will do); AMD's CAs are built in. Checks, by name:
 *   report-format      size, version, signature algorithm, what must be zero; nothing else is looked at when it is bad
 *   signing-key        SIGNER_INFO: a VCEK or VLEK, and the key is not masked
 *   product            Milan, Genoa or Turin by family and model (version 2: by the certificate), and the certificate agrees
 *   vek-certificate    its extensions can be read: all of its kind, none of the other's, none twice, none unknown
 *   vek-chain          VCEK by SEV-line, or VLEK by SEV-VLEK-line, by ARK-line: RSASSA-PSS, validity, pinned key of that line
 *   report-signature   ECDSA P-384 by the certificate's key        ark-crl   the ASK is not revoked (only said when no CRL is given)
 *   reported-tcb       REPORTED_TCB is the certificate's, in every part    chip-id   CHIP_ID is its HWID; a VLEK names no chip
 *   committed-tcb      what runs is committed, so the host cannot go back behind it (policy)
 *   tcb-minimum        REPORTED_TCB and LAUNCH_TCB reach the appraisal's in every part (only where it has one)
 *   guest-policy       reserved bits of POLICY      guest-debug, migrate-ma, vmpl (policy): DEBUG, MIGRATE_MA clear; VMPL 0
 *   platform-info      reserved bits are clear (policy)    alias-check   memory was checked for aliases (only said when not)
 *   runtime-claims     REPORT_DATA is of the HCL report's claims (only there)
 *   report-data        REPORT_DATA is the appraisal's nonce, then zeroes (only where it has one)                               */
#ifndef PLINTH_APPRAISE_SNP_H
#define PLINTH_APPRAISE_SNP_H

#include "tools/appraise/appraisal.h"

void snp_verify(struct appraisal *a, struct view report);

#endif
