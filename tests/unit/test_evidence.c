/* evidence: the JSON as strict readers see it, the PEM as openssl writes it. */
#include "lib.h"
#include "base/codec.h"
#include "format/json.h"
#include "tee/evidence.h"

static struct evidence_tpm tpm;

static struct evidence sample(void) {
    static uint8_t log[300];
    tpm = (struct evidence_tpm){.quote = VIEW("quote"), .signature = VIEW("signature"), .ak_public = VIEW("public"), .ak_point = {4, 9}, .bank_count = 2,
                                .ek_certificate = VIEW("ek"), .banks = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}}, .pcr = 15, .eventlog = {log, sizeof log}};
    tpm.banks[0].pcrs[15][0] = 0xab;
    tpm.banks[1].pcrs[4][47] = 0xcd;
    return (struct evidence){.version = VIEW("0.1.0"), .tee = VIEW("tpm"), .nonce = VIEW("\1\2\3"), .tpm = &tpm, .image = VIEW("host/a\"b:1"),
                             .manifest = VIEW("sha256:aa"), .policy = VIEW("sha256:bb")};
}

static struct view base64_member(const json *root, const char *name) {
    struct view text = json_text(json_get(root, name));
    uint8_t *out = arena_alloc(&arena, text.n);
    size_t n = 0;
    CHECK(base64_decode(text, out, text.n, &n));
    return view_of(out, n);
}

TEST(json_members) {
    static const char *const names[] = {"plinth", "tee", "nonce", "quote", "signature", "ak_public", "ak_public_pem", "ek_certificate", "pcrs",
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
    CHECK_EQ(json_count(root), 15);
    CHECK(view_is(json_text(json_get(root, "plinth")), "0.1.0") && view_is(json_text(json_get(root, "nonce")), "010203"));
    CHECK(view_is(base64_member(root, "quote"), "quote") && view_is(base64_member(root, "signature"), "signature"));
    CHECK_EQ(base64_member(root, "eventlog").n, 300);
    CHECK(view_is(base64_member(root, "ek_certificate"), "ek"));
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

/* A CPU's, alone and with a TPM beside it. */
static const json *cpu(struct evidence *ev, const char *tee) {
    const json *root;
    uint8_t *bytes = arena_alloc(fresh(), EVIDENCE_MAX), *text = arena_alloc(&arena, EVIDENCE_PREIMAGE_MAX);
    struct writer w = writer_of(bytes, EVIDENCE_MAX), preimage = writer_of(text, EVIDENCE_PREIMAGE_MAX);
    ev->tee = view_str(tee);
    ev->report = VIEW("report"), ev->certificates = VIEW("table"), ev->report_data = VIEW("\xaa\xbb");
    ev->eventlog = VIEW("own"), ev->firmware_log = VIEW("ccel");
    memset(ev->value, 0x5a, 48);
    evidence_preimage(ev, &preimage);
    ev->preimage = writer_view(&preimage);
    evidence_write(ev, &w);
    CHECK(!w.full && !preimage.full && json_parse(writer_view(&w), &arena, &root, &err));
    return root;
}

#define VALUE "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"

TEST(tdx) {
    static const char *const names[] = {"plinth", "tee", "nonce", "quote", "report_data", "preimage", "register", "eventlog", "firmware_log",
                                        "image", "manifest", "policy", NULL};
    struct evidence ev = sample();
    uint64_t rtmr;
    ev.tpm = NULL;
    const json *root = cpu(&ev, "tdx"), *reg = json_get(root, "register");
    CHECK(json_only(root, names, "evidence", &err) && json_count(root) == 12);
    CHECK(view_is(base64_member(root, "quote"), "report") && view_is(json_text(json_get(root, "report_data")), "aabb"));
    CHECK(json_u64(json_get(reg, "rtmr"), &rtmr) && rtmr == 3 && view_is(json_text(json_get(reg, "sha384")), VALUE) && json_count(reg) == 2);
    CHECK(view_is(json_text(json_get(root, "preimage")), "{\"nonce\":\"010203\",\"register\":{\"rtmr\":3,\"sha384\":\"" VALUE "\"}}"));
    CHECK(view_is(base64_member(root, "eventlog"), "own") && view_is(base64_member(root, "firmware_log"), "ccel"));
}

TEST(snp_with_a_tpm) {
    struct evidence ev = sample();
    const json *root = cpu(&ev, "snp"), *beside = json_get(root, "tpm");
    CHECK(view_is(base64_member(root, "report"), "report") && view_is(base64_member(root, "certificates"), "table"));
    CHECK(!json_get(root, "quote") && json_count(root) == 14);
    CHECK(view_is(json_text(json_get(json_get(root, "register"), "kept_by")), "monitor"));
    CHECK(json_count(beside) == 9 && view_is(base64_member(beside, "quote"), "quote") && base64_member(beside, "eventlog").n == 300);
    CHECK(json_count(json_get(json_get(beside, "pcrs"), "sha384")) == 16);
    /* sha256 of "public", by sha256sum */
    CHECK(view_is(json_text(json_get(root, "preimage")),
                  "{\"nonce\":\"010203\",\"register\":{\"kept_by\":\"monitor\",\"sha384\":\"" VALUE "\"},"
                  "\"tpm\":{\"ak_public\":\"sha256:efa1f375d76194fa51a3556a97e641e61685f914d446979da50a551a4333ffd7\"}}"));
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
    const json *root;
    fresh();
    uint8_t *bytes = arena_alloc(&arena, EVIDENCE_MAX), *any = arena_alloc(&arena, EVENTLOG_MAX + FIRMWARE_LOG_MAX);
    tpm.eventlog = ev.eventlog = view_of(any, EVENTLOG_MAX);
    tpm.firmware_log = ev.firmware_log = view_of(any, FIRMWARE_LOG_MAX);
    tpm.quote = view_of(any, 1024);
    tpm.signature = tpm.ak_public = view_of(any, 512);
    tpm.ek_certificate = view_of(any, EK_CERTIFICATE_MAX);
    tpm.bank_count = 3;
    tpm.banks[2].alg = HASH_SHA512;
    ev.tee = VIEW("snp");
    ev.report = view_of(any, REPORT_MAX);
    ev.certificates = view_of(any, CERTIFICATES_MAX);
    ev.report_data = ev.nonce = view_of(any, 64);
    ev.image = view_of(memset(arena_alloc(&arena, 2048), 'x', 2048), 2048);
    ev.preimage = view_of(memset(arena_alloc(&arena, EVIDENCE_PREIMAGE_MAX), '"', EVIDENCE_PREIMAGE_MAX), EVIDENCE_PREIMAGE_MAX);
    struct writer preimage = writer_of(arena_alloc(&arena, EVIDENCE_PREIMAGE_MAX), EVIDENCE_PREIMAGE_MAX), w = writer_of(bytes, EVIDENCE_MAX);
    evidence_preimage(&ev, &preimage);
    CHECK(!preimage.full);
    evidence_write(&ev, &w);
    CHECK(!w.full && json_parse(writer_view(&w), &arena, &root, &err));
    struct writer small = writer_of(bytes, w.n - 1);
    evidence_write(&ev, &small);
    CHECK(small.full);
}
