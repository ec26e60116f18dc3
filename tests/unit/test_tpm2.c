/* tpm2: commands byte for byte as swtpm took them, its answers, quotes by tpm2-tools, and all of them broken. */
#include "lib.h"
#include "base/codec.h"
#include "tee/tpm2.h"

static bool same(struct writer *w, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "tee/%s.command.bin", name);
    return !w->full && view_eq(writer_view(w), vector(path));
}

TEST(commands) {
    uint8_t bytes[TPM2_COMMAND_MAX];
    struct writer w;
    struct tpm2_selection one = {HASH_SHA256, 1u << 15}, eight = {HASH_SHA384, 0xff00};
    fresh();
#define COMMAND(call, name) (w = writer_of(bytes, sizeof bytes), call, CHECK(same(&w, name)))
    COMMAND(tpm2_get_pcr_banks(&w), "get_capability");
    COMMAND(tpm2_pcr_read(&one, &w), "pcr_read");
    COMMAND(tpm2_pcr_read(&eight, &w), "pcr_read_8");
    COMMAND(tpm2_create_ak(&w), "create_primary");
    COMMAND(tpm2_flush(0x80000000, &w), "flush_context");

    struct tpm2_selection all[] = {{HASH_SHA256, 0xffff}, {HASH_SHA384, 0xffff}};
    struct view activate = vector("tee/activate_credential.command.bin");
    COMMAND(tpm2_create_ek(true, &w), "create_ek");
    COMMAND(tpm2_start_policy(&w), "start_auth_session");
    COMMAND(tpm2_policy_endorsement(0x03000000, &w), "policy_secret");
    size_t blob = (size_t)activate.p[40] << 8 | activate.p[41]; /* two handles, and two sessions of 9 bytes before it */
    COMMAND(tpm2_activate(0x80000000, 0x80000001, 0x03000000, view_of(activate.p + 42, blob), view_skip(activate, 44 + blob), &w), "activate_credential");
    COMMAND(tpm2_nv_read_public(TPM2_NV_EK_ECC, &w), "nv_read_public");
    COMMAND(tpm2_nv_read(TPM2_NV_EK_ECC, 512, 0, &w), "nv_read");
    COMMAND(tpm2_read_public(0x81010002, &w), "read_public");

    struct view quote = vector("tee/quote.command.bin");
    COMMAND(tpm2_quote(0x80000000, view_of(quote.p + 29, 32), all, 2, &w), "quote");

    struct view extend = vector("tee/pcr_extend.command.bin");
    struct register_bank digests[] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}};
    memcpy(digests[0].value, extend.p + 33, 32);
    memcpy(digests[1].value, extend.p + 67, 48);
    COMMAND(tpm2_pcr_extend(15, digests, 2, &w), "pcr_extend");

    struct writer small = writer_of(bytes, 30);
    tpm2_create_ak(&small);
    CHECK(small.full);
}

/* ---- answers; each: what must hold of the good one, then every cut and every flipped bit ---- */

static bool banks(struct view v) {
    struct tpm2_selection s[BANKS_MAX];
    size_t n = 9;
    bool ok = tpm2_parse_banks(v, s, BANKS_MAX, &n, &err);
    CHECK(ok ? n <= BANKS_MAX : n == 9 && err.kind != ERR_NONE);
    return ok;
}

static bool pcrs(struct view v) {
    struct tpm2_selection want = {HASH_SHA384, 0xff00};
    uint8_t values[TPM2_READ_MAX][HASH_MAX];
    return tpm2_parse_pcrs(v, &want, values, &err);
}

static bool ak(struct view v) {
    uint32_t handle;
    struct view public;
    uint8_t point[65];
    return tpm2_parse_ak(v, &handle, &public, point, &err);
}

static bool quote(struct view v) {
    struct view attest, signature;
    struct tpm2_attest a;
    return tpm2_parse_quote(v, &attest, &signature, &err) && tpm2_attest_parse(attest, &a, &err);
}

static bool attest(struct view v) {
    struct tpm2_attest a;
    return tpm2_attest_parse(v, &a, &err);
}

static bool extended(struct view v) { return tpm2_parse_done("TPM2_PCR_Extend", v, true, &err); }
static bool flushed(struct view v) { return tpm2_parse_done("TPM2_FlushContext", v, false, &err); }

TEST(answers_banks) {
    struct tpm2_selection s[8];
    size_t n;
    fresh();
    struct view v = vector("tee/get_capability.response.bin");
    CHECK(tpm2_parse_banks(v, s, 8, &n, &err));
    CHECK_EQ(n, 3); /* and SHA-1, which we do not know */
    CHECK(s[0].bank == HASH_SHA256 && s[0].pcrs == 0xffffff && s[2].bank == HASH_SHA512);
    CHECK(tpm2_parse_banks(v, s, 1, &n, &err) && n == 1);
    broken(v, v.n, banks);
}

