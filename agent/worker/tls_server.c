/* see tls_server.h */
#include "worker/tls_server.h"

#include "base/reader.h"
#include "crypto/hash.h"
#include "crypto/private_key.h"
#include "crypto/wipe.h"
#include "tee/ratls.h"
#include "worker/confine.h"
#include "worker/frame.h"
#include "worker/worker.h"

#include <bearssl_ssl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TLS_TURN 16u /* records of one connection before the next one's */

enum phase { FREE, HANDSHAKE, CONNECTING, OPEN, CLOSING };

struct link {
    enum phase phase;
    int client, backend; /* backend -1: not yet, or no longer */
    int64_t heard, deadline;
    br_ssl_server_context tls;
    uint8_t in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
};

static struct server {
    struct private_key key;
    uint16_t forward;
    br_ec_private_key signer;
    br_x509_certificate chain;
    struct link links[TLS_LINKS_MAX];
} server; /* large: pages that are not used are not there */

/* ---- One connection ---- */

static void configure(struct link *l) {
    static const uint16_t suites[] = {
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    };
    br_ssl_engine_context *engine = &l->tls.eng;
    br_ssl_server_zero(&l->tls);
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_all_flags(engine, BR_OPT_NO_RENEGOTIATION);
    br_ssl_engine_set_suites(engine, suites, sizeof suites / sizeof *suites);
    br_ssl_engine_set_ec(engine, &br_ec_p256_m31);
    br_ssl_engine_set_default_aes_gcm(engine);
    br_ssl_engine_set_default_chapol(engine);
    br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
    for (int i = HASH_SHA256; i <= HASH_SHA512; i++) br_ssl_engine_set_hash(engine, br_sha256_ID + i, hash_class(i));
    br_ssl_server_set_single_ec(&l->tls, &server.chain, 1, &server.signer, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
                                &br_ec_p256_m31, &br_ecdsa_i31_sign_asn1);
    br_ssl_engine_set_buffers_bidi(engine, l->in, sizeof l->in, l->out, sizeof l->out);
}

/* `proper`: both sides said that they are done. */
static void drop(struct link *l, bool proper) {
    const struct linger reset = {1, 0};
    if (l->backend >= 0 && !proper) setsockopt(l->backend, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (l->backend >= 0) close(l->backend);
    shutdown(l->client, SHUT_WR);
    close(l->client);
    wipe(l, sizeof *l); /* session keys, and what the container said */
    l->phase = FREE;
}

static void finish(struct link *l) {
    if (l->backend >= 0) close(l->backend);
    l->backend = -1;
    l->phase = CLOSING;
    l->heard = clock_ms();
    l->deadline = l->heard + TLS_CLOSE_MS;
    br_ssl_engine_close(&l->tls.eng);
}

static void begin(struct link *l, int client) {
    const int on = 1;
    uint8_t seed[32];
    l->client = client;
    l->backend = -1;
    l->phase = HANDSHAKE;
    l->heard = clock_ms();
    l->deadline = l->heard + TLS_HANDSHAKE_MS;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    configure(l);
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) return drop(l, false);
    br_ssl_engine_inject_entropy(&l->tls.eng, seed, sizeof seed);
    l->tls.eng.rng_os_rand_done = 1; /* else BearSSL would open /dev/urandom, which is death in here */
    br_ssl_server_reset(&l->tls);
}

static void connect_backend(struct link *l) {
    const int on = 1;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(server.forward), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->phase = CONNECTING;
    l->backend = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->backend < 0) return finish(l);
    setsockopt(l->backend, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(l->backend, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) finish(l);
}

static void connected(struct link *l) {
    int fault = 0;
    socklen_t n = sizeof fault;
    if (getsockopt(l->backend, SOL_SOCKET, SO_ERROR, &fault, &n) || fault) return finish(l);
    l->phase = OPEN;
}

enum { ENDED = -1, FAULT = -2 };

/* What recv or send gave: bytes moved, 0 for nothing now. */
static ssize_t moved(ssize_t n, bool receiving) {
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : FAULT;
    return n == 0 && receiving ? ENDED : n;
}

