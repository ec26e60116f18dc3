/* tpm_quote: TPMS_ATTEST, TPMT_SIGNATURE and TPMT_PUBLIC (TPM 2.0 Library, Part 2), as other TPMs make them than
 * Plinth's: any bank, RSA and ECC keys. All integers big-endian; nothing is verified here. Views point into the bytes.
 */
#ifndef PLINTH_APPRAISE_TPM_QUOTE_H
#define PLINTH_APPRAISE_TPM_QUOTE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "tee/event.h"

#include <openssl/types.h>

#define TPM_SELECTIONS_MAX 16u /* of a quote */
#define TPM_PCRS 24u

enum {
    TPM_ALG_RSA = 0x0001,
    TPM_ALG_NULL = 0x0010,
    TPM_ALG_RSASSA = 0x0014,
    TPM_ALG_RSAPSS = 0x0016,
    TPM_ALG_ECDSA = 0x0018,
    TPM_ALG_ECC = 0x0023
};
/* TPMA_OBJECT */
enum {
    TPMA_FIXED_TPM = 1 << 1,
    TPMA_FIXED_PARENT = 1 << 4,
    TPMA_SENSITIVE_DATA_ORIGIN = 1 << 5,
    TPMA_RESTRICTED = 1 << 16,
    TPMA_DECRYPT = 1 << 17,
    TPMA_SIGN = 1 << 18,
};

struct tpm_quote {
    struct view qualified_signer, extra_data, pcr_digest;
    uint64_t clock, firmware_version;
    uint32_t reset_count, restart_count;
    bool safe;
    size_t selection_count;
    struct {
        uint16_t alg; /* TPM_ALG_ID of the bank */
        uint32_t pcrs;
    } selections[TPM_SELECTIONS_MAX];
};
/* ERR_FORMAT: other magic (a TPM has not made it), another type than TPM_ST_ATTEST_QUOTE, cut, trailing bytes, too many
 * banks, a bank twice, a PCR above 23. */
bool tpm_quote_parse(struct view attest, struct tpm_quote *out, struct err *e);
/* "sha1", "sha256"...; NULL for algorithms that are no hash of a bank. *size: of a digest. */
const char *tpm_bank_name(uint16_t alg, size_t *size);

struct tpm_signature {
    uint16_t scheme;
    enum hash_alg hash;
    struct view rsa, r, s;
};
/* ERR_FORMAT: another scheme or hash (SHA-1 among them), cut, trailing bytes. */
bool tpm_signature_parse(struct view bytes, struct tpm_signature *out, struct err *e);
/* Of `message` by `key`; r and s may be short. */
bool tpm_signature_holds(const struct tpm_signature *s, EVP_PKEY *key, struct view message);

/* A key's public area, or the key alone. */
struct tpm_key {
    EVP_PKEY *key;                          /* owned */
    struct view public_area;                /* TPMT_PUBLIC; empty when the key came alone */
    uint16_t name_alg, scheme, scheme_hash; /* scheme TPM_ALG_NULL: any */
    uint32_t attributes;
};
/* From TPMT_PUBLIC or TPM2B_PUBLIC of an RSA or ECC key, or a public key in PEM or DER. ERR_FORMAT: none of these, RSA
 * below 2048 bits, another curve than P-256 and P-384, trailing bytes. */
bool tpm_key_parse(struct view bytes, struct arena *a, struct tpm_key *out, struct err *e);

#endif
