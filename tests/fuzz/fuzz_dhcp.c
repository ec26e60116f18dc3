/* An IP packet as the address worker gets it, and the same bytes as a DHCP message whose client and attempt fit. */
#include "format/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dhcp_client client = {0x86e65d3b, 0, {0x32, 0x94, 0xf7, 0x5d, 0x83, 0x65}};
    struct dhcp_reply reply;
    struct view packet = view_of(data, size), message;
    struct err e;
    if (size > DHCP_PACKET_MAX) return 0;
    dhcp_unwrap(packet, false, &message, &e);
    if (dhcp_unwrap(packet, true, &message, &e)) packet = message;
    if (packet.n >= 34) {
        client.xid =
            (uint32_t)packet.p[4] << 24 | (uint32_t)packet.p[5] << 16 | (uint32_t)packet.p[6] << 8 | packet.p[7];
        memcpy(client.mac, packet.p + 28, 6);
    }
    if (!dhcp_read(packet, &client, &reply, &e) || reply.type == DHCP_NAK) return 0;
    if (reply.prefix < 1 || reply.prefix > 32 || reply.domain.n > 253 || reply.address[0] == 0) __builtin_trap();
    uint8_t out[DHCP_WRITTEN];
    dhcp_write(&client, &reply, out);
    return 0;
}
