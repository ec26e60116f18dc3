/* see fields.h */
#include "tools/appraise/fields.h"

#include "base/arena.h"
#include "format/json.h"

#include <stdio.h>

static uint64_t integer(struct view v, bool little) {
    uint64_t x = 0;
    for (size_t i = 0; i < v.n; i++) x = x << 8 | v.p[little ? v.n - 1 - i : i];
    return x;
}

void fields_write(struct result *out, struct view bytes, const struct field *table) {
    for (const struct field *f = table; f->name; f++) {
        struct view v = view_first(view_skip(bytes, f->offset), f->size);
        bool whole = v.n == f->size;
        if (f->form == FIELD_HEX)
            result_hex(out, f->name, whole ? v : (struct view){0});
        else
            result_number(out, f->name, whole, integer(v, f->form == FIELD_LE));
    }
}

bool fields_zero(struct view v) {
    uint8_t any = 0;
    for (size_t i = 0; i < v.n; i++) any |= v.p[i];
    return !any;
}

static void print(const json *object, unsigned indent) {
    char text[2 * 640 + 16];
    for (struct json_iter it = json_each(object); json_next(&it);) {
        printf("%*s%.*s", (int)indent, "", VIEW_ARG(it.name));
        if (json_is_array(it.value)) { /* of scalars, on one line */
            printf("%*s", it.name.n < 20 ? 20 - (int)it.name.n : 1, "");
            for (struct json_iter in = json_each(it.value); json_next(&in);)
                printf("%s ", json_brief(in.value, text, sizeof text));
            printf("\n");
        } else if (json_count(it.value)) {
            printf("\n"), print(it.value, indent + 2);
        } else if (json_is_string(it.value)) {
            struct view v = json_text(it.value);
            printf("%*s%.*s\n", it.name.n < 20 ? 20 - (int)it.name.n : 1, "", VIEW_ARG(v));
        } else {
            printf("%*s%s\n", it.name.n < 20 ? 20 - (int)it.name.n : 1, "",
                   json_is_null(it.value) ? "-" : json_brief(it.value, text, sizeof text));
        }
    }
}

void fields_print(struct view members) {
    struct arena a = {0};
    struct err e;
    const json *root;
    uint8_t *p;
    if (!arena_make(&a, 16 * (members.n + 4096), &e)) return;
    if ((p = arena_alloc(&a, members.n + 2))) {
        struct writer w = writer_of(p, members.n + 2);
        write_u8(&w, '{'), write_bytes(&w, members), write_u8(&w, '}');
        if (json_parse(writer_view(&w), &a, &root, &e)) print(root, 0);
    }
    arena_drop(&a);
}
