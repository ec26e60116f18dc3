/* identity: who `plinth serve` is: its TLS context. TLS 1.2 and 1.3, ECDHE with AES-GCM, no resumption (nothing to
 * steal that would open recorded traffic), no renegotiation, no compression. */
#ifndef PLINTH_SERVE_IDENTITY_H
#define PLINTH_SERVE_IDENTITY_H

#include "base/err.h"
#include "base/view.h"

#include <openssl/types.h>
#include <stddef.h>

struct identity {
    SSL_CTX *tls;
    char *ca_pem;         /* malloc'ed, of a made one: what guests trust; else NULL */
    char fingerprint[65]; /* SHA-256 of the certificate that guests trust, hex: the made CA, or the server's own */
};

/* From PEM: a chain, the server's certificate first, and its private key. ERR_USAGE. */
bool identity_read(struct view chain, struct view key, struct identity *out, struct err *e);
/* A throw-away CA with a key that is forgotten at once, and a P-256 certificate by it for these DNS names and
 * addresses, for one year. ERR_USAGE: no such name; ERR_SYSTEM. */
bool identity_make(const char *const *names, size_t count, struct identity *out, struct err *e);
void identity_drop(struct identity *i);

#endif
