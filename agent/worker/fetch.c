/* see worker.h */
#include "worker/fetch.h"

#include "base/reader.h"
#include "worker/confine.h"
#include "worker/signatures.h"

#include <poll.h>

/* Two manifests of 4 MiB and their JSON trees; with a document of signatures.c within the worker's limit (confine.c).
 * Pages are touched only when used. */
#define REQUEST_ARENA (40u << 20)
#define IDLE_MS 1000 /* connections are kept so long between requests */

struct session {
    const struct source_ops *ops;
    void *state;
    struct fetch_source source;
    struct arena arena;  /* of one request */
    uint64_t statements; /* bytes of them that may still be handed over */
    struct writer frame; /* FRAME_MAX bytes: a request as received, then blob bytes on their way out */
    struct writer end;   /* payload of the answer's FRAME_END */
    uint8_t end_bytes[8 + DIGEST_TEXT_SIZE];
};

bool fetch_send(enum frame_type type, struct view head, struct view body, struct err *e) {
    return frame_send(WORKER_CONTROL, type, head, body, e);
}

void fetch_note(const char *text) {
    struct err ignored;
    fetch_send(FRAME_NOTE, view_str(text), (struct view){0}, &ignored);
}

bool fetch_send_data(struct view bytes, struct err *e) {
    for (struct view part; bytes.n; bytes = view_skip(bytes, part.n)) {
        part = view_first(bytes, FRAME_MAX);
        if (!fetch_send(FRAME_DATA, part, (struct view){0}, e)) return false;
    }
    return true;
}

static bool send_manifest(struct session *s, struct view reference, struct view *bytes, struct view *type,
                          struct err *e) {
    bool found;
    if (!s->ops->manifest(s->state, reference, &s->arena, bytes, type, &found, e))
        return err_in(e, "manifest %.*s", VIEW_ARG(reference));
    if (!found) return err_set(e, ERR_FORMAT, "there is no manifest %.*s", VIEW_ARG(reference));
    return fetch_send(FRAME_OBJECT, *type, (struct view){0}, e) && fetch_send_data(*bytes, e);
}

/* So that the monitor can ask for the config while signatures are still looked for. */
static void hint_config(struct session *s, struct view manifest) {
    struct manifest m;
    struct err ignored;
    char digest[DIGEST_TEXT_SIZE];
    if (!manifest_parse(manifest, &s->arena, &m, &ignored)) return;
    write_le64(&s->end, m.config.size);
    write_text(&s->end, digest_text(&m.config.digest, digest));
}

/* What cannot be read here is no error here: the monitor gets the bytes and says what is wrong with them. */
static bool resolve(struct session *s, struct view reference, struct err *e) {
    struct view bytes, type;
    enum manifest_kind kind;
    struct descriptor child;
    struct err ignored;
    struct view v[3] = {s->source.os, s->source.architecture, s->source.variant};
    char text[3][80];
    for (size_t i = 0; i < 3; i++)
        if (!view_to_str(v[i], text[i], sizeof text[i])) return err_set(e, ERR_FORMAT, "a malformed platform");
    struct platform want = {text[0], text[1], text[2]};
    if (!send_manifest(s, reference, &bytes, &type, e)) return false;
    if (!manifest_kind_of(bytes, type, &s->arena, &kind, &ignored)) return true;
    if (kind == MANIFEST_INDEX) {
        char digest[DIGEST_TEXT_SIZE];
        if (!index_select(bytes, &want, &s->arena, &child, &ignored)) return true;
        if (!send_manifest(s, view_str(digest_text(&child.digest, digest)), &bytes, &type, e)) return false;
    }
    hint_config(s, bytes);
    return true;
}

static bool signatures(struct session *s, struct view request, struct err *e) {
    struct reader r = reader_of(request);
    uint8_t flags = read_u8(&r);
    struct digest image;
    if (r.bad) return err_set(e, ERR_FORMAT, "a malformed request for signatures");
    return digest_parse(r.rest, &image, e) &&
           signatures_find(s->ops, s->state, &image, flags, &s->arena, &s->statements, e);
}

static bool flush(struct session *s, struct err *e) {
    size_t n = s->frame.n;
    s->frame.n = 0;
    return n == 0 || fetch_send(FRAME_DATA, view_of(s->frame.p, n), (struct view){0}, e);
}

