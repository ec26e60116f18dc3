/* trustee: evidence in the shapes that Trustee's verifiers take (confidential-containers/trustee v0.21, deps/verifier;
 * the guest's side there is guest-components, attestation-agent/attester), byte for byte as serde_json prints them. For
 * the KBS protocol's `primary_evidence`. */
#ifndef PLINTH_TEE_TRUSTEE_H
#define PLINTH_TEE_TRUSTEE_H

#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"

#define TRUSTEE_PCRS 24u

/* cc_eventlog: the firmware's records (CCEL without its end mark), or the fixed header that stands for them where there
 * are none, then those of Plinth's own log `own` without its header, then 8 bytes 0xff. Trustee replays it against
 * RTMR0-3, all four. */
void trustee_eventlog(struct view ccel, struct view own, struct writer *out);
/* {"cc_eventlog":"<base64>"|null,"quote":"<base64>"}; an empty log is null. */
void trustee_tdx(struct view eventlog, struct view quote, struct writer *out);
/* {"attestation_report":{...},"cert_chain":null|[...]}: every byte field an array of numbers, TCB parts by name
 * (Turin's differ). The chain is null when the table has neither VCEK nor VLEK: then the verifier asks AMD. ERR_FORMAT:
 * no report (see report_snp), or a table that points outside itself. `out` may hold a part then. */
bool trustee_snp(struct view report, struct view certificates, struct writer *out, struct err *e);
/* {"tpm_quote":{"signature":"<base64>","message":"<base64>","pcrs":["<hex>" x 24]},"ak_public":"<base64>"}; the
 * verifier knows RSASSA alone, over the sha256 bank, and takes the AK as SubjectPublicKeyInfo. */
void trustee_tpm(struct view signature, struct view message, const uint8_t pcrs[static TRUSTEE_PCRS][32],
                 struct view ak_spki, struct writer *out);

#endif
