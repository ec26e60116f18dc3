// snp: real reports under AMD's pinned keys, synthetic ones, and reports of a private "AMD" of every kind that must be refused.
#include "appraise.h"

#include "base/writer.h"
#include "tools/appraise/amd_certs.h"
#include "tools/appraise/cert_table.h"
#include "tools/appraise/hcl.h"
#include "tools/appraise/snp.h"

#define AMD "1.3.6.1.4.1.3704.1."

static bool verdict(struct view report)
{
    return verdict_of(snp_verify, report);
}

// ---- AMD's ----

static const struct {
    const char *name, *line, *bad;
} real[] = {
    {"milan-v2-debugpolicy", "Milan", "guest-debug"}, {"milan-v2-azure", "Milan", "committed-tcb"}, {"milan-v3-azure", "Milan", NULL},
    {"siena-v3-genoa-chain", "Genoa", NULL},          {"milan-v2-hcl", "Milan", "committed-tcb"},
};

static struct view real_vector(size_t i, const char *what)
{
    char path[96];
    snprintf(path, sizeof path, "snp/%s.%s", real[i].name, what);
    return vector(path);
}

static void add_bytes(struct view v)
{
    if (!collateral_add(&given, v, &arena, &err))
        check_fail("%s", err.text);
}

TEST(real_reports)
{
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        for (size_t k = 0; k < sizeof real / sizeof *real; k++) { // with each other's certificates, too
            fresh();
            begin(moment("2026-01-01"));
            add_bytes(real_vector(k, "vcek.der"));
            bool ok = verdict(real_vector(i, "report.bin"));
            if (ok != (i == k && !real[i].bad))
                check_fail("%s with the VCEK of %s: %d, %s", real[i].name, real[k].name, ok, err.text);
            if (i != k) {
                STATE("report-signature", CHECK_BAD, "not by the key of the certificate");
                bool own_word = strstr(real[i].name, "-v3-"); // version 2 names no processor
                STATE("product", own_word && strcmp(real[i].line, real[k].line) ? CHECK_BAD : CHECK_GOOD, "");
                continue;
            }
            STATE("product", CHECK_GOOD, real[i].line);
            STATE("vek-chain", CHECK_GOOD, "whose key is pinned");
            STATE("ark-crl", CHECK_MISSING, real[i].line);
            for (size_t c = 0; c < ap.checks.count; c++)
                if (ap.checks.list[c].state == CHECK_BAD && (!real[i].bad || strcmp(ap.checks.list[c].name, real[i].bad)))
                    check_fail("%s: %s: %s", real[i].name, ap.checks.list[c].name, ap.checks.list[c].detail);
        }
}

TEST(without_its_certificate)
{
    fresh();
    begin(moment("2026-01-01"));
    CHECK(!verdict(vector("snp/siena-v3-genoa-chain.report.bin")));
    STATE("report-signature", CHECK_BAD, "https://kdsintf.amd.com/vcek/v1/Genoa/371c55d6d15cb50f16dc31d39a24e300caaabff4431e841111429b73ec45ad67");
    STATE("report-signature", CHECK_BAD, "?blSPL=10&teeSPL=0&snpSPL=23&ucodeSPL=25");
    allow.items[allow.count++] = "report-signature";
    CHECK(!checks_verdict(&ap.checks, &allow, &err)); // nothing waives it
    begin(moment("2026-01-01"));
    CHECK(!verdict(vector("snp/milan-v2-azure.report.bin")));
    STATE("product", CHECK_MISSING, "version 2 names no processor");
}

TEST(built_in_certificates_are_amds)
{
    static const char *const kinds[] = {"ark", "ask", "asvk"}, *const lines[] = {"milan", "genoa", "turin"};
    fresh();
    begin(NOW);
    for (size_t i = 0; i < AMD_LINES; i++) {
        struct anchors pin = {0}, file = {0};
        struct pool three = {0};
        struct chain chain;
        char path[64];
        for (size_t k = 0; k < 3; k++) {
            uint8_t text[4096];
            struct writer w = writer_of(text, sizeof text);
            snprintf(path, sizeof path, "snp/roots/%s-%s.der", lines[i], kinds[k]);
            write_base64(&w, vector(path));
            CHECK(view_is(writer_view(&w), amd_lines[i].certs[k]));
            CHECK(pool_add_certificate(&three, vector(path), &err));
            CHECK(x509_subject_is(three.certs[k], (const char *[]){amd_lines[i].ark, amd_lines[i].ask, amd_lines[i].asvk}[k]));
            CHECK(chain_of(&three, three.certs[k], &chain, &err) && chain.n == (k ? 2 : 1) && chain.certs[chain.n - 1] == three.certs[0]);
        }
        pool_drop(&three);
        snprintf(path, sizeof path, "snp/roots/%s-ark.der", lines[i]);
        anchors_add_pin(&pin, amd_lines[i].ark, amd_lines[i].ark_spki_sha256);
        CHECK(anchors_add_file(&file, vector(path), path, &arena, &err));
        CHECK(!memcmp(pin.list[0].spki_sha256, file.list[0].spki_sha256, 32));
    }
}

