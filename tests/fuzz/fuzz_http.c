// http: a response as it comes (head, then a body by its framing), whole and in pieces; every field value as every header value.
#include "format/http.h"
#include "fuzz_lib.h"

static struct http_challenge challenge;

static void values(const struct http_head *h)
{
    static const char *const names[] = {"www-authenticate", "content-range", "location", "link"};
    struct err e;
    uint64_t a, b, c;

    for (size_t i = 0; i < 4; i++) {
        struct view v;
        size_t at = 0, before = 0;
        while (http_field(h, names[i], &at, &v)) {
            if (at <= before)
                abort();
            before = at;
            touch(v);
            if (http_challenge_parse(v, &challenge, &e)) {
                touch(challenge.realm);
                touch(challenge.service);
                touch(challenge.scope);
            }
            struct view target = {0};
            if (http_link_next(v, &target, &e))
                touch(target);
            if (http_content_range_parse(v, &a, &b, &c, &e) && (a > b || b >= c))
                abort();
        }
    }
}

// The sum over the body, decoded `step` bytes at a time; false for a broken one.
static bool body(struct view all, size_t step, uint64_t *sum, bool *done)
{
    struct http_chunks c = {0};
    struct err e;

    *sum = 0;
    *done = false;
    while (all.n && !*done) {
        struct view in = view_first(all, step), part;
        all = view_skip(all, step);
        while (in.n && !*done) {
            size_t before = in.n;
            if (!http_chunks_next(&c, &in, &part, done, &e))
                return false;
            if (in.n >= before)
                abort();
            for (size_t i = 0; i < part.n; i++)
                *sum = *sum * 31 + part.p[i] + 1;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view v = view_of(bytes, size);
    struct http_head head;
    struct err e;
    size_t n = http_head_length(v, 0);

    challenge = (struct http_challenge){0};
    if (n && http_head_parse(view_first(v, n), &head, &e))
        values(&head);
    uint64_t whole, pieces;
    bool done, again, ok = body(view_skip(v, n), size + 1, &whole, &done);
    if (ok != body(view_skip(v, n), 1, &pieces, &again) || (ok && (whole != pieces || done != again)))
        abort();
    return 0;
}
