/* listen: sockets that others take connections on. Close-on-exec, not blocking. Nobody else can have the port until it
 * is closed, not even after shutdown(2). */
#ifndef PLINTH_SYS_LISTEN_H
#define PLINTH_SYS_LISTEN_H

#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

/* TCP over IPv4 at `address` (host byte order; 0: all) and port. -1: ERR_SYSTEM. */
int listen_tcp(uint32_t address, uint16_t port, struct err *e);
/* A Unix stream socket `name` in the directory, new, with `mode`. -1: ERR_SYSTEM. */
int listen_unix(int directory, const char *name, mode_t mode, struct err *e);

#endif
