/* see dhcp.h */
#include "format/dhcp.h"

#include "base/reader.h"
#include "base/writer.h"

enum { IP = 20, UDP = 8, PORT_SERVER = 67, PORT_CLIENT = 68, PROTOCOL_UDP = 17, MESSAGE = DHCP_WRITTEN - IP - UDP };
enum { COOKIE = 0x63825363, PAD = 0, MASK = 1, ROUTER = 3, DNS = 6, HOSTNAME = 12, DOMAIN = 15, MTU = 26 };
enum { REQUESTED = 50, LEASE = 51, OVERLOAD = 52, TYPE = 53, SERVER = 54, PARAMETERS = 55, SIZE = 57, CLIENT = 61 };
enum { ROUTES = 121, END = 255 };

/* The Internet checksum (RFC 1071) over `v`, continued from `sum`. Of bytes that hold their own it is 0xffff. */
static uint32_t checksum(uint32_t sum, struct view v) {
    for (size_t i = 0; i < v.n; i++) sum += (uint32_t)v.p[i] << (i % 2 ? 0 : 8);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* The UDP checksum with its pseudo header: source, destination, protocol, length. */
static uint32_t udp_checksum(struct view addresses, struct view udp) {
    return checksum(checksum(PROTOCOL_UDP + (uint32_t)udp.n, addresses), udp);
}

static void write_option(struct writer *w, uint8_t code, struct view value) {
    write_u8(w, code);
    write_u8(w, (uint8_t)value.n);
    write_bytes(w, value);
}

static void patch_be16(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)(x >> 8);
    p[1] = (uint8_t)x;
}

void dhcp_write(const struct dhcp_client *client, const struct dhcp_reply *offer, uint8_t packet[static DHCP_WRITTEN]) {
    static const uint8_t wanted[] = {MASK, ROUTER, DNS, HOSTNAME, DOMAIN, MTU, LEASE, SERVER, ROUTES};
    static const uint8_t forever[4] = {255, 255, 255, 255}, ethernet = 1;
    uint8_t type = offer ? DHCP_REQUEST : DHCP_DISCOVER, client_id[7] = {ethernet};
    memcpy(client_id + 1, client->mac, 6);
    memset(packet, 0, DHCP_WRITTEN);

    struct writer ip = writer_of(packet, IP + UDP);
    write_be32(&ip, 0x45u << 24 | DHCP_WRITTEN);
    write_be32(&ip, 0);
    write_be32(&ip, 64u << 24 | PROTOCOL_UDP << 16);
    write_be32(&ip, 0);
    write_be32(&ip, 0xffffffff);
    write_be16(&ip, PORT_CLIENT);
    write_be16(&ip, PORT_SERVER);
    write_be16(&ip, UDP + MESSAGE);

    struct writer w = writer_of(packet + IP + UDP, MESSAGE);
    write_be32(&w, 1u << 24 | ethernet << 16 | 6u << 8); /* op BOOTREQUEST, htype, hlen, hops */
    write_be32(&w, client->xid);
    write_be16(&w, client->seconds);
    write_be16(&w, 0x8000); /* answer by broadcast: we have no address yet */
    w.n += 16;              /* ciaddr, yiaddr, siaddr, giaddr */
    write_bytes(&w, view_of(client->mac, 6));
    w.n += 10 + 64 + 128; /* rest of chaddr, sname, file */
    write_be32(&w, COOKIE);
    write_option(&w, TYPE, view_of(&type, 1));
    write_option(&w, CLIENT, view_of(client_id, sizeof client_id));
    if (offer) {
        write_option(&w, REQUESTED, view_of(offer->address, 4));
        write_option(&w, SERVER, view_of(offer->server, 4));
    }
    write_option(&w, LEASE, view_of(forever, 4));
    write_option(&w, SIZE, VIEW("\x05\xdc")); /* DHCP_PACKET_MAX */
    write_option(&w, PARAMETERS, view_of(wanted, sizeof wanted));
    write_u8(&w, END);

    patch_be16(packet + 10, ~checksum(0, view_of(packet, IP)));
    patch_be16(packet + IP + 6, ~udp_checksum(view_of(packet + 12, 8), view_of(packet + IP, UDP + MESSAGE)));
}

