// evidence: a whole document, its logs as far as they can be read, and its appraisal, which no bytes of a fuzzer can make good.
#include "tools/appraise/verify.h"
#include "fuzz_lib.h"

static void appraise(const struct evidence_document *d)
{
    static struct reference ref;
    static struct verification v;
    static const struct collateral none;
    static struct result out;
    struct err e, verdict;

    if (!reference_read(VIEW("{\"tpm\":{\"sha256\":{\"4\":null,\"9\":null}},\"tdx\":{\"mrtd\":null},\"snp\":{\"launch_digest\":null}}"), &arena, &ref, &e)) abort();
    memset(&v, 0, sizeof v);
    v.document = d, v.reference = &ref, v.nonce = view_of(d->nonce, d->nonce_size);
    v.quote.arena = &arena, v.quote.at = 1751328000, v.quote.given = &none;
    result_members_begin(&v.quote.fields);
    verify_evidence(&v);
    if (checks_verdict(&v.quote.checks, NULL, &verdict)) abort();
    result_begin(&out, &verdict);
    verify_write(&v, &verdict, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct evidence_document d;
    static struct replay r;
    uint8_t buffer[EVIDENCE_EXPECTED_MAX];
    struct writer preimage = writer_of(buffer, sizeof buffer);
    struct register_bank banks[2] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}};
    struct err e;

    start(64u << 20);
    if (!evidence_read(view_of(bytes, size), &arena, &d, &e)) return 0;
    if (d.nonce_size > EVIDENCE_NONCE_MAX || (d.tee == EVIDENCE_TPM && !d.has_tpm) || strlen(d.unknown) >= sizeof d.unknown) abort();
    touch(d.version), touch(d.image), touch(d.quote), touch(d.certificates), touch(d.preimage);
    if (d.has_tpm) {
        if (!d.tpm.bank_count || d.tpm.pcr >= EVIDENCE_PCRS) abort();
        touch(d.tpm.quote), touch(d.tpm.signature), touch(d.tpm.ak_public), touch(d.tpm.ek_certificate), touch(d.tpm.firmware_log);
    }
    if (d.tee != EVIDENCE_TPM) {
        evidence_expected_preimage(&d, &preimage);
        if (preimage.full) abort();
    }
    struct view log = d.tee == EVIDENCE_TPM ? d.tpm.eventlog : d.eventlog;
    bool whole = replay_log(log, d.tee == EVIDENCE_TPM ? d.tpm.pcr : 4, banks, 2, &arena, &r, &e);
    if (whole && (!r.separated || r.event_count < 7 || !r.manifest.n || r.failure.n)) abort();
    for (size_t i = 0; i < r.event_count; i++) touch(r.events[i]);
    appraise(&d);
    return 0;
}
