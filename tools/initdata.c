/* see initdata.h */
#include "tools/initdata.h"

#include "base/limits.h"
#include "base/writer.h"
#include "tools/file.h"
#include "trust/policy.h"
#include "worker/initdata.h"

#include <zlib.h>

static bool check(struct view text, struct arena *a, struct initdata *out, struct err *e) {
    struct arena scratch = {0};
    if (!initdata_parse(text, a, out, e)) return false;
    if (!out->policy.n) return true;
    struct policy *policy = arena_make(&scratch, 64u << 20, e) ? arena_alloc(&scratch, sizeof *policy) : NULL;
    bool ok = policy && (policy_parse(out->policy, &scratch, policy, e) || err_in(e, INITDATA_POLICY));
    arena_drop(&scratch);
    return ok;
}

bool initdata_file(const char *path, struct arena *a, struct view *text, struct initdata *out, struct err *e) {
    if (!file_read("initdata", path, INITDATA_MAX, a, text, e)) return false;
    if (check(*text, a, out, e)) return true;
    if (e->kind != ERR_SYSTEM) e->kind = ERR_USAGE;
    return err_in(e, "%s", path);
}

bool initdata_drive(struct view text, struct arena *a, struct view *out, struct err *e) {
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) return err_set(e, ERR_SYSTEM, "no memory to compress with");
    size_t bound = deflateBound(&z, text.n), size = 16 + bound + 512;
    struct writer w = writer_of(arena_alloc(a, size), size);
    if (!w.p) return deflateEnd(&z), arena_full(a, e);
    z.next_in = (uint8_t *)(uintptr_t)text.p;
    z.avail_in = (uInt)text.n;
    z.next_out = w.p + 16;
    z.avail_out = (uInt)bound;
    bool ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
    deflateEnd(&z);
    if (!ok) return err_set(e, ERR_SYSTEM, "zlib could not compress the initdata");
    write_text(&w, INITDATA_MAGIC);
    write_le64(&w, z.total_out);
    w.n += z.total_out;
    while (w.n % 512) write_u8(&w, 0);
    *out = writer_view(&w);
    return true;
}
