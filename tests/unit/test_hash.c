#include "lib.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "crypto/wipe.h"

// FIPS 180-4 examples (csrc.nist.gov, "SHA_All.pdf") and the empty message.
static const struct {
    enum hash_alg alg;
    const char *message, *hex;
} vectors[] = {
    {HASH_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HASH_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {HASH_SHA384, "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
    {HASH_SHA384, "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039"},
    {HASH_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

static bool is_hex(const uint8_t *hash, enum hash_alg alg, const char *hex)
{
    uint8_t want[HASH_MAX];
    return hex_decode(view_str(hex), want, hash_size(alg)) && memcmp(hash, want, hash_size(alg)) == 0;
}

TEST(examples)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t out[HASH_MAX];
        hash_once(vectors[i].alg, view_str(vectors[i].message), out);
        CHECK(is_hex(out, vectors[i].alg, vectors[i].hex));
    }
    CHECK_STR(hash_name(HASH_SHA384), "sha384");
    CHECK(hash_size(HASH_SHA256) == 32 && hash_size(HASH_SHA384) == 48 && hash_size(HASH_SHA512) == 64);
}

TEST(million_a)
{
    struct hash h;
    uint8_t out[32];
    char piece[1000];
    memset(piece, 'a', sizeof piece);
    for (int ni = 0; ni < 2; ni++) {
        hash_init(&h, HASH_SHA256);
        if (!ni)
            h.sha_ni = false;
        for (int i = 0; i < 1000; i++)
            hash_update(&h, view_of(piece, sizeof piece));
        hash_final(&h, out);
        CHECK(is_hex(out, HASH_SHA256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    }
}

// Both ways of computing SHA-256 agree, at every length, wherever the pieces are cut and however they are aligned.
TEST(pieces)
{
    static uint8_t message[700];
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 131 + (i >> 3));
    for (size_t n = 0; n <= 600; n += n < 200 ? 1 : 37) {
        for (size_t cut = 0; cut <= n; cut += n < 140 ? 1 : 29) {
            struct hash plain, fast;
            uint8_t a[32], b[32], c[32];
            hash_init(&plain, HASH_SHA256);
            hash_init(&fast, HASH_SHA256);
            plain.sha_ni = false;
            hash_update(&plain, view_of(message + 3, n));
            hash_update(&fast, view_of(message + 3, cut));
            hash_final(&fast, c);
            hash_update(&fast, (struct view){0});
            hash_update(&fast, view_of(message + 3 + cut, n - cut));
            hash_final(&plain, a);
            hash_final(&fast, b);
            CHECK(memcmp(a, b, 32) == 0);
            if (cut < n)
                CHECK(memcmp(a, c, 32) != 0);
        }
    }
}

TEST(uses_the_processor)
{
    struct hash h;
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[8192];
    bool there = false;
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f))
        there |= strncmp(line, "flags", 5) == 0 && strstr(line, " sha_ni");
    fclose(f);
    hash_init(&h, HASH_SHA256);
    CHECK(h.sha_ni == there);
    hash_init(&h, HASH_SHA512);
    CHECK(!h.sha_ni);
}

TEST(wiped)
{
    char secret[9] = "12345678";
    wipe(secret, 8);
    wipe(NULL, 0);
    for (size_t i = 0; i < 8; i++)
        CHECK(secret[i] == 0);
}
