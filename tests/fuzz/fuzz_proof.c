// proof: the bodies of /auth and /attest.
#include "fuzz_lib.h"
#include "tools/serve/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view body = view_of(bytes, size), tee;
    struct proof p;
    struct err e;
    start(1 << 26);
    if (proof_read_request(body, &arena, &tee, &e)) touch(tee);
    start(1 << 26);
    if (!proof_read(body, &arena, &p, &e)) return 0;
    if (!json_is_object(p.evidence) || !p.nonce_text.n) abort();
    touch(p.nonce_text);
    return 0;
}
