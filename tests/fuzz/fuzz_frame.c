// frame and job: the bytes between monitor and worker, from either side; what is decoded is encoded to the same bytes.
#include "worker/frame.h"
#include "worker/job.h"
#include "fuzz_lib.h"

#include <unistd.h>

static uint8_t again[FRAME_MAX];

#define CHECK(what, value)                                                                                                       \
    do {                                                                                                                         \
        struct writer w = writer_of(again, sizeof again);                                                                        \
        if (what##_decode(f.payload, value, &e)) {                                                                               \
            what##_encode(value, &w);                                                                                            \
            if (w.full || !view_eq(writer_view(&w), f.payload))                                                                  \
                abort();                                                                                                         \
        }                                                                                                                        \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t buffer[FRAME_MAX];
    static struct fetch_source source;
    struct unpack_result result;
    struct unpack_job job;
    struct lease lease;
    struct kbs_challenge challenge;
    struct api_job api;
    struct api_request request;
    static struct jwe jwe;
    struct frame f;
    struct err e, why;
    int p[2];

    if (size > 60000 || pipe(p) || write(p[1], bytes, size) != (ssize_t)size) // what a pipe holds
        return 0;
    close(p[1]);
    while (frame_receive(p[0], buffer, sizeof buffer, 0, &f, &e)) {
        touch(f.payload);
        CHECK(fetch_source, &source);
        CHECK(unpack_job, &job);
        CHECK(unpack_result, &result);
        CHECK(lease, &lease);
        CHECK(kbs_challenge, &challenge);
        CHECK(api_job, &api);
        CHECK(api_request, &request);
        CHECK(kbs_jwe, &jwe);
        if (frame_error(f.payload, &why) || why.kind == ERR_NONE || why.kind > ERR_SYSTEM || !why.text[0])
            abort();
    }
    close(p[0]);
    return 0;
}
