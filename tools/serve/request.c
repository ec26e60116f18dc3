/* see request.h */
#include "tools/serve/request.h"

static bool refuse(struct request *out, unsigned status, struct err *e, const char *why) {
    *out = (struct request){.refuse = status};
    return err_set(e, ERR_FORMAT, "HTTP request: %s", why);
}

static bool is_path(struct view v) {
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] == '%' || v.p[i] == '#') return false;
    return true;
}

/* The one value of a field that may be there once. */
static bool single(const struct http_head *h, const char *name, struct view *value, bool *there) {
    struct view again;
    size_t at = 0;
    *value = (struct view){0};
    *there = http_field(h, name, &at, value);
    return !*there || !http_field(h, name, &at, &again);
}

bool request_parse(struct view bytes, struct request *out, struct err *e) {
    struct request r = {.method = REQUEST_OTHER};
    struct http_request http;
    struct view value;
    bool there, http11;
    if (!http_request_parse(bytes, &http, e)) {
        *out = (struct request){.refuse = 400};
        return false;
    }
    struct http_head *h = &r.head;
    r.path = http.path, *h = http.head;
    http11 = h->keep_alive || view_ends(view_of(bytes.p, (size_t)(h->fields.p - bytes.p)), VIEW("1.1\r\n"));
    if (r.path.n > REQUEST_PATH_MAX) return refuse(out, 414, e, "a path of more than 1024 characters");
    if (!is_path(r.path)) return refuse(out, 400, e, "the path has characters that names here have not");
    if (view_is(http.method, "GET")) r.method = REQUEST_GET;
    if (view_is(http.method, "POST")) r.method = REQUEST_POST;
    if (!single(h, "host", &value, &there) || (!there && http11))
        return refuse(out, 400, e, "one Host field is wanted");
    if (h->framing == HTTP_CHUNKED) return refuse(out, 411, e, "Transfer-Encoding is not read; send Content-Length");
    bool sized = h->framing == HTTP_LENGTH;
    if (r.method == REQUEST_POST && !sized) return refuse(out, 411, e, "Content-Length is missing");
    if (h->length && r.method != REQUEST_POST) return refuse(out, 400, e, "a body where none belongs");
    if (!single(h, "expect", &value, &there) || (there && !view_eq_nocase(value, VIEW("100-continue"))))
        return refuse(out, 417, e, "Expect is not 100-continue");
    r.expects = there && http11 && h->length;
    *out = r;
    return true;
}

bool request_bearer(const struct request *r, struct view *token, struct err *e) {
    struct view value;
    bool there;
    if (!single(&r->head, "authorization", &value, &there))
        return err_set(e, ERR_FORMAT, "more than one Authorization field");
    struct view scheme = view_cut(&value, ' ', NULL);
    if (there && (!view_eq_nocase(scheme, VIEW("bearer")) || !view_trim(value).n))
        return err_set(e, ERR_FORMAT, "Authorization is not Bearer and a token");
    *token = view_trim(value);
    return true;
}

bool request_cookie(const struct request *r, const char *name, struct view *value, struct err *e) {
    struct view found = {0}, field;
    bool seen = false;
    for (size_t at = 0; http_field(&r->head, "cookie", &at, &field);) {
        while (field.n) {
            struct view text = view_trim(view_cut(&field, ';', NULL));
            if (!view_is(view_cut(&text, '=', NULL), name)) continue;
            if (seen) return err_set(e, ERR_FORMAT, "the cookie %s is there twice", name);
            seen = true, found = text;
        }
    }
    *value = found;
    return true;
}
