// foreign: evidence in Trustee's shapes. What is accepted has a quote, and is of one of two TEEs.
#include "tools/appraise/foreign.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct evidence_document d = {0};
    struct err e = {0};
    const json *o;

    start(64u << 20);
    if (!json_parse(view_of(bytes, size), &arena, &o, &e)) return 0;
    if (!foreign_take(o, &arena, &d, &e)) {
        if (e.kind != ERR_FORMAT && e.kind != ERR_SYSTEM) abort();
        return 0;
    }
    if (!d.foreign || !d.quote.n || d.has_tpm || (d.tee == EVIDENCE_SNP) != (d.quote.n == 1184 && !d.firmware_log.n)) {
        if (d.tee != EVIDENCE_TDX) abort(); // a TDX quote may have any length
    }
    touch(d.quote), touch(d.firmware_log);
    for (size_t i = 0; i < d.chain_count; i++) touch(d.chain[i]);
    return 0;
}