/* Small pieces, as TLS records are, go out together; large ones at once, without a copy. */
static bool pass_on(void *state, struct view bytes, struct err *e) {
    struct session *s = state;
    if (s->frame.n == 0 && bytes.n >= FRAME_MAX / 4) return fetch_send_data(bytes, e);
    for (struct view part; bytes.n; bytes = view_skip(bytes, part.n)) {
        part = view_first(bytes, s->frame.size - s->frame.n);
        write_bytes(&s->frame, part);
        if (s->frame.n == s->frame.size && !flush(s, e)) return false;
    }
    return true;
}

static bool blob(struct session *s, struct view request, struct err *e) {
    struct reader r = reader_of(request);
    uint64_t size = read_le64(&r);
    struct digest digest;
    char text[DIGEST_TEXT_SIZE]; /* a copy: the blob's bytes will use the request's buffer */
    if (r.bad || !digest_parse(r.rest, &digest, e))
        return r.bad ? err_set(e, ERR_FORMAT, "a malformed request for a blob") : false;
    s->frame.n = 0;
    return s->ops->blob(s->state, view_str(digest_text(&digest, text)), size, pass_on, s, e) && flush(s, e);
}

static bool answer(struct session *s, const struct frame *request, struct err *e) {
    char reference[TAG_MAX + 1] = ""; /* as above */
    if (request->type == FRAME_BLOB) return blob(s, request->payload, e);
    if (request->type == FRAME_SIGNATURES) return signatures(s, request->payload, e);
    if (request->type == FRAME_CONNECT) return !s->ops->connect || s->ops->connect(s->state, e);
    if (!view_to_str(request->payload, reference, sizeof reference))
        return err_set(e, ERR_FORMAT, "a malformed request");
    if (request->type == FRAME_RESOLVE) return resolve(s, view_str(reference), e);
    return err_set(e, ERR_SYSTEM, "a request of type %d, which the fetch worker does not know", request->type);
}

/* Takes the source and the CA certificates; *request is the first message after them. */
static bool begin(struct session *s, struct frame *request, struct arena *keep, struct err *e) {
    struct arena a = {0};
    struct writer ca = {0};
    if (!frame_receive(WORKER_CONTROL, s->frame.p, s->frame.size, 0, request, e)) return false;
    struct view source = arena_copy(keep, request->payload); /* its texts are used until the end */
    if (request->type != FRAME_SOURCE) return err_set(e, ERR_SYSTEM, "the fetch worker was not told its source first");
    if (!fetch_source_decode(source, &s->source, e) || !arena_make(&a, CA_PEM_MAX, e)) return false;
    ca = writer_of(a.base, a.size);
    bool ok;
    while ((ok = frame_receive(WORKER_CONTROL, s->frame.p, s->frame.size, 0, request, e)) && request->type == FRAME_CA)
        write_bytes(&ca, request->payload);
    if (ok && ca.full) ok = err_set(e, ERR_USAGE, "more than %u bytes of CA certificates", CA_PEM_MAX);
    ok = ok && s->ops->open(s->state, &s->source, writer_view(&ca), e);
    arena_drop(&a);
    return ok;
}

static bool next_request(struct session *s, struct frame *request, struct err *e) {
    struct pollfd p = {WORKER_CONTROL, POLLIN, 0};
    if (s->ops->idle && poll(&p, 1, IDLE_MS) == 0) s->ops->idle(s->state);
    return frame_receive(WORKER_CONTROL, s->frame.p, s->frame.size, 0, request, e);
}

int fetch_main(int role, const struct source_ops *ops, void *state) {
    struct session s = {.ops = ops, .state = state, .statements = STATEMENTS_MAX};
    struct arena keep = {0};
    struct frame request;
    struct err e, ignored;
    bool ok = confine_enter((enum confine_role)role, &e) && arena_make(&keep, 3 * FRAME_MAX, &e);
    if (ok) s.frame = writer_of(arena_alloc(&keep, FRAME_MAX), FRAME_MAX);
    ok = ok && begin(&s, &request, &keep, &e);
    if (!ok) frame_send_error(WORKER_CONTROL, &e, &ignored);
    while (ok) {
        s.end = writer_of(s.end_bytes, sizeof s.end_bytes);
        bool answered = arena_make(&s.arena, REQUEST_ARENA, &e) && answer(&s, &request, &e);
        arena_drop(&s.arena);
        ok = answered ? fetch_send(FRAME_END, writer_view(&s.end), (struct view){0}, &ignored)
                      : frame_send_error(WORKER_CONTROL, &e, &ignored);
        ok = ok && next_request(&s, &request, &ignored);
    }
    return 0;
}
