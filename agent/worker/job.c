/* see job.h. Integers little-endian, texts as u16 length and bytes, in the order of the struct's members. */
#include "worker/job.h"

#include "base/codec.h"
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
    if (l.prefix > 32 || (l.mtu && l.mtu < 576) || !view_is_word(l.domain, "-.") || !view_is_word(l.hostname, "-."))
        r.bad = true;
    if (!finish(&r, "lease", e)) return false;
    *out = l;
    return true;
}

void kbs_challenge_encode(const struct kbs_challenge *c, struct writer *out) {
    write_u8(out, c->plinth);
    put_text(out, c->nonce);
}

/* The nonce stands in texts that are hashed and signed: base64 needs no escapes there. */
bool kbs_challenge_decode(struct view payload, struct kbs_challenge *out, struct err *e) {
    struct reader r = reader_of(payload);
    struct kbs_challenge c = {.plinth = get_bool(&r)};
    uint8_t bytes[RCAR_NONCE_MAX];
    size_t n;
    c.nonce = get_text(&r, UINT16_MAX);
    if (!finish(&r, "challenge", e)) return false;
    if (c.nonce.n > RCAR_NONCE_MAX || !base64_decode(c.nonce, bytes, sizeof bytes, &n) || n < 32)
        return err_set(e, ERR_FORMAT, "the KBS's nonce '%.*s' is not 32 to 96 bytes in base64",
                       VIEW_ARG(view_first(c.nonce, 140)));
    *out = c;
    return true;
}

void kbs_jwe_encode(const struct jwe *j, struct writer *out) {
    write_u8(out, (uint8_t)j->recipients[0].alg);
    put_text(out, j->protected_text);
    put_text(out, j->recipients[0].epk);
    put_text(out, j->recipients[0].encrypted_key);
    put_text(out, j->iv);
    put_text(out, j->tag);
    write_le32(out, (uint32_t)j->ciphertext.n);
}

bool kbs_jwe_decode(struct view payload, struct jwe *out, struct err *e) {
    struct reader r = reader_of(payload);
    uint8_t alg = read_u8(&r);
    bool ec = alg == JWE_ECDH_ES_A256KW;
    struct jwe j = {.key_size = 32, .count = 1, .protected_text = get_text(&r, KBS_PROTECTED_MAX)};
    struct jwe_recipient *to = &j.recipients[0];
    to->alg = (enum jwe_alg)alg;
    to->epk = get_text(&r, 65);
    to->encrypted_key = get_text(&r, ec ? 40 : PRIVATE_RSA_MAX);
    j.iv = get_text(&r, 12);
    j.tag = get_text(&r, 16);
    j.ciphertext.n = read_le32(&r);
    if ((!ec && alg != JWE_RSA_OAEP_256) || to->epk.n != (ec ? 65 : 0) ||
        (ec ? to->encrypted_key.n != 40 : to->encrypted_key.n < 256) || !j.protected_text.n || j.iv.n != 12 ||
        j.tag.n != 16 || j.ciphertext.n > KBS_RESOURCE_MAX)
        r.bad = true;
    if (!finish(&r, "JWE", e)) return false;
    *out = j;
    return true;
}

void api_job_encode(const struct api_job *j, struct writer *out) {
    write_u8(out, (uint8_t)j->features);
    put_text(out, j->tee);
}

bool api_job_decode(struct view payload, struct api_job *out, struct err *e) {
    struct reader r = reader_of(payload);
    struct api_job j = {.features = read_u8(&r)};
    j.tee = get_text(&r, 16);
    if (!finish(&r, "API job", e)) return false;
    *out = j;
    return true;
}

void api_request_encode(const struct api_request *q, struct writer *out) {
    write_u8(out, (uint8_t)q->kind);
    put_text(out, q->first);
    put_text(out, q->second);
    put_text(out, q->third);
}

bool api_request_decode(struct view payload, struct api_request *out, struct err *e) {
    struct reader r = reader_of(payload);
    uint8_t kind = read_u8(&r);
    struct api_request q = {.kind = (enum api_kind)kind};
    q.first = get_text(&r, API_TEXT_MAX);
    q.second = get_text(&r, API_TEXT_MAX);
    q.third = get_text(&r, API_TEXT_MAX);
    if (kind >= API_KINDS) r.bad = true;
    if (!finish(&r, "API request", e)) return false;
    *out = q;
    return true;
}
