// tpm: quotes of real and emulated TPMs, and quotes of a private TPM of every kind that must be refused.
#include "appraise.h"

#include "base/writer.h"
#include "crypto/hash.h"
#include "tools/appraise/tpm.h"
#include "tools/appraise/tpm_quote.h"

static bool verdict(struct view quote)
{
    memset(&ap.checks, 0, sizeof ap.checks), result_members_begin(&ap.fields);
    return verdict_of(tpm_verify, quote);
}

static struct view part(const char *name, const char *what)
{
    char path[128];
    snprintf(path, sizeof path, "tpm/%s.%s", name, what);
    return vector(path);
}

static void allow_all(bool attributes)
{
    allow.items[allow.count++] = "ak-certificate";
    if (attributes)
        allow.items[allow.count++] = "ak-attributes";
}

// ---- recorded ----

TEST(azure)
{
    static const char *const names[] = {"az-snp-q1", "az-snp-ev1", "az-tdx-ev1"};
    for (size_t i = 0; i < 3; i++) {
        fresh();
        begin(NOW);
        struct view quote = part(names[i], "attest.bin");
        ap.signature = part(names[i], "sig.bin"), ap.ak = part(names[i], "ak.spki.der"), ap.pcrs = part(names[i], "pcrs.json"), ap.nonce = VIEW("challenge");
        CHECK(!verdict(quote));
        STATE("ak-attributes", CHECK_MISSING, "a key alone");
        STATE("ak-certificate", CHECK_MISSING, "no certificate of this AK");
        STATE("quote-signature", CHECK_GOOD, "RSASSA with sha256 (bare bytes)");
        STATE("pcr-digest", CHECK_GOOD, "");
        allow_all(true);
        CHECK(verdict(quote));
        ap.ak = part(names[i], "hcl.bin");
        CHECK(verdict(quote));
        STATE("hcl-report", CHECK_GOOD, i == 2 ? "verify-quote tdx" : "verify-quote snp");
        ap.ak = part(names[(i + 1) % 3], "hcl.bin"); // another machine's
        CHECK(!verdict(quote));
        STATE("quote-signature", CHECK_BAD, "not by this AK");
        ap.ak = part(names[i], "hcl.bin");
        ((uint8_t *)ap.ak.p)[32 + 0x50] ^= 1, ((uint8_t *)ap.ak.p)[32 + 128] ^= 1; // REPORT_DATA of either
        CHECK(!verdict(quote));
        STATE("hcl-report", CHECK_BAD, "not SHA-256");
    }
}

TEST(google)
{
    static const char *const names[] = {"gce-cos85-nonce9009-sha256", "gce-cos85-nonce9009-sha384", "gce-cos85-nonce9009-sha1"};
    for (size_t i = 0; i < 3; i++) {
        fresh();
        begin(NOW);
        struct view quote = part(names[i], "attest.bin");
        add("tpm/gce-cos85-nonce9009.akcert.der"), add("tpm/gce-ca-intermediate2.der"), add("tpm/gce-ca-root1.der");
        ap.signature = part(names[i], "sig.bin"), ap.ak = vector("tpm/gce-cos85-nonce9009.ak.tpmtpublic.bin"), ap.pcrs = part(names[i], "pcrs.json");
        ap.nonce = view_of("\x90\x09", 2);
        CHECK(!verdict(quote));
        STATE("ak-certificate", CHECK_MISSING, "no root of the TPM's maker");
        CHECK(anchors_add_file(&ap.trust, vector("tpm/gce-ca-root1.der"), "root", &arena, &err));
        CHECK_EQ(verdict(quote), i < 2);
        STATE("ak-certificate", CHECK_GOOD, "3 certificates up to root");
        STATE("ak-crl", CHECK_MISSING, "");
        STATE("pcr-digest", CHECK_GOOD, "sha256"); // in each bank
        STATE("pcr-bank", i < 2 ? CHECK_GOOD : CHECK_BAD, "");
        ap.at = moment("2051-08-24T23:16:06Z");
        CHECK(!verdict(quote));
        STATE("ak-certificate", CHECK_BAD, "expired");
        // sister banks do not stand for each other
        ap.at = NOW, ap.pcrs = part(names[(i + 1) % 3], "pcrs.json");
        CHECK(!verdict(quote));
        STATE("pcr-digest", CHECK_BAD, "for which no value is given");
        ap.pcrs = part(names[i], "pcrs.json"), ap.signature = part(names[(i + 1) % 3], "sig.bin");
        CHECK(!verdict(quote));
        STATE("quote-signature", CHECK_BAD, "not by this AK");
    }
}

