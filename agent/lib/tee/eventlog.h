/* eventlog: reading and replaying TCG event logs (PC Client Platform Firmware Profile, "Event Logging"): SHA-1 form, crypto-agile
 * form, Plinth's own log. Used by the host tool (eventlog) and by tests; PID 1 only writes logs. */
#ifndef PLINTH_TEE_EVENTLOG_H
#define PLINTH_TEE_EVENTLOG_H

#include "base/err.h"
#include "base/view.h"
#include "crypto/hash.h"

#define EVENTLOG_ALG_MAX 8u

struct eventlog_digest {
    uint16_t alg; /* TPM_ALG_ID: 0x0004 sha1, 0x000B sha256, 0x000C sha384, 0x000D sha512 */
    struct view bytes;
};

struct eventlog_record {
    uint32_t mr_index, type;
    size_t digest_count;
    struct eventlog_digest digests[EVENTLOG_ALG_MAX];
    struct view event;
};

struct eventlog {
    struct view rest;
    bool agile;
    bool started;
    size_t alg_count;
    struct {
        uint16_t alg, size;
    } algs[EVENTLOG_ALG_MAX];
};

struct eventlog eventlog_of(struct view bytes);
/* The next record. False with e->kind == ERR_NONE at the end (end of bytes, or padding of 0x00 or 0xff); else ERR_FORMAT with the offset. */
bool eventlog_next(struct eventlog *log, struct eventlog_record *out, struct err *e);

/* All registers of all algorithms after the log; EV_NO_ACTION records extend nothing, StartupLocality sets PCR 0. */
struct eventlog_registers {
    struct {
        bool used;
        uint8_t value[HASH_MAX];
    } sha256[24], sha384[24];
    size_t records;
};
bool eventlog_replay(struct view bytes, struct eventlog_registers *out, struct err *e);
/* True when the record's digests are those of its event bytes (for types where that is defined); *known false for other types. */
bool eventlog_digest_matches(const struct eventlog_record *r, bool *known);
/* "EV_SEPARATOR" and so on; "0x%08x"-style names are the caller's for NULL. */
const char *eventlog_type_name(uint32_t type);

#endif
