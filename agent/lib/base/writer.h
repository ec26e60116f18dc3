/* writer: bounded output into the caller's buffer.
 *
 * The error is sticky: once something did not fit, `full` stays true and nothing more is written. Check once at
 * the end. The buffer is not NUL-terminated; writer_str adds one. */
#ifndef PLINTH_BASE_WRITER_H
#define PLINTH_BASE_WRITER_H

#include "base/view.h"

struct writer {
    uint8_t *p;
    size_t n, size;
    bool full;
};

static inline struct writer writer_of(void *p, size_t size) { return (struct writer){p, 0, size, false}; }
static inline struct view writer_view(const struct writer *w) { return view_of(w->p, w->n); }

void write_bytes(struct writer *w, struct view v);
static inline void write_text(struct writer *w, const char *s) { write_bytes(w, view_str(s)); }
void write_u8(struct writer *w, uint8_t x);
void write_be16(struct writer *w, uint16_t x);
void write_be32(struct writer *w, uint32_t x);
void write_be64(struct writer *w, uint64_t x);
void write_le16(struct writer *w, uint16_t x);
void write_le32(struct writer *w, uint32_t x);
void write_le64(struct writer *w, uint64_t x);
/* Lower-case hex, decimal, standard base64 with padding. */
void write_hex(struct writer *w, struct view v);
void write_dec(struct writer *w, uint64_t x);
void write_base64(struct writer *w, struct view v);
/* RFC 4648 section 5, without padding, for which there must be room while it is written. */
void write_base64url(struct writer *w, struct view v);
/* A JSON string with its quotes: `"`, `\` and bytes below 0x20 escaped as RFC 8785 does; other bytes as they are. */
void write_json_string(struct writer *w, struct view v);
/* A member of an object begun with "{": a comma where one is due, the name as a JSON string, and a colon. */
void write_member(struct writer *w, const char *name);
/* The text so far as a C string, or NULL when something did not fit. */
const char *writer_str(struct writer *w);

#endif
