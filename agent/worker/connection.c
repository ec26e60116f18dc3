/* see connection.h */
#include "worker/connection.h"

#include "base/version.h"
#include "worker/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000
#ifndef IDLE_MS /* tests shorten it */
#define IDLE_MS 30000
#endif
#define HEAD_MS 30000
#define ADDRESSES_MAX 8

static bool failed(struct err *e, const char *what, const char *host) {
    err_sys(e, "%s %s", what, host);
    e->kind = ERR_NETWORK;
    return false;
}

/* ---- Bytes over the socket ---- */

static bool wait_for(struct connection *c, short events, struct err *e) {
    int64_t ms = IDLE_MS, left = c->deadline_ms ? c->deadline_ms - clock_ms() : ms;
    if (left < ms) ms = left < 0 ? 0 : left;
    struct pollfd p = {.fd = c->fd, .events = events};
    int n = poll(&p, 1, (int)ms);
    if (n > 0 || (n < 0 && errno == EINTR)) return true;
    if (n < 0) return failed(e, "waiting for", c->host);
    return left < IDLE_MS ? err_set(e, ERR_NETWORK, "%s answers too slowly", c->host)
                          : err_set(e, ERR_NETWORK, "%s has sent nothing for %d s", c->host, IDLE_MS / 1000);
}

static bool send_some(void *state, struct view bytes, size_t *sent, struct err *e) {
    struct connection *c = state;
    for (;;) {
        ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n >= 0) {
            *sent = (size_t)n;
            return true;
        }
        if (errno != EAGAIN && errno != EINTR) return failed(e, "sending to", c->host);
        if (errno == EAGAIN && !wait_for(c, POLLOUT, e)) return false;
    }
}

/* The deadline is looked at here too: bytes that trickle in never let wait_for expire. */
static bool receive_some(void *state, uint8_t *p, size_t size, size_t *got, struct err *e) {
    struct connection *c = state;
    for (;;) {
        ssize_t n = recv(c->fd, p, size, 0);
        if (n >= 0) {
            *got = (size_t)n;
            return !c->deadline_ms || clock_ms() < c->deadline_ms ||
                   err_set(e, ERR_NETWORK, "%s answers too slowly", c->host);
        }
        if (errno != EAGAIN && errno != EINTR) return failed(e, "receiving from", c->host);
        if (errno == EAGAIN && !wait_for(c, POLLIN, e)) return false;
    }
}

/* ---- Opening ---- */

static int connect_one(const struct addrinfo *a, struct err *e) {
    char name[64] = "?";
    getnameinfo(a->ai_addr, a->ai_addrlen, name, sizeof name, NULL, 0, NI_NUMERICHOST);
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0, one = 1;
    if (fd < 0 || (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)) {
        error = errno;
    } else {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        socklen_t n = sizeof error;
        if (poll(&p, 1, CONNECT_MS) <= 0)
            error = ETIMEDOUT;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
    }
    if (error == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        return fd;
    }
    if (fd >= 0) close(fd);
    errno = error;
    failed(e, "connecting to", name);
    return -1;
}

