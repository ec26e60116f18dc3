/* ticket: nonces and sessions of the KBS protocol that need no memory: each carries a MAC, so that any instance with
 * the same token key takes it. That a nonce works once is `tables`' to say.
 *
 *   nonce     32 bytes: tee (1) | expiry in seconds, big-endian (5) | random (10) | HMAC-SHA256 over these, cut (16)
 *   session   16 bytes: HMAC-SHA256 over the nonce, cut; in the cookie as 32 hex digits
 *
 * A session is thus bound to its nonce, and can be told from it but not guessed. */
#ifndef PLINTH_SERVE_TICKET_H
#define PLINTH_SERVE_TICKET_H

#include "base/err.h"
#include "base/view.h"

#define TICKET_NONCE_SIZE 32u
#define TICKET_NONCE_TEXT 44u /* in base64 */
#define TICKET_SESSION_SIZE 16u

struct ticket_key {
    uint8_t bytes[32];
};

/* `tee` is the caller's number. ERR_SYSTEM: no random bytes. */
bool ticket_make(const struct ticket_key *key, uint8_t tee, int64_t expires, uint8_t nonce[static TICKET_NONCE_SIZE],
                 struct err *e);
/* `nonce` is one of ours and not expired at `now`. ERR_POLICY. */
bool ticket_check(const struct ticket_key *key, struct view nonce, int64_t now, uint8_t *tee, int64_t *expires,
                  struct err *e);
void ticket_session(const struct ticket_key *key, const uint8_t nonce[static TICKET_NONCE_SIZE],
                    uint8_t session[static TICKET_SESSION_SIZE]);

#endif
