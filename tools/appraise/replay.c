/* see replay.h */
#include "tools/appraise/replay.h"

#include "format/json.h"
#include "oci/digest.h"
#include "tools/eventlog.h"

enum stage { BOOT, POLICY, MANIFEST, PULL_IMAGE, CONFIG, LAYER, LAUNCH, SEPARATOR, WORKLOAD };
static const char *const operations[] = {"boot",   "policy", "manifest", "PullImage",
                                         "config", "layer",  "launch",   "separator"};

struct run {
    struct arena *a;
    struct replay *r;
    enum stage next;
    size_t number; /* of the record, from 1; the header is none */
};

static const struct eventlog_digest *digest_of(const struct eventlog_record *record, enum hash_alg alg) {
    for (size_t i = 0; i < record->digest_count; i++)
        if (record->digests[i].alg == tpm2_alg(alg)) return &record->digests[i];
    return NULL;
}

static bool is_header(const struct eventlog_record *record) {
    return record->type == EVENT_NO_ACTION && view_starts(record->event, VIEW("Spec ID Event03\0"));
}

/* One record into every bank; the header passes by. */
static bool extend(struct register_bank *banks, size_t count, const struct eventlog_record *record, uint32_t mr_index,
                   struct err *e) {
    if (record->mr_index != mr_index)
        return err_set(e, ERR_FORMAT, "a record of register %u, Plinth's is %u", record->mr_index, mr_index);
    for (size_t i = 0; i < count; i++) {
        const struct eventlog_digest *d = digest_of(record, banks[i].alg);
        if (!d) return err_set(e, ERR_FORMAT, "a record without a %s digest", hash_name(banks[i].alg));
        register_extend(&banks[i], d->bytes.p);
    }
    return true;
}

/* The next record that counts; false without an error at the end. */
static bool next(struct eventlog *log, struct eventlog_record *record, struct err *e) {
    bool first = !log->started;
    if (!eventlog_next(log, record, e)) return false;
    if (!first) return true;
    if (record->cel || !is_header(record)) return err_set(e, ERR_FORMAT, "the log does not begin with its header");
    return eventlog_next(log, record, e);
}

static void zero_banks(struct register_bank *out, const struct register_bank *banks, size_t count) {
    memset(out, 0, count * sizeof *out);
    for (size_t i = 0; i < count; i++) out[i].alg = banks[i].alg;
}

bool replay_register(struct view bytes, uint32_t mr_index, const struct register_bank *banks, size_t count,
                     struct register_bank *out, struct err *e) {
    struct eventlog log = eventlog_of(bytes);
    struct eventlog_record record;
    zero_banks(out, banks, count);
    for (size_t n = 1; next(&log, &record, e); n++)
        if (!extend(out, count, &record, mr_index, e)) return err_in(e, "event %zu", n);
    return e->kind == ERR_NONE;
}

/* ---- what the events say ---- */

static bool need_digest(const json *o, const char *name, const char *where, struct view *out, struct err *e) {
    struct digest digest;
    return json_need_text(o, name, where, out, e) &&
           (digest_parse(*out, &digest, e) || err_in(e, "%s: %s", where, name));
}

static bool same(struct view a, struct view b, const char *what, struct err *e) {
    return view_eq(a, b) || err_set(e, ERR_FORMAT, "PullImage names another %s than manifest: '%.*s' and '%.*s'", what,
                                    VIEW_ARG(view_first(a, 128)), VIEW_ARG(view_first(b, 128)));
}

static bool layer(struct run *run, const json *o, struct err *e) {
    struct replay *r = run->r;
    uint64_t index;
    if (r->layer_count == LAYERS_MAX) return err_set(e, ERR_FORMAT, "more than %u layers", LAYERS_MAX);
    struct replay_layer *l = &r->layers[r->layer_count];
    if (!need_digest(o, "digest", "layer", &l->digest, e) || !need_digest(o, "diffID", "layer", &l->diff_id, e) ||
        !json_need_u64(o, "index", "layer", &index, e))
        return false;
    if (index != r->layer_count)
        return err_set(e, ERR_FORMAT, "layer %llu, the next one is %zu", (unsigned long long)index, r->layer_count);
    r->layer_count++;
    return true;
}

