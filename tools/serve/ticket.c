/* see ticket.h */
#include "tools/serve/ticket.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { SAID = 16 }; /* what the MAC is over */

static void mac(const struct ticket_key *key, char use, struct view bytes, uint8_t out[static 16]) {
    uint8_t message[1 + TICKET_NONCE_SIZE] = {(uint8_t)use}, whole[32] = {0};
    memcpy(message + 1, bytes.p, bytes.n);
    HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, message, 1 + bytes.n, whole, NULL);
    memcpy(out, whole, 16);
}

bool ticket_make(const struct ticket_key *key, uint8_t tee, int64_t expires, uint8_t nonce[static TICKET_NONCE_SIZE],
                 struct err *e) {
    uint8_t n[TICKET_NONCE_SIZE] = {tee};
    for (int i = 0; i < 5; i++) n[1 + i] = (uint8_t)((uint64_t)expires >> (32 - 8 * i));
    if (RAND_bytes(n + 6, 10) != 1) return err_set(e, ERR_SYSTEM, "no random bytes");
    mac(key, 'n', view_of(n, SAID), n + SAID);
    memcpy(nonce, n, sizeof n);
    return true;
}

bool ticket_check(const struct ticket_key *key, struct view nonce, int64_t now, uint8_t *tee, int64_t *expires,
                  struct err *e) {
    uint8_t wanted[16];
    int64_t end = 0;
    if (nonce.n != TICKET_NONCE_SIZE) return err_set(e, ERR_POLICY, "the nonce is not one of ours");
    mac(key, 'n', view_first(nonce, SAID), wanted);
    if (CRYPTO_memcmp(wanted, nonce.p + SAID, 16)) return err_set(e, ERR_POLICY, "the nonce is not one of ours");
    for (int i = 0; i < 5; i++) end = end << 8 | nonce.p[1 + i];
    if (end <= now) return err_set(e, ERR_POLICY, "the nonce expired %lld seconds ago", (long long)(now - end));
    *tee = nonce.p[0];
    *expires = end;
    return true;
}

void ticket_session(const struct ticket_key *key, const uint8_t nonce[static TICKET_NONCE_SIZE],
                    uint8_t session[static TICKET_SESSION_SIZE]) {
    mac(key, 's', view_of(nonce, TICKET_NONCE_SIZE), session);
}
