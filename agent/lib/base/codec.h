/* codec: hex and base64 decoding, strict.
 *
 * hex: RFC 4648 section 8, lower case only (digests and registers are written so). base64: RFC 4648 section 4 with
 * padding, zero trailing bits, no white space; base64url: section 5, without padding. */
#ifndef PLINTH_BASE_CODEC_H
#define PLINTH_BASE_CODEC_H

#include "base/view.h"

/* A digit of either case; -1: none. */
int hex_value(uint8_t c);
/* Exactly 2*n lower-case digits into n bytes. False leaves `out` alone. */
bool hex_decode(struct view text, uint8_t *out, size_t n);
/* Decodes into `out` (`size` bytes); *n is what was written. False for any other character, wrong length or
 * padding, or when it does not fit. */
bool base64_decode(struct view text, uint8_t *out, size_t size, size_t *n);
bool base64url_decode(struct view text, uint8_t *out, size_t size, size_t *n);

#endif
