// replay: Plinth's own log. What is accepted is a whole boot, or the beginning of one, and the register that follows is the same both ways.
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
    bool begun = replay_prefix(view_of(bytes, size), 15, banks, 2, &arena, &r, &e);
    if (whole != (begun && r.separated)) abort();
    if (!begun) return 0;
    size_t more = !!r.initdata.n + !!r.named_by.n + r.resource_count;
    if (r.stage == REPLAY_NONE || r.failure.n || !r.policy.n || (r.stage == REPLAY_LAUNCHED) != r.separated) abort();
    if (!r.config.n != (r.stage == REPLAY_STARTED) || r.separated != !!r.process.n) abort();
    if (r.event_count != more + r.layer_count + (r.separated ? 7 : r.config.n ? 5 : 2)) abort();
    if (!replay_register(view_of(bytes, size), 15, banks, 2, out, &e) || memcmp(out[1].value, r.banks[1].value, 48)) abort();
    return 0;
}
