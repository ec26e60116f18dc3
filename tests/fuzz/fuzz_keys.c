// pem and keys: the text may be PEM, or DER of a key.
#include "crypto/keys.h"
#include "format/pem.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view text = view_of(bytes, size), label, der;
    struct public_key key;
    struct err e = {0};

    start(16 << 20);
    while (pem_next(&text, &arena, &label, &der, &e)) {
        touch(label), touch(der);
        public_key_decode(label, der, &key, &e);
    }
    if (public_key_decode(VIEW("PUBLIC KEY"), view_of(bytes, size), &key, &e)) {
        struct public_key again;
        uint8_t copy[1024];
        // One key has one spelling: whatever else is taken, it is another key.
        memcpy(copy, bytes, size < sizeof copy ? size : sizeof copy);
        copy[size - 1] ^= 1;
        if (size <= sizeof copy && public_key_decode(VIEW("PUBLIC KEY"), view_of(copy, size), &again, &e) &&
            memcmp(again.spki_sha256, key.spki_sha256, 32) == 0)
            abort();
    }
    return 0;
}
