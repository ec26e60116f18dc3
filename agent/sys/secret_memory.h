/* secret_memory: an arena for what must not leave this process: locked in memory, in no core dump, not in the memory of
 * children (a fork finds nothing mapped there), wiped before it is given back. */
#ifndef PLINTH_SYS_SECRET_MEMORY_H
#define PLINTH_SYS_SECRET_MEMORY_H

#include "base/arena.h"

/* As arena_make. ERR_SYSTEM when it cannot be locked (RLIMIT_MEMLOCK), but on the host (`must_lock` false), where it is
 * then only kept out of dumps. */
bool secret_memory_make(struct arena *a, size_t size, bool must_lock, struct err *e);
/* Whether children get a copy (of the moment; not locked there). Not, to begin with. */
void secret_memory_share(struct arena *a, bool shared);
/* Wipes what was allocated (`used` must never be set back) and gives it back; may be called twice. */
void secret_memory_drop(struct arena *a);

#endif
