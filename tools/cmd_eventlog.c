/* cmd_eventlog: plinth eventlog FILE. Prints and replays an event log, or both logs of an evidence file. */
#include "base/codec.h"
#include "base/limits.h"
#include "base/reader.h"
#include "format/json.h"
#include "tools/eventlog.h"
#include "tee/evidence.h"
#include "tools/file.h"
#include "tools/options.h"
#include "tools/result.h"

#include <stdio.h>

#define FILE_MAX (16u << 20) /* a CCEL area may be megabytes of padding */
#define LOGS_MAX 2u
#define SHOWN_BYTES 24u /* of an event that is no text */

struct logs {
    size_t count;
    struct {
        const char *name;
        struct view bytes;
        enum eventlog_kind kind; /* of a log that was walked */
        size_t used;
    } logs[LOGS_MAX];
};

/* A record and what is known about it. */
struct entry {
    const char *log;
    size_t number;
    const struct eventlog_record *record;
    const char *check; /* "matches", "differs", NULL: nothing to compare with */
};

struct output {
    struct result *json; /* NULL: text for people */
    const char *log;     /* the last one printed */
};

static bool evidence_logs(struct view text, struct arena *a, struct logs *out, struct err *e) {
    static const char *const names[LOGS_MAX] = {"firmware_log", "eventlog"};
    const json *root;
    if (!json_parse(text, a, &root, e)) return false;
    for (size_t i = 0; i < LOGS_MAX; i++) {
        struct view base64;
        size_t n;
        if (!json_need_text(root, names[i], "evidence", &base64, e)) return false;
        uint8_t *bytes = arena_alloc(a, base64.n);
        if (base64.n && !bytes) return arena_full(a, e);
        if (!base64_decode(base64, bytes, base64.n, &n)) return err_set(e, ERR_FORMAT, "evidence: %s is no base64", names[i]);
        out->logs[i].name = names[i];
        out->logs[i].bytes = view_of(bytes, n);
    }
    out->count = LOGS_MAX;
    return true;
}

/* ---- what an event says ---- */

/* ASCII up to a NUL, or UTF-16LE of ASCII characters, into `out`: the number of characters, 0 for anything else. */
static size_t plain_text(struct view v, char *out, size_t size) {
    size_t step = v.n > 1 && v.p[1] == 0 ? 2 : 1, n = 0;
    for (size_t i = 0; i < v.n && v.p[i] && n + 1 < size; i += step) {
        if (v.p[i] < 0x20 || v.p[i] > 0x7e || (step == 2 && (i + 1 >= v.n || v.p[i + 1]))) return 0;
        out[n++] = (char)v.p[i];
    }
    out[n] = 0;
    return n;
}

/* UEFI_VARIABLE_DATA: GUID[16] | u64 name characters | u64 bytes | name | bytes. False for other types. */
static bool variable_name(const struct eventlog_record *r, struct view *name) {
    const char *type = eventlog_record_name(r);
    struct reader in = reader_of(view_skip(r->event, 16));
    uint64_t n = read_le64(&in);
    read_le64(&in);
    if (!type || !view_starts(view_str(type), VIEW("EV_EFI_VARIABLE_")) || n > r->event.n) return false;
    *name = view_first(in.rest, 2 * (size_t)n);
    return true;
}

/* The readable part of an event, or NULL. */
static const char *event_text(const struct eventlog_record *r, char *out, size_t size) {
    struct view text;
    if (r->cel) return plain_text(view_skip(r->event, 10), out, size) ? out : NULL; /* two TLV headers */
    if (variable_name(r, &text)) return plain_text(text, out, size) ? out : NULL;
    if (!eventlog_aael(r, &text)) text = r->type == EVENT_EVENT_TAG ? view_skip(r->event, 8) : r->event;
    return plain_text(text, out, size) > 3 ? out : NULL; /* fewer are rather a number */
}

static const char *type_name(const struct eventlog_record *r, char out[static 12]) {
    const char *name = eventlog_record_name(r);
    if (!name) snprintf(out, 12, "0x%08x", r->type);
    return name ? name : out;
}

static const char *alg_name(uint16_t alg, char out[static 12]) {
    enum hash_alg known;
    if (alg == TPM2_ALG_SHA1) return "sha1";
    if (tpm2_hash(alg, &known)) return hash_name(known);
    snprintf(out, 12, "0x%04x", alg);
    return out;
}

static void print_hex(struct view v) {
    for (size_t i = 0; i < v.n; i++) printf("%02x", v.p[i]);
}

/* ---- the two ways to print ---- */

