// ratls and ratls_cert: the certificate that a guest makes, read by OpenSSL and by us; and what is refused of a stranger's. Against
// openssl's programs, curl and certificates made by other software: tests/e2e/test_ratls.py.
#include "lib.h"

#include "crypto/hash.h"
#include "tee/evidence.h"
#include "tee/ratls.h"
#include "tools/appraise/ratls_cert.h"

#include <openssl/x509v3.h>

#define NOW 1751328000 /* 2025-07-01T00:00:00Z */

static struct private_key key;
static struct ratls_cert cert;
static uint8_t evidence[RATLS_EVIDENCE_MAX + 1];

static struct view text_of(size_t n)
{
    memset(evidence, ' ', sizeof evidence);
    memcpy(evidence, "{\"plinth\":\"of a test\"", 21);
    evidence[n - 1] = '}';
    return view_of(evidence, n);
}

// A certificate around `n` bytes, in memory of just its size, for the sanitizer's sake.
static struct view made(size_t n, int64_t now)
{
    const size_t size = RATLS_CERTIFICATE_MAX;
    struct writer w;
    fresh();
    w = writer_of(arena_alloc(&arena, size), size);
    CHECK(private_key_make(PRIVATE_EC_P256, &key, &err));
    if (!ratls_certificate(&key, text_of(n), now, &arena, &w, &err))
        check_fail("%s", err.text);
    return writer_view(&w);
}

static X509 *parsed(struct view der)
{
    const unsigned char *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    CHECK(x != NULL && p == der.p + der.n);
    return x;
}

TEST(nonce_of_the_generator)
{
    // the curve's generator; tests/e2e/ratls.py nonce_of
    static const uint8_t want[] = {
        'p', 'l', 'i', 'n', 't', 'h', '-', 't',
        0xb9, 0xe7, 0xc3, 0x25, 0x52, 0x6d, 0x90, 0xb4, 0x25, 0xcc, 0x13, 0xfb, 0xef, 0x40, 0x74, 0xbb, 0xf5, 0x3d, 0xb0,
        0xaa, 0x07, 0x61, 0xf7, 0x45};
    uint8_t spki[EVIDENCE_SPKI_SIZE], nonce[RATLS_NONCE_SIZE];
    static const uint8_t point[] = {
        0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
        0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
        0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
    evidence_spki(point, spki);
    ratls_nonce(view_of(spki, sizeof spki), nonce);
    CHECK(memcmp(nonce, want, sizeof want) == 0);
}

TEST(what_openssl_reads)
{
    static const size_t sizes[] = {256, 257, 4000, 30000, RATLS_EVIDENCE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct view der = made(sizes[i], NOW);
        X509 *x = parsed(der);
        struct tm from, to;
        unsigned char spki[EVIDENCE_SPKI_SIZE], *spki_der = NULL, *again = NULL;
        CHECK(X509_get_version(x) == X509_VERSION_3 && X509_verify(x, X509_get0_pubkey(x)) == 1);
        CHECK(X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)) == 0);
        CHECK(ASN1_TIME_to_tm(X509_get0_notBefore(x), &from) && ASN1_TIME_to_tm(X509_get0_notAfter(x), &to));
        CHECK(from.tm_year == 125 && from.tm_mon == 5 && from.tm_mday == 30 && from.tm_hour == 23 && to.tm_year == 8099);
        CHECK(X509_check_host(x, RATLS_NAME, 0, 0, NULL) == 1 && X509_check_host(x, "plinth", 0, 0, NULL) == 0);
        CHECK(X509_get_ext_count(x) == 2 && ASN1_STRING_length(X509_get0_serialNumber(x)) == 16);
        CHECK_EQ(i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki_der), sizeof spki);
        evidence_spki(key.ec.point, spki);
        CHECK(memcmp(spki, spki_der, sizeof spki) == 0);
        // DER: OpenSSL spells it the same way
        CHECK(i2d_re_X509_tbs(x, &again) > 0 && memcmp(again, der.p + 4, 64) == 0);
        OPENSSL_free(again), again = NULL;
        CHECK_EQ(i2d_X509(x, &again), der.n);
        CHECK(memcmp(again, der.p, der.n) == 0);
        OPENSSL_free(spki_der), OPENSSL_free(again);
        X509_free(x);
    }
}

