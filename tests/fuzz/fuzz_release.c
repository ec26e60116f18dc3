// release policy, and the claims of a guest behind a NUL: what is given away is named by a rule, and only to somebody.
#include "tools/serve/release.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct release *r;
    struct err e = {0};
    struct view rest = view_of(bytes, size), policy = view_cut(&rest, 0, NULL);
    const json *claims;

    start(16 << 20);
    if (!policy.n) return 0;
    if (!release_read(policy, &arena, &r, &e)) {
        if (e.kind != ERR_USAGE && e.kind != ERR_SYSTEM) abort();
        return 0;
    }
    if (!json_parse(rest, &arena, &claims, &e)) return 0;
    struct view path = json_text(json_get(claims, "path"));
    if (!release_decide(r, claims, path.n ? path : VIEW("a/b/c"), &e)) {
        if (e.kind != ERR_POLICY && e.kind != ERR_FORMAT) abort();
        return 0;
    }
    if (!json_text(json_get(claims, "policy")).n || !json_text(json_get(claims, "stage")).n) abort();
    return 0;
}
