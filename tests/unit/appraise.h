// What the tests of tdx, snp and tpm share: one appraisal, what is given to it, and what came of each check.
#ifndef TESTS_APPRAISE_H
#define TESTS_APPRAISE_H

#include "forge.h"

#include "tools/appraise/appraisal.h"
#include "tools/appraise/moment.h"

static struct appraisal ap;
static struct collateral given;
static struct option_list allow, statuses;

UNUSED static void begin(int64_t at)
{
    collateral_drop(&given);
    memset(&ap, 0, sizeof ap);
    allow.count = statuses.count = 0;
    result_members_begin(&ap.fields);
    ap.arena = &arena, ap.given = &given, ap.at = at, ap.status = &statuses;
}

UNUSED static void add(const char *path)
{
    if (!collateral_add(&given, vector(path), &arena, &err))
        check_fail("%s: %s", path, err.text);
}

UNUSED static bool verdict_of(void (*verify)(struct appraisal *, struct view), struct view quote)
{
    err = (struct err){0};
    verify(&ap, quote);
    return checks_verdict(&ap.checks, &allow, &err);
}

UNUSED static int64_t moment(const char *text)
{
    int64_t at = 0;
    CHECK(moment_parse(view_str(text), &at));
    return at;
}

// Whether check `name` is in the given state and its detail holds `part`.
#define STATE(name, state, part) expect(__LINE__, name, state, part)
UNUSED static void expect(int line, const char *name, enum check_state state, const char *part)
{
    const struct check *c = checks_find(&ap.checks, name);
    if (!c)
        check_fail("line %d: there is no check %s (%s)", line, name, err.text);
    // a name may stand there twice (TEE_TCB_SVN and TEE_TCB_SVN_2)
    for (; c < ap.checks.list + ap.checks.count; c++)
        if (!strcmp(c->name, name) && c->state == state && strstr(c->detail, part))
            return;
    c = checks_find(&ap.checks, name);
    check_fail("line %d: %s is %d: %s; wanted %d with \"%s\"", line, name, c->state, c->detail, state, part);
}

#endif
