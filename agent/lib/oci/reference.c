/* see reference.h */
#include "oci/reference.h"

#include <stdio.h>

#define USUAL "host/repository[:tag][@sha256:...]"

/* RFC 1123 labels; or an IPv6 address in brackets (RFC 3986 section 3.2.2). */
static bool host_name_ok(struct view name) {
    if (name.n && name.p[0] == '[')
        return name.n > 3 && name.p[name.n - 1] == ']' && view_is_word(view_of(name.p + 1, name.n - 2), ":.");
    if (name.n > 253 || !view_is_word(name, ".-")) return false;
    bool more = true;
    while (more) {
        struct view label = view_cut(&name, '.', &more);
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
    }
    return true;
}

static bool host_ok(struct view host) {
    struct view name = host, port = {0};
    for (size_t i = host.n; i > 0 && host.p[i - 1] != ']'; i--)
        if (host.p[i - 1] == ':') name = view_first(host, i - 1), port = view_skip(host, i);
    uint64_t number;
    if (name.n != host.n && (!view_u64(port, 65535, &number) || number == 0)) return false;
    return host_name_ok(name) && host.n <= HOST_MAX;
}

static bool host_is_full(struct view host) {
    return host.n && (memchr(host.p, '.', host.n) || memchr(host.p, ':', host.n) || view_is(host, "localhost"));
}

static bool is_lower(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/* distribution-spec <name>: components [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* joined by slashes. */
static bool component_ok(struct view c) {
    for (size_t i = 0, run; i < c.n; i += run) {
        run = 1;
        if (is_lower(c.p[i])) continue;
        while (i + run < c.n && c.p[i + run] == c.p[i]) run++;
        bool separator = c.p[i] == '-' || (c.p[i] == '.' && run == 1) || (c.p[i] == '_' && run <= 2);
        if (!separator || i == 0 || i + run == c.n || !is_lower(c.p[i + run])) return false;
    }
    return c.n > 0;
}

static bool repository_ok(struct view name) {
    if (name.n > REPOSITORY_MAX) return false;
    for (bool more = true; more;)
        if (!component_ok(view_cut(&name, '/', &more))) return false;
    return true;
}

static bool tag_ok(struct view tag) {
    return tag.n && tag.n <= TAG_MAX && view_is_word(tag, "_.-") && tag.p[0] != '.' && tag.p[0] != '-';
}

/* Cuts "@sha256:..." off the end. A directory may hold a '@' that means nothing. */
static bool take_digest(struct view *text, bool layout, struct reference *r, struct err *e) {
    for (size_t i = text->n; i > 0; i--) {
        if (text->p[i - 1] != '@') continue;
        struct view digest = view_skip(*text, i);
        if (layout && !view_starts(digest, VIEW("sha"))) return true;
        *text = view_first(*text, i - 1);
        r->pinned = true;
        return digest_parse(digest, &r->digest, e);
    }
    return true;
}

static bool take_tag(struct view tag, bool given, struct reference *r) {
    if (!given && !r->pinned) tag = VIEW("latest");
    return (!given && r->pinned) || (tag_ok(tag) && view_to_str(tag, r->tag, sizeof r->tag));
}

static bool parse(struct view text, bool layouts, struct reference *r, struct err *e) {
    bool found;
    if (view_starts(text, VIEW("oci:"))) {
        if (!layouts) return err_set(e, ERR_USAGE, "a directory (oci:) cannot be named here, only " USUAL);
        r->layout = true;
        text = view_skip(text, 4);
        if (!take_digest(&text, true, r, e)) return false;
        struct view directory = view_cut(&text, ':', &found);
        if (directory.n == 0)
            return err_set(e, ERR_USAGE, "no directory is named; oci:DIRECTORY[:TAG][@sha256:...] is expected");
        if (!view_to_str(directory, r->directory, sizeof r->directory))
            return err_set(e, ERR_USAGE, "the directory's name is too long");
    } else {
        if (view_starts(text, VIEW("docker://"))) text = view_skip(text, 9);
        if (!take_digest(&text, false, r, e)) return false;
        struct view host = view_cut(&text, '/', &found);
        if (!found || !host_is_full(host)) {
            err_set(e, ERR_USAGE, "no registry is named; " USUAL " is expected");
            return err_mend(e, "write the registry's host name in front; it needs a dot, a port, or to be localhost");
        }
        if (!host_ok(host) || !view_to_str(host, r->host, sizeof r->host))
            return err_set(e, ERR_USAGE, "'%.*s' is no host name", VIEW_ARG(view_first(host, HOST_MAX)));
        struct view repository = view_cut(&text, ':', &found);
        if (!repository_ok(repository) || !view_to_str(repository, r->repository, sizeof r->repository))
            return err_set(e, ERR_USAGE,
                           "'%.*s' is no repository name (distribution-spec: lower case, at most %u characters)",
                           VIEW_ARG(view_first(repository, REPOSITORY_MAX)), REPOSITORY_MAX);
    }
    if (!take_tag(text, found, r))
        return err_set(e, ERR_USAGE, "'%.*s' is no tag", VIEW_ARG(view_first(text, TAG_MAX)));
    return true;
}

bool reference_parse(struct view text, bool layouts, struct reference *out, struct err *e) {
    struct reference r = {0};
    if (!parse(text, layouts, &r, e)) {
        e->kind = ERR_USAGE;
        return err_in(e, "reference '%.*s'", VIEW_ARG(view_first(text, 90)));
    }
    *out = r;
    return true;
}

void reference_text(const struct reference *r, char *out, size_t size) {
    char digest[DIGEST_TEXT_SIZE] = "";
    if (r->pinned) digest_text(&r->digest, digest);
    snprintf(out, size, "%s%s%s%s%s%s%s", r->layout ? "oci:" : r->host, r->layout ? r->directory : "/", r->repository,
             r->tag[0] ? ":" : "", r->tag, r->pinned ? "@" : "", digest);
}

struct view reference_untagged(struct view text) {
    struct view name = view_cut(&text, '@', NULL);
    for (size_t i = name.n; i > 0 && name.p[i - 1] != '/'; i--)
        if (name.p[i - 1] == ':') return view_first(name, i - 1);
    return name;
}

bool reference_mirror(const struct reference *r, struct view mirror, struct reference *out, struct err *e) {
    struct reference m = *r;
    struct view prefix = mirror, repository = view_str(r->repository), last = repository;
    struct view host = view_cut(&prefix, '/', NULL);
    if (!host_is_full(host) || !host_ok(host) || !view_to_str(host, m.host, sizeof m.host) ||
        (host.n != mirror.n && !repository_ok(prefix)))
        return err_set(e, ERR_USAGE, "'%.*s' is no mirror: host[:port][/prefix] is expected",
                       VIEW_ARG(view_first(mirror, 300)));
    if (prefix.n) {
        for (bool more = true; more;) {
            struct view rest = last;
            view_cut(&rest, '/', &more);
            if (more) last = rest;
        }
        int n = snprintf(m.repository, sizeof m.repository, "%.*s/%.*s", VIEW_ARG(prefix), VIEW_ARG(last));
        if ((size_t)n >= sizeof m.repository)
            return err_set(e, ERR_USAGE, "mirror '%.*s': the repository's name there is longer than %u characters",
                           VIEW_ARG(view_first(mirror, 300)), REPOSITORY_MAX);
    }
    *out = m;
    return true;
}
