/* see http.h */
#include "format/http.h"

#include "base/codec.h"

static bool is_token_char(uint8_t c) { return view_is_word(view_of(&c, 1), "!#$%&'*+-.^_`|~"); }

static struct view cut_token(struct view *rest) {
    size_t n = 0;
    while (n < rest->n && is_token_char(rest->p[n])) n++;
    struct view token = view_first(*rest, n);
    *rest = view_skip(*rest, n);
    return token;
}

size_t http_head_length(struct view bytes, size_t from) {
    for (size_t i = from < 3 ? 0 : from - 3; i + 4 <= bytes.n; i++)
        if (memcmp(bytes.p + i, "\r\n\r\n", 4) == 0) return i + 4;
    return 0;
}

/* The next line without its CRLF; false when there is none, or a control character is in it. */
static bool next_line(struct view *rest, struct view *line) {
    bool found;
    *line = view_cut(rest, '\r', &found);
    if (!found || rest->n == 0 || rest->p[0] != '\n') return false;
    *rest = view_skip(*rest, 1);
    for (size_t i = 0; i < line->n; i++)
        if ((line->p[i] < 0x20 && line->p[i] != '\t') || line->p[i] == 0x7f) return false;
    return true;
}

bool http_field(const struct http_head *h, const char *name, size_t *at, struct view *value) {
    struct view rest = view_skip(h->fields, *at), line;
    while (next_line(&rest, &line)) {
        struct view field = view_cut(&line, ':', NULL);
        *at = h->fields.n - rest.n;
        if (!view_eq_nocase(field, view_str(name))) continue;
        *value = view_trim(line);
        return true;
    }
    return false;
}

struct view http_field_first(const struct http_head *h, const char *name) {
    struct view value = {0};
    size_t at = 0;
    return http_field(h, name, &at, &value) ? value : (struct view){0};
}

/* RFC 9112 section 6.3, without its indulgences. */
static bool parse_framing(struct http_head *h, bool http10, struct err *e) {
    struct view coding, length, again;
    size_t at = 0, other = 0;
    bool coded = http_field(h, "transfer-encoding", &at, &coding),
         sized = http_field(h, "content-length", &other, &length);
    if ((coded && http_field(h, "transfer-encoding", &at, &again)) ||
        (sized && http_field(h, "content-length", &other, &again)) || (coded && sized))
        return err_set(e, ERR_FORMAT, "HTTP: more than one field says how long the body is");
    h->framing = HTTP_CLOSE;
    if (h->status < 200 || h->status == 204 || h->status == 304) {
        h->framing = HTTP_NONE;
    } else if (coded) {
        if (http10 || !view_eq_nocase(coding, VIEW("chunked")))
            return err_set(e, ERR_FORMAT, "HTTP: Transfer-Encoding is '%.*s', only chunked is read", VIEW_ARG(coding));
        h->framing = HTTP_CHUNKED;
    } else if (sized) {
        if (!view_u64(length, INT64_MAX, &h->length))
            return err_set(e, ERR_FORMAT, "HTTP: Content-Length is '%.*s', not a number", VIEW_ARG(length));
        h->framing = HTTP_LENGTH;
    }
    return true;
}

/* The lines behind the first, up to the end. h->status is set; keep_alive becomes what they say. */
static bool parse_fields(struct http_head *h, struct view rest, bool http10, struct err *e) {
    struct view line, value;
    h->fields = rest;
    for (size_t count = 0;; count++) {
        if (!next_line(&rest, &line)) return err_set(e, ERR_FORMAT, "HTTP: a malformed header line");
        if (line.n == 0) break;
        struct view name = cut_token(&line);
        if (name.n == 0 || line.n == 0 || line.p[0] != ':')
            return err_set(e, ERR_FORMAT, "HTTP: a header line without a name and a colon");
        if (count == HTTP_FIELDS_MAX) return err_set(e, ERR_FORMAT, "HTTP: more than %u header lines", HTTP_FIELDS_MAX);
    }
    if (rest.n) return err_set(e, ERR_FORMAT, "HTTP: bytes behind the head");
    if (!parse_framing(h, http10, e)) return false;
    h->keep_alive = !http10;
    for (size_t at = 0; http_field(h, "connection", &at, &value);)
        while (value.n) h->keep_alive &= !view_eq_nocase(view_trim(view_cut(&value, ',', NULL)), VIEW("close"));
    return true;
}

