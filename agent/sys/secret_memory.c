/* see secret_memory.h */
#include "sys/secret_memory.h"

#include "crypto/wipe.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ONFAULT 1u /* MLOCK_ONFAULT: pages are locked when they are first touched */

bool secret_memory_make(struct arena *a, size_t size, bool must_lock, struct err *e) {
    struct arena made;
    if (!arena_make(&made, size, e)) return false;
    bool ok = (syscall(SYS_mlock2, made.base, made.size, ONFAULT) == 0 || !must_lock) && madvise(made.base, made.size, MADV_DONTDUMP) == 0 &&
              madvise(made.base, made.size, MADV_DONTFORK) == 0;
    if (!ok) {
        err_sys(e, "cannot lock %zu bytes for secrets", size);
        arena_drop(&made);
        return false;
    }
    *a = made;
    return true;
}

void secret_memory_share(struct arena *a, bool shared) {
    if (a->base) madvise(a->base, a->size, shared ? MADV_DOFORK : MADV_DONTFORK);
}

void secret_memory_drop(struct arena *a) {
    if (a->base) wipe(a->base, a->used);
    arena_drop(a);
}