TEST(hcl_report)
{
    fresh();
    begin(moment("2026-01-01"));
    add("snp/milan-v2-hcl.vcek.der");
    allow.items[allow.count++] = "committed-tcb";
    struct view v = vector("tpm/az-snp-q1.hcl.bin");
    CHECK(verdict(v));
    STATE("runtime-claims", CHECK_GOOD, "");
    uint8_t *copy = (uint8_t *)arena_copy(&arena, v).p;
    struct hcl hcl;
    CHECK(hcl_parse(v, &hcl, &err) && hcl.bound && hcl.claims.n == 1110);
    static const struct {
        size_t at;
        const char *check, *why;
    } bent[] = {{1236, "runtime-claims", "not SHA-256"}, {1216, "report-format", "sizes"}, {1220, "report-format", "version"},
                {1224, "report-format", "report type"}, {1228, "report-format", "hash type"}, {1232, "report-format", "sizes"},
                {1234, "report-format", "cut"}, {2599, "report-format", "other bytes than zeroes"}, {32 + 0x90, "report-signature", ""}};
    for (size_t i = 0; i < sizeof bent / sizeof *bent; i++) {
        copy[bent[i].at] ^= 1;
        memset(&ap.checks, 0, sizeof ap.checks);
        CHECK(!verdict(view_of(copy, v.n)));
        STATE(bent[i].check, CHECK_BAD, bent[i].why);
        copy[bent[i].at] ^= 1;
    }
    v = vector("tpm/az-tdx-ev1.hcl.bin");
    CHECK(hcl_parse(v, &hcl, &err) && hcl.bound && hcl.type == HCL_TDX);
    memset(&ap.checks, 0, sizeof ap.checks);
    CHECK(!verdict(v));
    STATE("report-format", CHECK_BAD, "TDX machine");
}

// ---- certificate tables ----

static bool takes_table(struct view v)
{
    struct pool p = {0};
    bool ok = cert_table_is(v) && cert_table_add(v, &p, &err);
    pool_drop(&p);
    return ok;
}

static void entry(uint8_t *table, size_t i, const char *guid, uint32_t offset, uint32_t size)
{
    struct writer out = writer_of(table + 24 * i, 24);
    write_bytes(&out, view_of(guid, 16)), write_le32(&out, offset), write_le32(&out, size);
}