static bool not_ours(struct err *e) {
    e->kind = ERR_NONE;
    return false;
}

bool dhcp_unwrap(struct view packet, bool no_checksum, struct view *message, struct err *e) {
    struct reader r = reader_of(packet);
    uint8_t version = read_u8(&r);
    size_t header = (size_t)(version & 15) * 4;
    read_u8(&r);
    size_t total = read_be16(&r);
    read_be16(&r);
    uint16_t fragment = read_be16(&r);
    read_u8(&r);
    uint8_t protocol = read_u8(&r);
    if (r.bad || version >> 4 != 4 || protocol != PROTOCOL_UDP) return not_ours(e);
    if (header < IP || total < header + UDP || total > packet.n)
        return err_set(e, ERR_FORMAT, "an IP packet of %zu bytes says it has a header of %zu and %zu in all", packet.n,
                       header, total);
    if (fragment & 0x3fff) return not_ours(e); /* no DHCP message is so long */
    struct view addresses = view_of(packet.p + 12, 8), udp = view_of(packet.p + header, total - header);
    r = reader_of(udp);
    uint16_t from = read_be16(&r), to = read_be16(&r), length = read_be16(&r), sum = read_be16(&r);
    if (from != PORT_SERVER || to != PORT_CLIENT) return not_ours(e);
    if (checksum(0, view_first(packet, header)) != 0xffff) return err_set(e, ERR_FORMAT, "wrong IP header checksum");
    if (length < UDP || length > udp.n)
        return err_set(e, ERR_FORMAT, "a UDP datagram says it has %u bytes, there are %zu", length, udp.n);
    udp.n = length;
    if (sum && !no_checksum && udp_checksum(addresses, udp) != 0xffff)
        return err_set(e, ERR_FORMAT, "wrong UDP checksum");
    *message = view_skip(udp, UDP);
    return true;
}

/* Where each option's value is; p NULL: absent. */
struct options {
    struct view at[256];
};

static bool read_options(struct view field, struct options *o, struct err *e) {
    struct reader r = reader_of(field);
    while (r.rest.n) {
        uint8_t code = read_u8(&r);
        if (code == PAD) continue;
        if (code == END) return true;
        struct view value = read_bytes(&r, read_u8(&r));
        if (r.bad) return err_set(e, ERR_FORMAT, "DHCP option %u runs past its field", code);
        if (o->at[code].p) return err_set(e, ERR_FORMAT, "DHCP option %u is there twice", code);
        o->at[code] = value;
    }
    return true;
}

/* An option of exactly `n` bytes, when present. */
static bool fixed(const struct options *o, uint8_t code, size_t n, uint8_t *out, struct err *e) {
    struct view v = o->at[code];
    if (!v.p) return true;
    if (v.n != n) return err_set(e, ERR_FORMAT, "DHCP option %u has %zu bytes instead of %zu", code, v.n, n);
    memcpy(out, v.p, n);
    return true;
}

/* Can a host have this address? Not 0/8, not loopback, not multicast, reserved or broadcast. */
static bool usable(const uint8_t *a) { return a[0] > 0 && a[0] != 127 && a[0] < 224; }

/* Takes up to `max` addresses of a list, skipping those that no host can have. */
static bool addresses(struct view v, uint8_t (*out)[4], size_t max, struct err *e) {
    if (v.n % 4) return err_set(e, ERR_FORMAT, "a DHCP address list of %zu bytes", v.n);
    for (size_t n = 0; v.n && n < max; v = view_skip(v, 4))
        if (usable(v.p)) memcpy(out[n++], v.p, 4);
    return true;
}

/* Classless static routes (RFC 3442): only the default route counts. */
static bool default_route(struct view v, uint8_t router[4], struct err *e) {
    struct reader r = reader_of(v);
    while (r.rest.n) {
        uint8_t width = read_u8(&r);
        read_bytes(&r, (width + 7u) / 8u);
        struct view via = read_bytes(&r, 4);
        if (r.bad || width > 32) return err_set(e, ERR_FORMAT, "broken classless routes (DHCP option 121)");
        if (width == 0 && usable(via.p)) memcpy(router, via.p, 4);
    }
    return true;
}

