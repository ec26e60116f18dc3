/* see registry.h */
#include "worker/registry.h"

#include "base/codec.h"
#include "format/json.h"
#include "worker/connection.h"
#include "worker/frame.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define REDIRECTS_MAX 5
#define RETRIES 4
#define RETRY_AFTER_MAX 30u
/* No new attempt when so long nothing has come; one stall is forgiven, not two. */
#define RETRY_MS 45000
#define BODY_MS 120000 /* for manifests and tokens */
#define PAGES_MAX 20u  /* of a list of referrers */
#define TOKEN_BODY_MAX (64u << 10)
#define AUTHORIZATION_MAX 16384 /* tokens of large clouds are 4 KiB */
/* Slower than this for a minute is no transfer. */
#define SLOW_BYTES (64u << 10)
#define SLOW_MS 60000

enum scheme { SCHEME_UNKNOWN, SCHEME_HTTPS, SCHEME_HTTP };

struct registry {
    struct fetch_source source;
    struct tls_trust trust;
    void (*note)(const char *text);
    enum scheme schemes[FETCH_ENDPOINTS_MAX];
    bool dead[FETCH_ENDPOINTS_MAX];        /* a mirror that failed once */
    size_t authorised;                     /* the endpoint that `authorization` is for */
    char authorization[AUTHORIZATION_MAX]; /* the field's value, or empty */
    uint64_t retry_after;                  /* s, from the last answer */
    uint8_t urls[3][URL_MAX];              /* where we are, where we are sent, the token's */
    uint8_t request[2 * URL_MAX + AUTHORIZATION_MAX];
    size_t last; /* connection used last */
    struct connection connections[2];
};

enum query_kind { QUERY_MANIFEST, QUERY_BLOB, QUERY_REFERRERS };

/* One object that is wanted. */
struct query {
    enum query_kind kind;
    struct view reference;
    size_t endpoint;
    struct arena *arena; /* manifest, referrers */
    struct view bytes, media_type;
    bool found;
    struct view page; /* referrers: the URL of the next page, empty for the first */
    struct digest *digests;
    size_t max, count;
    uint64_t size, delivered; /* blob */
    bool (*sink)(void *sink_state, struct view bytes, struct err *e);
    void *sink_state;
};

__attribute__((format(printf, 2, 3))) static void note(const struct registry *r, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->note) r->note(text);
}

/* ---- One request, one response ---- */

static bool ask(struct registry *r, const struct url *u, const char *accept, uint64_t from, const char *authorization,
                struct response *out, struct err *e) {
    struct writer w = writer_of(r->request, sizeof r->request);
    request_begin("GET", u, accept, &w);
    if (authorization[0]) {
        write_text(&w, "\r\nAuthorization: ");
        write_text(&w, authorization);
    }
    if (from) {
        write_text(&w, "\r\nRange: bytes=");
        write_dec(&w, from);
        write_u8(&w, '-');
    }
    write_text(&w, "\r\n\r\n");
    if (w.full) return err_set(e, ERR_FORMAT, "a request of more than %zu bytes", w.size);
    struct connection *c = r->connections;
    r->last = view_eq_nocase(view_str(c[0].host), u->host) && c[0].port == u->port   ? 0
              : view_eq_nocase(view_str(c[1].host), u->host) && c[1].port == u->port ? 1
                                                                                     : !r->last;
    return connection_request(c + r->last, u, &r->trust, writer_view(&w), out, e);
}

/* ---- Authentication ---- */

/* Final statuses that are no answer, as errors. */
static bool refuse_status(struct registry *r, const struct query *q, const struct response *a, struct err *e) {
    unsigned status = a->head.status;
    const char *host = a->connection->host;
    if (status == 401 || status == 403) {
        bool had = r->source.endpoints[q->endpoint].credential.n > 0;
        err_set(e, ERR_POLICY, "%s %s (%u)", host,
                had ? "refuses the credential" : "gives nothing without a credential", status);
        return err_mend(e,
                        had ? "check the policy's registry.auth for %s"
                            : "give a credential for %s in the policy's registry.auth",
                        host);
    }
    if (status != 429 && status < 500)
        return err_set(e, ERR_FORMAT, "%s answers %u to a request for %.*s", host, status, VIEW_ARG(q->reference));
    if (!view_u64(http_field_first(&a->head, "retry-after"), 86400, &r->retry_after)) r->retry_after = 0;
    return err_set(e, ERR_NETWORK, "%s answers %u%s", host, status, status == 429 ? " (too many requests)" : "");
}

