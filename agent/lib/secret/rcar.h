/* rcar: the texts of the KBS protocol that a guest writes (trustee, kbs/docs/kbs_attestation_protocol.md, 0.4.0),
 * pure. */
#ifndef PLINTH_SECRET_RCAR_H
#define PLINTH_SECRET_RCAR_H

#include "base/writer.h"
#include "crypto/private_key.h"

#define RCAR_VERSION "0.4.0" /* KBSes refuse every other */
#define RCAR_NONCE_MAX 128u

/* {"version":"0.4.0","tee":..,"extra-params":{"supported-hash-algorithms":[..],"plinth":"<agent's version>"}} */
void rcar_request(struct view tee, struct writer *out);
/* The public part as a JWK, members in RFC 8785 order:
 * {"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":..,"y":..} or
 * {"alg":"RSA-OAEP-256","e":..,"kty":"RSA","n":..}. */
void rcar_jwk(const struct private_key *key, struct writer *out);
/* `nonce`: text of at most RCAR_NONCE_MAX bytes. SHA-384 over the RFC 8785 text of
 * {"additional-evidence":"","nonce":..,"tee-pubkey":JWK}. A CPU's report_data has zeros behind it, a TPM's qualifying
 * data is its first 32 bytes; a Plinth evidence document has it in its nonce (evidence_key_nonce, EVIDENCE_KEY_KBS). */
void rcar_report_data(struct view nonce, const struct private_key *key, uint8_t out[static 48]);
/* {"init-data":..,"runtime-data":{"nonce":..,"tee-pubkey":JWK},
 *  "tee-evidence":{"primary_evidence":EVIDENCE,"additional_evidence":""}};
 * init-data only where there is some. */
void rcar_attestation(struct view nonce, const struct private_key *key, struct view initdata, struct view evidence,
                      struct writer *out);

#endif
