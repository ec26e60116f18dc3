/* see reader.h */
#include "base/reader.h"

struct view read_bytes(struct reader *r, size_t n) {
    if (r->bad || n > r->rest.n) {
        r->bad = true;
        return (struct view){0};
    }
    struct view v = view_first(r->rest, n);
    r->rest = view_skip(r->rest, n);
    return v;
}

static uint64_t read_be(struct reader *r, size_t n) {
    struct view v = read_bytes(r, n);
    uint64_t x = 0;
    for (size_t i = 0; i < v.n; i++) x = x << 8 | v.p[i];
    return x;
}

static uint64_t read_le(struct reader *r, size_t n) {
    struct view v = read_bytes(r, n);
    uint64_t x = 0;
    for (size_t i = v.n; i > 0; i--) x = x << 8 | v.p[i - 1];
    return x;
}

uint8_t read_u8(struct reader *r) { return (uint8_t)read_be(r, 1); }
uint16_t read_be16(struct reader *r) { return (uint16_t)read_be(r, 2); }
uint32_t read_be32(struct reader *r) { return (uint32_t)read_be(r, 4); }
uint64_t read_be64(struct reader *r) { return read_be(r, 8); }
uint16_t read_le16(struct reader *r) { return (uint16_t)read_le(r, 2); }
uint32_t read_le32(struct reader *r) { return (uint32_t)read_le(r, 4); }
uint64_t read_le64(struct reader *r) { return read_le(r, 8); }
