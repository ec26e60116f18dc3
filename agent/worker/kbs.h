/* kbs: the worker that talks to a KBS (trustee, kbs/docs/kbs_attestation_protocol.md): HTTP, TLS, JSON, the session's
 * cookie and token. It sees what a KBS sees, and of secrets their ciphertext; key and evidence are the monitor's
 * (step/kbs.h).
 *
 * Frames are those of frame.h. The session is that of the last FRAME_AUTH. Network faults and 5xx are tried again, a
 * few times; 401 is FRAME_DENIED; a redirect is an error, for where secrets come from is the policy's to say. */
#ifndef PLINTH_WORKER_KBS_H
#define PLINTH_WORKER_KBS_H

#include "format/json.h"
#include "worker/job.h"

/* Bodies of answers; views live in `a`. ERR_FORMAT naming the member. */
bool kbs_parse_challenge(struct view body, struct arena *a, struct kbs_challenge *out, struct err *e);
/* {"token":"<JWT>"}: letters of base64url and dots, at most KBS_TOKEN_MAX. */
bool kbs_parse_token(struct view body, struct arena *a, struct view *token, struct err *e);
/* What an answer of another status says, for people: `detail` of its JSON, else its beginning; at most 200 bytes. */
struct view kbs_parse_fault(struct view body, struct arena *a);
/* The value of the cookie kbs-session-id; false when `field` (a Set-Cookie) is another or malformed. */
bool kbs_parse_cookie(struct view field, struct view *value);

#endif
