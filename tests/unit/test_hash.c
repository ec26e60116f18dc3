#include "lib.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "crypto/wipe.h"

#include <bearssl_hmac.h>

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

// The classes to be held against each other: the portable one, what hash_init takes, and the SHA instructions where they are.
static const br_hash_class *classes[3] = {&br_sha256_vtable};
static size_t classes_n;

static void find_classes(void)
{
    classes_n = 1;
    classes[classes_n++] = hash_class(HASH_SHA256);
    if (hash_has_sha_ni())
        classes[classes_n++] = &hash_sha256_ni;
}

TEST(million_a)
{
    char piece[1000];
    memset(piece, 'a', sizeof piece);
    find_classes();
    for (size_t k = 0; k < classes_n; k++) {
        br_hash_compat_context c;
        uint8_t out[32];
        classes[k]->init(&c.vtable);
        CHECK(c.vtable == classes[k]);
        for (int i = 0; i < 1000; i++)
            classes[k]->update(&c.vtable, piece, sizeof piece);
        classes[k]->out(&c.vtable, out);
        CHECK(is_hex(out, HASH_SHA256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    }
}

static uint8_t message[9000];
static uint32_t dice = 1;

static size_t roll(size_t below) // the same numbers in each run
{
    dice = dice * 1664525 + 1013904223;
    return (size_t)(((uint64_t)(dice >> 8) * below) >> 24);
}

static void fill(void)
{
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 131 + (i >> 3));
}

// All ways of computing SHA-256 agree, at every length, wherever the pieces are cut and however they are aligned; `out` changes nothing.
static void same(size_t at, size_t n, const size_t *cuts, size_t cuts_n)
{
    uint8_t want[32], got[32];
    br_hash_compat_context plain;
    br_sha256_init(&plain.sha256);
    br_sha256_update(&plain.sha256, message + at, n);
    br_sha256_out(&plain.sha256, want);
    for (size_t k = 1; k < classes_n; k++) {
        br_hash_compat_context c;
        size_t done = 0;
        memset(&c, 0xaa, sizeof c);
        classes[k]->init(&c.vtable);
        for (size_t i = 0; i < cuts_n; i++) {
            classes[k]->update(&c.vtable, message + at + done, cuts[i] - done);
            classes[k]->out(&c.vtable, got);
            done = cuts[i];
        }
        classes[k]->update(&c.vtable, message + at + done, n - done);
        classes[k]->out(&c.vtable, got);
        CHECK(memcmp(want, got, 32) == 0);
        CHECK(c.sha256.count == n && c.vtable == classes[k]);
    }
}

TEST(pieces)
{
    fill();
    find_classes();
    for (size_t n = 0; n <= 600; n += n < 200 ? 1 : 37)
        for (size_t cut = 0; cut <= n; cut += n < 140 ? 1 : 29)
            same(3, n, &cut, 1);
}

TEST(random_pieces)
{
    fill();
    find_classes();
    for (int round = 0; round < 3000; round++) {
        size_t cuts[12], cuts_n = roll(13), at = roll(64), n = roll(round % 4 ? 700 : sizeof message - 64);
        for (size_t i = 0; i < cuts_n; i++) {
            size_t from = i ? cuts[i - 1] : 0;
            cuts[i] = from + roll(2) * roll(n - from + 1); // half of the pieces are empty
        }
        same(at, n, cuts, cuts_n);
    }
}

// What BearSSL does with a class besides hashing: saving and restoring states (multihash in TLS), HMAC, and reading the descriptor.
TEST(as_a_bearssl_class)
{
    fill();
    find_classes();
    for (size_t k = 1; k < classes_n; k++) {
        CHECK(classes[k]->desc == br_sha256_vtable.desc && classes[k]->context_size == br_sha256_vtable.context_size);
        for (size_t n = 0; n < 400; n += 7) {
            br_multihash_context a, b;
            uint8_t x[32], y[32];
            br_multihash_zero(&a);
            br_multihash_zero(&b);
            br_multihash_setimpl(&a, br_sha256_ID, &br_sha256_vtable);
            br_multihash_setimpl(&b, br_sha256_ID, classes[k]);
            br_multihash_init(&a);
            br_multihash_init(&b);
            br_multihash_update(&a, message, n);
            for (size_t i = 0; i < n; i++)
                br_multihash_update(&b, message + i, 1);
            CHECK(br_multihash_out(&a, br_sha256_ID, x) == 32 && br_multihash_out(&b, br_sha256_ID, y) == 32);
            CHECK(memcmp(x, y, 32) == 0);

            br_hmac_key_context key_a, key_b;
            br_hmac_context mac_a, mac_b;
            br_hmac_key_init(&key_a, &br_sha256_vtable, message, n % 100);
            br_hmac_key_init(&key_b, classes[k], message, n % 100);
            br_hmac_init(&mac_a, &key_a, 0);
            br_hmac_init(&mac_b, &key_b, 0);
            br_hmac_update(&mac_a, message, n);
            br_hmac_update(&mac_b, message, n / 3);
            br_hmac_update(&mac_b, message + n / 3, n - n / 3);
            CHECK(br_hmac_out(&mac_a, x) == 32 && br_hmac_out(&mac_b, y) == 32 && memcmp(x, y, 32) == 0);
            br_hmac_outCT(&mac_a, message, 13, 0, 64, x);
            br_hmac_outCT(&mac_b, message, 13, 0, 64, y);
            CHECK(memcmp(x, y, 32) == 0);
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
    CHECK(hash_has_sha_ni() == there);
    CHECK(hash_class(HASH_SHA256) == (there ? &hash_sha256_ni : &br_sha256_vtable));
    CHECK(hash_class(HASH_SHA384) == &br_sha384_vtable && hash_class(HASH_SHA512) == &br_sha512_vtable);
    hash_init(&h, HASH_SHA256);
    CHECK(h.ctx.vtable == hash_class(HASH_SHA256));
}

TEST(wiped)
{
    char secret[9] = "12345678";
    wipe(secret, 8);
    wipe(NULL, 0);
    for (size_t i = 0; i < 8; i++)
        CHECK(secret[i] == 0);
}
