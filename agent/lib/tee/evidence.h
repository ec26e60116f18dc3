/* evidence: the JSON file a relying party appraises (RFC 9334 section 4), all on one line, members in this order:
 *
 *   plinth          version of the agent             tee            "tpm", "tdx" or "snp": what leads
 *   nonce           hex
 *   image           reference                        manifest, policy   digests ("sha256:<hex>"); the last three members
 *
 * A TPM's part; with "tpm" its members stand at the top, beside a CPU's evidence in an object "tpm":
 *   quote           base64 TPMS_ATTEST, over the nonce   signature      base64 TPMT_SIGNATURE
 *   ak_public       base64 TPMT_PUBLIC of the AK     ak_public_pem   the same, PEM SubjectPublicKeyInfo (tpm2_checkquote -u)
 *   ek_certificate  base64 DER from NV, ECC before RSA; empty when there is none
 *   pcrs            {"sha256":{"0":hex..."15":hex},"sha384":{...}}: the values under the quote's pcrDigest
 *   register        {"pcr":15,"sha256":hex,"sha384":hex}
 *   eventlog        base64, Plinth's own log         firmware_log   base64, the firmware's; empty when it has none
 *
 * A CPU's part:
 *   quote (tdx) or report (snp)   base64, as the kernel gave it (a quote may be padded)
 *   certificates    base64, SNP only: the GHCB certificate table that the host added (configfs auxblob); empty when there is none
 *   report_data     hex, 64 bytes: SHA-384 of `preimage`, then EVIDENCE_TAG
 *   preimage        text, RFC 8785: {"nonce":"<hex>","register":{...},"tpm":{"ak_public":"sha256:<hex>"}}
 *                   register is the member below, tpm is there only beside the object "tpm": that AK spoke to this agent
 *   register        tdx {"rtmr":3,"sha384":hex}; snp {"kept_by":"monitor","sha384":hex}: the CPU has no such register, so the agent kept the
 *                   value and put it into report_data. It is as good as the agent, which the launch measurement names, and no better
 *   eventlog        as above, mrIndex 4, SHA-384 alone    firmware_log   the records of CCEL, without its end mark; empty on SNP
 *   tpm             only when the machine has a TPM too
 *
 * Only quote, signature and report are evidence; the rest says what to hash and how to read it, and counts once it fits them. */
#ifndef PLINTH_TEE_EVIDENCE_H
#define PLINTH_TEE_EVIDENCE_H

#include "base/limits.h"
#include "base/view.h"
#include "base/writer.h"
#include "tee/event.h"

#define EVIDENCE_PCRS 16u
/* Two pairs of logs, a report and its certificates in base64, three banks of PCRs, and 24 KiB for the rest. */
#define EVIDENCE_MAX ((2 * (EVENTLOG_MAX + FIRMWARE_LOG_MAX) + REPORT_MAX + CERTIFICATES_MAX) / 3 * 4 + (24u << 10))
#define EVIDENCE_PREIMAGE_MAX 1024u
/* The end of report_data, by which a report is Plinth's own word: the agent lets no workload have a report that ends so. A
 * workload that could choose all 64 bytes could name another register than its own, where no hardware holds the register. */
#define EVIDENCE_TAG "plinth-evidence1"
/* How a nonce begins that binds a key of the agent's: for a KBS, or for a TLS certificate. Host and workload get evidence
 * over nonces of their choice, but over none that begins so: with it a key of their own would pass for the agent's. */
#define EVIDENCE_KEY_TAG "plinth-"
#define EVIDENCE_KEY_KBS "plinth-k"
#define EVIDENCE_KEY_TLS "plinth-t"
#define EVIDENCE_KEY_NONCE_SIZE 32u

struct evidence_bank {
    enum hash_alg alg;
    uint8_t pcrs[EVIDENCE_PCRS][HASH_MAX];
};

struct evidence_tpm {
    struct view quote, signature, ak_public, ek_certificate;
    uint8_t ak_point[65]; /* 04 || x || y on P-256 */
    size_t bank_count;
    struct evidence_bank banks[BANKS_MAX];
    unsigned pcr; /* below EVIDENCE_PCRS */
    struct view eventlog, firmware_log;
};

struct evidence {
    struct view version, tee, nonce;
    const struct evidence_tpm *tpm;              /* what leads when tee is "tpm"; else NULL, or what stands beside */
    struct view report, certificates;            /* a CPU's */
    struct view report_data, preimage;
    uint8_t value[48];                           /* the register's */
    struct view eventlog, firmware_log;
    struct view image, manifest, policy;
};

/* `out` is full when EVIDENCE_MAX was not enough: a log longer than its limit. */
void evidence_write(const struct evidence *ev, struct writer *out);
/* What report_data is the digest of: from tee, nonce, value, and tpm where it is set (its ak_public). At most EVIDENCE_PREIMAGE_MAX. */
void evidence_preimage(const struct evidence *ev, struct writer *out);
/* SubjectPublicKeyInfo in DER (RFC 5480) of a P-256 point. */
#define EVIDENCE_SPKI_SIZE 91u
void evidence_spki(const uint8_t point[static 65], uint8_t out[static EVIDENCE_SPKI_SIZE]);
/* What the report is over. */
void evidence_report_data(struct view preimage, uint8_t out[static 64]);
/* Whether 64 bytes of report_data end as Plinth's own do. */
bool evidence_is_tagged(const uint8_t report_data[static 64]);
/* The nonce that binds a key: the tag, then as much of a digest over that key as there is room for (192 bits). */
void evidence_key_nonce(const char *tag, const uint8_t *digest, uint8_t nonce[static EVIDENCE_KEY_NONCE_SIZE]);
bool evidence_binds_key(struct view nonce);
/* "-----BEGIN PUBLIC KEY-----" (RFC 7468 section 13, RFC 5480) of a P-256 point; 178 bytes. */
void evidence_pem(const uint8_t point[static 65], struct writer *out);

#endif
