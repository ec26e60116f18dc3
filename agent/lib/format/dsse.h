/* dsse: the Dead Simple Signing Envelope around an in-toto statement (secure-systems-lab/dsse envelope.md), as cosign
 * stores it at a `.att` tag and inside a bundle.
 *
 * Unverified reading, used by the fetch worker; what is signed is the PAE of the payload, which the verifier computes.
 * Stricter than the specification, as cosign is: standard base64 with padding only. */
#ifndef PLINTH_FORMAT_DSSE_H
#define PLINTH_FORMAT_DSSE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "format/json.h"

#define DSSE_PAYLOAD_TYPE "application/vnd.in-toto+json"

struct dsse_envelope {
    struct view payload; /* decoded, in place of its text: the JSON tree is not to be read again */
    size_t signature_count;
    struct view signatures[SIGNATURES_MAX]; /* decoded */
};

/* ERR_FORMAT: payloadType is another one, a member is missing or no base64, no signature or more than SIGNATURES_MAX,
 * one that is empty or longer than SIGNATURE_MAX. keyid and unknown members are ignored. `envelope` came from
 * json_parse. */
bool dsse_parse(const json *envelope, struct arena *a, struct dsse_envelope *out, struct err *e);

#endif
