/* see job.h. Integers little-endian, texts as u16 length and bytes, in the order of the struct's members. */
#include "worker/job.h"

#include "base/limits.h"
#include "base/reader.h"

static void put_text(struct writer *w, struct view v) {
    if (v.n > UINT16_MAX) w->full = true;
    write_le16(w, (uint16_t)v.n);
    write_bytes(w, v);
}

static struct view get_text(struct reader *r, size_t max) {
    uint16_t n = read_le16(r);
    if (n > max) r->bad = true;
    return read_bytes(r, n);
}

static bool get_bool(struct reader *r) {
    uint8_t x = read_u8(r);
    if (x > 1) r->bad = true;
    return x == 1;
}

static bool finish(const struct reader *r, const char *what, struct err *e) {
    return reader_done(r) || err_set(e, ERR_FORMAT, "a malformed %s between monitor and worker", what);
}

void fetch_source_encode(const struct fetch_source *s, struct writer *out) {
    write_u8(out, (uint8_t)s->endpoint_count);
    for (size_t i = 0; i < s->endpoint_count; i++) {
        put_text(out, s->endpoints[i].host);
        put_text(out, s->endpoints[i].repository);
        put_text(out, s->endpoints[i].credential);
    }
    write_u8(out, s->allow_http);
    put_text(out, s->os);
    put_text(out, s->architecture);
    put_text(out, s->variant);
}

bool fetch_source_decode(struct view payload, struct fetch_source *out, struct err *e) {
    struct reader r = reader_of(payload);
    struct fetch_source s = {.endpoint_count = read_u8(&r)};
    if (s.endpoint_count == 0 || s.endpoint_count > FETCH_ENDPOINTS_MAX) r.bad = true;
    for (size_t i = 0; !r.bad && i < s.endpoint_count; i++) {
        s.endpoints[i].host = get_text(&r, HOST_MAX);
        s.endpoints[i].repository = get_text(&r, REPOSITORY_MAX);
        s.endpoints[i].credential = get_text(&r, UINT16_MAX);
    }
    s.allow_http = get_bool(&r);
    s.os = get_text(&r, 64);
    s.architecture = get_text(&r, 64);
    s.variant = get_text(&r, 64);
    if (!finish(&r, "source", e)) return false;
    *out = s;
    return true;
}

void unpack_job_encode(const struct unpack_job *j, struct writer *out) {
    write_u8(out, (uint8_t)j->compression);
    write_le64(out, j->bytes_max);
    write_le64(out, j->files_max);
    write_u8(out, j->allow_devices);
    write_u8(out, j->as_root);
    write_u8(out, j->overlay_xattr);
}

bool unpack_job_decode(struct view payload, struct unpack_job *out, struct err *e) {
    struct reader r = reader_of(payload);
    struct unpack_job j = {0};
    uint8_t compression = read_u8(&r);
    if (compression > LAYER_ZSTD) r.bad = true;
    j.compression = (enum layer_compression)compression;
    j.bytes_max = read_le64(&r);
    j.files_max = read_le64(&r);
    j.allow_devices = get_bool(&r);
    j.as_root = get_bool(&r);
    j.overlay_xattr = get_bool(&r);
    if (!finish(&r, "unpack job", e)) return false;
    *out = j;
    return true;
}

void unpack_result_encode(const struct unpack_result *u, struct writer *out) {
    write_bytes(out, view_of(u->diff_id, sizeof u->diff_id));
    write_le64(out, u->bytes);
    write_le64(out, u->files);
    write_le64(out, u->skipped);
}

bool unpack_result_decode(struct view payload, struct unpack_result *out, struct err *e) {
    struct reader r = reader_of(payload);
    struct unpack_result u = {0};
    struct view diff_id = read_bytes(&r, sizeof u.diff_id);
    if (diff_id.n) memcpy(u.diff_id, diff_id.p, diff_id.n);
    u.bytes = read_le64(&r);
    u.files = read_le64(&r);
    u.skipped = read_le64(&r);
    if (!finish(&r, "unpack result", e)) return false;
    *out = u;
    return true;
}

/* The lease's fixed part is bytes already; names follow. */
#define LEASE_FIXED offsetof(struct lease, prefix)
_Static_assert(LEASE_FIXED == 24, "six addresses without gaps");

void lease_encode(const struct lease *l, struct writer *out) {
    write_bytes(out, view_of(l, LEASE_FIXED));
    write_u8(out, l->prefix);
    write_le32(out, l->seconds);
    write_le16(out, l->mtu);
    put_text(out, l->domain);
    put_text(out, l->hostname);
}

static bool is_host_name(struct view v) {
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i], letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.') return false;
    }
    return true;
}

bool lease_decode(struct view payload, struct lease *out, struct err *e) {
    struct reader r = reader_of(payload);
    struct lease l = {0};
    struct view fixed = read_bytes(&r, LEASE_FIXED);
    if (fixed.n) memcpy(&l, fixed.p, fixed.n);
    l.prefix = read_u8(&r);
    l.seconds = read_le32(&r);
    l.mtu = read_le16(&r);
    l.domain = get_text(&r, 253);
    l.hostname = get_text(&r, 253);
    if (l.prefix > 32 || (l.mtu && l.mtu < 576) || !is_host_name(l.domain) || !is_host_name(l.hostname)) r.bad = true;
    if (!finish(&r, "lease", e)) return false;
    *out = l;
    return true;
}
