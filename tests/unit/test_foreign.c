// foreign: what trustee.c writes, read again: the same bytes; and its broken sisters.
#include "lib.h"

#include "tee/trustee.h"
#include "tools/appraise/foreign.h"

static struct evidence_document d;

static bool reads(struct view text) {
    err = (struct err){0};
    const json *o;
    return json_parse(text, &arena, &o, &err) && foreign_take(o, &arena, &d, &err);
}

static struct view written(const char *report, const char *table) {
    struct writer w = writer_of(arena_alloc(&arena, 1 << 20), 1 << 20);
    if (!trustee_snp(vector(report), table ? vector(table) : (struct view){0}, &w, &err)) check_fail("%s", err.text);
    return writer_view(&w);
}

TEST(reports_come_back_byte_for_byte) {
    static const char *const reports[] = {"tee/milan-v2-azure.report.bin", "tee/genoa-v5.ok.report.bin", "tee/turin-v3.ok.report.bin",
                                          "snp/milan-v3-azure.report.bin", "snp/siena-v3-genoa-chain.report.bin"};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        fresh();
        if (!reads(written(reports[i], NULL))) check_fail("%s: %s: %s", reports[i], err.trail, err.text);
        struct view want = vector(reports[i]);
        CHECK(d.foreign && d.tee == EVIDENCE_SNP && !d.chain_count && !d.has_tpm && d.quote.n == 1184);
        for (size_t k = 0; k < 1184; k++)
            if (d.quote.p[k] != want.p[k]) check_fail("%s: byte %#zx is %02x, was %02x", reports[i], k, d.quote.p[k], want.p[k]);
    }
    fresh();
    CHECK(reads(written("tee/milan-v2-azure.report.bin", "tee/auxblob-milan-v2-azure.bin")) && d.chain_count >= 1);
    for (size_t i = 0; i < d.chain_count; i++) CHECK(d.chain[i].n > 500 && d.chain[i].p[0] == 0x30);
}

TEST(tdx) {
    fresh();
    CHECK(reads(VIEW("{\"cc_eventlog\":null,\"quote\":\"AAEC\"}")) && d.tee == EVIDENCE_TDX && d.quote.n == 3 && !d.firmware_log.n && d.foreign);
    CHECK(reads(VIEW("{\"quote\":\"AAEC\",\"cc_eventlog\":\"AAECAw==\",\"more\":1}")) && d.firmware_log.n == 4);
    static const char *const bad[] = {"", "{}", "[]", "null", "1", "{\"quote\":1}", "{\"quote\":\"\"}", "{\"quote\":\"A\"}", "{\"quote\":\"AAEC\",\"cc_eventlog\":1}",
                                      "{\"quote\":\"AAEC\",\"cc_eventlog\":\"x\"}", "{\"quote\":\"AAEC\",\"quote\":\"AAEC\"}", "{\"quote\":\"AAEC\",\"plinth\":\"0.1.0\"}",
                                      "{\"quote\":\"AAEC\"} x", "{\"svn\":\"1\",\"report_data\":\"AAAA\"}", "{\"attestation_report\":1}", "{\"attestation_report\":{}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (reads(view_str(bad[i])) || err.kind != ERR_FORMAT) check_fail("case %zu: %s", i, err.text);
}

// One text of the report's JSON replaced by another.
static bool bent(const char *from, const char *to) {
    fresh();
    struct view text = written("tee/genoa-v5.ok.report.bin", NULL);
    char *s = arena_str(&arena, text), *at = strstr(s, from), *out = arena_alloc(&arena, text.n + 256);
    if (!at) check_fail("%s is not there", from);
    sprintf(out, "%.*s%s%s", (int)(at - s), s, to, at + strlen(from));
    return reads(view_str(out));
}

TEST(members_that_are_wrong) {
    CHECK(bent("\"version\":5", "\"version\":5,\"x\":1"));
    CHECK(!bent("\"version\":5", "\"version\":4294967296"));
    CHECK_ERR("attestation_report.version: a number of 4 bytes");
    CHECK(!bent("\"version\":5", "\"version\":-1") && !bent("\"version\":5", "\"version\":\"5\"") && !bent("\"version\":5", "\"version\":5.5"));
    CHECK(!bent("\"guest_svn\":", "\"guest\":"));
    CHECK(!bent("\"family_id\":[", "\"family_id\":[1,"));
    CHECK_ERR("family_id: an array of 16 bytes");
    CHECK(!bent("\"report_data\":[", "\"report_data\":[256,") && !bent("\"fmc\":null,\"bootloader\":", "\"fmc\":null,\"boot\":"));
    CHECK(!bent("\"fmc\":null", "\"fmc\":256") && !bent("\"signature\":{\"r\":[", "\"signature\":{\"r\":[300,"));
    CHECK(!bent("\"cert_chain\":null", "\"cert_chain\":{}") && !bent("\"cert_chain\":null", "\"cert_chain\":[{\"cert_type\":\"VCEK\"}]"));
    CHECK(!bent("\"cert_chain\":null", "\"cert_chain\":[{\"cert_type\":\"VCEK\",\"data\":[48,256]}]"));
    CHECK(bent("\"cert_chain\":null", "\"cert_chain\":[{\"cert_type\":{\"OTHER\":\"x\"},\"data\":[1]},{\"cert_type\":\"VCEK\",\"data\":[48,0]}]") && d.chain_count == 1);
    CHECK(!bent("\"cert_chain\":null", "\"cert_chain\":[{\"cert_type\":\"a\",\"data\":[1]},{\"cert_type\":\"a\",\"data\":[1]},{\"cert_type\":\"a\",\"data\":[1]},"
                                       "{\"cert_type\":\"a\",\"data\":[1]},{\"cert_type\":\"a\",\"data\":[1]}]"));
}

static bool accepts(struct view v) {
    static struct arena mine;
    struct evidence_document one;
    if (!mine.size) CHECK(arena_make(&mine, 8 << 20, &err));
    mine.used = 0;
    const json *o;
    return json_parse(v, &mine, &o, &err) && foreign_take(o, &mine, &one, &err);
}

TEST(cut_or_bent_anywhere) {
    fresh();
    struct view text = written("tee/genoa-v5.ok.report.bin", NULL);
    broken(text, text.n, accepts);
}