static const char *const emulated[] = {"rsa2048-sha256", "rsa2048-sha384", "rsa2048pss-sha256", "rsa2048pss-sha384",
                                       "ecc_p256-sha256", "ecc_p256-sha384", "ecc_p384-sha256", "ecc_p384-sha384"};
#define EMULATED (sizeof emulated / sizeof *emulated)

static void swtpm(size_t i)
{
    char key[64];
    snprintf(key, sizeof key, "swtpm/swtpm-%.*s", (int)strcspn(emulated[i], "-"), emulated[i]);
    ap.ak = part(key, "ak.tpm2bpublic.bin"), ap.pcrs = vector("tpm/swtpm/pcrs.json");
    snprintf(key, sizeof key, "swtpm/swtpm-%s", emulated[i]);
    ap.signature = part(key, "sig.bin");
}

static struct view swtpm_quote(size_t i)
{
    char name[64];
    snprintf(name, sizeof name, "swtpm/swtpm-%s", emulated[i]);
    return part(name, "attest.bin");
}

TEST(swtpm)
{
    for (size_t i = 0; i < EMULATED; i++)
        for (size_t k = 0; k < EMULATED; k++) {
            fresh();
            begin(NOW);
            swtpm(k);
            allow_all(false);
            bool ok = verdict(swtpm_quote(i));
            if (ok != (i == k))
                check_fail("%s with the signature of %s: %d %s", emulated[i], emulated[k], ok, err.text);
            STATE("quote-signature", i == k ? CHECK_GOOD : CHECK_BAD, "");
            STATE("ak-attributes", CHECK_GOOD, "");
            if (i == k)
                STATE("pcr-digest", CHECK_GOOD, "");
            STATE("unquoted-pcrs", CHECK_MISSING, "values are not under the quote:");
        }
    static const struct {
        const char *name, *why;
    } bad[] = {{"magic", "magic ff544348"}, {"type-certify", "type 8017"}, {"truncated", "cut at"}, {"trailing", "2 bytes follow it"}, {"count-huge", "4294967295 banks"}};
    char path[64];
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "tpm/swtpm/neg-%s.attest.bin", bad[i].name);
        CHECK(!verdict(vector(path)));
        STATE("quote-format", CHECK_BAD, bad[i].why);
        CHECK_EQ(ap.checks.count, 1);
    }
}

// ---- a private TPM ----

static struct {
    uint32_t magic, attributes, pcrs, count;
    uint16_t type, bank, bank2, key_scheme, key_hash, sig_scheme, sig_hash, curve;
    uint8_t select_size, safe, digest_flip;
    const char *nonce, *certs; // certs: a for the AK's, e for the EK's
    bool sign_other, other_root, ca_leaf, revoked, short_rs, bank_hash, no_root, tail, tail_key, expired;
    const char *pcr_json;
} w;
static EVP_PKEY *ak, *other, *root_key;

static void good(void)
{
    memset(&w, 0, sizeof w);
    w.magic = 0xff544347, w.type = 0x8018, w.attributes = 0x50072, w.pcrs = 0x8011, w.count = 1, w.bank = 0x0b, w.select_size = 3;
    w.key_scheme = w.sig_scheme = 0x18, w.key_hash = w.sig_hash = 0x0b, w.curve = 3, w.nonce = "nonce", w.certs = "a", w.safe = 1;
    w.pcr_json = "{'sha256':{'0':'" "1111111111111111111111111111111111111111111111111111111111111111" "','4':'" "2222222222222222222222222222222222222222222222222222222222222222"
                 "','15':'" "3333333333333333333333333333333333333333333333333333333333333333" "'}}";
}

