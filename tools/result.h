/* result: the one JSON object that --json prints (design.md "Command line of the host tool"). */
#ifndef PLINTH_TOOLS_RESULT_H
#define PLINTH_TOOLS_RESULT_H

#include "base/err.h"
#include "base/writer.h"

#define RESULT_MAX (256u << 10)

struct result {
    struct writer out;
    bool first;
    uint8_t buffer[RESULT_MAX];
};

/* Starts with the members verdict, reason and mend: of `e`, or "accepted" and null when e->kind is ERR_NONE. */
void result_begin(struct result *r, const struct err *e);
/* Members. A NULL, an empty view or `known` false gives null. */
void result_bool(struct result *r, const char *name, bool known, bool value);
void result_text(struct result *r, const char *name, const char *text);
void result_hex(struct result *r, const char *name, struct view bytes);
void result_number(struct result *r, const char *name, bool known, uint64_t value);
/* An array or object as member (`name`) or element (NULL) up to the matching result_close. */
void result_open(struct result *r, const char *name, char bracket);
void result_close(struct result *r, char bracket);
/* An empty list of members, to be put into another result later by result_members. */
void result_members_begin(struct result *r);
void result_members(struct result *r, const struct result *members);
/* Prints it with a newline. Gives `status`, or 3 when standard output cannot be written. */
int result_end(struct result *r, int status);

#endif
