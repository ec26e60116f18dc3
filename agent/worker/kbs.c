/* see kbs.h */
#include "worker/kbs.h"

#include "base/reader.h"
#include "worker/confine.h"
#include "worker/connection.h"
#include "worker/fetch.h"
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define COOKIE "kbs-session-id"
#define COOKIE_MAX 2048u
#define BEARER_MAX (16u << 10) /* a longer token would not fit a server's limit for heads: the cookie goes alone */
#define HEAD_MAX (URL_MAX + COOKIE_MAX + BEARER_MAX + 1024u)
#define CHALLENGE_BODY_MAX (64u << 10)
#define FAULT_BODY_MAX (16u << 10)
#ifndef BODY_MS /* tests shorten it */
#define BODY_MS 30000
#endif
#define RETRIES 3
#define RETRY_MS 45000 /* no new attempt after so long */
#define KEEP_MS 1000   /* a connection is kept so long between requests */
#define REQUEST_ARENA (48u << 20)

struct kbs {
    struct tls_trust trust;
    struct view url;       /* without a '/' at its end */
    uint8_t *frame;        /* FRAME_MAX bytes */
    uint8_t *target;       /* URL_MAX */
    uint8_t *token_memory; /* KBS_TOKEN_MAX */
    struct writer request; /* head and body */
    struct view token;
    char cookie[COOKIE_MAX];
    struct arena arena; /* of one request */
    bool denied;        /* it was answered with 401, and this is what the KBS says of that */
    struct view said;
    struct connection connection;
};

/* ---- What it answers ---- */

bool kbs_parse_challenge(struct view body, struct arena *a, struct kbs_challenge *out, struct err *e) {
    const json *root;
    struct kbs_challenge c = {0};
    if (!json_parse(body, a, &root, e) || !json_need_text(root, "nonce", "challenge", &c.nonce, e)) return false;
    if (c.nonce.n > RCAR_NONCE_MAX)
        return err_set(e, ERR_FORMAT, "challenge: a nonce of %zu characters, at most %u are taken", c.nonce.n,
                       RCAR_NONCE_MAX);
    c.plinth = json_is_string(json_get(json_get(root, "extra-params"), "plinth"));
    *out = c;
    return true;
}

bool kbs_parse_token(struct view body, struct arena *a, struct view *token, struct err *e) {
    const json *root;
    struct view text;
    if (!json_parse(body, a, &root, e) || !json_need_text(root, "token", "attestation", &text, e)) return false;
    if (text.n == 0 || text.n > KBS_TOKEN_MAX || !view_is_word(text, "-_."))
        return err_set(e, ERR_FORMAT, "attestation: a token of %zu bytes that is no JWT of at most %u", text.n,
                       KBS_TOKEN_MAX);
    *token = text;
    return true;
}

struct view kbs_parse_fault(struct view body, struct arena *a) {
    const json *root;
    struct err ignored;
    struct view detail = {0};
    if (json_parse(body, a, &root, &ignored)) detail = json_text(json_get(root, "detail"));
    return view_first(detail.n ? detail : view_trim(body), 200);
}

bool kbs_parse_cookie(struct view field, struct view *value) {
    struct view pair = view_cut(&field, ';', NULL), name = view_trim(view_cut(&pair, '=', NULL)), v = view_trim(pair);
    for (size_t i = 0; i < v.n; i++) /* cookie-octet, RFC 6265 section 4.1.1 */
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || strchr("\",;\\", v.p[i])) return false;
    if (!view_is(name, COOKIE) || v.n == 0 || v.n >= COOKIE_MAX) return false;
    *value = v;
    return true;
}

/* ---- One request, one answer ---- */

/* The head of a request; its body of `size` bytes is the caller's to append. */
static bool begin(struct kbs *k, const char *method, const char *path, struct view rest, size_t size, struct url *u,
                  struct err *e) {
    struct writer t = writer_of(k->target, URL_MAX), *w = &k->request;
    write_bytes(&t, k->url);
    write_text(&t, path);
    write_bytes(&t, rest);
    if (t.full) return err_set(e, ERR_FORMAT, "a URL of more than %zu bytes", t.size);
    if (!url_parse(writer_view(&t), u, e)) return false;
    *w = writer_of(w->p, w->size);
    request_begin(method, u, "application/json", w);
    if (k->cookie[0]) {
        write_text(w, "\r\nCookie: " COOKIE "=");
        write_text(w, k->cookie);
    }
    if (k->token.n && k->token.n <= BEARER_MAX) {
        write_text(w, "\r\nAuthorization: Bearer ");
        write_bytes(w, k->token);
    }
    if (method[0] == 'P') {
        write_text(w, "\r\nContent-Type: application/json\r\nContent-Length: ");
        write_dec(w, size);
    }
    write_text(w, "\r\n\r\n");
    return true;
}

