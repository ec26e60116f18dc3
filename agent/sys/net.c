/* see net.h */
#include "sys/net.h"

#include "sys/deadline.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERTYPE_IPV4 0x0800
#define OPTION_PACKET_AUXDATA 8 /* packet(7); musl lacks the name */

/* <linux/ipv6.h> cannot be included beside <netinet/in.h>. */
struct address6 {
    struct in6_addr address;
    uint32_t prefix;
    int index;
};

/* One ioctl on a throw-away socket of the family. */
static int control(int family, unsigned long request, void *argument) {
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = ioctl(fd, request, argument), why = errno;
    close(fd);
    errno = why;
    return result;
}

static struct ifreq request_for(const char *name) {
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    return r;
}

static bool bring_up(const char *name) {
    struct ifreq r = request_for(name);
    if (control(AF_INET, SIOCGIFFLAGS, &r)) return false;
    r.ifr_flags |= IFF_UP;
    return control(AF_INET, SIOCSIFFLAGS, &r) == 0;
}

bool net_loopback(struct err *e) { return bring_up("lo") || err_sys(e, "cannot bring the loopback interface up"); }

/* Is it Ethernet, and up after we said so? Its address goes to `out`. */
static bool candidate(const struct if_nameindex *i, struct net_interface *out, bool *carrier) {
    struct ifreq r = request_for(i->if_name);
    if (control(AF_INET, SIOCGIFHWADDR, &r) || r.ifr_hwaddr.sa_family != ARPHRD_ETHER) return false;
    struct net_interface found = {.index = (int)i->if_index};
    snprintf(found.name, sizeof found.name, "%s", i->if_name);
    memcpy(found.mac, r.ifr_hwaddr.sa_data, sizeof found.mac);
    if (!bring_up(found.name) || control(AF_INET, SIOCGIFFLAGS, &r)) return false;
    *carrier = r.ifr_flags & IFF_RUNNING;
    *out = found;
    return true;
}

/* One look at all interfaces: the first with a carrier, else the first. Their names go to `names`. */
static bool look(struct view wanted, struct net_interface *out, bool *carrier, char *names, size_t size) {
    struct if_nameindex *all = if_nameindex();
    bool found = false;
    names[0] = 0;
    for (const struct if_nameindex *i = all; i && i->if_index; i++) {
        struct net_interface one;
        bool up;
        size_t n = strlen(names);
        snprintf(names + n, size - n, " %s", i->if_name);
        if ((wanted.n && !view_is(wanted, i->if_name)) || !candidate(i, &one, &up) || (found && (*carrier || !up)))
            continue;
        found = true;
        *out = one;
        *carrier = up;
    }
    if_freenameindex(all);
    return found;
}

/* A socket on which the kernel tells of every change of an interface (rtnetlink(7)); -1: none. */
static int open_changes(void) {
    struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* Waits for a change, of which nothing more than that is read; true to look again. */
static bool wait_change(int fd, int64_t deadline) {
    char ignored[64];
    if (fd < 0) return deadline_pause(deadline, 20);
    if (!deadline_poll(fd, POLLIN, deadline)) return false;
    while (recv(fd, ignored, sizeof ignored, MSG_DONTWAIT | MSG_TRUNC) > 0) {
    }
    return true;
}

bool net_find(struct view wanted, int timeout_ms, struct net_interface *out, struct err *e) {
    int64_t deadline = deadline_in(timeout_ms);
    char names[256];
    bool carrier = false, found;
    int changes = open_changes();
    do found = look(wanted, out, &carrier, names, sizeof names);
    while (!(found && carrier) && wait_change(changes, deadline));
    if (changes >= 0) close(changes);
    if (found) return true;
    err_set(e, ERR_NETWORK, "no Ethernet interface%s%.*s after %d s; there are:%s", wanted.n ? " " : "",
            VIEW_ARG(wanted), timeout_ms / 1000, names[0] ? names : " none");
    return err_mend(e, "give the machine a network device, and the initramfs its driver (virtio_net.ko) if the kernel "
                       "has it as a module");
}

static void put_address(struct sockaddr *out, const uint8_t bytes[4]) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    memcpy(&a.sin_addr, bytes, 4);
    memcpy(out, &a, sizeof a);
}

static void put_mask(struct sockaddr *out, uint8_t prefix) {
    uint32_t mask = htonl(prefix ? 0xffffffffu << (32 - prefix) : 0);
    uint8_t bytes[4];
    memcpy(bytes, &mask, 4);
    put_address(out, bytes);
}

