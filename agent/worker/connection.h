/* connection: one HTTP/1.1 connection, over TCP or TLS, and the exchange of messages on it (RFC 9112).
 *
 * Every wait has an end: 10 s for each address of a host, 30 s of silence, and a whole deadline for heads. Network
 * faults are ERR_NETWORK; e->sys is ENOENT when the host's name does not exist, so that nobody tries again. */
#ifndef PLINTH_WORKER_CONNECTION_H
#define PLINTH_WORKER_CONNECTION_H

#include "base/writer.h"
#include "format/http.h"
#include "format/url.h"
#include "worker/tls.h"

struct connection {
    int fd; /* -1: closed */
    bool https, reused;
    bool connected; /* in the last connection_open the host took a TCP connection */
    char host[256];
    uint16_t port;
    uint8_t ip[16]; /* when host is an address */
    size_t ip_n;
    int64_t deadline_ms; /* monotonic, of the message being read; 0: none but silence */
    size_t taken;        /* of the bytes last looked at; they stay in place until the next look */
    size_t from, to;     /* plain HTTP: what `plain` holds */
    uint8_t head[HTTP_HEAD_MAX];
    struct tls tls;
    uint8_t plain[128 << 10]; /* plain HTTP; never touched otherwise */
};

/* Ready for a request to this origin: kept open from before, or new. Zeroed memory with fd -1 is a connection. */
bool connection_open(struct connection *c, const struct url *to, const struct tls_trust *trust, struct err *e);
void connection_close(struct connection *c);

struct response {
    struct http_head head; /* views into the connection, until its next request */
    struct connection *connection;
    struct http_chunks chunks;
    uint64_t seen; /* body bytes so far */
    bool done;     /* the whole body was read, and the connection may be used again unless it is closed */
};

/* What every request begins with: its line, and fields up to Accept without the CRLF behind it. */
void request_begin(const char *method, const struct url *to, const char *accept, struct writer *out);
/* Opens the connection, sends a whole request and reads the response's head; interim responses are skipped. ERR_FORMAT
 * for what is no HTTP/1.1 or has no end. When nothing at all came back on a kept connection the server had closed it:
 * then it asks once more, on a new one. */
bool connection_request(struct connection *c, const struct url *to, const struct tls_trust *trust, struct view request,
                        struct response *out, struct err *e);
/* The next bytes of the body, valid until the next call; empty at its end. A body cut short is ERR_NETWORK. */
bool response_read(struct response *r, struct view *bytes, struct err *e);
/* All of the body, of at most `max` bytes, into `a`, which keeps no more than it needs. ERR_FORMAT when there is more,
 * ERR_NETWORK when it is not there within `within_ms`. After an error the connection is closed. */
bool response_body(struct response *r, size_t max, int within_ms, struct arena *a, struct view *out, struct err *e);
/* Reads the rest away when it is short, so that the connection can be kept; else closes it. */
void response_drop(struct response *r);

#endif