/* An answer that is none. k->denied is set for 401, and *e is not. */
static bool take_fault(struct kbs *k, struct response *r, struct err *e) {
    unsigned status = r->head.status;
    const char *host = k->connection.host;
    struct err ignored;
    if (status >= 300 && status < 400) {
        connection_close(&k->connection);
        err_set(e, ERR_FORMAT, "%s redirects (%u): a KBS is where the policy says", host, status);
        return err_mend(e, "set kbs.url of the policy to where it is");
    }
    struct view body;
    if (response_body(r, FAULT_BODY_MAX, BODY_MS, &k->arena, &body, &ignored))
        k->said = kbs_parse_fault(body, &k->arena);
    k->denied = status == 401;
    if (k->denied) return false;
    enum err_kind kind = status == 429 || status >= 500   ? ERR_NETWORK
                         : status == 403 || status == 404 ? ERR_POLICY
                                                          : ERR_FORMAT;
    return err_set(e, kind, "%s answers %u%s%.*s", host, status, k->said.n ? ": " : "", VIEW_ARG(k->said));
}

static bool try_once(struct kbs *k, const struct url *u, size_t max, struct response *r, struct view *body,
                     struct err *e) {
    if (!connection_request(&k->connection, u, &k->trust, writer_view(&k->request), r, e)) return false;
    if (r->head.status != 200) return take_fault(k, r, e);
    return response_body(r, max, BODY_MS, &k->arena, body, e);
}

/* What stands in k->request, and its answer's body of at most `max` bytes. */
static bool exchange(struct kbs *k, const struct url *u, size_t max, struct response *r, struct view *body,
                     struct err *e) {
    int64_t since = clock_ms();
    if (k->request.full) return err_set(e, ERR_FORMAT, "a request of more than %zu bytes", k->request.size);
    for (unsigned n = 0;; n++) {
        char text[400];
        k->arena.used = 0;
        k->said.n = 0;
        if (try_once(k, u, max, r, body, e)) return true;
        if (k->denied || e->kind != ERR_NETWORK || e->sys == ENOENT) return false;
        if (n == RETRIES || clock_ms() - since > RETRY_MS) return n ? err_in(e, "after %u attempts", n + 1) : false;
        snprintf(text, sizeof text, "KBS: %.300s; trying again in %u s", e->text, 1u << n);
        fetch_note(text);
        nanosleep(&(struct timespec){.tv_sec = 1 << n}, NULL);
    }
}

/* ---- What the monitor asks for ---- */

