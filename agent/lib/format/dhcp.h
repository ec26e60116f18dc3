/* dhcp: the client's side of DHCP for IPv4 (RFC 2131, options of RFC 2132, routes of RFC 3442), as whole IP packets.
 *
 * Pure: worker/address sends and receives. Four messages are known: DISCOVER and REQUEST are written, OFFER, ACK and
 * NAK read. Addresses are in network byte order; 0.0.0.0 stands for "not given". */
#ifndef PLINTH_FORMAT_DHCP_H
#define PLINTH_FORMAT_DHCP_H

#include "base/err.h"
#include "base/view.h"

enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5, DHCP_NAK = 6 };

#define DHCP_WRITTEN 328u /* IP 20, UDP 8, BOOTP 300: what every relay lets pass */
#define DHCP_PACKET_MAX 1500u

struct dhcp_client {
    uint32_t xid;     /* random, new for each attempt: answers to another one are not ours */
    uint16_t seconds; /* since the first attempt */
    uint8_t mac[6];
};

struct dhcp_reply {
    enum dhcp_type type;
    uint8_t address[4], server[4], router[4], dns[3][4];
    uint8_t prefix;               /* 1..32, from the subnet mask */
    uint16_t mtu;                 /* bytes, 0: not given */
    uint32_t seconds;             /* of the lease; 0xffffffff is for ever */
    struct view domain, hostname; /* letters, digits, '-' and '.' only, else empty; into the message */
};

/* The packet to send: DISCOVER when `offer` is NULL, else the REQUEST that takes it. Asks for an unlimited lease, by
 * broadcast. */
void dhcp_write(const struct dhcp_client *client, const struct dhcp_reply *offer, uint8_t packet[static DHCP_WRITTEN]);

/* Takes the BOOTP message out of an IP packet. False with e->kind == ERR_NONE: not UDP to port 68, somebody else's
 * business. ERR_FORMAT: lengths that contradict each other, fragments, wrong checksums. `no_checksum`: the kernel says
 * that the UDP checksum is not computed yet (packet(7) TP_STATUS_CSUMNOTREADY: a server on the same machine). */
bool dhcp_unwrap(struct view packet, bool no_checksum, struct view *message, struct err *e);

/* Reads a message. False with ERR_NONE: for another client or attempt. ERR_FORMAT: cut short, an option twice or beyond
 * its field, a mask with holes, an address that no host can have, no server identifier. */
bool dhcp_read(struct view message, const struct dhcp_client *client, struct dhcp_reply *out, struct err *e);

#endif
