/* see ratls.h */
#include "tee/ratls.h"

#include "crypto/hash.h"
#include "tee/evidence.h"

#include <time.h>

void ratls_nonce(struct view spki, uint8_t nonce[static RATLS_NONCE_SIZE]) {
    static const char head[] = "\xa1\x6bpubkey-hash\x58\x24\x82\x01\x58\x20"; /* 1: SHA-256 (IANA named information) */
    uint8_t claims[sizeof head - 1 + 32], digest[32];
    memcpy(claims, head, sizeof head - 1);
    hash_once(HASH_SHA256, spki, claims + sizeof head - 1);
    hash_once(HASH_SHA256, view_of(claims, sizeof claims), digest);
    evidence_key_nonce(EVIDENCE_KEY_TLS, digest, nonce);
}

bool ratls_fit(uint8_t *bytes, size_t *n, struct err *e) {
    struct view name = VIEW("\"firmware_log\":\""); /* in no string: there a quotation mark has a backslash in front */
    for (size_t i = 0; *n > RATLS_EVIDENCE_MAX && i + name.n <= *n; i++) {
        if (!view_starts(view_of(bytes + i, *n - i), name)) continue;
        size_t from = i + name.n;
        const uint8_t *end = memchr(bytes + from, '"', *n - from);
        if (!end) break;
        memmove(bytes + from, end, (size_t)(bytes + *n - end));
        *n -= (size_t)(end - bytes) - from;
    }
    return *n <= RATLS_EVIDENCE_MAX ||
           err_set(e, ERR_SYSTEM, "the evidence has %zu bytes, a certificate takes %u", *n, RATLS_EVIDENCE_MAX);
}

/* DER from its end to its beginning: a length is known once what it is of has been written. */
struct back {
    uint8_t *p;
    size_t at; /* where the bytes so far begin; those before are free */
    bool full;
};

static void put(struct back *b, struct view v) {
    b->full |= v.n > b->at;
    if (b->full) return;
    b->at -= v.n;
    memcpy(b->p + b->at, v.p, v.n);
}

static void put_u8(struct back *b, uint8_t x) { put(b, view_of(&x, 1)); }

/* What was written since `end` becomes the content of an element. */
static void wrap(struct back *b, uint8_t tag, size_t end) {
    size_t n = end - b->at;
    const uint8_t head[] = {tag, 0x82, (uint8_t)(n >> 8), (uint8_t)n, tag, 0x81, (uint8_t)n, tag, (uint8_t)n};
    put(b, n > 255 ? view_of(head, 4) : n > 127 ? view_of(head + 4, 3) : view_of(head + 7, 2));
}

enum { OCTETS = 0x04, UTC_TIME = 0x17, TIME = 0x18, SEQUENCE = 0x30, EXTENSIONS = 0xa3 };

#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define NAME "\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06plinth"
#define SAN "\x30\x1a\x06\x03\x55\x1d\x11\x04\x13\x30\x11\x82\x0f" RATLS_NAME
#define EVIDENCE_OID "\x06\x06\x67\x81\x05\x05\x04\x09"
#define MEDIA_TYPE "\x83\x78\x24" RATLS_MEDIA_TYPE "\x59" /* array of 3; text of 36; bytes, their number in 16 bits */

static void put_evidence(struct back *b, struct view evidence) {
    size_t end = b->at;
    uint8_t n[2] = {(uint8_t)(evidence.n >> 8), (uint8_t)evidence.n};
    put_u8(b, 4);
    put(b, evidence);
    put(b, view_of(n, sizeof n));
    put(b, VIEW(MEDIA_TYPE));
    wrap(b, OCTETS, end);
    put(b, VIEW(EVIDENCE_OID));
    wrap(b, SEQUENCE, end);
}

static bool put_validity(struct back *b, int64_t now) {
    char text[32];
    struct tm tm;
    time_t from = (time_t)now - 3600; /* clocks differ */
    if (!gmtime_r(&from, &tm) || tm.tm_year < 70 || tm.tm_year > 8099) return false;
    bool utc = tm.tm_year < 150;
    size_t n = strftime(text, sizeof text, utc ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ", &tm), end = b->at;
    put(b, VIEW("\x18\x0f"
                "99991231235959Z"));
    put(b, view_of(text, n));
    put_u8(b, (uint8_t)n);
    put_u8(b, utc ? UTC_TIME : TIME);
    wrap(b, SEQUENCE, end);
    return true;
}

/* TBSCertificate, RFC 5280 section 4.1. */
static bool put_tbs(struct back *b, const struct private_key *key, struct view evidence, int64_t now) {
    size_t end = b->at;
    uint8_t spki[EVIDENCE_SPKI_SIZE], serial[32];
    evidence_spki(key->ec.point, spki);
    hash_once(HASH_SHA256, view_of(spki, sizeof spki), serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, in its shortest form */
    put_evidence(b, evidence);
    put(b, VIEW(SAN));
    wrap(b, SEQUENCE, end);
    wrap(b, EXTENSIONS, end);
    put(b, view_of(spki, sizeof spki));
    put(b, VIEW(NAME));
    if (!put_validity(b, now)) return false;
    put(b, VIEW(NAME));
    put(b, VIEW(ECDSA_SHA256));
    put(b, view_of(serial, 16));
    put(b, VIEW("\xa0\x03\x02\x01\x02\x02\x10")); /* version 3; the serial's head */
    wrap(b, SEQUENCE, end);
    return true;
}

bool ratls_certificate(const struct private_key *key, struct view evidence, int64_t now, struct arena *a,
                       struct writer *out, struct err *e) {
    const size_t size = RATLS_CERTIFICATE_MAX;
    uint8_t signature[72];
    struct back tbs = {arena_alloc(a, size), size, false}, all = {arena_alloc(a, size), size, false};
    if (!tbs.p || !all.p) return arena_full(a, e);
    if (evidence.n > RATLS_EVIDENCE_MAX)
        return err_set(e, ERR_SYSTEM, "the evidence has %zu bytes, a certificate takes %u", evidence.n,
                       RATLS_EVIDENCE_MAX);
    if (!put_tbs(&tbs, key, evidence, now)) return err_set(e, ERR_SYSTEM, "the clock says %lld", (long long)now);
    struct view signed_part = view_of(tbs.p + tbs.at, size - tbs.at);
    put(&all, view_of(signature, private_key_sign(key, signed_part, signature)));
    put_u8(&all, 0); /* no unused bits */
    wrap(&all, 0x03, size);
    put(&all, VIEW(ECDSA_SHA256));
    put(&all, signed_part);
    wrap(&all, SEQUENCE, size);
    struct writer w = *out;
    write_bytes(&w, view_of(all.p + all.at, size - all.at));
    if (tbs.full || all.full || w.full) return err_set(e, ERR_SYSTEM, "the certificate is too long");
    *out = w;
    return true;
}