static bool send_challenge(const struct kbs_challenge *c, struct err *e) {
    uint8_t bytes[16 + RCAR_NONCE_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    kbs_challenge_encode(c, &w);
    return fetch_send(FRAME_CHALLENGE, writer_view(&w), (struct view){0}, e);
}

static bool take_cookie(struct kbs *k, const struct http_head *h, struct err *e) {
    struct view field, value;
    for (size_t at = 0; http_field(h, "set-cookie", &at, &field);)
        if (kbs_parse_cookie(field, &value)) return view_to_str(value, k->cookie, sizeof k->cookie);
    return err_set(e, ERR_FORMAT, "%s begins no session (no cookie " COOKIE ")", k->connection.host);
}

static bool authenticate(struct kbs *k, struct view request, struct err *e) {
    struct url u;
    struct response r;
    struct view body;
    struct kbs_challenge c;
    k->cookie[0] = 0;
    k->token.n = 0;
    if (!begin(k, "POST", "/kbs/v0/auth", (struct view){0}, request.n, &u, e)) return false;
    write_bytes(&k->request, request);
    return exchange(k, &u, CHALLENGE_BODY_MAX, &r, &body, e) && take_cookie(k, &r.head, e) &&
           kbs_parse_challenge(body, &k->arena, &c, e) && send_challenge(&c, e);
}

static bool attest(struct kbs *k, uint32_t size, struct err *e) {
    struct url u;
    struct response r;
    struct frame f;
    struct view body, token;
    if (!begin(k, "POST", "/kbs/v0/attest", (struct view){0}, size, &u, e)) return false;
    for (uint32_t n = 0; n < size; n += (uint32_t)f.payload.n) {
        if (!frame_receive(WORKER_CONTROL, k->frame, FRAME_MAX, 0, &f, e)) return false;
        if (f.type != FRAME_DATA || f.payload.n > size - n)
            return err_set(e, ERR_SYSTEM, "a malformed request to attest");
        write_bytes(&k->request, f.payload);
    }
    if (!exchange(k, &u, KBS_TOKEN_MAX + 64, &r, &body, e) || !kbs_parse_token(body, &k->arena, &token, e))
        return false;
    memcpy(k->token_memory, token.p, token.n);
    k->token = view_of(k->token_memory, token.n);
    return fetch_send(FRAME_END, (struct view){0}, (struct view){0}, e);
}

/* Four thirds of the resource, and the rest of the JWE. */
static bool resource(struct kbs *k, uint32_t max, struct view path, struct err *e) {
    struct url u;
    struct response r;
    struct view body;
    struct jwe *j;
    uint8_t bytes[KBS_PROTECTED_MAX + PRIVATE_RSA_MAX + 256];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (!begin(k, "GET", "/kbs/v0/resource/", path, 0, &u, e) ||
        !exchange(k, &u, (size_t)max / 3 * 4 + 2 * KBS_PROTECTED_MAX, &r, &body, e))
        return false;
    if (!(j = arena_alloc(&k->arena, sizeof *j))) return arena_full(&k->arena, e);
    if (!jwe_parse(body, true, &k->arena, j, e)) return err_in(e, "%s", k->connection.host);
    if (j->ciphertext.n > max)
        return err_set(e, ERR_FORMAT, "%zu bytes, at most %u are taken here", j->ciphertext.n, max);
    kbs_jwe_encode(j, &w);
    if (w.full) return err_set(e, ERR_FORMAT, "a protected header of %zu characters", j->protected_text.n);
    return fetch_send(FRAME_JWE, writer_view(&w), (struct view){0}, e) && fetch_send_data(j->ciphertext, e) &&
           fetch_send(FRAME_END, (struct view){0}, (struct view){0}, e);
}

static bool answer(struct kbs *k, const struct frame *f, struct err *e) {
    struct reader r = reader_of(f->payload);
    uint32_t number = f->type == FRAME_ATTEST || f->type == FRAME_RESOURCE ? read_le32(&r) : 0;
    k->denied = false;
    k->arena.used = 0;
    if (number > (f->type == FRAME_ATTEST ? KBS_REQUEST_MAX : KBS_RESOURCE_MAX)) r.bad = true;
    if (r.bad) return err_set(e, ERR_SYSTEM, "a malformed request to the KBS worker");
    if (f->type == FRAME_AUTH) return authenticate(k, f->payload, e);
    if (f->type == FRAME_ATTEST) return attest(k, number, e);
    if (f->type == FRAME_RESOURCE) return resource(k, number, r.rest, e);
    if (f->type == FRAME_TOKEN && k->token.n)
        return fetch_send_data(k->token, e) && fetch_send(FRAME_END, (struct view){0}, (struct view){0}, e);
    return err_set(e, ERR_SYSTEM, "a request of type %d, which the KBS worker does not take now", (int)f->type);
}

/* ---- The worker ---- */

/* URL and CA; *f is the first request. TCP goes to the KBS and to name servers alone: not to the container's API, which
 * takes whoever is on this machine for the container. */
static bool start(struct kbs *k, struct arena *keep, struct frame *f, struct err *e) {
    struct arena pem = {0};
    struct url u;
    if (!frame_receive(WORKER_CONTROL, k->frame, FRAME_MAX, 0, f, e)) return false;
    if (f->type != FRAME_KBS) return err_set(e, ERR_SYSTEM, "the KBS worker was not told its KBS first");
    k->url = arena_copy(keep, f->payload);
    while (view_ends(k->url, VIEW("/"))) k->url.n--;
    if (!url_parse(k->url, &u, e) || !confine_connect((const uint16_t[]){u.port, 53}, 2, e) ||
        !confine_enter(CONFINE_FETCH, e))
        return false;
    if (!arena_make(&pem, CA_PEM_MAX, e)) return false;
    struct writer ca = writer_of(pem.base, pem.size);
    bool ok;
    while ((ok = frame_receive(WORKER_CONTROL, k->frame, FRAME_MAX, 0, f, e)) && f->type == FRAME_CA)
        write_bytes(&ca, f->payload);
    if (ok && ca.full) ok = err_set(e, ERR_USAGE, "more than %u bytes of CA certificates", CA_PEM_MAX);
    ok = ok && tls_trust_load(writer_view(&ca), keep, &k->trust, e);
    arena_drop(&pem);
    return ok;
}

static struct kbs *make(struct arena *keep, struct err *e) {
    struct kbs *k = arena_alloc(keep, sizeof *k);
    k->connection.fd = -1;
    k->frame = arena_alloc(keep, FRAME_MAX);
    k->target = arena_alloc(keep, URL_MAX);
    k->token_memory = arena_alloc(keep, KBS_TOKEN_MAX);
    k->request = writer_of(arena_alloc(keep, HEAD_MAX + KBS_REQUEST_MAX), HEAD_MAX + KBS_REQUEST_MAX);
    return arena_make(&k->arena, REQUEST_ARENA, e) ? k : NULL;
}

int kbs_main(void) {
    struct arena keep;
    struct kbs *k = NULL;
    struct frame f;
    struct err e, ignored;
    struct pollfd p = {WORKER_CONTROL, POLLIN, 0};
    bool ok = arena_make(&keep, sizeof *k + 4 * CA_PEM_MAX + HEAD_MAX + KBS_REQUEST_MAX + KBS_TOKEN_MAX + 2 * FRAME_MAX,
                         &e) &&
              (k = make(&keep, &e)) && start(k, &keep, &f, &e);
    if (!ok) frame_send_error(WORKER_CONTROL, &e, &ignored);
    while (ok) {
        ok = answer(k, &f, &e) || (k->denied ? fetch_send(FRAME_DENIED, k->said, (struct view){0}, &ignored)
                                             : frame_send_error(WORKER_CONTROL, &e, &ignored));
        if (ok && poll(&p, 1, KEEP_MS) == 0) connection_close(&k->connection);
        ok = ok && frame_receive(WORKER_CONTROL, k->frame, FRAME_MAX, 0, &f, &ignored);
    }
    return 0;
}
