/* see pem.h */
#include "format/pem.h"

#include "base/codec.h"

#define LABEL_MAX 64u

/* "-----<kind> LABEL-----" */
static bool boundary(struct view line, struct view kind, struct view *label) {
    line = view_trim(line);
    if (!view_starts(line, kind) || !view_ends(line, VIEW("-----")) || line.n < kind.n + 6) return false;
    *label = view_of(line.p + kind.n, line.n - kind.n - 5);
    return true;
}

static bool decode(struct view label, struct view body, struct arena *a, struct view *der, struct err *e) {
    uint8_t *p = arena_alloc(a, body.n ? body.n : 1); /* base64 without its white space, then decoded in place */
    if (!p) return arena_full(a, e);
    size_t n = 0;
    for (size_t i = 0; i < body.n; i++)
        if (!memchr(" \t\r\n", body.p[i], 4)) p[n++] = body.p[i];
    if (n == 0 || !base64_decode(view_of(p, n), p, n, &n))
        return err_set(e, ERR_FORMAT, "PEM: the block '%.*s' is not base64", VIEW_ARG(label));
    *der = view_of(p, n);
    return true;
}

bool pem_next(struct view *text, struct arena *a, struct view *label, struct view *der, struct err *e) {
    struct view rest = *text, name = {0}, end_name;
    while (rest.n && !boundary(view_cut(&rest, '\n', NULL), VIEW("-----BEGIN "), &name)) continue;
    if (!name.n) {
        *e = (struct err){0};
        return false;
    }
    if (name.n > LABEL_MAX) return err_set(e, ERR_FORMAT, "PEM: a label of %zu characters", name.n);
    struct view body = rest;
    while (rest.n) {
        struct view line = view_cut(&rest, '\n', NULL);
        if (!boundary(line, VIEW("-----END "), &end_name)) continue;
        if (!view_eq(name, end_name))
            return err_set(e, ERR_FORMAT, "PEM: BEGIN %.*s is closed by END %.*s", VIEW_ARG(name),
                           VIEW_ARG(view_first(end_name, LABEL_MAX)));
        if (!decode(name, view_of(body.p, (size_t)(line.p - body.p)), a, der, e)) return false;
        *text = rest;
        *label = name;
        return true;
    }
    return err_set(e, ERR_FORMAT, "PEM: the block '%.*s' has no end", VIEW_ARG(name));
}
