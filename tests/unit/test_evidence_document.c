// evidence: documents that machines gave (a vTPM's, and one of the SIMULATED SNP), and every way to spoil one.
#include "lib.h"

#include "tools/appraise/evidence.h"

#include <ctype.h>

static struct evidence_document d;
static struct arena mine;

static bool reads(struct view text) {
    if (!mine.base) CHECK(arena_make(&mine, 64u << 20, &err));
    memset(mine.base, 0, mine.used);
    mine.used = 0;
    err = (struct err){0};
    return evidence_read(text, &mine, &d, &err);
}

// The document with `from` (its first place) replaced; CHECKs that it is there.
static struct view with(struct view text, const char *from, const char *to) {
    const uint8_t *at = memmem(text.p, text.n, from, strlen(from));
    if (!at) check_fail("there is no %s", from);
    size_t before = (size_t)(at - text.p), n = text.n + strlen(to) + 1;
    struct writer w = writer_of(arena_alloc(&arena, n), n);
    write_bytes(&w, view_first(text, before)), write_text(&w, to), write_bytes(&w, view_skip(text, before + strlen(from)));
    return writer_view(&w);
}

#define REFUSED(text, part)                                                                                  \
    do {                                                                                                     \
        if (reads(text)) check_fail("line %d: accepted", __LINE__);                                          \
        char line[1200];                                                                                     \
        err_line(&err, line, sizeof line);                                                                   \
        if (err.kind != ERR_FORMAT || !strstr(line, part)) check_fail("line %d: %s", __LINE__, line);        \
    } while (0)

TEST(of_a_tpm) {
    fresh();
    if (!reads(vector("evidence/tpm.json"))) check_fail("%s", err.text);
    CHECK(d.tee == EVIDENCE_TPM && d.has_tpm && d.nonce_size == 32 && d.tpm.pcr == 15 && d.tpm.bank_count == 2);
    CHECK(view_is(d.version, "0.1.0") && view_starts(d.manifest, VIEW("sha256:92501d93")));
    CHECK(d.tpm.quote.n > 100 && d.tpm.signature.n == 72 && !d.tpm.ek_certificate.n);
    CHECK(evidence_bank(&d.tpm, HASH_SHA256)->pcrs[15][0] == 0xff && !evidence_bank(&d.tpm, HASH_SHA512));
    CHECK_STR(d.unknown, "");
    CHECK(d.tpm.eventlog.n > 1000 && d.tpm.firmware_log.n > 1000);
}

TEST(of_the_simulated_snp) {
    uint8_t buffer[EVIDENCE_EXPECTED_MAX], digest[64];
    struct writer w = writer_of(buffer, sizeof buffer);
    fresh();
    if (!reads(vector("evidence/snp-simulated.json"))) check_fail("%s", err.text);
    CHECK(d.tee == EVIDENCE_SNP && !d.has_tpm && d.quote.n == 1184 && d.certificates.n > 4000 && !d.firmware_log.n);
    evidence_expected_preimage(&d, &w);
    CHECK(view_eq(d.preimage, writer_view(&w)));
    evidence_report_data(d.preimage, digest);
    CHECK(!memcmp(digest, d.report_data, 64) && !memcmp(d.quote.p + 0x50, digest, 64));
}

TEST(every_member_counts) {
    static const char *const tpm[] = {"plinth", "tee", "nonce", "quote", "signature", "ak_public", "ak_public_pem", "pcrs", "register", "eventlog",
                                      "image", "manifest", "policy"};
    static const char *const snp[] = {"plinth", "tee", "nonce", "report", "report_data", "preimage", "register", "eventlog", "image", "manifest", "policy"};
    for (int kind = 0; kind < 2; kind++) {
        fresh();
        struct view text = vector(kind ? "evidence/snp-simulated.json" : "evidence/tpm.json");
        for (size_t i = 0; i < (kind ? sizeof snp : sizeof tpm) / sizeof *snp; i++) {
            char name[40], other[40], twice[60];
            const char *member = kind ? snp[i] : tpm[i];
            snprintf(name, sizeof name, "\"%s\":", member);
            snprintf(other, sizeof other, "\"x%s\":", member);
            snprintf(twice, sizeof twice, "\"%s\":1,\"%s\":", member, member);
            REFUSED(with(text, name, other), member);
            REFUSED(with(text, name, twice), "");
            snprintf(twice, sizeof twice, "\"%s\":7,\"x\":", member);
            REFUSED(with(text, name, twice), member);
        }
    }
}

