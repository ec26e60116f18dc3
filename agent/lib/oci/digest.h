/* digest: image-spec descriptor.md "Digests". Only sha256 is accepted, 64 lower-case hex digits; anything else is
 * refused before it can become part of a path or URL. */
#ifndef PLINTH_OCI_DIGEST_H
#define PLINTH_OCI_DIGEST_H

#include "base/err.h"
#include "base/view.h"

#define DIGEST_TEXT_SIZE 72 /* "sha256:" + 64 + NUL */

struct digest {
    uint8_t sha256[32];
};

/* ERR_DIGEST names the text and what is wrong with it (algorithm, length, upper case). */
bool digest_parse(struct view text, struct digest *out, struct err *e);
/* Writes "sha256:<hex>" and returns `out`. */
const char *digest_text(const struct digest *d, char out[DIGEST_TEXT_SIZE]);
bool digest_eq(const struct digest *a, const struct digest *b);

#endif
