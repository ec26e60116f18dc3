/* confine: a worker gives up everything it does not need, before it reads the first hostile byte.
 *
 * In order: descriptors that are not the role's are closed, rlimits, no_new_privs, room (chroot where privileged, and
 * Landlock where the kernel has it; one of the two must succeed), capabilities and user down to the role's, no dump,
 * seccomp allow-list. Anything not on that list kills the process with SIGSYS; so do executable memory, writing by a
 * role that only reads, and other kinds of sockets. tests/unit/confine_probe.c tries it all out. */
#ifndef PLINTH_WORKER_CONFINE_H
#define PLINTH_WORKER_CONFINE_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum confine_role {
    CONFINE_FETCH,   /* room: reads etc/resolv.conf and etc/hosts; network: TCP and UDP over IPv4/IPv6 */
    CONFINE_UNPACK,  /* room: reads and writes one layer's directory; no socket; of device nodes only 0:0 */
    CONFINE_ADDRESS, /* no file; only the packet socket it was given; initdata: only the block device */
    CONFINE_READER,  /* room: reads one directory (an OCI layout); no socket; host tool only */
    CONFINE_UNPACK_DEVICES, /* unpack as root where the policy has limits.allowDevices: it could make a node of any
                             * device and open it, unless the room's mount is nodev */
    CONFINE_TLS,     /* no file; takes connections on the socket it was given, makes TCP connections: confine_connect */
    CONFINE_DECODE,  /* no file, no socket but the one it was given; reads the pipe with the compressed layer */
    CONFINE_API,     /* no file, no socket but those it was given, on which it takes connections */
};

/* Descriptors every worker starts with. Everything else is closed. */
enum {
    WORKER_CONTROL = 3, /* stream socket to the monitor: frames */
    WORKER_INPUT = 4,   /* unpack: pipe with the compressed layer; address: the packet socket; initdata: a device; api,
                         * tls: a listening socket; else absent */
    WORKER_ROOM = 5,    /* O_PATH or O_DIRECTORY descriptor of the room; absent: see confine_enter; api: another listening
                         * socket */
};

/* Enters the cage. With WORKER_ROOM open the room becomes "/" (chroot) if the process may, and the current directory in
 * any case; an ordinary user makes a user namespace for that where the kernel lets him. Where it does not, Landlock
 * alone keeps him from all files outside, but not from changing mode or time of those that are his own.
 * CONFINE_FETCH without WORKER_ROOM: Landlock lets exactly /etc/resolv.conf and /etc/hosts be read (ordinary host).
 * Address, decode, api and tls have no room; where there is no Landlock, they have no system call that takes a path
 * either.
 * As root: these and fetch become user 65534 and keep no capability, so fetch's room must be open to others; reader
 * keeps CAP_DAC_READ_SEARCH; unpack what making files of any owner takes.
 * ERR_SYSTEM when neither chroot nor Landlock could be had, naming what the kernel said; nothing hostile may be read
 * then. */
bool confine_enter(enum confine_role role, struct err *e);

/* Before confine_enter: from now on TCP connections to these ports alone, by Landlock; without effect before Linux 6.7.
 * Landlock sees connect(2) only; the seccomp lists leave no other way to connect. ERR_SYSTEM. */
bool confine_connect(const uint16_t *ports, size_t count, struct err *e);

#endif
