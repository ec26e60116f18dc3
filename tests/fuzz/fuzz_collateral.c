// collateral: files beside a quote, told apart by content.
#include "tools/appraise/collateral.h"
#include "format/json.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct collateral c = {0};
    struct view v = view_of(bytes, size), raw;
    const json *root;
    struct err e;

    start(64u << 20);
    if (collateral_add(&c, v, &arena, &e) && c.pool.cert_count + c.pool.crl_count + c.tcb_info_count + c.qe_identity_count + c.signature_count == 0)
        abort();
    for (size_t i = 0; i < c.tcb_info_count; i++) touch(c.tcb_info[i].body), touch(c.tcb_info[i].signature);
    for (size_t i = 0; i < c.qe_identity_count; i++) touch(c.qe_identity[i].body), touch(c.qe_identity[i].signature);
    // What json_raw_member finds is the value that the parser sees.
    if (json_parse(v, &arena, &root, &e) && json_raw_member(v, "tcbInfo", &raw)) {
        const json *again;
        const json *value = json_get(root, "tcbInfo");
        if (!value || !json_parse(raw, &arena, &again, &e) || !json_equal(value, again)) abort();
    }
    collateral_drop(&c);
    return 0;
}
