/* see release.h */
#include "tools/serve/release.h"

#include "crypto/keys.h"
#include "format/pem.h"
#include "tools/appraise/reference.h"
#include "tools/serve/guest_policy.h"
#include "tools/serve/vault.h"

#include <stdio.h>

struct rule {
    size_t number; /* from 1 */
    const json *members;
    size_t signer_count;
    uint8_t signers[RELEASE_SIGNERS_MAX][32]; /* spki_sha256 */
};

struct release {
    bool all; /* no file */
    size_t rule_count, policy_count;
    struct rule *rules;
    struct guest_policy policies[RELEASE_GUEST_POLICIES_MAX];
};

/* ---- reading ---- */

static bool wrong(const struct rule *r, const char *member, struct view text, const char *what, struct err *e) {
    return err_set(e, ERR_USAGE, "release policy: rule %zu: %s: '%.*s': %s", r->number, member,
                   VIEW_ARG(view_first(text, 80)), what);
}

static bool is_pattern(struct view text) { return vault_path_ok(text, '*'); }

static bool is_digest(struct view text) {
    struct digest digest;
    struct err e;
    return digest_parse(text, &digest, &e);
}

static bool is_stage(struct view text) {
    return view_is(text, "started") || view_is(text, "image") || view_is(text, "launched") || view_is(text, "other");
}

static bool is_tee(struct view text) { return view_is(text, "tpm") || view_is(text, "tdx") || view_is(text, "snp"); }