static bool token_url(struct registry *r, const struct query *q, const struct http_challenge *c, struct url *out,
                      struct err *e) {
    struct writer w = writer_of(r->urls[2], URL_MAX);
    write_bytes(&w, c->realm);
    write_u8(&w, c->realm.n && memchr(c->realm.p, '?', c->realm.n) ? '&' : '?');
    if (c->service.n) {
        write_text(&w, "service=");
        url_escape(c->service, &w);
        write_u8(&w, '&');
    }
    write_text(&w, "scope=");
    if (c->scope.n) {
        url_escape(c->scope, &w);
    } else {
        write_text(&w, "repository%3A");
        url_escape(r->source.endpoints[q->endpoint].repository, &w);
        write_text(&w, "%3Apull");
    }
    if (w.full) return err_set(e, ERR_FORMAT, "the token realm is too long");
    if (!url_parse(writer_view(&w), out, e)) return err_in(e, "token realm");
    if (out->https || (r->source.allow_http && r->schemes[q->endpoint] == SCHEME_HTTP)) return true;
    return err_set(e, ERR_FORMAT, "the token realm http://%.*s is not https", VIEW_ARG(out->authority));
}

static bool take_token(struct registry *r, struct view text, const char *host, struct arena *a, struct err *e) {
    const json *root;
    if (!json_parse(text, a, &root, e)) return err_in(e, "token of %s", host);
    struct view token = json_text(json_get(root, "token"));
    if (!token.n) token = json_text(json_get(root, "access_token"));
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= 0x20 || token.p[i] >= 0x7f) token.n = 0;
    if (token.n == 0 || token.n + 8 > sizeof r->authorization)
        return err_set(e, ERR_FORMAT, "%s gives no usable token (%zu bytes)", host, token.n);
    snprintf(r->authorization, sizeof r->authorization, "Bearer %.*s", VIEW_ARG(token));
    return true;
}

/* Answers the challenge of a 401 by preparing r->authorization. */
static bool authorise(struct registry *r, const struct query *q, struct response *answer, struct err *e) {
    const struct fetch_endpoint *p = &r->source.endpoints[q->endpoint];
    struct http_challenge c = {0};
    struct view value;
    struct url u;
    for (size_t at = 0; http_field(&answer->head, "www-authenticate", &at, &value);)
        if (!http_challenge_parse(value, &c, e)) return err_in(e, "%s", answer->connection->host);
    if (c.bearer && !token_url(r, q, &c, &u, e)) return err_in(e, "%s", answer->connection->host);
    response_drop(answer);
    if (!c.bearer && (!c.basic || !p->credential.n)) return refuse_status(r, q, answer, e);
    struct writer w = writer_of(r->authorization, sizeof r->authorization);
    if (p->credential.n) {
        write_text(&w, "Basic ");
        write_base64(&w, p->credential);
    }
    r->authorised = q->endpoint;
    if (!writer_str(&w)) return err_set(e, ERR_USAGE, "the credential for %.*s is too long", VIEW_ARG(p->host));
    if (!c.bearer) return true;

    struct arena a = {0};
    struct response t;
    bool ok = ask(r, &u, "application/json", 0, r->authorization, &t, e);
    r->authorization[0] = 0;
    if (ok && t.head.status != 200) {
        response_drop(&t);
        ok = refuse_status(r, q, &t, e);
    }
    ok = ok && arena_make(&a, 16 * TOKEN_BODY_MAX, e) && response_body(&t, TOKEN_BODY_MAX, BODY_MS, &a, &value, e) &&
         take_token(r, value, t.connection->host, &a, e);
    arena_drop(&a);
    return ok || err_in(e, "token for %.*s", VIEW_ARG(p->host));
}

/* ---- Redirects, and what the endpoint speaks ---- */

