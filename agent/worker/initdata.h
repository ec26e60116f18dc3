/* initdata: a block device's initdata (lib/tee/initdata.h), in the form in which kata hands it to a guest: the magic
 * "initdata", u64 length (little-endian), as many bytes of gzip (RFC 1952; one member), padding. The worker has nothing
 * but that device, and what it gives is believed only when it was held against a register. */
#ifndef PLINTH_WORKER_INITDATA_H
#define PLINTH_WORKER_INITDATA_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#define INITDATA_MAGIC "initdata"

/* Reads the device `fd`, from where it stands, into the arena (2 * INITDATA_MAX and a page). *text is empty, and true
 * returned, when it does not begin with the magic. ERR_FORMAT: a device that ends inside, a length above INITDATA_MAX,
 * broken gzip or bytes behind it, nothing in it or more than INITDATA_MAX. */
bool initdata_read(int fd, struct arena *a, struct view *text, struct err *e);

#endif