/* One step in each direction that is open. False: nothing moved, or the link is gone. */
static bool step(struct link *l) {
    br_ssl_engine_context *engine = &l->tls.eng;
    unsigned state = br_ssl_engine_current_state(engine);
    ssize_t sent = 0, total = 0, r;
    size_t n;
    uint8_t *p;
    if (state == BR_SSL_CLOSED) return drop(l, br_ssl_engine_last_error(engine) == BR_ERR_OK), false;
    if (l->phase == HANDSHAKE && state & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)) connect_backend(l);
    if ((p = br_ssl_engine_sendrec_buf(engine, &n))) {
        if ((sent = moved(send(l->client, p, n, MSG_NOSIGNAL), false)) < 0) return drop(l, false), false;
        if (sent) br_ssl_engine_sendrec_ack(engine, (size_t)sent);
    }
    if (l->phase == OPEN && (p = br_ssl_engine_recvapp_buf(engine, &n))) {
        r = moved(send(l->backend, p, n, MSG_NOSIGNAL), false);
        if (r < 0) r = (ssize_t)n; /* it takes no more, but may have said why */
        if (r) br_ssl_engine_recvapp_ack(engine, (size_t)r);
        total += r;
    }
    if ((p = br_ssl_engine_recvrec_buf(engine, &n))) {
        if ((r = moved(recv(l->client, p, n, 0), true)) < 0) return drop(l, l->phase == CLOSING), false;
        if (r) br_ssl_engine_recvrec_ack(engine, (size_t)r);
        total += r;
    }
    if (l->phase == OPEN && (p = br_ssl_engine_sendapp_buf(engine, &n))) {
        r = moved(recv(l->backend, p, n, 0), true);
        if (r == FAULT) return drop(l, false), false; /* without close_notify: the client shall not think it whole */
        if (r == ENDED) return finish(l), true;
        if (r) br_ssl_engine_sendapp_ack(engine, (size_t)r), br_ssl_engine_flush(engine, 0);
        total += r;
    }
    if (sent && l->phase == CLOSING) l->deadline = clock_ms() + TLS_CLOSE_MS;
    if (sent || (total && l->phase != CLOSING)) l->heard = clock_ms();
    return sent + total > 0;
}

/* What is ready, but no more of it than leaves the others their turn. */
static void serve(struct link *l, short client, short backend) {
    bool any = false;
    if (l->phase == CONNECTING && backend) connected(l);
    for (unsigned i = 0; i < TLS_TURN && step(l); i++) any = true;
    if (l->phase != FREE && !any && client & (POLLERR | POLLHUP)) drop(l, false);
}

static short client_events(struct link *l) {
    unsigned state = br_ssl_engine_current_state(&l->tls.eng);
    return (short)((state & BR_SSL_SENDREC ? POLLOUT : 0) | (state & BR_SSL_RECVREC ? POLLIN : 0));
}

static short backend_events(struct link *l) {
    unsigned state = br_ssl_engine_current_state(&l->tls.eng);
    if (l->phase != OPEN) return l->phase == CONNECTING ? POLLOUT : 0;
    return (short)((state & BR_SSL_RECVAPP ? POLLOUT : 0) | (state & BR_SSL_SENDAPP ? POLLIN : 0));
}

/* ---- All of them ---- */

static int64_t due(const struct link *l) {
    bool sending = br_ssl_engine_current_state(&l->tls.eng) & BR_SSL_SENDREC;
    return l->phase == HANDSHAKE || (l->phase == CLOSING && !sending) ? l->deadline : l->heard + TLS_IDLE_MS;
}

/* A free place, or that of whoever was silent for longest. *at: when there may be one, if NULL. */
static struct link *place(int64_t now, int64_t *at) {
    struct link *oldest = NULL;
    for (struct link *l = server.links; l < server.links + TLS_LINKS_MAX; l++) {
        if (l->phase == FREE) return l;
        if (!oldest || l->heard < oldest->heard) oldest = l;
    }
    *at = oldest->heard + TLS_EVICT_MS;
    return now >= *at ? oldest : NULL;
}

static void take(int listener) {
    int64_t at;
    struct link *l = place(clock_ms(), &at);
    int client = l ? accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
    if (client < 0) return;
    if (l->phase != FREE) drop(l, false);
    begin(l, client);
    serve(l, 0, 0);
}

