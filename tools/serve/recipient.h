/* recipient: a guest's public key, and what is encrypted to it: the counterpart of lib/secret/{rcar,jwe} in the guest.
 *
 * Keys are JWKs (RFC 7517) of exactly these members, each text:
 *   {"kty":"EC","crv":"P-256","alg":"ECDH-ES+A256KW","x":..,"y":..}
 *   {"kty":"RSA","alg":"RSA-OAEP-256","n":..,"e":..}      2048 to 4096 bits
 * What is encrypted is a flattened JWE (RFC 7516) with A256GCM as Trustee's KBS writes it (kbs/src/jwe): apu and apv
 * empty, no aad. */
#ifndef PLINTH_SERVE_RECIPIENT_H
#define PLINTH_SERVE_RECIPIENT_H

#include "base/err.h"
#include "base/writer.h"
#include "format/json.h"

#define RECIPIENT_JWK_MAX 800u /* RSA-4096: 683 characters of n */
/* Of `n` bytes: base64 of the ciphertext, of a wrapped key, and the header. */
#define RECIPIENT_SEALED_MAX(n) ((n) / 3 * 4 + 2048u)

struct recipient {
    bool ec;
    uint8_t point[65]; /* 04 || x || y, on the curve */
    uint8_t n[512];
    size_t n_size;
    uint32_t e;
};

/* ERR_FORMAT naming the member. */
bool recipient_read(const json *jwk, struct recipient *out, struct err *e);
/* The JWK in RFC 8785 order. */
void recipient_write(const struct recipient *r, struct writer *out);
/* SHA-384 over the RFC 8785 text of {"additional-evidence":"","nonce":..,"tee-pubkey":JWK}. */
void recipient_report_data(const struct recipient *r, struct view nonce, uint8_t out[static 48]);
/* {"protected":..,"encrypted_key":..,"iv":..,"ciphertext":..,"tag":..}. ERR_SYSTEM. */
bool recipient_seal(const struct recipient *r, struct view plaintext, struct writer *out, struct err *e);

#endif
