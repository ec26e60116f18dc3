/* see broker.h */
#include "tools/serve/broker.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/version.h"
#include "crypto/hash.h"
#include "tools/serve/proof.h"
#include "tools/serve/vault.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COOKIE "kbs-session-id"
#define RESOURCE "/kbs/v0/resource/"
#define CLOCK_SKEW 60    /* seconds that clocks of instances may differ by */
#define QUEUE_SECONDS 30 /* that an appraisal waits for a processor */

/* The numbers in nonces. */
static const char *const tees[] = {"tpm", "tdx", "snp"};
#define TEES (sizeof tees / sizeof *tees)

/* ---- answers ---- */

static void answer_begin(struct answer *a, unsigned status, const char *type) {
    answer_drop(a);
    a->status = status, a->type = type, a->retry_after = 0, a->cookie[0] = 0;
    a->body = writer_of(a->small, sizeof a->small);
}

/* Another body, of up to `n` bytes. */
static bool answer_room(struct answer *a, size_t n) {
    uint8_t *p = malloc(n);
    if (p) a->body = writer_of(p, n);
    return p;
}

void answer_drop(struct answer *a) {
    if (a->body.p && a->body.p != a->small) free(a->body.p);
    a->body = (struct writer){0};
}

void broker_refuse(struct answer *a, unsigned status, const char *variant, const char *format, ...) {
    char detail[1400];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    answer_begin(a, status, "application/json");
    write_text(&a->body, "{\"type\":\"https://github.com/confidential-containers/kbs/errors/");
    write_text(&a->body, variant);
    write_text(&a->body, "\",\"detail\":");
    write_json_string(&a->body, view_str(detail));
    write_u8(&a->body, '}');
    if (status == 429 || status == 503) a->retry_after = 1;
}

static void count(struct broker *k, enum broker_count c, uint64_t n) {
    atomic_fetch_add_explicit(&k->counts[c], n, memory_order_relaxed);
}

/* What is not logged is not done. */
static bool logged(struct broker *k, const struct audit_line *line, struct answer *out) {
    if (audit_write(&k->audit, line)) return true;
    broker_refuse(out, 503, "PluginInternalError", "the server cannot write its audit log");
    return false;
}

/* ---- auth ---- */

