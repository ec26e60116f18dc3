// sig: recorded signatures of cosign, made ones with their broken sisters, RFC 8032, RFC 6979.
#include "lib.h"

#include "base/codec.h"
#include "crypto/keys.h"
#include "crypto/sig.h"
#include "format/pem.h"

// One line of vectors/sig/*.txt: NAME KEY RULE VERDICT PART[+PART] SIGNATURE, in hex; "-" is empty.
struct vector_line {
    struct view name;
    struct public_key key;
    enum sig_rule rule;
    bool good;
    struct view parts[2];
    size_t part_count;
    struct view signature;
};
static struct vector_line line;

static struct view unhex(struct view hex)
{
    if (view_is(hex, "-"))
        return (struct view){0};
    uint8_t *p = arena_alloc(&arena, hex.n / 2 + 1);
    CHECK(p && hex.n % 2 == 0 && hex_decode(hex, p, hex.n / 2));
    return view_of(p, hex.n / 2);
}

static void load_key(struct view name, struct public_key *out)
{
    struct view label = VIEW("PUBLIC KEY"), der;
    if (name.p[0] == '=') {
        der = unhex(view_skip(name, 1));
    } else {
        char path[100];
        snprintf(path, sizeof path, "keys/%.*s.pub", VIEW_ARG(name));
        struct view text = vector(path);
        CHECK(pem_next(&text, &arena, &label, &der, &err));
    }
    CHECK(public_key_decode(label, der, out, &err));
}

static bool next_line(struct view *text)
{
    struct view v;
    do {
        if (!text->n)
            return false;
        v = view_cut(text, '\n', NULL);
    } while (!v.n || v.p[0] == '#');
    line = (struct vector_line){.name = view_cut(&v, ' ', NULL)};
    load_key(view_cut(&v, ' ', NULL), &line.key);
    line.rule = view_is(view_cut(&v, ' ', NULL), "bundle") ? SIG_RULE_BUNDLE : SIG_RULE_PLAIN;
    line.good = view_is(view_cut(&v, ' ', NULL), "good");
    struct view message = view_cut(&v, ' ', NULL);
    while (message.n && line.part_count < 2)
        line.parts[line.part_count++] = unhex(view_cut(&message, '+', NULL));
    line.signature = unhex(v);
    return true;
}

static bool verifies(struct view signature) { return sig_verify(&line.key, line.rule, line.parts, line.part_count, signature); }

static size_t each(const char *file, void (*check)(void))
{
    size_t n = 0;
    fresh();
    struct view text = vector(file);
    for (; next_line(&text); n++)
        check();
    return n;
}

static void verdict(void)
{
    if (verifies(line.signature) != line.good)
        check_fail("%.*s, rule %d: %s", VIEW_ARG(line.name), line.rule, line.good ? "refused" : "accepted");
}

TEST(cosign) { CHECK_EQ(each("sig/cosign.txt", verdict), 16); }
TEST(made) { CHECK(each("sig/made.txt", verdict) > 150); }
TEST(rfc8032) { CHECK_EQ(each("sig/rfc8032.txt", verdict), 7); }

// The message altered, cut into other parts, and under every other key.
static void message(void)
{
    if (!line.good)
        return;
    uint8_t whole[4096];
    size_t n = 0;
    for (size_t i = 0; i < line.part_count; n += line.parts[i++].n) {
        CHECK(n + line.parts[i].n <= sizeof whole);
        if (line.parts[i].n)
            memcpy(whole + n, line.parts[i].p, line.parts[i].n);
    }
    struct view one = view_of(whole, n), pieces[5] = {view_first(one, 0), view_first(one, 1), view_skip(view_first(one, n / 2), 1), {0},
                                                      view_skip(one, n / 2 > 1 ? n / 2 : 1)};
    CHECK(sig_verify(&line.key, line.rule, &one, 1, line.signature) && sig_verify(&line.key, line.rule, pieces, 5, line.signature));
    struct view doubled[] = {one, view_of("", 1)}, less = view_first(one, n - 1);
    CHECK(!sig_verify(&line.key, line.rule, doubled, 2, line.signature));
    if (n) {
        CHECK(!sig_verify(&line.key, line.rule, &less, 1, line.signature) && !sig_verify(&line.key, line.rule, NULL, 0, line.signature));
        whole[n / 2] ^= 0x10;
        CHECK(!sig_verify(&line.key, line.rule, &one, 1, line.signature));
        whole[n / 2] ^= 0x10;
    }
    static const char *const names[] = {"ka", "kb", "kp384", "kp521", "krsa2048", "krsa3072", "krsa4096", "ked25519"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct public_key other;
        load_key(view_str(names[i]), &other);
        bool same = memcmp(other.spki_sha256, line.key.spki_sha256, 32) == 0;
        if (sig_verify(&other, line.rule, &one, 1, line.signature) != same)
            check_fail("%.*s under %s", VIEW_ARG(line.name), names[i]);
    }
}

TEST(message_and_key)
{
    each("sig/cosign.txt", message);
    each("sig/rfc8032.txt", message);
}

// Cut at every length; every bit flipped, or one in each byte of the longer ones, of which one takes up to 20 ms under the sanitizers
// (SIG_EVERY_BIT=1: every bit there too, in a few minutes).
static void sisters(void)
{
    if (!line.good)
        return;
    uint8_t copy[600];
    struct view s = line.signature;
    size_t step = s.n > 80 && !getenv("SIG_EVERY_BIT") ? 9 : 1;
    for (size_t n = 0; n < s.n; n++)
        CHECK(!verifies(view_first(s, n)));
    memcpy(copy, s.p, s.n);
    for (size_t i = 0; i < s.n * 8; i += step) {
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        if (verifies(view_of(copy, s.n)))
            check_fail("%.*s: bit %zu flipped", VIEW_ARG(line.name), i);
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    CHECK(verifies(view_of(copy, s.n)));
}

TEST(broken_sisters)
{
    each("sig/cosign.txt", sisters);
}

// The rule of one storage form is not that of the other: what holds in a bundle alone does not hold in a tag.
static void rules(void)
{
    if (!line.good || line.rule == SIG_RULE_PLAIN)
        return;
    bool same = line.key.type == KEY_EC_P256 || line.key.type == KEY_RSA;
    CHECK(sig_verify(&line.key, SIG_RULE_PLAIN, line.parts, line.part_count, line.signature) == same);
}

TEST(rules_differ) { each("sig/cosign.txt", rules); }

TEST(large_message)
{
    static uint8_t large[3 << 20];
    fresh();
    struct view text = vector("sig/cosign.txt");
    struct view parts[] = {view_of(large, sizeof large), view_of(large, sizeof large)};
    while (next_line(&text))
        CHECK(!sig_verify(&line.key, line.rule, parts, 2, line.signature));
}

// RFC 6979 A.2.5: P-256, message "sample", SHA-256 and SHA-384.
#define SPKI "=3059301306072a8648ce3d020106082a8648ce3d03010703420004" \
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"

TEST(rfc6979)
{
    fresh();
    line = (struct vector_line){.parts = {VIEW("sample")}, .part_count = 1};
    load_key(VIEW(SPKI), &line.key);
    CHECK(verifies(unhex(VIEW("3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                              "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"))));
    struct view sha384 = unhex(VIEW("304402200eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef7719"
                                    "02204861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954"));
    CHECK(!verifies(sha384));
    line.rule = SIG_RULE_BUNDLE;
    CHECK(!verifies(sha384));
}
