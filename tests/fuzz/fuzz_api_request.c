// api: what a workload sends (an HTTP request, byte by byte and whole, with its query, form and JSON), and what the worker for it sends on.
#include "fuzz_lib.h"
#include "worker/api.h"

static void touch_ask(const struct api_request *q)
{
    touch(q->first);
    touch(q->second);
    touch(q->third);
}

static void route(struct view v, unsigned features)
{
    struct api_job job = {features & 3, VIEW("tdx")};
    uint8_t bytes[API_REQUEST_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct api_request again;
    char text[256];
    struct err e;
    size_t head_n = 0, missing = 0;

    start(1 << 20);
    // What is asked for never goes beyond what is taken, and there is an end to it.
    for (size_t n = 0; n <= v.n; n++) {
        missing = api_missing(view_first(v, n), &head_n);
        if (n + missing > API_HTTP_MAX)
            abort();
        if (!missing && n < v.n)
            v.n = n;
    }
    if (missing)
        return;
    struct api_reply r = api_route(view_first(v, head_n), view_skip(v, head_n), true, &job, &arena);
    touch(r.body);
    if (r.status) {
        struct writer head = writer_of(text, sizeof text);
        api_head(&r, &head);
        if (head.full)
            abort();
        return;
    }
    if (r.ask.kind == API_RESOURCE ? !(features & 1) : !(features & 2))
        abort();
    api_request_encode(&r.ask, &w);
    if (w.full || !api_request_decode(writer_view(&w), &again, &e) || again.kind != r.ask.kind || !view_eq(again.third, r.ask.third))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view v = view_of(bytes, size);
    struct api_request q;
    struct err e;

    if (!size)
        return 0;
    if (api_request_decode(v, &q, &e))
        touch_ask(&q);
    if (size < API_HTTP_MAX)
        route(view_skip(v, 1), bytes[0]);
    return 0;
}
