/* initdata: a file of initdata (agent/lib/tee/initdata.h) on the host's side. */
#ifndef PLINTH_TOOLS_INITDATA_H
#define PLINTH_TOOLS_INITDATA_H

#include "base/arena.h"
#include "tee/initdata.h"

/* Reads it, and checks all that the guest would, its policy too. ERR_USAGE. `a` has room for some INITDATA_MAX. */
bool initdata_file(const char *path, struct arena *a, struct view *text, struct initdata *out, struct err *e);

/* As a block device holds it (agent/worker/initdata.h): magic, length, gzip, zeros up to a multiple of 512 bytes. The same text gives
 * the same bytes. Into the arena. */
bool initdata_drive(struct view text, struct arena *a, struct view *out, struct err *e);

#endif