/* Names come from whoever answered first: what is not plainly a name is left out. */
static struct view name(struct view v) {
    while (v.n && v.p[v.n - 1] == 0) v.n--;
    bool good = view_is_word(v, "-.") && v.n <= 253 && (!v.n || (v.p[0] != '.' && v.p[0] != '-'));
    return good ? v : (struct view){0};
}

static bool subnet(const uint8_t mask[4], uint8_t *prefix, struct err *e) {
    uint32_t m = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 | (uint32_t)mask[2] << 8 | mask[3];
    if (m == 0 || (~m & (~m + 1)))
        return err_set(e, ERR_FORMAT, "subnet mask %u.%u.%u.%u in the DHCP answer", mask[0], mask[1], mask[2], mask[3]);
    for (*prefix = 0; m; m <<= 1) ++*prefix;
    return true;
}

static bool read_values(const struct options *o, struct dhcp_reply *out, struct err *e) {
    uint8_t mask[4] = {0}, seconds[4] = {0}, mtu[2] = {0};
    if (!fixed(o, LEASE, 4, seconds, e) || !fixed(o, MTU, 2, mtu, e) || !fixed(o, MASK, 4, mask, e)) return false;
    if (!usable(out->address) || !usable(out->server))
        return err_set(e, ERR_FORMAT, "DHCP server %u.%u.%u.%u offers %u.%u.%u.%u", out->server[0], out->server[1],
                       out->server[2], out->server[3], out->address[0], out->address[1], out->address[2],
                       out->address[3]);
    out->seconds = (uint32_t)seconds[0] << 24 | (uint32_t)seconds[1] << 16 | (uint32_t)seconds[2] << 8 | seconds[3];
    out->mtu = (uint16_t)(mtu[0] << 8 | mtu[1]);
    if (out->mtu && out->mtu < 576) return err_set(e, ERR_FORMAT, "an MTU of %u bytes in the DHCP answer", out->mtu);
    out->domain = name(o->at[DOMAIN]);
    out->hostname = name(o->at[HOSTNAME]);
    struct view routes = o->at[ROUTES]; /* RFC 3442: where it is there, the router option does not count */
    return subnet(mask, &out->prefix, e) && addresses(o->at[DNS], out->dns, 3, e) &&
           (routes.p ? default_route(routes, out->router, e) : addresses(o->at[ROUTER], &out->router, 1, e));
}

bool dhcp_read(struct view message, const struct dhcp_client *client, struct dhcp_reply *out, struct err *e) {
    struct reader r = reader_of(message);
    struct options o = {0};
    struct dhcp_reply reply = {0};
    uint8_t type = 0, overload = 0;
    uint32_t kind = read_be32(&r), xid = read_be32(&r);
    read_bytes(&r, 8); /* secs, flags, ciaddr */
    struct view yours = read_bytes(&r, 4);
    read_bytes(&r, 8); /* siaddr, giaddr */
    struct view hardware = read_bytes(&r, 16), sname = read_bytes(&r, 64), file = read_bytes(&r, 128);
    if (r.bad) return err_set(e, ERR_FORMAT, "a DHCP message of %zu bytes", message.n);
    if (kind >> 8 != 0x020106 || xid != client->xid || memcmp(hardware.p, client->mac, 6)) return not_ours(e);
    if (read_be32(&r) != COOKIE || r.bad) return err_set(e, ERR_FORMAT, "a BOOTP message without DHCP options");
    memcpy(reply.address, yours.p, 4);
    if (!read_options(r.rest, &o, e) || !fixed(&o, OVERLOAD, 1, &overload, e)) return false;
    if ((overload & 1 && !read_options(file, &o, e)) || (overload & 2 && !read_options(sname, &o, e))) return false;
    if (!fixed(&o, TYPE, 1, &type, e) || !fixed(&o, SERVER, 4, reply.server, e)) return false;
    reply.type = type;
    if (type != DHCP_OFFER && type != DHCP_ACK && type != DHCP_NAK)
        return err_set(e, ERR_FORMAT, "DHCP message type %u from a server", type);
    if (type != DHCP_NAK && !read_values(&o, &reply, e)) return false;
    *out = reply;
    return true;
}