TEST(certificate_table)
{
    fresh();
    begin(moment("2026-01-01"));
    add("snp/auxblob-milan-v2-azure.bin");
    CHECK_EQ(given.pool.cert_count, 3);
    allow.items[allow.count++] = "committed-tcb";
    CHECK(verdict(vector("snp/milan-v2-azure.report.bin")));
    struct view v = vector("snp/auxblob-vcek-only.bin");
    uint32_t end = (uint32_t)(v.p[16] | v.p[17] << 8) + (uint32_t)(v.p[20] | v.p[21] << 8);
    begin(moment("2026-01-01"));
    add_bytes(v);
    CHECK_EQ(given.pool.cert_count, 1);
    broken(v, end, takes_table);
    CHECK(!collateral_add(&given, vector("snp/auxblob-bad-offset.bin"), &arena, &err));
    CHECK_ERR("VCEK at 4294967280 with 256 bytes");
    // a CRL
    EVP_PKEY *key = forge_key(false);
    struct view crl = forge_crl("ARK-Milan", key, -DAY, DAY, NULL, 0, false);
    EVP_PKEY_free(key);
    uint8_t with_crl[1024] = {0};
    entry(with_crl, 0, "\x92\xf8\x1b\xc3\x58\x11\x4d\x3d\x97\xff\xd1\x9f\x88\xdc\x67\xea", 48, (uint32_t)crl.n);
    memcpy(with_crl + 48, crl.p, crl.n);
    CHECK(cert_table_add(view_of(with_crl, sizeof with_crl), &given.pool, &err) && given.pool.crl_count == 1);
    // an entry each: GUID order, in the table, no end, twice, nothing
    uint8_t t[2048];
    struct view der = vector("snp/milan-v2-azure.vcek.der");
#define VCEK "\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd"
#define MIXED "\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd"
#define EXTRA "\xec\xae\x0c\x0f\x95\x02\x43\xb1\xaf\xa2\x0a\xe2\xe0\xd5\x65\xb6"
    memset(t, 0, sizeof t), memcpy(t + 96, der.p, der.n);
    struct view table = view_of(t, 96 + der.n);
    entry(t, 0, VCEK, 96, (uint32_t)der.n);
    CHECK(takes_table(table));
    entry(t, 1, EXTRA, 0xffffffff, 0xffffffff);
    CHECK(takes_table(table)); // not ours to judge
    entry(t, 1, VCEK, 96, (uint32_t)der.n);
    CHECK(!takes_table(table));
    CHECK_ERR("VCEK is there twice");
    entry(t, 1, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0, 0), entry(t, 0, VCEK, 47, 200);
    CHECK(!takes_table(table));
    CHECK_ERR("VCEK at 47");
    entry(t, 0, VCEK, 96, (uint32_t)der.n + 1);
    CHECK(!takes_table(table));
    entry(t, 0, VCEK, 96, 0);
    CHECK(!takes_table(table));
    CHECK_ERR("VCEK");
    entry(t, 0, VCEK, 96, (uint32_t)der.n - 1);
    CHECK(!takes_table(table));
    CHECK(!cert_table_is(view_of(t, 0)));
    entry(t, 0, MIXED, 96, (uint32_t)der.n);
    CHECK(!cert_table_is(table));
    entry(t, 0, VCEK, 96, (uint32_t)der.n);
    struct pool none = {0};
    CHECK(cert_table_is(view_first(table, 24)) && !cert_table_add(view_first(table, 24), &none, &err));
    CHECK_ERR("no entry of zeroes ends it");
    memset(t, 0, 48);
    CHECK(!cert_table_add(table, &none, &err));
    CHECK_ERR("no certificate in it");
}

// ---- a private AMD ----

static struct {
    unsigned line;
    bool vlek, asvk_signs, other_ark, ark_signs, vek_is_p256, two_certs, give_ark, sign_other, big_endian, ark_revokes, crl_by_ask, with_crl;
    const char *vek_name;
    struct forge_oid oids[20];
    uint8_t report[1184];
    size_t size;
    long vek_to;
} w;
static EVP_PKEY *ark, *ask, *other_ark, *vek, *stranger;

// A little-endian integer of the report.
static void LE(size_t at, size_t n, uint64_t x)
{
    for (size_t i = 0; i < n; i++)
        w.report[at + i] = (uint8_t)(x >> 8 * i);
}

static struct forge_oid *oid(const char *arc)
{
    struct forge_oid *o = w.oids;
    while (o->name && strcmp(o->name + strlen(AMD), arc))
        o++;
    CHECK(o < w.oids + 19);
    return o;
}

static void set_oid(const char *name, const void *value, size_t n)
{
    struct forge_oid *o = oid(name + strlen(AMD));
    o->name = name, o->size = n;
    memcpy(o->value, value, n);
}

static void drop_oid(const char *arc)
{
    for (struct forge_oid *o = oid(arc); o->name; o++)
        *o = o[1];
}

static void set_spl(const char *name, unsigned x)
{
    uint8_t der[4] = {2, x > 127 ? 2 : 1, x > 127 ? 0 : (uint8_t)x, (uint8_t)x};
    set_oid(name, der, x > 127 ? 4 : 3);
}

