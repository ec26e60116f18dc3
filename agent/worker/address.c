/* see address.h */
#include "worker/address.h"

#include "base/reader.h"
#include "format/dhcp.h"
#include "worker/confine.h"
#include "worker/frame.h"
#include "worker/job.h"
#include "worker/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

#define PACKET_AUXDATA_TYPE 8         /* PACKET_AUXDATA */
#define STATUS_CSUMNOTREADY (1u << 3) /* TP_STATUS_CSUMNOTREADY, first word of struct tpacket_auxdata */

struct exchange {
    struct dhcp_client client;
    struct sockaddr_ll everybody;
    int64_t start, deadline; /* ms */
    struct err fault;        /* of the last answer that was meant for us and was refused; kind 0: none came */
    uint8_t packet[DHCP_PACKET_MAX];
};

static uint32_t random32(void) {
    uint32_t x = 0;
    while (getrandom(&x, sizeof x, 0) != sizeof x) {
    }
    return x;
}

/* The next packet, or *n 0 when `until` (ms) comes first. *no_checksum: the kernel left the UDP checksum to hardware
 * that there is not. */
static bool receive(struct exchange *x, int64_t until, size_t *n, bool *no_checksum, struct err *e) {
    union {
        struct cmsghdr first;
        char space[64];
    } control;
    struct iovec part = {x->packet, sizeof x->packet};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct pollfd p = {WORKER_INPUT, POLLIN, 0};
    int64_t left = until - clock_ms();
    *n = 0;
    *no_checksum = false;
    if (left <= 0 || poll(&p, 1, (int)left) == 0) return true;
    ssize_t got = recvmsg(WORKER_INPUT, &m, MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
        return err_sys(e, "cannot read from the packet socket");
    *n = got > 0 ? (size_t)got : 1; /* 1: nothing worth reading, but time is left */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); got > 0 && c; c = CMSG_NXTHDR(&m, c)) {
        uint32_t status;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA_TYPE || c->cmsg_len < CMSG_LEN(sizeof status))
            continue;
        memcpy(&status, CMSG_DATA(c), sizeof status);
        *no_checksum = status & STATUS_CSUMNOTREADY;
    }
    return true;
}

/* Sends DISCOVER, or the REQUEST for `offer`, and waits for the answer; out->type stays 0 when none comes in `wait_ms`.
 */
static bool ask(struct exchange *x, const struct dhcp_reply *offer, int wait_ms, struct dhcp_reply *out,
                struct err *e) {
    int64_t now = clock_ms(), until = now + wait_ms - 500 + random32() % 1000;
    uint8_t sent[DHCP_WRITTEN];
    if (until > x->deadline) until = x->deadline;
    x->client.seconds = (uint16_t)((now - x->start) / 1000);
    dhcp_write(&x->client, offer, sent);
    if (sendto(WORKER_INPUT, sent, sizeof sent, 0, (struct sockaddr *)&x->everybody, sizeof x->everybody) < 0 &&
        errno != ENETDOWN && errno != ENOBUFS)
        return err_sys(e, "cannot send to the packet socket");
    memset(out, 0, sizeof *out);
    for (;;) {
        size_t n;
        bool no_checksum;
        struct view message;
        struct dhcp_reply reply;
        struct err why;
        if (!receive(x, until, &n, &no_checksum, e)) return false;
        if (n == 0) return true;
        if (!dhcp_unwrap(view_of(x->packet, n), no_checksum, &message, &why) ||
            !dhcp_read(message, &x->client, &reply, &why)) {
            if (why.kind != ERR_NONE) x->fault = why;
            continue;
        }
        bool fits = offer ? reply.type != DHCP_OFFER && memcmp(reply.server, offer->server, 4) == 0 &&
                                (reply.type == DHCP_NAK || memcmp(reply.address, offer->address, 4) == 0)
                          : reply.type == DHCP_OFFER;
        if (!fits) continue; /* another server's late offer, or an answer to what we did not ask */
        *out = reply;
        return true;
    }
}

