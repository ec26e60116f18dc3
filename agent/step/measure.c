/* see measure.h */
#include "step/measure.h"

#include "base/limits.h"
#include "base/version.h"
#include <stdio.h>

#define REASON_MAX 512u

/* Room for the JSON of one event; members are written in RFC 8785's order by the callers. */
struct content {
    uint8_t bytes[EVENT_TEXT_MAX];
    struct writer out;
};

static void begin(struct content *c) {
    c->out = writer_of(c->bytes, sizeof c->bytes);
    write_u8(&c->out, '{');
}

static void put_text(struct content *c, const char *member, struct view value) {
    struct writer *out = &c->out;
    write_member(out, member);
    write_u8(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        uint8_t b = value.p[i];
        if (b == '"' || b == '\\') write_u8(out, '\\');
        write_u8(out, b >= 0x20 && b <= 0x7e ? b : '?');
    }
    write_u8(out, '"');
}

static void put_digest(struct content *c, const char *member, const struct digest *digest) {
    char text[DIGEST_TEXT_SIZE];
    put_text(c, member, view_str(digest_text(digest, text)));
}

/* Writes the record behind the log, and what the register will be: nothing counts before it accepted. */
static bool write_ahead(struct measurement *m, const char *operation, struct view ev, struct err *e) {
    struct writer log = m->log;
    event_record(m->mr_index, m->banks, m->bank_count, ev, &log);
    if (log.full)
        return err_set(e, ERR_FORMAT, "the event log has %zu bytes, the next event \"%s\" does not fit into %zu", m->log.n,
                       operation, m->log.size);
    for (size_t i = 0; i < m->bank_count; i++) {
        uint8_t digest[HASH_MAX];
        hash_once(m->banks[i].alg, ev, digest);
        m->next[i] = m->banks[i];
        register_extend(&m->next[i], digest);
    }
    m->next_log = log.n;
    return true;
}

static void commit(struct measurement *m) {
    memcpy(m->banks, m->next, sizeof m->banks);
    m->log.n = m->next_log;
    m->in_flight = NULL;
}

static bool event(struct measurement *m, const char *domain, const char *operation, struct view content, struct err *e) {
    uint8_t bytes[EVENT_MAX];
    struct writer encoded = writer_of(bytes, sizeof bytes);
    if (!event_encode(domain, operation, content, &encoded, e)) return false;
    struct view ev = writer_view(&encoded);
    for (struct measurement *i = m; i; i = i->also)
        if (!write_ahead(i, operation, ev, e)) return false;
    for (; m; m = m->also) {
        m->in_flight = operation;
        if (m->tee && !tee_extend(m->tee, ev, e)) return err_in(e, "event \"%s\"", operation);
        commit(m);
    }
    return true;
}

bool measure_event(struct measurement *m, const char *operation, struct view content, struct err *e) {
    return event(m, EVENT_DOMAIN, operation, content, e);
}

static bool finish(struct measurement *m, const char *domain, const char *operation, struct content *c, struct err *e) {
    write_u8(&c->out, '}');
    if (c->out.full) return err_set(e, ERR_FORMAT, "event \"%s\" is longer than %u bytes", operation, EVENT_TEXT_MAX);
    return event(m, domain, operation, writer_view(&c->out), e);
}

/* Compares the register in every bank with `banks`. */
static bool compare(const struct measurement *m, const struct register_bank *banks, enum err_kind kind,
                    const char *what, struct err *e) {
    for (size_t i = 0; m->tee && i < m->bank_count; i++) {
        size_t n = hash_size(banks[i].alg);
        uint8_t value[HASH_MAX];
        if (!tee_read(m->tee, i, value, e)) return false;
        if (view_eq(view_of(value, n), view_of(banks[i].value, n))) continue;
        char text[4 * HASH_MAX + 2], reg[32];
        struct writer hex = writer_of(text, sizeof text);
        write_hex(&hex, view_of(value, n));
        write_u8(&hex, 0);
        write_hex(&hex, view_of(banks[i].value, n));
        return err_set(e, kind, "%s: %s is %s in the %s bank, %s was expected", what, tee_register(m->tee, reg), text,
                       hash_name(banks[i].alg), (writer_str(&hex), text + 2 * n + 1));
    }
    return true;
}

