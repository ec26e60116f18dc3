// oci/layer: names and symlink targets, split at the first NUL byte. What is accepted holds the rules.
#include "fuzz_lib.h"

#include "oci/layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct err e;
    static struct layer_path path;
    struct view target = view_of(p, n), name = view_cut(&target, 0, NULL);

    if (!layer_path_parse(name, &path, &e))
        return 0;
    size_t depth = 0;
    for (struct view rest = view_str(path.text); rest.n;) {
        struct view part = view_cut(&rest, '/', NULL);
        if (part.n == 0 || part.n > LAYER_NAME_MAX || view_is(part, ".") || view_is(part, ".."))
            __builtin_trap();
        depth++;
    }
    if (depth != path.depth || depth > LAYER_DEPTH_MAX || (depth == 0) != (path.kind == LAYER_ROOT))
        __builtin_trap();
    if (path.kind == LAYER_ENTRY && strncmp(path.base, ".wh.", 4) == 0)
        __builtin_trap();
    if (depth)
        layer_symlink_check(&path, target, &e);
    return 0;
}
