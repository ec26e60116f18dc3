/* require: what a policy asks of a predicate, at one place of it (policy member attestations[].require[]).
 *
 * {"path": POINTER, OPERATOR: OPERAND...}, several operators must all hold:
 *   equals   any JSON value; numbers as numbers, members in any order
 *   in       a list of values, one of which it equals
 *   exists   true or false; false is alone
 *   matches  a POSIX extended regular expression that covers the whole string (of at most REQUIRE_TEXT_MAX bytes),
 *            by the C library's matcher, which is linear in the string; no back-references
 *   atLeast, atMost   numbers, or RFC 3339 times where both sides are such
 * The path is a JSON Pointer (RFC 6901) into the predicate. No component is a wildcard: "*" is refused. Two of cosign's
 * predicates hold a JSON document as a string, which a path may enter: "/Data/..." of its custom type, and a predicate
 * that is a string altogether (`cosign attest --type spdx`). */
#ifndef PLINTH_TRUST_REQUIRE_H
#define PLINTH_TRUST_REQUIRE_H

#include "base/arena.h"
#include "base/err.h"
#include "format/json.h"

#define REQUIRE_PATH_MAX 512u
#define REQUIRE_PATTERN_MAX 512u
#define REQUIRE_GROUPS_MAX 16u /* nested */
/* Positions of a pattern with its repetitions multiplied out; the compiled form grows up to the square of it. */
#define REQUIRE_SIZE_MAX 1000u
#define REQUIRE_TEXT_MAX (64u << 10)

struct requirement {
    struct view path;
    const json *operators; /* the whole object, checked */
};

/* ERR_USAGE at `where`: no object, unknown member, no operator, bad path, operand of the wrong type, bad pattern, or
 * operands that nothing can satisfy (an empty `in`, atLeast above atMost). */
bool require_parse(const json *v, const char *where, struct arena *a, struct requirement *out, struct err *e);

/* ERR_POLICY with the path, what is there and what the policy wants. `predicate` may be NULL. */
bool require_met(const struct requirement *r, struct view predicate_type, const json *predicate, struct arena *a,
                 struct err *e);

#endif
