/* tpm: a TPM 2.0 through /dev/tpmrm0 (the kernel's resource manager; no daemon). */
#ifndef PLINTH_SYS_TPM_H
#define PLINTH_SYS_TPM_H

#include "base/err.h"
#include "base/view.h"
#include "tee/event.h"
#include "tee/tpm2.h"

struct tpm {
    int fd;
    size_t bank_count; /* active among sha256, sha384 */
    enum hash_alg banks[BANKS_MAX];
};

/* True and fd >= 0 when there is a TPM; waits up to `timeout_ms` for the device to appear. ERR_SYSTEM when absent or when
 * neither the sha256 nor the sha384 bank is active. */
bool tpm_open(int timeout_ms, struct tpm *out, struct err *e);
void tpm_close(struct tpm *t);
/* Extends `pcr` in every active bank with that bank's digest of `event`. */
bool tpm_extend(struct tpm *t, unsigned pcr, struct view event, struct err *e);
bool tpm_read(struct tpm *t, enum hash_alg bank, unsigned pcr, uint8_t value[HASH_MAX], struct err *e);

struct tpm_quote {
    uint8_t attest[1024], signature[512], ak_public[512]; /* TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC */
    size_t attest_n, signature_n, ak_public_n;
    uint8_t ak_point[65]; /* 04 || x || y */
};
/* Creates the AK, quotes PCRs 0-15 of every active bank over `nonce` (at most TPM2_NONCE_MAX), flushes. */
bool tpm_quote(struct tpm *t, struct view nonce, struct tpm_quote *out, struct err *e);
bool tpm_random(struct tpm *t, uint8_t *out, size_t n, struct err *e);
/* The firmware's event log from securityfs, at most `size` bytes; *n 0 when there is none. */
bool tpm_firmware_log(uint8_t *out, size_t size, size_t *n, struct err *e);

#endif
