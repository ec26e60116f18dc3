// request: heads as serve takes them; the credentials of every one that is taken.
#include "fuzz_lib.h"
#include "tools/serve/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view v = view_of(bytes, size), value;
    struct request r;
    struct err e;
    size_t n = http_head_length(v, 0);
    if (!n) return 0;
    if (!request_parse(view_first(v, n), &r, &e)) {
        if (r.refuse < 400 || r.refuse > 499) abort();
        return 0;
    }
    touch(r.path);
    if (!r.path.n || r.path.p[0] != '/' || r.path.n > REQUEST_PATH_MAX || memchr(r.path.p, '%', r.path.n)) abort();
    if (r.head.length && r.method != REQUEST_POST) abort();
    if (request_bearer(&r, &value, &e)) touch(value);
    if (request_cookie(&r, "kbs-session-id", &value, &e)) touch(value);
    return 0;
}
