/* network: the machine gets an address, a name and a resolver.
 *
 * From the kernel command line (format/cmdline.h), else by DHCP (worker/address.h says what becomes of the lease). IPv6
 * besides a static address is the kernel's: it takes what the router advertises. */
#ifndef PLINTH_STEP_NETWORK_H
#define PLINTH_STEP_NETWORK_H

#include "base/err.h"
#include "format/cmdline.h"
#include "sys/net.h"
#include "sys/proc.h"

#define HOSTNAME_SIZE 65 /* HOST_NAME_MAX and NUL */

struct network {
    char hostname[HOSTNAME_SIZE];
    char resolv[512]; /* texts of /etc/resolv.conf and /etc/hosts, for the fetch worker and for the container */
    char hosts[512];
    struct net_interface interface;
    struct ip_address leased; /* family 0: no lease, or one for ever */
    uint32_t lease_seconds;
};

/* A network that is coming up. */
struct network_pending {
    struct net_interface interface;
    struct child worker; /* asks for a lease, where one is wanted */
    bool begun;
    struct err fault; /* when not */
};

/* Loopback and the first Ethernet interface up, and the question for an address sent: what takes time then happens
 * while the caller does something else. No failure is told before network_start; nothing that comes from outside is
 * read. */
void network_begin(const struct cmdline *cmdline, struct network_pending *out);
/* The rest: address, route, MTU; host name set. Ends the address worker. */
bool network_start(const struct cmdline *cmdline, struct network_pending *pending, struct network *out, struct err *e);
/* The lease once more, for who stays (step/supervise.h): starts the worker that asks; then, when its control socket can be read,
 * what it says. *seconds: how long the address is ours from now on; 0: nothing yet. ERR_NETWORK: no answer, or another
 * address: what runs keeps the old one. */
bool network_renew(const struct network *n, struct child *worker, struct err *e);
bool network_renewed(const struct network *n, const struct child *worker, uint32_t *seconds, struct err *e);
/* etc/resolv.conf and etc/hosts in the directory `path` (made when missing): the fetch worker's room. */
bool network_room(const struct network *n, const char *path, struct err *e);

#endif
