// require: a requirement and a predicate, split at the first NUL byte. A value equals itself, and is both atLeast and atMost itself.
#include "trust/require.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view predicate = view_of(bytes, size), text = view_cut(&predicate, 0, NULL);
    struct requirement r;
    const json *v, *p;
    struct err e = {0};

    start(64 << 20);
    if (!json_parse(text, &arena, &v, &e) || !json_parse(predicate, &arena, &p, &e))
        return 0;
    if (!json_equal(p, p) || (json_is_number(p) && json_order(p, p) != 0) || json_equal(v, p) != json_equal(p, v))
        abort();
    if (!require_parse(v, "r", &arena, &r, &e))
        return e.kind == ERR_USAGE || e.kind == ERR_FORMAT || e.kind == ERR_SYSTEM ? 0 : (abort(), 0);
    if (!json_pointer_ok(r.path) || json_count(r.operators) < 2)
        abort();
    (void)require_met(&r, VIEW("https://cosign.sigstore.dev/attestation/v1"), p, &arena, &e);
    return 0;
}