static void run(int control, int listener) {
    static struct pollfd fds[2 + 2 * TLS_LINKS_MAX];
    for (;;) {
        int64_t now = clock_ms(), next = now + TLS_IDLE_MS, at;
        bool room = place(now, &at) != NULL;
        if (!room && at < next) next = at;
        fds[0] = (struct pollfd){control, 0, 0};
        fds[1] = (struct pollfd){room ? listener : -1, POLLIN, 0};
        for (size_t i = 0; i < TLS_LINKS_MAX; i++) {
            struct link *l = &server.links[i];
            if (l->phase != FREE && now >= due(l)) drop(l, false);
            bool used = l->phase != FREE;
            short backend = used ? backend_events(l) : 0;
            if (used && due(l) < next) next = due(l);
            fds[2 + 2 * i] = (struct pollfd){used ? l->client : -1, used ? client_events(l) : 0, 0};
            fds[3 + 2 * i] = (struct pollfd){backend ? l->backend : -1, backend, 0};
        }
        if (poll(fds, sizeof fds / sizeof *fds, (int)(next - now)) < 0) continue;
        if (fds[0].revents) return;
        for (size_t i = 0; i < TLS_LINKS_MAX; i++)
            if (fds[2 + 2 * i].revents | fds[3 + 2 * i].revents)
                serve(&server.links[i], fds[2 + 2 * i].revents, fds[3 + 2 * i].revents);
        if (fds[1].revents) take(listener);
    }
}

/* ---- The beginning ---- */

/* The monitor's evidence over our key. */
static bool ask(struct arena *a, struct view *evidence, struct err *e) {
    uint8_t *buffer = arena_alloc(a, FRAME_MAX);
    struct writer w = writer_of(arena_alloc(a, RATLS_EVIDENCE_MAX), RATLS_EVIDENCE_MAX);
    if (!buffer || !w.p) return arena_full(a, e);
    if (!frame_send(WORKER_CONTROL, FRAME_ASK, view_of(server.key.ec.point, TLS_POINT_SIZE), (struct view){0}, e))
        return false;
    for (struct frame f;;) {
        if (!frame_receive(WORKER_CONTROL, buffer, FRAME_MAX, 0, &f, e)) return false;
        if (f.type == FRAME_ERROR) return frame_error(f.payload, e);
        if (f.type == FRAME_END) break;
        write_bytes(&w, f.payload);
    }
    *evidence = writer_view(&w);
    return !w.full || err_set(e, ERR_SYSTEM, "the evidence is too long");
}

static bool prepare(struct arena *a, struct err *e) {
    uint8_t bytes[16];
    struct frame f;
    struct view evidence;
    struct writer der = writer_of(arena_alloc(a, RATLS_CERTIFICATE_MAX), RATLS_CERTIFICATE_MAX);
    if (!der.p) return arena_full(a, e);
    if (!frame_receive(WORKER_CONTROL, bytes, sizeof bytes, 0, &f, e)) return false;
    if (f.type != FRAME_TLS || f.payload.n != 2) return err_set(e, ERR_SYSTEM, "frame %d out of turn", (int)f.type);
    struct reader r = reader_of(f.payload);
    server.forward = read_le16(&r);
    if (!confine_connect(&server.forward, 1, e) || !confine_enter(CONFINE_TLS, e) ||
        !private_key_make(PRIVATE_EC_P256, &server.key, e) || !ask(a, &evidence, e) ||
        !ratls_certificate(&server.key, evidence, time(NULL), a, &der, e))
        return false;
    server.signer = (br_ec_private_key){BR_EC_secp256r1, server.key.ec.d, sizeof server.key.ec.d};
    server.chain = (br_x509_certificate){der.p, der.n};
    return true;
}

int tls_server_main(void) {
    struct err e = {0}, ignored;
    struct arena a = {0};
    if (!arena_make(&a, 1u << 20, &e) || !prepare(&a, &e)) {
        frame_send_error(WORKER_CONTROL, &e, &ignored);
        return 1;
    }
    run(WORKER_CONTROL, WORKER_INPUT);
    return 0;
}