// A good report of version 3 and its VCEK.
static void good(unsigned line)
{
    static const uint8_t cpu[][2] = {{0x19, 1}, {0x19, 0x11}, {0x1a, 2}};
    static const char *const names[] = {"\x16\x08Milan-B0", "\x16\x05Genoa", "\x16\x05Turin"};
    uint8_t tcb[8] = {3, 0, 0, 0, 0, 0, 24, 219}, turin[8] = {1, 3, 0, 4, 0, 0, 0, 219};
    memset(&w, 0, sizeof w);
    w.line = line, w.vek_name = "SEV-VCEK", w.size = 1184, w.vek_to = 1000 * DAY;
    LE(0, 4, 3), LE(8, 8, 0x3001f), LE(0x34, 4, 1), LE(0x40, 8, 0x25);
    memset(w.report + 0x50, 0x5a, 64), memset(w.report + 0x90, 0xa5, 48);
    w.report[0x188] = cpu[line][0], w.report[0x189] = cpu[line][1];
    for (size_t i = 0; i < 4; i++)
        memcpy(w.report + (size_t[]){0x38, 0x180, 0x1e0, 0x1f0}[i], line == AMD_TURIN ? turin : tcb, 8);
    memset(w.report + 0x1a0, 0xc1, line == AMD_TURIN ? 8 : 64);
    set_oid(AMD "1", line == AMD_TURIN ? "\x02\x01\x01" : "\x02\x01\x00", 3);
    set_oid(AMD "2", names[line], strlen(names[line]));
    if (line == AMD_TURIN)
        set_spl(AMD "3.9", 1), set_spl(AMD "3.3", 4);
    else
        set_spl(AMD "3.4", 0), set_spl(AMD "3.3", 24);
    set_spl(AMD "3.1", 3), set_spl(AMD "3.2", 0), set_spl(AMD "3.5", 0), set_spl(AMD "3.6", 0), set_spl(AMD "3.7", 0), set_spl(AMD "3.8", 219);
    set_oid(AMD "4", w.report + 0x1a0, line == AMD_TURIN ? 8 : 64);
}

static void good_vlek(unsigned line)
{
    good(line);
    w.vlek = w.asvk_signs = true, w.vek_name = "SEV-VLEK";
    LE(0x48, 4, 4), memset(w.report + 0x1a0, 0, 64);
    drop_oid("4"), set_oid(AMD "5", "\x16\x07" "cloud-1", 9);
}

static EVP_PKEY *rsa(void)
{
    EVP_PKEY *k = EVP_RSA_gen(4096);
    CHECK(k != NULL);
    return k;
}

static struct view made_report;

// The CAs: RSA-4096 signs slowly, so each is made once.
static struct view ca_certificate(const struct ca_wish *wish, EVP_PKEY *key, const char *issuer, EVP_PKEY *by)
{
    static struct {
        char name[32];
        EVP_PKEY *by;
        uint8_t der[2048];
        size_t n;
    } kept[16];
    size_t i = 0;
    while (kept[i].n && (strcmp(kept[i].name, wish->name) || kept[i].by != by))
        CHECK(++i < 16);
    if (!kept[i].n) {
        struct view der = forge_certificate(wish, key == by ? 0 : 1, key, issuer, by);
        CHECK(der.n <= sizeof kept[i].der);
        snprintf(kept[i].name, sizeof kept[i].name, "%s", wish->name);
        kept[i].by = by, kept[i].n = der.n;
        memcpy(kept[i].der, der.p, der.n);
    }
    return view_of(kept[i].der, kept[i].n);
}

// Signs and judges what `w` says; under --trust ark.
static bool made(void)
{
    char line[16], names[3][32];
    uint8_t r_s[96];
    if (!ark)
        ark = rsa(), ask = other_ark = rsa(), vek = forge_key(true), stranger = forge_key(true);
    fresh();
    begin(NOW);
    snprintf(line, sizeof line, "%s", amd_lines[w.line].name);
    snprintf(names[0], 32, "ARK-%s", line), snprintf(names[1], 32, "SEV-%s%s", w.asvk_signs ? "VLEK-" : "", line);
    struct ca_wish root = {.name = names[0], .ca = true, .path = -1, .version = 2, .from = -DAY, .to = 9000 * DAY}, ca = root, leaf = root;
    ca.name = names[1], leaf.name = w.vek_name, leaf.ca = false, leaf.no_key_usage = true, leaf.to = w.vek_to, leaf.more = w.oids;
    EVP_PKEY *by = w.other_ark ? other_ark : ark, *key = w.vek_is_p256 ? forge_key(false) : vek;
    struct view root_der = ca_certificate(&root, by, root.name, by), ca_der = ca_certificate(&ca, ask, root.name, by);
    add_bytes(forge_certificate(&leaf, 0, key, w.ark_signs ? root.name : ca.name, w.ark_signs ? by : ask));
    add_bytes(root_der);
    if (!w.two_certs)
        add_bytes(ca_der);
    if (w.with_crl || w.ark_revokes)
        add_bytes(forge_crl(root.name, w.crl_by_ask ? ask : by, -DAY, DAY, (long[]){1}, w.ark_revokes, false));
    CHECK(anchors_add_file(&ap.trust, ca_certificate(&root, ark, root.name, ark), "ark.der", &arena, &err));
    if (key == vek) {
        forge_sign_with(w.sign_other ? stranger : vek, EVP_sha384(), view_of(w.report, 0x2a0), 48, r_s);
        for (size_t i = 0; i < 48; i++)
            w.report[0x2a0 + i] |= r_s[w.big_endian ? i : 47 - i], w.report[0x2e8 + i] |= r_s[48 + (w.big_endian ? i : 47 - i)];
    } else {
        EVP_PKEY_free(key);
    }
    made_report = arena_copy(&arena, view_of(w.report, w.size));
    return verdict(made_report);
}