static bool connect_tcp(struct connection *c, struct err *e) {
    char port[8];
    snprintf(port, sizeof port, "%u", c->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    int code = getaddrinfo(c->host, port, &hints, &list);
    if (code) {
        err_set(e, ERR_NETWORK, "the name %s cannot be resolved: %s", c->host, gai_strerror(code));
        if (code == EAI_NONAME) e->sys = ENOENT;
        return false;
    }
    int tries = 0;
    for (const struct addrinfo *a = list; a && c->fd < 0 && tries < ADDRESSES_MAX; a = a->ai_next, tries++)
        c->fd = connect_one(a, e);
    freeaddrinfo(list);
    return c->fd >= 0 || err_in(e, "%s port %u", c->host, c->port);
}

void connection_close(struct connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

bool connection_open(struct connection *c, const struct url *to, const struct tls_trust *trust, struct err *e) {
    bool same = c->https == to->https && c->port == to->port && view_eq_nocase(view_str(c->host), to->host);
    c->reused = same && c->fd >= 0;
    if (c->reused) return true;
    connection_close(c);
    if (!same) c->tls.resumable = false;
    c->https = to->https;
    c->port = to->port;
    if (!view_to_str(to->host, c->host, sizeof c->host))
        return err_set(e, ERR_FORMAT, "a host name of %zu bytes", to->host.n);
    c->ip_n = inet_pton(AF_INET, c->host, c->ip) == 1 ? 4 : inet_pton(AF_INET6, c->host, c->ip) == 1 ? 16 : 0;
    c->taken = c->from = c->to = 0;
    c->deadline_ms = 0;
    c->tls.heard = false;
    c->connected = connect_tcp(c, e);
    if (!c->connected) return false;
    c->deadline_ms = clock_ms() + IDLE_MS;
    struct tls_io io = {c, send_some, receive_some};
    if (!c->https || tls_open(&c->tls, trust, c->host, view_of(c->ip, c->ip_n), io, e)) return true;
    connection_close(c);
    return false;
}

/* ---- A stream of bytes, plain or TLS ---- */

static bool write_all(struct connection *c, struct view bytes, struct err *e) {
    if (c->https) return tls_write(&c->tls, bytes, e);
    for (size_t sent; bytes.n; bytes = view_skip(bytes, sent))
        if (!send_some(c, bytes, &sent, e)) return false;
    return true;
}

/* What is there and was not taken; waits for at least one byte; empty at the end of the stream. */
static bool look(struct connection *c, struct view *bytes, struct err *e) {
    size_t taken = c->taken;
    c->taken = 0;
    if (c->https) {
        tls_skip(&c->tls, taken);
        return tls_peek(&c->tls, bytes, e);
    }
    c->from += taken;
    if (c->from == c->to) {
        c->from = c->to = 0;
        if (!receive_some(c, c->plain, sizeof c->plain, &c->to, e)) return false;
    }
    *bytes = view_of(c->plain + c->from, c->to - c->from);
    return true;
}

/* ---- Messages ---- */

/* Collects one head into c->head. *n is what came even when this fails. */
static bool read_head(struct connection *c, struct http_head *out, size_t *n, struct err *e) {
    size_t length = 0;
    *n = 0;
    while (!length) {
        struct view bytes;
        if (!look(c, &bytes, e)) return false;
        if (bytes.n == 0) return err_set(e, ERR_NETWORK, "%s closed the connection without an answer", c->host);
        if (*n == HTTP_HEAD_MAX)
            return err_set(e, ERR_FORMAT, "%s sends a response head without end (over %u bytes)", c->host,
                           HTTP_HEAD_MAX);
        bytes = view_first(bytes, HTTP_HEAD_MAX - *n);
        memcpy(c->head + *n, bytes.p, bytes.n);
        length = http_head_length(view_of(c->head, *n + bytes.n), *n);
        c->taken = length ? length - *n : bytes.n;
        *n += bytes.n;
        /* Anything but HTTP is told at once, not after 32 KiB or a timeout. */
        if (*n >= 5 && memcmp(c->head, "HTTP/", 5) != 0) break;
    }
    return http_head_parse(view_of(c->head, length ? length : *n), out, e) || err_in(e, "%s", c->host);
}

void request_begin(const char *method, const struct url *to, const char *accept, struct writer *out) {
    write_text(out, method);
    write_u8(out, ' ');
    url_target(to, out);
    write_text(out, " HTTP/1.1\r\nHost: ");
    write_bytes(out, to->authority);
    write_text(out, "\r\nUser-Agent: plinth/");
    write_text(out, plinth_version);
    write_text(out, "\r\nAccept-Encoding: identity\r\nAccept: ");
    write_text(out, accept);
}

static bool exchange(struct connection *c, struct view request, struct response *out, bool *stale, struct err *e) {
    size_t n = 0;
    struct http_head head;
    c->deadline_ms = clock_ms() + HEAD_MS;
    bool ok = write_all(c, request, e) && read_head(c, &head, &n, e);
    *stale = !ok && c->reused && n == 0 && e->kind == ERR_NETWORK;
    for (int interim = 0; ok && head.status < 200; interim++)
        ok = interim < 5 ? read_head(c, &head, &n, e)
                         : err_set(e, ERR_FORMAT, "%s sends interim responses without end", c->host);
    if (!ok) {
        connection_close(c);
        return false;
    }
    *out = (struct response){.head = head, .connection = c, .done = head.framing == HTTP_NONE};
    return true;
}

bool connection_request(struct connection *c, const struct url *to, const struct tls_trust *trust, struct view request,
                        struct response *out, struct err *e) {
    bool stale = true;
    while (stale) {
        if (!connection_open(c, to, trust, e)) return false;
        if (exchange(c, request, out, &stale, e)) return true;
    }
    return false;
}

static bool cut_short(struct response *r, struct err *e) {
    return err_set(e, ERR_NETWORK, "%s closed the connection after %llu bytes of the body", r->connection->host,
                   (unsigned long long)r->seen);
}

bool response_read(struct response *r, struct view *bytes, struct err *e) {
    struct connection *c = r->connection;
    struct view in, body = {0};
    bool ok = true;
    if (r->head.framing == HTTP_LENGTH && r->seen == r->head.length) r->done = true;
    while (ok && !r->done && body.n == 0) {
        ok = look(c, &in, e);
        if (!ok) break;
        if (in.n == 0) {
            r->done = r->head.framing == HTTP_CLOSE;
            ok = r->done || cut_short(r, e);
        } else if (r->head.framing == HTTP_CHUNKED) {
            struct view rest = in;
            ok = http_chunks_next(&r->chunks, &rest, &body, &r->done, e) || err_in(e, "%s", c->host);
            c->taken = in.n - rest.n;
        } else {
            uint64_t left = r->head.framing == HTTP_LENGTH ? r->head.length - r->seen : UINT64_MAX;
            body = view_first(in, left < in.n ? (size_t)left : in.n);
            c->taken = body.n;
        }
    }
    r->seen += body.n;
    if (!ok || (r->done && body.n == 0 && !r->head.keep_alive)) connection_close(c);
    *bytes = body;
    return ok;
}

bool response_body(struct response *r, size_t max, int within_ms, struct arena *a, struct view *out, struct err *e) {
    uint8_t *p = arena_alloc(a, max);
    struct writer w = writer_of(p, max);
    struct view bytes = {0};
    bool ok = p || arena_full(a, e);
    r->connection->deadline_ms = clock_ms() + within_ms;
    do {
        ok = ok && response_read(r, &bytes, e);
        if (ok) write_bytes(&w, bytes);
        if (w.full)
            ok = err_set(e, ERR_FORMAT, "%s answers with more than the %zu bytes that are allowed here",
                         r->connection->host, max);
    } while (ok && bytes.n);
    if (!ok) {
        connection_close(r->connection);
        return false;
    }
    a->used = (size_t)(p - a->base) + ((w.n + 15) & ~(size_t)15); /* the rest was never touched: give it back */
    *out = writer_view(&w);
    return true;
}

void response_drop(struct response *r) {
    struct err ignored;
    struct view bytes = {0};
    while (!r->done && r->seen <= 65536 && response_read(r, &bytes, &ignored) && bytes.n) {
    }
    if (!r->done || !r->head.keep_alive) connection_close(r->connection);
}