static void write_2b(struct writer *out, struct view v)
{
    write_be16(out, (uint16_t)v.n), write_bytes(out, v);
}

static struct view made_quote;

static bool made(void)
{
    uint8_t *buf = arena_alloc(fresh(), 4096), r_s[64], point[65], digest[32];
    struct hash h;
    size_t n;
    if (!ak)
        ak = forge_key(false), other = forge_key(false), root_key = forge_key(false);
    begin(NOW);
    hash_init(&h, w.bank_hash ? HASH_SHA384 : HASH_SHA256);
    for (int i = 1; i < 4; i++)
        for (int k = 0; k < 32; k++)
            hash_update(&h, view_of(&(uint8_t){(uint8_t)(0x11 * i)}, 1));
    uint8_t full[64];
    hash_final(&h, full), memcpy(digest, full, 32);
    digest[0] ^= w.digest_flip;
    struct writer q = writer_of(buf, 1024);
    write_be32(&q, w.magic), write_be16(&q, w.type), write_2b(&q, VIEW("\0\x0b" "name of a name, of 32 bytes......"));
    write_2b(&q, view_str(w.nonce)), write_be64(&q, 1), write_be32(&q, 2), write_be32(&q, 3), write_u8(&q, w.safe), write_be64(&q, 4);
    write_be32(&q, w.count);
    for (uint32_t i = 0; i < w.count && i < 20; i++) {
        write_be16(&q, i && w.bank2 ? w.bank2 : i > 1 ? (uint16_t)(w.bank + i) : w.bank), write_u8(&q, w.select_size);
        for (unsigned k = 0; k < w.select_size; k++)
            write_u8(&q, i ? 0 : k > 3 ? 0 : (uint8_t)(w.pcrs >> 8 * k));
    }
    write_2b(&q, view_of(digest, 32));
    if (w.tail)
        write_u8(&q, 0);
    made_quote = writer_view(&q);

    // a signature whose r or s is short, if one is wanted
    do
        forge_sign(w.sign_other ? other : ak, made_quote, r_s);
    while (w.short_rs && r_s[0] && r_s[32]);
    size_t r0 = r_s[0] ? 0 : 1, s0 = r_s[32] ? 0 : 1;
    struct writer s = writer_of(buf + 1024, 512);
    write_be16(&s, w.sig_scheme), write_be16(&s, w.sig_hash), write_2b(&s, view_of(r_s + r0, 32 - r0)), write_2b(&s, view_of(r_s + 32 + s0, 32 - s0));
    ap.signature = writer_view(&s);

    CHECK(EVP_PKEY_get_octet_string_param(ak, "pub", point, sizeof point, &n) == 1 && n == 65);
    struct writer k = writer_of(buf + 1536, 512);
    write_be16(&k, 0x23), write_be16(&k, 0x0b), write_be32(&k, w.attributes), write_be16(&k, 0), write_be16(&k, 0x10), write_be16(&k, w.key_scheme);
    if (w.key_scheme != 0x10)
        write_be16(&k, w.key_hash);
    write_be16(&k, w.curve), write_be16(&k, 0x10), write_2b(&k, view_of(point + 1, 32)), write_2b(&k, view_of(point + 33, 32));
    if (w.tail_key)
        write_u8(&k, 0);
    ap.ak = writer_view(&k);
    ap.pcrs = quoted(w.pcr_json), ap.nonce = view_str("nonce");

    static const struct forge_oid ek[] = {{"2.5.29.37", "\x30\x07\x06\x05\x67\x81\x05\x08\x01", 9}, {0}};
    struct ca_wish root = {.name = "TPM maker", .ca = true, .path = -1, .version = 2, .from = -DAY, .to = DAY}, leaf = root;
    leaf.name = "a TPM", leaf.ca = w.ca_leaf, leaf.to = w.expired ? -1 : DAY, leaf.no_key_usage = true;
    EVP_PKEY *by = w.other_root ? other : root_key;
    struct view maker = forge_certificate(&root, 1, by, root.name, by), trusted = forge_certificate(&root, 1, root_key, root.name, root_key);
    CHECK(collateral_add(&given, maker, &arena, &err));
    if (strchr(w.certs, 'a'))
        CHECK(collateral_add(&given, forge_certificate(&leaf, 7, ak, root.name, by), &arena, &err));
    leaf.more = ek;
    if (strchr(w.certs, 'e'))
        CHECK(collateral_add(&given, forge_certificate(&leaf, 8, other, root.name, by), &arena, &err));
    if (w.revoked)
        CHECK(collateral_add(&given, forge_crl(root.name, by, -DAY, DAY, (long[]){7}, 1, false), &arena, &err));
    if (!w.no_root)
        CHECK(anchors_add_file(&ap.trust, trusted, "maker.der", &arena, &err));
    return verdict(made_quote);
}