TEST(what_we_read)
{
    struct view der = made(5000, NOW), spki;
    uint8_t bytes[EVIDENCE_SPKI_SIZE], nonce[RATLS_NONCE_SIZE];
    evidence_spki(key.ec.point, bytes);
    spki = view_of(bytes, sizeof bytes);
    ratls_nonce(spki, nonce);
    CHECK(ratls_cert_read(der, &arena, &cert, &err));
    CHECK(view_eq(cert.evidence, text_of(5000)) && view_eq(cert.der, der) && memcmp(cert.nonce, nonce, sizeof nonce) == 0);
    CHECK(cert.not_before == NOW - 3600 && cert.not_after == 253402300799);
}

TEST(times)
{
    static const struct {
        int64_t now;
        int year, form;
    } cases[] = {{3600, 70, V_ASN1_UTCTIME},          {NOW, 125, V_ASN1_UTCTIME},  {2524611599 - 1, 149, V_ASN1_UTCTIME},
                 {2524611600, 150, V_ASN1_GENERALIZEDTIME}, {253402300799, 8099, V_ASN1_GENERALIZEDTIME}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        X509 *x = parsed(made(300, cases[i].now));
        struct tm tm;
        CHECK(ASN1_TIME_to_tm(X509_get0_notBefore(x), &tm));
        CHECK_EQ(tm.tm_year, cases[i].year);
        CHECK_EQ(ASN1_STRING_type(X509_get0_notBefore(x)), cases[i].form);
        X509_free(x);
    }
    static const int64_t never[] = {3599, -NOW, 253402304400, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        struct writer w = writer_of(arena_alloc(&arena, RATLS_CERTIFICATE_MAX), RATLS_CERTIFICATE_MAX);
        CHECK(!ratls_certificate(&key, text_of(300), never[i], &arena, &w, &err) && w.n == 0);
        CHECK_ERR("the clock says");
    }
}

TEST(too_much)
{
    struct writer w;
    uint8_t small[600];
    made(300, NOW);
    w = writer_of(arena_alloc(&arena, 2 * RATLS_CERTIFICATE_MAX), 2 * RATLS_CERTIFICATE_MAX);
    CHECK(!ratls_certificate(&key, text_of(RATLS_EVIDENCE_MAX + 1), NOW, &arena, &w, &err) && w.n == 0);
    CHECK_ERR("a certificate takes 61440");
    w = writer_of(small, sizeof small);
    CHECK(!ratls_certificate(&key, text_of(300), NOW, &arena, &w, &err) && w.n == 0);
    CHECK_ERR("too long");
}

// ---- what fits ----

// A document with logs of these lengths, and names in its texts that look like members.
static size_t document(size_t first, size_t second, char *out)
{
    char *p = out;
    p += sprintf(p, "{\"image\":\"\\\"firmware_log\\\":\\\"x\",\"eventlog\":\"RVY=\",\"firmware_log\":\"");
    memset(p, 'A', first), p += first;
    p += sprintf(p, "\",\"tpm\":{\"quote\":\"UQ==\",\"firmware_log\":\"");
    memset(p, 'B', second), p += second;
    p += sprintf(p, "\"},\"manifest\":\"m\"}\n");
    return (size_t)(p - out);
}

