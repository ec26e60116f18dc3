/* checks: what an appraisal looked at, and the verdict that follows from it.
 *
 * One entry per claim, in the order in which they were looked at. A claim holds (good), does not hold (bad), or could not be
 * looked at because something was not given (missing). Missing never counts as good: it refuses, unless the relying party
 * named it (--allow NAME) or the verifier said that the verdict is not about it (needed false). In JSON: {"name", "ok": true,
 * false or null, "detail"}, and "allowed": true where --allow made the difference. */
#ifndef PLINTH_APPRAISE_CHECKS_H
#define PLINTH_APPRAISE_CHECKS_H

#include "base/err.h"
#include "tools/options.h"
#include "tools/result.h"

#define CHECKS_MAX 64u
#define CHECK_DETAIL_MAX 640u

enum check_state { CHECK_MISSING, CHECK_BAD, CHECK_GOOD }; /* what is only zeroed is not good */

struct check {
    const char *name; /* a literal, words joined by "-" */
    enum check_state state;
    bool needed;  /* missing: whether that refuses */
    bool policy;  /* bad: a matter of policy, which --allow may waive; else a proof that does not hold, which nothing waives */
    bool allowed; /* set by checks_verdict */
    char detail[CHECK_DETAIL_MAX];
};

struct checks {
    size_t count; /* beyond CHECKS_MAX: entries were lost, which refuses */
    struct check list[CHECKS_MAX];
};

#define CHECKS_FORMAT(n) __attribute__((format(printf, n, n + 1)))
/* All return whether the claim holds, so that `return checks_bad(...)` reads well. `name` must be a literal. */
bool checks_good(struct checks *c, const char *name, const char *format, ...) CHECKS_FORMAT(3);
bool checks_bad(struct checks *c, const char *name, const char *format, ...) CHECKS_FORMAT(3);
bool checks_missing(struct checks *c, const char *name, bool needed, const char *format, ...) CHECKS_FORMAT(4);
/* A matter of policy: good or bad as `ok` says. */
bool checks_policy(struct checks *c, const char *name, bool ok, const char *format, ...) CHECKS_FORMAT(4);
/* Bad, with the error's line as detail. */
bool checks_err(struct checks *c, const char *name, const struct err *why);
/* The same from a state that a function of x509.h gave, with the error's line where it is not good. */
bool checks_state(struct checks *c, const char *name, enum check_state state, bool needed, const struct err *why, const char *good);

/* The entry of that name (the first), or NULL; a claim that holds. */
const struct check *checks_find(const struct checks *c, const char *name);
bool checks_hold(const struct checks *c, const char *name);

/* Which missing ones refuse: with `none` not those that the verifier needs; and those that `need` names. */
void checks_need(struct checks *c, bool none, const struct option_list *need);
/* True: accepted (something was looked at, and nothing stands against it). Else *e is ERR_POLICY with the gravest reason, or ERR_USAGE
 * where `allow` names a check that is not in the list though nothing else refuses. `allow` may be NULL. */
bool checks_verdict(struct checks *c, const struct option_list *allow, struct err *e);

/* Members "checks" and "missing" (names of all that are). */
void checks_write(const struct checks *c, struct result *out);
/* For people: one line each on standard output. */
void checks_print(const struct checks *c);

#endif
