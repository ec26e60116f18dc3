/* see replay.h */
#include "tools/appraise/replay.h"

#include "format/json.h"
#include "oci/digest.h"
#include "tools/eventlog.h"

enum step { BOOT, INITDATA, POLICY, SECOND, WEAKNESSES, RESOURCE, MANIFEST, PULL_IMAGE, CONFIG, LAYER, LAUNCH, SEPARATOR, END };
/* A step's name, whether a boot may leave it out or have it again, and what a boot has come to that ends behind it. */
static const struct {
    const char *operation;
    bool optional, repeats;
    enum replay_stage stage;
} steps[] = {{"boot", false, false, REPLAY_NONE},         {"initdata", true, false, REPLAY_NONE},
             {"policy", false, false, REPLAY_STARTED},    {"policy", true, false, REPLAY_STARTED},
             {"weaknesses", true, false, REPLAY_STARTED}, {"resource", true, true, REPLAY_STARTED},
             {"manifest", false, false, REPLAY_NONE},     {"PullImage", false, false, REPLAY_NONE},
             {"config", false, false, REPLAY_IMAGE},      {"layer", true, true, REPLAY_IMAGE},
             {"launch", false, false, REPLAY_NONE},       {"separator", false, false, REPLAY_LAUNCHED}};

struct run {
    struct arena *a;
    struct replay *r;
    enum step next; /* the first that may come */
    size_t number;  /* of the record, from 1; the header is none */
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

static bool policy(struct replay *r, const json *o, bool second, struct err *e) {
    struct view digest, uri = {0};
    if (!need_digest(o, "digest", "policy", &digest, e) || (second && !json_need_text(o, "uri", "policy", &uri, e)) ||
        (json_get(o, "weaknesses") && !json_need_text(o, "weaknesses", "policy", &r->weaknesses, e)))
        return false;
    r->named_by = r->policy, r->policy_uri = uri, r->policy = digest;
    return true;
}

/* What the second policy is weak in, beside what the one that named it is. */
static bool weaknesses(struct run *run, const json *o, struct err *e) {
    struct replay *r = run->r;
    struct view weak;
    if (!r->named_by.n) return err_set(e, ERR_FORMAT, "weaknesses of no second policy");
    if (!json_need_text(o, "weaknesses", "weaknesses", &weak, e)) return false;
    size_t size = r->weaknesses.n + 1 + weak.n;
    struct writer both = writer_of(arena_alloc(run->a, size), size);
    if (!both.p) return arena_full(run->a, e);
    if (r->weaknesses.n) write_bytes(&both, r->weaknesses), write_u8(&both, ' ');
    write_bytes(&both, weak);
    r->weaknesses = writer_view(&both);
    return true;
}

static bool resource(struct replay *r, const json *o, struct err *e) {
    if (r->resource_count == REPLAY_RESOURCES_MAX)
        return err_set(e, ERR_FORMAT, "more than %u resources", REPLAY_RESOURCES_MAX);
    struct replay_resource *one = &r->resources[r->resource_count];
    if (!need_digest(o, "digest", "resource", &one->digest, e) || !json_need_text(o, "uri", "resource", &one->uri, e))
        return false;
    return r->resource_count++, true;
}

/* The members of each event, and no others. */
static bool contents(struct run *run, enum step step, const json *o, struct err *e) {
    static const char *const members[][4] = {{"agent"},
                                             {"digest"},
                                             {"digest", "weaknesses"},
                                             {"digest", "uri"},
                                             {"weaknesses"},
                                             {"digest", "uri"},
                                             {"digest", "image", "index"},
                                             {"digest", "image"},
                                             {"digest"},
                                             {"diffID", "digest", "index"},
                                             {"process", "user"},
                                             {NULL}};
    struct replay *r = run->r;
    const char *where = steps[step].operation;
    struct view digest, image;
    if (!json_only(o, members[step], where, e)) return e->kind = ERR_FORMAT, false;
    switch (step) {
    case BOOT:
        return json_need_text(o, "agent", where, &r->agent, e);
    case INITDATA:
        return need_digest(o, "digest", where, &r->initdata, e);
    case POLICY:
    case SECOND:
        return policy(r, o, step == SECOND, e);
    case WEAKNESSES:
        return weaknesses(run, o, e);
    case RESOURCE:
        return resource(r, o, e);
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

/* The step that must come next: the first that no boot may leave out. */
static const char *due(const struct run *run) {
    enum step step = run->next;
    while (steps[step].optional) step++;
    return steps[step].operation;
}

static bool is_step(enum step step, struct view domain, struct view operation) {
    return view_is(operation, steps[step].operation) &&
           view_is(domain, step == PULL_IMAGE ? EVENT_DOMAIN_COCO : EVENT_DOMAIN);
}

static bool boot_event(struct run *run, struct view domain, struct view operation, const json *o, struct err *e) {
    enum step step = run->next, any = BOOT;
    if (view_is(domain, EVENT_DOMAIN) && view_is(operation, "failure")) return failed(run, o, e);
    while (any < END && !is_step(any, domain, operation)) any++;
    if (any == END)
        return err_set(e, ERR_FORMAT, "'%.*s %.*s' is no event of a boot", VIEW_ARG(view_first(domain, 64)),
                       VIEW_ARG(view_first(operation, 64)));
    while (!is_step(step, domain, operation) && steps[step].optional) step++;
    if (!is_step(step, domain, operation))
        return err_set(e, ERR_FORMAT, "'%s' where '%s' is due", steps[any].operation, due(run));
    if (!contents(run, step, o, e)) return false;
    run->r->stage = steps[step].stage;
    run->next = steps[step].repeats ? step : step + 1;
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
    r->separated = run->next == END;
    return true;
}

static bool replay(struct view bytes, uint32_t mr_index, const struct register_bank *banks, size_t count, bool prefix,
                   struct arena *a, struct replay *out, struct err *e) {
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
    return out->separated || (prefix && out->stage != REPLAY_NONE) ||
           err_set(e, ERR_POLICY, "the log ends without the separator, where '%s' is due: the boot was not over",
                   due(&run));
}

bool replay_log(struct view bytes, uint32_t mr_index, const struct register_bank *banks, size_t count, struct arena *a,
                struct replay *out, struct err *e) {
    return replay(bytes, mr_index, banks, count, false, a, out, e);
}

bool replay_prefix(struct view bytes, uint32_t mr_index, const struct register_bank *banks, size_t count,
                   struct arena *a, struct replay *out, struct err *e) {
    return replay(bytes, mr_index, banks, count, true, a, out, e);
}

const char *replay_stage_name(enum replay_stage stage) {
    static const char *const names[] = {"none", "started", "image", "launched"};
    return names[stage];
}
