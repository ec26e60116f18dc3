/* see resolve.h */
#include "step/resolve.h"

#include "base/reader.h"
#include "step/fetcher.h"

/* Collects OBJECT DATA.. [OBJECT DATA..] END. */
static bool receive_objects(const struct child *fetch, int64_t deadline_ms, uint8_t *buffer, struct arena *a,
                            struct resolved *r, struct err *e) {
    struct view *bytes[2] = {&r->top, &r->child}, *types[2] = {&r->top_type, &r->child_type};
    uint8_t *into = NULL;
    size_t count = 0;
    for (struct frame f;;) {
        if (!fetcher_next(fetch, buffer, deadline_ms, &f, e)) return false;
        if (f.type == FRAME_END) {
            struct reader hint = reader_of(f.payload);
            struct descriptor d = {.size = read_le64(&hint)};
            struct err ignored;
            if (!hint.bad && d.size <= CONFIG_MAX && digest_parse(hint.rest, &d.digest, &ignored)) r->config_said = d;
            break;
        }
        if (f.type == FRAME_OBJECT && count < 2) {
            into = arena_alloc(a, MANIFEST_MAX);
            *types[count] = arena_copy(a, view_first(f.payload, 256));
            if (!into) return arena_full(a, e);
            *bytes[count++] = view_of(into, 0);
        } else if (f.type == FRAME_DATA && count) {
            struct view *object = bytes[count - 1];
            if (f.payload.n > MANIFEST_MAX - object->n)
                return err_set(e, ERR_FORMAT, "the manifest is larger than %u bytes", MANIFEST_MAX);
            memcpy(into + object->n, f.payload.p, f.payload.n);
            object->n += f.payload.n;
        } else {
            return err_set(e, ERR_SYSTEM, "the fetch worker mixed up its answers");
        }
    }
    if (r->top.n == 0) return err_set(e, ERR_FORMAT, "the manifest is empty");
    return true;
}

/* Room for the candidate that this frame announces, or NULL. `total`: bytes of all statements so far. */
static struct signature_candidate *begin_candidate(const struct frame *f, struct arena *a, struct resolved *r,
                                                   uint64_t *total, struct err *e) {
    struct reader in = reader_of(f->payload);
    uint8_t form = read_u8(&in);
    uint32_t n = read_le32(&in);
    if (in.bad || form >= SIGNATURE_INLINE || in.rest.n > SIGNATURE_MAX || (form == SIGNATURE_MESSAGE && n)) {
        err_set(e, ERR_SYSTEM, "the fetch worker mixed up its answers");
        return NULL;
    }
    if (r->candidate_count == SIGNATURES_MAX) {
        err_set(e, ERR_FORMAT, "more than %u signatures are attached to the image", SIGNATURES_MAX);
        return NULL;
    }
    *total += form == SIGNATURE_TAG ? 0 : n;
    if (n > (form == SIGNATURE_TAG ? SIGNATURE_PAYLOAD_MAX : STATEMENT_MAX) || *total > STATEMENTS_MAX) {
        err_set(e, ERR_FORMAT, "a signature or attestation of %u bytes is more than is taken", n);
        return NULL;
    }
    struct signature_candidate *c = &r->candidates[r->candidate_count];
    uint8_t *payload = arena_alloc(a, n);
    *c = (struct signature_candidate){(enum signature_form)form, view_of(payload, n), arena_copy(a, in.rest)};
    if (!payload || (in.rest.n && !c->signature.n)) {
        arena_full(a, e);
        return NULL;
    }
    r->candidate_count++;
    return c;
}

static bool ask_signatures(const struct config *config, const struct child *fetch, const struct digest *digest,
                           unsigned which, struct err *e) {
    char request[1 + DIGEST_TEXT_SIZE];
    request[0] = (char)(which | (config->policy.attestation_count ? SIGNATURES_ATTESTATIONS : 0));
    digest_text(digest, request + 1);
    return fetcher_ask(fetch, FRAME_SIGNATURES, view_of(request, 1 + strlen(request + 1)), e);
}