TEST(answers_pcrs) {
    struct tpm2_selection want = {HASH_SHA384, 0xff00};
    uint8_t values[TPM2_READ_MAX][HASH_MAX], zeros[48] = {0};
    fresh();
    struct view v = vector("tee/pcr_read_8.response.bin");
    CHECK(tpm2_parse_pcrs(v, &want, values, &err));
    CHECK(memcmp(values[0], zeros, 48) == 0 && memcmp(values[7], zeros, 48) != 0); /* PCR 15 had been extended */
    want.pcrs = 0xfe00;
    CHECK(!tpm2_parse_pcrs(v, &want, values, &err));
    want = (struct tpm2_selection){HASH_SHA256, 0xff00};
    CHECK(!tpm2_parse_pcrs(v, &want, values, &err));
    broken(v, v.n, pcrs);
}

TEST(answers_ak) {
    uint32_t handle;
    struct view public;
    uint8_t point[65];
    fresh();
    struct view v = vector("tee/create_primary.response.bin");
    CHECK(tpm2_parse_ak(v, &handle, &public, point, &err));
    CHECK_EQ(handle, 0x80000000);
    CHECK_EQ(public.n, 88);
    CHECK(point[0] == 4 && memcmp(point + 1, public.p + 22, 32) == 0 && memcmp(point + 33, public.p + 56, 32) == 0);
    broken(v, v.n, ak);

    uint8_t copy[400]; /* an unrestricted key could sign made-up quotes */
    memcpy(copy, v.p, v.n);
    copy[20 + 5] &= (uint8_t)~1; /* header, handle, parameterSize, size: attributes at 4..7 of TPMT_PUBLIC */
    CHECK(!ak(view_of(copy, v.n)));
}

TEST(answers_ak_short_coordinates) {
    uint8_t copy[400], point[65];
    uint32_t handle;
    struct view public;
    fresh();
    struct view v = vector("tee/create_primary.response.bin");
    size_t x = 20 + 20; /* where the size of x stands */
    memcpy(copy, v.p, x);
    memcpy(copy + x + 2, v.p + x + 3, v.n - x - 3); /* x without its first byte */
    copy[x] = 0;
    copy[x + 1] = 31;
    copy[5]--;
    copy[4] = (uint8_t)((v.n - 1) >> 8);
    copy[5] = (uint8_t)(v.n - 1);
    copy[17]--; /* parameterSize: 312 - 19 - 4 > 256, no borrow */
    copy[19]--;
    CHECK(tpm2_parse_ak(view_of(copy, v.n - 1), &handle, &public, point, &err));
    CHECK(point[1] == 0 && memcmp(point + 2, v.p + x + 3, 31) == 0);
}

TEST(answers_quote) {
    struct view message, signature, command;
    struct tpm2_attest a;
    fresh();
    struct view v = vector("tee/quote.response.bin");
    CHECK(tpm2_parse_quote(v, &message, &signature, &err));
    CHECK_EQ(signature.n, 72);
    CHECK(tpm2_attest_parse(message, &a, &err));
    command = vector("tee/quote.command.bin");
    CHECK(view_eq(a.nonce, view_of(command.p + 29, 32)));
    CHECK(a.selection_count == 2 && a.selections[1].bank == HASH_SHA384 && a.selections[1].pcrs == 0xffff);
    CHECK_EQ(a.pcr_digest.n, 32);
    broken(v, v.n, quote);
}

TEST(answers_others) {
    fresh();
    struct view v = vector("tee/pcr_extend.response.bin");
    broken(v, v.n, extended);
    CHECK(!flushed(v)); /* an answer with a session where none was asked */
    v = vector("tee/flush_context.response.bin");
    broken(v, v.n, flushed);
    CHECK(!extended(v));
}

static bool created(struct view v) {
    uint32_t handle;
    struct view public;
    return tpm2_parse_created(v, &handle, &public, &err);
}
static bool session(struct view v) { return tpm2_parse_session(v, &(uint32_t){0}, &err); }
static bool policy_secret(struct view v) { return tpm2_parse_policy_secret(v, &err); }
static bool activated(struct view v) { return tpm2_parse_activated(v, &(struct view){0}, &err); }
static bool nv_public(struct view v) { return tpm2_parse_nv_public(v, &(uint16_t){0}, &err); }
static bool nv(struct view v) { return tpm2_parse_nv(v, &(struct view){0}, &err); }

