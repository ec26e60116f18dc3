/* see statement.h */
#include "trust/statement.h"

#include <stdio.h>

#include "base/codec.h"

static bool sha256_of(const json *subject, struct digest *out) {
    return hex_decode(json_text(json_get(json_get(subject, "digest"), "sha256")), out->sha256, sizeof out->sha256);
}

static bool check_subject(const json *subject, const char *where, struct err *e) {
    const json *digests, *unused;
    struct view text;
    struct digest digest;
    if (!json_is_object(subject)) return err_set(e, ERR_FORMAT, "%s is not an object", where);
    if (!json_need_object(subject, "digest", where, &digests, e)) return false;
    if (json_get(digests, "sha256") && !sha256_of(subject, &digest))
        return err_set(e, ERR_FORMAT, "%s.digest.sha256 is not 64 lower-case hex digits", where);
    if (json_get(subject, "name") && !json_need_text(subject, "name", where, &text, e)) return false;
    return !json_get(subject, "annotations") || json_is_null(json_get(subject, "annotations")) ||
           json_need_object(subject, "annotations", where, &unused, e);
}

bool statement_parse(struct view payload, struct arena *a, struct statement *out, struct err *e) {
    struct statement s;
    struct view type;
    const json *root;
    char where[48];
    size_t i = 0;
    if (!json_parse(payload, a, &root, e)) return err_in(e, "statement");
    if (!json_need_text(root, "_type", "statement", &type, e)) return false;
    if (!view_is(type, "https://in-toto.io/Statement/v0.1") && !view_is(type, "https://in-toto.io/Statement/v1"))
        return err_set(e, ERR_FORMAT, "statement: _type is '%.*s', https://in-toto.io/Statement/v0.1 or /v1 is expected",
                       VIEW_ARG(view_first(type, 100)));
    if (!json_need_array(root, "subject", "statement", &s.subjects, e)) return false;
    if (json_count(s.subjects) == 0) return err_set(e, ERR_FORMAT, "statement: subject is empty");
    if (json_count(s.subjects) > STATEMENT_SUBJECTS_MAX)
        return err_set(e, ERR_FORMAT, "statement: %zu subjects, %u are accepted", json_count(s.subjects),
                       STATEMENT_SUBJECTS_MAX);
    for (struct json_iter it = json_each(s.subjects); json_next(&it); i++) {
        snprintf(where, sizeof where, "statement: subject[%zu]", i);
        if (!check_subject(it.value, where, e)) return false;
    }
    if (!json_need_text(root, "predicateType", "statement", &s.predicate_type, e)) return false;
    if (s.predicate_type.n == 0) return err_set(e, ERR_FORMAT, "statement: predicateType is empty");
    s.predicate = json_get(root, "predicate");
    *out = s;
    return true;
}

bool statement_subject(const struct statement *s, const struct digest *digest, struct statement_subject *out) {
    struct digest its;
    for (struct json_iter it = json_each(s->subjects); json_next(&it);) {
        if (!sha256_of(it.value, &its) || !digest_eq(&its, digest)) continue;
        const json *annotations = json_get(it.value, "annotations");
        *out = (struct statement_subject){json_text(json_get(it.value, "name")),
                                          json_is_object(annotations) ? annotations : NULL};
        return true;
    }
    return false;
}

bool statement_digest(const struct statement *s, struct digest *out) { return sha256_of(json_at(s->subjects, 0), out); }
