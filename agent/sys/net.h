/* net: interfaces, addresses and routes, by ioctl (netdevice(7), ipv6(7)). SLAAC is the kernel's own business. */
#ifndef PLINTH_SYS_NET_H
#define PLINTH_SYS_NET_H

#include "base/err.h"
#include "format/cmdline.h"

struct net_interface {
    char name[INTERFACE_MAX + 1];
    int index;
    uint8_t mac[6];
};

/* The Ethernet interface called `wanted` (empty: any), brought up. Waits up to `timeout_ms` for one with a carrier;
 * then takes the first without. ERR_NETWORK naming what interfaces there are. */
bool net_find(struct view wanted, int timeout_ms, struct net_interface *out, struct err *e);
/* Loopback up. */
bool net_loopback(struct err *e);
/* Sets address (for ever) and prefix, then the default route through the gateway, if one is given. A gateway outside
 * the prefix (clouds that give /32) gets a host route of its own. */
bool net_configure(const struct net_interface *i, const struct ip_config *ip, struct err *e);
bool net_mtu(const struct net_interface *i, unsigned bytes, struct err *e);
/* A packet socket for IPv4 on this interface, without link-layer headers, telling of missing checksums
 * (PACKET_AUXDATA). -1: ERR_SYSTEM. */
int net_packet_socket(const struct net_interface *i, struct err *e);

#endif
