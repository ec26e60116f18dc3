/* see signatures.h */
#include "worker/signatures.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "format/bundle.h"
#include "trust/signature.h"
#include "worker/fetch.h"
#include "worker/frame.h"

#include <stdarg.h>
#include <stdio.h>

#define SIMPLE_SIGNING "application/vnd.dev.cosign.simplesigning.v1+json"
#define DSSE_ENVELOPE "application/vnd.dsse.envelope.v1+json"

/* Of one document: its bytes, and what json_parse sets aside; little of that is ever touched. */
#define SCRATCH (5 * ENVELOPE_MAX)
/* Downloaded in one search, manifests and blobs. */
#define DOWNLOAD_MAX (64u << 20)

struct search {
    const struct source_ops *ops;
    void *state;
    char image[DIGEST_TEXT_SIZE];
    bool attestations;
    struct arena *lists;  /* manifests, until the end */
    struct arena scratch; /* one document at a time */
    uint64_t download;    /* bytes that may still come */
    uint64_t *statements;
    size_t sent;
    char what[80]; /* the document in hand, for people */
};

__attribute__((format(printf, 2, 3))) static void leave_out(const struct search *s, const char *format, ...) {
    char text[800];
    int n = snprintf(text, sizeof text, "%s is left out: ", s->what);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    fetch_note(text);
}

/* A document that is broken, or not what its descriptor says, is left out; whatever else fails ends the search. */
static bool left_out(const struct search *s, const struct err *why) {
    char text[600];
    if ((why->kind != ERR_FORMAT && why->kind != ERR_DIGEST) || s->sent > SIGNATURES_MAX) return false;
    err_line(why, text, sizeof text);
    leave_out(s, "%s", text);
    return true;
}

/* ---- Handing over ---- */

static bool hand_over(struct search *s, enum signature_form form, struct view payload, struct view signature,
                      struct err *e) {
    uint8_t head[5];
    struct writer w = writer_of(head, sizeof head);
    bool statement = form == SIGNATURE_DSSE || form == SIGNATURE_BUNDLE;
    if (statement && payload.n > (s->attestations ? STATEMENT_MAX : SIGNATURE_PAYLOAD_MAX)) {
        leave_out(s, "its statement has %zu bytes%s", payload.n,
                  s->attestations ? "" : "; no attestation is asked for");
        return true;
    }
    if (statement && payload.n > *s->statements) {
        leave_out(s, "the statements of this image have more than %u bytes together", STATEMENTS_MAX);
        return true;
    }
    if (s->sent++ == SIGNATURES_MAX)
        return err_set(e, ERR_FORMAT, "more than %u signatures are attached to %s", SIGNATURES_MAX, s->image);
    if (statement) *s->statements -= payload.n;
    write_u8(&w, (uint8_t)form);
    write_le32(&w, (uint32_t)payload.n);
    return fetch_send(FRAME_SIGNATURE, writer_view(&w), signature, e) && fetch_send_data(payload, e);
}

/* ---- Reading documents ---- */

static bool take(void *state, struct view bytes, struct err *e) {
    struct writer *w = state;
    write_bytes(w, bytes);
    return !w->full || err_set(e, ERR_DIGEST, "it is larger than it was said to be");
}

/* A blob of at most `max` bytes into the scratch arena. */
static bool read_blob(struct search *s, const struct descriptor *d, uint64_t max, struct view *out, struct err *e) {
    char text[DIGEST_TEXT_SIZE];
    struct digest sum;
    if (d->size > max)
        return err_set(e, ERR_FORMAT, "it has %llu bytes, at most %llu are read%s", (unsigned long long)d->size,
                       (unsigned long long)max, max == ENVELOPE_SMALL_MAX ? "; no attestation is asked for" : "");
    if (d->size > s->download)
        return err_set(e, ERR_FORMAT, "more than %u bytes are attached to the image", DOWNLOAD_MAX);
    uint8_t *p = arena_alloc(&s->scratch, (size_t)d->size);
    if (!p) return arena_full(&s->scratch, e);
    struct writer w = writer_of(p, (size_t)d->size);
    s->download -= d->size;
    if (!s->ops->blob(s->state, view_str(digest_text(&d->digest, text)), d->size, take, &w, e)) return false;
    hash_once(HASH_SHA256, writer_view(&w), sum.sha256);
    if (!digest_eq(&sum, &d->digest)) return err_set(e, ERR_DIGEST, "its bytes have another digest than %s", text);
    *out = writer_view(&w);
    return true;
}

