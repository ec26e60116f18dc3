/* user NUL passwd NUL group */
#include "oci/passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size), user = view_cut(&rest, 0, NULL), passwd = view_cut(&rest, 0, NULL);
    struct passwd_user u;
    struct err e;
    if (!passwd_resolve(user, passwd, rest, &u, &e)) return 0;
    if (u.uid > PASSWD_ID_MAX || u.gid > PASSWD_ID_MAX || u.group_count < 1 || u.group_count > PASSWD_GROUPS_MAX ||
        u.groups[0] != u.gid)
        __builtin_trap();
    return 0;
}
