/* tpm: a TPM 2.0 through /dev/tpmrm0 (the kernel's resource manager; no daemon). Fake for tests: tests/fake/tpm.c.
 *
 * One command is in flight at a time; each has 30 s, among them the repetitions when the TPM says TPM_RC_RETRY. After a
 * command that got no answer the device is not used again. */
#ifndef PLINTH_SYS_TPM_H
#define PLINTH_SYS_TPM_H

#include "base/err.h"
#include "base/view.h"
#include "tee/event.h"
#include "tee/tpm2.h"

struct tpm {
    int fd;
    size_t bank_count; /* active among sha256, sha384, in this order */
    enum hash_alg banks[BANKS_MAX];
};

#define TPM_QUOTED_PCRS 16u /* a quote covers PCRs 0-15 of every active bank */

/* Opens the device; waits up to `timeout_ms` for it to appear. ERR_SYSTEM when absent, or when neither the sha256 nor the
 * sha384 bank is active. */
bool tpm_open(int timeout_ms, struct tpm *out, struct err *e);
/* The same over a descriptor that takes a command and gives its response (a device, a socket to swtpm). Owned by `out`
 * from here on when it succeeds, by the caller otherwise. */
bool tpm_open_fd(int fd, struct tpm *out, struct err *e);
void tpm_close(struct tpm *t);
/* Extends `pcr` in every active bank with that bank's digest of `event`, in one command. */
bool tpm_extend(struct tpm *t, unsigned pcr, struct view event, struct err *e);
/* Values of PCRs first .. first+count-1 of one bank. */
bool tpm_read(struct tpm *t, enum hash_alg bank, unsigned first, size_t count, uint8_t (*values)[HASH_MAX],
              struct err *e);

struct tpm_quote {
    uint8_t attest[1024], signature[512], ak_public[512]; /* TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC */
    size_t attest_n, signature_n, ak_public_n;
    uint8_t ak_point[65]; /* 04 || x || y */
};
/* Creates the AK, quotes PCRs 0-15 of every active bank over `nonce` (at most TPM2_NONCE_MAX bytes), flushes. */
bool tpm_quote(struct tpm *t, struct view nonce, struct tpm_quote *out, struct err *e);
/* By the persistent key at `handle`, of RSA with RSASSA, over PCRs 0-23 of the sha256 bank: what Trustee's verifier
 * takes. ak_public is its SubjectPublicKeyInfo (DER). ERR_SYSTEM, ERR_POLICY: there is no such key. ERR_DIGEST: the
 * quote is over another nonce or other values than `pcrs`. */
bool tpm_quote_rsa(struct tpm *t, uint32_t handle, struct view nonce, struct tpm_quote *out,
                   uint8_t pcrs[static TPM2_PCRS][32], struct err *e);
/* The EK certificate (DER), ECC before RSA, of at most `size` bytes. *n is 0 when NV holds none
 * that can be read. */
void tpm_ek_certificate(struct tpm *t, uint8_t *out, size_t size, size_t *n);
/* What was encrypted to the EK for this AK (TPM2_MakeCredential): proves to who encrypted it that both live in one TPM.
 * The length of `secret` tells which EK: 256 bytes is the RSA one's. At most TPM2_NONCE_MAX bytes. */
bool tpm_activate(struct tpm *t, struct view blob, struct view secret, uint8_t out[static TPM2_NONCE_MAX], size_t *n,
                  struct err *e);
/* The firmware's event log from securityfs (which must be mounted), less than `size` bytes; *n is 0 when there is none.
 * ERR_SYSTEM when it is longer. */
bool tpm_firmware_log(uint8_t *out, size_t size, size_t *n, struct err *e);

#endif
