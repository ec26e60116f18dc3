/* see tls_peer.h */
#include "tools/appraise/tls_peer.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CERTIFICATES_TAKEN (256 << 10) /* OpenSSL's own limit is 100 KiB; what is too long shall be refused as that */

/* False when the moment has come first. */
static bool ready(int fd, short events, int64_t deadline) {
    struct pollfd p = {fd, events, 0};
    int64_t left = deadline - clock_ms();
    return left > 0 && poll(&p, 1, (int)left) == 1;
}

static bool split(const char *where, char host[256], const char **port, struct err *e) {
    const char *colon = strrchr(where, ':');
    size_t n = colon ? (size_t)(colon - where) : 0;
    bool bracketed = n > 2 && where[0] == '[' && where[n - 1] == ']';
    if (!n || !colon[1] || n > 255 || (!bracketed && memchr(where, ':', n)))
        return err_set(e, ERR_USAGE, "'%s' is not HOST:PORT (or [ADDRESS]:PORT)", where);
    snprintf(host, 256, "%.*s", (int)(bracketed ? n - 2 : n), where + bracketed);
    *port = colon + 1;
    return true;
}

static int connect_one(const struct addrinfo *to, int64_t deadline) {
    int fault = 0, fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n = sizeof fault;
    if (fd < 0) return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) return fd;
    if (errno == EINPROGRESS && !ready(fd, POLLOUT, deadline))
        fault = ETIMEDOUT;
    else if (errno != EINPROGRESS || getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &n))
        fault = errno;
    if (!fault) return fd;
    close(fd);
    errno = fault;
    return -1;
}

static int connect_to(const char *where, char host[256], struct err *e) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    const char *port = NULL;
    struct addrinfo *list;
    if (!split(where, host, &port, e)) return -1;
    int fd = -1, failed = getaddrinfo(host, port, &hints, &list);
    if (failed) return err_set(e, ERR_NETWORK, "%s: %s", host, gai_strerror(failed)), -1;
    for (const struct addrinfo *one = list; one && fd < 0; one = one->ai_next)
        fd = connect_one(one, clock_ms() + TLS_PEER_MS / 2);
    if (fd < 0) err_set(e, ERR_NETWORK, "cannot connect to %s: %s", where, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

static bool explain(const char *where, struct err *e) {
    unsigned long code = ERR_get_error();
    const char *text = ERR_reason_error_string(code);
    bool silent = !code || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (!silent && (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER || ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST))
        return err_set(e, ERR_FORMAT, "%s does not speak TLS", where);
    return silent ? err_set(e, ERR_NETWORK, "%s ended the TLS handshake", where)
                  : err_set(e, ERR_NETWORK, "the TLS handshake with %s failed: %s (%lu)", where,
                            text ? text : "no reason", code);
}

/* What the session wants to send, then (`more`) what the peer sends into it. */
static bool carry(SSL *s, int fd, bool more, int64_t deadline, const char *where, struct err *e) {
    unsigned char buffer[16384];
    BIO *in = SSL_get_rbio(s), *out = SSL_get_wbio(s);
    for (int n; (n = BIO_read(out, buffer, sizeof buffer)) > 0;)
        for (int at = 0; at < n;) {
            ssize_t done = send(fd, buffer + at, (size_t)(n - at), MSG_NOSIGNAL);
            if (done > 0)
                at += (int)done;
            else if (errno != EAGAIN || !ready(fd, POLLOUT, deadline))
                return err_set(e, ERR_NETWORK, "%s: cannot send to it: %s", where, strerror(errno));
        }
    if (!more) return true;
    if (!ready(fd, POLLIN, deadline)) return err_set(e, ERR_NETWORK, "%s does not go on with the TLS handshake", where);
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno != EAGAIN) return err_set(e, ERR_NETWORK, "%s: %s", where, strerror(errno));
    if (n == 0) BIO_set_mem_eof_return(in, 0);
    return n <= 0 || BIO_write(in, buffer, (int)n) == n || err_set(e, ERR_SYSTEM, "out of memory");
}

static bool shake(SSL *s, int fd, const char *where, struct err *e) {
    int64_t deadline = clock_ms() + TLS_PEER_MS;
    for (int r; (r = SSL_do_handshake(s)) != 1;) {
        int why = SSL_get_error(s, r);
        struct err said = {0};
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
            explain(where, e);
            carry(s, fd, false, deadline, where, &said); /* the alert */
            return false;
        }
        if (!carry(s, fd, why == SSL_ERROR_WANT_READ, deadline, where, e)) return false;
    }
    SSL_shutdown(s);
    return carry(s, fd, false, deadline, where, e);
}

static bool take_certificate(SSL *s, const char *where, struct arena *a, struct tls_peer *out, struct err *e) {
    unsigned char *der = NULL;
    X509 *cert = SSL_get0_peer_certificate(s);
    int n = cert ? i2d_X509(cert, &der) : 0;
    if (n <= 0) return err_set(e, ERR_FORMAT, "%s presents no certificate", where);
    out->certificate = arena_copy(a, view_of(der, (size_t)n));
    OPENSSL_free(der);
    snprintf(out->session, sizeof out->session, "%s, %s", SSL_get_version(s), SSL_get_cipher_name(s));
    return out->certificate.p || arena_full(a, e);
}

bool tls_peer_meet(const char *where, struct arena *a, struct tls_peer *out, struct err *e) {
    char host[256];
    unsigned char address[16];
    struct tls_peer peer;
    int fd = connect_to(where, host, e);
    if (fd < 0) return false;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *s = context ? SSL_new(context) : NULL;
    BIO *in = s ? BIO_new(BIO_s_mem()) : NULL, *sent = in ? BIO_new(BIO_s_mem()) : NULL;
    bool ok = sent != NULL || err_set(e, ERR_SYSTEM, "OpenSSL cannot begin a session");
    if (ok) {
        BIO_set_mem_eof_return(in, -1);
        SSL_set_bio(s, in, sent);
        SSL_set_min_proto_version(s, TLS1_2_VERSION);
        SSL_set_verify(s, SSL_VERIFY_NONE, NULL);
        SSL_set_max_cert_list(s, CERTIFICATES_TAKEN);
        bool numeric = inet_pton(AF_INET, host, address) == 1 || strchr(host, ':');
        if (!numeric) SSL_set_tlsext_host_name(s, host);
        SSL_set_connect_state(s);
        ERR_clear_error();
        ok = shake(s, fd, where, e) && take_certificate(s, where, a, &peer, e);
    } else {
        BIO_free(in);
    }
    SSL_free(s);
    SSL_CTX_free(context);
    close(fd);
    if (ok) *out = peer;
    return ok;
}
