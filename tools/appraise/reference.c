/* see reference.h */
#include "tools/appraise/reference.h"

#include "base/codec.h"
#include "oci/digest.h"

#include <stdio.h>

#define PLINTH_PCR 15u /* unless the measured policy's register.pcr says otherwise */
#define NESTING_MAX 4u /* of sets in named alternatives */

struct run {
    struct arena *a;
    struct reference *out;
};

static const char *const passed_over[] = {"verdict",     "reason", "mend",      "inputs", "unknown",        "events",
                                          "boot_events", "name",   "vcpu_type", "vcpus",  "guest_features", NULL};
static const struct value {
    const char *name;
    enum evidence_tee tee;
    uint8_t size; /* bytes; 0: an object of PCRs */
} values[] = {
    {"sha256", EVIDENCE_TPM, 0},
    {"sha384", EVIDENCE_TPM, 0},
    {"mrtd", EVIDENCE_TDX, 48},
    {"mrtd_single_pass", EVIDENCE_TDX, 48},
    {"rtmr0", EVIDENCE_TDX, 48},
    {"rtmr1", EVIDENCE_TDX, 48},
    {"rtmr1_separator_in_rtmr0", EVIDENCE_TDX, 48},
    {"rtmr2", EVIDENCE_TDX, 48},
    {"rtmr3", EVIDENCE_TDX, 48},
    {"mrconfigid", EVIDENCE_TDX, 48},
    {"mrowner", EVIDENCE_TDX, 48},
    {"mrownerconfig", EVIDENCE_TDX, 48},
    {"launch_digest", EVIDENCE_SNP, 48},
    {"host_data", EVIDENCE_SNP, 32},
    {"id_key_digest", EVIDENCE_SNP, 48},
    {"author_key_digest", EVIDENCE_SNP, 48},
    {"register", EVIDENCE_SNP, 48},
};

static const struct value *value_of(struct view name) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (view_is(name, values[i].name)) return &values[i];
    return NULL;
}

static bool is_one_of(const char *const *names, struct view name) {
    for (; *names; names++)
        if (view_is(name, *names)) return true;
    return false;
}

static bool wrong(const char *where, struct view member, const char *what, struct err *e) {
    return err_set(e, ERR_USAGE, "reference: %s: %.*s: %s", where, VIEW_ARG(view_first(member, 64)), what);
}

/* ---- values ---- */

static bool is_hex(const json *v, size_t n) {
    uint8_t bytes[HASH_MAX];
    return json_is_string(v) && hex_decode(json_text(v), bytes, n);
}

static bool check_value(const json *v, size_t n, struct view name, const char *where, struct err *e) {
    bool ok = json_is_null(v) || is_hex(v, n) || (json_is_array(v) && json_count(v));
    if (json_is_array(v))
        for (struct json_iter it = json_each(v); ok && json_next(&it);) ok = is_hex(it.value, n);
    if (ok) return true;
    char what[96];
    snprintf(what, sizeof what, "%zu lower-case hex digits are wanted, an array of such values, or null", 2 * n);
    return wrong(where, name, what, e);
}

static bool check_pcrs(const json *o, struct view bank, const char *where, struct err *e) {
    size_t n = view_is(bank, "sha256") ? 32 : 48;
    if (json_is_null(o)) return true;
    if (!json_count(o) || json_is_array(o)) return wrong(where, bank, "an object of PCRs is wanted", e);
    for (struct json_iter it = json_each(o); json_next(&it);) {
        uint64_t pcr;
        if (!view_u64(it.name, EVIDENCE_PCRS - 1, &pcr)) return wrong(where, it.name, "PCRs are \"0\" to \"15\"", e);
        if (!check_value(it.value, n, it.name, where, e)) return false;
    }
    return true;
}

static bool is_strings(const json *array) {
    bool ok = json_is_array(array);
    for (struct json_iter it = json_each(array); ok && json_next(&it);) ok = json_is_string(it.value);
    return ok;
}

