/* trustee: the shapes to the byte. trustee-*.json are not by this program: see tests/unit/vectors/tee/README. */
#include "lib.h"
#include "base/codec.h"
#include "format/json.h"
#include "tee/event.h"
#include "tee/trustee.h"
#include "tools/eventlog.h"

static uint8_t buffer[1 << 20];
static struct writer out;

static struct writer *empty(void) {
    out = writer_of(buffer, sizeof buffer);
    return &out;
}

static void same(const char *file) {
    struct view want = vector(file), got = writer_view(&out);
    size_t i = 0;
    while (i < want.n && i < got.n && want.p[i] == got.p[i]) i++;
    if (i < want.n || i < got.n)
        check_fail("%s: from byte %zu of %zu \"%.60s\", wanted of %zu \"%.60s\"", file, i, got.n, (const char *)got.p + i, want.n, (const char *)want.p + i);
}

TEST(snp) {
    fresh();
    CHECK(trustee_snp(vector("tee/milan-v2-azure.report.bin"), vector("tee/auxblob-milan-v2-azure.bin"), empty(), &err));
    same("tee/trustee-milan-v2-azure.json");
    CHECK(trustee_snp(vector("tee/genoa-v5.ok.report.bin"), (struct view){0}, empty(), &err));
    same("tee/trustee-genoa-v5.ok.json");
    CHECK(trustee_snp(vector("tee/turin-v3.ok.report.bin"), (struct view){0}, empty(), &err));
    same("tee/trustee-turin-v3.ok.json");
}

/* Version 2 does not tell the family: a chip id of 8 bytes does. */
TEST(snp_turin_in_version_2) {
    fresh();
    struct view report = vector("tee/milan-v2-azure.report.bin");
    const json *root;
    memset((uint8_t *)(uintptr_t)report.p + 0x1A8, 0, 56);
    CHECK(trustee_snp(report, (struct view){0}, empty(), &err) && json_parse(writer_view(&out), &arena, &root, &err));
    uint64_t n;
    CHECK(json_u64(json_get(json_get(json_get(root, "attestation_report"), "current_tcb"), "fmc"), &n) && n == 3);
}

static bool table(struct view v) { return trustee_snp(vector("tee/milan-v2-azure.report.bin"), v, empty(), &err); }

TEST(snp_certificate_tables) {
    fresh();
    uint8_t two[48 + 8] = {0}, guid[] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    const json *root;
    CHECK(!table(vector("tee/auxblob-bad-offset.bin")) && err.kind == ERR_FORMAT);
    CHECK(table(view_of(two, sizeof two)) && view_ends(writer_view(&out), VIEW("\"cert_chain\":null}"))); /* only its end */
    two[16] = 48, two[20] = 8;
    memset(two + 48, 7, 8);
    memcpy(two, guid, 16);
    CHECK(table(view_of(two, sizeof two)));
    CHECK(view_ends(writer_view(&out), VIEW(",\"cert_chain\":[{\"cert_type\":\"VCEK\",\"data\":[7,7,7,7,7,7,7,7]}]}")));
    two[0] = 0x64; /* a stranger, and no VCEK: AMD is asked */
    CHECK(table(view_of(two, sizeof two)) && view_ends(writer_view(&out), VIEW("\"cert_chain\":null}")));
    two[0] = 0x63, two[20] = 9; /* one byte beyond */
    CHECK(!table(view_of(two, sizeof two)));
    two[19] = 0xff, two[23] = 0xff; /* offset and length that wrap around */
    CHECK(!table(view_of(two, sizeof two)));
    CHECK(!table(view_of(two, 24)) && !table(view_of(two, 23)) && !table(view_of(two, 47))); /* no end */
    memcpy(two, guid, 16), memset(two + 16, 0, 40);
    memset(two + 24, 0xab, 16); /* a VCEK of no bytes, then a stranger of none, then no end */
    CHECK(!table(view_of(two, sizeof two)));
    uint8_t three[72] = {0};
    memcpy(three, two, 40);
    CHECK(table(view_of(three, sizeof three)) && json_parse(writer_view(&out), &arena, &root, &err));
    CHECK(view_ends(writer_view(&out), VIEW("{\"cert_type\":{\"OTHER\":\"abababab-abab-abab-abab-abababababab\"},\"data\":[]}]}")));
    struct writer small = writer_of(buffer, 1000);
    CHECK(trustee_snp(vector("tee/milan-v2-azure.report.bin"), (struct view){0}, &small, &err) && small.full);
}

