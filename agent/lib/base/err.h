/* err: why something failed, in words a person can act on.
 *
 * Every function that can fail is `bool f(..., struct err *e)`: false means failed, `*e` says why, and outputs are
 * untouched. The function that finds the fault sets it; each caller may put in front what it was doing
 * (err_in), and name what would mend it (err_mend). Bytes below 0x20, 0x7f and above are escaped when stored, because names in
 * a message may come from a hostile peer. */
#ifndef PLINTH_BASE_ERR_H
#define PLINTH_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE,
    ERR_FORMAT,    /* bytes that do not follow their specification */
    ERR_DIGEST,    /* a digest or size in conflict */
    ERR_SIGNATURE, /* a signature is missing, wrong, or by another key */
    ERR_POLICY,    /* the policy forbids it */
    ERR_USAGE,     /* wrong arguments, unreadable policy */
    ERR_NETWORK,   /* silence, resets, 5xx: the world failed */
    ERR_SYSTEM,    /* the kernel said no: memory, disk, permission */
};

struct err {
    enum err_kind kind;
    int sys;          /* errno of ERR_SYSTEM and ERR_NETWORK, else 0 */
    char text[640];   /* the cause: what, and the two values in conflict */
    char trail[384];  /* what was being done, outermost first, joined with ": " */
    char mend[256];   /* what to change; may be empty */
};

/* All return false, so that `return err_set(...)` reads well. err_set clears trail and mend. */
bool err_set(struct err *e, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4), cold));
/* ERR_SYSTEM from errno; appends ": <errno text>". */
bool err_sys(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
/* Puts "what: " in front of the trail. */
bool err_in(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
/* Says what to change, unless something nearer to the fault said so already. */
bool err_mend(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* Exit status of the host tool: 1 refused, 2 usage, 3 the world failed (design.md). */
int err_status(const struct err *e);

/* "trail: text" on one line into `out` (always terminated). */
void err_line(const struct err *e, char *out, unsigned long size);

#endif
