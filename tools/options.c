/* see options.h */
#include "tools/options.h"

#include "base/codec.h"
#include "sys/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 26

static void print_usage(const struct usage *u, FILE *to) {
    fprintf(to, "usage: plinth %s [OPTION]...%s%s\n", u->name, u->operands ? " " : "", u->operands ? u->operands : "");
}

static void print_option(const char *name, const char *value, const char *help) {
    int n = printf("  %s%s%s", name, value ? " " : "", value ? value : "");
    if (n >= HELP_COLUMN) n = printf("\n") * 0;
    for (const char *line = help; line; n = 0) {
        const char *end = strchr(line, '\n');
        printf("%*s%.*s\n", HELP_COLUMN - n, "", end ? (int)(end - line) : (int)strlen(line), line);
        line = end ? end + 1 : NULL;
    }
}

static int print_help(const struct usage *u) {
    print_usage(u, stdout);
    printf("%s\n\n", u->summary);
    for (const struct option *o = u->options; o->name; o++) print_option(o->name, o->value, o->help);
    print_option("--help", NULL, "this text");
    printf("\nExit status: 0 yes, 1 refused, 2 wrong usage or unreadable policy, 3 the world failed. See plinth(1).\n");
    return fflush(stdout) ? 3 : 0;
}

static int complain(const struct usage *u, const char *what, const char *which) {
    struct err e;
    err_set(&e, ERR_USAGE, "%s: %s%s%s", u->name, what, which ? " " : "", which ? which : "");
    err_mend(&e, "plinth %s --help lists the options", u->name);
    console_error("usage", &e);
    print_usage(u, stderr);
    return 2;
}

static const struct option *find(const struct usage *u, struct view name) {
    for (const struct option *o = u->options; o->name; o++)
        if (view_is(name, o->name)) return o;
    return NULL;
}

/* NULL when the value found its place, else the complaint. */
static const char *store(const struct option *o, const char *value) {
    if (o->on) {
        *o->on = true;
    } else if (o->list) {
        if (o->list->count == OPTION_LIST_MAX) return "too many times";
        o->list->items[o->list->count++] = value;
    } else {
        if (*o->text) return "given twice:";
        *o->text = value;
    }
    return NULL;
}

int options_parse(const struct usage *u, int argc, char **argv, int *operands) {
    int kept = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (ended || arg[0] != '-' || !arg[1]) {
            argv[kept++] = arg;
            continue;
        }
        if (!strcmp(arg, "--")) {
            ended = true;
            continue;
        }
        if (!strcmp(arg, "--help")) return print_help(u);
        bool joined = false;
        struct view rest = view_str(arg), name = rest;
        if (view_starts(rest, VIEW("--"))) name = view_cut(&rest, '=', &joined);
        const struct option *o = find(u, name);
        if (!o) return complain(u, "unknown option", arg);
        if (!o->value && joined) return complain(u, "takes no value:", o->name);
        const char *value = joined ? (const char *)rest.p : NULL;
        if (o->value && !joined) {
            if (i + 1 == argc) return complain(u, "a value is missing behind", o->name);
            value = argv[++i];
        }
        const char *fault = store(o, value);
        if (fault) return complain(u, fault, o->name);
    }
    if (kept < u->operand_min) return complain(u, "wanted:", u->operands);
    if (kept > u->operand_max) return complain(u, "what is this operand:", argv[u->operand_max]);
    *operands = kept;
    return -1;
}

bool option_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *e) {
    uint64_t value;
    if (!text) return true;
    if (!view_u64(view_str(text), max, &value) || value < min)
        return err_set(e, ERR_USAGE, "%s: '%s' is no whole number of %llu to %llu", name, text, (unsigned long long)min,
                       (unsigned long long)max);
    *out = value;
    return true;
}

bool option_hex(const char *name, const char *text, size_t min, size_t max, uint8_t *buffer, struct view *out, struct err *e) {
    char least[32] = "";
    if (!text) return true;
    size_t n = strlen(text) / 2;
    if (n >= min && n <= max && hex_decode(view_str(text), buffer, n)) {
        *out = view_of(buffer, n);
        return true;
    }
    if (min < max) snprintf(least, sizeof least, "%zu to ", min);
    return err_set(e, ERR_USAGE, "%s %s: not %s%zu bytes in lower-case hex", name, text, least, max);
}

int command_fail(const struct err *e) {
    static const char *const verbs[] = {"accepted", "refused", "usage", "error"};
    int status = err_status(e);
    console_error(verbs[status], e);
    return status;
}

const char *verdict_name(const struct err *e) {
    static const char *const names[] = {"accepted", "refused", "error", "error"};
    return names[err_status(e)];
}
