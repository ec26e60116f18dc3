/* channel: one guest's TCP connection, over TLS or (--allow-http) bare, with a deadline for everything.
 *
 * Reading and writing wait until a deadline that the caller sets, however slowly the peer feeds or takes its bytes. */
#ifndef PLINTH_SERVE_CHANNEL_H
#define PLINTH_SERVE_CHANNEL_H

#include "base/err.h"
#include "base/view.h"
#include "tools/serve/request.h"

#include <openssl/types.h>

struct channel {
    int fd, stop; /* stop: readable once the server wants to end; looked at between requests alone */
    SSL *ssl;     /* NULL: bare */
    int64_t deadline_ms;
    bool broken;  /* nothing more goes through it */
    size_t have;  /* in `bytes`: the head, and what came behind it */
    size_t spent; /* of these, by this request */
    uint8_t bytes[REQUEST_HEAD_MAX];
};

/* Takes the (non-blocking) socket; with a context, the handshake until `deadline_ms` (clock_ms). ERR_NETWORK; closed by
 * channel_close in any case. */
bool channel_open(struct channel *c, int fd, int stop, SSL_CTX *tls, int64_t deadline_ms, struct err *e);
void channel_close(struct channel *c);
/* Waits for the first byte of the next request until `idle_ms`, and for the head until `head_ms` behind that. *head is
 * a view into `bytes`, until the next call. False: nothing came, or the server ends, without an error (e->kind
 * ERR_NONE); ERR_NETWORK; ERR_FORMAT: a head of more than REQUEST_HEAD_MAX. */
bool channel_head(struct channel *c, int64_t idle_ms, int64_t head_ms, struct view *head, struct err *e);
/* The `n` bytes behind the head, into `out`; the next request begins behind them. ERR_NETWORK. */
bool channel_body(struct channel *c, uint8_t *out, size_t n, int64_t deadline_ms, struct err *e);
/* ERR_NETWORK. */
bool channel_send(struct channel *c, struct view bytes, int64_t deadline_ms, struct err *e);
/* Says that nothing more is sent, and takes what still comes until then (16 MiB at most), for who sends all before it
 * reads our last answer. */
void channel_finish(struct channel *c, int64_t deadline_ms);

#endif
