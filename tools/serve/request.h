/* request: the head of a request (format/http.h) as `plinth serve` takes it: one Host, Content-Length and no
 * Transfer-Encoding (a balancer and we might read that in two ways), no percent signs in a path (no name here needs
 * one), GET without a body. */
#ifndef PLINTH_SERVE_REQUEST_H
#define PLINTH_SERVE_REQUEST_H

#include "base/err.h"
#include "base/view.h"
#include "format/http.h"

/* The whole head: a token of ours has at most 37 KiB (token.h). */
#define REQUEST_HEAD_MAX (64u << 10)
#define REQUEST_PATH_MAX 1024u

enum request_method { REQUEST_GET, REQUEST_POST, REQUEST_OTHER };

struct request {
    enum request_method method;
    struct view path;      /* without the query */
    struct http_head head; /* fields, for http_field; length, keep_alive */
    bool expects;          /* "Expect: 100-continue" */
    unsigned refuse;       /* status for a head that was refused: 400, 411, 414, 417 */
};

/* `bytes` is a whole head, as http_head_length found it; views into it. ERR_FORMAT: *out holds `refuse` alone. */
bool request_parse(struct view bytes, struct request *out, struct err *e);
/* The credential of the one field "Authorization: Bearer ..."; empty when there is none. ERR_FORMAT: two, or another
 * scheme. */
bool request_bearer(const struct request *r, struct view *token, struct err *e);
/* The value of one cookie of all Cookie fields (RFC 6265 section 5.4); empty when there is none. ERR_FORMAT: two. */
bool request_cookie(const struct request *r, const char *name, struct view *value, struct err *e);

#endif
