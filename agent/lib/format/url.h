/* url: the http and https URLs that a registry client meets (RFC 3986, RFC 9110 section 4.2).
 *
 * Stricter than the RFC: printable ASCII only, no userinfo (credentials do not travel in URLs), a port of 1..65535, a
 * host of letters, digits, '-', '.', '_' or an IPv6 address in brackets, at most URL_MAX bytes. The fragment is
 * dropped. */
#ifndef PLINTH_FORMAT_URL_H
#define PLINTH_FORMAT_URL_H

#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"

/* Signed URLs of object stores reach 2 KiB. */
#define URL_MAX 8192u

struct url {
    bool https;
    struct view host; /* without brackets and port */
    uint16_t port;
    bool port_given;
    struct view authority; /* host[:port] as written: the Host field */
    struct view target;    /* path and query; write a '/' first when it does not begin with one (url_target) */
};

/* Views into `text`. ERR_FORMAT with the text and what is wrong with it. */
bool url_parse(struct view text, struct url *out, struct err *e);
/* The request target: "/path?query". */
void url_target(const struct url *u, struct writer *out);
/* A Location or realm relative to `base`, as absolute text into `out`: a whole URL, "//host/path", "/path" or "path".
 * Dot segments are left to the server. ERR_FORMAT as url_parse, or when it does not fit. */
bool url_resolve(const struct url *base, struct view reference, struct writer *out, struct err *e);
/* Same scheme, host and port: where a credential may go. */
bool url_same_origin(const struct url *a, const struct url *b);
/* `v` as a query value: everything but unreserved characters as %XX. */
void url_escape(struct view v, struct writer *out);

#endif