static bool endpoint_url(struct registry *r, const struct query *q, struct url *out, struct err *e) {
    const struct fetch_endpoint *p = &r->source.endpoints[q->endpoint];
    struct writer w = writer_of(r->urls[0], URL_MAX);
    static const char *const kinds[] = {"/manifests/", "/blobs/", "/referrers/"};
    if (q->page.n) {
        write_bytes(&w, q->page);
        return url_parse(writer_view(&w), out, e);
    }
    write_text(&w, r->schemes[q->endpoint] == SCHEME_HTTP ? "http://" : "https://");
    write_bytes(&w, p->host);
    write_text(&w, "/v2/");
    write_bytes(&w, p->repository);
    write_text(&w, kinds[q->kind]);
    write_bytes(&w, q->reference);
    return url_parse(writer_view(&w), out, e);
}

/* Resolves the Location of `answer` into the buffer that *u does not use; then *u is the new place. */
static bool follow(struct registry *r, const struct response *answer, size_t hop, struct url *u, struct err *e) {
    const char *host = answer->connection->host;
    struct view location = http_field_first(&answer->head, "location");
    struct writer w = writer_of(r->urls[hop % 2], URL_MAX);
    struct url next;
    if (hop > REDIRECTS_MAX)
        return err_set(e, ERR_FORMAT, "%s redirects in a loop (more than %d times)", host, REDIRECTS_MAX);
    if (location.n == 0) return err_set(e, ERR_FORMAT, "%s redirects to nowhere (no Location)", host);
    if (!url_resolve(u, location, &w, e) || !url_parse(writer_view(&w), &next, e))
        return err_in(e, "redirect by %s", host);
    if (!next.https && (u->https || !r->source.allow_http))
        return err_set(e, ERR_FORMAT, "%s redirects to http://%.*s, which is not https", host,
                       VIEW_ARG(next.authority));
    *u = next;
    return true;
}

/* Under allow_http: true when the host answered, but not in TLS, or when it has no https port; plain HTTP is then worth
 * a try. */
static bool fall_back(struct registry *r, const struct query *q, const struct url *u, const struct err *e) {
    const struct connection *c = &r->connections[r->last];
    bool no_tls = c->connected ? !c->tls.heard : e->sys == ECONNREFUSED && !u->port_given;
    if (!r->source.allow_http || r->schemes[q->endpoint] != SCHEME_UNKNOWN || !no_tls) return false;
    r->schemes[q->endpoint] = SCHEME_HTTP;
    note(r, "%s does not answer in TLS; going on with plain HTTP, as the policy's registry.allowHttp permits", c->host);
    return true;
}

/* A registry from before referrers. 404 is what the specification says; 406 is an Artifactory, 400 others that take the
 * path for something else (go-containerregistry falls back for the same three). */
static bool no_referrers(const struct query *q, unsigned status) {
    return q->kind == QUERY_REFERRERS && !q->page.n && (status == 404 || status == 400 || status == 406);
}

/* GET with all that HTTP may ask for in between. True for 200, 206, 404 and no_referrers. */
static bool get(struct registry *r, const struct query *q, uint64_t from, struct response *out, struct err *e) {
    const char *accept = q->kind == QUERY_BLOB ? "*/*"
                         : q->kind == QUERY_REFERRERS
                             ? "application/vnd.oci.image.index.v1+json"
                             : "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
                               "application/vnd.docker.distribution.manifest.list.v2+json, "
                               "application/vnd.docker.distribution.manifest.v2+json";
    bool renewed = false;
    struct url u;
    size_t hop = 0;
    r->retry_after = 0;
    if (!endpoint_url(r, q, &u, e)) return false;
    for (bool home = true;;) {
        const char *authorization = home && r->authorised == q->endpoint ? r->authorization : "";
        if (!ask(r, &u, accept, from, authorization, out, e)) {
            if (!home || !fall_back(r, q, &u, e) || !endpoint_url(r, q, &u, e)) return false;
            continue;
        }
        unsigned status = out->head.status;
        if (home && r->schemes[q->endpoint] == SCHEME_UNKNOWN) r->schemes[q->endpoint] = SCHEME_HTTPS;
        if (status == 200 || status == 206 || status == 404 || no_referrers(q, status)) return true;
        if (status == 401 && home && !renewed) {
            renewed = true; /* no credential was sent, or a token has expired */
            if (!authorise(r, q, out, e)) return false;
        } else if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
            struct url origin = u;
            if (!follow(r, out, ++hop, &u, e)) return false;
            home = home && url_same_origin(&origin, &u); /* once away, the credential stays at home */
            response_drop(out);
        } else {
            response_drop(out);
            return refuse_status(r, q, out, e);
        }
    }
}