#define ACCEPTED(line, bend)                                                                                                     \
    do {                                                                                                                         \
        good(line);                                                                                                              \
        bend;                                                                                                                    \
        if (!made())                                                                                                             \
            check_fail("line %d: %s", __LINE__, err.text);                                                                       \
    } while (0)
#define REFUSED_OF(start, bend, name, part)                                                                                      \
    do {                                                                                                                         \
        start;                                                                                                                   \
        bend;                                                                                                                    \
        if (made())                                                                                                              \
            check_fail("line %d: accepted", __LINE__);                                                                           \
        STATE(name, CHECK_BAD, part);                                                                                            \
    } while (0)
#define REFUSED(bend, name, part) REFUSED_OF(good(AMD_MILAN), bend, name, part)

TEST(good_under_a_private_root)
{
    for (unsigned line = 0; line < AMD_LINES; line++) {
        ACCEPTED(line, (void)0);
        STATE("vek-chain", CHECK_GOOD, "not AMD's but named by --trust");
        STATE("ark-crl", CHECK_MISSING, "");
        good_vlek(line);
        if (!made())
            check_fail("VLEK: %s", err.text);
        STATE("chip-id", CHECK_MISSING, "'cloud-1'");
        STATE("signing-key", CHECK_GOOD, "VLEK");
        // AMD's keys alone do not do
        memset(&ap.checks, 0, sizeof ap.checks), ap.trust.count = 0;
        CHECK(!verdict(made_report));
        STATE("vek-chain", CHECK_BAD, "which is not the key of ARK-");
        CHECK(!ap.fields.out.full);
    }
    ACCEPTED(AMD_GENOA, w.report[0x189] = 0xa0); // Siena
    ACCEPTED(AMD_GENOA, w.report[0x189] = 0xaf);
    ACCEPTED(AMD_TURIN, w.report[0x189] = 0x1f);
    ACCEPTED(AMD_MILAN, (LE(0, 4, 2), LE(0x188, 3, 0))); // as the certificate says
    ACCEPTED(AMD_MILAN, LE(0, 4, 4));
    ACCEPTED(AMD_MILAN, (LE(0, 4, 5), LE(0x1f8, 8, 3), LE(0x200, 8, ~0ull)));
    ACCEPTED(AMD_MILAN, (LE(0x1e8, 3, 0x010203), LE(0x1ec, 3, 0x010203)));
    ACCEPTED(AMD_MILAN, set_oid(AMD "4", "\x04\x40\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1", 66));
    ACCEPTED(AMD_TURIN, set_oid(AMD "4", "\x04\x08\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1", 10));
}

