/* cmdline: what Plinth reads of the kernel command line. It is measured, and may set addresses and nothing that
 * weakens the policy.
 *
 *   ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1
 *       the kernel's form (Documentation/admin-guide/nfs/nfsroot.rst); IPv6 addresses in brackets, NETMASK also as
 *       prefix length; once for IPv4 and once for IPv6
 *   ip=dhcp | on | any                    DHCP, the default
 *   ip=off | none                         neither DHCP nor a static address
 *   plinth.dns=ADDRESS[,ADDRESS[,ADDRESS]] instead of what DHCP says
 *
 * Everything else is the kernel's, except that an unknown `plinth.` parameter is an error; nothing after "--" is read. */
#ifndef PLINTH_FORMAT_CMDLINE_H
#define PLINTH_FORMAT_CMDLINE_H

#include "base/err.h"
#include "base/view.h"

#define CMDLINE_MAX 4096u  /* COMMAND_LINE_SIZE is 2048 on x86, 4096 at most elsewhere */
#define CMDLINE_DNS_MAX 3u /* musl's resolver asks three */
#define INTERFACE_MAX 15u  /* IFNAMSIZ without its NUL */

struct ip_address {
    uint8_t family; /* 4, 6, or 0 for none */
    uint8_t bytes[16];
};

struct ip_config {
    struct ip_address address, gateway;
    uint8_t prefix;
};

struct cmdline {
    bool dhcp;
    struct ip_config v4, v6; /* address.family 0: not configured here */
    struct view interface;   /* empty: the first with a carrier */
    struct view hostname;    /* empty: what DHCP says, else "plinth" */
    size_t dns_count;
    struct ip_address dns[CMDLINE_DNS_MAX];
};

/* Views point into `text` (/proc/cmdline). ERR_USAGE with the parameter and what is wrong with it. */
bool cmdline_parse(struct view text, struct cmdline *out, struct err *e);

/* "192.0.2.7", "2001:db8::7" or "" */
#define IP_TEXT_SIZE 46
const char *ip_text(const struct ip_address *a, char out[static IP_TEXT_SIZE]);

#endif