/* ---- Manifests and blobs ---- */

static bool try_manifest(struct registry *r, struct query *q, struct err *e) {
    struct response a;
    if (!get(r, q, 0, &a, e)) return false;
    q->found = a.head.status == 200;
    if (!q->found) {
        response_drop(&a);
        return a.head.status == 404 || refuse_status(r, q, &a, e);
    }
    struct view type = http_field_first(&a.head, "content-type");
    type = view_trim(view_cut(&type, ';', NULL));
    if (view_eq_nocase(type, VIEW("text/html"))) {
        connection_close(a.connection);
        return err_set(e, ERR_FORMAT, "%s answers a request for a manifest with an HTML page", a.connection->host);
    }
    q->media_type = arena_copy(q->arena, type);
    if (type.n && !q->media_type.n) return arena_full(q->arena, e);
    return response_body(&a, MANIFEST_MAX, BODY_MS, q->arena, &q->bytes, e);
}

/* The URL of the page after this one into q->page, or empty. It must be where the first one is. */
static bool next_page(struct registry *r, struct query *q, const struct response *a, struct err *e) {
    struct view value, target = {0};
    struct url here, next;
    for (size_t at = 0; http_field(&a->head, "link", &at, &value);)
        if (!http_link_next(value, &target, e)) return false;
    if (target.n == 0) {
        q->page = target;
        return true;
    }
    struct writer w = writer_of(r->urls[1], URL_MAX);
    if (!endpoint_url(r, q, &here, e) || !url_resolve(&here, target, &w, e) || !url_parse(writer_view(&w), &next, e))
        return err_in(e, "the next page");
    if (!url_same_origin(&here, &next))
        return err_set(e, ERR_FORMAT, "the next page is at another place, %.*s", VIEW_ARG(next.authority));
    q->page = arena_copy(q->arena, writer_view(&w));
    return q->page.n || arena_full(q->arena, e);
}

/* found: the endpoint keeps such lists; this one may be empty. */
static bool try_referrers(struct registry *r, struct query *q, struct err *e) {
    size_t pages = 0, left = MANIFEST_MAX;
    q->count = 0;
    q->page = (struct view){0};
    do {
        struct response a;
        struct view bytes;
        if (!get(r, q, 0, &a, e)) return false;
        q->found = a.head.status == 200;
        if (!q->found) {
            response_drop(&a);
            return no_referrers(q, a.head.status) || refuse_status(r, q, &a, e);
        }
        if (++pages > PAGES_MAX)
            return err_set(e, ERR_FORMAT, "the list of referrers has more than %u pages", PAGES_MAX);
        if (!response_body(&a, left, BODY_MS, q->arena, &bytes, e) || !next_page(r, q, &a, e) ||
            !referrers_parse(bytes, q->arena, q->digests, q->max, &q->count, e)) {
            connection_close(a.connection);
            return err_in(e, "%s", a.connection->host);
        }
        left -= bytes.n;
    } while (q->page.n);
    return true;
}

/* Where the body of this answer begins in the blob: *start. */
static bool check_blob_head(const struct query *q, const struct response *a, uint64_t *start, struct err *e) {
    const char *host = a->connection->host;
    unsigned long long size = q->size, length = a->head.length;
    uint64_t first = 0, last, total;
    *start = 0;
    if (a->head.status == 206) {
        if (!http_content_range_parse(http_field_first(&a->head, "content-range"), &first, &last, &total, e))
            return err_in(e, "%s", host);
        if (first != q->delivered || last != q->size - 1 || (total != UINT64_MAX && total != q->size))
            return err_set(e, ERR_FORMAT, "%s was asked for bytes %llu-%llu and sends %llu-%llu", host,
                           (unsigned long long)q->delivered, size - 1, (unsigned long long)first,
                           (unsigned long long)last);
    }
    if (a->head.framing == HTTP_LENGTH && length != size - first)
        return err_set(e, ERR_DIGEST, "%.*s: %s has %llu bytes, the descriptor says %llu", VIEW_ARG(q->reference), host,
                       length + first, size);
    *start = first;
    return true;
}

