/* http: heads of responses and requests, chunked bodies and the few header values of a registry client (RFC 9110, RFC
 * 9112).
 *
 * Pure and strict: CRLF line ends only, no folded lines, no control characters, a framing that cannot be read in two
 * ways. Views point into the caller's bytes. All errors are ERR_FORMAT. */
#ifndef PLINTH_FORMAT_HTTP_H
#define PLINTH_FORMAT_HTTP_H

#include "base/err.h"
#include "base/view.h"

/* Whole head; servers send 1 KiB, those behind large proxies 8. */
#define HTTP_HEAD_MAX (32u << 10)
#define HTTP_FIELDS_MAX 100u

enum http_framing { HTTP_NONE, HTTP_LENGTH, HTTP_CHUNKED, HTTP_CLOSE };

struct http_head {
    unsigned status; /* 100..599 */
    bool keep_alive; /* HTTP/1.1 without "Connection: close", and a body whose end can be seen */
    enum http_framing framing;
    uint64_t length;    /* HTTP_LENGTH */
    struct view fields; /* the lines after the first, each with its CRLF */
};

/* Length of the head with its empty line, or 0 when `bytes` does not hold all of it. Looks from `from` on (what was
 * seen before). */
size_t http_head_length(struct view bytes, size_t from);
/* `bytes` is a whole head, as http_head_length found it. */
bool http_head_parse(struct view bytes, struct http_head *out, struct err *e);
/* The value of the first field of this name at or after *at (a byte offset into fields, 0 to begin), trimmed; *at is
 * moved behind it. False when there is none. */
bool http_field(const struct http_head *h, const char *name, size_t *at, struct view *value);
/* The first one, or an empty view. */
struct view http_field_first(const struct http_head *h, const char *name);

/* A request (RFC 9112 section 3): origin-form targets only, "/path?query", as they stand there. head.status is 200,
 * and its framing HTTP_NONE where there is no body. */
struct http_request {
    struct view method, path, query;
    struct http_head head;
};
bool http_request_parse(struct view bytes, struct http_request *out, struct err *e);
/* The next "name=value" of a query, still encoded; false when there is none. */
bool http_query_next(struct view *query, struct view *name, struct view *value);
/* application/x-www-form-urlencoded (URL Standard, section 5.1): "+" is a space, "%2b" a byte, a "%" without two
 * digits itself. `out` has room for text.n bytes; gives what was written. */
size_t http_form_decode(struct view text, uint8_t *out);

/* Decoder of a chunked body; begin with zeroes. */
struct http_chunks {
    int state;
    uint64_t left;   /* of the current chunk */
    unsigned length; /* of the current line */
};
/* Takes from *in: *body is the next run of body bytes (may be empty while lines are read), *done true behind the last
 * chunk and its trailer. Chunk extensions and trailers are skipped, at most 8 KiB of them. */
bool http_chunks_next(struct http_chunks *c, struct view *in, struct view *body, bool *done, struct err *e);

/* WWW-Authenticate: which of the two schemes registries use are offered. Call once per field with the same struct,
 * zeroed first. */
struct http_challenge {
    bool basic, bearer;
    struct view realm, service, scope; /* of the first Bearer challenge; without quotes */
};
bool http_challenge_parse(struct view value, struct http_challenge *out, struct err *e);

/* Link (RFC 8288): the target of the first link with the relation "next"; without one *target stays as it is. Call once
 * per field with the same view, empty at first. */
bool http_link_next(struct view value, struct view *target, struct err *e);

/* "bytes 5-9/10" or "bytes 5-9/" "*" (then *total is UINT64_MAX). */
bool http_content_range_parse(struct view value, uint64_t *first, uint64_t *last, uint64_t *total, struct err *e);

#endif
