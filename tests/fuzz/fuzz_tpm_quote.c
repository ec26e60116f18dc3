// tpm_quote: TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC; and the whole verification of a quote or evidence.json.
#include "tools/appraise/tpm.h"
#include "tools/appraise/tpm_quote.h"
#include "fuzz_lib.h"

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct appraisal a;
    static struct collateral none;
    struct view v = view_of(bytes, size), rest = v;
    struct tpm_signature s;
    struct tpm_quote q;
    struct tpm_key k;
    struct err e;

    start(16u << 20);
    if (tpm_quote_parse(v, &q, &e)) {
        touch(q.extra_data), touch(q.pcr_digest), touch(q.qualified_signer);
        for (size_t i = 0; i < q.selection_count; i++)
            if (q.selections[i].pcrs >> TPM_PCRS) abort();
    }
    if (tpm_key_parse(v, &arena, &k, &e)) {
        if (tpm_signature_parse(v, &s, &e)) tpm_signature_holds(&s, k.key, v);
        EVP_PKEY_free(k.key);
    }
    if (tpm_signature_parse(v, &s, &e)) touch(s.rsa), touch(s.r), touch(s.s);
    memset(&a, 0, sizeof a.checks + offsetof(struct appraisal, checks));
    result_members_begin(&a.fields);
    a.arena = &arena, a.given = &none;
    // Parts split by "|||": quote, signature, AK, PCR values.
    struct view *parts[] = {&v, &a.signature, &a.ak, &a.pcrs};
    for (size_t i = 0; i < 4; i++) {
        size_t n = 0;
        while (n < rest.n && !view_starts(view_skip(rest, n), VIEW("|||"))) n++;
        *parts[i] = view_first(rest, n), rest = view_skip(rest, n + 3);
    }
    tpm_verify(&a, v);
    if (checks_verdict(&a.checks, NULL, &e)) abort(); // nothing says whose key it is
    touch(writer_view(&a.fields.out));
    return 0;
}