/* Collects (SIGNATURE DATA..).. END. */
static bool receive_signatures(const struct config *config, const struct child *fetch, const struct digest *digest,
                               uint8_t *buffer, struct arena *a, struct resolved *r, uint64_t *total, struct err *e) {
    char text[DIGEST_TEXT_SIZE];
    struct signature_candidate *c = NULL;
    size_t missing = 0; /* of the candidate's payload */
    digest_text(digest, text);
    for (struct frame f;;) {
        if (!fetcher_next(fetch, buffer, config->deadline_ms, &f, e)) return err_in(e, "signatures of %s", text);
        if (f.type == FRAME_SIGNATURE && missing == 0) {
            if (!(c = begin_candidate(&f, a, r, total, e))) return false;
            missing = c->payload.n;
        } else if (f.type == FRAME_DATA && missing && f.payload.n <= missing) {
            memcpy((uint8_t *)c->payload.p + (c->payload.n - missing), f.payload.p, f.payload.n);
            missing -= f.payload.n;
        } else {
            return (f.type == FRAME_END && missing == 0) ||
                   err_set(e, ERR_SYSTEM, "the fetch worker mixed up its answers");
        }
    }
}

/* Everything is asked for before the first answer is read, so that the two workers wait for the registry at the same
 * time. A config that does not come, or is another, is the trust step's to refuse. */
static bool receive_rest(const struct config *config, const struct child *fetch, const struct child *second,
                         uint8_t *buffer, struct arena *a, struct resolved *r, struct err *e) {
    const struct digest *digests[] = {&r->top_digest, &r->child_digest};
    bool wanted = !config->policy.allow_unsigned || config->policy.attestation_count;
    size_t count = !wanted ? 0 : r->child.n ? 2 : 1;
    uint64_t statements = 0;
    struct err ignored;
    struct frame f;
    if (!second) r->config_said.size = 0;
    /* A connection that could not be made is made again for the first request, and told about then. */
    if (second && !fetcher_next(second, buffer, config->deadline_ms, &f, &ignored) && ignored.kind == ERR_SYSTEM)
        return *e = ignored, false;
    if (r->config_said.size && !fetcher_ask_blob(second, &r->config_said, e)) return false;
    for (size_t i = 0; i < count; i++)
        if (!ask_signatures(config, fetch, digests[i], second ? SIGNATURES_TAGS : 0, e) ||
            (second && !ask_signatures(config, second, digests[i], SIGNATURES_REFERRERS, e)))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!receive_signatures(config, fetch, digests[i], buffer, a, r, &statements, e)) return false;
    if (r->config_said.size &&
        !fetcher_take_blob(second, &r->config_said, "config", config->deadline_ms, a, &r->config, &ignored))
        r->config = (struct view){0};
    for (size_t i = 0; second && i < count; i++)
        if (!receive_signatures(config, second, digests[i], buffer, a, r, &statements, e)) return false;
    return true;
}

bool resolve_image(const struct config *config, const struct child *fetch, const struct child *second, struct arena *a,
                   struct resolved *out, struct err *e) {
    const struct reference *image = &config->image;
    char text[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    uint8_t *buffer = arena_alloc(a, FRAME_MAX);
    if (!buffer) return arena_full(a, e);
    *out = (struct resolved){0};
    struct view wanted = view_str(image->pinned ? digest_text(&image->digest, text) : image->tag);
    if (second && !fetcher_ask(second, FRAME_CONNECT, (struct view){0}, e)) return false;
    if (!fetcher_ask(fetch, FRAME_RESOLVE, wanted, e)) return false;
    if (!receive_objects(fetch, config->deadline_ms, buffer, a, out, e)) return false;

    hash_once(HASH_SHA256, out->top, out->top_digest.sha256);
    hash_once(HASH_SHA256, out->child, out->child_digest.sha256);
    if (image->pinned && !digest_eq(&out->top_digest, &image->digest))
        return err_set(e, ERR_DIGEST, "the manifest is %s, the reference says %s", digest_text(&out->top_digest, found),
                       text);
    return receive_rest(config, fetch, second, buffer, a, out, e);
}
