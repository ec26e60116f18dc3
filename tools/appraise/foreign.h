/* foreign: evidence of another agent than Plinth, in the shapes that Trustee takes (tee/trustee.h writes them), for
 * guests of Confidential Containers that ask `plinth serve`.
 *
 *   tdx   {"quote": base64, "cc_eventlog": base64 | null}
 *   snp   {"attestation_report": {..}, "cert_chain": [{"cert_type": "VCEK", "data": [..]}, ..] | null}
 *
 * The SNP report is put together again from its members, where bytes are arrays of numbers: the 1184 bytes that were
 * signed, or the signature does not hold. Unknown members are passed over. There is neither a Plinth log nor an image
 * in it: what such a guest runs is what RTMR3, or the initdata bound in MRCONFIGID or HOST_DATA, says. */
#ifndef PLINTH_APPRAISE_FOREIGN_H
#define PLINTH_APPRAISE_FOREIGN_H

#include "tools/appraise/evidence.h"

/* Whether it is a Plinth document is for evidence_take to say; this is for what is none. Sets tee, foreign, quote,
 * firmware_log and chain, nothing else. ERR_FORMAT naming the member. Views live in `a`. */
bool foreign_take(const json *o, struct arena *a, struct evidence_document *out, struct err *e);

#endif
