// image_config: all that comes out is read.
#include "oci/image_config.h"
#include "fuzz_lib.h"

static void touch_list(const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        touch(list->items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct platform amd64 = {"linux", "amd64", ""};
    static struct image_config c;
    struct err e = {0};

    start(16 << 20);
    if (!image_config_parse(view_of(bytes, size), 1, &amd64, &arena, &c, &e))
        return 0;
    touch(c.os), touch(c.architecture), touch(c.variant), touch(c.user), touch(c.working_dir), touch(c.stop_signal);
    touch_list(&c.entrypoint), touch_list(&c.cmd), touch_list(&c.env);
    for (size_t i = 0; i < c.env.count; i++)
        if (!memchr(c.env.items[i].p, '=', c.env.items[i].n))
            abort();
    if (c.diff_id_count != 1)
        abort();
    return 0;
}