TEST(strict) {
    fresh();
    struct view tpm = vector("evidence/tpm.json"), snp = vector("evidence/snp-simulated.json");
    CHECK(reads(with(tpm, "}\n", "}\n \n")));
    REFUSED(with(tpm, "}\n", "}\n{}"), "");
    REFUSED(with(tpm, "}\n", "}\nx"), "");
    REFUSED(VIEW("[]"), "object");
    REFUSED(VIEW(""), "");
    REFUSED(with(tpm, "\"tee\":\"tpm\"", "\"tee\":\"sgx\""), "sgx");
    REFUSED(with(tpm, "\"tee\":\"tpm\"", "\"tee\":\"tdx\""), "");
    REFUSED(with(tpm, "\"nonce\":\"", "\"nonce\":\"0"), "nonce");
    REFUSED(with(tpm, "\"nonce\":\"f5", "\"nonce\":\"F5"), "nonce");
    REFUSED(with(tpm, "\"quote\":\"", "\"quote\":\"="), "quote is no base64");
    REFUSED(with(tpm, "\"quote\":\"", "\"quote\":\"\",\"y\":\""), "quote is empty");
    REFUSED(with(tpm, "\"eventlog\":\"", "\"eventlog\":\"\",\"y\":\""), "eventlog is empty");
    REFUSED(with(tpm, "\"pcr\":15", "\"pcr\":16"), "register.pcr");
    REFUSED(with(tpm, "\"pcr\":15", "\"pcr\":14"), "is not pcrs.sha256.14");
    REFUSED(with(tpm, "\"pcr\":15", "\"pcr\":15,\"sha1\":\"\""), "banks");
    REFUSED(with(tpm, "\"pcr\":15", "\"pcr\":-1"), "pcr");
    REFUSED(with(tpm, "\"15\":\"ff", "\"15\":\"fe"), "register.sha256 is not pcrs.sha256.15");
    REFUSED(with(tpm, "\"15\":\"", "\"16\":\""), "15");
    REFUSED(with(tpm, "\"15\":\"", "\"14\":\""), "");
    REFUSED(with(tpm, "\"15\":\"", "\"15\":\"0"), "15");
    REFUSED(with(tpm, "\"sha256\":{", "\"sha1\":{"), "banks");
    REFUSED(with(snp, "\"kept_by\":\"monitor\"", "\"kept_by\":\"hardware\""), "register");
    REFUSED(with(snp, "\"kept_by\":\"monitor\"", "\"rtmr\":3"), "register");
    REFUSED(with(snp, "\"kept_by\":\"monitor\"", "\"kept_by\":\"monitor\",\"z\":1"), "register");
    REFUSED(with(snp, "\"report_data\":\"", "\"report_data\":\"00"), "report_data");
    REFUSED(with(snp, "\"tee\":\"snp\"", "\"tee\":\"snp\",\"tpm\":[]"), "tpm");
    REFUSED(with(snp, "\"tee\":\"snp\"", "\"tee\":\"snp\",\"tpm\":{}"), "tpm");
    // What is not known is passed over, and said.
    CHECK(reads(with(tpm, "{", "{\"later\":{\"a\":[1]},\"\\u0007b\":0,")));
    CHECK_STR(d.unknown, "later, ?b");
}

TEST(truncated) {
    fresh();
    struct view text = vector("evidence/tpm.json");
    for (size_t n = 0; n + 2 < text.n; n += n > 300 && n + 300 < text.n ? 37 : 1) // without its newline it is whole
        if (reads(view_first(text, n))) check_fail("cut at %zu: accepted", n);
    CHECK(reads(view_first(text, text.n - 1)));
}
