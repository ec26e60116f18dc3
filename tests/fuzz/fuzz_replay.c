// replay: Plinth's own log. What is accepted is a whole boot, and the register that follows is the same both ways.
#include "tools/appraise/replay.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct replay r;
    struct register_bank banks[2] = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}}, out[2];
    struct err e;

    start(64u << 20);
    bool whole = replay_log(view_of(bytes, size), 15, banks, 2, &arena, &r, &e);
    for (size_t i = 0; i < r.event_count; i++) touch(r.events[i]);
    touch(r.failure), touch(r.weaknesses);
    if (!whole) return 0;
    if (!r.separated || r.failure.n || !r.policy.n || !r.config.n || !r.process.n || r.event_count != 7 + r.layer_count) abort();
    if (!replay_register(view_of(bytes, size), 15, banks, 2, out, &e) || memcmp(out[1].value, r.banks[1].value, 48)) abort();
    return 0;
}