bool measure_begin(struct measurement *m, struct tee *tee, unsigned pcr, struct arena *a, struct err *e) {
    struct measurement new = {
        .tee = tee, .mr_index = tee ? tee->mr_index : pcr, .bank_count = tee ? tee->bank_count : 2};
    uint8_t *log = arena_alloc(a, EVENTLOG_MAX);
    if (!log) return arena_full(a, e);
    for (size_t i = 0; i < new.bank_count; i++) new.banks[i].alg = tee ? tee->banks[i] : i ? HASH_SHA384 : HASH_SHA256;
    if (!compare(&new, new.banks, ERR_POLICY, "somebody extended the register before this boot", e))
        return tee->kind == TEE_TPM && e->kind == ERR_POLICY
                   ? err_mend(e, "set register.pcr of the policy to a PCR between 8 and 15 that no boot loader uses")
                   : false;
    new.log = writer_of(log, EVENTLOG_MAX);
    event_log_header(new.banks, new.bank_count, &new.log);
    *m = new;
    return true;
}

bool measure_check(const struct measurement *m, struct err *e) {
    for (; m; m = m->also)
        if (!compare(m, m->banks, ERR_DIGEST, "the register does not hold what the event log says", e)) return false;
    return true;
}

/* Whatever was on its way when the boot failed: the register tells whether it arrived. Gives its operation, NULL when
 * nothing was. */
static const char *settle(struct measurement *m) {
    const char *operation = NULL;
    struct err ignored;
    for (; m; m = m->also) {
        if (!m->in_flight) continue;
        operation = m->in_flight;
        if (compare(m, m->next, ERR_DIGEST, operation, &ignored)) commit(m);
        m->in_flight = NULL;
    }
    return operation;
}

bool measure_boot(struct measurement *m, struct err *e) {
    struct content c;
    char agent[64];
    snprintf(agent, sizeof agent, "plinth %s", plinth_version);
    begin(&c);
    put_text(&c, "agent", view_str(agent));
    return finish(m, EVENT_DOMAIN, "boot", &c, e);
}

bool measure_initdata(struct measurement *m, const struct digest *initdata, struct err *e) {
    struct content c;
    begin(&c);
    put_digest(&c, "digest", initdata);
    return finish(m, EVENT_DOMAIN, "initdata", &c, e);
}

bool measure_policy(struct measurement *m, const struct policy *policy, struct err *e) {
    struct content c;
    begin(&c);
    put_digest(&c, "digest", &policy->digest);
    if (policy->weaknesses.n) put_text(&c, "weaknesses", policy->weaknesses);
    return finish(m, EVENT_DOMAIN, "policy", &c, e);
}

bool measure_resource(struct measurement *m, const char *what, const struct config_resource *resource, struct err *e) {
    struct content c;
    begin(&c);
    put_digest(&c, "digest", &resource->digest);
    put_text(&c, "uri", resource->uri);
    return finish(m, EVENT_DOMAIN, what, &c, e);
}

bool measure_weaknesses(struct measurement *m, const struct policy *policy, struct err *e) {
    struct content c;
    if (!policy->weaknesses.n) return true;
    begin(&c);
    put_text(&c, "weaknesses", policy->weaknesses);
    return finish(m, EVENT_DOMAIN, "weaknesses", &c, e);
}

const char *measure_image_name(const struct config *config, char *out, size_t size) {
    reference_text(config->policy.has_image ? &config->policy.image : &config->image, out, size);
    return out;
}

bool measure_image(struct measurement *m, const struct config *config, const struct verified_image *image, struct err *e) {
    struct content manifest, pull, conf;
    char text[2048];
    struct view reference = view_str(measure_image_name(config, text, sizeof text));
    begin(&manifest);
    put_digest(&manifest, "digest", &image->manifest_digest);
    put_text(&manifest, "image", reference);
    if (image->through_index) put_digest(&manifest, "index", &image->index_digest);
    begin(&pull);
    put_digest(&pull, "digest", &image->manifest_digest);
    put_text(&pull, "image", reference);
    begin(&conf);
    put_digest(&conf, "digest", &image->config_digest);
    return finish(m, EVENT_DOMAIN, "manifest", &manifest, e) && finish(m, EVENT_DOMAIN_COCO, "PullImage", &pull, e) &&
           finish(m, EVENT_DOMAIN, "config", &conf, e);
}

bool measure_layer(struct measurement *m, const struct verified_image *image, size_t i, struct err *e) {
    struct content c;
    begin(&c);
    put_digest(&c, "diffID", &image->config.diff_ids[i]);
    put_digest(&c, "digest", &image->manifest.layers[i].descriptor.digest);
    write_member(&c.out, "index");
    write_dec(&c.out, i);
    return finish(m, EVENT_DOMAIN, "layer", &c, e);
}

