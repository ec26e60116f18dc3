/* fuzz_report: the first byte says whether the rest is a TDX quote, an SNP report, a report and its certificate table, or a CCEL area. */
#include "tee/event.h"
#include "tee/report.h"
#include "tee/trustee.h"

#include <stdlib.h>

static void must_lie_in(struct view part, struct view whole) {
    if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static uint8_t text[1 << 18];
    struct writer out = writer_of(text, sizeof text);
    struct report r;
    struct err e;
    if (n == 0) return 0;
    struct view v = view_of(bytes + 1, n - 1), records, again;
    switch (bytes[0] % 4) {
    case 0:
        if (!report_tdx(v, &r, &e)) break;
        must_lie_in(r.report_data, v), must_lie_in(r.rtmr3, v);
        if (r.report_data.n != REPORT_DATA_SIZE || r.rtmr3.n != RTMR_SIZE) abort();
        break;
    case 1:
        if (!report_snp(v, &r, &e)) break;
        must_lie_in(r.report_data, v);
        if (r.report_data.n != REPORT_DATA_SIZE || r.rtmr3.n) abort();
        break;
    case 2:
        if (trustee_snp(view_first(v, SNP_REPORT_SIZE), view_skip(v, SNP_REPORT_SIZE), &out, &e) && !out.full && text[out.n - 1] != '}') abort();
        break;
    case 3:
        if (!event_log_end(v, &records, &e)) break;
        must_lie_in(records, v);
        if (!event_log_end(records, &again, &e) || again.n != records.n) abort(); /* what was cut once stays */
        trustee_eventlog(records, v, &out);
        break;
    }
    return 0;
}
