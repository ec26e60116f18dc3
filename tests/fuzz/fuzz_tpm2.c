/* fuzz_tpm2: the first byte says which answer the rest is. */
#include "tee/tpm2.h"

#include <stdlib.h>

static void must_lie_in(struct view part, struct view whole) {
    if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n == 0) return 0;
    struct view v = view_of(bytes + 1, n - 1), a, b;
    struct tpm2_selection banks[BANKS_MAX], want = {HASH_SHA384, 0xff00};
    struct tpm2_attest attest;
    uint8_t values[TPM2_READ_MAX][HASH_MAX], point[65];
    uint32_t handle;
    uint16_t size;
    size_t count;
    struct err e;
    (void)tpm2_again(v);
    switch (bytes[0] % 14) {
    case 0:
        if (tpm2_parse_banks(v, banks, BANKS_MAX, &count, &e) && count > BANKS_MAX) abort();
        break;
    case 1: (void)tpm2_parse_pcrs(v, &want, values, &e); break;
    case 2:
        if (tpm2_parse_ak(v, &handle, &a, point, &e)) must_lie_in(a, v);
        break;
    case 3:
        if (tpm2_parse_quote(v, &a, &b, &e)) must_lie_in(a, v), must_lie_in(b, v);
        break;
    case 4:
        if (tpm2_parse_nv(v, &a, &e)) must_lie_in(a, v);
        break;
    case 5: (void)tpm2_parse_done("TPM2_PCR_Extend", v, true, &e); break;
    case 6: (void)tpm2_parse_done("TPM2_FlushContext", v, false, &e); break;
    case 7:
        if (tpm2_attest_parse(v, &attest, &e)) must_lie_in(attest.nonce, v), must_lie_in(attest.pcr_digest, v);
        break;
    case 8:
        if (tpm2_parse_created(v, &handle, &a, &e)) must_lie_in(a, v);
        break;
    case 9: (void)tpm2_parse_session(v, &handle, &e); break;
    case 10: (void)tpm2_parse_policy_secret(v, &e); break;
    case 11:
        if (tpm2_parse_activated(v, &a, &e)) must_lie_in(a, v);
        break;
    case 12: (void)tpm2_parse_nv_public(v, &size, &e); break;
    case 13:
        if (tpm2_parse_rsa(v, &a, &e)) must_lie_in(a, v);
        break;
    }
    return 0;
}
