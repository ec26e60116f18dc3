#include "format/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cmdline c;
    struct err e;
    char text[IP_TEXT_SIZE];
    if (!cmdline_parse(view_of(data, size), &c, &e)) return 0;
    if (c.dns_count > CMDLINE_DNS_MAX || c.interface.n > INTERFACE_MAX || c.hostname.n > 64) __builtin_trap();
    if (c.v4.address.family && (c.v4.address.family != 4 || c.v4.prefix < 1 || c.v4.prefix > 32)) __builtin_trap();
    if (c.v6.address.family && (c.v6.address.family != 6 || c.v6.prefix < 1 || c.v6.prefix > 128)) __builtin_trap();
    for (size_t i = 0; i < c.dns_count; i++)
        if (!ip_text(&c.dns[i], text)[0]) __builtin_trap();
    return 0;
}
