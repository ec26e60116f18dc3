/* see api.h */
#include "step/api.h"

#include "step/attest.h"
#include "step/measure.h"
#include "sys/listen.h"
#include "tee/evidence.h"
#include "tee/report.h"
#include "worker/frame.h"
#include "worker/job.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#define RESOURCE_MAX (1u << 20)
#define KBS_MS 20000 /* so long the monitor waits for it, and for nothing else */

static struct api {
    const struct supervision *s;
    int eventlog;
} api;

static bool used_get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e) {
    struct used_resources *u = state;
    struct view path;
    if (policy_resource(uri, &path)) {
        bool known = false;
        for (size_t i = 0; i < u->count && i < USED_MAX; i++) known |= view_eq(u->paths[i], path);
        if (!known && u->count < USED_MAX) u->paths[u->count] = arena_copy(u->arena, path);
        u->count += !known;
    }
    return u->source->get(u->source->state, uri, max, secrets, out, e);
}

const struct secret_source *used_watch(struct used_resources *u, const struct secret_source *source, struct arena *a) {
    *u = (struct used_resources){.self = {used_get, u}, .source = source, .arena = a};
    return &u->self;
}

/* "kbs:///a/b" stands for itself and what is below it. */
static bool is_below(struct view path, struct view prefix) {
    prefix = view_skip(prefix, sizeof "kbs:///" - 1);
    return view_starts(path, prefix) &&
           (!prefix.n || path.n == prefix.n || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/');
}

bool api_allows(const struct policy *policy, const struct used_resources *used, struct view path, struct err *e) {
    bool allowed = !policy->api_prefix_count && used->count <= USED_MAX;
    for (size_t i = 0; !policy->api_prefix_count && i < used->count && i < USED_MAX; i++)
        allowed &= !view_eq(used->paths[i], path);
    for (size_t i = 0; i < policy->api_prefix_count; i++) allowed |= is_below(path, policy->api_prefixes[i]);
    return allowed ||
           err_set(e, ERR_POLICY, "%.*s is %s", VIEW_ARG(view_first(path, 200)),
                   policy->api_prefix_count ? "not below run.api.resources of the policy"
                                            : "for the boot: run.api.resources of the policy would allow it");
}

static bool resource(struct view path, struct arena *a, struct view *out, struct err *e) {
    const struct supervision *s = api.s;
    struct writer uri = writer_of(arena_alloc(a, API_TEXT_MAX + 16), API_TEXT_MAX + 16);
    struct view checked;
    if (!uri.p) return arena_full(a, e);
    write_text(&uri, "kbs:///");
    write_bytes(&uri, path);
    if (!policy_resource(writer_view(&uri), &checked))
        return err_set(e, ERR_FORMAT, "'%.*s' is no repository/type/tag", VIEW_ARG(view_first(path, 200)));
    if (!s->kbs) return err_set(e, ERR_POLICY, "the policy names no KBS");
    const struct secret_source *source = kbs_source(s->kbs);
    return api_allows(&s->config->policy, s->used, checked, e) &&
           source->get(source->state, writer_view(&uri), RESOURCE_MAX, a, out, e);
}

static bool token(struct arena *a, struct view *out, struct err *e) {
    struct view text, pem;
    if (!api.s->kbs) return err_set(e, ERR_POLICY, "the policy names no KBS");
    if (!kbs_token(api.s->kbs, a, &text, &pem, e)) return false;
    size_t max = text.n + 2 * pem.n + 64;
    struct writer w = writer_of(arena_alloc(a, max), max);
    if (!w.p) return arena_full(a, e);
    write_text(&w, "{\"token\":");
    write_json_string(&w, text);
    write_member(&w, "tee_keypair");
    write_json_string(&w, pem);
    write_u8(&w, '}');
    *out = writer_view(&w);
    return true;
}

static bool extend(const struct api_request *r, struct view *out, struct err *e) {
    struct measurement *m = api.s->measured;
    size_t before = m->log.n;
    bool ok = measure_workload(m, r->first, r->second, r->third, e);
    struct view more = view_of(m->log.p + before, m->log.n - before);
    if (more.n && write(api.eventlog, more.p, more.n) != (ssize_t)more.n && ok)
        return err_sys(e, "the event was measured, but the copy of the log cannot be written");
    kbs_renew(api.s->kbs); /* the next token shall tell of it */
    *out = VIEW("{\"success\":\"true\"}");
    return ok;
}

static bool answer(void *state, struct view asked, struct arena *a, struct view *out, struct err *e) {
    struct api_request r;
    const struct supervision *s = api.s;
    uint8_t report_data[REPORT_DATA_SIZE] = {0};
    (void)state;
    if (!api_request_decode(asked, &r, e)) return false;
    if (!(s->config->policy.api & (r.kind == API_RESOURCE ? POLICY_API_RESOURCE : POLICY_API_ATTESTATION)))
        return err_set(e, ERR_POLICY, "run.api.feature of the policy does not have it");
    switch (r.kind) {
    case API_RESOURCE: return resource(r.first, a, out, e);
    case API_TOKEN: return token(a, out, e);
    case API_EXTEND: return extend(&r, out, e);
    default: break;
    }
    if (r.first.n > sizeof report_data)
        return err_set(e, ERR_FORMAT, "more than %zu bytes of report_data", sizeof report_data);
    if (evidence_binds_key(r.first))
        return err_set(e, ERR_POLICY, "report_data that begins with '" EVIDENCE_KEY_TAG "' binds a key of the agent's, not a workload's");
    if (view_is(r.second, "plinth")) return attest_make(s->measured, s->config, s->image, r.first, a, out, e);
    if (r.first.n) memcpy(report_data, r.first.p, r.first.n);
    if (evidence_is_tagged(report_data))
        return err_set(e, ERR_POLICY, "report_data that ends in '" EVIDENCE_TAG "' is the agent's own word, not a workload's");
    return attest_trustee(s->measured, report_data, a, out, e);
}

static bool is_slow(void *state, struct view asked) {
    struct api_request r;
    struct err e;
    (void)state;
    return api_request_decode(asked, &r, &e) && r.kind == API_EVIDENCE;
}

static bool begin(void *state, const struct child *c, struct err *e) {
    uint8_t bytes[32];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct api_job job = {api.s->config->policy.api, view_str(tee_name(api.s->measured->tee->kind))};
    (void)state;
    api_job_encode(&job, &w);
    return frame_send(c->control, FRAME_API, writer_view(&w), (struct view){0}, e);
}

bool api_serve(const struct supervision *s, int evidence, struct served *out, struct err *e) {
    struct served v = {.name = WORKER_API, .listening = {-1, -1}, .begin = begin, .answer = answer, .aside = is_slow};
    api = (struct api){.s = s, .eventlog = openat(evidence, "eventlog", O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC)};
    if (api.eventlog < 0) return err_sys(e, "cannot open the copy of the event log");
    v.listening[0] = listen_tcp(INADDR_LOOPBACK, API_PORT, e);
    if (v.listening[0] < 0 || (v.listening[1] = listen_unix(evidence, "api.sock", 0666, e)) < 0) return false;
    kbs_patience(s->kbs, KBS_MS);
    *out = v;
    return true;
}
