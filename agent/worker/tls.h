/* tls: TLS 1.2 client over BearSSL; ECDHE with AES-GCM only. The fetch worker's one place that knows BearSSL's engine.
 *
 * No sockets in here: bytes go through the two functions of `struct tls_io`. */
#ifndef PLINTH_WORKER_TLS_H
#define PLINTH_WORKER_TLS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"

#include <bearssl_ssl.h>
#include <bearssl_x509.h>

struct tls_trust {
    br_x509_trust_anchor *anchors;
    size_t count;
};

/* Certificates of a PEM bundle as trust anchors, in `a`. Each may be a CA, or a server's own certificate. Those with
 * keys that BearSSL does not know are left out. ERR_USAGE: broken PEM, or certificates of which none is usable. No PEM
 * at all is legal: nobody is trusted. */
bool tls_trust_load(struct view pem, struct arena *a, struct tls_trust *out, struct err *e);

struct tls_io {
    void *state;
    bool (*send)(void *state, struct view bytes, size_t *sent, struct err *e);
    bool (*receive)(void *state, uint8_t *p, size_t size, size_t *got, struct err *e); /* *got 0: the peer closed */
};

/* BearSSL's validation, wrapped to keep the server's own certificate for IP names and messages. */
struct tls_x509 {
    const br_x509_class *vtable;
    br_x509_minimal_context minimal;
    unsigned index; /* of the certificate that is being read */
    struct view ip; /* the name wanted is this address; else empty */
    size_t leaf_n;
    uint8_t leaf[16384];
};

struct tls {
    br_ssl_client_context client;
    struct tls_x509 x509;
    struct tls_io io;
    const char *host; /* the caller's, for messages */
    bool resumable;   /* the last handshake was completed */
    bool heard;       /* the peer's first byte was that of a TLS record */
    const uint8_t *ahead; /* in `in`: received and not yet given to the engine */
    size_t ahead_n;
    uint8_t in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
};

/* Handshake with `host` (a DNS name, or an address whose bytes are `ip`). `t` is zeroed, or was open to the same host
 * before: then its session is resumed if the server likes. Errors: ERR_SIGNATURE for the certificate (expired, unknown
 * CA, another host; with dates and names), ERR_FORMAT when the peer speaks no TLS 1.2, ERR_NETWORK from `io` or when it
 * closed. */
bool tls_open(struct tls *t, const struct tls_trust *trust, const char *host, struct view ip, struct tls_io io,
              struct err *e);
/* Sends all of it. */
bool tls_write(struct tls *t, struct view bytes, struct err *e);
/* What has arrived and was not skipped yet; waits for at least one byte. Empty: the peer ended the session properly. */
bool tls_peek(struct tls *t, struct view *bytes, struct err *e);
void tls_skip(struct tls *t, size_t n);

#endif