#define ACCEPTED(bend)                                                                                                           \
    do {                                                                                                                         \
        good();                                                                                                                  \
        bend;                                                                                                                    \
        if (!made())                                                                                                             \
            check_fail("line %d: %s", __LINE__, err.text);                                                                       \
    } while (0)
#define NOT_GOOD(bend, state, name, part)                                                                                        \
    do {                                                                                                                         \
        good();                                                                                                                  \
        bend;                                                                                                                    \
        if (made())                                                                                                              \
            check_fail("line %d: accepted", __LINE__);                                                                           \
        STATE(name, state, part);                                                                                                \
    } while (0)
#define REFUSED(bend, name, part) NOT_GOOD(bend, CHECK_BAD, name, part)

TEST(good_under_a_private_root)
{
    ACCEPTED((void)0);
    CHECK(!checks_find(&ap.checks, "unquoted-pcrs"));
    STATE("qualifying-data", CHECK_GOOD, "the nonce of 5 bytes");
    ACCEPTED(w.short_rs = true);
    ACCEPTED(w.key_scheme = 0x10); // any scheme
    ACCEPTED(w.attributes = 0x50472);
    ACCEPTED((w.count = 2, w.bank2 = 0x0c)); // a bank without PCRs beside it
    ACCEPTED(w.certs = "ae");
    STATE("ek-certificate", CHECK_GOOD, "up to maker.der");
}

