/* device: the block devices of this machine, as the kernel lists them in /sys/class/block: disks and partitions alike.
 */
#ifndef PLINTH_SYS_DEVICE_H
#define PLINTH_SYS_DEVICE_H

#include "base/err.h"

/* Gives each that holds something, open for reading at its start, to `use`, in the order of names, until one is false;
 * that is then the result. The descriptor is closed behind it. A device that cannot be opened is left out; ERR_SYSTEM
 * only by `use`. */
bool device_each_block(bool (*use)(void *state, const char *name, int fd, struct err *e), void *state, struct err *e);

#endif
