/* confine: a worker gives up everything it does not need, before it reads the first hostile byte.
 *
 * In order: descriptors that are not the role's are closed, rlimits, no_new_privs, room (chroot where privileged, and
 * Landlock where the kernel has it; one of the two must succeed), capabilities and user down to the role's, no dump,
 * seccomp allow-list. Anything not on that list kills the process with SIGSYS; so do executable memory, writing by a
 * role that only reads, and other kinds of sockets. tests/unit/confine_probe.c tries it all out. */
#ifndef PLINTH_WORKER_CONFINE_H
#define PLINTH_WORKER_CONFINE_H

#include "base/err.h"

enum confine_role {
    CONFINE_FETCH,   /* room: reads etc/resolv.conf and etc/hosts; network: TCP and UDP over IPv4/IPv6 */
    CONFINE_UNPACK,  /* room: reads and writes one layer's directory; no socket; of device nodes only 0:0 */
    CONFINE_ADDRESS, /* no file; only the packet socket it was given; initdata: only the block device */
    CONFINE_READER,  /* room: reads one directory (an OCI layout); no socket; host tool only */
    CONFINE_UNPACK_DEVICES, /* unpack as root where the policy has limits.allowDevices: it could make a node of any
                             * device and open it, unless the room's mount is nodev */
    CONFINE_DECODE,  /* no file, no socket but the one it was given; reads the pipe with the compressed layer */
};

/* Descriptors every worker starts with. Everything else is closed. */
enum {
    WORKER_CONTROL = 3, /* stream socket to the monitor: frames */
    WORKER_INPUT = 4,   /* unpack: pipe with the compressed layer; address: the packet socket; initdata: a device; else absent */
    WORKER_ROOM = 5,    /* O_PATH or O_DIRECTORY descriptor of the room; absent: see confine_enter */
};

/* Enters the cage. With WORKER_ROOM open the room becomes "/" (chroot) if the process may, and the current directory in
 * any case; an ordinary user makes a user namespace for that where the kernel lets him. Where it does not, Landlock
 * alone keeps him from all files outside, but not from changing mode or time of those that are his own.
 * CONFINE_FETCH without WORKER_ROOM: Landlock lets exactly /etc/resolv.conf and /etc/hosts be read (ordinary host).
 * CONFINE_ADDRESS and CONFINE_DECODE have no room; where there is no Landlock, they have no system call that takes a
 * path either.
 * As root: fetch, address and decode become user 65534 and keep no capability, so their room must be open to others; reader
 * keeps CAP_DAC_READ_SEARCH; unpack what making files of any owner takes.
 * ERR_SYSTEM when neither chroot nor Landlock could be had, naming what the kernel said; nothing hostile may be read
 * then. */
bool confine_enter(enum confine_role role, struct err *e);

#endif
