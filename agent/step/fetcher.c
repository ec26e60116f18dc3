/* see fetcher.h */
#include "step/fetcher.h"

#include "crypto/hash.h"
#include "crypto/wipe.h"
#include "sys/console.h"
#include "worker/job.h"
#include "worker/worker.h"

static void add_endpoint(const struct config *config, const struct reference *at, struct fetch_source *source) {
    struct view host = view_str(at->host), repository = view_str(at->repository);
    source->endpoints[source->endpoint_count++] =
        (struct fetch_endpoint){host, repository, policy_credential(&config->policy, host, repository)};
}

static bool send_source(const struct config *config, const struct child *fetch, struct err *e) {
    struct reference mirrors[POLICY_MIRRORS_MAX];
    struct fetch_source source = {.allow_http = config->policy.allow_http,
                                  .os = view_str(config->platform.os),
                                  .architecture = view_str(config->platform.architecture),
                                  .variant = view_str(config->platform.variant)};
    for (size_t i = 0; i < config->policy.mirror_count && !config->image.layout; i++) {
        if (!reference_mirror(&config->image, config->policy.mirrors[i], &mirrors[i], e)) return false;
        add_endpoint(config, &mirrors[i], &source);
    }
    add_endpoint(config, &config->image, &source);
    uint8_t bytes[16 << 10];
    struct writer w = writer_of(bytes, sizeof bytes);
    fetch_source_encode(&source, &w);
    if (w.full) return err_set(e, ERR_USAGE, "registry names and credentials take more than %zu bytes", sizeof bytes);
    bool sent = frame_send(fetch->control, FRAME_SOURCE, writer_view(&w), (struct view){0}, e);
    wipe(bytes, sizeof bytes);
    return sent;
}

bool fetcher_start(const struct config *config, struct child *out, struct err *e) {
    struct child fetch = CHILD_NONE;
    if (!proc_start(config->fetch_worker, config->fetch_room, false, -1, &fetch, e)) return err_in(e, "fetch worker");
    bool told = send_source(config, &fetch, e);
    for (struct view pem = config->ca_pem; told && pem.n; pem = view_skip(pem, FRAME_MAX))
        told = frame_send(fetch.control, FRAME_CA, view_first(pem, FRAME_MAX), (struct view){0}, e);
    if (!told) {
        proc_kill(&fetch);
        return err_in(e, "fetch worker");
    }
    *out = fetch;
    return true;
}

bool fetcher_ask(const struct child *fetch, enum frame_type request, struct view text, struct err *e) {
    return frame_send(fetch->control, request, text, (struct view){0}, e);
}

bool fetcher_ask_blob(const struct child *fetch, const struct descriptor *blob, struct err *e) {
    uint8_t size[8];
    struct writer w = writer_of(size, sizeof size);
    write_le64(&w, blob->size);
    char text[DIGEST_TEXT_SIZE];
    return frame_send(fetch->control, FRAME_BLOB, writer_view(&w), view_str(digest_text(&blob->digest, text)), e);
}

void fetcher_note(struct view text) {
    struct err note;
    err_set(&note, ERR_NETWORK, "%.*s", VIEW_ARG(view_first(text, 400)));
    console_say("%s", note.text);
}

bool fetcher_next(const struct child *fetch, uint8_t *buffer, int64_t deadline_ms, struct frame *out, struct err *e) {
    for (;;) {
        struct frame f;
        if (!frame_receive(fetch->control, buffer, FRAME_MAX, deadline_ms, &f, e)) return false;
        switch (f.type) {
        case FRAME_NOTE: fetcher_note(f.payload); break;
        case FRAME_ERROR: return frame_error(f.payload, e);
        case FRAME_OBJECT:
        case FRAME_DATA:
        case FRAME_SIGNATURE:
        case FRAME_END: *out = f; return true;
        default: return err_set(e, ERR_SYSTEM, "the fetch worker sent frame %d, which it never should", (int)f.type);
        }
    }
}

bool fetcher_take_blob(const struct child *fetch, const struct descriptor *blob, const char *what, int64_t deadline_ms,
                       struct arena *a, struct view *out, struct err *e) {
    char wanted[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    uint8_t *bytes = arena_alloc(a, blob->size), *buffer = arena_alloc(a, FRAME_MAX);
    if (!bytes || !buffer) return arena_full(a, e);
    uint64_t n = 0;
    for (struct frame f;;) {
        if (!fetcher_next(fetch, buffer, deadline_ms, &f, e)) return err_in(e, "%s", what);
        if (f.type == FRAME_END) break;
        if (f.type != FRAME_DATA) return err_set(e, ERR_SYSTEM, "the fetch worker mixed up its answers");
        if (n <= blob->size) memcpy(bytes + n, f.payload.p, view_first(f.payload, blob->size - n).n);
        n += f.payload.n;
    }
    if (n > blob->size)
        return err_set(e, ERR_DIGEST, "%s goes on after its %llu bytes", what, (unsigned long long)blob->size);
    struct digest digest;
    hash_once(HASH_SHA256, view_of(bytes, n), digest.sha256);
    if (n != blob->size)
        return err_set(e, ERR_DIGEST, "%s has %llu bytes, the manifest says %llu", what, (unsigned long long)n,
                       (unsigned long long)blob->size);
    if (!digest_eq(&digest, &blob->digest)) {
        err_set(e, ERR_DIGEST, "%s is %s, the manifest says %s", what, digest_text(&digest, found),
                digest_text(&blob->digest, wanted));
        return err_mend(e, "the registry served other bytes; push the image again");
    }
    *out = view_of(bytes, n);
    return true;
}

bool fetcher_blob(const struct child *fetch, const struct descriptor *blob, const char *what, uint64_t max,
                  int64_t deadline_ms, struct arena *a, struct view *out, struct err *e) {
    if (blob->size > max)
        return err_set(e, ERR_FORMAT, "%s has %llu bytes; at most %llu are taken", what, (unsigned long long)blob->size,
                       (unsigned long long)max);
    return fetcher_ask_blob(fetch, blob, e) && fetcher_take_blob(fetch, blob, what, deadline_ms, a, out, e);
}