bool http_head_parse(struct view bytes, struct http_head *out, struct err *e) {
    struct http_head h = {0};
    struct view rest = bytes, line;
    struct view shown = view_first(bytes, 60);
    shown = view_cut(&shown, '\r', NULL);
    uint64_t status;
    bool http10 = view_starts(bytes, VIEW("HTTP/1.0 "));
    if ((!http10 && !view_starts(bytes, VIEW("HTTP/1.1 "))) || !next_line(&rest, &line) ||
        (line.n > 12 && line.p[12] != ' ') || !view_u64(view_first(view_skip(line, 9), 3), 599, &status) ||
        status < 100)
        return err_set(e, ERR_FORMAT, "not an HTTP/1.1 answer: '%.*s'", VIEW_ARG(shown));
    h.status = (unsigned)status;
    if (!parse_fields(&h, rest, http10, e)) return false;
    h.keep_alive &= h.framing != HTTP_CLOSE;
    *out = h;
    return true;
}

bool http_request_parse(struct view bytes, struct http_request *out, struct err *e) {
    struct http_request r = {.head.status = 200};
    struct view rest = bytes, line;
    bool spaced = false;
    if (!next_line(&rest, &line)) return err_set(e, ERR_FORMAT, "HTTP: a malformed request line");
    r.method = cut_token(&line);
    bool ok = r.method.n && line.n && line.p[0] == ' ';
    line = view_skip(line, 1);
    struct view target = view_cut(&line, ' ', &spaced);
    bool http10 = view_is(line, "HTTP/1.0");
    ok = ok && spaced && target.n && target.p[0] == '/' && (http10 || view_is(line, "HTTP/1.1"));
    for (size_t i = 0; i < target.n; i++) ok = ok && target.p[i] > 0x20 && target.p[i] < 0x7f;
    if (!ok) return err_set(e, ERR_FORMAT, "not an HTTP/1.1 request for a path");
    r.path = view_cut(&target, '?', NULL);
    r.query = target;
    if (!parse_fields(&r.head, rest, http10, e)) return false;
    if (r.head.framing == HTTP_CLOSE) r.head.framing = HTTP_NONE;
    *out = r;
    return true;
}