/* Do the first `prefix` bits agree? */
static bool within(const uint8_t *a, const uint8_t *b, uint8_t prefix) {
    size_t whole = prefix / 8;
    uint8_t rest = (uint8_t)(0xff00 >> prefix % 8);
    return memcmp(a, b, whole) == 0 && (prefix % 8 == 0 || ((a[whole] ^ b[whole]) & rest) == 0);
}

static bool set_address(const struct net_interface *i, const struct ip_config *ip) {
    if (ip->address.family == 6) {
        /* Without duplicate address detection: a static address is wanted now, not in a second, and nobody would choose
         * another. */
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/accept_dad", i->name);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, "0", 1) == 1) errno = 0; /* else it takes that second */
        if (fd >= 0) close(fd);
        struct address6 a = {.prefix = ip->prefix, .index = i->index};
        memcpy(&a.address, ip->address.bytes, 16);
        return control(AF_INET6, SIOCSIFADDR, &a) == 0 || errno == EEXIST;
    }
    struct ifreq r = request_for(i->name);
    put_address(&r.ifr_addr, ip->address.bytes);
    if (control(AF_INET, SIOCSIFADDR, &r)) return false;
    put_mask(&r.ifr_netmask, ip->prefix);
    return control(AF_INET, SIOCSIFNETMASK, &r) == 0;
}

/* A route to `destination`/`prefix` over the interface, through `gateway` unless that is NULL. */
static bool add_route(const struct net_interface *i, const uint8_t *destination, uint8_t prefix,
                      const struct ip_address *gateway, uint8_t family) {
    if (family == 6) {
        struct in6_rtmsg r = {.rtmsg_dst_len = prefix,
                              .rtmsg_ifindex = i->index,
                              .rtmsg_metric = 1024,
                              .rtmsg_flags = RTF_UP | (gateway ? RTF_GATEWAY : 0)};
        memcpy(&r.rtmsg_dst, destination, 16);
        if (gateway) memcpy(&r.rtmsg_gateway, gateway->bytes, 16);
        return control(AF_INET6, SIOCADDRT, &r) == 0 || errno == EEXIST;
    }
    char name[INTERFACE_MAX + 1];
    struct rtentry r = {.rt_flags = (unsigned short)(RTF_UP | (gateway ? RTF_GATEWAY : 0)), .rt_dev = name};
    memcpy(name, i->name, sizeof name);
    put_address(&r.rt_dst, destination);
    put_mask(&r.rt_genmask, prefix);
    if (gateway) put_address(&r.rt_gateway, gateway->bytes);
    return control(AF_INET, SIOCADDRT, &r) == 0 || errno == EEXIST;
}

bool net_configure(const struct net_interface *i, const struct ip_config *ip, struct err *e) {
    static const uint8_t any[16];
    const struct ip_address *gateway = &ip->gateway;
    char text[IP_TEXT_SIZE], via[IP_TEXT_SIZE];
    uint8_t family = ip->address.family;
    ip_text(&ip->address, text);
    if (!set_address(i, ip)) return err_sys(e, "cannot give %s/%u to %s", text, ip->prefix, i->name);
    if (!gateway->family) return true;
    if (!within(ip->address.bytes, gateway->bytes, ip->prefix) &&
        !add_route(i, gateway->bytes, family == 6 ? 128 : 32, NULL, family))
        return err_sys(e, "cannot reach the gateway %s over %s", ip_text(gateway, via), i->name);
    if (add_route(i, any, 0, gateway, family)) return true;
    return err_sys(e, "cannot route through %s", ip_text(gateway, via));
}

bool net_mtu(const struct net_interface *i, unsigned bytes, struct err *e) {
    struct ifreq r = request_for(i->name);
    r.ifr_mtu = (int)bytes;
    return control(AF_INET, SIOCSIFMTU, &r) == 0 || err_sys(e, "cannot set the MTU of %s to %u", i->name, bytes);
}

int net_packet_socket(const struct net_interface *i, struct err *e) {
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_IPV4), .sll_ifindex = i->index};
    int on = 1, fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* protocol 0: hears nothing before bind */
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
        setsockopt(fd, SOL_PACKET, OPTION_PACKET_AUXDATA, &on, sizeof on) == 0)
        return fd;
    err_sys(e, "cannot open a packet socket on %s", i->name);
    err_mend(e, "DHCP needs CONFIG_PACKET (af_packet.ko); ip= on the kernel command line does without");
    if (fd >= 0) close(fd);
    return -1;
}
