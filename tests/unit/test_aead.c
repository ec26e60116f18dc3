// aead: McGrew's and RFC 3394's vectors (secret/wrap.txt) and what must fail.
#include "secret.h"

#include "crypto/aead.h"

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

TEST(gcm)
{
    fresh();
    struct view text = vector("secret/wrap.txt"), w[7];
    size_t n = 0;
    uint8_t bytes[64];
    while (next_line(&text, w, 7)) {
        if (!view_is(w[0], "gcm"))
            continue;
        struct view v[6];
        for (size_t i = 0; i < 6; i++)
            v[i] = from_hex(w[i + 1]);
        struct view key = v[0], iv = v[1], aad = v[2], plain = v[3], sealed = v[4], tag = v[5];
        if (sealed.n)
            memcpy(bytes, sealed.p, sealed.n);
        CHECK(aead_open(key, iv, aad, bytes, sealed.n, tag) && view_eq(view_of(bytes, sealed.n), plain));
        n++;
        // One bit of anything: refused, and nothing of the text is left.
        struct view *parts[] = {&key, &iv, &aad, &sealed, &tag};
        for (size_t part = 0; part < 5; part++)
            for (size_t bit = 0; bit < parts[part]->n * 8; bit++) {
                uint8_t *p = (uint8_t *)(uintptr_t)parts[part]->p;
                p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (sealed.n)
                    memcpy(bytes, sealed.p, sealed.n);
                CHECK(!aead_open(key, iv, aad, bytes, sealed.n, tag) && all_zero(bytes, sealed.n));
                p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        for (size_t size = 0; size < 12; size++)
            CHECK(!aead_open(key, view_first(iv, size), aad, bytes, sealed.n, tag));
        for (size_t size = 0; size < 16; size++)
            CHECK(!aead_open(key, iv, aad, bytes, sealed.n, view_first(tag, size)));
    }
    CHECK_EQ(n, 12);
}

TEST(key_wrap)
{
    fresh();
    struct view text = vector("secret/wrap.txt"), w[4];
    size_t n = 0;
    uint8_t out[32];
    while (next_line(&text, w, 4)) {
        if (!view_is(w[0], "wrap"))
            continue;
        struct view kek = from_hex(w[1]), key = from_hex(w[2]), wrapped = from_hex(w[3]);
        CHECK(key_unwrap(kek, wrapped, out) && view_eq(view_of(out, wrapped.n - 8), key));
        n++;
        struct view *parts[] = {&kek, &wrapped};
        for (size_t part = 0; part < 2; part++)
            for (size_t bit = 0; bit < parts[part]->n * 8; bit++) {
                uint8_t *p = (uint8_t *)(uintptr_t)parts[part]->p;
                p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                CHECK(!key_unwrap(kek, wrapped, out) && all_zero(out, wrapped.n - 8));
                p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        for (size_t size = 0; size < wrapped.n; size++)
            CHECK(!key_unwrap(kek, view_first(wrapped, size), out));
    }
    CHECK_EQ(n, 6);
}