TEST(firmware_logs_are_left_out)
{
    static char text[400000], want[400000];
    const size_t frame = document(0, 0, text);
    const struct {
        size_t first, second, kept_first, kept_second;
    } cases[] = {{0, 0, 0, 0}, {30000, 30000, 30000, 30000}, {40000, 30000, 0, 30000}, {70000, 80000, 0, 0},
                 {RATLS_EVIDENCE_MAX - frame, 0, RATLS_EVIDENCE_MAX - frame, 0}, {RATLS_EVIDENCE_MAX - frame + 1, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = document(cases[i].first, cases[i].second, text), m = document(cases[i].kept_first, cases[i].kept_second, want);
        CHECK(ratls_fit((uint8_t *)text, &n, &err));
        CHECK_EQ(n, m);
        CHECK(memcmp(text, want, n) == 0);
    }
    size_t n = RATLS_EVIDENCE_MAX + 1;
    memset(text, 'x', n);
    CHECK(!ratls_fit((uint8_t *)text, &n, &err) && n == RATLS_EVIDENCE_MAX + 1);
    CHECK_ERR("the evidence has 61441 bytes");
    memcpy(text + n - 15, "\"firmware_log\":\"", 16 - 1); // no end, no value
    CHECK(!ratls_fit((uint8_t *)text, &n, &err));
}

// ---- of others ----

struct wish {
    const char *oid;
    int times; // the extension is there so often
    struct view value;
    bool p384, by_other, sha384, version1, critical, rsa;
};

static EVP_PKEY *forged_key(const struct wish *w) { return w->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen(w->p384 ? "P-384" : "P-256"); }

static struct view forged(struct wish w)
{
    X509 *x = X509_new();
    EVP_PKEY *k = forged_key(&w), *signer = w.by_other ? forged_key(&w) : k;
    unsigned char *der = NULL;
    ASN1_OBJECT *oid = OBJ_txt2obj(w.oid ? w.oid : RATLS_OID, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    CHECK(x && k && signer && oid && value && ASN1_OCTET_STRING_set(value, w.value.p, (int)w.value.n));
    X509_set_version(x, w.version1 ? X509_VERSION_1 : X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_time_adj_ex(X509_getm_notBefore(x), 0, 0, &(time_t){NOW});
    X509_time_adj_ex(X509_getm_notAfter(x), 1, 0, &(time_t){NOW});
    X509_set_pubkey(x, k);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, w.critical, value);
    for (int i = 0; i < w.times; i++) X509_add_ext(x, extension, -1);
    CHECK(X509_sign(x, signer, w.sha384 ? EVP_sha384() : EVP_sha256()) > 0);
    int n = i2d_X509(x, &der);
    struct view out = arena_copy(&arena, view_of(der, (size_t)n));
    OPENSSL_free(der), X509_EXTENSION_free(extension), ASN1_OCTET_STRING_free(value), ASN1_OBJECT_free(oid);
    if (signer != k) EVP_PKEY_free(signer);
    EVP_PKEY_free(k), X509_free(x);
    return out;
}

// The value of the extension; head bytes, length and end may be other ones.
static struct view record(const char *head, size_t head_n, unsigned length, size_t n, const char *end, size_t end_n)
{
    struct writer w = writer_of(arena_alloc(&arena, RATLS_EVIDENCE_MAX + 200), RATLS_EVIDENCE_MAX + 200);
    write_bytes(&w, view_of(head, head_n));
    write_be16(&w, (uint16_t)length);
    write_bytes(&w, text_of(n));
    write_bytes(&w, view_of(end, end_n));
    return writer_view(&w);
}

#define HEAD "\x83\x78\x24" RATLS_MEDIA_TYPE "\x59"
#define RECORD(head, length, n, end) record(head, sizeof head - 1, length, n, end, sizeof end - 1)
#define GOOD RECORD(HEAD, 300, 300, "\x04")

TEST(a_good_one_of_others)
{
    fresh();
    CHECK(ratls_cert_read(forged((struct wish){.times = 1, .value = GOOD}), &arena, &cert, &err));
    CHECK(ratls_cert_read(forged((struct wish){.times = 1, .value = GOOD, .critical = true}), &arena, &cert, &err));
    CHECK(view_eq(cert.evidence, text_of(300)) && cert.not_before == NOW && cert.not_after == NOW + 86400);
}

static void refused(struct wish w, const char *why)
{
    struct ratls_cert untouched = {.not_before = 42};
    if (ratls_cert_read(forged(w), &arena, &untouched, &err)) check_fail("accepted: %s", why);
    CHECK_ERR(why);
    CHECK(untouched.not_before == 42 && !untouched.der.p);
}

TEST(refused_of_others)
{
    fresh();
    refused((struct wish){.times = 0, .value = GOOD}, "carries no evidence");
    refused((struct wish){.times = 2, .value = GOOD}, "twice");
    refused((struct wish){.times = 1, .value = GOOD, .oid = "2.23.133.5.4.8"}, "carries no evidence");
    refused((struct wish){.times = 1, .value = GOOD, .oid = "1.3.6.1.5.5.7.1.35"}, "carries no evidence");
    refused((struct wish){.times = 1, .value = GOOD, .p384 = true}, "not one of a P-256 key");
    refused((struct wish){.times = 1, .value = GOOD, .rsa = true}, "not one of a P-256 key");
    refused((struct wish){.times = 1, .value = GOOD, .sha384 = true}, "not one of a P-256 key");
    refused((struct wish){.times = 1, .value = GOOD, .by_other = true}, "not signed with its own key");
    refused((struct wish){.times = 1}, "no CMW record");
    refused((struct wish){.times = 1, .value = RECORD("\x83\x78\x24" "application/vnd.plinth.evidence+cbor\x59", 300, 300, "\x04")}, "other software's");
    refused((struct wish){.times = 1, .value = RECORD("\x82" HEAD, 300, 300, "\x04")}, "no CMW record");
    refused((struct wish){.times = 1, .value = RECORD(HEAD, 301, 300, "\x04")}, "cut");
    refused((struct wish){.times = 1, .value = RECORD(HEAD, 299, 300, "\x04")}, "cut");
    refused((struct wish){.times = 1, .value = RECORD(HEAD, 300, 300, "")}, "cut");
    refused((struct wish){.times = 1, .value = RECORD(HEAD, 300, 300, "\x02")}, "no evidence");
    refused((struct wish){.times = 1, .value = RECORD(HEAD, 300, 300, "\x04\x04")}, "followed");
    refused((struct wish){.times = 1, .value = RECORD(HEAD, 200, 200, "\x04")}, "cut");
}

TEST(oversized)
{
    fresh();
    uint8_t *much = arena_alloc(&arena, RATLS_CERTIFICATE_MAX + 100);
    memset(much, 0x30, RATLS_CERTIFICATE_MAX + 100);
    refused((struct wish){.times = 1, .value = view_of(much, RATLS_CERTIFICATE_MAX)}, "ours have 62464 at most");
}

static bool reads(struct view der) { return ratls_cert_read(der, &arena, &cert, &err); }
static bool unwraps(struct view value)
{
    struct view out;
    return ratls_cert_unwrap(value, &out, &err);
}

TEST(broken)
{
    struct view der = made(300, NOW);
    CHECK_EQ(broken(der, der.n, reads), 0); // every bit of it is signed, or is the signature
    CHECK(!reads(view_of(arena_copy(&arena, view_of("", 0)).p, 0)));
    struct view more = view_of(memcpy(arena_alloc(&arena, der.n + 1), der.p, der.n), der.n + 1);
    CHECK(!reads(more));
    CHECK_ERR("bytes follow");
    struct view value = GOOD;
    CHECK(broken(value, value.n, unwraps) > 0); // the document's own bytes are another's to judge
}

TEST(pem)
{
    struct view der = made(300, NOW);
    char *text = arena_alloc(&arena, 8192);
    struct writer w = writer_of(text, 8192);
    write_text(&w, "-----BEGIN CERTIFICATE-----\n"), write_base64(&w, der), write_text(&w, "\n-----END CERTIFICATE-----\n");
    CHECK(ratls_cert_read(writer_view(&w), &arena, &cert, &err) && view_eq(cert.der, der));
    CHECK(!ratls_cert_read(VIEW("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &arena, &cert, &err));
    CHECK_ERR("does not begin with a certificate");
    CHECK(!ratls_cert_read(VIEW("-----BEGIN CERTIFICATE-----\nAA"), &arena, &cert, &err));
    CHECK(!ratls_cert_read(VIEW("hello"), &arena, &cert, &err));
    CHECK_ERR("neither PEM nor DER");
}
