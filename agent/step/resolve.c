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
        if (f.type == FRAME_END) break;
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

static bool receive_signatures(const struct child *fetch, const struct digest *digest, int64_t deadline_ms,
                               uint8_t *buffer, struct arena *a, struct resolved *r, struct err *e) {
    char text[DIGEST_TEXT_SIZE];
    if (!fetcher_ask(fetch, FRAME_SIGNATURES, view_str(digest_text(digest, text)), e)) return false;
    for (struct frame f;;) {
        if (!fetcher_next(fetch, buffer, deadline_ms, &f, e)) return err_in(e, "signatures of %s", text);
        if (f.type == FRAME_END) return true;
        struct reader in = reader_of(f.payload);
        uint8_t form = read_u8(&in);
        struct view payload = read_bytes(&in, read_le32(&in));
        if (f.type != FRAME_SIGNATURE || in.bad || form != SIGNATURE_TAG)
            return err_set(e, ERR_SYSTEM, "the fetch worker mixed up its answers");
        if (r->candidate_count == SIGNATURES_MAX)
            return err_set(e, ERR_FORMAT, "more than %u signatures are attached to the image", SIGNATURES_MAX);
        if (payload.n > SIGNATURE_PAYLOAD_MAX || in.rest.n > SIGNATURE_MAX) continue;
        r->candidates[r->candidate_count++] =
            (struct signature_candidate){SIGNATURE_TAG, arena_copy(a, payload), arena_copy(a, in.rest)};
    }
}

bool resolve_image(const struct config *config, const struct child *fetch, struct arena *a, struct resolved *out,
                   struct err *e) {
    const struct reference *image = &config->image;
    char text[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    uint8_t *buffer = arena_alloc(a, FRAME_MAX);
    if (!buffer) return arena_full(a, e);
    *out = (struct resolved){0};
    struct view wanted = view_str(image->pinned ? digest_text(&image->digest, text) : image->tag);
    if (!fetcher_ask(fetch, FRAME_RESOLVE, wanted, e)) return false;
    if (!receive_objects(fetch, config->deadline_ms, buffer, a, out, e)) return false;

    hash_once(HASH_SHA256, out->top, out->top_digest.sha256);
    hash_once(HASH_SHA256, out->child, out->child_digest.sha256);
    if (image->pinned && !digest_eq(&out->top_digest, &image->digest))
        return err_set(e, ERR_DIGEST, "the manifest is %s, the reference says %s", digest_text(&out->top_digest, found), text);
    if (config->policy.allow_unsigned) return true;
    if (!receive_signatures(fetch, &out->top_digest, config->deadline_ms, buffer, a, out, e)) return false;
    return out->child.n == 0 ||
           receive_signatures(fetch, &out->child_digest, config->deadline_ms, buffer, a, out, e);
}