static bool is_caveat(struct view text) {
    static const char *const names[] = {"register-by-monitor", "root-not-vendor", "ak-unbound", "firmware-unknown"};
    bool known = view_starts(text, VIEW("allowed-"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) known |= view_is(text, names[i]);
    return known;
}

static bool is_text(struct view text) { return text.n > 0; }

/* The members that are arrays, and what their texts must be. */
static const struct {
    const char *name;
    bool (*good)(struct view);
    const char *wanted;
} lists[] = {{"resources", is_pattern, "a pattern has three parts, as \"acme/keys/*\""},
             {"stage", is_stage, "\"started\", \"image\", \"launched\" or \"other\" is wanted"},
             {"tee", is_tee, "\"tpm\", \"tdx\" or \"snp\" is wanted"},
             {"images", is_digest, "a digest is wanted, sha256:<64 hex digits>"},
             {"policies", is_digest, "a digest is wanted, sha256:<64 hex digits>"},
             {"initdata", is_digest, "a digest is wanted, sha256:<64 hex digits>"},
             {"layers", is_digest, "a digest is wanted, sha256:<64 hex digits>"},
             {"sets", is_text, "the name of a set is wanted"},
             {"signers", is_text, "a PUBLIC KEY in PEM is wanted"},
             {"caveats", is_caveat, "there is no caveat of that name"}};
#define LISTS (sizeof lists / sizeof *lists)

static bool read_signers(struct rule *r, struct arena *a, struct err *e) {
    for (struct json_iter it = json_each(json_get(r->members, "signers")); json_next(&it);) {
        struct view text = json_text(it.value), label, der;
        struct public_key key;
        if (r->signer_count == RELEASE_SIGNERS_MAX)
            return err_set(e, ERR_USAGE, "release policy: rule %zu: more than %u signers", r->number,
                           RELEASE_SIGNERS_MAX);
        *e = (struct err){0};
        if (!pem_next(&text, a, &label, &der, e)) {
            if (e->kind == ERR_NONE) err_set(e, ERR_USAGE, "no PEM block");
        } else if (public_key_decode(label, der, &key, e)) {
            memcpy(r->signers[r->signer_count++], key.spki_sha256, 32);
            continue;
        }
        e->kind = ERR_USAGE;
        return err_in(e, "release policy: rule %zu: signers", r->number);
    }
    return true;
}

static bool read_rule(struct rule *r, struct arena *a, struct err *e) {
    static const char *const names[] = {"resources", "stage",   "tee",     "images", "policies", "initdata", "layers",
                                        "sets",      "signers", "caveats", "agent",  "comment",  NULL};
    char where[48];
    snprintf(where, sizeof where, "release policy: rule %zu", r->number);
    if (!json_is_object(r->members)) return err_set(e, ERR_USAGE, "%s is no object", where);
    if (!json_only(r->members, names, where, e)) return false;
    for (size_t i = 0; i < LISTS; i++) {
        const json *list = json_get(r->members, lists[i].name);
        if (!list && i) continue;
        if (!json_is_array(list) || !json_count(list))
            return err_set(e, ERR_USAGE, "%s: %s: an array of strings is wanted, not empty", where, lists[i].name);
        for (struct json_iter it = json_each(list); json_next(&it);)
            if (!json_is_string(it.value) || !lists[i].good(json_text(it.value)))
                return wrong(r, lists[i].name, json_text(it.value), lists[i].wanted, e);
    }
    for (const char *const *text = (const char *const[]){"agent", "comment", NULL}; *text; text++)
        if (json_get(r->members, *text) && !json_text(json_get(r->members, *text)).n)
            return err_set(e, ERR_USAGE, "%s: %s: a text is wanted", where, *text);
    return read_signers(r, a, e);
}

bool release_read(struct view text, struct arena *a, struct release **out, struct err *e) {
    static const char *const names[] = {"rules", NULL};
    struct release *r = arena_alloc(a, sizeof *r);
    const json *root, *rules;
    if (!r) return arena_full(a, e);
    r->all = !text.n;
    if (r->all) return *out = r, true;
    if (text.n > RELEASE_FILE_MAX) return err_set(e, ERR_USAGE, "release policy: more than %u bytes", RELEASE_FILE_MAX);
    if (!json_parse(text, a, &root, e)) return e->kind = ERR_USAGE, err_in(e, "release policy");
    if (!json_is_object(root)) return err_set(e, ERR_USAGE, "release policy: a JSON object is wanted");
    if (!json_only(root, names, "release policy", e)) return false;
    if (!json_need_array(root, "rules", "release policy", &rules, e)) return e->kind = ERR_USAGE, false;
    if (json_count(rules) > RELEASE_RULES_MAX)
        return err_set(e, ERR_USAGE, "release policy: more than %u rules", RELEASE_RULES_MAX);
    r->rules = arena_alloc(a, (json_count(rules) + 1) * sizeof *r->rules);
    if (!r->rules) return arena_full(a, e);
    for (struct json_iter it = json_each(rules); json_next(&it);) {
        struct rule *rule = &r->rules[r->rule_count++];
        rule->number = r->rule_count, rule->members = it.value;
        if (!read_rule(rule, a, e)) return false;
    }
    *out = r;
    return true;
}

/* ---- signers ---- */

bool release_add_policy(struct release *r, struct view bytes, struct arena *a, struct err *e) {
    if (r->policy_count == RELEASE_GUEST_POLICIES_MAX)
        return err_set(e, ERR_USAGE, "more than %u guest policies", RELEASE_GUEST_POLICIES_MAX);
    return guest_policy_read(bytes, a, &r->policies[r->policy_count], e) && ++r->policy_count;
}

bool release_check(const struct release *r, struct err *e) {
    for (size_t i = 0; i < r->rule_count; i++)
        for (size_t k = 0; k < r->rules[i].signer_count; k++) {
            bool known = false;
            for (size_t p = 0; p < r->policy_count; p++)
                known |= guest_policy_needs(&r->policies[p], r->rules[i].signers[k]);
            if (known) continue;
            err_set(e, ERR_USAGE,
                    "release policy: rule %zu can never hold: no guest policy needs the signature of signer %zu",
                    r->rules[i].number, k + 1);
            return err_mend(e, "give the policy files of the guests: --guest-policy FILE");
        }
    return true;
}

/* ---- deciding ---- */

/* '*' is any characters but '/'. */
static bool matches(struct view pattern, struct view text) {
    size_t star = 0, from = 0, p = 0, t = 0;
    bool starred = false;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*')
            starred = true, star = ++p, from = t;
        else if (p < pattern.n && pattern.p[p] == text.p[t])
            p++, t++;
        else if (starred && text.p[from] != '/')
            p = star, t = ++from;
        else
            return false;
    }
    while (p < pattern.n && pattern.p[p] == '*') p++;
    return p == pattern.n;
}

static struct view claim(const json *claims, const char *name) { return json_text(json_get(claims, name)); }

static struct view pattern_for(const struct rule *r, struct view path) {
    for (struct json_iter it = json_each(json_get(r->members, "resources")); json_next(&it);)
        if (matches(json_text(it.value), path)) return json_text(it.value);
    return (struct view){0};
}

/* The guest's claim is one of the rule's member, where there is one. */
static bool one_of(const struct rule *r, const char *member, const char *name, const json *claims, struct err *why) {
    const json *list = json_get(r->members, member);
    struct view have = claim(claims, name);
    if (!list || reference_lists(list, have)) return true;
    return err_set(why, ERR_POLICY, "%s is '%.*s', none of %s", name,
                   VIEW_ARG(view_first(have.n ? have : VIEW("none"), 128)), member);
}