TEST(report_is_bent)
{
    static const uint16_t zero[] = {0x4c, 0x4f, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x1f8, 0x207, 0x208, 0x29f, 0x2d0, 0x2e7, 0x318, 0x32f, 0x330, 0x49f};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        REFUSED(w.report[zero[i]] = 1, "report-format", "are not zero, as version 3");
    for (unsigned v = 0; v < 8; v++)
        if (v < 2 || v > 5)
            REFUSED(LE(0, 4, v), "report-format", "2 to 5 are known");
    REFUSED(LE(0, 4, 0x10003), "report-format", "version 65539");
    REFUSED((LE(0, 4, 2)), "report-format", "0x188 to 0x18a are not zero, as version 2");
    REFUSED((LE(0, 4, 5), w.report[0x208] = 1), "report-format", "as version 5");
    REFUSED((LE(0, 4, 4), w.report[0x1f8] = 1), "report-format", "as version 4");
    REFUSED(LE(0x34, 4, 0), "report-format", "SIGNATURE_ALGO is 0");
    REFUSED(LE(0x34, 4, 0x10001), "report-format", "SIGNATURE_ALGO is 65537");
    REFUSED(w.size = 1183, "report-format", "1183 bytes");
    for (unsigned k = 2; k < 7; k++)
        REFUSED(LE(0x48, 4, k << 2), "report-format", "SIGNER_INFO");
    REFUSED(LE(0x48, 4, 0x20), "report-format", "SIGNER_INFO is 0x20");
    REFUSED(LE(0x48, 4, 7 << 2), "signing-key", "nothing has signed");
    REFUSED(LE(0x48, 4, 2), "signing-key", "MASK_CHIP_KEY");
    REFUSED(LE(0x48, 4, 4), "signing-key", "names a VLEK");
    REFUSED_OF(good_vlek(AMD_MILAN), LE(0x48, 4, 0), "signing-key", "names a VCEK");
    ACCEPTED(AMD_MILAN, LE(0x48, 4, 1)); // AUTHOR_KEY_EN
    REFUSED(w.big_endian = true, "report-signature", "not by the key");
    REFUSED(w.sign_other = true, "report-signature", "not by the key");
    // the guest
    REFUSED(LE(8, 8, 0x1001f), "guest-policy", "bit 17 must be one");
    for (unsigned bit = 26; bit < 64; bit += 12)
        REFUSED(LE(8, 8, 0x3001f | 1ull << bit), "guest-policy", "bits 26 to 63");
    REFUSED(LE(8, 8, 0x3001f | 1ull << 63), "guest-policy", "bits 26 to 63");
    REFUSED(LE(8, 8, 0xb001f), "guest-debug", "DEBUG is set");
    REFUSED(LE(8, 8, 0x7001f), "migrate-ma", "MIGRATE_MA is set");
    ACCEPTED(AMD_MILAN, LE(8, 8, 0x3f3001f));
    for (unsigned vmpl = 1; vmpl < 4; vmpl++)
        REFUSED(LE(0x30, 4, vmpl), "vmpl", "not 0");
    REFUSED(LE(0x30, 4, 0xffffffff), "vmpl", "4294967295");
    REFUSED(LE(0x40, 8, 0x65), "platform-info", "reserved bits");
    REFUSED(LE(0x40, 8, 0x125), "platform-info", "reserved bits");
    ACCEPTED(AMD_MILAN, LE(0x40, 8, 0x05));
    STATE("alias-check", CHECK_MISSING, "ALIAS_CHECK_COMPLETE is clear");
    checks_need(&ap.checks, false, &(struct option_list){1, {"alias-check"}});
    CHECK(!checks_verdict(&ap.checks, NULL, &err));
    CHECK_ERR("alias-check: missing");
    // TCB
    REFUSED(w.report[0x1e0 + 7] = 218, "committed-tcb", "COMMITTED_TCB 03000000000018da");
    REFUSED(w.report[0x1e8] = 1, "committed-tcb", "");
    for (size_t i = 0; i < 8; i++) {
        REFUSED(w.report[0x180 + i] ^= 1, "reported-tcb", "the certificate is for 03000000000018db");
        REFUSED_OF(good(AMD_TURIN), w.report[0x180 + i] ^= 1, "reported-tcb", "the certificate is for 01030004000000db");
    }
    REFUSED(w.report[0x1a0] ^= 1, "chip-id", "CHIP_ID is c0c1");
    REFUSED(w.report[0x1df] ^= 1, "chip-id", "");
    REFUSED(memset(w.report + 0x1a0, 0, 64), "chip-id", "CHIP_ID is 0000");
    REFUSED_OF(good(AMD_TURIN), w.report[0x1a0 + 8] = 1, "chip-id", "");
    // what is asked for
    ACCEPTED(AMD_MILAN, (void)0);
    ap.nonce = view_of(w.report + 0x50, 64);
    CHECK(verdict(made_report));
    STATE("report-data", CHECK_GOOD, "");
    memset(&ap.checks, 0, sizeof ap.checks), ap.nonce.n = 63;
    CHECK(!verdict(made_report));
    STATE("report-data", CHECK_BAD, "goes on with other bytes");
    ap.nonce.n = 0;
    static const struct {
        uint8_t tcb[8];
        bool ok;
    } least[] = {{{3, 0, 0, 0, 0, 0, 24, 219}, true}, {{0}, true}, {{4, 0, 0, 0, 0, 0, 24, 219}, false}, {{3, 0, 0, 0, 0, 0, 25, 0}, false}, {{0, 0, 0, 0, 0, 0, 0, 220}, false}};
    for (size_t i = 0; i < sizeof least / sizeof *least; i++) {
        memset(&ap.checks, 0, sizeof ap.checks), ap.tcb_min = view_of(least[i].tcb, 8);
        CHECK_EQ(verdict(made_report), least[i].ok);
        STATE("tcb-minimum", least[i].ok ? CHECK_GOOD : CHECK_BAD, "");
    }
}

