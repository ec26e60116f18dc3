/* evidence: the document that an agent gives (agent/lib/tee/evidence.h), read by the one who appraises it.
 *
 * Strict about what is there: one JSON object with nothing behind it, no member twice, every member of the right type,
 * hex in lower case and of the right length, base64 with padding, sizes bounded. A member of another name is passed
 * over and named in `unknown`: only quotes and reports are evidence, so nothing that is passed over can make a verdict
 * better. Nothing here is verified but that the document does not contradict itself: `register` is the value beside it.
 */
#ifndef PLINTH_APPRAISE_EVIDENCE_H
#define PLINTH_APPRAISE_EVIDENCE_H

#include "base/arena.h"
#include "base/err.h"
#include "format/json.h"
#include "tee/evidence.h"

#define EVIDENCE_FILE_MAX (4u << 20) /* four logs, a quote with its certificates, in base64: below 2 MiB */
#define EVIDENCE_NONCE_MAX 64u       /* qualifyingData of a TPM2_Quote */
#define EVIDENCE_UNKNOWN_MAX 128u
#define EVIDENCE_CHAIN_MAX 4u

enum evidence_tee { EVIDENCE_TPM, EVIDENCE_TDX, EVIDENCE_SNP };
const char *evidence_tee_name(enum evidence_tee tee); /* "tpm" */

/* A TPM's part. */
struct tpm_document {
    struct view quote, signature, ak_public, ak_public_pem, ek_certificate;
    size_t bank_count;
    struct evidence_bank banks[BANKS_MAX]; /* sha256, sha384, sha512: those that are there */
    unsigned pcr;                          /* Plinth's register */
    struct view eventlog, firmware_log;
};

struct evidence_document {
    struct view version, image, manifest, policy; /* text */
    enum evidence_tee tee;
    uint8_t nonce[EVIDENCE_NONCE_MAX];
    size_t nonce_size;
    bool has_tpm; /* with EVIDENCE_TPM always */
    struct tpm_document tpm;
    struct view quote, certificates; /* a CPU's: quote or report */
    struct view preimage;
    uint8_t report_data[64], value[48]; /* what the document says; the quote counts */
    struct view eventlog, firmware_log;
    char unknown[EVIDENCE_UNKNOWN_MAX]; /* names, joined with ", "; cut */
    bool foreign; /* not a Plinth document at all: see foreign.h */
    size_t chain_count;
    struct view chain[EVIDENCE_CHAIN_MAX]; /* certificates beside a foreign report, DER */
};

/* ERR_FORMAT naming the member. Views point into `a` or `text`, which both live as long as `out`. */
bool evidence_read(struct view text, struct arena *a, struct evidence_document *out, struct err *e);
/* The same of a JSON value that was parsed already, and lives as long. */
bool evidence_take(const json *o, struct arena *a, struct evidence_document *out, struct err *e);

/* The bank of an algorithm, or NULL. */
const struct evidence_bank *evidence_bank(const struct tpm_document *t, enum hash_alg alg);

/* What report_data must be the SHA-384 of, made anew from nonce, register and AK; `out` EVIDENCE_EXPECTED_MAX or more.
 */
#define EVIDENCE_EXPECTED_MAX 1024u
void evidence_expected_preimage(const struct evidence_document *d, struct writer *out);

#endif