static bool note(const char *text, struct err *e) {
    return frame_send(WORKER_CONTROL, FRAME_NOTE, view_str(text), (struct view){0}, e);
}

/* One attempt: offer, request, acknowledgement. True with out->type DHCP_ACK, or anything else for "try again". */
static bool attempt(struct exchange *x, int wait_ms, struct dhcp_reply *out, struct err *e) {
    struct dhcp_reply offer;
    x->client.xid = random32();
    if (!ask(x, NULL, wait_ms, &offer, e)) return false;
    *out = offer;
    if (offer.type != DHCP_OFFER) return note("DHCP: no answer yet, asking again", e);
    for (int wait = 1000; wait <= 4000; wait *= 2) {
        if (!ask(x, &offer, wait, out, e)) return false;
        if (out->type == DHCP_ACK) return true;
        if (out->type == DHCP_NAK) {
            poll(NULL, 0, 1000); /* a server that always does so shall not keep us busy */
            return note("DHCP: the server took its offer back, asking again", e);
        }
    }
    return note("DHCP: the server does not confirm its offer, asking again", e);
}

static bool no_lease(const struct exchange *x, struct err *e) {
    if (x->fault.kind == ERR_NONE) {
        err_set(e, ERR_NETWORK, "no DHCP server answered in %d s", ADDRESS_SECONDS);
    } else {
        *e = x->fault;
        e->kind = ERR_NETWORK;
        err_in(e, "no usable DHCP answer in %d s; the last one", ADDRESS_SECONDS);
    }
    return err_mend(
        e, "attach the machine to a network with DHCP, or give it an address with ip= on the kernel command line");
}

static bool get_lease(struct exchange *x, struct dhcp_reply *out, struct err *e) {
    x->start = clock_ms();
    x->deadline = x->start + ADDRESS_SECONDS * 1000;
    for (int wait = 1000; clock_ms() < x->deadline; wait = wait < 8000 ? 2 * wait : wait) {
        if (!attempt(x, wait, out, e)) return false;
        if (out->type == DHCP_ACK) return true;
    }
    return no_lease(x, e);
}

static bool serve(struct err *e) {
    static struct exchange x;
    uint8_t bytes[1024];
    struct frame asked;
    struct dhcp_reply reply;
    if (!frame_receive(WORKER_CONTROL, bytes, sizeof bytes, 0, &asked, e)) return false;
    struct reader r = reader_of(asked.payload);
    struct view mac = read_bytes(&r, 6);
    uint32_t index = read_le32(&r);
    if (asked.type != FRAME_LEASE || !reader_done(&r))
        return err_set(e, ERR_SYSTEM, "the address worker was asked for something else");
    memcpy(x.client.mac, mac.p, 6);
    x.everybody = (struct sockaddr_ll){
        .sll_family = AF_PACKET, .sll_protocol = htons(0x0800), .sll_ifindex = (int)index, .sll_halen = 6};
    memset(x.everybody.sll_addr, 0xff, 6);
    if (!get_lease(&x, &reply, e)) return false;
    struct lease lease = {.prefix = reply.prefix,
                          .seconds = reply.seconds,
                          .mtu = reply.mtu,
                          .domain = reply.domain,
                          .hostname = reply.hostname};
    memcpy(lease.address, reply.address, 4);
    memcpy(lease.server, reply.server, 4);
    memcpy(lease.router, reply.router, 4);
    memcpy(lease.dns, reply.dns, sizeof lease.dns);
    struct writer w = writer_of(bytes, sizeof bytes);
    lease_encode(&lease, &w);
    return frame_send(WORKER_CONTROL, FRAME_LEASE, writer_view(&w), (struct view){0}, e);
}

int address_main(void) {
    struct err e = {0}, ignored;
    if (!confine_enter(CONFINE_ADDRESS, &e) || !serve(&e)) frame_send_error(WORKER_CONTROL, &e, &ignored);
    return 0;
}
