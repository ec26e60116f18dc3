/* report: real quotes and reports (tests/unit/vectors/tee/README), and their broken sisters. */
#include "lib.h"
#include "base/codec.h"
#include "tee/report.h"

static struct report r;

static bool tdx(struct view v) { return report_tdx(v, &r, &err); }
static bool snp(struct view v) { return report_snp(v, &r, &err); }

static bool is(struct view bytes, const char *hex) {
    uint8_t want[64];
    size_t n = strlen(hex) / 2;
    CHECK(hex_decode(view_str(hex), want, n));
    return view_eq(view_first(bytes, n), view_of(want, n));
}

TEST(quotes) {
    fresh();
    struct view v4 = vector("tee/quote-v4-phala.bin"), v5 = vector("tee/quote-v5-servtd.bin"), sgx = vector("tee/quote-v3-sgx.bin");
    CHECK(tdx(v4) && !r.debug && r.report_data.n == 64 && r.rtmr3.n == 48 && r.report_data.p == v4.p + 568 && r.rtmr3.p == v4.p + 520);
    CHECK(r.host_data.n == 48 && r.host_data.p == v4.p + 48 + 184);
    CHECK(is(r.report_data, "9a9d48e7f6799642d3d1b34e1e5e1742d4bb02dd6ddd551862c1211d35c304f9eca3efdbb481601c163cf52493d6e44aed55d51ec39b7e518fadb92c2b523f20") && is(r.rtmr3, "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"));
    CHECK(tdx(v5) && !r.debug && r.report_data.p == v5.p + 574 && is(r.report_data, "6d6ab13b046cff606ac0074be13981b07b6325dba10b5facc96febf551c0c3be2b75f92fe1f88f4bb996969ad0174b4b7a70261b7b85c844f4b33a4674fd049f"));
    CHECK(tdx(vector("tee/v5-body2-tdx10.bin")) && tdx(vector("tee/v4-debug.bin")) && r.debug);
    CHECK(!tdx(sgx) && err.kind == ERR_FORMAT);
    CHECK_ERR("version 3 and type 0x0");
    broken(view_first(v4, 48 + 584), 48 + 584, tdx);
    broken(view_first(v5, 54 + 648), 54 + 648, tdx);
}

TEST(body_types) {
    fresh();
    struct view v5 = vector("tee/quote-v5-servtd.bin");
    uint8_t *q = (uint8_t *)(uintptr_t)v5.p;
    q[48] = 2; /* TDX 1.0 with the size of 1.5 */
    CHECK(!tdx(v5) && err.kind == ERR_FORMAT);
    CHECK_ERR("body is of type 2 with 648 bytes");
    q[48] = 1; /* SGX */
    CHECK(!tdx(v5));
    q[48] = 3, q[53] = 0xff;
    CHECK(!tdx(v5));
    q[53] = 0, q[0] = 6;
    CHECK(!tdx(v5));
}

TEST(reports) {
    fresh();
    struct view v2 = vector("tee/milan-v2-azure.report.bin"), v3 = vector("tee/siena-v3-genoa-chain.report.bin"),
                v5 = vector("tee/genoa-v5.ok.report.bin");
    CHECK(snp(v2) && !r.debug && r.rtmr3.n == 0 && is(r.report_data, "ec6c52d7533cc2c4f45be7849cf112ab82b2009fe7bd43e71ed08c14400ad7e2"));
    CHECK(snp(v3) && !r.debug && r.report_data.p == v3.p + 0x50 && r.report_data.n == 64 && r.host_data.p == v3.p + 0xc0 && r.host_data.n == 32);
    CHECK(snp(v5) && !r.debug);
    CHECK(snp(vector("tee/milan-v2-debugpolicy.report.bin")) && r.debug && is(r.report_data, "0102030405"));
    CHECK(snp(vector("tee/genoa-v5.debug.report.bin")) && r.debug);
    broken(v3, v3.n, snp);
    uint8_t *p = (uint8_t *)(uintptr_t)v3.p;
    p[0] = 1;
    CHECK(!snp(v3) && err.kind == ERR_FORMAT);
    p[0] = 6;
    CHECK(!snp(v3));
    p[0] = 3, p[1] = 1;
    CHECK(!snp(v3));
    uint8_t longer[SNP_REPORT_SIZE + 1] = {3};
    CHECK(!snp(view_of(longer, sizeof longer)));
}
