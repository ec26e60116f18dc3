/* see tee.h */
#include "sys/tee.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

const char *tee_name(enum tee_kind kind) { return kind == TEE_TPM ? "tpm" : kind == TEE_TDX ? "tdx" : "snp"; }

bool tee_open_cpu(const char *root, struct tee *out, bool *found, struct err *e) {
    struct tee t = {.mr_index = EVENT_MR_RTMR3,
                    .bank_count = 1,
                    .banks = {HASH_SHA384},
                    .kept = {.alg = HASH_SHA384},
                    .tpm = {.fd = -1}};
    uint8_t value[RTMR_SIZE];
    *found = false;
    if (!tsm_open(root, &t.tsm, e)) return false;
    if (!t.tsm.provider[0]) return true;
    bool tdx = !strcmp(t.tsm.provider, TSM_TDX);
    t.kind = tdx ? TEE_TDX : TEE_SNP;
    if (!tdx && strcmp(t.tsm.provider, TSM_SEV))
        return err_set(e, ERR_SYSTEM, "the kernel's report provider is \"%s\"; known are " TSM_TDX " and " TSM_SEV,
                       t.tsm.provider);
    if (tdx && !tsm_rtmr3_read(&t.tsm, value, e)) return false;
    *found = true;
    *out = t;
    return true;
}

struct tee tee_of_tpm(struct tpm tpm, unsigned pcr) {
    struct tee t = {.kind = TEE_TPM, .mr_index = pcr, .bank_count = tpm.bank_count, .tpm = tpm};
    memcpy(t.banks, tpm.banks, sizeof t.banks);
    return t;
}

const char *tee_register(const struct tee *t, char out[static 32]) {
    if (t->kind == TEE_TPM) snprintf(out, 32, "PCR %u", t->mr_index);
    else snprintf(out, 32, "%s", t->kind == TEE_TDX ? "RTMR3" : "the monitor's register");
    return out;
}

bool tee_extend(struct tee *t, struct view event, struct err *e) {
    uint8_t digest[HASH_MAX];
    if (t->kind == TEE_TPM) return tpm_extend(&t->tpm, t->mr_index, event, e);
    hash_once(HASH_SHA384, event, digest);
    if (t->kind == TEE_TDX) return tsm_rtmr3_extend(&t->tsm, digest, e);
    register_extend(&t->kept, digest);
    return true;
}

bool tee_read(struct tee *t, size_t i, uint8_t value[static HASH_MAX], struct err *e) {
    if (t->kind == TEE_TPM) return tpm_read(&t->tpm, t->banks[i], t->mr_index, 1, (uint8_t(*)[HASH_MAX])value, e);
    if (t->kind == TEE_TDX) return tsm_rtmr3_read(&t->tsm, value, e);
    memcpy(value, t->kept.value, RTMR_SIZE);
    return true;
}

bool tee_report(struct tee *t, const uint8_t report_data[static REPORT_DATA_SIZE], struct writer *out,
                struct tee_report *report, struct err *e) {
    struct report read;
    size_t at = out->n, n;
    if (t->dead) return err_set(e, ERR_SYSTEM, "an earlier request for a report was not answered");
    if (!tsm_report(&t->tsm, report_data, out, &n, e)) {
        t->dead = e->sys == ETIMEDOUT;
        return false;
    }
    struct view all = view_skip(writer_view(out), at), blob = view_first(all, n);
    if (!(t->kind == TEE_TDX ? report_tdx(blob, &read, e) : report_snp(blob, &read, e))) return false;
    if (!view_eq(read.report_data, view_of(report_data, REPORT_DATA_SIZE)))
        return err_set(e, ERR_DIGEST, "the %s report is over other report_data than was asked", tee_name(t->kind));
    if (read.debug) {
        err_set(e, ERR_POLICY, "this is a debug %s: the host can read and change its memory",
                t->kind == TEE_TDX ? "TD" : "SNP guest");
        return err_mend(e, "start it without the debug attribute (TDX attributes bit 0, SNP policy bit 19)");
    }
    *report = (struct tee_report){blob, view_skip(all, n), read};
    return true;
}

bool tee_bound(struct tee *t, struct arena *a, uint8_t value[static TEE_BOUND_MAX], size_t *n, const char **name,
               struct err *e) {
    const size_t size = REPORT_MAX + CERTIFICATES_MAX;
    uint8_t random[REPORT_DATA_SIZE];
    struct tee_report r;
    *n = t->kind == TEE_TDX ? RTMR_SIZE : 32;
    *name = t->kind == TEE_TDX ? "MRCONFIGID" : "HOST_DATA";
    if (t->kind == TEE_TDX) return tsm_mrconfigid_read(&t->tsm, value, e);
    struct writer w = writer_of(arena_alloc(a, size), size);
    if (!w.p) return arena_full(a, e);
    if (getrandom(random, sizeof random, 0) != sizeof random) return err_sys(e, "getrandom");
    if (!tee_report(t, random, &w, &r, e)) return false;
    memcpy(value, r.read.host_data.p, r.read.host_data.n);
    return true;
}

bool tee_firmware_log(struct tee *t, struct writer *out, struct err *e) {
    struct writer w = *out;
    struct view records = {0};
    if (t->kind == TEE_TPM) {
        size_t n;
        if (!tpm_firmware_log(out->p + out->n, out->size - out->n, &n, e)) return false;
        out->n += n;
        return true;
    }
    if (t->kind == TEE_SNP) return true;
    if (!tsm_ccel(&t->tsm, &w, e) || !event_log_end(view_skip(writer_view(&w), out->n), &records, e))
        return err_in(e, "the firmware's log (CCEL)");
    out->n += records.n;
    return true;
}