TEST(answers_to_activation) {
    uint32_t handle;
    struct view bytes, v;
    uint16_t size;
    fresh();
    CHECK(tpm2_parse_created(v = vector("tee/create_ek.response.bin"), &handle, &bytes, &err) && handle == 0x80000001);
    CHECK_EQ(bytes.n, 122); /* TPMT_PUBLIC with a policy */
    broken(v, v.n, created);
    CHECK(!ak(v)); /* an EK is no AK */
    CHECK(tpm2_parse_session(v = vector("tee/start_auth_session.response.bin"), &handle, &err) && handle == 0x03000000);
    broken(v, v.n, session);
    CHECK(policy_secret(v = vector("tee/policy_secret.response.bin")));
    broken(v, v.n, policy_secret);
    CHECK(tpm2_parse_activated(v = vector("tee/activate_credential.response.bin"), &bytes, &err) && view_is(bytes, "only for this AK in this TPM"));
    broken(v, v.n, activated);
    CHECK(!nv(v)); /* two sessions where one was asked */
    CHECK(tpm2_parse_nv_public(v = vector("tee/nv_read_public.response.bin"), &size, &err) && size == 900);
    broken(v, v.n, nv_public);
    CHECK(tpm2_parse_nv(v = vector("tee/nv_read.response.bin"), &bytes, &err) && bytes.n == 512 && bytes.p[1] == 7);
    broken(v, v.n, nv);
    CHECK(!activated(v));
}

static bool rsa(struct view v) { return tpm2_parse_rsa(v, &(struct view){0}, &err); }

/* Trustee's AK, as tpm2_createak makes it, and keys of other kinds. */
TEST(rsa_keys) {
    struct view n, v;
    fresh();
    CHECK(tpm2_parse_rsa(v = vector("tee/read_public.response.bin"), &n, &err) && n.n == 256 && n.p == v.p + 36);
    broken(v, v.n, rsa);
    static const struct {
        size_t at;
        uint8_t is;
        const char *why;
    } changes[] = {{13, 0x23, "the key is of type 0x23"}, {23, 0x06, "scheme 0x0"}, {25, 0x16, "scheme 0x16"}, {27, 0x0c, "not RSA with RSASSA and SHA-256"},
                   {28, 0x0c, "an RSA key of 3072 bits"}, {33, 3, "exponent 3"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t copy[400];
        memcpy(copy, v.p, v.n);
        copy[changes[i].at] = changes[i].is;
        CHECK(!rsa(view_of(copy, v.n)));
        CHECK_ERR(changes[i].why);
    }
}

TEST(attests) {
    static const char *const bad[] = {"count-huge", "magic", "trailing", "truncated", "type-certify"};
    struct tpm2_attest a;
    uint8_t nonce[32], digest[32];
    fresh();
    struct view v = vector("tee/swtpm-ecc_p256-sha256.attest.bin");
    CHECK(tpm2_attest_parse(v, &a, &err));
    CHECK(hex_decode(VIEW("11b31e6420e1e3cafee318138c548633e85a54ce63f9b49d09cd5f0c8518ce59"), nonce, 32));
    CHECK(hex_decode(VIEW("3fa573edc79dc7430ebaf8dc226b76d4406081b33912c020f07a479435f61cec"), digest, 32));
    CHECK(view_eq(a.nonce, view_of(nonce, 32)) && view_eq(a.pcr_digest, view_of(digest, 32)));
    CHECK(a.selection_count == 1 && a.selections[0].bank == HASH_SHA256 && a.selections[0].pcrs == 0x4a91);
    broken(v, v.n, attest);
    CHECK(tpm2_attest_parse(vector("tee/swtpm-ecc_p256-sha384.attest.bin"), &a, &err));
    CHECK(a.selections[0].bank == HASH_SHA384 && a.selections[0].pcrs == 0xff);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "tee/neg-%s.attest.bin", bad[i]);
        CHECK(!tpm2_attest_parse(vector(path), &a, &err));
    }
}

static struct view refusal(uint8_t out[10], uint32_t code) {
    struct writer w = writer_of(out, 10);
    write_be16(&w, 0x8001);
    write_be32(&w, 10);
    write_be32(&w, code);
    return writer_view(&w);
}

TEST(response_codes) {
    uint8_t bytes[10];
    fresh();
    CHECK(tpm2_again(refusal(bytes, 0x922)) && tpm2_again(refusal(bytes, 0x908)) && tpm2_again(refusal(bytes, 0x90a)));
    CHECK(!tpm2_again(refusal(bytes, 0)) && !tpm2_again(refusal(bytes, 0x921)) && !tpm2_again(view_of(bytes, 9)));
    CHECK_STR(tpm2_rc_name(0x1c4), "TPM_RC_VALUE"); /* parameter 1 */
    CHECK_STR(tpm2_rc_name(0x9a2), "TPM_RC_BAD_AUTH"); /* session 1 */
    CHECK_STR(tpm2_rc_name(0x085), "TPM_RC_HIERARCHY");
    CHECK_STR(tpm2_rc_name(0x921), "TPM_RC_LOCKOUT");
    CHECK_STR(tpm2_rc_name(0x101), "TPM_RC_FAILURE");
    CHECK_STR(tpm2_rc_name(0xfff), "unknown");
    CHECK(!extended(refusal(bytes, 0x1c4)) && err.kind == ERR_SYSTEM);
    CHECK_ERR("TPM2_PCR_Extend: the TPM says TPM_RC_VALUE (0x1c4)");
}
