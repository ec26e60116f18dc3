// jwe: what Python's cryptography and jwcrypto, and skopeo, made (secret/jwe.txt), and everything that must not open.
#include "secret.h"

#include <ucontext.h>

#include "crypto/aead.h"
#include "secret/jwe.h"

static struct private_key key;
static bool kbs;

// The plaintext lies in an arena of its own.
static struct arena secrets;

static bool opens(struct view text, struct view *out)
{
    struct jwe j;
    if (!secrets.base)
        CHECK(arena_make(&secrets, 1 << 20, &err));
    secrets.used = 0;
    return jwe_parse(text, kbs, &arena, &j, &err) && jwe_open(&j, &key, &secrets, out, &err);
}

TEST(every_case)
{
    fresh();
    struct view text = vector("secret/jwe.txt"), w[5], name = {0};
    size_t good = 0, bad = 0;
    while (next_line(&text, w, 5)) {
        static const struct {
            const char *name;
            enum err_kind kind;
        } kinds[] = {{"format", ERR_FORMAT}, {"policy", ERR_POLICY}, {"digest", ERR_DIGEST}};
        if (!view_eq(name, w[2]))
            key = load_private(name = w[2]);
        kbs = view_is(w[1], "kbs");
        size_t i = 0;
        while (i < 3 && !view_is(w[3], kinds[i].name))
            i++;
        struct view plain = {0};
        bool opened = opens(w[4], &plain);
        if (i == 3 ? !opened || !view_eq(plain, from_hex(w[3])) : opened || err.kind != kinds[i].kind)
            check_fail("%.*s: %s, wanted %.*s", VIEW_ARG(w[0]), opened ? "opened" : err.text, VIEW_ARG(view_first(w[3], 40)));
        CHECK(opened || plain.p == NULL);
        for (size_t n = 0; !opened && n < secrets.used; n++)
            CHECK(secrets.base[n] == 0);
        memset(secrets.base, 0, secrets.used);
        opened ? good++ : bad++;
    }
    CHECK(good > 30 && bad > 120);
}

static struct view find(const char *name)
{
    struct view text = vector("secret/jwe.txt"), w[5];
    while (next_line(&text, w, 5))
        if (view_is(w[0], name)) {
            key = load_private(w[2]);
            kbs = view_is(w[1], "kbs");
            return w[4];
        }
    check_fail("no case %s", name);
}

static bool accepts(struct view v)
{
    struct view plain;
    size_t used = arena.used;
    bool yes = opens(v, &plain);
    memset(arena.base + used, 0, arena.used - used);
    arena.used = used;
    return yes;
}

// Cut anywhere, and one bit flipped anywhere, member names and the protected text included.
TEST(cut_and_flipped)
{
    static const char *const names[] = {"kbs-ec", "kbs-rsa", "three-enc-p256", "ocicrypt-enc-p256-0-enc-p256"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fresh();
        struct view text = find(names[i]);
        size_t accepted = broken(text, text.n, accepts);
        // of three recipients two are not this key's: what is changed in theirs only they would see
        if (i == 2 ? accepted == 0 || accepted > text.n : accepted)
            check_fail("%s: %zu accepted", names[i], accepted);
    }
}

TEST(messages)
{
    struct view plain;
    fresh();
    CHECK(!opens(find("other-key"), &plain) && err.kind == ERR_POLICY);
    CHECK_ERR("is for another key");
    CHECK(!opens(find("wrong-cek"), &plain));
    CHECK_ERR("tag does not belong");
    CHECK(!opens(find("iv-11"), &plain));
    CHECK_ERR("JWE: iv has 11 bytes, not 12");
    CHECK(!opens(find("alg-none"), &plain));
    CHECK_ERR("alg is 'none', not ECDH-ES+A256KW or RSA-OAEP-256");
    CHECK(!opens(find("enc-A128CBC-HS256"), &plain));
    CHECK_ERR("enc is 'A128CBC-HS256'");
    CHECK(!opens(find("member-aad-any"), &plain));
    CHECK_ERR("aad");
    CHECK(!opens(find("one-bad-recipient"), &plain));
    CHECK_ERR("recipient: JWE: encrypted_key has 3 bytes, not 40");
}

// On a stack of its own, which is searched afterwards for eight bytes of what nobody may find there: the shared secret, the key that it
// gives, the key of the text, the text, the private key.
static ucontext_t here, there;
static struct jwe parsed;

static void open_there(void)
{
    struct view plain;
    CHECK(jwe_open(&parsed, &key, &secrets, &plain, &err));
    memset(secrets.base, 0, secrets.used);
}

static bool found(const uint8_t *in, size_t size, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i++)
        if (memmem(in, size, bytes + i, 8))
            return true;
    return false;
}

TEST(stack)
{
    fresh();
    static uint8_t stack[256 << 10];
    struct view text = find("kbs-ec-long"), plain;
    CHECK(opens(text, &plain) && plain.n > 5000);
    plain = arena_copy(&arena, plain);
    CHECK(jwe_parse(text, true, &arena, &parsed, &err));
    uint8_t z[32], cek[32], kek[32], info[78] = "\0\0\0\1";
    CHECK(private_key_agree(&key, parsed.recipients[0].epk, z));
    memcpy(info + 4, z, 32);
    memcpy(info + 36, "\0\0\0\016ECDH-ES+A256KW\0\0\0\0\0\0\0\0\0\0\1", 30);
    hash_once(HASH_SHA256, view_of(info, 66), kek);
    CHECK(key_unwrap(view_of(kek, 32), parsed.recipients[0].encrypted_key, cek));
    CHECK(getcontext(&there) == 0);
    memset(stack, 0, sizeof stack);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = &here;
    makecontext(&there, open_there, 0);
    CHECK(swapcontext(&here, &there) == 0);
    CHECK(found(stack, sizeof stack, (const uint8_t *)&(void *){&parsed}, 8)); // it was this stack
    CHECK(!found(stack, sizeof stack, z, 32) && !found(stack, sizeof stack, kek, 32) && !found(stack, sizeof stack, cek, 32));
    CHECK(!found(stack, sizeof stack, key.ec.d, 32) && !found(stack, sizeof stack, plain.p, plain.n));
}

TEST(full_arenas)
{
    fresh();
    struct view text = find("kbs-ec"), plain;
    struct jwe j;
    CHECK(jwe_parse(text, true, &arena, &j, &err));
    struct arena small = {arena.base + arena.used, 0, j.ciphertext.n};
    CHECK(!jwe_open(&j, &key, &small, &plain, &err) && err.kind == ERR_SYSTEM);
    for (size_t n = 0; n < 6000; n += 16) {
        struct arena little = {arena.base + (arena.used + 15) / 16 * 16, 0, n};
        if (jwe_parse(text, true, &little, &j, &err))
            return CHECK(n > 1000);
        CHECK(err.kind == ERR_SYSTEM);
    }
    check_fail("6000 bytes are not enough");
}
