/* tee: one interface over what a machine can prove itself with: a vTPM (sys/tpm.h), a TD of Intel TDX, an SEV-SNP guest
 * (sys/tsm.h).
 *
 * Which one a machine has is found by the kernel's report provider and files, not by CPUID: a driver that answers is
 * what counts. Each has one register for Plinth: PCR `pcr` in every active bank; RTMR3 (SHA-384); on SNP, whose
 * hardware has none, a value that this process keeps (SHA-384), for report_data to carry. Every call has a deadline; a
 * report that did not come in time is not asked for again. */
#ifndef PLINTH_SYS_TEE_H
#define PLINTH_SYS_TEE_H

#include "base/arena.h"
#include "base/err.h"
#include "sys/tpm.h"
#include "sys/tsm.h"

enum tee_kind { TEE_TPM, TEE_TDX, TEE_SNP };
/* "tpm", "tdx", "snp": the words of the policy and of evidence. */
const char *tee_name(enum tee_kind kind);

struct tee {
    enum tee_kind kind;
    unsigned mr_index; /* in event logs: the PCR, EVENT_MR_RTMR3 */
    size_t bank_count; /* of the register */
    enum hash_alg banks[BANKS_MAX];
    struct tpm tpm;
    struct tsm tsm;
    struct register_bank kept; /* SNP's register */
    bool dead;                 /* a report did not come in time: the next would not either */
};

/* The CPU's TEE; *found false (and true returned) when the machine has none. ERR_SYSTEM: a report provider that this
 * build does not know; a TD without measurement files. `root` is "" but in tests; it must live as long as `out`. */
bool tee_open_cpu(const char *root, struct tee *out, bool *found, struct err *e);
/* An opened TPM (owned by `out` from here on) with its register. */
struct tee tee_of_tpm(struct tpm tpm, unsigned pcr);

/* "PCR 15", "RTMR3", "the monitor's register" */
const char *tee_register(const struct tee *t, char out[static 32]);
/* Extends the register with each bank's digest of `event`. */
bool tee_extend(struct tee *t, struct view event, struct err *e);
/* Its value in bank i of t->banks. */
bool tee_read(struct tee *t, size_t i, uint8_t value[static HASH_MAX], struct err *e);

struct tee_report {
    struct view report, certificates; /* into the buffer given */
    struct report read;
};
/* A CPU's report over `report_data`, and what stands in it. `out` has room for REPORT_MAX + CERTIFICATES_MAX.
 * ERR_DIGEST: report_data in it is not what was asked; and tsm_report's. ERR_POLICY: a debug guest. ERR_FORMAT: not a
 * quote or report. */
bool tee_report(struct tee *t, const uint8_t report_data[static REPORT_DATA_SIZE], struct writer *out,
                struct tee_report *report, struct err *e);
/* What the host bound to the machine at launch, as the CPU tells it: MRCONFIGID of a TD, by tsm_mrconfigid_read (48
 * bytes); HOST_DATA of an SNP guest, by a report over random report_data (32 bytes). *name is the one. Errors of these.
 */
#define TEE_BOUND_MAX 48u
bool tee_bound(struct tee *t, struct arena *a, uint8_t value[static TEE_BOUND_MAX], size_t *n, const char **name,
               struct err *e);
/* The firmware's log into `out`, cut at its end mark (CCEL). Nothing when there is none, as always on SNP. */
bool tee_firmware_log(struct tee *t, struct writer *out, struct err *e);

#endif
