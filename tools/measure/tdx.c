/* see tdx.h */
#include "tools/measure/tdx.h"

#include "base/writer.h"
#include "crypto/hash.h"

#define PAGE 4096u
#define CHUNK 256u

static void block(struct hash *h, const char *name, uint64_t gpa) {
    uint8_t bytes[128] = {0};
    struct writer w = writer_of(bytes + 16, 8);
    memcpy(bytes, name, strlen(name));
    write_le64(&w, gpa);
    hash_update(h, view_of(bytes, sizeof bytes));
}

/* Memory behind the raw bytes is zero. */
static void extend_page(struct hash *h, struct view raw, uint64_t gpa) {
    uint8_t page[PAGE] = {0};
    if (raw.n) memcpy(page, raw.p, raw.n < PAGE ? raw.n : PAGE);
    for (size_t at = 0; at < PAGE; at += CHUNK) {
        block(h, "MR.EXTEND", gpa + at);
        hash_update(h, view_of(page + at, CHUNK));
    }
}

bool tdx_mrtd(struct view firmware, enum tdx_order order, uint8_t out[static 48], struct err *e) {
    struct ovmf_tdx tdx;
    struct hash h;
    if (!ovmf_read_tdx(firmware, &tdx, e)) return false;
    hash_init(&h, HASH_SHA384);
    for (size_t i = 0; i < tdx.count; i++) {
        const struct ovmf_tdx_section *s = &tdx.sections[i];
        struct view raw = s->raw_size ? view_of(firmware.p + s->raw_at, s->raw_size) : (struct view){0};
        bool add = !(s->attributes & TDVF_PAGE_AUG), extend = s->attributes & TDVF_MR_EXTEND;
        for (uint64_t at = 0; at < s->memory_size; at += PAGE) {
            if (add) block(&h, "MEM.PAGE.ADD", s->gpa + at);
            if (extend && order == TDX_SINGLE_PASS) extend_page(&h, view_skip(raw, (size_t)at), s->gpa + at);
        }
        for (uint64_t at = 0; extend && order == TDX_TWO_PASS && at < s->memory_size; at += PAGE)
            extend_page(&h, view_skip(raw, (size_t)at), s->gpa + at);
    }
    hash_final(&h, out);
    return true;
}
