// snp_report: 1184 bytes of report, then a file of collateral (its certificate); nothing that a fuzzer makes may be accepted.
#include "tools/appraise/hcl.h"
#include "tools/appraise/snp.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct appraisal a;
    struct collateral c = {0};
    struct view v = view_of(bytes, size);
    struct hcl hcl;
    struct err e;

    start(64u << 20);
    memset(&a, 0, sizeof a.checks + offsetof(struct appraisal, checks));
    result_members_begin(&a.fields);
    a.arena = &arena, a.given = &c, a.at = 1751328000;
    if (hcl_is(v)) {
        if (hcl_parse(v, &hcl, &e)) {
            touch(hcl.report), touch(hcl.claims);
            if (hcl.report_data.n != 64) abort();
        }
    } else if (size > 1184) {
        collateral_add(&c, view_skip(v, 1184), &arena, &e);
        v.n = 1184;
    }
    snp_verify(&a, v);
    // The one that is genuine: the seed itself.
    if (checks_verdict(&a.checks, NULL, &e) && !(checks_hold(&a.checks, "report-signature") && checks_hold(&a.checks, "vek-chain"))) abort();
    touch(writer_view(&a.fields.out));
    collateral_drop(&c);
    return 0;
}
