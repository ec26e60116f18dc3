/* see initdata.h */
#include "worker/initdata.h"

#include "base/limits.h"
#include "base/reader.h"
#include "worker/confine.h"
#include "worker/frame.h"
#include "worker/gunzip.h"
#include "worker/worker.h"

#include <errno.h>
#include <unistd.h>

#define HEADER 16u

bool initdata_read(int fd, struct arena *a, struct view *text, struct err *e) {
    uint8_t *in = arena_alloc(a, HEADER + INITDATA_MAX), *out = arena_alloc(a, INITDATA_MAX);
    size_t n = 0;
    *text = (struct view){0};
    if (!in || !out) return arena_full(a, e);
    for (ssize_t r = 1; r && n < HEADER + INITDATA_MAX; n += r > 0 ? (size_t)r : 0)
        if ((r = read(fd, in + n, HEADER + INITDATA_MAX - n)) < 0 && errno != EINTR)
            return err_sys(e, "cannot read the device");
    struct reader r = reader_of(view_of(in, n));
    if (!view_is(read_bytes(&r, 8), INITDATA_MAGIC)) return true;
    uint64_t size = read_le64(&r);
    struct view packed = read_bytes(&r, size);
    if (r.bad)
        return err_set(e, ERR_FORMAT, "its header says %llu bytes; the device has %zu, at most %u are taken",
                       (unsigned long long)size, n - HEADER, INITDATA_MAX);
    struct gunzip *g = gunzip_new();
    if (!g) return err_set(e, ERR_SYSTEM, "no memory to decompress with");
    const char *fault = NULL;
    bool inside = true, ok = true;
    size_t left, made;
    n = 0;
    do {
        left = packed.n, made = n;
        ok = gunzip_step(g, &packed, out, INITDATA_MAX, &n, &inside, &fault);
    } while (ok && inside && (packed.n != left || n != made));
    gunzip_free(g);
    if (!ok || inside || packed.n || !n)
        return err_set(e, ERR_FORMAT, "no whole gzip of 1 to %u bytes, and nothing behind it: %s", INITDATA_MAX,
                       !ok && fault ? fault : inside || !n ? "cut, empty or too long" : "there is more");
    *text = view_of(out, n);
    return true;
}

static bool serve(struct arena *a, struct err *e) {
    struct view text, none = {0};
    if (!initdata_read(WORKER_INPUT, a, &text, e)) return false;
    for (; text.n; text = view_skip(text, FRAME_MAX))
        if (!frame_send(WORKER_CONTROL, FRAME_DATA, view_first(text, FRAME_MAX), none, e)) return false;
    return frame_send(WORKER_CONTROL, FRAME_END, none, none, e);
}

int initdata_main(void) {
    struct err e = {0}, ignored;
    struct arena a = {0};
    if (!arena_make(&a, 2 * INITDATA_MAX + 4096, &e) || !confine_enter(CONFINE_ADDRESS, &e) || !serve(&a, &e))
        frame_send_error(WORKER_CONTROL, &e, &ignored);
    return 0;
}
