/* reader: a bounded cursor over bytes, for binary formats.
 *
 * The error is sticky: after a read past the end every read gives 0 or an empty view and `bad` stays true, so a
 * decoder reads all fields and checks once. Integers are assembled byte by byte; no struct is laid over a buffer. */
#ifndef PLINTH_BASE_READER_H
#define PLINTH_BASE_READER_H

#include "base/view.h"

struct reader {
    struct view rest;
    bool bad;
};

static inline struct reader reader_of(struct view v) { return (struct reader){v, false}; }

/* The next n bytes; an empty view and `bad` when there are fewer. */
struct view read_bytes(struct reader *r, size_t n);
uint8_t read_u8(struct reader *r);
uint16_t read_be16(struct reader *r);
uint32_t read_be32(struct reader *r);
uint64_t read_be64(struct reader *r);
uint16_t read_le16(struct reader *r);
uint32_t read_le32(struct reader *r);
uint64_t read_le64(struct reader *r);
/* True when nothing failed and nothing is left. */
static inline bool reader_done(const struct reader *r) { return !r->bad && r->rest.n == 0; }

#endif
