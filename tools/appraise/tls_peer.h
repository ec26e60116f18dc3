/* tls_peer: who answers at a TCP port, by TLS: the certificate of a server that proved that it has the key of it.
 *
 * A whole handshake, TLS 1.2 or 1.3, no certificate authority asked: the certificate is whatever the server likes.
 * Nothing is sent behind it. The proof is the handshake's own: the server has signed this connection's nonces (or, with
 * TLS 1.2's key exchange RSA, decrypted its secret), and is who holds the key now. */
#ifndef PLINTH_APPRAISE_TLS_PEER_H
#define PLINTH_APPRAISE_TLS_PEER_H

#include "base/arena.h"
#include "base/err.h"

#define TLS_PEER_MS 20000 /* for everything; each address of a name has half of it */

struct tls_peer {
    struct view certificate; /* DER, in the arena */
    char session[64];        /* "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256" */
};

/* `where` is HOST:PORT or [ADDRESS]:PORT. ERR_USAGE: it is neither. ERR_NETWORK: no such host, no connection, silence,
 * or what answers ends or breaks the handshake. ERR_FORMAT: it speaks no TLS, or presents no certificate. */
bool tls_peer_meet(const char *where, struct arena *a, struct tls_peer *out, struct err *e);

#endif