static bool stream_blob(struct query *q, struct response *a, uint64_t at, struct err *e) {
    struct connection *c = a->connection;
    uint64_t mark = at;
    int64_t next_ms = clock_ms() + SLOW_MS;
    c->deadline_ms = 0;
    for (struct view bytes;;) {
        if (!response_read(a, &bytes, e)) return false;
        if (bytes.n == 0) break;
        if (bytes.n > q->size - at)
            return err_set(e, ERR_DIGEST, "%.*s: %s sends more than the %llu bytes of the descriptor",
                           VIEW_ARG(q->reference), c->host, (unsigned long long)q->size);
        at += bytes.n;
        if (at > q->delivered) { /* what came before is there already */
            uint64_t fresh = at - q->delivered;
            if (!q->sink(q->sink_state, fresh < bytes.n ? view_skip(bytes, bytes.n - (size_t)fresh) : bytes, e))
                return false;
            q->delivered = at;
        }
        if (clock_ms() < next_ms) continue;
        if (at - mark < SLOW_BYTES)
            return err_set(e, ERR_NETWORK, "%s sends only %llu bytes in a minute", c->host,
                           (unsigned long long)(at - mark));
        mark = at;
        next_ms = clock_ms() + SLOW_MS;
    }
    if (at == q->size) return true;
    return err_set(e, a->head.framing == HTTP_CLOSE ? ERR_NETWORK : ERR_DIGEST,
                   "%.*s: %s ends it after %llu of %llu bytes", VIEW_ARG(q->reference), c->host, (unsigned long long)at,
                   (unsigned long long)q->size);
}

static bool try_blob(struct registry *r, struct query *q, struct err *e) {
    struct response a;
    uint64_t at;
    q->found = true;
    if (q->delivered == q->size && q->size) return true; /* a later endpoint has nothing to add */
    if (!get(r, q, q->delivered, &a, e)) return false;
    q->found = a.head.status != 404;
    if (!q->found || (a.head.status == 206 && q->delivered == 0)) {
        response_drop(&a);
        return !q->found || refuse_status(r, q, &a, e);
    }
    if (check_blob_head(q, &a, &at, e) && stream_blob(q, &a, at, e)) return true;
    connection_close(a.connection);
    return false;
}

/* ---- Endpoints and retries ---- */

static bool try_endpoint(struct registry *r, struct query *q, int retries, struct err *e) {
    int64_t since = clock_ms();
    for (int n = 0;; n++) {
        uint64_t before = q->delivered;
        static bool (*const tries[])(struct registry *, struct query *, struct err *) = {try_manifest, try_blob,
                                                                                         try_referrers};
        if (tries[q->kind](r, q, e)) return true;
        if (e->kind != ERR_NETWORK || e->sys == ENOENT) return false;
        if (q->delivered - before >= 1u << 20) { /* it does move */
            n = 0;
            since = clock_ms();
        }
        if (n == retries || clock_ms() - since > RETRY_MS) {
            if (n) err_in(e, "after %d attempts", n + 1);
            return false;
        }
        unsigned seconds = 1u << n;
        if (r->retry_after) seconds = (unsigned)(r->retry_after < RETRY_AFTER_MAX ? r->retry_after : RETRY_AFTER_MAX);
        note(r, "%s; trying again in %u s", e->text, seconds);
        since += seconds * 1000;
        nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
    }
}

/* Asks mirrors, then home. A mirror's list of signatures may be empty where home's is not (caches do not mirror such
 * lists), so home is asked too; where home is out of reach, the mirror's "none" stands: fewer signatures can only cause
 * a refusal. */
