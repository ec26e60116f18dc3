#include "lib.h"

#include "base/writer.h"
#include "crypto/ctr_hmac.h"
#include "crypto/hash.h"
#include "step/decrypt.h"

#include <bearssl_hmac.h>

#define LAYERS 5u
#define SIZE 5000u

static const uint8_t kek[32] = "the key in the owner's KBS, 32 b";
static struct config config;
static struct manifest manifest;
static struct decryption *d;
static uint8_t plain[LAYERS][SIZE], cipher[LAYERS][SIZE];
static struct digest digests[LAYERS], none;

// A KBS that counts what it is asked for.
static unsigned asked;
static enum err_kind fails;
static bool get(void *state, struct view uri, size_t max, struct arena *into, struct view *out, struct err *e)
{
    CHECK(state == &asked && max >= 32);
    asked++;
    if (fails)
        return err_set(e, fails, "the KBS says no");
    CHECK(into->base != arena.base); // locked memory, not the pull's
    *out = arena_copy(into, view_starts(uri, VIEW("kbs:///default/key/")) ? view_of(kek, 32) : vector("ocicrypt/enc-rsa.der"));
    return true;
}
static const struct secret_source source = {get, &asked};

static struct view base64(struct view v)
{
    struct writer w = writer_of(arena_alloc(&arena, 4000), 4000);
    write_base64(&w, v);
    CHECK(!w.full);
    return writer_view(&w);
}

// Layers 0, 2 and 4 are encrypted, each by a key of its own; the first two with one wrapping key.
static void encrypt(size_t i, const char *kid, const struct digest *said)
{
    static const uint8_t zero[16];
    uint8_t key[32] = {(uint8_t)i, 1}, nonce[16] = {(uint8_t)i, 2}, mac[32];
    char options[600], text[4000];
    struct writer w = writer_of(options, sizeof options), t = writer_of(text, sizeof text);
    br_hmac_key_context hk;
    br_hmac_context h;

    ctr_once(key, nonce, memcpy(cipher[i], plain[i], SIZE), SIZE);
    br_hmac_key_init(&hk, &br_sha256_vtable, key, 32);
    br_hmac_init(&h, &hk, 0);
    br_hmac_update(&h, cipher[i], SIZE);
    br_hmac_out(&h, mac);
    write_text(&w, "{\"symkey\":\""), write_base64(&w, view_of(key, 32)), write_text(&w, "\",\"digest\":\"sha256:");
    write_hex(&w, view_of(said->sha256, 32)), write_text(&w, "\",\"cipheroptions\":{\"nonce\":\"");
    write_base64(&w, view_of(nonce, 16)), write_text(&w, "\"}}");
    ctr_once(kek, zero, (uint8_t *)options, w.n);
    write_text(&t, "{\"kid\":\""), write_text(&t, kid), write_text(&t, "\",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"wrap_type\":\"A256CTR\",\"wrapped_data\":\"");
    write_base64(&t, writer_view(&w)), write_text(&t, "\"}");
    manifest.layers[i].encrypted = true;
    manifest.layers[i].encryption.provider = base64(writer_view(&t));
    t.n = 0;
    write_text(&t, "{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":\""), write_base64(&t, view_of(mac, 32)), write_text(&t, "\"}");
    CHECK(!w.full && !t.full);
    manifest.layers[i].encryption.pubopts = base64(writer_view(&t));
}

static void begin(void)
{
    fresh();
    decrypt_drop(d);
    d = NULL;
    asked = 0;
    fails = ERR_NONE;
    config = (struct config){.secrets = &source};
    memset(&manifest, 0, sizeof manifest);
    manifest.layer_count = LAYERS;
    for (size_t i = 0; i < LAYERS; i++) {
        for (size_t k = 0; k < SIZE; k++)
            plain[i][k] = (uint8_t)(k * (i + 3) >> 2);
        memcpy(cipher[i], plain[i], SIZE);
        hash_once(HASH_SHA256, view_of(plain[i], SIZE), digests[i].sha256);
    }
    encrypt(0, "kbs:///default/key/a", &digests[0]);
    encrypt(2, "kbs:///default/key/a", &digests[2]);
    encrypt(4, "kbs:///default/key/b", &digests[4]);
}

static bool pass(size_t lane, size_t layer, size_t step, const struct digest *diff_id)
{
    static uint8_t bytes[SIZE];
    memcpy(bytes, cipher[layer], SIZE);
    decrypt_begin(d, lane, layer);
    for (size_t at = 0; at < SIZE; at += step)
        decrypt_bytes(d, lane, bytes + at, step < SIZE - at ? step : SIZE - at);
    return memcmp(bytes, plain[layer], SIZE) == 0 && decrypt_end(d, lane, diff_id, &err);
}

TEST(nothing_encrypted)
{
    begin();
    for (size_t i = 0; i < LAYERS; i++)
        manifest.layers[i].encrypted = false;
    CHECK(decrypt_open(&config, &manifest, &arena, &d, &err) && !d && !asked);
    memcpy(cipher[0], plain[0], SIZE);
    CHECK(pass(0, 0, 100, &none));
    decrypt_drop(d);
}