TEST(quote_is_bent)
{
    REFUSED(w.magic ^= 1, "quote-format", "not TPM_GENERATED_VALUE");
    REFUSED(w.type = 0x8014, "quote-format", "type 8014");
    REFUSED(w.tail = true, "quote-format", "1 bytes follow it");
    REFUSED(w.safe = 2, "quote-format", "clockInfo.safe is 2");
    REFUSED(w.count = 17, "quote-format", "17 banks");
    REFUSED((w.count = 2, w.bank2 = 0x0b), "quote-format", "there twice");
    REFUSED((w.select_size = 4, w.pcrs |= 1u << 24), "quote-format", "a PCR above 23");
    ACCEPTED(w.select_size = 4);
    REFUSED(w.nonce = "nonc", "qualifying-data", "4 bytes, the nonce 5");
    REFUSED(w.nonce = "nonce\x01", "qualifying-data", "6 bytes");
    REFUSED(w.nonce = "", "qualifying-data", "0 bytes");
    REFUSED(w.nonce = "Nonce", "qualifying-data", "not the nonce");
    REFUSED(w.pcrs = 0, "pcr-selection", "no PCR at all");
    REFUSED(w.count = 0, "pcr-selection", "no PCR at all");
    REFUSED(w.bank = 0x04, "pcr-bank", "SHA-1");
    REFUSED(w.bank = 0x12, "pcr-digest", "bank 0012 is not known");
    REFUSED(w.digest_flip = 1, "pcr-digest", "not sha256 of the values");
    REFUSED(w.bank_hash = true, "pcr-digest", "not sha256 of the values");
    REFUSED(w.pcrs = 0x8010, "pcr-digest", "not sha256"); // PCR 0 given, not quoted
    STATE("unquoted-pcrs", CHECK_MISSING, "1 values are not under the quote: sha256:0");
    REFUSED(w.pcrs = 0x8013, "pcr-digest", "PCR 1 of bank sha256, for which no value");
    REFUSED(w.pcr_json = "{'sha256':{'0':'11','4':'22','15':'33'}}", "pcr-digest", "not 32 bytes");
    REFUSED(w.pcr_json = "{'sha256':", "quote-format", "PCR values");
    REFUSED(w.sign_other = true, "quote-signature", "not by this AK");
    REFUSED(w.sig_scheme = 0x14, "quote-signature", "cut, or bytes follow");
    REFUSED(w.sig_scheme = 0x1a, "quote-signature", "scheme 001a");
    REFUSED(w.sig_hash = 0x04, "quote-signature", "hash 0004");
    REFUSED(w.sig_hash = 0x0c, "quote-signature", "the AK's is 0018 with 000b");
    REFUSED((w.sig_hash = 0x0c, w.key_scheme = 0x10), "quote-signature", "not by this AK");
    // values that are not under the quote count for nothing
    ACCEPTED((void)0);
    ap.pcrs = quoted("{'sha256':{'0':'1111111111111111111111111111111111111111111111111111111111111111','4':'2222222222222222222222222222222222222222222222222222222222222222',"
                     "'15':'3333333333333333333333333333333333333333333333333333333333333333','016':'aa'},'md5':{'0':'aa'}}");
    CHECK(verdict(made_quote));
    STATE("unquoted-pcrs", CHECK_MISSING, "2 values are not under the quote: sha256:016 md5:0");
    // what was not given
    ap.pcrs.n = 0;
    CHECK(!verdict(made_quote));
    STATE("pcr-digest", CHECK_MISSING, "--pcrs");
    ACCEPTED((void)0);
    ap.signature.n = 0;
    CHECK(!verdict(made_quote));
    STATE("quote-signature", CHECK_BAD, "--signature");
    ap.ak.n = 0;
    CHECK(!verdict(made_quote));
    STATE("ak-public", CHECK_MISSING, "--ak");
}

TEST(ak_is_bent)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } bits[] = {{1 << 16, "not restricted"}, {1 << 18, "not sign"}, {1 << 1, "not fixedTPM"}, {1 << 4, "not fixedParent"}, {1 << 5, "not sensitiveDataOrigin"}, {1 << 17, " decrypt"}};
    for (size_t i = 0; i < 6; i++)
        REFUSED(w.attributes ^= bits[i].bit, "ak-attributes", bits[i].name);
    REFUSED(w.curve = 4, "ak-public", "no TPMT_PUBLIC");
    REFUSED(w.tail_key = true, "ak-public", "no TPMT_PUBLIC");
    NOT_GOOD(w.certs = "", CHECK_MISSING, "ak-certificate", "nothing says whose key");
    NOT_GOOD(w.certs = "e", CHECK_MISSING, "ak-certificate", "TPM2_ActivateCredential");
    STATE("ek-certificate", CHECK_GOOD, "");
    NOT_GOOD(w.no_root = true, CHECK_MISSING, "ak-certificate", "--trust");
    REFUSED(w.other_root = true, "ak-certificate", "which is not the key of maker.der");
    REFUSED((w.other_root = true, w.certs = "e"), "ek-certificate", "which is not the key of maker.der");
    REFUSED(w.ca_leaf = true, "ak-certificate", "is a CA");
    REFUSED(w.expired = true, "ak-certificate", "expired");
    REFUSED(w.revoked = true, "ak-crl", "is revoked");
}