static bool add_set(struct run *run, enum evidence_tee tee, const char *name, const json *o, struct err *e) {
    struct reference *r = run->out;
    for (struct json_iter it = json_each(o); json_next(&it);) {
        const struct value *v = value_of(it.name);
        if (!v && is_one_of(passed_over, it.name)) continue;
        if (!v || v->tee != tee) return wrong(name, it.name, "no reference value of this TEE has that name", e);
        if (!(v->size ? check_value(it.value, v->size, it.name, name, e) : check_pcrs(it.value, it.name, name, e)))
            return false;
    }
    const json *events = json_get(o, "events"), *boot = json_get(o, "boot_events");
    if (events && !is_strings(events)) return wrong(name, VIEW("events"), "an array of strings is wanted", e);
    if (boot && !json_is_object(boot)) return wrong(name, VIEW("boot_events"), "an object is wanted", e);
    for (struct json_iter it = json_each(boot); json_next(&it);)
        if (!is_strings(it.value)) return wrong(name, VIEW("boot_events"), "arrays of strings are wanted", e);
    if (r->set_count == REFERENCE_SETS_MAX)
        return err_set(e, ERR_USAGE, "reference: more than %u sets of values", REFERENCE_SETS_MAX);
    struct reference_set *set = &r->sets[r->set_count++];
    set->tee = tee, set->values = o;
    snprintf(set->name, sizeof set->name, "%s", name);
    return true;
}

static bool is_set(const json *o) {
    for (struct json_iter it = json_each(o); json_is_object(o) && json_next(&it);)
        if (value_of(it.name)) return true;
    return false;
}

/* A set, or alternatives by number or name. */
static bool add_sets(struct run *run, enum evidence_tee tee, const char *name, unsigned depth, const json *v,
                     struct err *e) {
    char inner[REFERENCE_NAME_MAX];
    unsigned number = 0;
    if (json_is_null(v) || (json_is_array(v) && !json_count(v))) return true; /* none */
    if (is_set(v)) return add_set(run, tee, name, v, e);
    if (depth == NESTING_MAX || !json_count(v))
        return err_set(e, ERR_USAGE, "reference: %s: a set of values, an array or an object of sets is wanted", name);
    for (struct json_iter it = json_each(v); json_next(&it);) {
        number++;
        if (json_is_array(v))
            snprintf(inner, sizeof inner, "%.80s, %u", name, number);
        else
            snprintf(inner, sizeof inner, "%.60s, %.*s", name, VIEW_ARG(view_first(it.name, 30)));
        if (!add_sets(run, tee, inner, depth + 1, it.value, e)) return false;
    }
    return true;
}

/* ---- policy ---- */

static bool strings(const json *o, const char *name, bool digests, const json **out, struct err *e) {
    const json *v = json_get(o, name);
    struct digest digest;
    *out = v;
    if (!v) return true;
    if (!is_strings(v)) return wrong("policy", view_str(name), "an array of strings is wanted", e);
    for (struct json_iter it = json_each(v); json_next(&it);) {
        if (!digests || digest_parse(json_text(it.value), &digest, e)) continue;
        e->kind = ERR_USAGE;
        return err_in(e, "reference: policy: %s", name);
    }
    return true;
}

static bool read_policy(struct run *run, const json *o, struct err *e) {
    static const char *const names[] = {"images",    "policies",      "weaknesses", "minimumAgent",
                                        "tcbStatus", "tcbEvaluation", "tcbMinimum", "allow",
                                        "roots",     "aks",           "pcr",        NULL};
    struct reference *r = run->out;
    const json *roots;
    if (!json_is_object(o)) return err_set(e, ERR_USAGE, "reference: policy is no object");
    if (!json_only(o, names, "reference: policy", e)) return false;
    if (!strings(o, "images", true, &r->images, e) || !strings(o, "policies", true, &r->policies, e) ||
        !strings(o, "weaknesses", false, &r->weaknesses, e) || !strings(o, "allow", false, &r->allow, e) ||
        !strings(o, "tcbStatus", false, &r->tcb_status, e) || !strings(o, "aks", true, &r->aks, e) ||
        !strings(o, "roots", false, &roots, e))
        return false;
    if ((json_get(o, "minimumAgent") &&
         !json_need_text(o, "minimumAgent", "reference: policy", &r->minimum_agent, e)) ||
        (json_get(o, "tcbEvaluation") &&
         !json_need_u64(o, "tcbEvaluation", "reference: policy", &r->tcb_evaluation, e)))
        return e->kind = ERR_USAGE, false;
    uint64_t pcr = r->pcr;
    if (json_get(o, "pcr") && (!json_u64(json_get(o, "pcr"), &pcr) || pcr >= EVIDENCE_PCRS))
        return wrong("policy", VIEW("pcr"), "a number below 16 is wanted", e);
    r->pcr = (unsigned)pcr;
    r->has_tcb_minimum = json_get(o, "tcbMinimum");
    if (r->has_tcb_minimum && !hex_decode(json_text(json_get(o, "tcbMinimum")), r->tcb_minimum, 8))
        return wrong("policy", VIEW("tcbMinimum"), "16 lower-case hex digits are wanted", e);
    for (struct json_iter it = json_each(roots); json_next(&it);)
        if (!anchors_add_file(&r->roots, json_text(it.value), "policy.roots", run->a, e)) {
            e->kind = ERR_USAGE;
            return err_in(e, "reference: policy: roots");
        }
    return true;
}

