#include "lib.h"

#include "format/dhcp.h"

static const struct dhcp_client client = {0x86e65d3b, 0, {0x32, 0x94, 0xf7, 0x5d, 0x83, 0x65}};
static struct dhcp_reply reply;

static bool is4(const uint8_t *a, uint8_t b, uint8_t c, uint8_t d, uint8_t f) {
    return a[0] == b && a[1] == c && a[2] == d && a[3] == f;
}

static bool reads(struct view packet, const struct dhcp_client *c) {
    struct view message;
    return dhcp_unwrap(packet, true, &message, &err) && dhcp_read(message, c, &reply, &err);
}

TEST(exchange_with_dnsmasq) {
    uint8_t packet[DHCP_WRITTEN];
    fresh();
    dhcp_write(&client, NULL, packet);
    CHECK(view_eq(view_of(packet, sizeof packet), vector("dhcp/discover.ip")));
    CHECK(reads(vector("dhcp/offer.ip"), &client));
    CHECK_EQ(reply.type, DHCP_OFFER);
    CHECK(is4(reply.address, 192, 168, 77, 52) && is4(reply.server, 192, 168, 77, 1));
    dhcp_write(&client, &reply, packet);
    CHECK(view_eq(view_of(packet, sizeof packet), vector("dhcp/request.ip")));
    CHECK(reads(vector("dhcp/ack.ip"), &client));
    CHECK_EQ(reply.type, DHCP_ACK);
    CHECK_EQ(reply.prefix, 24);
    CHECK_EQ(reply.seconds, 3600);
    CHECK_EQ(reply.mtu, 1400);
    CHECK(is4(reply.router, 192, 168, 77, 1) && is4(reply.dns[0], 192, 168, 77, 1) && is4(reply.dns[1], 9, 9, 9, 9));
    CHECK(is4(reply.dns[2], 0, 0, 0, 0));
    CHECK(view_is(reply.domain, "lab.example") && reply.hostname.n == 0);
}

TEST(classless_routes_win) {
    static const struct dhcp_client other = {0x00000000, 0, {0}};
    struct dhcp_client c = other;
    fresh();
    struct view packet = vector("dhcp/ack-routes.ip");
    c.xid = (uint32_t)packet.p[32] << 24 | (uint32_t)packet.p[33] << 16 | (uint32_t)packet.p[34] << 8 | packet.p[35];
    memcpy(c.mac, packet.p + 56, 6);
    CHECK(reads(packet, &c));
    CHECK(is4(reply.router, 192, 168, 77, 254));
    CHECK_EQ(reply.seconds, 0xffffffff);
}

