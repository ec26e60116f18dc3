/* ratls: an X.509 certificate that carries evidence over its own key (RA-TLS), self-signed, P-256.
 *
 * Extension: 2.23.133.5.4.9, TCG DICE's tcg-dice-conceptual-message-wrapper, which Gramine, Intel's SGX SDK, librats
 * and the CCC's "Interoperable RA-TLS" use; not critical, as theirs. Its value is one CMW record in CBOR
 * (draft-ietf-rats-msg-wrap, "cbor-record"): [RATLS_MEDIA_TYPE, the evidence document (tee/evidence.h), 4 (evidence)].
 *
 * Binding: Interoperable RA-TLS puts SHA-256 of the claims {"pubkey-hash": << [1, SHA-256 of the SubjectPublicKeyInfo]
 * >>} (CBOR, deterministic) into the quote's user data. Here that is the document's nonce (evidence_key_nonce of
 * EVIDENCE_KEY_TLS), which every quote and report is over (a TPM's as qualifyingData, a CPU's through report_data's
 * preimage). The claims themselves do not travel: the key says them. */
#ifndef PLINTH_TEE_RATLS_H
#define PLINTH_TEE_RATLS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"
#include "crypto/private_key.h"

#define RATLS_OID "2.23.133.5.4.9"
#define RATLS_MEDIA_TYPE "application/vnd.plinth.evidence+json" /* vendor tree, RFC 6838; not registered */
#define RATLS_NAME "plinth.internal" /* the one dNSName: who the server is, the evidence says */
/* Evidence has 4 to 30 KiB; a firmware log of 60 KiB makes it 90. TLS clients stop at certificates of 64 KiB (rustls),
 * 100 KiB (OpenSSL) or 256 KiB (Go). */
#define RATLS_EVIDENCE_MAX (60u << 10)
#define RATLS_CERTIFICATE_MAX (RATLS_EVIDENCE_MAX + 1024u)
#define RATLS_NONCE_SIZE 32u

/* The nonce for a key: see above. `spki` is DER. */
void ratls_nonce(struct view spki, uint8_t nonce[static RATLS_NONCE_SIZE]);

/* The document as it fits a certificate, in place: unchanged, or above RATLS_EVIDENCE_MAX without its firmware logs
 * ("firmware_log":"", one after the other until it fits; a verifier then compares the registers alone, and says so).
 * ERR_SYSTEM: too long even so. */
bool ratls_fit(uint8_t *bytes, size_t *n, struct err *e);

/* DER of the certificate, at most RATLS_CERTIFICATE_MAX, for a P-256 key: serial from the key, issuer and subject
 * CN=plinth, valid from an hour before `now` (seconds since 1970) without an end (RFC 5280 section 4.1.2.5), SAN
 * RATLS_NAME. `evidence` has 256 bytes or more. ERR_SYSTEM: above RATLS_EVIDENCE_MAX, `now` out of 1970 to 9999, arena
 * or `out` full. */
bool ratls_certificate(const struct private_key *key, struct view evidence, int64_t now, struct arena *a,
                       struct writer *out, struct err *e);

#endif