static void session_cookie(const struct broker *k, const uint8_t session[TICKET_SESSION_SIZE], int64_t expires,
                           char out[static 256]) {
    char hex[2 * TICKET_SESSION_SIZE + 1], date[40];
    struct writer w = writer_of(hex, sizeof hex);
    time_t at = (time_t)expires;
    struct tm tm;
    write_hex(&w, view_of(session, TICKET_SESSION_SIZE));
    writer_str(&w);
    gmtime_r(&at, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* in the C locale: RFC 9110 section 5.6.7 */
    snprintf(out, 256, COOKIE "=%s; Expires=%s; Max-Age=%lld; Path=/kbs/v0; HttpOnly; SameSite=Strict%s", hex, date,
             (long long)k->lifetime, k->secure ? "; Secure" : "");
}

/* The number of a TEE that is judged here. */
static bool read_request(struct view body, struct arena *a, uint8_t *tee, struct err *e) {
    struct view name;
    if (!proof_read_request(body, a, &name, e)) return false;
    for (*tee = 0; *tee < TEES; ++*tee)
        if (view_is(name, tees[*tee])) return true;
    return err_set(e, ERR_POLICY, "tee '%.*s' is none that is judged here (tpm, tdx, snp)",
                   VIEW_ARG(view_first(name, 40)));
}

static void answer_auth(struct broker *k, struct view body, const char *peer, struct answer *out) {
    uint8_t nonce[TICKET_NONCE_SIZE], session[TICKET_SESSION_SIZE], tee = 0;
    struct arena a = {0};
    struct err e = {0};
    int64_t expires = (int64_t)time(NULL) + k->lifetime;
    bool ok = arena_make(&a, PROOF_ARENA(body.n), &e) && read_request(body, &a, &tee, &e);
    arena_drop(&a);
    if (!ok) {
        struct audit_line line = {.peer = peer, .what = "auth", .verdict = "refused", .why = &e};
        count(k, COUNT_REFUSED, 1);
        if (logged(k, &line, out)) broker_refuse(out, 401, "AttestationError", "%s", e.text);
        return;
    }
    if (!ticket_make(&k->key.ticket, tee, expires, nonce, &e)) {
        broker_refuse(out, 503, "AttestationError", "%s", e.text);
        return;
    }
    ticket_session(&k->key.ticket, nonce, session);
    count(k, COUNT_CHALLENGES, 1);
    answer_begin(out, 200, "application/json");
    session_cookie(k, session, expires, out->cookie);
    write_text(&out->body, "{\"nonce\":\"");
    write_base64(&out->body, view_of(nonce, sizeof nonce));
    write_text(&out->body, "\",\"extra-params\":{\"plinth\":");
    write_json_string(&out->body, view_str(plinth_version));
    write_text(&out->body, "}}");
}

/* ---- attest ---- */

struct shown {
    struct proof a;
    uint8_t tee;
    int64_t expires;
};

static bool read_shown(const struct broker *k, struct view body, const uint8_t session[TICKET_SESSION_SIZE],
                       struct arena *a, struct shown *out, struct err *e) {
    uint8_t wanted[TICKET_SESSION_SIZE];
    int64_t now = (int64_t)time(NULL);
    if (!proof_read(body, a, &out->a, e) ||
        !ticket_check(&k->key.ticket, view_of(out->a.nonce, TICKET_NONCE_SIZE), now, &out->tee, &out->expires, e))
        return false;
    if (out->tee >= TEES || out->expires > now + k->lifetime + CLOCK_SKEW)
        return err_set(e, ERR_POLICY, "the nonce is of an instance with another --lifetime");
    ticket_session(&k->key.ticket, out->a.nonce, wanted);
    return !CRYPTO_memcmp(wanted, session, sizeof wanted) ||
           err_set(e, ERR_POLICY, "the session's nonce is another one");
}

struct appraised {
    bool judged; /* the judge refused: what it expected is not for strangers */
    char claims[JUDGE_CLAIMS_MAX], submods[JUDGE_SUBMODS_MAX], jwk[RECIPIENT_JWK_MAX];
};

/* One evidence, on one processor. The nonce is spent whatever comes out. `said` lives in `a`. */
static bool appraise(struct broker *k, const struct shown *t, struct appraised *room, struct arena *a,
                     struct writer *token, const json **said, struct err *e) {
    uint8_t report_data[48];
    struct writer claims = writer_of(room->claims, sizeof room->claims),
                  submods = writer_of(room->submods, sizeof room->submods),
                  jwk = writer_of(room->jwk, sizeof room->jwk);
    int64_t now = (int64_t)time(NULL);
    switch (used_show(&k->used, t->a.nonce, clock_ms())) {
    case USED_AGAIN:
        return err_set(e, ERR_POLICY, "the nonce was used before");
    case USED_FULL:
        return err_set(e, ERR_SYSTEM, "too many attestations in a short time");
    default:
        break;
    }
    recipient_report_data(&t->a.recipient, t->a.nonce_text, report_data);
    recipient_write(&t->a.recipient, &jwk);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    bool ok = judge_appraise(k->judge, view_str(tees[t->tee]), t->a.evidence, report_data, &claims, &submods, e);
    clock_gettime(CLOCK_MONOTONIC, &to);
    count(k, COUNT_APPRAISALS, 1);
    count(k, COUNT_APPRAISAL_US, (uint64_t)((to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000));
    room->judged = !ok && e->kind == ERR_POLICY;
    return ok && token_sign(&k->key, t->a.nonce_text, now, now + k->lifetime, writer_view(&claims),
                            writer_view(&submods), writer_view(&jwk), token, e) &&
           json_parse(writer_view(&claims), a, said, e);
}

static bool wait_turn(struct broker *k) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += QUEUE_SECONDS;
    int n;
    while ((n = sem_timedwait(&k->appraisals, &until)) < 0 && errno == EINTR) {
    }
    return n == 0;
}

static void put_token(struct answer *out, struct view token) {
    answer_begin(out, 200, "application/json");
    if (!answer_room(out, token.n + 16)) {
        broker_refuse(out, 503, "AttestationError", "out of memory");
        return;
    }
    write_text(&out->body, "{\"token\":\"");
    write_bytes(&out->body, token);
    write_text(&out->body, "\"}");
}

static bool read_cookie(const struct request *r, uint8_t session[static TICKET_SESSION_SIZE], bool *there,
                        struct err *e) {
    struct view text;
    if (!request_cookie(r, COOKIE, &text, e)) return false;
    *there = text.n;
    return !text.n || hex_decode(text, session, TICKET_SESSION_SIZE) ||
           err_set(e, ERR_FORMAT, "the session cookie is not one of ours");
}

static void answer_attest(struct broker *k, const struct request *r, struct view body, const char *peer,
                          struct answer *out) {
    struct work {
        char token[TOKEN_MAX + 1];
        struct appraised room;
        struct shown t;
    } *w = malloc(sizeof *w);
    uint8_t session[TICKET_SESSION_SIZE];
    struct arena a = {0}, said = {0};
    struct err e = {0};
    struct audit_line line = {.peer = peer, .what = "attest", .verdict = "attested"};
    bool there = false, known = false, ok = read_cookie(r, session, &there, &e);
    if (ok && !there)
        ok = err_set(&e, ERR_POLICY, "no session: POST /kbs/v0/auth gives the cookie that is missing here");
    if (ok) line.session = session;
    if (!w) {
        broker_refuse(out, 503, "AttestationError", "out of memory");
        return;
    }
    w->room.judged = false;
    struct view old = {0};
    if (ok) old = sessions_get(k->sessions, session, (int64_t)time(NULL), w->token, sizeof w->token);
    if (old.n) {
        put_token(out, old);
        free(w);
        return;
    }
    struct writer token = writer_of(w->token, TOKEN_MAX);
    if (ok && !wait_turn(k)) {
        ok = err_set(&e, ERR_SYSTEM, "too many appraisals are waiting");
    } else if (ok) {
        ok = arena_make(&a, PROOF_ARENA(body.n), &e) && arena_make(&said, PROOF_ARENA(JUDGE_CLAIMS_MAX), &e) &&
             read_shown(k, body, session, &a, &w->t, &e);
        known = ok;
        ok = ok && appraise(k, &w->t, &w->room, &said, &token, &line.claims, &e);
        arena_drop(&a);
        sem_post(&k->appraisals);
    }
    if (known) line.tee = tees[w->t.tee];
    if (!ok) line.verdict = e.kind == ERR_SYSTEM ? "failed" : "refused", line.why = &e;
    count(k, ok ? COUNT_ATTESTED : COUNT_REFUSED, 1);
    bool told = logged(k, &line, out);
    if (told && ok && sessions_put(k->sessions, session, w->t.expires, writer_view(&token), &e)) {
        put_token(out, writer_view(&token));
    } else if (told) {
        char why[sizeof e.text + sizeof e.trail + 8];
        struct view text = view_str(e.text), check = view_cut(&text, ':', NULL);
        err_line(&e, why, sizeof why);
        if (w->room.judged)
            broker_refuse(out, 401, "AttestationError", "%.*s: the evidence was refused; the server's audit log says why",
                          VIEW_ARG(check));
        else
            broker_refuse(out, e.kind == ERR_SYSTEM ? 503 : 401, "AttestationError", "%s", why);
    }
    arena_drop(&said);
    free(w);
}

/* ---- resources ---- */

/* The token of this request, verified; *session is its own. */
static bool find_token(struct broker *k, const struct request *r, char text[static TOKEN_MAX + 1], struct arena *a,
                       struct token *out, uint8_t session[static TICKET_SESSION_SIZE], struct err *e) {
    uint8_t cookie[TICKET_SESSION_SIZE];
    int64_t now = (int64_t)time(NULL);
    struct view token;
    bool there;
    if (!request_bearer(r, &token, e) || !read_cookie(r, cookie, &there, e)) return false;
    if (!token.n && !there) return err_set(e, ERR_POLICY, "neither a session cookie nor a bearer token: attest first");
    if (!token.n) token = sessions_get(k->sessions, cookie, now, text, TOKEN_MAX + 1);
    if (!token.n)
        return err_set(e, ERR_POLICY,
                       "no such session is attested here, or it expired: attest again, or send the bearer token");
    if (!token_verify(&k->key, token, now, a, out, e)) return false;
    ticket_session(&k->key.ticket, out->nonce, session);
    return !there || !CRYPTO_memcmp(session, cookie, sizeof cookie) ||
           err_set(e, ERR_POLICY, "cookie and bearer token are of different sessions");
}

static bool seal(const struct token *t, struct view secret, struct answer *out, struct err *e) {
    struct recipient recipient;
    if (!recipient_read(t->tee_pubkey, &recipient, e)) return false;
    answer_begin(out, 200, "application/json");
    return (answer_room(out, RECIPIENT_SEALED_MAX(secret.n)) || err_set(e, ERR_SYSTEM, "out of memory")) &&
           recipient_seal(&recipient, secret, &out->body, e);
}

static void answer_resource(struct broker *k, const struct request *r, struct view path, const char *peer,
                            struct answer *out) {
    char *text = malloc(TOKEN_MAX + 1);
    uint8_t session[TICKET_SESSION_SIZE];
    struct arena a = {0};
    struct token t;
    struct view secret = {0};
    struct err e = {0};
    struct audit_line line = {.peer = peer, .what = "resource", .path = path, .verdict = "denied", .why = &e};
    bool ok = (text || err_set(&e, ERR_SYSTEM, "out of memory")) && arena_make(&a, 16 * TOKEN_MAX + 65536, &e);
    bool known = ok && find_token(k, r, text, &a, &t, session, &e);
    if (known) {
        struct view tee = json_text(json_get(t.claims, "tee"));
        line.session = session;
        for (size_t i = 0; i < TEES; i++)
            if (view_is(tee, tees[i])) line.tee = tees[i];
    }
    /* Who may not have it learns nothing of whether it is there: the directory is not looked at. */
    ok = known && judge_release(k->judge, t.claims, path, &e) && vault_read(k->vault, path, &secret, &e) &&
         seal(&t, secret, out, &e);
    if (ok)
        line.verdict = "released", line.why = NULL;
    else if (e.kind == ERR_SYSTEM)
        line.verdict = "failed";
    count(k, ok ? COUNT_RELEASED : COUNT_DENIED, 1);
    bool told = logged(k, &line, out) && !ok;
    if (told && e.kind == ERR_SYSTEM)
        broker_refuse(out, 503, "PluginInternalError", "the server failed; its audit log says why");
    else if (told && known)
        broker_refuse(out, 401, "PolicyDeny", "this guest may not have that resource, or there is none");
    else if (told)
        broker_refuse(out, 401, "TokenVerifierError", "%s", e.text);
    vault_wipe(&secret);
    arena_drop(&a);
    free(text);
}

static void answer_upload(struct broker *k, const struct request *r, struct view path, struct view body,
                          const char *peer, struct answer *out) {
    uint8_t digest[32];
    struct view token;
    struct err e = {0};
    struct audit_line line = {.peer = peer, .what = "upload", .path = path, .verdict = "refused", .why = &e};
    bool ok = request_bearer(r, &token, &e);
    if (ok && !k->admin) ok = err_set(&e, ERR_POLICY, "uploads are off (--admin-token)");
    if (ok) hash_once(HASH_SHA256, token, digest);
    if (ok && (!token.n || CRYPTO_memcmp(digest, k->admin_digest, sizeof digest)))
        ok = err_set(&e, ERR_POLICY, "not the admin token");
    bool admin = ok;
    if (ok) { /* logged first: a line too many is better than one that is missing */
        struct audit_line first = {.peer = peer, .what = "upload", .path = path, .verdict = "accepted"};
        if (!logged(k, &first, out)) return;
        ok = vault_write(k->vault, path, body, &e);
    }
    if (ok) {
        count(k, COUNT_UPLOADS, 1);
        answer_begin(out, 200, "application/json");
        return;
    }
    if (admin) line.verdict = "failed";
    if (!logged(k, &line, out)) return;
    if (admin)
        broker_refuse(out, e.kind == ERR_POLICY ? 409 : 503, "PluginInternalError", "%s", e.text);
    else
        broker_refuse(out, 401, "AdminAuthAccess", "the admin token is wanted");
}

/* ---- the rest ---- */

static void answer_metrics(struct broker *k, struct answer *out) {
    static const struct {
        const char *name, *help;
    } rows[COUNTS] = {
        [COUNT_CONNECTIONS] = {"connections_total", "connections taken"},
        [COUNT_REQUESTS] = {"requests_total", "requests read"},
        [COUNT_CHALLENGES] = {"challenges_total", "nonces given out"},
        [COUNT_ATTESTED] = {"attested_total", "guests accepted"},
        [COUNT_REFUSED] = {"refused_total", "requests for a nonce or a token that were refused"},
        [COUNT_RELEASED] = {"released_total", "resources given to guests"},
        [COUNT_DENIED] = {"denied_total", "resources not given"},
        [COUNT_UPLOADS] = {"uploads_total", "resources stored"},
        [COUNT_LIMITED] = {"limited_total", "requests and connections over an address's limit"},
        [COUNT_APPRAISALS] = {"appraisals_total", "evidence documents judged"},
        [COUNT_APPRAISAL_US] = {"appraisal_microseconds_total", "time that took, on one processor each"},
    };
    answer_begin(out, 200, "text/plain; version=0.0.4");
    for (size_t i = 0; i < COUNTS; i++) {
        char line[256];
        snprintf(line, sizeof line, "# HELP plinth_serve_%s %s\n# TYPE plinth_serve_%s counter\nplinth_serve_%s %llu\n",
                 rows[i].name, rows[i].help, rows[i].name, rows[i].name, (unsigned long long)k->counts[i]);
        write_text(&out->body, line);
    }
    write_text(&out->body, "# HELP plinth_serve_connections connections open\n# TYPE plinth_serve_connections "
                           "gauge\nplinth_serve_connections ");
    write_dec(&out->body, k->active);
    write_u8(&out->body, '\n');
}

static bool is_jwks(struct view path) { return view_is(path, "/jwks") || view_is(path, "/.well-known/jwks.json"); }

bool broker_body_max(const struct request *r, size_t *max, struct answer *out) {
    bool resource = view_starts(r->path, VIEW(RESOURCE));
    bool auth = view_is(r->path, "/kbs/v0/auth"), attest = view_is(r->path, "/kbs/v0/attest");
    bool other = view_is(r->path, "/healthz") || view_is(r->path, "/metrics") || is_jwks(r->path);
    if (!resource && !auth && !attest && !other)
        broker_refuse(out, 404, view_starts(r->path, VIEW("/kbs/v0/")) ? "PluginNotFound" : "InvalidRequestPath",
                      "no such path here");
    else if (resource && !vault_path_ok(view_skip(r->path, sizeof RESOURCE - 1), 0))
        broker_refuse(out, 404, "InvalidRequestPath",
                      "a resource is REPOSITORY/TYPE/TAG, each of letters, digits, '-', '_' and '.'");
    else if (r->method == REQUEST_OTHER || (r->method == REQUEST_POST ? other : auth || attest))
        broker_refuse(out, 405, "InvalidRequestPath", "not with this method");
    else {
        *max = auth ? BROKER_AUTH_MAX : attest ? KBS_REQUEST_MAX : resource ? VAULT_RESOURCE_MAX : 0;
        return true;
    }
    return false;
}

void broker_answer(struct broker *k, const struct request *r, struct view body, const char *peer, struct answer *out) {
    bool post = r->method == REQUEST_POST;
    struct view path = view_skip(r->path, sizeof RESOURCE - 1);
    if (view_is(r->path, "/kbs/v0/auth")) {
        answer_auth(k, body, peer, out);
    } else if (view_is(r->path, "/kbs/v0/attest")) {
        answer_attest(k, r, body, peer, out);
    } else if (view_starts(r->path, VIEW(RESOURCE))) {
        if (post)
            answer_upload(k, r, path, body, peer, out);
        else
            answer_resource(k, r, path, peer, out);
    } else if (view_is(r->path, "/metrics")) {
        answer_metrics(k, out);
    } else if (is_jwks(r->path)) {
        answer_begin(out, 200, "application/json");
        token_jwks(&k->key, &out->body);
    } else {
        answer_begin(out, 200, "text/plain");
        write_text(&out->body, "ok\n");
    }
    if (out->body.full) broker_refuse(out, 503, "PluginInternalError", "the answer does not fit");
}