/* Manifests are read whole before their size is known, at most MANIFEST_MAX each. */
static bool read_manifest(struct search *s, const char *reference, struct view *out, bool *found, struct err *e) {
    struct view type;
    if (!s->ops->manifest(s->state, view_str(reference), s->lists, out, &type, found, e)) return false;
    if (!*found) return true;
    if (out->n > s->download)
        return err_set(e, ERR_FORMAT, "more than %u bytes are attached to the image", DOWNLOAD_MAX);
    s->download -= out->n;
    return true;
}

/* ---- The forms ---- */

static bool simple_signing(struct search *s, const struct signature_entry *entry, struct err *e) {
    uint8_t signature[SIGNATURE_MAX];
    size_t n;
    struct view payload;
    if (entry->signature.n == 0) return err_set(e, ERR_FORMAT, "it has no signature annotation");
    if (!base64_decode(entry->signature, signature, sizeof signature, &n))
        return err_set(e, ERR_FORMAT, "its signature is not base64 of at most %u bytes", SIGNATURE_MAX);
    return read_blob(s, &entry->payload, SIGNATURE_PAYLOAD_MAX, &payload, e) &&
           hand_over(s, SIGNATURE_TAG, payload, view_of(signature, n), e);
}

static uint64_t envelope_max(const struct search *s) { return s->attestations ? ENVELOPE_MAX : ENVELOPE_SMALL_MAX; }

/* The parsers' own lack of memory is the document's fault. */
static bool parsed(bool ok, struct err *e) {
    if (!ok && e->kind == ERR_SYSTEM) e->kind = ERR_FORMAT;
    return ok;
}

static bool envelope(struct search *s, const struct signature_entry *entry, struct err *e) {
    struct view bytes;
    const json *root;
    struct dsse_envelope d;
    if (!read_blob(s, &entry->payload, envelope_max(s), &bytes, e) ||
        !parsed(json_parse(bytes, &s->scratch, &root, e) && dsse_parse(root, &s->scratch, &d, e), e))
        return false;
    for (size_t i = 0; i < d.signature_count; i++)
        if (!hand_over(s, SIGNATURE_DSSE, d.payload, d.signatures[i], e)) return false;
    return true;
}

static bool bundle(struct search *s, const struct signature_entry *entry, struct err *e) {
    struct view bytes;
    struct bundle b;
    if (!read_blob(s, &entry->payload, envelope_max(s), &bytes, e) ||
        !parsed(bundle_parse(bytes, &s->scratch, &b, e), e))
        return false;
    if (b.has_certificate) return err_set(e, ERR_FORMAT, "it is signed by a certificate; only keys are supported");
    if (b.has_message) return hand_over(s, SIGNATURE_MESSAGE, (struct view){0}, b.message_signature, e);
    return hand_over(s, SIGNATURE_BUNDLE, b.envelope.payload, b.envelope.signatures[0], e);
}

/* ---- Manifests that hold them ---- */

enum place { AT_SIG, AT_ATT, AS_REFERRER };

/* How to read an entry; NULL: it is none of ours. At the .sig tag the layer's media type is anything (cosign
 * SIGNATURE_SPEC.md). */
static bool (*reading(enum place place, struct view artifact_type,
                      struct view type))(struct search *, const struct signature_entry *, struct err *) {
    if (place == AT_ATT) return view_is(type, DSSE_ENVELOPE) ? envelope : NULL;
    if (place == AT_SIG || view_is(type, SIMPLE_SIGNING)) return simple_signing;
    return bundle_is_type(artifact_type) || bundle_is_type(type) ? bundle : NULL;
}

