/* evidence: the JSON as strict readers see it, the PEM as openssl writes it. */
#include "lib.h"
#include "base/codec.h"
#include "format/json.h"
#include "tee/evidence.h"

static struct evidence sample(void) {
    static uint8_t log[300];
    struct evidence ev = {.version = VIEW("0.1.0"), .tee = VIEW("tpm"), .nonce = VIEW("\1\2\3"), .quote = VIEW("quote"),
                          .signature = VIEW("signature"), .ak_public = VIEW("public"), .ak_point = {4, 9}, .bank_count = 2,
                          .banks = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}}, .pcr = 15, .eventlog = {log, sizeof log},
                          .image = VIEW("host/a\"b:1"), .manifest = VIEW("sha256:aa"), .policy = VIEW("sha256:bb")};
    ev.banks[0].pcrs[15][0] = 0xab;
    ev.banks[1].pcrs[4][47] = 0xcd;
    return ev;
}

static struct view base64_member(const json *root, const char *name) {
    struct view text = json_text(json_get(root, name));
    uint8_t *out = arena_alloc(&arena, text.n);
    size_t n = 0;
    CHECK(base64_decode(text, out, text.n, &n));
    return view_of(out, n);
}

TEST(json_members) {
    static const char *const names[] = {"plinth", "tee", "nonce", "quote", "signature", "ak_public", "ak_public_pem", "pcrs",
                                        "register", "eventlog", "firmware_log", "image", "manifest", "policy", NULL};
    struct evidence ev = sample();
    const json *root;
    uint64_t pcr;
    fresh();
    uint8_t *bytes = arena_alloc(&arena, EVIDENCE_MAX);
    struct writer w = writer_of(bytes, EVIDENCE_MAX);
    evidence_write(&ev, &w);
    CHECK(!w.full && bytes[w.n - 1] == '\n');
    CHECK(json_parse(writer_view(&w), &arena, &root, &err));
    CHECK(json_only(root, names, "evidence", &err));
    CHECK_EQ(json_count(root), 14);
    CHECK(view_is(json_text(json_get(root, "plinth")), "0.1.0") && view_is(json_text(json_get(root, "nonce")), "010203"));
    CHECK(view_is(base64_member(root, "quote"), "quote") && view_is(base64_member(root, "signature"), "signature"));
    CHECK_EQ(base64_member(root, "eventlog").n, 300);
    CHECK(json_is_string(json_get(root, "firmware_log")) && base64_member(root, "firmware_log").n == 0);
    CHECK(view_is(json_text(json_get(root, "image")), "host/a\"b:1"));
    const json *pcrs = json_get(root, "pcrs"), *sha256 = json_get(pcrs, "sha256"), *sha384 = json_get(pcrs, "sha384");
    CHECK(json_count(pcrs) == 2 && json_count(sha256) == 16 && json_count(sha384) == 16);
    CHECK(view_starts(json_text(json_get(sha256, "15")), VIEW("ab00")) && json_text(json_get(sha256, "0")).n == 64);
    CHECK(view_ends(json_text(json_get(sha384, "4")), VIEW("00cd")) && json_text(json_get(sha384, "10")).n == 96);
    const json *reg = json_get(root, "register");
    CHECK(json_count(reg) == 3 && json_u64(json_get(reg, "pcr"), &pcr) && pcr == 15);
    CHECK(view_eq(json_text(json_get(reg, "sha256")), json_text(json_get(sha256, "15"))));
}

TEST(pem) {
    uint8_t text[256], point[65], der[91];
    size_t n;
    fresh();
    struct view spki = vector("tee/swtpm-ecc_p256.ak.spki.der");
    CHECK_EQ(spki.n, 91);
    memcpy(point, spki.p + 26, 65);
    struct writer w = writer_of(text, sizeof text);
    evidence_pem(point, &w);
    CHECK_EQ(w.n, 178);
    CHECK(view_starts(writer_view(&w), VIEW("-----BEGIN PUBLIC KEY-----\n")) && text[27 + 64] == '\n');
    CHECK(view_ends(writer_view(&w), VIEW("\n-----END PUBLIC KEY-----\n")));
    memmove(text + 27 + 64, text + 27 + 65, 60); /* without the line's end */
    CHECK(base64_decode(view_of(text + 27, 124), der, sizeof der, &n) && view_eq(view_of(der, n), spki));
}

TEST(largest_fits) {
    struct evidence ev = sample();
    fresh();
    uint8_t *bytes = arena_alloc(&arena, EVIDENCE_MAX);
    ev.eventlog = view_of(arena_alloc(&arena, EVENTLOG_MAX), EVENTLOG_MAX);
    ev.firmware_log = view_of(arena_alloc(&arena, FIRMWARE_LOG_MAX), FIRMWARE_LOG_MAX);
    ev.quote = view_of(ev.eventlog.p, 1024);
    ev.signature = ev.ak_public = view_of(ev.eventlog.p, 512);
    ev.image = view_of(arena_alloc(&arena, 2048), 2048);
    memset((void *)(uintptr_t)ev.image.p, 'x', 2048);
    ev.bank_count = 3;
    ev.banks[2].alg = HASH_SHA512;
    struct writer w = writer_of(bytes, EVIDENCE_MAX);
    evidence_write(&ev, &w);
    CHECK(!w.full);
    struct writer small = writer_of(bytes, w.n - 1);
    evidence_write(&ev, &small);
    CHECK(small.full);
}