TEST(keys_of_every_form)
{
    struct tpm_key k;
    static const char *const names[] = {"swtpm/swtpm-rsa2048", "swtpm/swtpm-rsa2048pss", "swtpm/swtpm-ecc_p256", "swtpm/swtpm-ecc_p384"};
    for (size_t i = 0; i < 4; i++) {
        fresh();
        struct view sized = part(names[i], "ak.tpm2bpublic.bin"), spki = part(names[i], "ak.spki.der");
        struct tpm_key plain, alone;
        CHECK(tpm_key_parse(sized, &arena, &k, &err) && tpm_key_parse(view_skip(sized, 2), &arena, &plain, &err) && tpm_key_parse(spki, &arena, &alone, &err));
        CHECK(EVP_PKEY_eq(k.key, plain.key) == 1 && EVP_PKEY_eq(k.key, alone.key) == 1 && k.public_area.n == sized.n - 2 && !alone.public_area.n);
        EVP_PKEY_free(k.key), EVP_PKEY_free(plain.key), EVP_PKEY_free(alone.key);
        uint8_t text[2048];
        struct writer out = writer_of(text, sizeof text);
        write_text(&out, "-----BEGIN PUBLIC KEY-----\n"), write_base64(&out, spki), write_text(&out, "\n-----END PUBLIC KEY-----\n");
        CHECK(tpm_key_parse(writer_view(&out), &arena, &k, &err));
        EVP_PKEY_free(k.key);
        out.n = 0;
        write_text(&out, "-----BEGIN CERTIFICATE-----\n"), write_base64(&out, spki), write_text(&out, "\n-----END CERTIFICATE-----\n");
        CHECK(!tpm_key_parse(writer_view(&out), &arena, &k, &err));
        for (size_t n = 0; n < sized.n; n++)
            CHECK(!tpm_key_parse(view_first(sized, n), &arena, &k, &err));
    }
}

// ---- broken sisters ----

static bool accepts(struct view v)
{
    return verdict(v);
}

static struct view whole_quote;

static bool accepts_signature(struct view v)
{
    ap.signature = v;
    return verdict(whole_quote);
}

TEST(cut_and_flipped)
{
    for (size_t i = 0; i < EMULATED; i += 2) {
        fresh();
        begin(NOW);
        swtpm(i);
        allow_all(false);
        whole_quote = swtpm_quote(i);
        CHECK(accepts(whole_quote));
        CHECK_EQ(broken(whole_quote, whole_quote.n, accepts), 0);
        CHECK_EQ(broken(ap.signature, ap.signature.n, accepts_signature), 0);
    }
}

TEST(evidence)
{
    fresh();
    begin(NOW);
    swtpm(4);
    allow_all(false);
    uint8_t *text = arena_alloc(&arena, 65536);
    struct writer out = writer_of(text, 65536);
    struct view quote = swtpm_quote(4);
    write_text(&out, "{\"tee\":\"tpm\",\"quote\":\""), write_base64(&out, quote);
    write_text(&out, "\",\"signature\":\""), write_base64(&out, ap.signature);
    write_text(&out, "\",\"ak_public\":\""), write_base64(&out, view_skip(ap.ak, 2));
    write_text(&out, "\",\"pcrs\":"), write_bytes(&out, view_trim(ap.pcrs)), write_text(&out, "}\n");
    ap.signature = ap.ak = ap.pcrs = (struct view){0};
    CHECK(verdict(writer_view(&out)));
    STATE("pcr-digest", CHECK_GOOD, "");
    static const char *const bad[] = {"{}", "{\"tee\":\"tdx\"}", "{\"tee\":\"tpm\"}", "{\"tee\":\"tpm\",\"pcrs\":{},\"quote\":\"?\"}", "{\"tee\":\"tpm\",\"pcrs\":{},\"quote\":\"\",\"signature\":\"\"}", "{"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!verdict(view_str(bad[i])));
        STATE("quote-format", CHECK_BAD, "");
    }
    collateral_drop(&given);
    EVP_PKEY_free(ak), EVP_PKEY_free(other), EVP_PKEY_free(root_key);
}
