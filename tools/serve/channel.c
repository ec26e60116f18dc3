/* see channel.h */
#include "tools/serve/channel.h"

#include "base/clock.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MAX (16u << 20)

static bool wait_for(struct channel *c, short events) {
    struct pollfd p = {.fd = c->fd, .events = events};
    for (;;) {
        int64_t left = c->deadline_ms - clock_ms();
        if (left <= 0) return false;
        int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return false;
    }
}

/* -1: broken, or too late. 0: the peer closed. */
static ssize_t receive(struct channel *c, uint8_t *p, size_t n) {
    for (;;) {
        ssize_t got = recv(c->fd, p, n, 0);
        if (got >= 0) return got;
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return -1;
        if (!wait_for(c, POLLIN)) return -1;
    }
}

static ssize_t put(struct channel *c, const uint8_t *p, size_t n) {
    for (;;) {
        if (clock_ms() >= c->deadline_ms) return -1; /* also for a peer that takes one byte a second */
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return -1;
        if (!wait_for(c, POLLOUT)) return -1;
    }
}

static int bio_read(BIO *bio, char *p, int n) {
    struct channel *c = BIO_get_data(bio);
    return clock_ms() < c->deadline_ms ? (int)receive(c, (uint8_t *)p, (size_t)n) : -1;
}

static int bio_write(BIO *bio, const char *p, int n) {
    return (int)put(BIO_get_data(bio), (const uint8_t *)p, (size_t)n);
}

static long bio_control(BIO *bio, int command, long n, void *p) {
    (void)bio, (void)n, (void)p;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "plinth serve");
    if (method)
        BIO_meth_set_read(method, bio_read), BIO_meth_set_write(method, bio_write),
            BIO_meth_set_ctrl(method, bio_control);
}

static bool fails(struct channel *c, struct err *e, const char *what) {
    c->broken = true;
    ERR_clear_error();
    return err_set(e, ERR_NETWORK, "%s", what);
}

bool channel_open(struct channel *c, int fd, int stop, SSL_CTX *tls, int64_t deadline_ms, struct err *e) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    c->fd = fd, c->stop = stop, c->ssl = NULL, c->have = c->spent = 0, c->broken = false, c->deadline_ms = deadline_ms;
    if (!tls) return true;
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    c->ssl = SSL_new(tls);
    if (!bio || !c->ssl) {
        BIO_free(bio);
        return fails(c, e, "out of memory");
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    ERR_clear_error();
    return SSL_accept(c->ssl) == 1 || fails(c, e, "the TLS handshake failed");
}

void channel_close(struct channel *c) {
    if (c->ssl) SSL_free(c->ssl);
    c->ssl = NULL;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    ERR_clear_error();
}

static ssize_t read_some(struct channel *c, uint8_t *p, size_t n) {
    if (c->broken || clock_ms() >= c->deadline_ms) return -1;
    if (!c->ssl) return receive(c, p, n);
    size_t got;
    ERR_clear_error();
    if (SSL_read_ex(c->ssl, p, n, &got) == 1) return (ssize_t)got;
    return SSL_get_error(c->ssl, 0) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

/* Between requests: bytes, silence, or the end of the server. */
static bool wait_idle(struct channel *c) {
    if (c->ssl && SSL_has_pending(c->ssl)) return true;
    struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->stop, .events = POLLIN}};
    for (;;) {
        int64_t left = c->deadline_ms - clock_ms();
        if (left <= 0) return false;
        int n = poll(p, 2, left > 60000 ? 60000 : (int)left);
        if (n > 0) return !p[1].revents || p[0].revents; /* what came before the end is still answered */
        if (n < 0 && errno != EINTR) return false;
    }
}

bool channel_head(struct channel *c, int64_t idle_ms, int64_t head_ms, struct view *head, struct err *e) {
    size_t looked = 0;
    *e = (struct err){0};
    c->have -= c->spent;
    memmove(c->bytes, c->bytes + c->spent, c->have);
    OPENSSL_cleanse(c->bytes + c->have, c->spent); /* tokens */
    c->spent = 0;
    c->deadline_ms = clock_ms() + idle_ms;
    if (!c->have && !wait_idle(c)) return false;
    c->deadline_ms = clock_ms() + head_ms;
    for (;;) {
        size_t n = http_head_length(view_of(c->bytes, c->have), looked);
        if (n) {
            *head = view_of(c->bytes, n);
            c->spent = n;
            return true;
        }
        looked = c->have;
        if (c->have == sizeof c->bytes)
            return err_set(e, ERR_FORMAT, "a request head of more than %u bytes", REQUEST_HEAD_MAX);
        ssize_t got = read_some(c, c->bytes + c->have, sizeof c->bytes - c->have);
        if (got == 0 && !c->have) return false;
        if (got <= 0) return fails(c, e, "the request ended in its head, or came too slowly");
        c->have += (size_t)got;
    }
}

bool channel_body(struct channel *c, uint8_t *out, size_t n, int64_t deadline_ms, struct err *e) {
    size_t ahead = c->have - c->spent < n ? c->have - c->spent : n;
    if (ahead) memcpy(out, c->bytes + c->spent, ahead);
    c->spent += ahead;
    c->deadline_ms = deadline_ms;
    while (ahead < n) {
        ssize_t got = read_some(c, out + ahead, n - ahead);
        if (got <= 0) return fails(c, e, "the request ended in its body, or came too slowly");
        ahead += (size_t)got;
    }
    return true;
}

bool channel_send(struct channel *c, struct view bytes, int64_t deadline_ms, struct err *e) {
    c->deadline_ms = deadline_ms;
    while (bytes.n && !c->broken) {
        size_t part = bytes.n < 65536 ? bytes.n : 65536, sent = 0;
        ERR_clear_error();
        if (!c->ssl) {
            ssize_t n = put(c, bytes.p, part);
            sent = n > 0 ? (size_t)n : 0;
        } else if (SSL_write_ex(c->ssl, bytes.p, part, &sent) != 1) {
            sent = 0;
        }
        if (!sent) return fails(c, e, "the answer was not taken");
        bytes = view_skip(bytes, sent);
    }
    return !c->broken || fails(c, e, "the connection is broken");
}

void channel_finish(struct channel *c, int64_t deadline_ms) {
    uint8_t away[16384];
    if (c->broken) return;
    c->deadline_ms = deadline_ms;
    if (c->ssl) SSL_shutdown(c->ssl);
    shutdown(c->fd, SHUT_WR);
    for (size_t n = 0; n < DRAIN_MAX && clock_ms() < deadline_ms;) {
        ssize_t got = receive(c, away, sizeof away);
        if (got <= 0) break;
        n += (size_t)got;
    }
    ERR_clear_error();
}
