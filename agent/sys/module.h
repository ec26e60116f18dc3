/* module: kernel modules packed into the initramfs, for kernels that do not have everything built in. */
#ifndef PLINTH_SYS_MODULE_H
#define PLINTH_SYS_MODULE_H

#include "base/err.h"
#include <stddef.h>

#define MODULE_ORDER "/modules/order"
#define MODULE_ORDER_MAX (64u << 10)

/* Loads the modules that MODULE_ORDER names, one file name of /modules per line, in that order; *count is how many the
 * kernel took. No such file: none is needed. Modules that are built in, and drivers whose device this machine lacks
 * (ENODEV), count as no fault. ERR_SYSTEM names the module and what the kernel said; its log says more. */
bool module_load_all(size_t *count, struct err *e);

#endif
