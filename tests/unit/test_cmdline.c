#include "lib.h"

#include "format/cmdline.h"

static struct cmdline c;

static bool parse(const char *text) {
    memset(&c, 0xee, sizeof c);
    return cmdline_parse(view_str(text), &c, &err);
}

static const char *text_of(const struct ip_address *a) {
    static char text[4][IP_TEXT_SIZE];
    static int i;
    return ip_text(a, text[i++ % 4]);
}

TEST(nothing_of_ours) {
    CHECK(parse("") && c.dhcp && !c.v4.address.family && !c.v6.address.family && !c.dns_count && !c.interface.n &&
          !c.hostname.n);
    CHECK(parse("console=ttyS0 quiet panic=-1 ipv6.disable=1 ipx=1 plinth=1 initrd=initrd\n") && c.dhcp);
    CHECK(parse("a=\"x ip=off plinth.bad=1\" b") && c.dhcp); /* inside quotes */
    CHECK(parse("quiet -- ip=off plinth.bad=1") && c.dhcp);  /* after -- it is for the program */
}

TEST(dhcp_or_not) {
    CHECK(parse("ip=dhcp") && c.dhcp);
    CHECK(parse("ip=on") && c.dhcp);
    CHECK(parse("ip=off") && !c.dhcp && !c.v4.address.family);
    CHECK(parse("ip=none") && !c.dhcp);
    CHECK(parse("ip=:::::eth1:dhcp") && c.dhcp && view_is(c.interface, "eth1"));
    CHECK(parse("ip=::::box:eth1") && c.dhcp && view_is(c.hostname, "box"));
    CHECK(parse("ip=:::::eth1:none") && !c.dhcp);
}

TEST(static_addresses) {
    CHECK(parse("quiet ip=192.0.2.7::192.0.2.1:255.255.255.0:web-1.example:ens3:off:192.0.2.53:9.9.9.9 rw"));
    CHECK(!c.dhcp);
    CHECK_STR(text_of(&c.v4.address), "192.0.2.7");
    CHECK_STR(text_of(&c.v4.gateway), "192.0.2.1");
    CHECK_EQ(c.v4.prefix, 24);
    CHECK(view_is(c.hostname, "web-1.example") && view_is(c.interface, "ens3"));
    CHECK_EQ(c.dns_count, 2);
    CHECK_STR(text_of(&c.dns[1]), "9.9.9.9");
    CHECK(parse("ip=10.0.0.2:::30") && c.v4.prefix == 30 && !c.v4.gateway.family);
    CHECK(parse("ip=10.0.0.2:::255.255.255.255") && c.v4.prefix == 32);
    CHECK(parse("ip=10.0.0.2:::128.0.0.0") && c.v4.prefix == 1);
    CHECK(parse("ip=10.0.0.2::10.0.0.1:8:::dhcp") && !c.dhcp); /* an address that is there needs no asking */
}

TEST(ipv6_beside_ipv4) {
    CHECK(parse("ip=[2001:db8::7]::[fe80::1]:48::eth0:none:[2001:db8::53] ip=dhcp"));
    CHECK(c.dhcp);
    CHECK_STR(text_of(&c.v6.address), "2001:db8::7");
    CHECK_STR(text_of(&c.v6.gateway), "fe80::1");
    CHECK_EQ(c.v6.prefix, 48);
    CHECK_STR(text_of(&c.dns[0]), "2001:db8::53");
    CHECK(parse("ip=[2001:db8::7]") && c.v6.prefix == 64 && !c.dhcp);
    CHECK(parse("ip=10.0.0.2:::8 ip=[::2]:::128") && c.v4.address.family == 4 && c.v6.address.family == 6);
}

TEST(name_servers) {
    CHECK(parse("plinth.dns=192.0.2.53") && c.dns_count == 1 && c.dhcp);
    CHECK(parse("plinth.dns=192.0.2.53,2001:db8::53,[::1]") && c.dns_count == 3);
    CHECK_STR(text_of(&c.dns[2]), "::1");
    CHECK(parse("plinth.dns=192.0.2.53 ip=10.0.0.2:::8::::9.9.9.9") &&
          c.dns_count == 1); /* wherever it stands, it wins */
    CHECK_STR(text_of(&c.dns[0]), "192.0.2.53");
}

TEST(refused) {
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"plinth.policy=/x", "unknown parameter"},
        {"plinth.allowUnsigned", "unknown parameter"},
        {"plinth.dns=", "no list"},
        {"plinth.dns", "no list"},
        {"plinth.dns=1.2.3.4,", "no list"},
        {"plinth.dns=1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4", "no list"},
        {"plinth.dns=ns.example", "no list"},
        {"ip=10.0.0.2", "netmask"},
        {"ip=10.0.0.2:::255.0.255.0", "netmask"},
        {"ip=10.0.0.2:::33", "netmask"},
        {"ip=10.0.0.2:::0", "netmask"},
        {"ip=10.0.0.2:::0.0.0.0", "netmask"},
        {"ip=[::2]:::129", "netmask"},
        {"ip=[::2]:::255.255.255.0", "netmask"},
        {"ip=10.0.0.256:::8", "client's address"},
        {"ip=2001:db8::1", "more than ten|netmask|address"},
        {"ip=fast", "client's address"},
        {"ip=10.0.0.2::[::1]:8", "gateway"},
        {"ip=10.0.0.2::x:8", "gateway"},
        {"ip=10.0.0.2:::8:a_b", "host name"},
        {"ip=10.0.0.2:::8:-x", "host name"},
        {"ip=10.0.0.2:::8::../x", "device name"},
        {"ip=10.0.0.2:::8::0123456789abcdef", "device name"},
        {"ip=10.0.0.2:::8::..", "device name"},
        {"ip=10.0.0.2:::8:::bootp", "autoconf"},
        {"ip=10.0.0.2:::8::::dns", "DNS"},
        {"ip=a:b:c:d:e:f:off:1.1.1.1:1.1.1.1:j:k", "ten"},
        {"ip=10.0.0.2:::8 ip=10.0.0.3:::8", "second"},
        {"ip=[::2]:::64 ip=[::3]:::64", "second"},
        {"ip=[::2:::64", "address"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (struct err){0};
        if (parse(bad[i].text)) check_fail("%s: accepted", bad[i].text);
        CHECK(err.kind == ERR_USAGE);
        if (!strchr(bad[i].why, '|')) CHECK_ERR(bad[i].why);
    }
    static char longer[CMDLINE_MAX + 2];
    memset(longer, 'x', sizeof longer - 1);
    CHECK(!parse(longer));
}

static bool accepts(struct view v) { return cmdline_parse(v, &c, &err); }

TEST(every_cut) {
    fresh();
    struct view v =
        VIEW("ip=192.0.2.7::192.0.2.1:255.255.255.0:web:eth0:off:192.0.2.53 plinth.dns=9.9.9.9,[2001:db8::1]");
    for (size_t n = 0; n <= v.n; n++) {
        uint8_t *copy = malloc(n ? n : 1); /* of just that size, so that a read beyond is caught */
        memcpy(copy, v.p, n);
        accepts(view_of(copy, n));
        free(copy);
    }
}
