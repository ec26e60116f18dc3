/* passwd: who the container runs as: image-spec config.md "User", by the image's own passwd(5) and group(5).
 *
 *   "", "uid", "uid:gid", "name", "name:group", "uid:group", "name:gid"       as Docker and runc resolve them
 *
 * A number is always an id, never a name. Lines that are no entries are skipped, the first that fits counts. */
#ifndef PLINTH_OCI_PASSWD_H
#define PLINTH_OCI_PASSWD_H

#include "base/err.h"
#include "base/view.h"

#define PASSWD_FILE_MAX (1u << 20)
#define PASSWD_GROUPS_MAX 256u
#define PASSWD_ID_MAX 0x7fffffffu

struct passwd_user {
    uint32_t uid, gid;
    size_t group_count;
    uint32_t groups[PASSWD_GROUPS_MAX]; /* supplementary; the primary one is the first */
    struct view home;                   /* into `passwd`; empty when unknown */
};

/* `passwd` and `group` are the files' bytes, empty when absent. An explicit group drops the supplementary ones.
 * ERR_FORMAT: a name that the files do not have, an id above PASSWD_ID_MAX, more groups than PASSWD_GROUPS_MAX. */
bool passwd_resolve(struct view user, struct view passwd, struct view group, struct passwd_user *out, struct err *e);

#endif
