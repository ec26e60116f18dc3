// json: parse, then walk all of it through the interface.
#include "base/limits.h"
#include "format/json.h"
#include "fuzz_lib.h"

static const char *const names[] = {"a", "b", NULL};

// Without recursion: each level's iterator is kept.
static void walk(const json *root)
{
    struct json_iter levels[JSON_DEPTH_MAX + 1];
    size_t depth = 0;
    struct err e = {0};
    struct view s;
    const json *v;
    uint64_t n;
    bool b;

    levels[0] = json_each(root);
    for (;;) {
        if (!json_next(&levels[depth])) {
            if (depth-- == 0)
                return;
            continue;
        }
        v = levels[depth].value;
        touch(levels[depth].name);
        touch(json_text(v));
        if (json_text(v).n && memchr(json_text(v).p, 0, json_text(v).n))
            abort();
        json_u64(v, &n);
        json_is_bool(v, &b);
        json_only(v, names, "x", &e);
        json_need_text(v, "a", "x", &s, &e);
        json_need_u64(v, "a", "x: y", &n, &e);
        json_at(v, 1);
        if (json_count(v) > 0) {
            if (depth == JSON_DEPTH_MAX)
                abort(); // deeper than promised
            levels[++depth] = json_each(v);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const json *root;
    struct err e = {0};

    start(16 << 20);
    if (json_parse(view_of(bytes, size), &arena, &root, &e))
        walk(root);
    else if (e.kind == ERR_NONE)
        abort();
    return 0;
}