/* RFC 8785 text into a hash, piece by piece: arguments may be longer than any buffer here. */
static void hash_string(struct hash *h, struct view v) {
    uint8_t piece[2 + 6 * 64]; /* no byte becomes more than \u00XX */
    hash_update(h, VIEW("\""));
    for (; v.n; v = view_skip(v, 64)) {
        struct writer w = writer_of(piece, sizeof piece);
        write_json_string(&w, view_first(v, 64));
        hash_update(h, view_of(piece + 1, w.n - 2));
    }
    hash_update(h, VIEW("\""));
}

static void hash_list(struct hash *h, const struct text_list *list) {
    hash_update(h, VIEW("["));
    for (size_t i = 0; i < list->count; i++) {
        if (i) hash_update(h, VIEW(","));
        hash_string(h, list->items[i]);
    }
    hash_update(h, VIEW("]"));
}

static struct digest process_digest(const struct process *p) {
    struct digest d;
    struct hash h;
    hash_init(&h, HASH_SHA256);
    hash_update(&h, VIEW("{\"args\":"));
    hash_list(&h, &p->args);
    hash_update(&h, VIEW(",\"cwd\":"));
    hash_string(&h, p->cwd);
    hash_update(&h, VIEW(",\"env\":"));
    hash_list(&h, &p->env);
    hash_update(&h, VIEW(",\"user\":"));
    hash_string(&h, p->user);
    hash_update(&h, VIEW("}"));
    hash_final(&h, d.sha256);
    return d;
}

bool measure_launch(struct measurement *m, const struct process *process, struct err *e) {
    struct content c;
    struct digest digest = process_digest(process);
    begin(&c);
    put_digest(&c, "process", &digest);
    put_text(&c, "user", view_first(process->user, 256));
    return finish(m, EVENT_DOMAIN, "launch", &c, e) && measure_event(m, "separator", VIEW("{}"), e);
}

bool measure_failure(struct measurement *m, const struct err *why, struct err *e) {
    struct content c;
    char line[sizeof why->text + sizeof why->trail];
    if (!m->bank_count) return true;
    const char *in_flight = settle(m);
    err_line(why, line, sizeof line);
    begin(&c);
    if (in_flight) put_text(&c, "inFlight", view_str(in_flight));
    put_text(&c, "reason", view_first(view_str(line), REASON_MAX));
    return finish(m, EVENT_DOMAIN, "failure", &c, e);
}

bool measure_workload(struct measurement *m, struct view domain, struct view operation, struct view content,
                      struct err *e) {
    char first[EVENT_TEXT_MAX], second[EVENT_TEXT_MAX];
    if (view_is(domain, EVENT_DOMAIN) || view_is(domain, EVENT_DOMAIN_COCO))
        return err_set(e, ERR_POLICY, "the domain %.*s is for events of the boot", VIEW_ARG(domain));
    if (!view_to_str(domain, first, sizeof first) || !view_to_str(operation, second, sizeof second))
        return err_set(e, ERR_FORMAT, "domain or operation of the event is too long, or has a NUL");
    bool ok = event(m, first, second, content, e);
    if (!ok) settle(m); /* the next one goes on from what the register holds */
    return ok;
}

bool measure_predict(struct measurement *m, const struct config *config, const struct verified_image *image,
                     const struct process *process, struct arena *a, struct err *e) {
    const struct policy *named = config->first ? &config->policy : NULL;
    const struct config_resource second = {named ? config->first->kbs.policy : (struct view){0}, config->policy.digest};
    if (!measure_begin(m, NULL, config->policy.pcr, a, e) || !measure_boot(m, e) ||
        (config->has_initdata && !measure_initdata(m, &config->initdata, e)) ||
        !measure_policy(m, named ? config->first : &config->policy, e) ||
        (named && (!measure_resource(m, "policy", &second, e) || !measure_weaknesses(m, named, e))))
        return false;
    for (size_t i = 0; i < config->resource_count; i++)
        if (!measure_resource(m, "resource", &config->resources[i], e)) return false;
    if (!measure_image(m, config, image, e)) return false;
    for (size_t i = 0; i < image->manifest.layer_count; i++)
        if (!measure_layer(m, image, i, e)) return false;
    return measure_launch(m, process, e);
}