static void print_text(struct output *o, const struct entry *entry) {
    const struct eventlog_record *r = entry->record;
    char name[12], text[EVENT_TEXT_MAX + 1];
    if (o->log != entry->log) printf("%s\n", entry->log);
    printf("%4zu  register %-2u  %s%s%s\n", entry->number, r->mr_index, type_name(r, name),
           entry->check ? "  digest " : "", entry->check ? entry->check : "");
    for (size_t i = 0; i < r->digest_count && (r->cel || r->type != EVENT_NO_ACTION); i++) {
        printf("      %s ", alg_name(r->digests[i].alg, name));
        print_hex(r->digests[i].bytes);
        printf("\n");
    }
    if (event_text(r, text, sizeof text)) {
        printf("      %s\n", text);
    } else if (r->event.n) {
        printf("      ");
        print_hex(view_first(r->event, SHOWN_BYTES));
        printf(r->event.n > SHOWN_BYTES ? ".. (%zu bytes)\n" : "\n", r->event.n);
    }
}

static void print_json(struct output *o, const struct entry *entry) {
    const struct eventlog_record *r = entry->record;
    char name[12], text[EVENT_TEXT_MAX + 1];
    result_open(o->json, NULL, '{');
    result_text(o->json, "log", entry->log);
    result_number(o->json, "number", true, entry->number);
    result_number(o->json, "register", true, r->mr_index);
    result_number(o->json, "type", true, r->type);
    result_text(o->json, "typeName", eventlog_record_name(r));
    result_open(o->json, "digests", '{');
    for (size_t i = 0; i < r->digest_count; i++) result_hex(o->json, alg_name(r->digests[i].alg, name), r->digests[i].bytes);
    result_close(o->json, '}');
    result_text(o->json, "check", entry->check);
    result_text(o->json, "text", event_text(r, text, sizeof text));
    result_hex(o->json, "event", r->event);
    result_close(o->json, '}');
}

static void print_register(struct output *o, const char *bank, const char *name, struct view value) {
    if (o->json) {
        result_hex(o->json, name, value);
        return;
    }
    printf("register %-2s  %s ", name, bank);
    print_hex(value);
    printf("\n");
}

static void print_bank(struct output *o, const char *bank, const struct eventlog_register *regs) {
    if (o->json) result_open(o->json, bank, '{');
    for (unsigned i = 0; i < EVENTLOG_REGISTERS; i++) {
        char number[12];
        snprintf(number, sizeof number, "%u", i);
        if (regs[i].used) print_register(o, bank, number, view_of(regs[i].bank.value, hash_size(regs[i].bank.alg)));
    }
    if (o->json) result_close(o->json, '}');
}

/* `cc`: registers 1 to 4 go by their own names, too. */
static void print_registers(struct output *o, const struct eventlog_registers *regs, bool cc) {
    if (o->json) result_open(o->json, "sha1", '{');
    for (unsigned i = 0; i < EVENTLOG_REGISTERS; i++) {
        char number[12];
        snprintf(number, sizeof number, "%u", i);
        if (regs->sha1[i].used)
            print_register(o, "sha1", number, view_of(regs->sha1[i].value, sizeof regs->sha1[i].value));
    }
    if (o->json) result_close(o->json, '}');
    print_bank(o, "sha256", regs->sha256);
    print_bank(o, "sha384", regs->sha384);
    if (!cc) return;
    if (o->json) result_open(o->json, "rtmr", '{');
    for (unsigned i = 1; i <= 4; i++) {
        char name[12];
        snprintf(name, sizeof name, o->json ? "rtmr%u" : "RTMR%u", i - 1);
        if (regs->sha384[i].used) print_register(o, "sha384", name, view_of(regs->sha384[i].bank.value, 48));
    }
    if (o->json) result_close(o->json, '}');
}

/* ---- one walk over all logs: without `o` only to check ---- */

static bool walk(struct logs *logs, struct output *o, struct eventlog_registers *regs, struct err *e) {
    struct err first = {0};
    *regs = eventlog_registers_new();
    for (size_t i = 0; i < logs->count; i++) {
        struct eventlog log = eventlog_of(logs->logs[i].bytes);
        struct eventlog_record record;
        struct entry entry = {.log = logs->logs[i].name, .record = &record};
        for (; eventlog_next(&log, &record, e) && eventlog_extend(regs, &record, e); entry.number++) {
            bool known, matches = eventlog_digest_matches(&record, &known);
            char name[12];
            entry.check = !known ? NULL : matches ? "matches" : "differs";
            if (!matches && first.kind == ERR_NONE)
                err_set(&first, ERR_DIGEST, "%s: record %zu, %s of register %u: the digest is not that of the event",
                        entry.log, entry.number, type_name(&record, name), record.mr_index);
            if (o) (o->json ? print_json : print_text)(o, &entry);
            if (o) o->log = entry.log;
        }
        if (e->kind != ERR_NONE) return err_in(e, "%s", entry.log);
        logs->logs[i].kind = log.kind;
        logs->logs[i].used = eventlog_used(&log);
    }
    *e = first;
    return first.kind == ERR_NONE;
}

