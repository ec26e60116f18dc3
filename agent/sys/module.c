/* see module.h */
#include "sys/module.h"

#include "base/view.h"
#include "sys/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool load(struct view name, size_t *count, struct err *e) {
    char path[256];
    snprintf(path, sizeof path, "/modules/%.*s", VIEW_ARG(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return err_sys(e, "cannot open the kernel module %s", path);
    bool ok = syscall(SYS_finit_module, fd, "", 0) == 0;
    if (ok)
        ++*count;
    else if (errno == EEXIST || errno == ENODEV)
        ok = true;
    else
        err_sys(e, "the kernel refuses the module %s", path);
    close(fd);
    return ok || err_mend(e, "pack the modules of the very kernel that boots (plinth initrd --module), in the order of "
                             "their dependencies");
}

bool module_load_all(size_t *count, struct err *e) {
    static uint8_t text[MODULE_ORDER_MAX];
    struct view rest;
    bool found;
    *count = 0;
    if (!root_read(AT_FDCWD, MODULE_ORDER, text, sizeof text, &rest, &found, e)) return false;
    while (found && rest.n) {
        struct view name = view_trim(view_cut(&rest, '\n', NULL));
        if (name.n && !load(name, count, e)) return false;
    }
    return true;
}
