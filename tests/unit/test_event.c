/* event: AAEL encoding against guest-components' own vectors, records, the header, the register. */
#include "check.h"
#include "base/codec.h"
#include "tee/event.h"

static bool is_hex(const uint8_t *bytes, size_t n, const char *hex) {
    uint8_t want[512];
    CHECK(n <= sizeof want && hex_decode(view_str(hex), want, n));
    return memcmp(bytes, want, n) == 0;
}

TEST(aael_vectors) {
    uint8_t bytes[64], digest[HASH_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct err e = {0};
    CHECK(event_encode("domain", "operation", VIEW("content"), &w, &e));
    CHECK_EQ(w.n, 8 + 24);
    CHECK(is_hex(bytes, 8, "4c45414118000000"));
    hash_once(HASH_SHA256, writer_view(&w), digest);
    CHECK(is_hex(digest, 32, "46df8dacf00a07d34a83cdf56d7978697790787cf2ba1432ef7c38f22cd96351"));
    hash_once(HASH_SHA384, writer_view(&w), digest);
    CHECK(is_hex(digest, 48,
                 "dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02"));
}

static bool encodes(const char *domain, const char *operation, struct view content, size_t room) {
    uint8_t bytes[EVENT_MAX + 1];
    struct writer w = writer_of(bytes, room);
    struct err e = {0};
    bool ok = event_encode(domain, operation, content, &w, &e);
    CHECK(ok || (e.kind == ERR_FORMAT && w.n == 0 && !w.full)); /* untouched */
    return ok;
}

TEST(encode_refuses) {
    uint8_t wide[EVENT_TEXT_MAX];
    memset(wide, 'x', sizeof wide);
    CHECK(encodes("d", "o", VIEW("a b"), EVENT_MAX));
    CHECK(encodes("d", "o", VIEW(""), EVENT_MAX));
    CHECK(!encodes("d d", "o", VIEW("c"), EVENT_MAX));
    CHECK(!encodes("d", "o o", VIEW("c"), EVENT_MAX));
    CHECK(!encodes("", "o", VIEW("c"), EVENT_MAX));
    CHECK(!encodes("d", "", VIEW("c"), EVENT_MAX));
    CHECK(!encodes("d\n", "o", VIEW("c"), EVENT_MAX));
    CHECK(!encodes("d", "o", VIEW("c\n"), EVENT_MAX));
    CHECK(!encodes("d", "o", VIEW("c\0"), EVENT_MAX));
    CHECK(!encodes("d", "o", VIEW("\x7f"), EVENT_MAX));
    CHECK(!encodes("d", "o", VIEW("caf\xc3\xa9"), EVENT_MAX));
    CHECK(encodes("d", "o", view_of(wide, EVENT_TEXT_MAX - 4), EVENT_MAX));
    CHECK(!encodes("d", "o", view_of(wide, EVENT_TEXT_MAX - 3), EVENT_MAX));
    CHECK(encodes("d", "o", VIEW("c"), 13));
    CHECK(!encodes("d", "o", VIEW("c"), 12));
}

TEST(register_extends) {
    struct register_bank r = {.alg = HASH_SHA256};
    uint8_t zeros[32] = {0};
    register_extend(&r, zeros); /* SHA-256 of 64 zero bytes */
    CHECK(is_hex(r.value, 32, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"));
}

TEST(record_layout) {
    struct register_bank banks[] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}};
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    event_record(15, banks, 2, VIEW("event"), &w);
    CHECK_EQ(w.n, 12 + 2 + 32 + 2 + 48 + 4 + 5);
    CHECK(is_hex(bytes, 14, "0f0000000600000002000000" "0b00"));
    CHECK(is_hex(bytes + 14 + 32, 2, "0c00"));
    CHECK(is_hex(bytes + w.n - 9, 9, "05000000" "6576656e74"));
    struct writer small = writer_of(bytes, w.n - 1);
    event_record(15, banks, 2, VIEW("event"), &small);
    CHECK(small.full);
}

TEST(header_layout) {
    struct register_bank banks[] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}};
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    event_log_header(banks, 2, &w);
    CHECK_EQ(w.n, 32 + 37);
    CHECK(is_hex(bytes, w.n,
                 "0000000003000000" "0000000000000000000000000000000000000000" "25000000"
                 "53706563204944204576656e74303300" "00000000" "00020002" "02000000" "0b002000" "0c003000" "00"));
}

TEST(algorithms) {
    enum hash_alg alg = HASH_SHA384;
    CHECK(tpm2_alg(HASH_SHA256) == 0xb && tpm2_alg(HASH_SHA384) == 0xc && tpm2_alg(HASH_SHA512) == 0xd);
    CHECK(!tpm2_hash(TPM2_ALG_SHA1, &alg) && alg == HASH_SHA384);
    CHECK(tpm2_hash(TPM2_ALG_SHA512, &alg) && alg == HASH_SHA512);
}