/* The members of each event, and no others. */
static bool contents(struct run *run, enum stage stage, const json *o, struct err *e) {
    static const char *const members[][4] = {
        {"agent"},  {"digest", "weaknesses"},      {"digest", "image", "index"}, {"digest", "image"},
        {"digest"}, {"diffID", "digest", "index"}, {"process", "user"},          {NULL}};
    struct replay *r = run->r;
    const char *where = operations[stage];
    struct view digest, image;
    if (!json_only(o, members[stage], where, e)) return e->kind = ERR_FORMAT, false;
    switch (stage) {
    case BOOT:
        return json_need_text(o, "agent", where, &r->agent, e);
    case POLICY:
        return need_digest(o, "digest", where, &r->policy, e) &&
               (!json_get(o, "weaknesses") || json_need_text(o, "weaknesses", where, &r->weaknesses, e));
    case MANIFEST:
        return need_digest(o, "digest", where, &r->manifest, e) && json_need_text(o, "image", where, &r->image, e) &&
               (!json_get(o, "index") || need_digest(o, "index", where, &r->index, e));
    case PULL_IMAGE:
        return need_digest(o, "digest", where, &digest, e) && json_need_text(o, "image", where, &image, e) &&
               same(r->manifest, digest, "digest", e) && same(r->image, image, "image", e);
    case CONFIG:
        return need_digest(o, "digest", where, &r->config, e);
    case LAYER:
        return layer(run, o, e);
    case LAUNCH:
        return need_digest(o, "process", where, &r->process, e) && json_need_text(o, "user", where, &r->user, e);
    default:
        return true;
    }
}

/* A boot that was refused: reason, and the event that was on its way. */
static bool failed(struct run *run, const json *o, struct err *e) {
    if (!json_need_text(o, "reason", "failure", &run->r->failure, e)) return false;
    return err_set(e, ERR_POLICY, "the boot failed: %.*s", VIEW_ARG(view_first(run->r->failure, 512)));
}

static bool boot_event(struct run *run, struct view domain, struct view operation, const json *o, struct err *e) {
    bool own = view_is(domain, EVENT_DOMAIN);
    enum stage stage = BOOT;
    if (own && view_is(operation, "failure")) return failed(run, o, e);
    while (stage < WORKLOAD && !(view_is(operation, operations[stage]) &&
                                 view_is(domain, stage == PULL_IMAGE ? EVENT_DOMAIN_COCO : EVENT_DOMAIN)))
        stage++;
    if (stage == WORKLOAD)
        return err_set(e, ERR_FORMAT, "'%.*s %.*s' is no event of a boot", VIEW_ARG(view_first(domain, 64)),
                       VIEW_ARG(view_first(operation, 64)));
    if (stage != run->next && !(run->next == LAYER && stage == LAUNCH))
        return err_set(e, ERR_FORMAT, "'%s' where '%s' is due", operations[stage], operations[run->next]);
    if (!contents(run, stage, o, e)) return false;
    run->next = stage == LAYER ? LAYER : stage + 1;
    return true;
}

static bool event(struct run *run, const struct eventlog_record *record, struct err *e) {
    struct replay *r = run->r;
    struct view text, rest, domain, operation;
    bool known, is_text = eventlog_aael(record, &text);
    const json *o;
    if (!eventlog_digest_matches(record, &known) || (is_text && !known))
        return err_set(e, ERR_DIGEST, "the digest is not that of the event");
    if (r->separated && !is_text) return r->workload_count++, true;
    if (!is_text) return err_set(e, ERR_FORMAT, "the record is no event in CoCo's form (EV_EVENT_TAG, AAEL)");
    rest = text;
    domain = view_cut(&rest, ' ', NULL), operation = view_cut(&rest, ' ', NULL);
    if (r->separated) {
        r->workload_count++;
        return !view_is(domain, EVENT_DOMAIN) ||
               err_set(e, ERR_FORMAT, "'%s %.*s' behind the separator: Plinth's domain ends there", EVENT_DOMAIN,
                       VIEW_ARG(view_first(operation, 64)));
    }
    if (r->event_count == REPLAY_EVENTS_MAX) return err_set(e, ERR_FORMAT, "more events than a boot has");
    r->events[r->event_count++] = arena_copy(run->a, text);
    if (!json_parse(rest, run->a, &o, e)) return err_in(e, "content");
    if (!json_is_object(o)) return err_set(e, ERR_FORMAT, "the content is no JSON object");
    if (!boot_event(run, domain, operation, o, e)) return false;
    r->separated = run->next == WORKLOAD;
    return true;
}

bool replay_log(struct view bytes, uint32_t mr_index, const struct register_bank *banks, size_t count, struct arena *a,
                struct replay *out, struct err *e) {
    struct run run = {.a = a, .r = out, .number = 1};
    struct eventlog log = eventlog_of(bytes);
    struct eventlog_record record;
    memset(out, 0, sizeof *out);
    out->bank_count = count;
    zero_banks(out->banks, banks, count), zero_banks(out->boot, banks, count);
    for (; next(&log, &record, e); run.number++) {
        bool boot = !out->separated;
        if (!extend(out->banks, count, &record, mr_index, e)) return err_in(e, "event %zu", run.number);
        if (boot) memcpy(out->boot, out->banks, sizeof out->boot);
        if (!event(&run, &record, e)) return err_in(e, "event %zu", run.number);
    }
    if (e->kind != ERR_NONE) return false;
    return out->separated ||
           err_set(e, ERR_POLICY, "the log ends without the separator, where '%s' is due: the boot was not over",
                   operations[run.next]);
}