TEST(certificates_are_bent)
{
    REFUSED(w.other_ark = true, "vek-chain", "which is not the key of ark.der");
    REFUSED(w.ark_signs = true, "vek-chain", "2 certificates");
    REFUSED(w.two_certs = true, "vek-chain", "issuer 'SEV-Milan' is not there");
    REFUSED(w.vek_is_p256 = true, "vek-chain", "'SEV-VCEK' has another key");
    REFUSED(w.asvk_signs = true, "vek-chain", "wanted are 'SEV-VCEK', 'SEV-Milan', 'ARK-Milan'");
    REFUSED_OF(good_vlek(AMD_MILAN), w.asvk_signs = false, "vek-chain", "wanted are 'SEV-VLEK', 'SEV-VLEK-Milan'");
    REFUSED(w.vek_to = -1, "vek-chain", "expired");
    REFUSED(w.vek_name = "SEV-Milan", "report-signature", "no certificate of a VCEK");
    // another product line
    REFUSED((w.report[0x189] = 0x11), "product", "the report is of a Genoa, the certificate is for Milan-B0");
    REFUSED((w.report[0x188] = 0x1a), "product", "of a Turin");
    REFUSED((w.report[0x188] = 0x17), "product", "family 17h, model 01h is of no known");
    REFUSED((w.report[0x189] = 0x20), "product", "no known product line");
    REFUSED_OF(good(AMD_TURIN), w.report[0x189] = 0x20, "product", "no known product line");
    REFUSED(set_oid(AMD "2", "\x16\x04Rome", 6), "product", "");
    REFUSED((LE(0, 4, 2), LE(0x188, 3, 0), set_oid(AMD "2", "\x16\x04Rome", 6)), "product", "no known product line (Rome)");
    REFUSED(drop_oid("2"), "product", "");
    REFUSED(set_oid(AMD "2", "\x0c\x05Milan", 7), "product", ""); // UTF8String
    // its extensions
    static const char *const needed[] = {"3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "4"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        REFUSED(drop_oid(needed[i]), "vek-certificate", i < 8 ? "is absent" : "no HWID");
    REFUSED_OF(good(AMD_TURIN), drop_oid("3.9"), "vek-certificate", "3.9 (fmcSPL) is absent");
    REFUSED_OF(good(AMD_TURIN), set_spl(AMD "3.4", 1), "vek-certificate", "another product line");
    REFUSED(set_spl(AMD "3.9", 1), "vek-certificate", "another product line");
    REFUSED(set_oid(AMD "3.1", "\x02\x02\x01\x00", 4), "vek-certificate", "3.1 (blSPL)");
    REFUSED(set_oid(AMD "3.1", "\x02\x01\xff", 3), "vek-certificate", "3.1 (blSPL)");
    REFUSED(set_oid(AMD "3.1", "\x02\x02\x00\x03", 4), "vek-certificate", "3.1 (blSPL)");
    REFUSED(set_oid(AMD "3.1", "\x03", 1), "vek-certificate", "3.1 (blSPL)");
    REFUSED(set_oid(AMD "6", "\x02\x01\x00", 3), "vek-certificate", "is not known");
    REFUSED((w.oids[11] = *oid("3.1")), "vek-certificate", "is there twice");
    REFUSED(set_oid(AMD "5", "\x16\x01x", 3), "vek-certificate", "a VCEK with a CSP_ID");
    REFUSED(set_oid(AMD "4", "\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1", 8), "vek-certificate", "HWID has 8 bytes, on Milan it has 64");
    REFUSED_OF(good(AMD_TURIN), set_oid(AMD "4", w.report + 0x1a0, 64), "vek-certificate", "HWID has 64 bytes, on Turin it has 8");
    REFUSED_OF(good_vlek(AMD_GENOA), set_oid(AMD "4", w.report + 0x1a0, 64), "vek-certificate", "a VLEK with a HWID");
    REFUSED_OF(good_vlek(AMD_GENOA), drop_oid("5"), "vek-certificate", "no CSP_ID");
    // revocation
    ACCEPTED(AMD_MILAN, w.with_crl = true);
    STATE("ark-crl", CHECK_GOOD, "not revoked");
    REFUSED(w.ark_revokes = true, "ark-crl", "is revoked");
    REFUSED((w.with_crl = w.crl_by_ask = true), "ark-crl", "not signed by its key");
}

TEST(synthetic_reports)
{
    static const struct {
        const char *name, *bad;
    } cases[] = {
        {"ok", NULL}, {"debug", "guest-debug"}, {"migrate-ma", "migrate-ma"}, {"vmpl2", "vmpl"}, {"chipid-mismatch", "chip-id"}, {"reported-ne-cert", "reported-tcb"},
        {"committed-lt-current", "committed-tcb"}, {"signer-none", "signing-key"}, {"signer-vlek", "signing-key"}, {"mask-chip-key", "signing-key"},
        {"policy-bit17-zero", "guest-policy"}, {"reserved-policy-bit", "guest-policy"}, {"platinfo-bit6", "platform-info"}, {"mitvec", NULL},
        {"rs-bigendian", "report-signature"}, {"sigalgo0", "report-format"}, {"sigpad", "report-format"}, {"measurement-flip", "report-signature"}, {"short", "report-format"},
    };
    static const char *const families[] = {"genoa-v5", "turin-v3"};
    char path[96];
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (f == 1 && !strcmp(cases[i].name, "mitvec"))
                continue; // version 3 has none
            fresh();
            begin(moment("2026-01-01"));
            for (size_t k = 0; k < 3; k++) {
                snprintf(path, sizeof path, "snp/synthetic/%s.%s.der", families[f], (const char *[]){"vcek", "ask", "ark"}[k]);
                add(path);
            }
            CHECK(anchors_add_file(&ap.trust, vector(path), "ark", &arena, &err));
            snprintf(path, sizeof path, "snp/synthetic/%s.%s.report.bin", families[f], cases[i].name);
            struct view report = vector(path);
            if (verdict(report) != !cases[i].bad)
                check_fail("%s: %s", path, err.text);
            if (cases[i].bad)
                STATE(cases[i].bad, CHECK_BAD, "");
            memset(&ap.checks, 0, sizeof ap.checks), ap.trust.count = 0;
            CHECK(!verdict(report));
        }
}

