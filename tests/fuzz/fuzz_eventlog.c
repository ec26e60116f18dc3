/* fuzz_eventlog: any bytes as an event log; what it says, replayed and compared. */
#include "tools/eventlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct eventlog log = eventlog_of(view_of(bytes, n));
    struct eventlog_record r;
    struct eventlog_registers regs;
    struct err e;
    size_t records = 0;
    while (eventlog_next(&log, &r, &e)) {
        struct view text;
        bool known;
        (void)eventlog_digest_matches(&r, &known);
        if (eventlog_aael(&r, &text) && text.n + 8 != r.event.n) abort();
        if (r.mr_index >= EVENTLOG_REGISTERS || r.digest_count > EVENTLOG_ALG_MAX) abort();
        (void)eventlog_type_name(r.type);
        records++;
    }
    if (eventlog_replay(view_of(bytes, n), &regs, &e) && regs.records != records) abort();
    return 0;
}
