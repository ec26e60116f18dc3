// policy: what is accepted can be satisfied.
#include "trust/policy.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct policy p;
    struct err e = {0};

    start(16 << 20);
    if (!policy_parse(view_of(bytes, size), &arena, &p, &e)) {
        if (e.kind != ERR_USAGE && e.kind != ERR_SYSTEM)
            abort();
        return 0;
    }
    if (p.allow_unsigned ? p.threshold || p.key_count : p.threshold == 0 || p.threshold > p.key_count || p.key_count > KEYS_MAX)
        abort();
    if (p.pcr < 8 || p.pcr > 15 || !p.tees || !p.limits.bytes || !p.limits.layers || !p.limits.files || !p.limits.seconds)
        abort();
    touch(p.weaknesses), touch(p.user), touch(p.ca_pem), touch(policy_credential(&p, VIEW("a.example"), VIEW("x/y")));
    for (size_t i = 0; i < p.key_count; i++)
        touch(p.keys[i].name);
    for (size_t i = 0; i < p.args.count; i++)
        touch(p.args.items[i]);
    for (size_t i = 0; i < p.env.count; i++)
        touch(p.env.items[i]);
    return 0;
}