TEST(turin_certificate)
{
    fresh();
    begin(moment("2026-01-01"));
    add("snp/vcek-turin-hwid8.der");
    good(AMD_TURIN);
    CHECK(!verdict(view_of(w.report, w.size)));
    STATE("vek-chain", CHECK_GOOD, "ARK-Turin, whose key is pinned");
    STATE("vek-certificate", CHECK_GOOD, "");
    STATE("chip-id", CHECK_BAD, "HWID is 1e550a8ee5cf9f4d...");
    begin(moment("2026-01-01"));
    add("snp/vcek-invalid-legacy-hwid.der");
    good(AMD_MILAN);
    CHECK(!verdict(view_of(w.report, w.size)));
    STATE("vek-chain", CHECK_BAD, "");
}

// ---- broken sisters ----

static bool accepts(struct view v)
{
    memset(&ap.checks, 0, sizeof ap.checks), result_members_begin(&ap.fields);
    return verdict(v);
}

TEST(cut_and_flipped)
{
    fresh();
    begin(moment("2026-01-01"));
    add("snp/milan-v3-azure.vcek.der");
    struct view v = vector("snp/milan-v3-azure.report.bin");
    CHECK(accepts(v));
    for (size_t n = 0; n < v.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, v.p, n);
        bool ok = accepts(view_of(copy, n));
        free(copy);
        CHECK(!ok);
    }
    uint8_t *longer = arena_alloc(&arena, v.n + 1);
    memcpy(longer, v.p, v.n);
    CHECK(!accepts(view_of(longer, v.n + 1)));
    for (size_t i = 0; i < v.n; i++) { // each byte
        longer[i] ^= (uint8_t)(1u << i % 8);
        if (accepts(view_of(longer, v.n)))
            check_fail("byte %#zx flipped and accepted", i);
        longer[i] ^= (uint8_t)(1u << i % 8);
    }
    collateral_drop(&given);
    EVP_PKEY_free(ark), EVP_PKEY_free(ask), EVP_PKEY_free(vek), EVP_PKEY_free(stranger);
}
