/* tpm2: command and response bytes of the few TPM 2.0 commands that Plinth uses (TPM 2.0 Library, Part 3), no I/O.
 *
 * Build a command into a writer, send it (sys/tpm), parse the response. All integers big-endian. Empty authorisation
 * everywhere (TPM_RS_PW with an empty password): the hierarchies of a fresh vTPM have none. */
#ifndef PLINTH_TEE_TPM2_H
#define PLINTH_TEE_TPM2_H

#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"
#include "crypto/hash.h"

#define TPM2_COMMAND_MAX 4096u
#define TPM2_NONCE_MAX 64u

enum { TPM2_ALG_SHA256 = 0x000B, TPM2_ALG_SHA384 = 0x000C, TPM2_ALG_SHA512 = 0x000D };
uint16_t tpm2_alg(enum hash_alg alg);

/* A set of PCRs in one bank: bit i is PCR i. */
struct tpm2_selection {
    enum hash_alg bank;
    uint32_t pcrs;
};

void tpm2_get_pcr_banks(struct writer *out);
void tpm2_pcr_extend(unsigned pcr, const struct register_digest *digests, size_t count, struct writer *out);
void tpm2_pcr_read(const struct tpm2_selection *selection, struct writer *out);
/* Restricted ECC P-256 signing key (ECDSA SHA-256) as primary in the endorsement hierarchy: the AK; same key while the seed lives. */
void tpm2_create_ak(struct writer *out);
void tpm2_quote(uint32_t ak_handle, struct view qualifying_data, const struct tpm2_selection *selections, size_t count,
                struct writer *out);
void tpm2_flush(uint32_t handle, struct writer *out);
void tpm2_get_random(uint16_t bytes, struct writer *out);

#endif
