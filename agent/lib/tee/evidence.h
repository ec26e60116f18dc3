/* evidence: the JSON file a relying party appraises (RFC 9334 section 4), all on one line, members in this order:
 *
 *   plinth          version of the agent             tee            "tpm"
 *   nonce           hex                              quote          base64 TPMS_ATTEST
 *   signature       base64 TPMT_SIGNATURE            ak_public      base64 TPMT_PUBLIC of the AK
 *   ak_public_pem   the same, PEM SubjectPublicKeyInfo (tpm2_checkquote -u)
 *   pcrs            {"sha256":{"0":hex..."15":hex},"sha384":{...}}: the values under the quote's pcrDigest
 *   register        {"pcr":15,"sha256":hex,"sha384":hex}
 *   eventlog        base64, Plinth's own log         firmware_log   base64, the firmware's; empty when it has none
 *   image           reference                        manifest, policy   digests ("sha256:<hex>")
 *
 * Only quote and signature are evidence; the rest says what to hash and how to read it, and counts once it fits them. */
#ifndef PLINTH_TEE_EVIDENCE_H
#define PLINTH_TEE_EVIDENCE_H

#include "base/limits.h"
#include "base/view.h"
#include "base/writer.h"
#include "tee/event.h"

#define EVIDENCE_PCRS 16u
/* Two logs in base64, three banks of PCRs, and 16 KiB for the rest. */
#define EVIDENCE_MAX ((EVENTLOG_MAX + FIRMWARE_LOG_MAX) / 3 * 4 + (16u << 10))

struct evidence_bank {
    enum hash_alg alg;
    uint8_t pcrs[EVIDENCE_PCRS][HASH_MAX];
};

struct evidence {
    struct view version, tee, nonce, quote, signature, ak_public;
    uint8_t ak_point[65]; /* 04 || x || y on P-256 */
    size_t bank_count;
    struct evidence_bank banks[BANKS_MAX];
    unsigned pcr; /* below EVIDENCE_PCRS */
    struct view eventlog, firmware_log, image, manifest, policy;
};

/* `out` is full when EVIDENCE_MAX was not enough: a log longer than its limit. */
void evidence_write(const struct evidence *ev, struct writer *out);
/* "-----BEGIN PUBLIC KEY-----" (RFC 7468 section 13, RFC 5480) of a P-256 point; 178 bytes. */
void evidence_pem(const uint8_t point[static 65], struct writer *out);

#endif
