/* token: what an attested guest carries: a JWT (RFC 7519) that is an EAR (draft-ietf-rats-ear), signed ES256.
 *
 *   header    {"alg":"ES256","kid":..,"typ":"JWT"}; kid is the key's RFC 7638 thumbprint
 *   payload   iss "plinth serve", iat, nbf, exp, eat_profile, ear.verifier-id, eat_nonce (the protocol's), submods (the
 * judge's EAR), plinth (the judge's claims, judge.h), tee-pubkey (the JWK that everything released is encrypted to)
 *
 * Only this form, signed by this key, is taken back; no other algorithm is known here. */
#ifndef PLINTH_SERVE_TOKEN_H
#define PLINTH_SERVE_TOKEN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"
#include "format/json.h"
#include "tools/serve/judge.h"
#include "tools/serve/ticket.h"

#include <openssl/types.h>

/* base64url of: claims and submods, an RSA-4096 JWK, and 1 KiB for the rest. */
#define TOKEN_MAX ((JUDGE_CLAIMS_MAX + JUDGE_SUBMODS_MAX + (2u << 10)) / 3 * 4 + 256u)

struct token_key {
    EVP_PKEY *key; /* P-256 */
    char kid[44], x[44], y[44];
    struct ticket_key ticket; /* derived from it */
};

/* `pem`: P-256 private key, EC PRIVATE KEY or PRIVATE KEY; empty: made now. ERR_USAGE. Freed by token_key_drop. */
bool token_key_read(struct view pem, struct token_key *out, struct err *e);
void token_key_drop(struct token_key *k);
/* {"keys":[{"alg":"ES256","crv":"P-256","kid":..,"kty":"EC","use":"sig","x":..,"y":..}]} (RFC 7517) */
void token_jwks(const struct token_key *k, struct writer *out);

struct token {
    const uint8_t *nonce; /* TICKET_NONCE_SIZE bytes */
    int64_t issued, expires;
    const json *claims, *tee_pubkey;
};

/* `nonce` in base64; claims, submods and jwk are JSON objects. ERR_SYSTEM. */
bool token_sign(const struct token_key *k, struct view nonce, int64_t now, int64_t expires, struct view claims,
                struct view submods, struct view jwk, struct writer *out, struct err *e);
/* Values live in `a` (16 times the token). ERR_SIGNATURE: not signed by this key; ERR_POLICY: expired; ERR_FORMAT:
 * anything else. */
bool token_verify(const struct token_key *k, struct view text, int64_t now, struct arena *a, struct token *out,
                  struct err *e);

#endif
