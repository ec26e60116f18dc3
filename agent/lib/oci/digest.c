/* see digest.h */
#include "oci/digest.h"

#include "base/codec.h"
#include "base/writer.h"

static bool refuse(struct view text, const char *why, struct err *e) {
    return err_set(e, ERR_DIGEST, "'%.*s' is no digest: %s", VIEW_ARG(view_first(text, 150)), why);
}

bool digest_parse(struct view text, struct digest *out, struct err *e) {
    struct view hex = text;
    bool colon;
    struct view algorithm = view_cut(&hex, ':', &colon);
    if (!colon) return refuse(text, "sha256:<64 hex digits> is expected", e);
    if (!view_is(algorithm, "sha256")) return refuse(text, "the algorithm must be sha256", e);
    if (hex.n != 64) return refuse(text, "sha256 has 64 hex digits", e);
    if (!hex_decode(hex, out->sha256, 32))
        return refuse(text, "only digits 0-9 and a-f in lower case may follow sha256:", e);
    return true;
}

const char *digest_text(const struct digest *d, char out[DIGEST_TEXT_SIZE]) {
    struct writer w = writer_of(out, DIGEST_TEXT_SIZE);
    write_text(&w, "sha256:");
    write_hex(&w, view_of(d->sha256, sizeof d->sha256));
    return writer_str(&w);
}

bool digest_eq(const struct digest *a, const struct digest *b) {
    return memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}
