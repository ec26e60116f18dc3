/* see image_config.h */
#include "oci/image_config.h"

#include <stdio.h>

#include "format/json.h"

/* Go's encoders write null for what is not set. */
static const json *member(const json *object, const char *name) {
    const json *v = json_get(object, name);
    return json_is_null(v) ? NULL : v;
}

static bool read_text(const json *object, const char *name, const char *where, struct view *out, struct err *e) {
    return !member(object, name) || json_need_text(object, name, where, out, e);
}

static bool read_list(const json *object, const char *name, struct arena *a, struct text_list *out, struct err *e) {
    const json *list;
    if (!member(object, name)) return true;
    if (!json_need_array(object, name, "image config: config", &list, e)) return false;
    size_t n = json_count(list);
    if (n > ARGS_MAX)
        return err_set(e, ERR_FORMAT, "image config: config.%s has %zu items, %u are accepted", name, n, ARGS_MAX);
    out->items = arena_alloc(a, n * sizeof *out->items);
    if (!out->items) return arena_full(a, e);
    for (struct json_iter it = json_each(list); json_next(&it); out->count++) {
        if (!json_is_string(it.value))
            return err_set(e, ERR_FORMAT, "image config: config.%s[%zu] is not a string", name, out->count);
        out->items[out->count] = json_text(it.value);
    }
    return true;
}

static bool read_process(const json *config, struct arena *a, struct image_config *c, struct err *e) {
    const char *where = "image config: config";
    if (!read_text(config, "User", where, &c->user, e) || !read_text(config, "WorkingDir", where, &c->working_dir, e) ||
        !read_text(config, "StopSignal", where, &c->stop_signal, e) ||
        !read_list(config, "Entrypoint", a, &c->entrypoint, e) || !read_list(config, "Cmd", a, &c->cmd, e) ||
        !read_list(config, "Env", a, &c->env, e))
        return false;
    for (size_t i = 0; i < c->env.count; i++) {
        bool equals;
        struct view value = c->env.items[i], name = view_cut(&value, '=', &equals);
        if (!equals || name.n == 0)
            return err_set(e, ERR_FORMAT, "image config: config.Env[%zu] is '%.*s', NAME=value is expected", i,
                           VIEW_ARG(view_first(c->env.items[i], 100)));
    }
    return true;
}

static bool read_diff_ids(const json *root, size_t layer_count, struct image_config *c, struct err *e) {
    const json *rootfs, *list;
    struct view type;
    if (!json_need_object(root, "rootfs", "image config", &rootfs, e) ||
        !json_need_text(rootfs, "type", "image config: rootfs", &type, e) ||
        !json_need_array(rootfs, "diff_ids", "image config: rootfs", &list, e))
        return false;
    if (!view_is(type, "layers"))
        return err_set(e, ERR_FORMAT, "image config: rootfs.type is '%.*s', only 'layers' is known",
                       VIEW_ARG(view_first(type, 100)));
    if (json_count(list) != layer_count || layer_count > LAYERS_MAX)
        return err_set(e, ERR_FORMAT, "image config: rootfs.diff_ids has %zu entries, the manifest has %zu layers",
                       json_count(list), layer_count);
    for (struct json_iter it = json_each(list); json_next(&it); c->diff_id_count++)
        if (!digest_parse(json_text(it.value), &c->diff_ids[c->diff_id_count], e))
            return err_in(e, "image config: rootfs.diff_ids[%zu]", c->diff_id_count);
    return true;
}

bool image_config_parse(struct view bytes, size_t layer_count, const struct platform *want, struct arena *a,
                        struct image_config *out, struct err *e) {
    const json *root, *config = NULL;
    struct image_config c = {0};
    if (!json_parse(bytes, a, &root, e)) return err_in(e, "image config");
    if (!json_is_object(root)) return err_set(e, ERR_FORMAT, "image config: not a JSON object");
    if (!json_need_text(root, "os", "image config", &c.os, e) ||
        !json_need_text(root, "architecture", "image config", &c.architecture, e) ||
        !read_text(root, "variant", "image config", &c.variant, e))
        return false;
    if (!view_is(c.os, want->os) || !view_is(c.architecture, want->architecture))
        return err_set(e, ERR_FORMAT, "image config: the image is for %.*s/%.*s, this machine is %s/%s",
                       VIEW_ARG(view_first(c.os, 60)), VIEW_ARG(view_first(c.architecture, 60)), want->os,
                       want->architecture);
    if (member(root, "config") && !json_need_object(root, "config", "image config", &config, e)) return false;
    if (!read_process(config, a, &c, e) || !read_diff_ids(root, layer_count, &c, e)) return false;
    *out = c;
    return true;
}
