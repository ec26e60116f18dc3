/* see kbs.h */
#include "step/kbs.h"

#include "base/clock.h"
#include "base/reader.h"
#include "format/url.h"
#include "secret/jwe.h"
#include "secret/rcar.h"
#include "step/attest.h"
#include "step/fetcher.h"
#include "sys/secret_memory.h"
#include "tee/evidence.h"
#include "worker/worker.h"

#include <sys/socket.h>
#include <sys/time.h>

#define HANDSHAKES_MAX                                                                                                 \
    3u                /* for one question: the KBS's word for "denied" is also the one for "your session has expired" */
#ifndef GET_MS        /* tests shorten both */
#define GET_MS 120000 /* for one question, with its handshakes */
#define PAUSE_MS 1000
#define SEND_MS 10000 /* for the worker to take a piece of what it is sent */
#endif
#define FRESH_MS 240000 /* a token is given away no later: Trustee's are good for 5 minutes */
#define SCRATCH (32u << 20)

struct kbs {
    struct arena memory, secret; /* this struct; the key */
    const struct config *config;
    const struct measurement *m;
    const struct verified_image *image;
    struct private_key *key;
    struct url url;
    uint8_t *buffer; /* FRAME_MAX */
    struct child worker;
    bool in_step;  /* the worker waits for a question */
    bool denied;   /* the last one was answered with 401; *e holds what the KBS says of it */
    bool attested; /* there is a session that was accepted, and nothing was measured since */
    int64_t since_ms, deadline_ms;
    int patience_ms; /* 0: GET_MS */
    struct secret_source source;
};

/* ---- The worker ---- */

static void stop(struct kbs *k) {
    proc_kill(&k->worker);
    k->attested = false;
}

