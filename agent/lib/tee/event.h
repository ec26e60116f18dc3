/* event: what is measured, as TCG2 records in CoCo's AAEL form, and the register that results.
 *
 * Event bytes (little-endian): u32 tag 0x4141454C | u32 length | ASCII "domain operation content". The digest is over
 * all of these bytes. Record (TCG_PCR_EVENT2): u32 mrIndex | u32 type 6 (EV_EVENT_TAG) | u32 digestCount |
 * {u16 alg, digest}... | u32 size | event. mrIndex is the PCR's number on a TPM, and EVENT_MR_RTMR3 on TDX and SNP
 * (SHA-384 alone). Plinth's domain is "plinth"; operations: boot, initdata, policy, manifest, config, layer, launch, failure, and
 * the separator. The content of plinth events is RFC 8785 JSON. After the manifest event follows CoCo's own
 * "github.com/confidential-containers PullImage {"digest":...,"image":...}". */
#ifndef PLINTH_TEE_EVENT_H
#define PLINTH_TEE_EVENT_H

#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"
#include "crypto/hash.h"

#define EVENT_DOMAIN "plinth"
#define EVENT_DOMAIN_COCO "github.com/confidential-containers"
#define EVENT_TEXT_MAX 2048u             /* domain, operation and content together */
#define EVENT_MAX (EVENT_TEXT_MAX + 8u) /* the event bytes */

#define EVENT_MR_RTMR3 4u /* CC measurement register index (UEFI 2.10, 38.4.1): 0 MRTD, 1-4 RTMR0-3 */

#define EVENT_NO_ACTION 3u
#define EVENT_EVENT_TAG 6u
#define EVENT_TAG_AAEL 0x4141454Cu

/* TPM_ALG_ID of a hash (TPM 2.0 Library Part 2, table 9). */
enum { TPM2_ALG_SHA1 = 0x0004, TPM2_ALG_SHA256 = 0x000B, TPM2_ALG_SHA384 = 0x000C, TPM2_ALG_SHA512 = 0x000D };
enum { TPM2_ALG_SM3 = 0x0012 };
uint16_t tpm2_alg(enum hash_alg alg);
/* False, with *alg untouched, for an algorithm that crypto/hash does not have (SHA-1, SM3, SHA-3). */
bool tpm2_hash(uint16_t tpm_alg, enum hash_alg *alg);

/* Writes the event bytes. ERR_FORMAT: a space in domain or operation or one of them empty, a byte outside 0x20..0x7e in
 * any part, a text above EVENT_TEXT_MAX, no room in `out`. `out` is untouched then. */
bool event_encode(const char *domain, const char *operation, struct view content, struct writer *out, struct err *e);

/* One bank of the measurement register and its value now. */
struct register_bank {
    enum hash_alg alg;
    uint8_t value[HASH_MAX];
};
/* value = H(value || digest), which is PCR_Extend and the RTMR rule. */
void register_extend(struct register_bank *bank, const uint8_t *digest);

#define BANKS_MAX 3u
/* Appends the record for `event` with one digest per bank, computed here. A log too small becomes `full`. */
void event_record(uint32_t mr_index, const struct register_bank *banks, size_t bank_count, struct view event,
                  struct writer *log);
/* The TCG "Spec ID Event03" header record (PC Client Platform Firmware Profile 1.05, section 10.4.5.1) that lets
 * tpm2_eventlog and others read the log; first in a new log. */
void event_log_header(const struct register_bank *banks, size_t bank_count, struct writer *log);

/* The records of a firmware's crypto-agile log (a CCEL's data), without the end mark (8 bytes 0xff, or 8 bytes 0x00) or
 * padding behind them. ERR_FORMAT: a record is cut, or has a digest of an unknown algorithm, or more than 8 of them. */
bool event_log_end(struct view area, struct view *records, struct err *e);

#endif
