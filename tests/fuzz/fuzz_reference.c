// reference: what is accepted is written canonically, and that text means the same.
#include "oci/reference.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct reference r, again, m;
    char text[2048], other[2048];
    struct err e = {0};
    struct view rest = view_of(bytes, size), mirror = view_cut(&rest, '\n', NULL);

    if (reference_parse(mirror, true, &r, &e)) {
        reference_text(&r, text, sizeof text);
        if (!reference_parse(view_str(text), true, &again, &e) || memcmp(&r, &again, sizeof r) != 0)
            abort();
        reference_text(&again, other, sizeof other);
        if (strcmp(text, other) != 0)
            abort();
        if (!r.layout && reference_mirror(&r, rest, &m, &e)) {
            reference_text(&m, text, sizeof text);
            if (!reference_parse(view_str(text), false, &again, &e))
                abort();
        }
    }
    return 0;
}
