/* see network.h */
#include "step/network.h"

#include "sys/console.h"
#include "sys/root.h"
#include "worker/address.h"
#include "worker/frame.h"
#include "worker/job.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define INTERFACE_WAIT_MS 5000

static bool is_given(const uint8_t address[4]) { return address[0] | address[1] | address[2] | address[3]; }

static struct ip_address ipv4(const uint8_t address[4]) {
    struct ip_address a = {.family = is_given(address) ? 4 : 0};
    memcpy(a.bytes, address, 4);
    return a;
}

static bool ask_lease(const struct net_interface *i, struct child *worker, struct err *e) {
    uint8_t job[10];
    struct writer w = writer_of(job, sizeof job);
    int packets = net_packet_socket(i, e);
    write_bytes(&w, view_of(i->mac, sizeof i->mac));
    write_le32(&w, (uint32_t)i->index);
    bool ok = packets >= 0 && proc_start(WORKER_ADDRESS, -1, false, packets, worker, e) &&
              frame_send(worker->control, FRAME_LEASE, writer_view(&w), (struct view){0}, e);
    if (packets >= 0) close(packets);
    return ok;
}

/* The address worker's answer; `buffer` is what the lease's names point into. */
static bool take_lease(const struct child *worker, uint8_t *buffer, size_t size, struct lease *out, struct err *e) {
    struct frame f;
    for (;;) {
        if (!frame_receive(worker->control, buffer, size, clock_ms() + (ADDRESS_SECONDS + 10) * 1000, &f, e))
            return false;
        if (f.type == FRAME_LEASE) return lease_decode(f.payload, out, e);
        if (f.type == FRAME_ERROR) return frame_error(f.payload, e);
        if (f.type != FRAME_NOTE)
            return err_set(e, ERR_SYSTEM, "the address worker sent frame %d out of turn", (int)f.type);
        console_say("%.*s", VIEW_ARG(view_first(f.payload, 200)));
    }
}

static bool dhcp(struct child *worker, uint8_t *buffer, size_t size, struct lease *out, struct err *e) {
    bool ok = take_lease(worker, buffer, size, out, e);
    struct err how;
    if (!ok)
        proc_kill(worker);
    else if (!proc_end(worker, 1000, &how))
        console_say("address worker: %s", how.text);
    return ok;
}