static bool load(const char *path, struct arena *a, struct logs *out, struct err *e) {
    struct view bytes;
    if (!file_read("event log", path, FILE_MAX, a, &bytes, e)) return false;
    if (view_starts(view_trim(bytes), VIEW("{"))) return evidence_logs(bytes, a, out, e);
    *out = (struct logs){.count = 1, .logs = {{.name = "log", .bytes = bytes}}};
    return true;
}

/* The ACPI table is no log; it says where one is. */
static bool print_table(const struct logs *logs, bool json, int *status) {
    struct ccel_table table;
    if (logs->count != 1 || !ccel_table_read(logs->logs[0].bytes, &table)) return false;
    *status = 0;
    if (json) {
        static struct result r;
        struct err none = {0};
        result_begin(&r, &none);
        result_open(&r, "ccel", '{');
        result_number(&r, "ccType", true, table.cc_type);
        result_number(&r, "ccSubtype", true, table.cc_subtype);
        result_number(&r, "logAreaMinimumLength", true, table.log_size);
        result_number(&r, "logAreaStartAddress", true, table.log_address);
        result_close(&r, '}');
        *status = result_end(&r, 0);
    } else {
        printf("ACPI table CCEL: %s, a log of %llu bytes at 0x%llx\n",
               table.cc_type == 2   ? "TDX"
               : table.cc_type == 1 ? "SEV"
                                    : "unknown type",
               (unsigned long long)table.log_size, (unsigned long long)table.log_address);
        if (fflush(stdout)) *status = 3;
    }
    return true;
}

static int print_result(struct logs *logs, struct arena *a, const struct err *verdict) {
    static struct result result;
    struct eventlog_registers regs;
    struct output o = {.json = &result};
    struct err ignored;
    size_t size = a->size - a->used;
    result_begin(&result, verdict);
    struct writer wide = writer_of(arena_alloc(a, size), size); /* each byte twice in hex, and names: more than a result holds */
    write_bytes(&wide, writer_view(&result.out));
    result.out = wide;
    result_open(&result, "records", '[');
    (void)walk(logs, &o, &regs, &ignored);
    result_close(&result, ']');
    result_open(&result, "logs", '[');
    for (size_t i = 0; i < logs->count; i++) {
        result_open(&result, NULL, '{');
        result_text(&result, "name", logs->logs[i].name);
        result_text(&result, "kind", eventlog_kind_name(logs->logs[i].kind));
        result_number(&result, "size", true, logs->logs[i].bytes.n);
        result_number(&result, "used", true, logs->logs[i].used);
        result_close(&result, '}');
    }
    result_close(&result, ']');
    result_open(&result, "registers", '{');
    print_registers(&o, &regs, logs->logs[0].kind == EVENTLOG_CC);
    result_close(&result, '}');
    return result_end(&result, err_status(verdict));
}

int cmd_eventlog(int argc, char **argv) {
    bool json = false;
    const struct option options[] = {{"--json", NULL, "one JSON object on standard output", &json, NULL, NULL}, {0}};
    const struct usage usage = {
        "eventlog",
        "FILE",
        "Print an event log and the registers that follow from it.\n"
        "FILE: a log (TPM 1.2 or 2.0, the data of a CCEL, AAEL, Plinth's own, Google's CEL), evidence\n"
        "with both of its logs, or the ACPI table CCEL.\n"
        "Refused when a digest is not that of its event, or the log is broken.",
        1,
        1,
        options};
    struct arena a = {0};
    struct err e = {0}, ignored;
    struct logs logs = {0};
    struct eventlog_registers regs;
    struct output text = {0};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;
    bool loaded = arena_make(&a, 32 * (size_t)FILE_MAX, &e) && load(argv[0], &a, &logs, &e);
    if (loaded && print_table(&logs, json, &status)) {
        arena_drop(&a);
        return status;
    }
    bool ok = loaded && walk(&logs, NULL, &regs, &e);
    if (loaded && !json) {
        (void)walk(&logs, &text, &regs, &ignored);
        print_registers(&text, &regs, logs.logs[0].kind == EVENTLOG_CC);
        if (fflush(stdout)) ok = err_sys(&e, "standard output");
    }
    status = ok ? 0 : command_fail(&e);
    if (json) status = print_result(&logs, &a, &e);
    arena_drop(&a);
    return status;
}
