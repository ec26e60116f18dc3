/* broker: the KBS protocol as a server speaks it (trustee, kbs/docs/kbs_attestation_protocol.md, RCAR 0.4.0):
 *
 *   POST /kbs/v0/auth                      Request -> Challenge, and the cookie kbs-session-id
 *   POST /kbs/v0/attest                    Attestation -> {"token":JWT}; an attested session gets its token again
 *   GET  /kbs/v0/resource/REPO/TYPE/TAG    by cookie or bearer token (by both: they must be of one session) -> JWE
 *   POST /kbs/v0/resource/REPO/TYPE/TAG    by the admin token: stores the body
 *   GET  /healthz /metrics /jwks /.well-known/jwks.json
 *
 * Evidence is Plinth's document, or what the judge takes beside it; additional_evidence must be empty, for no device is
 * judged here; init-data is not looked at: what the guest measured of it counts. Errors are the protocol's: 401 and
 * {"type":"https://github.com/confidential-containers/kbs/errors/..","detail":".."}; a resource that is denied and one
 * that is not there get the same answer, and of evidence that is refused the name of the check alone is told: the
 * reasons are in the audit log. Beside these 404 (no such path), 405, 413, 429 and 503. */
#ifndef PLINTH_SERVE_BROKER_H
#define PLINTH_SERVE_BROKER_H

#include "base/writer.h"
#include "tools/serve/audit.h"
#include "tools/serve/judge.h"
#include "tools/serve/request.h"
#include "tools/serve/tables.h"
#include "tools/serve/token.h"

#include <semaphore.h>
#include <stdatomic.h>

#define BROKER_AUTH_MAX (16u << 10) /* a Request has 200 bytes */

enum broker_count {
    COUNT_CONNECTIONS,
    COUNT_REQUESTS,
    COUNT_CHALLENGES,
    COUNT_ATTESTED,
    COUNT_REFUSED,
    COUNT_RELEASED,
    COUNT_DENIED,
    COUNT_UPLOADS,
    COUNT_LIMITED,
    COUNT_APPRAISALS,
    COUNT_APPRAISAL_US,
    COUNTS
};

struct broker {
    const struct judge *judge;
    struct token_key key;
    struct used used;
    struct sessions *sessions;
    struct audit audit;
    int vault;        /* descriptor of the directory */
    int64_t lifetime; /* seconds, of nonces, sessions and tokens */
    bool secure;      /* over TLS: the cookie says so */
    bool admin;       /* there is an admin token, of this digest */
    uint8_t admin_digest[32];
    sem_t appraisals; /* as many at a time as there are processors */
    _Atomic uint64_t counts[COUNTS], active;
};

struct answer {
    unsigned status, retry_after; /* seconds, or 0 */
    const char *type;             /* Content-Type */
    char cookie[256];             /* Set-Cookie, or empty */
    struct writer body;           /* of `small`, or malloc'ed */
    uint8_t small[4096];
};

/* How large a body this request may have; *out is answered already where there can be none (false). */
bool broker_body_max(const struct request *r, size_t *max, struct answer *out);
/* The whole exchange. `peer` is the address as text. The body's bytes are the caller's to wipe. */
void broker_answer(struct broker *k, const struct request *r, struct view body, const char *peer, struct answer *out);
/* `variant`: the name behind ../kbs/errors/. */
void broker_refuse(struct answer *out, unsigned status, const char *variant, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void answer_drop(struct answer *a);

#endif
