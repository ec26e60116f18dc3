/* proof: the two JSON bodies that a guest sends (RCAR 0.4.0; lib/secret/rcar writes them in the guest). Pure.
 *
 *   Request      {"version":"0.4.0","tee":..,"extra-params":..}
 *   Attestation  {"runtime-data":{"nonce":..,"tee-pubkey":JWK},"init-data":..,
 *                 "tee-evidence":{"primary_evidence":{..},"additional_evidence":""}}
 *
 * additional_evidence must be empty or absent, for no device is judged here. init-data and unknown members are passed over:
 * nothing rests on them. */
#ifndef PLINTH_SERVE_PROOF_H
#define PLINTH_SERVE_PROOF_H

#include "base/arena.h"
#include "base/err.h"
#include "tools/serve/recipient.h"
#include "tools/serve/ticket.h"

/* The body of either may need this much of an arena. */
#define PROOF_ARENA(n) (14 * (n) + 65536u)

struct proof {
    struct view nonce_text; /* as it was sent: base64 of the next */
    uint8_t nonce[TICKET_NONCE_SIZE];
    struct recipient recipient;
    const json *evidence; /* primary_evidence, an object */
};

/* Everything lives in `a`. ERR_FORMAT; ERR_POLICY: another version, additional evidence. */
bool proof_read_request(struct view body, struct arena *a, struct view *tee, struct err *e);
bool proof_read(struct view body, struct arena *a, struct proof *out, struct err *e);

#endif
