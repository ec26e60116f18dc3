// reference: the relying party's file. Each set compares with anything.
#include "tools/appraise/reference.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct reference ref;
    static const char *const paths[] = {"/sha256/4", "/sha384/15", "/mrtd", "/rtmr1", "/launch_digest", "/host_data", "/register"};
    char text[256];
    struct err e;

    start(64u << 20);
    if (!reference_read(view_of(bytes, size), &arena, &ref, &e)) return 0;
    for (size_t i = 0; i < ref.set_count; i++)
        for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
            if (reference_compare(&ref.sets[i], paths[k], NULL, (struct view){0}) == REFERENCE_SAME) abort();
            reference_compare(&ref.sets[i], paths[k], "/mrtd_single_pass", view_of(bytes, size < 48 ? size : 48));
            reference_brief(&ref.sets[i], paths[k], text, sizeof text);
        }
    reference_lists(ref.images, VIEW("sha256:"));
    reference_version_at_least(ref.minimum_agent, VIEW("0.1.0"));
    return 0;
}