static bool try_all(struct registry *r, struct query *q, struct err *e) {
    char failures[100] = "";
    size_t n = 0, home = r->source.endpoint_count - 1;
    bool list = q->kind == QUERY_REFERRERS || (q->kind == QUERY_MANIFEST && view_starts(q->reference, VIEW("sha256-")));
    bool none = false;
    for (size_t i = 0; i < home; i++) {
        struct view host = r->source.endpoints[i].host;
        if (r->dead[i]) continue;
        q->endpoint = i;
        bool ok = try_endpoint(r, q, 0, e);
        if (ok && q->found && (q->kind != QUERY_REFERRERS || q->count)) return true;
        if (!ok && e->kind == ERR_SYSTEM) return false;
        none |= ok && list;
        if (ok) continue;
        note(r, "mirror %.*s: %s; asking the next", VIEW_ARG(host), e->text);
        r->dead[i] = e->kind == ERR_NETWORK || e->kind == ERR_SIGNATURE;
        if (n < sizeof failures)
            n += (size_t)snprintf(failures + n, sizeof failures - n, "%s%.*s: %s", n ? "; " : "", VIEW_ARG(host),
                                  e->text);
    }
    q->endpoint = home;
    bool skip = none && r->dead[home];
    if (!skip && try_endpoint(r, q, none ? 0 : RETRIES, e)) return true;
    if (!none || (!skip && e->kind != ERR_NETWORK)) return n > 0 && err_in(e, "mirrors failed (%s)", failures);
    if (!skip) note(r, "%s; a mirror says that there are no signatures of that form", e->text);
    r->dead[home] = true; /* for such lists; everything else still asks it */
    q->found = false;
    q->count = 0;
    return true;
}

static bool registry_open(void *state, const struct fetch_source *source, struct view ca_pem, struct err *e) {
    struct registry *r = state;
    struct arena a;
    r->source = *source;
    return arena_make(&a, 3 * CA_PEM_MAX, e) && tls_trust_load(ca_pem, &a, &r->trust, e);
}

static bool is_tag(struct view v) {
    return v.n > 0 && v.n <= TAG_MAX && v.p[0] != '-' && v.p[0] != '.' && view_is_word(v, "_-.");
}

static bool registry_manifest(void *state, struct view reference, struct arena *a, struct view *bytes,
                              struct view *media_type, bool *found, struct err *e) {
    struct query q = {.reference = reference, .arena = a};
    struct digest digest;
    if (!is_tag(reference) && !digest_parse(reference, &digest, e)) return false;
    if (!try_all(state, &q, e)) return false;
    *bytes = q.bytes;
    *media_type = q.media_type;
    *found = q.found;
    return true;
}

static bool registry_blob(void *state, struct view digest, uint64_t size,
                          bool (*sink)(void *sink_state, struct view bytes, struct err *e), void *sink_state,
                          struct err *e) {
    struct query q = {.kind = QUERY_BLOB, .reference = digest, .size = size, .sink = sink, .sink_state = sink_state};
    struct digest checked;
    if (!digest_parse(digest, &checked, e) || !try_all(state, &q, e)) return false;
    return q.found || err_set(e, ERR_FORMAT, "the registry has no blob %.*s (404)", VIEW_ARG(digest));
}

static bool registry_referrers(void *state, struct view subject, struct arena *a, struct digest *out, size_t max,
                               size_t *count, bool *complete, struct err *e) {
    struct query q = {.kind = QUERY_REFERRERS, .reference = subject, .arena = a, .digests = out, .max = max};
    struct digest checked;
    if (!digest_parse(subject, &checked, e) || !try_all(state, &q, e)) return false;
    *count = q.count;
    *complete = q.found;
    return true;
}

/* To the first endpoint; what it speaks is known then, too. */
static bool registry_connect(void *state, struct err *e) {
    struct registry *r = state;
    struct query q = {.reference = VIEW("-")};
    struct url u;
    r->last = 0;
    do {
        if (!endpoint_url(r, &q, &u, e)) return false;
        if (connection_open(&r->connections[0], &u, &r->trust, e)) return true;
    } while (fall_back(r, &q, &u, e));
    return false;
}

static void registry_idle(void *state) {
    struct registry *r = state;
    for (size_t i = 0; i < 2; i++) connection_close(&r->connections[i]);
}

const struct source_ops registry_ops = {registry_open, registry_manifest, registry_referrers, registry_blob,
                                        registry_connect, registry_idle};

bool registry_make(void (*note_text)(const char *text), void **state, struct err *e) {
    struct arena a;
    if (!arena_make(&a, sizeof(struct registry), e)) return false;
    struct registry *r = arena_alloc(&a, sizeof *r);
    r->note = note_text;
    r->connections[0].fd = r->connections[1].fd = -1;
    *state = r;
    return true;
}