static bool open_entries(struct search *s, enum place place, struct view manifest, struct view artifact_type,
                         const char *name, struct err *e) {
    struct signature_entry *entries = arena_alloc(s->lists, SIGNATURES_MAX * sizeof *entries);
    size_t count;
    if (!entries) return arena_full(s->lists, e);
    if (!signature_manifest_parse(manifest, s->lists, entries, SIGNATURES_MAX, &count, e)) return false;
    for (size_t i = 0; i < count; i++) {
        bool (*read)(struct search *, const struct signature_entry *, struct err *) =
            reading(place, artifact_type, entries[i].payload.media_type);
        if (!read) continue;
        snprintf(s->what, sizeof s->what, "%s %zu of %zu%s%.40s", place == AT_ATT ? "attestation" : "signature", i + 1,
                 count, place == AS_REFERRER ? " in " : "", place == AS_REFERRER ? name : "");
        bool ok = arena_make(&s->scratch, SCRATCH, e) && read(s, &entries[i], e);
        arena_drop(&s->scratch);
        if (!ok && !left_out(s, e)) return err_in(e, "%s", s->what);
    }
    return true;
}

static bool open_tag(struct search *s, enum place place, const char *suffix, struct err *e) {
    char tag[TAG_MAX];
    struct view bytes;
    bool found;
    snprintf(tag, sizeof tag, "sha256-%.64s%s", s->image + 7, suffix);
    return read_manifest(s, tag, &bytes, &found, e) &&
           (!found || open_entries(s, place, bytes, (struct view){0}, tag, e));
}

static bool open_referrer(struct search *s, const struct digest *digest, struct err *e) {
    char text[DIGEST_TEXT_SIZE], subject[DIGEST_TEXT_SIZE];
    struct view bytes;
    struct digest sum;
    struct referrer r;
    bool found;
    digest_text(digest, text);
    snprintf(s->what, sizeof s->what, "referrer %.40s", text);
    if (!read_manifest(s, text, &bytes, &found, e)) return false;
    if (!found) return err_set(e, ERR_FORMAT, "it is gone");
    hash_once(HASH_SHA256, bytes, sum.sha256);
    if (!digest_eq(&sum, digest)) return err_set(e, ERR_DIGEST, "its bytes have another digest");
    if (!parsed(referrer_parse(bytes, s->lists, &r, e), e)) return false;
    if (r.has_subject && strcmp(digest_text(&r.subject, subject), s->image) != 0)
        return err_set(e, ERR_FORMAT, "its subject is %s", subject);
    return open_entries(s, AS_REFERRER, bytes, r.artifact_type, text, e);
}

/* The tag that stands in for the list. Some registries take its name for the digest and answer with the image itself.
 */
static bool read_list_tag(struct search *s, const struct digest *image, struct digest *out, size_t *count,
                          struct err *e) {
    char tag[TAG_MAX];
    struct view bytes;
    struct digest sum;
    bool found;
    snprintf(tag, sizeof tag, "sha256-%.64s", s->image + 7);
    if (!read_manifest(s, tag, &bytes, &found, e)) return false;
    if (!found) return true;
    hash_once(HASH_SHA256, bytes, sum.sha256);
    return digest_eq(&sum, image) || referrers_parse(bytes, s->lists, out, REFERRERS_MAX, count, e);
}

static bool open_referrers(struct search *s, const struct digest *image, struct err *e) {
    struct digest *list = arena_alloc(s->lists, REFERRERS_MAX * sizeof *list);
    size_t count = 0;
    bool complete;
    if (!list) return arena_full(s->lists, e);
    if (!s->ops->referrers(s->state, view_str(s->image), s->lists, list, REFERRERS_MAX, &count, &complete, e) ||
        (!complete && !read_list_tag(s, image, list, &count, e)))
        return err_in(e, "referrers");
    for (size_t i = 0; i < count; i++)
        if (!open_referrer(s, &list[i], e) && !left_out(s, e)) return false;
    return true;
}

bool signatures_find(const struct source_ops *ops, void *state, const struct digest *image, unsigned flags,
                     struct arena *a, uint64_t *statements, struct err *e) {
    struct search s = {.ops = ops,
                       .state = state,
                       .attestations = flags & SIGNATURES_ATTESTATIONS,
                       .lists = a,
                       .download = DOWNLOAD_MAX,
                       .statements = statements};
    bool all = !(flags & (SIGNATURES_TAGS | SIGNATURES_REFERRERS));
    bool tags = all || flags & SIGNATURES_TAGS, referrers = all || flags & SIGNATURES_REFERRERS;
    digest_text(image, s.image);
    return ((!tags || (open_tag(&s, AT_SIG, ".sig", e) && (!s.attestations || open_tag(&s, AT_ATT, ".att", e)))) &&
            (!referrers || open_referrers(&s, image, e))) ||
           err_in(e, "signatures");
}