TEST(eventlogs) {
    static uint8_t own_bytes[4096];
    struct register_bank bank = {.alg = HASH_SHA384};
    struct writer own = writer_of(own_bytes, sizeof own_bytes);
    struct eventlog_registers alone, joined, firmware;
    struct view ccel;
    uint8_t event[256];
    struct writer w = writer_of(event, sizeof event);
    fresh();
    event_log_header(&bank, 1, &own);
    size_t header = own.n;
    CHECK(event_encode("plinth", "boot", VIEW("{}"), &w, &err));
    event_record(EVENT_MR_RTMR3, &bank, 1, writer_view(&w), &own);
    CHECK(eventlog_replay(writer_view(&own), &alone, &err));
    trustee_eventlog((struct view){0}, writer_view(&own), empty());
    CHECK_EQ(out.n, 69 + own.n - header + 8);
    static const uint8_t head[56] = {[4] = 3, [28] = 37};
    CHECK(!memcmp(buffer, head, 56) && buffer[56] == 2 && buffer[60] == 0x0C && buffer[62] == 0x30 && buffer[64] == 0x12 && buffer[66] == 0x20 && !buffer[68]);
    CHECK(view_ends(writer_view(&out), VIEW("\xff\xff\xff\xff\xff\xff\xff\xff")));
    CHECK(event_log_end(vector("tee/ccel-dstack-ffpad.bin"), &ccel, &err));
    trustee_eventlog(ccel, writer_view(&own), empty());
    CHECK_EQ(out.n, ccel.n + own.n - header + 8);
    CHECK(eventlog_replay(writer_view(&out), &joined, &err) && eventlog_replay(ccel, &firmware, &err)); /* the end mark is padding to a reader */
    CHECK(!memcmp(joined.sha384[4].bank.value, alone.sha384[4].bank.value, 48) && joined.records == firmware.records + 1);
    for (size_t i = 1; i < 4; i++) CHECK(!memcmp(joined.sha384[i].bank.value, firmware.sha384[i].bank.value, 48));
}

TEST(tdx_and_tpm) {
    static uint8_t pcrs[TRUSTEE_PCRS][32];
    const json *root;
    fresh();
    trustee_tdx((struct view){0}, VIEW("quote"), empty());
    CHECK(view_is(writer_view(&out), "{\"cc_eventlog\":null,\"quote\":\"cXVvdGU=\"}"));
    trustee_tdx(VIEW("log"), VIEW("quote"), empty());
    CHECK(view_is(writer_view(&out), "{\"cc_eventlog\":\"bG9n\",\"quote\":\"cXVvdGU=\"}"));
    pcrs[23][31] = 0xab;
    trustee_tpm(VIEW("sig"), VIEW("message"), pcrs, VIEW("spki"), empty());
    CHECK(view_starts(writer_view(&out), VIEW("{\"tpm_quote\":{\"signature\":\"c2ln\",\"message\":\"bWVzc2FnZQ==\",\"pcrs\":[\"0000")));
    CHECK(view_ends(writer_view(&out), VIEW("00ab\"]},\"ak_public\":\"c3BraQ==\"}")));
    CHECK(json_parse(writer_view(&out), &arena, &root, &err) && json_count(json_get(json_get(root, "tpm_quote"), "pcrs")) == 24);
}
