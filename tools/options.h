/* options: the command line of every subcommand, and how it ends.
 *
 * Options may stand before, between and behind the operands; "--" ends them; "--name=value" is "--name value". An unknown option,
 * a missing value or a single option given twice is wrong usage (exit status 2). "--help" is known to all. */
#ifndef PLINTH_TOOLS_OPTIONS_H
#define PLINTH_TOOLS_OPTIONS_H

#include "base/err.h"
#include "base/view.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_LIST_MAX 128u

struct option_list {
    size_t count;
    const char *items[OPTION_LIST_MAX];
};

struct option {
    const char *name;         /* "--policy", "-o" */
    const char *value;        /* what --help calls its value; NULL: a switch */
    const char *help;         /* one or more lines, split by "\n" */
    bool *on;                 /* of a switch */
    const char **text;        /* of an option with one value */
    struct option_list *list; /* of an option that may be repeated */
};

struct usage {
    const char *name;     /* "pull" */
    const char *operands; /* "REF DIR"; NULL: none */
    const char *summary;  /* one sentence */
    int operand_min, operand_max;
    const struct option *options; /* ended by a NULL name */
};

/* Reads argv (argv[0] is the subcommand). Operands are moved to the front of argv (argv[0]..), their number goes to *operands.
 * -1: go on. Else the exit status: 0 after --help (on standard output), 2 after a complaint (on standard error). */
int options_parse(const struct usage *usage, int argc, char **argv, int *operands);

/* `text` as a decimal number of min..max; NULL leaves *out as it is. ERR_USAGE names the option. */
bool option_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out, struct err *e);
/* `text` as `min` to `max` bytes in lower-case hex; NULL leaves *out as it is. `buffer` has `max` bytes. ERR_USAGE names the option. */
bool option_hex(const char *name, const char *text, size_t min, size_t max, uint8_t *buffer, struct view *out, struct err *e);

/* Prints the error for people (standard error, the reason first) and gives the exit status that belongs to it. */
int command_fail(const struct err *e);

/* "accepted", "refused" (status 1) or "error" (status 2, 3): the verdict of --json. */
const char *verdict_name(const struct err *e);

/* The subcommands: argv[0] is the subcommand's name, the result is the exit status. */
int cmd_check(int argc, char **argv);
int cmd_eventlog(int argc, char **argv);
int cmd_initrd(int argc, char **argv);
int cmd_measure(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_pull(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_verify_quote(int argc, char **argv);
int cmd_uki(int argc, char **argv);

#endif
