/* see server.h */
#include "tools/serve/server.h"

#include "base/clock.h"
#include "format/url.h"
#include "tools/serve/channel.h"
#include "tools/serve/vault.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK (JUDGE_STACK_MIN + (256u << 10)) /* of address space; token_sign and the judge's own */
#define BODY_FREE (64u << 10)                  /* of a body that is not counted */

struct guest {
    struct server *server;
    uint8_t address[16];
    char peer[INET6_ADDRSTRLEN];
    struct channel c;
    struct answer answer;
};

/* ---- one request ---- */

static const char *status_text(unsigned status) {
    static const struct {
        unsigned status;
        const char *text;
    } all[] = {{200, "OK"},
               {400, "Bad Request"},
               {401, "Unauthorized"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {409, "Conflict"},
               {411, "Length Required"},
               {413, "Content Too Large"},
               {414, "URI Too Long"},
               {417, "Expectation Failed"},
               {429, "Too Many Requests"},
               {431, "Request Header Fields Too Large"},
               {503, "Service Unavailable"},
               {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == status) return all[i].text;
    return "";
}

static int64_t deadline(const struct server *s, size_t n) {
    return clock_ms() + s->timeout_ms + (int64_t)(n >> 16) * 1000;
}

static bool send_answer(struct guest *g, bool keep) {
    struct answer *a = &g->answer;
    char first[8192];
    struct err e;
    int n = snprintf(
        first, sizeof first,
        "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nConnection: %s\r\n",
        a->status, status_text(a->status), a->type, a->body.n, keep ? "keep-alive" : "close");
    if (a->cookie[0]) n += snprintf(first + n, sizeof first - (size_t)n, "Set-Cookie: %s\r\n", a->cookie);
    if (a->retry_after) n += snprintf(first + n, sizeof first - (size_t)n, "Retry-After: %u\r\n", a->retry_after);
    n += snprintf(first + n, sizeof first - (size_t)n, "\r\n");
    size_t with = a->body.n <= sizeof first - (size_t)n ? a->body.n : 0; /* one record, one packet */
    if (with) memcpy(first + n, a->body.p, with);
    int64_t until = deadline(g->server, a->body.n);
    bool ok = channel_send(&g->c, view_of(first, (size_t)n + with), until, &e) &&
              channel_send(&g->c, view_skip(writer_view(&a->body), with), until, &e);
    answer_drop(a);
    return ok;
}

/* The body, and the exchange. *keep: the connection can go on. */
static void exchange(struct guest *g, const struct request *r, bool *keep) {
    struct server *s = g->server;
    size_t n = (size_t)r->head.length, max = 0;
    struct err e;
    bool tell;
    *keep = false;
    if (!rates_request(s->rates, g->address, clock_ms(), &tell)) {
        struct audit_line line = {.peer = g->peer, .what = "request", .verdict = "limited"};
        atomic_fetch_add(&s->broker->counts[COUNT_LIMITED], 1);
        if (tell) audit_write(&s->broker->audit, &line);
        uint8_t away[BROKER_AUTH_MAX]; /* the connection goes on: a new one costs us more */
        *keep =
            r->head.keep_alive && n <= sizeof away && !r->expects && channel_body(&g->c, away, n, deadline(s, n), &e);
        broker_refuse(&g->answer, 429, "TooManyRequests", "too many requests from this address; come back later");
        return;
    }
    if (!broker_body_max(r, &max, &g->answer)) {
        *keep = !n && r->head.keep_alive;
        return;
    }
    if (r->head.length > max) {
        broker_refuse(&g->answer, 413, "InvalidRequestPath", "a body of more than %zu bytes", max);
        return;
    }
    size_t counted = n > BODY_FREE ? n : 0;
    bool reserved = !counted || rates_reserve(s->rates, g->address, n);
    uint8_t *body = reserved ? malloc(n + 1) : NULL;
    if (!body) {
        if (reserved && counted) rates_give_back(s->rates, g->address, n);
        broker_refuse(&g->answer, 503, "PluginInternalError", "too many large requests at a time");
        return;
    }
    bool ok = (!r->expects || channel_send(&g->c, VIEW("HTTP/1.1 100 Continue\r\n\r\n"), deadline(s, 0), &e)) &&
              channel_body(&g->c, body, n, deadline(s, n), &e);
    if (ok) broker_answer(s->broker, r, view_of(body, n), g->peer, &g->answer);
    if (max == VAULT_RESOURCE_MAX) OPENSSL_cleanse(body, n); /* a secret */
    free(body);
    if (counted) rates_give_back(s->rates, g->address, n);
    *keep = ok && r->head.keep_alive;
}

static bool stopping(const struct server *s) {
    struct pollfd p = {.fd = s->stop[0], .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* False: the connection ends here. */
static bool serve_one(struct guest *g) {
    struct server *s = g->server;
    struct request r = {0};
    struct view head;
    struct err e;
    bool busy = s->broker->active > s->connections / 4 * 3, keep = false, oversize = false;
    if (!channel_head(&g->c, busy ? 1000 : 3 * s->timeout_ms, s->timeout_ms, &head, &e)) {
        oversize = e.kind == ERR_FORMAT;
        if (!oversize) return false;
    }
    atomic_fetch_add(&s->broker->counts[COUNT_REQUESTS], 1);
    if (oversize || !request_parse(head, &r, &e))
        broker_refuse(&g->answer, oversize ? 431 : r.refuse, "InvalidRequestPath", "%s", e.text);
    else
        exchange(g, &r, &keep);
    keep = keep && !stopping(s);
    if (!g->answer.status) return false; /* the body never came */
    bool sent = send_answer(g, keep);
    g->answer.status = 0;
    if (sent && !keep) channel_finish(&g->c, clock_ms() + 2000);
    return sent && keep;
}

static void *serve_guest(void *of) {
    struct guest *g = of;
    struct server *s = g->server;
    struct err e;
    if (channel_open(&g->c, g->c.fd, s->stop[0], s->tls, clock_ms() + s->timeout_ms, &e))
        while (serve_one(g)) {
        }
    channel_close(&g->c);
    answer_drop(&g->answer);
    rates_disconnect(s->rates, g->address);
    OPENSSL_cleanse(g->c.bytes, g->c.have); /* tokens */
    free(g);
    OPENSSL_thread_stop();
    atomic_fetch_sub(&s->broker->active, 1);
    return NULL;
}

/* ---- the listener ---- */

bool server_listen(struct server *s, const char *text, char name[static 64], char shown[static 80], struct err *e) {
    char whole[128];
    struct url u;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage storage;
    } a = {0};
    socklen_t size = sizeof a.v4;
    s->listener = s->stop[0] = s->stop[1] = -1;
    uint64_t port;
    struct view before = view_str(text), last = {0};
    for (size_t i = strlen(text); i-- > 0 && !last.p;)
        if (text[i] == ':') last = view_of(text + i + 1, strlen(text) - i - 1), before = view_of(text, i);
    /* url_parse knows brackets; but a port of 0, which any free one stands for, it refuses. */
    bool ok = last.n && view_u64(last, 65535, &port) &&
              snprintf(whole, sizeof whole, "https://%.*s:1", VIEW_ARG(before)) < (int)sizeof whole &&
              url_parse(view_str(whole), &u, e) && view_to_str(u.host, name, 64);
    if (ok && inet_pton(AF_INET, name, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET, a.v4.sin_port = htons((uint16_t)port);
    } else if (ok && inet_pton(AF_INET6, name, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6, a.v6.sin6_port = htons((uint16_t)port);
        size = sizeof a.v6;
    } else {
        err_set(e, ERR_USAGE, "--listen: '%.80s' is no address and port", text);
        return err_mend(e, "for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080");
    }
    int one = 1, fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 || bind(fd, &a.any, size) < 0 ||
        listen(fd, 1024) < 0 || getsockname(fd, &a.any, &size) < 0 || pipe2(s->stop, O_CLOEXEC) < 0) {
        err_sys(e, "cannot listen on %s", text);
        if (fd >= 0) close(fd);
        return false;
    }
    s->listener = fd;
    bool v6 = a.any.sa_family == AF_INET6;
    snprintf(shown, 80, v6 ? "[%s]:%u" : "%s:%u", name, ntohs(v6 ? a.v6.sin6_port : a.v4.sin_port));
    return true;
}

static void take(struct server *s, const pthread_attr_t *attributes) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int one = 1, fd = accept4(s->listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct guest *g = malloc(sizeof *g); /* not zeroed: a request's head is large */
    bool tell = false, counted = false;
    pthread_t thread;
    if (g) {
        g->server = s, g->c.fd = fd, g->c.ssl = NULL, g->answer.body = (struct writer){0}, g->answer.status = 0;
        rate_address(&peer, g->address);
        bool v4 = !memcmp(g->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        const void *in = v4 ? (const void *)(g->address + 12) : &((struct sockaddr_in6 *)&peer)->sin6_addr;
        if (!inet_ntop(v4 ? AF_INET : AF_INET6, in, g->peer, sizeof g->peer)) g->peer[0] = 0;
        counted = rates_connect(s->rates, g->address, clock_ms(), &tell);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!counted) atomic_fetch_add(&s->broker->counts[COUNT_LIMITED], 1);
        struct audit_line line = {.peer = g->peer, .what = "connection", .verdict = "limited"};
        if (tell) audit_write(&s->broker->audit, &line);
    }
    if (counted) {
        atomic_fetch_add(&s->broker->counts[COUNT_CONNECTIONS], 1);
        atomic_fetch_add(&s->broker->active, 1);
        if (pthread_create(&thread, attributes, serve_guest, g) == 0) return;
        atomic_fetch_sub(&s->broker->active, 1);
        rates_disconnect(s->rates, g->address);
    }
    free(g);
    close(fd);
}

bool server_run(struct server *s, unsigned *left, struct err *e) {
    sigset_t ends;
    pthread_attr_t attributes;
    struct rlimit files;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM), sigaddset(&ends, SIGINT);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || pthread_attr_init(&attributes) ||
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) ||
        pthread_attr_setstacksize(&attributes, STACK))
        return err_sys(e, "cannot start");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        rlim_t want = s->connections + 256u; /* and one file each is read now and then */
        if (files.rlim_cur < want)
            files.rlim_cur = want < files.rlim_max ? want : files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
        if (files.rlim_cur < want && files.rlim_cur > 256) s->connections = (unsigned)files.rlim_cur - 256;
    }
    for (;;) {
        bool full = s->broker->active >= s->connections;
        struct pollfd p[2] = {{.fd = signals, .events = POLLIN}, {.fd = full ? -1 : s->listener, .events = POLLIN}};
        if (poll(p, 2, full ? 10 : -1) < 0 && errno != EINTR) break;
        if (p[0].revents) break;
        if (p[1].revents) take(s, &attributes);
    }
    close(s->listener);
    close(s->stop[1]); /* every idle connection sees it */
    int64_t until = clock_ms() + SERVER_GRACE_MS;
    while (s->broker->active && clock_ms() < until) usleep(5000);
    *left = (unsigned)s->broker->active;
    close(signals);
    pthread_attr_destroy(&attributes);
    return true;
}