static void put_names(const struct cmdline *c, const struct lease *lease, struct network *out) {
    struct writer resolv = writer_of(out->resolv, sizeof out->resolv), hosts = writer_of(out->hosts, sizeof out->hosts);
    struct ip_address own = c->v4.address.family ? c->v4.address : ipv4(lease->address);
    char text[IP_TEXT_SIZE];
    struct view name = c->hostname.n ? c->hostname : lease->hostname;
    if (!name.n || name.n >= sizeof out->hostname) name = VIEW("plinth");
    view_to_str(name, out->hostname, sizeof out->hostname);
    if (lease->domain.n) {
        write_text(&resolv, "search ");
        write_bytes(&resolv, lease->domain);
        write_text(&resolv, "\n");
    }
    for (size_t i = 0; i < CMDLINE_DNS_MAX; i++) {
        struct ip_address from_lease = ipv4(lease->dns[i]);
        const struct ip_address *dns = c->dns_count ? (i < c->dns_count ? &c->dns[i] : NULL) : &from_lease;
        if (!dns || !dns->family) continue;
        write_text(&resolv, "nameserver ");
        write_text(&resolv, ip_text(dns, text));
        write_text(&resolv, "\n");
    }
    write_text(&hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    write_text(&hosts, own.family             ? ip_text(&own, text)
                       : c->v6.address.family ? ip_text(&c->v6.address, text)
                                              : "127.0.1.1");
    write_text(&hosts, "\t");
    write_text(&hosts, out->hostname);
    write_text(&hosts, "\n");
    if (!writer_str(&resolv)) out->resolv[0] = 0; /* cannot be: 253 + 3 addresses fit */
    if (!writer_str(&hosts)) out->hosts[0] = 0;
}

static void say_address(const struct net_interface *i, const struct ip_config *ip, const char *from) {
    char address[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];
    console_say("%s: %s/%u%s%s, %s", i->name, ip_text(&ip->address, address), ip->prefix,
                ip->gateway.family ? " through " : "", ip_text(&ip->gateway, gateway), from);
}

void network_begin(const struct cmdline *c, struct network_pending *out) {
    struct err *e = &out->fault;
    *out = (struct network_pending){.worker = CHILD_NONE};
    out->begun = net_loopback(e) && net_find(c->interface, INTERFACE_WAIT_MS, &out->interface, e) &&
                 (!c->dhcp || ask_lease(&out->interface, &out->worker, e) || err_in(e, "%s", out->interface.name));
    if (!out->begun) proc_kill(&out->worker);
}

bool network_start(const struct cmdline *c, struct network_pending *pending, struct network *out, struct err *e) {
    const struct net_interface i = pending->interface;
    struct lease lease = {0};
    struct network n = {0};
    uint8_t names[FRAME_HEADER + 1024];
    char from[48] = "from the command line";
    if (!pending->begun) return *e = pending->fault, false;
    struct ip_config v4 = c->v4;
    if (c->dhcp) {
        if (!dhcp(&pending->worker, names, sizeof names, &lease, e)) return err_in(e, "%s", i.name);
        v4 = (struct ip_config){ipv4(lease.address), ipv4(lease.router), lease.prefix};
        if (lease.seconds == UINT32_MAX)
            snprintf(from, sizeof from, "from DHCP, for ever");
        else
            snprintf(from, sizeof from, "from DHCP, for %u s", lease.seconds);
        if (lease.mtu && !net_mtu(&i, lease.mtu, e)) console_say("%s", e->text);
    }
    const struct ip_config *both[] = {&v4, &c->v6};
    for (size_t k = 0; k < 2; k++) {
        if (!both[k]->address.family) continue;
        if (!net_configure(&i, both[k], e)) return false;
        say_address(&i, both[k], k == 0 ? from : "from the command line");
    }
    put_names(c, &lease, &n);
    n.interface = i;
    n.lease_seconds = lease.seconds;
    if (lease.seconds != UINT32_MAX) n.leased = ipv4(lease.address);
    if (!n.resolv[0]) console_say("no name server: only addresses and localhost will be found (plinth.dns= gives one)");
    if (sethostname(n.hostname, strlen(n.hostname))) return err_sys(e, "cannot set the host name");
    *out = n;
    return true;
}

bool network_renew(const struct network *n, struct child *worker, struct err *e) {
    return ask_lease(&n->interface, worker, e) || err_in(e, "%s", n->interface.name);
}

bool network_renewed(const struct network *n, const struct child *worker, uint32_t *seconds, struct err *e) {
    uint8_t buffer[FRAME_HEADER + 1024];
    char was[IP_TEXT_SIZE], now[IP_TEXT_SIZE];
    struct lease lease;
    struct frame f;
    *seconds = 0;
    if (!frame_receive(worker->control, buffer, sizeof buffer, clock_ms() + 1000, &f, e)) return false;
    if (f.type == FRAME_NOTE) return true;
    if (f.type == FRAME_ERROR) return frame_error(f.payload, e);
    if (f.type != FRAME_LEASE)
        return err_set(e, ERR_SYSTEM, "the address worker sent frame %d out of turn", (int)f.type);
    if (!lease_decode(f.payload, &lease, e)) return false;
    struct ip_address given = ipv4(lease.address);
    if (memcmp(given.bytes, n->leased.bytes, 4))
        return err_set(e, ERR_NETWORK, "DHCP gives %s now; %s, which the container uses, is kept",
                       ip_text(&given, now), ip_text(&n->leased, was));
    *seconds = lease.seconds;
    return true;
}

bool network_room(const struct network *n, const char *path, struct err *e) {
    int room = root_directory(AT_FDCWD, path, 0755, false, e);
    bool ok = room >= 0 && root_write(room, "/etc/resolv.conf", view_str(n->resolv), 0444, e) &&
              root_write(room, "/etc/hosts", view_str(n->hosts), 0444, e);
    if (room >= 0) close(room);
    return ok || err_in(e, "the fetch worker's room");
}
