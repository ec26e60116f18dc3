/* see url.h */
#include "format/url.h"

static bool bad(struct view text, const char *why, struct err *e) {
    text = view_first(text, 200);
    return err_set(e, ERR_FORMAT, "URL '%.*s': %s", VIEW_ARG(text), why);
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static bool parse_authority(struct url *u, const char **why) {
    struct view rest = u->authority;
    if (view_starts(rest, VIEW("["))) {
        rest = view_skip(rest, 1);
        bool closed;
        u->host = view_cut(&rest, ']', &closed);
        *why = "a malformed IPv6 address";
        if (!closed || u->host.n < 2 || !view_is_word(u->host, ":.") || (rest.n && rest.p[0] != ':')) return false;
        u->port_given = rest.n > 0;
        rest = view_skip(rest, 1);
    } else {
        u->host = view_cut(&rest, ':', &u->port_given);
        *why = "a malformed host name";
        if (u->host.n == 0 || u->host.n > 253 || !view_is_word(u->host, "-._")) return false;
    }
    uint64_t port = u->https ? 443 : 80;
    *why = "a port that is not 1..65535";
    if (u->port_given && (!view_u64(rest, 65535, &port) || port == 0)) return false;
    u->port = (uint16_t)port;
    return true;
}

bool url_parse(struct view text, struct url *out, struct err *e) {
    struct url u = {0};
    if (text.n > URL_MAX) return bad(text, "longer than 8192 bytes", e);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || text.p[i] == '\\')
            return bad(text, "a byte that no URL may hold", e);
    struct view rest = text;
    rest = view_cut(&rest, '#', NULL);
    u.https = view_eq_nocase(view_first(rest, 8), VIEW("https://"));
    if (!u.https && !view_eq_nocase(view_first(rest, 7), VIEW("http://")))
        return bad(text, "neither https nor http", e);
    rest = view_skip(rest, u.https ? 8 : 7);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?') n++;
    u.authority = view_first(rest, n);
    u.target = view_skip(rest, n);
    if (u.authority.n && memchr(u.authority.p, '@', u.authority.n)) return bad(text, "a user name in it", e);
    const char *why;
    if (!parse_authority(&u, &why)) return bad(text, why, e);
    *out = u;
    return true;
}

void url_target(const struct url *u, struct writer *out) {
    if (u->target.n == 0 || u->target.p[0] != '/') write_u8(out, '/');
    write_bytes(out, u->target);
}

bool url_resolve(const struct url *base, struct view reference, struct writer *out, struct err *e) {
    struct view scheme = base->https ? VIEW("https:") : VIEW("http:");
    bool whole = view_eq_nocase(view_first(reference, 8), VIEW("https://")) ||
                 view_eq_nocase(view_first(reference, 7), VIEW("http://"));
    size_t from = out->n;
    if (!whole) {
        write_bytes(out, scheme);
        if (!view_starts(reference, VIEW("//"))) {
            write_text(out, "//");
            write_bytes(out, base->authority);
            if (!view_starts(reference, VIEW("/"))) {
                struct view rest = base->target, path = view_cut(&rest, '?', NULL);
                if (!view_starts(reference, VIEW("?")))
                    while (path.n && path.p[path.n - 1] != '/') path.n--;
                if (path.n == 0) path = VIEW("/");
                write_bytes(out, path);
            }
        }
    }
    write_bytes(out, reference);
    struct url check;
    if (out->full) return bad(reference, "too long", e);
    return url_parse(view_of(out->p + from, out->n - from), &check, e);
}

bool url_same_origin(const struct url *a, const struct url *b) {
    return a->https == b->https && a->port == b->port && view_eq_nocase(a->host, b->host);
}

void url_escape(struct view v, struct writer *out) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if (view_is_word(view_of(&c, 1), "-._~")) {
            write_u8(out, c);
        } else {
            write_u8(out, '%');
            write_u8(out, (uint8_t)hex[c >> 4]);
            write_u8(out, (uint8_t)hex[c & 15]);
        }
    }
}
