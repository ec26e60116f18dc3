// sealed: secrets made elsewhere (secret/sealed.txt), with a KBS that is a list.
#include "secret.h"

#include "secret/sealed.h"

static struct view resources;
static size_t asked;

static bool get(void *state, struct view uri, size_t max, struct arena *room, struct view *out, struct err *e)
{
    CHECK(state == &resources && max > 0 && max <= 1 << 20);
    struct view text = resources, w[3];
    asked++;
    while (next_line(&text, w, 3))
        if (view_is(w[0], "resource") && view_eq(w[1], uri)) {
            struct view bytes = from_base64(w[2]);
            if (bytes.n > max)
                return err_set(e, ERR_POLICY, "more than %zu bytes", max);
            *out = arena_copy(room, bytes);
            return true;
        }
    return err_set(e, ERR_POLICY, "denied");
}

static const struct ocicrypt_keys keys = {.get = get, .state = &resources};

static bool opens(struct view text, struct view *out)
{
    asked = 0;
    return sealed_open(text, &keys, &arena, &arena, out, &err);
}

TEST(every_case)
{
    fresh();
    struct view text = resources = vector("secret/sealed.txt"), w[3];
    size_t good = 0, bad = 0;
    while (next_line(&text, w, 3)) {
        static const struct {
            const char *name;
            enum err_kind kind;
        } kinds[] = {{"format", ERR_FORMAT}, {"signature", ERR_SIGNATURE}, {"policy", ERR_POLICY}, {"digest", ERR_DIGEST}};
        if (view_is(w[0], "resource"))
            continue;
        size_t i = 0;
        while (i < 4 && !view_is(w[1], kinds[i].name))
            i++;
        struct view secret = {0};
        bool opened = opens(w[2], &secret);
        char line[1200];
        err_line(&err, line, sizeof line);
        if (i == 4 ? !opened || !view_eq(secret, from_hex(w[1])) : opened || err.kind != kinds[i].kind)
            check_fail("%.*s: %s, wanted %.*s", VIEW_ARG(w[0]), opened ? "opened" : line, VIEW_ARG(w[1]));
        // what is not signed by the right key asks for nothing but that key; secrets are in no message
        if (i == 1)
            CHECK(asked <= 1);
        if (!opened)
            CHECK(!strstr(line, "hunter2") && !strstr(line, "swordfish") && !strstr(line, "sesame"));
        opened ? good++ : bad++;
    }
    CHECK(good >= 8 && bad > 80);
}

static struct view find(const char *name)
{
    struct view text = resources = vector("secret/sealed.txt"), w[3];
    while (next_line(&text, w, 3))
        if (view_is(w[0], name))
            return w[2];
    check_fail("no case %s", name);
}

static bool accepts(struct view v)
{
    struct view secret;
    size_t used = arena.used;
    bool yes = opens(v, &secret);
    memset(arena.base + used, 0, arena.used - used);
    arena.used = used;
    return yes;
}

TEST(cut_and_flipped)
{
    fresh();
    struct view vault = find("vault"), envelope = find("envelope");
    CHECK_EQ(broken(vault, vault.n, accepts), 0);
    CHECK_EQ(broken(envelope, envelope.n, accepts), 0);
}

// Whatever the payload is changed to, it is the signature that says so: nothing of it was read.
TEST(signature_before_payload)
{
    fresh();
    struct view vault = find("vault"), rest = vault, secret;
    view_cut(&rest, '.', NULL);
    view_cut(&rest, '.', NULL);
    uint8_t *copy = malloc(vault.n);
    for (size_t at = (size_t)(rest.p - vault.p); vault.p[at] != '.'; at++) {
        memcpy(copy, vault.p, vault.n);
        copy[at] = at % 3 ? (copy[at] == 'A' ? 'B' : 'A') : '*';
        CHECK(!opens(view_of(copy, vault.n), &secret) && err.kind == ERR_SIGNATURE && asked == 1);
    }
    free(copy);
}

// What came from the KBS, keys that sign included, stands in the arena for secrets and in no other: at `kid`, too, may be anything.
TEST(nothing_beside_the_secrets)
{
    struct arena plain = {0}, secrets = {0};
    struct view all, text, w[3], secret;
    size_t looked = 0;
    fresh();
    CHECK(arena_make(&plain, 8 << 20, &err) && arena_make(&secrets, 64 << 20, &err));
    for (all = text = resources = vector("secret/sealed.txt"); next_line(&text, w, 3);)
        if (!view_is(w[0], "resource"))
            sealed_open(w[2], &keys, &plain, &secrets, &secret, &err);
    while (next_line(&all, w, 3)) {
        struct view bytes = view_is(w[0], "resource") ? from_base64(w[2]) : (struct view){0};
        if (bytes.n < 32 || !bytes.p[bytes.n / 2]) // one is of zeros
            continue;
        CHECK(!memmem(plain.base, plain.used, bytes.p + bytes.n / 2, 8));
        looked += memmem(secrets.base, secrets.used, bytes.p + bytes.n / 2, 8) != NULL;
    }
    CHECK(looked > 2);
    arena_drop(&plain);
    arena_drop(&secrets);
}
