/* server: sockets and threads of `plinth serve`: one thread for each connection, their number bounded, each with
 * deadlines.
 *
 * A connection has `timeout_ms` for its handshake, for each request's head, and, on top of a second for each 64 KiB,
 * for each body and answer; it may be idle for three times that (a second, when three quarters of all connections are
 * taken). Bodies share SERVER_BODIES_MAX bytes. When all connections are taken, more wait in the kernel's queue; one
 * address has half of either at most. */
#ifndef PLINTH_SERVE_SERVER_H
#define PLINTH_SERVE_SERVER_H

#include "tools/serve/broker.h"

#define SERVER_BODIES_MAX (128u << 20)
#define SERVER_GRACE_MS 10000 /* that requests in flight have after SIGTERM */

struct server {
    struct broker *broker;
    struct rates *rates;
    SSL_CTX *tls; /* NULL: bare HTTP */
    unsigned connections;
    int64_t timeout_ms;
    int listener, stop[2];
};

/* "ADDR:PORT" or "[ADDR]:PORT", numbers; port 0 is any. *name is the address alone, `shown` "ADDR:PORT" with the real
 * port. ERR_USAGE. */
bool server_listen(struct server *s, const char *text, char name[static 64], char shown[static 80], struct err *e);
/* Until SIGTERM or SIGINT: these must be blocked. Then the listener is closed and requests in flight are finished.
 * *left: connections that were not, whose threads still run. ERR_SYSTEM. */
bool server_run(struct server *s, unsigned *left, struct err *e);

#endif
