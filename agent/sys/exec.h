/* exec: this process becomes the container's. */
#ifndef PLINTH_SYS_EXEC_H
#define PLINTH_SYS_EXEC_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct exec_identity {
    uint32_t uid, gid;
    size_t group_count;
    const uint32_t *groups;
    bool no_mknod; /* where devices in files work, nobody may make new ones */
};

/* Signals as at boot, umask 022, 1024 to 524288 descriptors, all above 2 closed at exec, descriptors 1 and 2 the
 * user's, Docker's capability set as bound (empty for any user but root), no_new_privs, ids, execve. Returns false
 * only: ERR_SYSTEM says what the kernel refused (the interpreter that is not there, the foreign architecture). The
 * capabilities are still there then, for a failure event and for powering off. */
bool exec_become(const struct exec_identity *who, const char *path, char *const argv[], char *const envp[],
                 struct err *e);

#endif