static bool start(struct kbs *k, struct err *e) {
    struct child worker = CHILD_NONE;
    const struct policy *p = &k->config->policy;
    const struct timeval patience = {SEND_MS / 1000, SEND_MS % 1000 * 1000};
    if (k->worker.pid) return true;
    bool ok = proc_start(WORKER_KBS, k->config->fetch_room, false, -1, &worker, e) &&
              (setsockopt(worker.control, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 ||
               err_sys(e, "SO_SNDTIMEO")) &&
              frame_send(worker.control, FRAME_KBS, p->kbs.url, (struct view){0}, e);
    for (struct view pem = p->kbs.ca_pem.n ? p->kbs.ca_pem : k->config->ca_bundle; ok && pem.n;
         pem = view_skip(pem, FRAME_MAX))
        ok = frame_send(worker.control, FRAME_CA, view_first(pem, FRAME_MAX), (struct view){0}, e);
    if (!ok) proc_kill(&worker);
    k->worker = worker;
    return ok || err_in(e, "KBS worker");
}

static bool denied(struct kbs *k, struct view said, struct err *e) {
    said = view_first(said, 200);
    k->in_step = k->denied = true;
    return err_set(e, ERR_POLICY, "denied by the KBS at %.*s (401%s%.*s)", VIEW_ARG(view_first(k->url.authority, 200)),
                   said.n ? ": " : "", VIEW_ARG(said));
}

static bool tell(struct kbs *k, enum frame_type type, struct view head, struct view body, struct err *e) {
    k->in_step = k->denied = false;
    return frame_send(k->worker.control, type, head, body, e);
}

/* The worker's next answer: `wanted`, or END (which, too, may be `wanted`). */
static bool next(struct kbs *k, enum frame_type wanted, struct frame *f, struct err *e) {
    for (;;) {
        if (!frame_receive(k->worker.control, k->buffer, FRAME_MAX, k->deadline_ms, f, e)) return false;
        if (f->type == FRAME_NOTE) {
            fetcher_note(f->payload);
            continue;
        }
        if (f->type == FRAME_DENIED) return denied(k, f->payload, e);
        if (f->type != wanted && f->type != FRAME_ERROR && !(f->type == FRAME_END && wanted == FRAME_DATA))
            return err_set(e, ERR_SYSTEM, "the KBS worker sent frame %d out of turn", (int)f->type);
        k->in_step = f->type == FRAME_ERROR || f->type == FRAME_END || f->type == FRAME_CHALLENGE;
        return f->type == FRAME_ERROR ? frame_error(f->payload, e) : true;
    }
}

/* DATA up to END, at most `max` bytes, into `a`. */
static bool take_data(struct kbs *k, size_t max, struct arena *a, struct view *out, struct err *e) {
    struct writer w = writer_of(arena_alloc(a, max), max);
    struct frame f;
    if (!w.p) return arena_full(a, e);
    while (next(k, FRAME_DATA, &f, e)) {
        if (f.type == FRAME_END) {
            a->used = (size_t)(w.p - a->base) + ((w.n + 15) & ~(size_t)15); /* the rest was never touched */
            return *out = writer_view(&w), true;
        }
        write_bytes(&w, f.payload);
        if (w.full) return err_set(e, ERR_SYSTEM, "the KBS worker sent more than %zu bytes", max);
    }
    return false;
}

/* ---- Evidence ---- */

static bool make_evidence(struct kbs *k, bool plinth, const uint8_t hash[static 48], struct arena *a, struct view *out,
                          struct err *e) {
    const struct measurement *m = k->m;
    uint8_t *report_data = arena_alloc(a, REPORT_DATA_SIZE), nonce[EVIDENCE_KEY_NONCE_SIZE];
    if (!report_data) return arena_full(a, e);
    memcpy(report_data, hash, 48);
    evidence_key_nonce(EVIDENCE_KEY_KBS, hash, nonce);
    if (plinth) return attest_make(m, k->config, k->image, view_of(nonce, sizeof nonce), a, out, e);
    return attest_trustee(m, report_data, a, out, e);
}

/* ---- The protocol ---- */

static bool challenge(struct kbs *k, struct arena *a, struct kbs_challenge *out, struct err *e) {
    uint8_t text[512];
    struct writer w = writer_of(text, sizeof text);
    struct frame f;
    rcar_request(view_str(tee_name(k->m->tee->kind)), &w);
    if (!tell(k, FRAME_AUTH, writer_view(&w), (struct view){0}, e) || !next(k, FRAME_CHALLENGE, &f, e)) return false;
    struct view payload = arena_copy(a, f.payload);
    return (payload.p || arena_full(a, e)) && kbs_challenge_decode(payload, out, e);
}

static bool attest(struct kbs *k, const struct kbs_challenge *c, struct arena *a, struct err *e) {
    uint8_t hash[48], size[4];
    struct view evidence;
    struct writer w = writer_of(arena_alloc(a, KBS_REQUEST_MAX), KBS_REQUEST_MAX), head = writer_of(size, sizeof size);
    struct frame f;
    if (!w.p) return arena_full(a, e);
    rcar_report_data(c->nonce, k->key, hash);
    if (!make_evidence(k, c->plinth, hash, a, &evidence, e)) return err_in(e, "evidence");
    rcar_attestation(c->nonce, k->key, k->config->initdata_text, evidence, &w);
    if (w.full) return err_set(e, ERR_SYSTEM, "evidence and initdata are longer than %u bytes", KBS_REQUEST_MAX);
    write_le32(&head, (uint32_t)w.n);
    bool ok = tell(k, FRAME_ATTEST, writer_view(&head), (struct view){0}, e);
    for (struct view rest = writer_view(&w); ok && rest.n; rest = view_skip(rest, FRAME_MAX))
        ok = (clock_ms() < k->deadline_ms || err_set(e, ERR_SYSTEM, "the KBS worker takes its request too slowly")) &&
             frame_send(k->worker.control, FRAME_DATA, view_first(rest, FRAME_MAX), (struct view){0}, e);
    return ok && next(k, FRAME_END, &f, e);
}

static bool handshake(struct kbs *k, struct err *e) {
    struct arena a = {0};
    struct kbs_challenge c;
    k->attested = false;
    if (!start(k, e) || !arena_make(&a, SCRATCH, e)) return false;
    bool ok = challenge(k, &a, &c, e);
    if (!ok) k->denied = false; /* nothing was proved yet: another version of the protocol; no use in asking again */
    ok = ok && attest(k, &c, &a, e);
    arena_drop(&a);
    k->attested = ok;
    k->since_ms = clock_ms();
    return ok || err_in(e, "attestation");
}

struct question {
    bool (*ask)(struct kbs *k, const struct question *q, struct view *out, struct err *e);
    struct view path;
    size_t max;
    struct arena *secrets;
};

/* With as many handshakes as it takes; after the last "denied" it is that. */
static bool ask(struct kbs *k, const struct question *q, struct view *out, struct err *e) {
    unsigned handshakes = 0;
    k->deadline_ms = clock_ms() + (k->patience_ms ? k->patience_ms : GET_MS);
    for (;; k->attested = false) {
        k->denied = false;
        bool ok = (k->attested || (handshakes++, handshake(k, e))) && q->ask(k, q, out, e);
        if (!ok && !k->in_step) stop(k);
        if (ok || !k->denied) return ok;
        if (handshakes == HANDSHAKES_MAX || clock_ms() > k->deadline_ms) break;
        if (handshakes) nanosleep(&(struct timespec){PAUSE_MS / 1000, PAUSE_MS % 1000 * 1000000L}, NULL);
    }
    err_in(e, "after %u attestations", handshakes);
    return err_mend(e, "a KBS answers 401 for nearly everything: see in its log whether it took the evidence "
                       "(reference values, policy), "
                       "whether its policy gives the resource to this guest, and whether there is such a resource");
}

static bool ask_resource(struct kbs *k, const struct question *q, struct view *out, struct err *e) {
    struct arena a = {0};
    struct frame f;
    struct jwe *j;
    uint8_t max[4];
    struct writer w = writer_of(max, sizeof max);
    write_le32(&w, (uint32_t)q->max);
    if (!arena_make(&a, KBS_RESOURCE_MAX + 2 * FRAME_MAX, e)) return false;
    bool ok = tell(k, FRAME_RESOURCE, writer_view(&w), q->path, e) && next(k, FRAME_JWE, &f, e);
    struct view payload = ok ? arena_copy(&a, f.payload) : (struct view){0};
    ok = ok && ((payload.p && (j = arena_alloc(&a, sizeof *j))) || arena_full(&a, e)) && kbs_jwe_decode(payload, j, e);
    size_t n = ok ? j->ciphertext.n : 0;
    if (n > q->max) ok = err_set(e, ERR_FORMAT, "%zu bytes, at most %zu are taken here", n, q->max);
    ok = ok && take_data(k, n, &a, &j->ciphertext, e);
    if (ok && j->ciphertext.n != n)
        ok = err_set(e, ERR_SYSTEM, "the KBS worker sent %zu of %zu bytes", j->ciphertext.n, n);
    ok = ok && jwe_open(j, k->key, q->secrets, out, e);
    arena_drop(&a);
    return ok;
}

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e) {
    struct kbs *k = state;
    struct question q = {ask_resource, {0}, max < KBS_RESOURCE_MAX ? max : KBS_RESOURCE_MAX, secrets};
    if (!policy_resource(uri, &q.path))
        return err_set(e, ERR_USAGE, "'%.*s' is not kbs:///repository/type/tag", VIEW_ARG(view_first(uri, 300)));
    struct view rest = view_skip(uri, 6), host = view_cut(&rest, '/', NULL); /* kbs://host/ */
    if (host.n && !view_eq_nocase(host, k->url.authority))
        return err_set(e, ERR_POLICY, "%.*s is at another KBS than kbs.url, %.*s", VIEW_ARG(view_first(uri, 300)),
                       VIEW_ARG(view_first(k->url.authority, 200)));
    return ask(k, &q, out, e) || err_in(e, "%.*s", VIEW_ARG(view_first(uri, 300)));
}

