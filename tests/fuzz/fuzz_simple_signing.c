#include "trust/simple_signing.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct simple_signing s;
    struct err e = {0};

    start(16 << 20);
    if (simple_signing_parse(view_of(bytes, size), &arena, &s, &e)) {
        touch(s.docker_reference);
        if (s.optional && !json_is_object(s.optional))
            abort();
    }
    return 0;
}
