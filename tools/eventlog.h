/* eventlog: reading and replaying event logs. Used by the host tool and by tests; PID 1 only writes logs.
 *
 *   EVENTLOG_SHA1  TPM 1.2: TCG_PCR_EVENT (PC Client Platform Firmware Profile 1.05, section 10.2.1)
 *   EVENTLOG_TPM   TPM 2.0: crypto-agile, TCG_PCR_EVENT2 behind a "Spec ID Event03" header; Plinth's and CoCo's own
 * events (AAEL) too EVENTLOG_CC    the same with measurement registers, the data of an ACPI CCEL (UEFI 2.10
 * section 38.4.1): the header stands in register 1 (or is td-shim's); 1 to 4 are RTMR0 to RTMR3, 0 is MRTD, which no
 * event extends. CoCo appends AAEL records with fewer digests EVENTLOG_CEL   TCG Canonical Event Log in the TLV form of
 * Google's Confidential Space: u8 type | u32 big-endian length | value; a record is recnum (0), PCR (1) or CCMR (108),
 * digests (3), content (80), whose TLV is what is hashed */
#ifndef PLINTH_TOOLS_EVENTLOG_H
#define PLINTH_TOOLS_EVENTLOG_H

#include "base/err.h"
#include "base/view.h"
#include "crypto/hash.h"
#include "tee/event.h"

#define EVENTLOG_ALG_MAX 8u
#define EVENTLOG_REGISTERS 24u

struct eventlog_digest {
    uint16_t alg; /* TPM_ALG_ID: 0x0004 sha1, 0x000B sha256, 0x000C sha384, 0x000D sha512 */
    struct view bytes;
};

enum eventlog_kind { EVENTLOG_SHA1, EVENTLOG_TPM, EVENTLOG_CC, EVENTLOG_CEL };

struct eventlog_record {
    bool cel; /* type is that of the content: 0 to 11; event is its TLV of type 80, all of it */
    uint32_t mr_index, type;
    size_t digest_count;
    struct eventlog_digest digests[EVENTLOG_ALG_MAX];
    struct view event;
};

struct eventlog {
    struct view bytes, rest;
    enum eventlog_kind kind; /* after the first record */
    bool started;
    uint64_t records;
    size_t alg_count; /* crypto-agile form: the algorithms that the header record names */
    struct {
        uint16_t alg, size;
    } algs[EVENTLOG_ALG_MAX];
};

struct eventlog eventlog_of(struct view bytes);
/* The next record; its views point into the log. False with e->kind == ERR_NONE at the end: end of bytes, or nothing
 * but 0x00 or nothing but 0xff from here on. Else ERR_FORMAT with the offset: a cut record, a register above 23, an
 * algorithm that the header does not name, one twice, or one missing (EVENTLOG_CC: sha384 missing); in EVENTLOG_CC a
 * register that is none; in EVENTLOG_CEL a record out of order, a TLV of another type or length than it should have. */
bool eventlog_next(struct eventlog *log, struct eventlog_record *out, struct err *e);

/* The registers after the log. EV_NO_ACTION extends nothing; a StartupLocality event starts PCR 0 at that locality.
 * SHA-1 is replayed to be shown, for TPM 1.2 logs have nothing else: nothing may rest on it. */
struct eventlog_registers {
    struct eventlog_register {
        bool used; /* at least one event */
        struct register_bank bank;
    } sha256[EVENTLOG_REGISTERS], sha384[EVENTLOG_REGISTERS];
    struct eventlog_sha1 {
        bool used;
        uint8_t value[20];
    } sha1[EVENTLOG_REGISTERS];
    size_t records;
};
struct eventlog_registers eventlog_registers_new(void);
/* One record more. ERR_FORMAT: a StartupLocality after PCR 0 was extended, or twice. */
bool eventlog_extend(struct eventlog_registers *to, const struct eventlog_record *r, struct err *e);
/* The whole log. `out` is untouched on failure. */
bool eventlog_replay(struct view bytes, struct eventlog_registers *out, struct err *e);

/* False when a sha256, sha384 or sha512 digest is not that of the event bytes. *known is false, and the answer true, for types
 * whose digest is over something that the log does not hold, and for records with a SHA-1 digest only. */
bool eventlog_digest_matches(const struct eventlog_record *r, bool *known);
/* The text of an AAEL event, without tag and length; false for any other record. */
bool eventlog_aael(const struct eventlog_record *r, struct view *text);
/* "EV_SEPARATOR" and so on; NULL for a type without a name. */
const char *eventlog_type_name(uint32_t type);
/* The same for a record: also "COS ImageRef" and so on of EVENTLOG_CEL. */
const char *eventlog_record_name(const struct eventlog_record *r);
/* "TPM 1.2", "TPM 2.0", "CC", "CEL" */
const char *eventlog_kind_name(enum eventlog_kind kind);
/* What the log holds but padding, in bytes: after eventlog_next gave false without an error. */
static inline size_t eventlog_used(const struct eventlog *log) { return log->bytes.n - log->rest.n; }

/* The ACPI table CCEL itself (UEFI 2.10 section 38.4.1), which says where its log is. */
struct ccel_table {
    uint8_t cc_type, cc_subtype; /* 1 SEV, 2 TDX */
    uint64_t log_size, log_address;
};
/* Whether `v` is one: length and checksum are right. */
bool ccel_table_read(struct view v, struct ccel_table *out);

#endif
