/* target: the directory of `plinth pull`: empty before, empty after a failure. */
#ifndef PLINTH_TOOLS_TARGET_H
#define PLINTH_TOOLS_TARGET_H

#include "base/err.h"
#include <sys/types.h>

struct target {
    const char *path;
    int fd;
    bool made; /* by us */
    mode_t mode;
};

/* The name of the layers' store inside the target; the X become random, so that no image can hold that name. */
#define TARGET_STORE ".plinth-XXXXXXXXXXXXXXXX"

/* Opens or makes the directory. ERR_USAGE when it is something else, or not empty. */
bool target_open(const char *path, struct target *out, struct err *e);
/* Makes the store, fills in its `name` and opens it; -1 on failure. */
int target_store(int target, char *name, struct err *e);
/* Removes the store, with all that may be left in it; the target's own attributes stay. */
bool target_remove(int fd, const char *name, struct err *e);
/* Closes; unless `keep`, everything inside goes, and the directory itself if target_open made it. */
bool target_close(struct target *t, bool keep, struct err *e);

#endif
