// auxblob: GHCB certificate tables, as a host gives them.
#include "tools/appraise/cert_table.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct pool p = {0};
    struct view v = view_of(bytes, size);
    struct err e;

    if (cert_table_add(v, &p, &e) && (!cert_table_is(v) || p.cert_count + p.crl_count == 0)) abort();
    pool_drop(&p);
    return 0;
}