static bool has_layers(const struct rule *r, const json *claims, struct err *why) {
    for (struct json_iter it = json_each(json_get(r->members, "layers")); json_next(&it);)
        if (!reference_lists(json_get(claims, "layers"), json_text(it.value)))
            return err_set(why, ERR_POLICY, "layer %.*s is not in the log", VIEW_ARG(json_text(it.value)));
    return true;
}

static bool has_signers(const struct release *release, const struct rule *r, const json *claims, struct err *why) {
    struct view digest = claim(claims, "policy");
    const struct guest_policy *p = NULL;
    if (!r->signer_count) return true;
    for (size_t i = 0; i < release->policy_count && !p; i++)
        if (view_is(digest, release->policies[i].digest)) p = &release->policies[i];
    if (!p)
        return err_set(why, ERR_POLICY,
                       "the policy %.*s is none of --guest-policy, so that nothing says who must have signed",
                       VIEW_ARG(view_first(digest, 80)));
    for (size_t i = 0; i < r->signer_count; i++)
        if (!guest_policy_needs(p, r->signers[i]))
            return err_set(why, ERR_POLICY, "the policy %.*s can be satisfied without signer %zu",
                           VIEW_ARG(view_first(digest, 80)), i + 1);
    return true;
}

static bool has_agent(const struct rule *r, const json *claims, struct err *why) {
    struct view least = claim(r->members, "agent"), have = claim(claims, "agent");
    bool ours = view_starts(have, VIEW("plinth "));
    if (!least.n || (ours && reference_version_at_least(view_skip(have, 7), least))) return true;
    return err_set(why, ERR_POLICY, "the agent is '%.*s', at least %.*s is wanted", VIEW_ARG(view_first(have, 64)),
                   VIEW_ARG(view_first(least, 32)));
}

static bool has_no_caveat(const struct rule *r, const json *claims, struct err *why) {
    for (struct json_iter it = json_each(json_get(claims, "caveats")); json_next(&it);)
        if (!reference_lists(json_get(r->members, "caveats"), json_text(it.value)))
            return err_set(why, ERR_POLICY, "the verdict has a caveat, %.*s, which is none of caveats",
                           VIEW_ARG(view_first(json_text(it.value), 64)));
    return true;
}

/* An agent that is not Plinth must be meant. */
static bool is_meant(const struct rule *r, const json *claims, struct err *why) {
    return json_get(r->members, "stage") || !view_is(claim(claims, "stage"), "other") ||
           err_set(why, ERR_POLICY, "the agent is not Plinth, and stage does not say \"other\"");
}

static bool holds(const struct release *release, const struct rule *r, const json *claims, struct err *why) {
    return is_meant(r, claims, why) && one_of(r, "stage", "stage", claims, why) &&
           one_of(r, "tee", "tee", claims, why) && one_of(r, "images", "manifest", claims, why) &&
           one_of(r, "policies", "policy", claims, why) && one_of(r, "initdata", "initdata", claims, why) &&
           one_of(r, "sets", "set", claims, why) && has_layers(r, claims, why) &&
           has_signers(release, r, claims, why) && has_agent(r, claims, why) && has_no_caveat(r, claims, why);
}

/* What every set of claims has; a guest that was refused has none. */
static bool are_claims(const json *claims) {
    struct view verdict = claim(claims, "verdict");
    const json *caveats = json_get(claims, "caveats");
    struct view stage = claim(claims, "stage");
    return is_stage(stage) && is_tee(claim(claims, "tee")) &&
           (view_is(stage, "other") || is_digest(claim(claims, "policy"))) && json_is_array(caveats) &&
           json_is_array(json_get(claims, "layers")) && view_is(verdict, json_count(caveats) ? "warning" : "affirming");
}

bool release_decide(const struct release *release, const json *claims, struct view path, struct err *why) {
    bool named = release->all;
    if (!vault_path_ok(path, 0))
        return err_set(why, ERR_FORMAT, "'%.*s' is no resource", VIEW_ARG(view_first(path, 128)));
    if (!are_claims(claims)) return err_set(why, ERR_FORMAT, "these are no claims of an accepted guest");
    if (release->all && view_is(claim(claims, "stage"), "other"))
        return err_set(why, ERR_POLICY,
                       "the agent is not Plinth: only a release policy with stage \"other\" gives it anything");
    for (size_t i = 0; i < release->rule_count; i++) {
        const struct rule *r = &release->rules[i];
        struct view pattern = pattern_for(r, path);
        if (!pattern.n) continue;
        named = true;
        if (!holds(release, r, claims, why))
            return err_in(why, "rule %zu (%.*s)", r->number, VIEW_ARG(view_first(pattern, 80)));
    }
    return named ||
           err_set(why, ERR_POLICY, "no rule of the release policy names '%.*s'", VIEW_ARG(view_first(path, 128)));
}
