/* see cmdline.h */
#include "format/cmdline.h"

#include <arpa/inet.h>

static bool bad(struct view parameter, const char *why, struct err *e) {
    err_set(e, ERR_USAGE, "kernel command line: %.*s: %s", VIEW_ARG(view_first(parameter, 200)), why);
    return err_mend(e, "write ip=CLIENT::GATEWAY:NETMASK:HOSTNAME:DEVICE:none[:DNS], ip=dhcp, or plinth.dns=ADDRESS");
}

/* "192.0.2.7", "2001:db8::7" or "[2001:db8::7]" */
static bool parse_address(struct view v, struct ip_address *out) {
    char text[IP_TEXT_SIZE];
    struct ip_address a = {0};
    if (v.n > 2 && v.p[0] == '[' && v.p[v.n - 1] == ']') v = view_of(v.p + 1, v.n - 2);
    if (!view_to_str(v, text, sizeof text)) return false;
    a.family = strchr(text, ':') ? 6 : 4;
    if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.bytes) != 1) return false;
    *out = a;
    return true;
}

const char *ip_text(const struct ip_address *a, char out[static IP_TEXT_SIZE]) {
    if (!a->family || !inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->bytes, out, IP_TEXT_SIZE)) out[0] = 0;
    return out;
}

/* A prefix length, or a dotted mask without holes. */
static bool parse_netmask(struct view v, uint8_t family, uint8_t *prefix) {
    struct ip_address mask;
    uint64_t n;
    if (view_u64(v, family == 6 ? 128 : 32, &n)) {
        *prefix = (uint8_t)n;
        return n > 0;
    }
    if (family != 4 || !parse_address(v, &mask) || mask.family != 4) return false;
    uint32_t m =
        (uint32_t)mask.bytes[0] << 24 | (uint32_t)mask.bytes[1] << 16 | (uint32_t)mask.bytes[2] << 8 | mask.bytes[3];
    if (m == 0 || (~m & (~m + 1))) return false;
    for (*prefix = 0; m; m <<= 1) ++*prefix;
    return true;
}

static bool is_name(struct view v, size_t max, const char *also) {
    return view_is_word(v, also) && v.n <= max && (v.n == 0 || v.p[0] != '-') && !view_is(v, ".") && !view_is(v, "..");
}

/* The next field of ip=: up to a ':' that stands outside brackets. */
static struct view next_field(struct view *rest) {
    if (!rest->n || rest->p[0] != '[') return view_cut(rest, ':', NULL);
    const uint8_t *start = rest->p;
    view_cut(rest, ']', NULL);
    size_t n = (size_t)(rest->p - start);
    view_cut(rest, ':', NULL);
    return view_of(start, n);
}

static bool add_dns(struct view v, struct cmdline *c) {
    return c->dns_count < CMDLINE_DNS_MAX && parse_address(v, &c->dns[c->dns_count]) && ++c->dns_count;
}

static bool is_dhcp(struct view v) {
    return view_is(v, "dhcp") || view_is(v, "on") || view_is(v, "any") || view_is(v, "both");
}

static bool parse_ip(struct view parameter, struct view value, struct cmdline *c, struct err *e) {
    if (is_dhcp(value) || view_is(value, "off") || view_is(value, "none")) {
        c->dhcp = is_dhcp(value);
        return true;
    }
    struct view field[10];
    for (size_t i = 0; i < 10; i++) field[i] = next_field(&value);
    struct view client = field[0], gateway = field[2], netmask = field[3], autoconf = field[6];
    if (value.n) return bad(parameter, "more than ten fields", e);
    if (!is_name(field[4], 64, "-.")) return bad(parameter, "the host name is none", e);
    if (!is_name(field[5], INTERFACE_MAX, "-._@")) return bad(parameter, "the device name is none", e);
    if (autoconf.n && !is_dhcp(autoconf) && !view_is(autoconf, "off") && !view_is(autoconf, "none"))
        return bad(parameter, "autoconf is not dhcp, on, any, off or none", e);
    if (field[4].n) c->hostname = field[4];
    if (field[5].n) c->interface = field[5];
    for (size_t i = 7; i < 9; i++)
        if (field[i].n && !add_dns(field[i], c))
            return bad(parameter, "a DNS server is no address, or there are more than 3", e);
    c->dhcp = !client.n && (!autoconf.n || is_dhcp(autoconf));
    if (!client.n) return true;
    struct ip_config ip = {0};
    if (!parse_address(client, &ip.address)) return bad(parameter, "the client's address is none", e);
    if (ip.address.family == 6 && !netmask.n) netmask = VIEW("64");
    if (!parse_netmask(netmask, ip.address.family, &ip.prefix))
        return bad(parameter, "the netmask is missing or has holes", e);
    if (gateway.n && (!parse_address(gateway, &ip.gateway) || ip.gateway.family != ip.address.family))
        return bad(parameter, "the gateway is no address of the client's family", e);
    struct ip_config *slot = ip.address.family == 6 ? &c->v6 : &c->v4;
    if (slot->address.family) return bad(parameter, "a second static address of one family", e);
    *slot = ip;
    return true;
}

static bool parse_dns(struct view parameter, struct view value, struct cmdline *c, struct err *e) {
    c->dns_count = 0;
    for (bool more = true; more;)
        if (!add_dns(view_cut(&value, ',', &more), c)) return bad(parameter, "no list of up to 3 addresses", e);
    return true;
}

/* The next parameter. The kernel lets double quotes hold spaces; such values are not ours, but end where it says. */
static struct view next_parameter(struct view *rest) {
    *rest = view_trim(*rest);
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->n && (quoted || (rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\n')); n++)
        if (rest->p[n] == '"') quoted = !quoted;
    struct view parameter = view_first(*rest, n);
    *rest = view_skip(*rest, n);
    return parameter;
}

bool cmdline_parse(struct view text, struct cmdline *out, struct err *e) {
    struct cmdline c = {.dhcp = true};
    struct view late_dns = {0}; /* wins over the servers of ip=, wherever it stands */
    if (text.n > CMDLINE_MAX) return err_set(e, ERR_USAGE, "a kernel command line of %zu bytes", text.n);
    for (struct view p = next_parameter(&text); p.n && !view_is(p, "--"); p = next_parameter(&text)) {
        struct view value = p, key = view_cut(&value, '=', NULL);
        if (view_is(key, "ip") && !parse_ip(p, value, &c, e)) return false;
        if (view_is(key, "plinth.dns"))
            late_dns = p;
        else if (view_starts(key, VIEW("plinth.")))
            return bad(p, "unknown parameter", e);
    }
    if (late_dns.n && !parse_dns(late_dns, view_skip(late_dns, sizeof "plinth.dns"), &c, e)) return false;
    *out = c;
    return true;
}
