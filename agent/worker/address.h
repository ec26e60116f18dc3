/* address: the DHCP client's process (RFC 2131). It reads what anybody on the wire sends, and holds nothing but its
 * packet socket.
 *
 * Asked once, by FRAME_LEASE with u8 mac[6], u32le interface index; answers FRAME_NOTE (text, while it waits), then
 * FRAME_LEASE with a struct lease, or FRAME_ERROR. Attempts follow each other after 1, 2, 4, 8, 8 ... s with half a
 * second of jitter, for ADDRESS_SECONDS in all.
 *
 * An unlimited lease is asked for, and the address is kept for as long as the machine runs. A server that gives less (dnsmasq and
 * clouds do) expects a renewal at half of the time: under a supervisor the same is asked again then, as the same client, to whom servers
 * give the same address; in exec mode nobody of ours is left to do it. Where addresses are reserved by MAC, as in clouds,
 * nothing changes hands; elsewhere give such a machine an unlimited lease, or a static address (ip=). */
#ifndef PLINTH_WORKER_ADDRESS_H
#define PLINTH_WORKER_ADDRESS_H

#define ADDRESS_SECONDS 60

/* int address_main(void) is in worker/worker.h. */

#endif
