/* eventlog: reading and replaying TCG event logs (PC Client Platform Firmware Profile 1.05, section 10): the SHA-1 form, the
 * crypto-agile form (also a CCEL's data), Plinth's own log. Used by the host tool and by tests; PID 1 only writes logs. */
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

struct eventlog_record {
    uint32_t mr_index, type;
    size_t digest_count;
    struct eventlog_digest digests[EVENTLOG_ALG_MAX];
    struct view event;
};

struct eventlog {
    struct view bytes, rest;
    bool agile, started;
    size_t alg_count; /* crypto-agile form: the algorithms that the header record names */
    struct {
        uint16_t alg, size;
    } algs[EVENTLOG_ALG_MAX];
};

struct eventlog eventlog_of(struct view bytes);
/* The next record; its views point into the log. False with e->kind == ERR_NONE at the end: end of bytes, or nothing but 0x00
 * or nothing but 0xff from here on. Else ERR_FORMAT with the offset: a cut record, a register above 23, an algorithm that
 * the header does not name, one twice, or one missing. */
bool eventlog_next(struct eventlog *log, struct eventlog_record *out, struct err *e);

/* The sha256 and sha384 registers after the log. EV_NO_ACTION extends nothing; a StartupLocality event starts PCR 0 at that
 * locality. SHA-1 is not replayed: nothing may rest on it. */
struct eventlog_registers {
    struct eventlog_register {
        bool used; /* at least one event */
        struct register_bank bank;
    } sha256[EVENTLOG_REGISTERS], sha384[EVENTLOG_REGISTERS];
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

#endif