/* ---- */

bool kbs_make(const struct config *config, const struct measurement *m, const struct verified_image *image,
              struct kbs **out, struct err *e) {
    struct arena memory = {0}, secret = {0};
    struct url url;
    const struct policy *p = &config->policy;
    if (!m->tee) return err_set(e, ERR_POLICY, "there is no TEE to prove anything to a KBS with");
    if (p->kbs.url.n > HOST_MAX + 1024) return err_set(e, ERR_USAGE, "kbs.url has %zu characters", p->kbs.url.n);
    if (!url_parse(p->kbs.url, &url, e)) return err_in(e, "kbs.url");
    bool ok = arena_make(&memory, sizeof(struct kbs) + FRAME_MAX + 64, e) &&
              secret_memory_make(&secret, sizeof(struct private_key), true, e);
    struct private_key *key = ok ? arena_alloc(&secret, sizeof *key) : NULL;
    if (!ok || !private_key_make(p->kbs.rsa_key ? PRIVATE_RSA : PRIVATE_EC_P256, key, e)) {
        secret_memory_drop(&secret);
        arena_drop(&memory);
        return false;
    }
    struct kbs *k = arena_alloc(&memory, sizeof *k);
    *k = (struct kbs){
        .config = config, .m = m, .image = image, .key = key, .url = url, .worker = CHILD_NONE, .source = {get, k}};
    k->buffer = arena_alloc(&memory, FRAME_MAX);
    k->memory = memory;
    k->secret = secret;
    *out = k;
    return true;
}

const struct secret_source *kbs_source(struct kbs *k) { return &k->source; }

void kbs_patience(struct kbs *k, int ms) {
    if (k) k->patience_ms = ms;
}

void kbs_renew(struct kbs *k) {
    if (k) k->attested = false;
}

static bool ask_token(struct kbs *k, const struct question *q, struct view *out, struct err *e) {
    return tell(k, FRAME_TOKEN, (struct view){0}, (struct view){0}, e) && take_data(k, q->max, q->secrets, out, e);
}

bool kbs_token(struct kbs *k, struct arena *secrets, struct view *token, struct view *key_pem, struct err *e) {
    const struct question q = {ask_token, {0}, KBS_TOKEN_MAX, secrets};
    struct writer pem = writer_of(arena_alloc(secrets, PRIVATE_RSA_MAX * 8), PRIVATE_RSA_MAX * 8);
    if (!pem.p) return arena_full(secrets, e);
    if (clock_ms() - k->since_ms > FRESH_MS) k->attested = false;
    if (!ask(k, &q, token, e)) return err_in(e, "token");
    private_key_pem(k->key, &pem);
    *key_pem = writer_view(&pem);
    return true;
}

void kbs_drop(struct kbs *k) {
    if (!k) return;
    struct arena memory = k->memory;
    proc_kill(&k->worker);
    secret_memory_drop(&k->secret);
    arena_drop(&memory);
}