TEST(checksum_of_our_own) {
    uint8_t packet[DHCP_WRITTEN];
    struct view message;
    dhcp_write(&client, NULL, packet);
    packet[20] = 0, packet[21] = 67, packet[22] = 0, packet[23] = 68; /* turned round: the sums stay the same */
    CHECK(dhcp_unwrap(view_of(packet, sizeof packet), false, &message, &err));
    CHECK_EQ(message.n, 300);
    for (size_t i = 0; i < 8 * sizeof packet; i++) { /* any one bit off is found by length, port or checksum */
        packet[i / 8] ^= (uint8_t)(1 << i % 8);
        if (i / 8 != 26 && i / 8 != 27) CHECK(!dhcp_unwrap(view_of(packet, sizeof packet), false, &message, &err));
        packet[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    packet[26] = packet[27] = 0; /* no checksum at all is legal (RFC 768) */
    CHECK(dhcp_unwrap(view_of(packet, sizeof packet), false, &message, &err));
}

TEST(checksum_left_to_hardware) {
    struct view message;
    fresh();
    CHECK(!dhcp_unwrap(vector("dhcp/ack.ip"), false, &message, &err));
    CHECK_ERR("wrong UDP checksum");
}

static bool accepts(struct view packet) { return reads(packet, &client); }

TEST(broken_packets) {
    fresh();
    struct view ack = vector("dhcp/ack.ip");
    broken(ack, ack.n, accepts);
}

/* A message: the fixed part of a good one, then these options. */
static struct view message_with(const void *options, size_t n) {
    static uint8_t m[1500];
    memset(m, 0, sizeof m);
    static const uint8_t head[] = {2, 1, 6, 0, 0x86, 0xe6, 0x5d, 0x3b};
    memcpy(m, head, sizeof head);
    memcpy(m + 16, "\xc0\xa8\x4d\x34", 4);
    memcpy(m + 28, client.mac, 6);
    memcpy(m + 236, "\x63\x82\x53\x63", 4);
    memcpy(m + 240, options, n);
    uint8_t *exact = arena_alloc(&arena, 240 + n);
    memcpy(exact, m, 240 + n);
    return view_of(exact, 240 + n);
}
#define OPTIONS(literal) message_with(literal, sizeof(literal) - 1)
#define SERVER "\x36\4\xc0\xa8\x4d\1"
#define MASK "\1\4\xff\xff\xff\0"
#define GOOD "\x35\1\2" SERVER MASK

static bool takes(struct view m) { return dhcp_read(m, &client, &reply, &err); }

TEST(options) {
    fresh();
    CHECK(takes(OPTIONS(GOOD "\xff")));
    CHECK(is4(reply.router, 0, 0, 0, 0) && reply.prefix == 24 && reply.seconds == 0);
    CHECK(takes(OPTIONS(GOOD))); /* no end mark: the field's end is one */
    CHECK(takes(OPTIONS(GOOD "\0\0\0\xff"
                             "\x35\1\7")));
    CHECK(takes(OPTIONS(GOOD "\3\x08\x7f\0\0\1\xc0\xa8\x4d\2\xff")));
    CHECK(is4(reply.router, 192, 168, 77, 2)); /* loopback is nobody's router */
    CHECK(takes(OPTIONS(GOOD "\x79\5\x18\x0a\0\0\xc0\xff")) == false);
    CHECK_ERR("broken classless routes");
    CHECK(!takes(OPTIONS(GOOD "\x79\x06\x21\1\2\3\4\5\xff")));
    CHECK(takes(OPTIONS(GOOD "\3\4\xc0\xa8\x4d\2\x79\x08\x18\x0a\0\0\xc0\xa8\x4d\3\xff")));
    CHECK(is4(reply.router, 0, 0, 0, 0)); /* routes without a default: RFC 3442 says to ignore option 3 */
    CHECK(takes(OPTIONS(GOOD "\x0f\x05"
                             "a.b\0\0"
                             "\x0c\4ok-1\xff")));
    CHECK(view_is(reply.domain, "a.b") && view_is(reply.hostname, "ok-1"));
    CHECK(takes(OPTIONS(GOOD "\x0f\3a b\x0c\4-rm1\xff")));
    CHECK(reply.domain.n == 0 && reply.hostname.n == 0);
}

TEST(overload) {
    fresh();
    struct view m = OPTIONS("\x35\1\2" SERVER "\x34\1\3\xff");
    uint8_t *p = (uint8_t *)(uintptr_t)m.p;
    CHECK(!takes(m)); /* no mask anywhere */
    memcpy(p + 108, MASK "\xff", 7);
    memcpy(p + 44, "\3\4\xc0\xa8\x4d\x09\xff", 7);
    CHECK(takes(m) && reply.prefix == 24 && is4(reply.router, 192, 168, 77, 9));
    memcpy(p + 44, MASK "\xff", 7);
    CHECK(!takes(m));
    CHECK_ERR("option 1 is there twice");
    memset(p + 44, 0, 64);
    p[44 + 62] = 3, p[44 + 63] = 1;
    CHECK(!takes(m));
    CHECK_ERR("option 3 runs past its field");
}

TEST(refused) {
    static const struct {
        const char *options;
        size_t n;
        const char *why;
    } bad[] = {
#define BAD(literal, why) {literal, sizeof(literal) - 1, why}
        BAD("", "message type 0"),
        BAD("\x35\1\x2\xff", "DHCP server 0.0.0.0"),
        BAD("\x35\1\1" SERVER MASK, "message type 1"),
        BAD("\x35\2\2\2" SERVER MASK, "option 53 has 2 bytes"),
        BAD("\x35\1\2" SERVER, "subnet mask 0.0.0.0"),
        BAD("\x35\1\2" SERVER "\1\4\xff\0\xff\0", "subnet mask 255.0.255.0"),
        BAD("\x35\1\2" SERVER "\1\3\xff\xff\xff", "option 1 has 3"),
        BAD("\x35\1\2\x36\4\xff\xff\xff\xff" MASK, "DHCP server 255.255.255.255"),
        BAD("\x35\1\2\x36\4\x7f\0\0\1" MASK, "DHCP server 127"),
        BAD(GOOD SERVER, "option 54 is there twice"),
        BAD(GOOD "\x33\3\1\2\3", "option 51 has 3"),
        BAD(GOOD "\x33", "runs past"),
        BAD(GOOD "\x33\xff", "runs past"),
        BAD(GOOD "\6\5\1\2\3\4\5", "list of 5 bytes"),
        BAD(GOOD "\x1a\2\0\x40", "MTU of 64"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fresh();
        CHECK(!takes(message_with(bad[i].options, bad[i].n)));
        CHECK_ERR(bad[i].why);
    }
    struct view m = OPTIONS(GOOD);
    for (int a = 0; a < 256; a++) {
        ((uint8_t *)(uintptr_t)m.p)[16] = (uint8_t)a;
        CHECK(takes(m) == (a != 0 && a != 127 && a < 224));
    }
}

TEST(not_for_us) {
    fresh();
    struct view m = OPTIONS(GOOD);
    static const size_t ours[] = {0, 1, 2, 4, 7, 28, 33};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        ((uint8_t *)(uintptr_t)m.p)[ours[i]] ^= 1;
        err.kind = ERR_FORMAT;
        CHECK(!takes(m) && err.kind == ERR_NONE);
        ((uint8_t *)(uintptr_t)m.p)[ours[i]] ^= 1;
    }
    CHECK(takes(m));
    CHECK(takes(OPTIONS("\x35\1\6" SERVER)) && reply.type == DHCP_NAK);
}