bool reference_take(const json *o, struct view text, struct arena *a, struct reference *out, struct err *e) {
    static const char *const names[] = {"tpm", "tdx", "snp", "policy", "inputs", "version", "made_by", "created", NULL};
    struct run run = {.a = a, .out = arena_alloc(a, sizeof *out)};
    const json *version, *policy;
    uint64_t number = 1;
    if (!run.out || !(run.out->sets = arena_alloc(a, REFERENCE_SETS_MAX * sizeof *run.out->sets)))
        return arena_full(a, e);
    if (!json_is_object(o)) return err_set(e, ERR_USAGE, "reference: a JSON object is wanted");
    hash_once(HASH_SHA256, text, run.out->sha256);
    run.out->pcr = PLINTH_PCR;
    if (is_set(o)) {
        struct json_iter it = json_each(o);
        const struct value *v = NULL;
        while (!v && json_next(&it)) v = value_of(it.name);
        if (!add_set(&run, v->tee, evidence_tee_name(v->tee), o, e)) return false;
    } else {
        if (!json_only(o, names, "reference", e)) return false;
        if ((version = json_get(o, "version")) && (!json_u64(version, &number) || number != 1))
            return err_set(e, ERR_USAGE, "reference: version is not 1");
        for (enum evidence_tee tee = EVIDENCE_TPM; tee <= EVIDENCE_SNP; tee++) {
            const json *v = json_get(o, evidence_tee_name(tee));
            if (v && !add_sets(&run, tee, evidence_tee_name(tee), 0, v, e)) return false;
        }
        if ((policy = json_get(o, "policy")) && !read_policy(&run, policy, e)) return false;
    }
    *out = *run.out;
    return true;
}

bool reference_read(struct view text, struct arena *a, struct reference *out, struct err *e) {
    const json *o;
    if (text.n > REFERENCE_FILE_MAX) return err_set(e, ERR_USAGE, "reference: more than %u bytes", REFERENCE_FILE_MAX);
    if (!json_parse(text, a, &o, e)) return e->kind = ERR_USAGE, err_in(e, "reference");
    return reference_take(o, text, a, out, e);
}

/* ---- comparing ---- */

static bool is_value(const json *v, struct view have) {
    uint8_t bytes[HASH_MAX];
    return have.n <= HASH_MAX && hex_decode(json_text(v), bytes, have.n) && !memcmp(bytes, have.p, have.n);
}

static enum reference_match compare(const json *v, struct view have) {
    if (!v || json_is_null(v)) return REFERENCE_SILENT;
    if (json_is_string(v)) return is_value(v, have) ? REFERENCE_SAME : REFERENCE_DIFFERS;
    for (struct json_iter it = json_each(v); json_next(&it);)
        if (is_value(it.value, have)) return REFERENCE_SAME;
    return REFERENCE_DIFFERS;
}

enum reference_match reference_compare(const struct reference_set *set, const char *path, const char *also,
                                       struct view have) {
    enum reference_match first = compare(json_pointer(set->values, view_str(path)), have), second = REFERENCE_SILENT;
    if (also) second = compare(json_pointer(set->values, view_str(also)), have);
    if (first == REFERENCE_SAME || second == REFERENCE_SAME) return REFERENCE_SAME;
    return first == REFERENCE_SILENT ? second : first;
}

const char *reference_brief(const struct reference_set *set, const char *path, char *out, size_t size) {
    const json *v = json_pointer(set->values, view_str(path));
    struct view text = json_text(json_is_array(v) ? json_at(v, 0) : v);
    snprintf(out, size, "%.*s%s", VIEW_ARG(text), json_is_array(v) && json_count(v) > 1 ? " or another" : "");
    return out;
}

bool reference_lists(const json *array, struct view text) {
    for (struct json_iter it = json_each(array); array && json_next(&it);)
        if (view_eq(json_text(it.value), text)) return true;
    return false;
}

bool reference_version_at_least(struct view have, struct view least) {
    while (have.n || least.n) {
        uint64_t a = 0, b = 0;
        (void)view_u64(view_cut(&have, '.', NULL), UINT32_MAX, &a);
        (void)view_u64(view_cut(&least, '.', NULL), UINT32_MAX, &b);
        if (a != b) return a > b;
    }
    return true;
}
