/* see checks.h */
#include "tools/appraise/checks.h"

#include <stdarg.h>
#include <stdio.h>

static bool add(struct checks *c, const char *name, enum check_state state, bool needed, bool policy,
                const char *format, va_list args) {
    if (c->count < CHECKS_MAX) {
        struct check *k = &c->list[c->count];
        *k = (struct check){.name = name, .state = state, .needed = needed, .policy = policy};
        vsnprintf(k->detail, sizeof k->detail, format, args);
        for (char *p = k->detail; *p; p++) /* names out of certificates may stand in it */
            if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) *p = '?';
    }
    c->count++;
    return state == CHECK_GOOD;
}

#define ADD(state, needed, policy)                                                                                     \
    va_list args;                                                                                                      \
    va_start(args, format);                                                                                            \
    bool ok = add(c, name, state, needed, policy, format, args);                                                       \
    va_end(args);                                                                                                      \
    return ok

bool checks_good(struct checks *c, const char *name, const char *format, ...) { ADD(CHECK_GOOD, true, false); }
bool checks_bad(struct checks *c, const char *name, const char *format, ...) { ADD(CHECK_BAD, true, false); }
bool checks_missing(struct checks *c, const char *name, bool needed, const char *format, ...) {
    ADD(CHECK_MISSING, needed, false);
}
bool checks_policy(struct checks *c, const char *name, bool good, const char *format, ...) {
    ADD(good ? CHECK_GOOD : CHECK_BAD, true, true);
}

bool checks_err(struct checks *c, const char *name, const struct err *why) {
    char line[CHECK_DETAIL_MAX];
    err_line(why, line, sizeof line);
    return checks_bad(c, name, "%s", line);
}

bool checks_state(struct checks *c, const char *name, enum check_state state, bool needed, const struct err *why,
                  const char *good) {
    char line[CHECK_DETAIL_MAX];
    if (state == CHECK_GOOD) return checks_good(c, name, "%s", good);
    if (state == CHECK_BAD) return checks_err(c, name, why);
    err_line(why, line, sizeof line);
    return checks_missing(c, name, needed, "%s", line);
}

static size_t entries(const struct checks *c) { return c->count < CHECKS_MAX ? c->count : CHECKS_MAX; }

const struct check *checks_find(const struct checks *c, const char *name) {
    for (size_t i = 0; i < entries(c); i++)
        if (!strcmp(c->list[i].name, name)) return &c->list[i];
    return NULL;
}

bool checks_hold(const struct checks *c, const char *name) {
    const struct check *k = checks_find(c, name);
    return k && k->state == CHECK_GOOD;
}

static bool named(const struct option_list *allow, const char *name) {
    for (size_t i = 0; allow && i < allow->count; i++)
        if (!strcmp(allow->items[i], name)) return true;
    return false;
}

void checks_need(struct checks *c, bool none, const struct option_list *need) {
    for (size_t i = 0; i < entries(c); i++)
        c->list[i].needed = (c->list[i].needed && !none) || named(need, c->list[i].name);
}

/* Which of several reasons is told: a proof that does not hold, then policy, then what is missing. */
static int weight(const struct check *k) { return k->state != CHECK_BAD ? 0 : k->policy ? 1 : 2; }

bool checks_verdict(struct checks *c, const struct option_list *allow, struct err *e) {
    const struct check *first = NULL;
    bool any = false;
    if (c->count > CHECKS_MAX) return err_set(e, ERR_POLICY, "more than %u checks", CHECKS_MAX);
    for (size_t i = 0; i < c->count; i++) {
        struct check *k = &c->list[i];
        bool against = k->state == CHECK_BAD || (k->state == CHECK_MISSING && k->needed);
        any |= k->state == CHECK_GOOD;
        k->allowed = against && (k->state == CHECK_MISSING || k->policy) && named(allow, k->name);
        if (against && !k->allowed && (!first || weight(k) > weight(first))) first = k;
    }
    if (first) {
        err_set(e, ERR_POLICY, "%s: %s%s", first->name, first->state == CHECK_MISSING ? "missing: " : "",
                first->detail);
        if (first->state == CHECK_MISSING)
            err_mend(e, "give it beside the quote, or accept without it: --allow %s, or --allow-missing for all",
                     first->name);
        else if (first->policy)
            err_mend(e, "if that is wanted: --allow %s", first->name);
        return false;
    }
    for (size_t i = 0; allow && i < allow->count; i++)
        if (!checks_find(c, allow->items[i]))
            return err_set(e, ERR_USAGE, "--allow %s: there is no check of that name", allow->items[i]);
    return any || err_set(e, ERR_POLICY, "nothing was checked");
}

void checks_write(const struct checks *c, struct result *out) {
    result_open(out, "checks", '[');
    for (size_t i = 0; i < entries(c); i++) {
        const struct check *k = &c->list[i];
        result_open(out, NULL, '{');
        result_text(out, "name", k->name);
        result_bool(out, "ok", k->state != CHECK_MISSING, k->state == CHECK_GOOD);
        result_text(out, "detail", k->detail);
        if (k->allowed) result_bool(out, "allowed", true, true);
        result_close(out, '}');
    }
    result_close(out, ']');
    result_open(out, "missing", '[');
    for (size_t i = 0; i < entries(c); i++)
        if (c->list[i].state == CHECK_MISSING) result_text(out, NULL, c->list[i].name);
    result_close(out, ']');
}

void checks_print(const struct checks *c) {
    static const char *const words[] = {"missing", "REFUSED", "good"};
    for (size_t i = 0; i < entries(c); i++) {
        const struct check *k = &c->list[i];
        printf("%-8s %s: %s%s\n", k->allowed ? "allowed" : words[k->state], k->name, k->detail,
               k->allowed ? " (allowed by --allow)" : "");
    }
}
