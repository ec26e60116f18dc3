// private_key: PEM or DER; what is taken has one other form, ours, and is the same key in it.
#include "crypto/private_key.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct private_key key, again;
    struct err e = {0};
    uint8_t text[8192], z[32];
    struct writer w = writer_of(text, sizeof text);

    if (!private_key_decode(view_of(bytes, size), &key, &e)) {
        if (e.kind != ERR_USAGE || !e.mend[0])
            abort();
        return 0;
    }
    private_key_pem(&key, &w);
    if (w.full)
        abort();
    if (key.type == PRIVATE_RSA) // two numbers without common factors serve as primes; their d is another matter
        return 0;
    if (!private_key_decode(writer_view(&w), &again, &e) || memcmp(again.ec.d, key.ec.d, 32) || memcmp(again.ec.point, key.ec.point, 65))
        abort();
    if (!private_key_agree(&key, view_of(key.ec.point, 65), z))
        abort();
    return 0;
}