TEST(layers_in_any_order)
{
    begin();
    CHECK(decrypt_open(&config, &manifest, &arena, &d, &err));
    CHECK_EQ(asked, 2); // once for each wrapping key
    for (size_t i = 0; i < 3 * LAYERS; i++)
        CHECK(pass(i % 2, i * 2 % LAYERS, 1 + i * 331, &none));
    // Two at a time.
    uint8_t a[SIZE], b[SIZE];
    memcpy(a, cipher[0], SIZE), memcpy(b, cipher[4], SIZE);
    decrypt_begin(d, 0, 0), decrypt_begin(d, 1, 4);
    for (size_t at = 0; at < SIZE; at += 500)
        decrypt_bytes(d, 0, a + at, 500), decrypt_bytes(d, 1, b + at, 500);
    CHECK(decrypt_end(d, 1, &none, &err) && decrypt_end(d, 0, &none, &err));
    CHECK(memcmp(a, plain[0], SIZE) == 0 && memcmp(b, plain[4], SIZE) == 0);
}

TEST(broken_layers)
{
    begin();
    CHECK(decrypt_open(&config, &manifest, &arena, &d, &err));
    for (size_t at = 0; at < SIZE; at += SIZE - 1) {
        cipher[0][at] ^= 1;
        CHECK(!pass(0, 0, 1000, &none)); // the bytes differ
        CHECK(!decrypt_end(d, 0, &none, &err) && err.kind == ERR_DIGEST);
        CHECK_ERR("the HMAC over the encrypted layer is not the one of its annotation");
        cipher[0][at] ^= 1;
    }
    decrypt_begin(d, 0, 0); // without the last byte
    uint8_t bytes[SIZE];
    memcpy(bytes, cipher[0], SIZE);
    decrypt_bytes(d, 0, bytes, SIZE - 1);
    CHECK(!decrypt_end(d, 0, &none, &err));
    decrypt_bytes(d, 0, bytes + SIZE - 1, 1);
    CHECK(decrypt_end(d, 0, &none, &err));
}

// The digest in the private options: of the bytes, or the diffID; nothing else.
TEST(plaintext_digest)
{
    struct digest other = {{7}};
    begin();
    encrypt(0, "kbs:///default/key/a", &other);
    CHECK(decrypt_open(&config, &manifest, &arena, &d, &err));
    CHECK(pass(0, 0, 1000, &other)); // skopeo, which compressed on the way
    CHECK(!pass(0, 0, 1000, &digests[1]) && err.kind == ERR_DIGEST);
    CHECK_ERR("the private options say sha256:0700");
    CHECK(strstr(err.mend, "compress first"));
    CHECK(pass(0, 2, 1000, &other)); // of the bytes, whatever the diffID is
}

TEST(refusals)
{
    begin();
    config.secrets = NULL;
    CHECK(!decrypt_open(&config, &manifest, &arena, &d, &err) && err.kind == ERR_POLICY && !d);
    CHECK_ERR("layer 1 of 5, which is encrypted: no key opens it: the key kbs:///default/key/a (no KBS was given)");
    begin();
    fails = ERR_NETWORK;
    CHECK(!decrypt_open(&config, &manifest, &arena, &d, &err) && err.kind == ERR_NETWORK && asked == 1);
    begin();
    encrypt(4, "kbs:///default/key/../b", &digests[4]);
    CHECK(!decrypt_open(&config, &manifest, &arena, &d, &err) && err.kind == ERR_FORMAT && asked == 1);
    CHECK_ERR("layer 5 of 5");
    CHECK_ERR("it is not kbs:///repository/type/tag");
    // Private keys are asked for where a layer has a JWE, and not else.
    begin();
    config.policy.decrypt_key_count = 1;
    config.policy.decrypt_keys[0] = VIEW("kbs:///acme/private/rsa");
    CHECK(decrypt_open(&config, &manifest, &arena, &d, &err));
    CHECK_EQ(asked, 2);
    begin();
    struct manifest *recorded = arena_alloc(&arena, sizeof *recorded);
    CHECK(manifest_parse(vector("ocicrypt/enc-rsa.json"), &arena, recorded, &err));
    config.policy.decrypt_key_count = 1;
    config.policy.decrypt_keys[0] = VIEW("kbs:///acme/private/rsa");
    CHECK(decrypt_open(&config, recorded, &arena, &d, &err));
    CHECK_EQ(asked, 1);
    decrypt_drop(d);
    config.secrets = NULL;
    CHECK(!decrypt_open(&config, recorded, &arena, &d, &err) && err.kind == ERR_POLICY);
    CHECK_ERR("decrypt.keys names keys, but no KBS is named");
    config.secrets = &source;
    fails = ERR_POLICY;
    CHECK(!decrypt_open(&config, recorded, &arena, &d, &err) && err.kind == ERR_POLICY);
    CHECK_ERR("private key kbs:///acme/private/rsa: the KBS says no");
    fails = ERR_NONE;
    config.policy.decrypt_keys[0] = VIEW("kbs:///default/key/no-private-key");
    CHECK(!decrypt_open(&config, recorded, &arena, &d, &err) && err.kind == ERR_POLICY);
    CHECK_ERR("private key kbs:///default/key/no-private-key");
}
