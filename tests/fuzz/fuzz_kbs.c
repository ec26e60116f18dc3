// What a KBS answers: challenge, token, an error for people, a cookie; the first byte says which.
#include "worker/kbs.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct kbs_challenge c;
    struct view body = view_of(bytes + 1, size - 1), out;
    struct err e;

    if (size == 0 || size > 100000)
        return 0;
    start(16u << 20);
    switch (bytes[0] % 4) {
    case 0:
        if (kbs_parse_challenge(body, &arena, &c, &e))
            touch(c.nonce);
        break;
    case 1:
        if (kbs_parse_token(body, &arena, &out, &e)) {
            touch(out);
            for (size_t i = 0; i < out.n; i++)
                if (out.p[i] <= ' ' || out.p[i] >= 0x7f)
                    abort();
        }
        break;
    case 2:
        touch(out = kbs_parse_fault(body, &arena));
        if (out.n > 200)
            abort();
        break;
    default:
        if (kbs_parse_cookie(body, &out)) {
            touch(out);
            if (!out.n || memchr(out.p, '\n', out.n) || memchr(out.p, ';', out.n))
                abort();
        }
    }
    return 0;
}
