/* given: what a relying party hands to verify and verify-quote on the command line. */
#ifndef PLINTH_TOOLS_GIVEN_H
#define PLINTH_TOOLS_GIVEN_H

#include "tools/appraise/collateral.h"

/* --certs: a file, or a directory that stands for its files, in the order of their names. */
bool given_certs(const char *path, struct arena *a, struct collateral *to, struct err *e);
/* --at: NULL is now. ERR_USAGE. */
bool given_moment(const char *text, int64_t *at, struct err *e);
/* --trust: a root's key to believe, and its certificate beside the others, for chains end in it. NULL adds nothing.
 * ERR_USAGE. */
bool given_root(const char *path, struct arena *a, struct anchors *to, struct collateral *certs, struct err *e);

#endif
