/* ratls_cert: an RA-TLS certificate of a guest (tee/ratls.h), read by the one who appraises it.
 *
 * Everything in it is a stranger's: bounded, nothing trailing, the extension's CBOR in one spelling. That it is
 * well-formed and signed with its own key says nothing yet; what counts is the evidence in it, and that this is over
 * the certificate's key. */
#ifndef PLINTH_APPRAISE_RATLS_CERT_H
#define PLINTH_APPRAISE_RATLS_CERT_H

#include "base/arena.h"
#include "base/err.h"
#include "tee/ratls.h"

struct ratls_cert {
    struct view der;                     /* of the whole */
    struct view evidence;                /* JSON text, not yet read */
    uint8_t nonce[RATLS_NONCE_SIZE];     /* what the evidence must be over: made from the key */
    uint8_t sha256[32], spki_sha256[32]; /* of the whole, of its SubjectPublicKeyInfo */
    int64_t not_before, not_after;       /* seconds since 1970; both belong to its validity */
};

/* A certificate as PEM (its first block) or DER, into `a`. ERR_FORMAT: no certificate, more than RATLS_CERTIFICATE_MAX,
 * trailing bytes, another key than P-256, no extension RATLS_OID or two, no CMW record of RATLS_MEDIA_TYPE.
 * ERR_SIGNATURE: it is not signed with its own key. */
bool ratls_cert_read(struct view text, struct arena *a, struct ratls_cert *out, struct err *e);

/* The extension's value alone; pure. ERR_FORMAT. */
bool ratls_cert_unwrap(struct view value, struct view *evidence, struct err *e);

#endif
