/* see layer.h */
#include "oci/layer.h"

static bool too_long(struct err *e, const char *what, size_t n, size_t max) {
    return err_set(e, ERR_FORMAT, "%s of %zu bytes; at most %zu are possible", what, n, max);
}

/* The last component says what the entry is. */
static bool classify(struct layer_path *path, bool below_reserved, struct err *e) {
    static const char opaque[] = LAYER_NODE_OPAQUE;
    if (path->depth == 0) path->kind = LAYER_ROOT;
    else if (below_reserved) path->kind = LAYER_IGNORED;
    else if (strcmp(path->base, opaque) == 0) path->kind = LAYER_OPAQUE;
    else if (strncmp(path->base, ".wh..wh.", 8) == 0) path->kind = LAYER_IGNORED;
    else if (strncmp(path->base, ".wh.", 4) == 0) path->kind = LAYER_WHITEOUT;
    else path->kind = LAYER_ENTRY;
    if (path->kind == LAYER_OPAQUE) path->base += sizeof opaque - 1;
    if (path->kind != LAYER_WHITEOUT) return true;
    path->base += 4;
    if (path->base[0] && strcmp(path->base, ".") && strcmp(path->base, "..")) return true;
    return err_set(e, ERR_FORMAT, "a whiteout of \"%s\"", path->base);
}

bool layer_path_parse(struct view name, struct layer_path *out, struct err *e) {
    if (name.n == 0) return err_set(e, ERR_FORMAT, "an empty name");
    if (name.n > LAYER_PATH_MAX) return too_long(e, "a name", name.n, LAYER_PATH_MAX);
    if (memchr(name.p, 0, name.n)) return err_set(e, ERR_FORMAT, "a NUL byte in a name");
    bool absolute = name.p[0] == '/', hidden = false, reserved = false, below_reserved = false;
    size_t n = 0, base = 0;
    *out = (struct layer_path){0};
    while (name.n) {
        struct view part = view_cut(&name, '/', NULL);
        if (part.n == 0 || view_is(part, ".")) continue;
        if (absolute) return err_set(e, ERR_FORMAT, "an absolute name; names in a layer are relative to its root");
        if (view_is(part, "..")) return err_set(e, ERR_FORMAT, "a name with \"..\"");
        if (part.n > LAYER_NAME_MAX) return too_long(e, "a name's component", part.n, LAYER_NAME_MAX);
        if (hidden && !reserved) return err_set(e, ERR_FORMAT, "an entry below the name of a whiteout");
        if (++out->depth > LAYER_DEPTH_MAX)
            return err_set(e, ERR_FORMAT, "more than %u directories below each other", LAYER_DEPTH_MAX);
        hidden = view_starts(part, VIEW(".wh."));
        below_reserved = reserved;
        reserved = reserved || view_starts(part, VIEW(".wh..wh."));
        out->parent_n = n;
        if (n) out->text[n++] = '/';
        base = n;
        memcpy(out->text + n, part.p, part.n);
        n += part.n;
    }
    out->base = out->text + base;
    return classify(out, below_reserved, e);
}

bool layer_symlink_check(const struct layer_path *at, struct view target, struct err *e) {
    if (target.n == 0) return err_set(e, ERR_FORMAT, "a symlink without a target");
    if (target.n > LAYER_SYMLINK_MAX) return too_long(e, "a symlink's target", target.n, LAYER_SYMLINK_MAX);
    if (memchr(target.p, 0, target.n)) return err_set(e, ERR_FORMAT, "a NUL byte in a symlink's target");
    if (target.p[0] == '/') return true;
    size_t level = at->depth - 1;
    for (struct view rest = target; rest.n;) {
        struct view part = view_cut(&rest, '/', NULL);
        if (part.n == 0 || view_is(part, ".")) continue;
        if (!view_is(part, "..")) level++;
        else if (level-- == 0)
            return err_set(e, ERR_FORMAT, "a symlink to %.*s, which is above the layer's root",
                           VIEW_ARG(view_first(target, 200)));
    }
    return true;
}
