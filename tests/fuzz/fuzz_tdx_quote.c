// tdx_quote: the layout of a TDX quote; and the whole verification, which may never accept what a fuzzer makes of it.
#include "tools/appraise/tdx.h"
#include "tools/appraise/tdx_quote.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct appraisal a;
    static struct collateral none;
    struct tdx_quote q;
    struct err e;
    struct view v = view_of(bytes, size);

    start(16u << 20);
    if (tdx_quote_parse(v, &q, &e)) {
        if (q.signed_part.n != 48 + (q.version == 5 ? 6 : 0) + q.body.n || q.signature.n != 64 || q.qe_report.n != SGX_REPORT_SIZE)
            abort();
        touch(q.cert_data), touch(q.qe_auth_data), touch(q.trailing), touch(q.mrservicetd);
    }
    memset(&a, 0, sizeof a.checks + offsetof(struct appraisal, checks));
    result_members_begin(&a.fields);
    a.arena = &arena, a.given = &none, a.at = 1751328000;
    tdx_verify(&a, v);
    if (checks_verdict(&a.checks, NULL, &e)) // without collateral
        abort();
    touch(writer_view(&a.fields.out));
    return 0;
}