size_t http_form_decode(struct view text, uint8_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '+') c = ' ';
        if (c == '%' && i + 2 < text.n && hex_value(text.p[i + 1]) >= 0 && hex_value(text.p[i + 2]) >= 0) {
            c = (uint8_t)(hex_value(text.p[i + 1]) << 4 | hex_value(text.p[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    return n;
}

bool http_query_next(struct view *query, struct view *name, struct view *value) {
    while (query->n) {
        struct view pair = view_cut(query, '&', NULL);
        if (!pair.n) continue;
        *name = view_cut(&pair, '=', NULL);
        *value = pair;
        return true;
    }
    return false;
}

enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_BODY,
    CHUNK_BODY_CR,
    CHUNK_BODY_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
    CHUNK_DONE
};
#define CHUNK_LINE_MAX 8192u

/* One byte outside the chunks' bodies. `length` counts digits, then extension bytes; in the trailer it counts all
 * bytes, with `left` the current line's. */
static bool chunk_byte(struct http_chunks *c, uint8_t b) {
    switch (c->state) {
    case CHUNK_SIZE:
        if (hex_value(b) >= 0) {
            c->left = c->left << 4 | (uint64_t)hex_value(b);
            return ++c->length <= 15;
        }
        c->state = b == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
        return c->length > 0 && (b == '\r' || b == ';' || b == ' ' || b == '\t');
    case CHUNK_EXTENSION:
        if (b == '\r') c->state = CHUNK_SIZE_LF;
        return b != '\n' && ++c->length < CHUNK_LINE_MAX;
    case CHUNK_SIZE_LF:
        c->state = c->left ? CHUNK_BODY : CHUNK_TRAILER;
        c->length = 0;
        return b == '\n';
    case CHUNK_BODY_CR:
        c->state = CHUNK_BODY_LF;
        return b == '\r';
    case CHUNK_BODY_LF:
        c->state = CHUNK_SIZE;
        return b == '\n';
    case CHUNK_TRAILER:
        if (b == '\r')
            c->state = CHUNK_TRAILER_LF;
        else
            c->left++;
        return b != '\n' && ++c->length < CHUNK_LINE_MAX;
    case CHUNK_TRAILER_LF:
        c->state = c->left ? CHUNK_TRAILER : CHUNK_DONE;
        c->left = 0;
        return b == '\n';
    default:
        return false;
    }
}

bool http_chunks_next(struct http_chunks *c, struct view *in, struct view *body, bool *done, struct err *e) {
    *body = (struct view){0};
    while (in->n && c->state != CHUNK_DONE && body->n == 0) {
        if (c->state == CHUNK_BODY) {
            *body = view_first(*in, c->left < in->n ? (size_t)c->left : in->n);
            c->left -= body->n;
            if (c->left == 0) c->state = CHUNK_BODY_CR;
            *in = view_skip(*in, body->n);
            continue;
        }
        if (!chunk_byte(c, in->p[0])) return err_set(e, ERR_FORMAT, "HTTP: a malformed chunked body");
        *in = view_skip(*in, 1);
    }
    *done = c->state == CHUNK_DONE;
    return true;
}

/* ["="] (token | quoted-string without escapes) behind a parameter's name. */
static bool cut_value(struct view *rest, struct view *value) {
    *rest = view_trim(*rest);
    if (!view_starts(*rest, VIEW("="))) return false;
    *rest = view_trim(view_skip(*rest, 1));
    if (!view_starts(*rest, VIEW("\""))) {
        *value = cut_token(rest);
        return value->n > 0;
    }
    bool closed;
    *rest = view_skip(*rest, 1);
    *value = view_cut(rest, '"', &closed);
    return closed && !(value->n && memchr(value->p, '\\', value->n));
}

bool http_challenge_parse(struct view value, struct http_challenge *out, struct err *e) {
    struct http_challenge c = *out;
    bool in_bearer = false;
    for (struct view rest = view_trim(value); rest.n; rest = view_trim(rest)) {
        if (rest.p[0] == ',') {
            rest = view_skip(rest, 1);
            continue;
        }
        struct view name = cut_token(&rest), text;
        bool parameter = view_starts(view_trim(rest), VIEW("="));
        if (name.n == 0 || (parameter && !cut_value(&rest, &text)))
            return err_set(e, ERR_FORMAT, "HTTP: WWW-Authenticate is malformed: '%.*s'", VIEW_ARG(value));
        if (!parameter) { /* a scheme's name */
            in_bearer = view_eq_nocase(name, VIEW("bearer")) && !c.bearer;
            c.bearer |= in_bearer;
            c.basic |= view_eq_nocase(name, VIEW("basic"));
            continue;
        }
        static const char *const names[] = {"realm", "service", "scope"};
        struct view *const texts[] = {&c.realm, &c.service, &c.scope};
        for (size_t i = 0; in_bearer && i < 3; i++) {
            if (!view_eq_nocase(name, view_str(names[i]))) continue;
            if (texts[i]->p) return err_set(e, ERR_FORMAT, "HTTP: WWW-Authenticate names %s twice", names[i]);
            *texts[i] = text;
        }
    }
    *out = c;
    return true;
}

static bool has_word(struct view words, struct view word) {
    while (words.n)
        if (view_eq_nocase(view_cut(&words, ' ', NULL), word)) return true;
    return false;
}

bool http_link_next(struct view value, struct view *target, struct err *e) {
    for (struct view rest = view_trim(value); rest.n; rest = view_trim(rest)) {
        bool closed = false, next = false;
        struct view link = {0}, text = {0};
        if (view_starts(rest, VIEW("<"))) {
            rest = view_skip(rest, 1);
            link = view_cut(&rest, '>', &closed);
        }
        for (rest = view_trim(rest); closed && view_starts(rest, VIEW(";")); rest = view_trim(rest)) {
            rest = view_trim(view_skip(rest, 1));
            struct view name = cut_token(&rest);
            text = (struct view){0};
            closed = !view_starts(view_trim(rest), VIEW("=")) || cut_value(&rest, &text);
            next |= view_eq_nocase(name, VIEW("rel")) && has_word(text, VIEW("next"));
        }
        if (!closed || (rest.n && rest.p[0] != ','))
            return err_set(e, ERR_FORMAT, "HTTP: Link is malformed: '%.*s'", VIEW_ARG(view_first(value, 300)));
        rest = view_skip(rest, 1);
        if (next && target->n == 0) *target = link;
    }
    return true;
}

bool http_content_range_parse(struct view value, uint64_t *first, uint64_t *last, uint64_t *total, struct err *e) {
    struct view rest = view_skip(value, 6);
    struct view a = view_cut(&rest, '-', NULL), b = view_cut(&rest, '/', NULL);
    uint64_t from, to, all = UINT64_MAX;
    if (!view_eq_nocase(view_first(value, 6), VIEW("bytes ")) || !view_u64(a, INT64_MAX, &from) ||
        !view_u64(b, INT64_MAX, &to) || !(view_is(rest, "*") || view_u64(rest, INT64_MAX, &all)) || to < from ||
        to >= all)
        return err_set(e, ERR_FORMAT, "HTTP: Content-Range is malformed: '%.*s'", VIEW_ARG(value));
    *first = from;
    *last = to;
    *total = all;
    return true;
}
