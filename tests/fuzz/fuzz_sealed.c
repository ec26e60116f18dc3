// sealed: the input as the whole text, then as a payload that is rightly signed here. Every resource is either the signer's key or 32 zeros.
#include "fuzz_lib.h"
#include "base/writer.h"
#include "secret/rcar.h"
#include "secret/sealed.h"

static struct private_key signer;
static uint8_t jwk_text[512];
static struct view jwk;

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e)
{
    static const uint8_t zeros[32];
    (void)state;
    if (!view_starts(uri, VIEW("kbs://")) || max < 32)
        return err_set(e, ERR_POLICY, "denied");
    *out = arena_copy(secrets, view_ends(uri, VIEW("sign")) ? jwk : view_of(zeros, 32));
    return out->p ? true : arena_full(secrets, e);
}

// A JWS of r || s, out of the DER that private_key_sign gives.
static void write_signature(struct view text, struct writer *out)
{
    uint8_t der[72], raw[64] = {0};
    if (!private_key_sign(&signer, text, der))
        abort();
    for (uint8_t *p = der + 2, half = 0; half < 2; p += 2 + p[1], half++) {
        size_t n = p[1], skip = n > 32 ? n - 32 : 0;
        memcpy(raw + 32 * half + 32 - (n - skip), p + 2 + skip, n - skip);
    }
    write_base64url(out, view_of(raw, 64));
}

static bool try(struct view text)
{
    const struct ocicrypt_keys keys = {.get = get};
    struct view secret;
    struct err e = {0};
    if (sealed_open(text, &keys, &arena, &arena, &secret, &e)) {
        touch(secret);
        return true;
    }
    if (e.kind == ERR_NONE)
        abort();
    return e.kind != ERR_SIGNATURE;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t text[64 << 10];
    struct writer w = writer_of(text, sizeof text);
    struct err e;

    start(16 << 20);
    if (!jwk.n) {
        struct writer key = writer_of(jwk_text, sizeof jwk_text);
        if (!private_key_make(PRIVATE_EC_P256, &signer, &e))
            abort();
        rcar_jwk(&signer, &key);
        jwk = writer_view(&key);
        for (uint8_t *p = jwk_text; p < jwk_text + jwk.n; p++) // {"alg":"ECDH..": another member's name, which is ignored
            if (memcmp(p, "\"alg\"", 5) == 0) {
                p[2] = 'x';
                break;
            }
    }
    try(view_of(bytes, size));
    if (size > 32 << 10)
        return 0;
    write_text(&w, "sealed.");
    write_base64url(&w, VIEW("{\"alg\":\"ES256\",\"kid\":\"kbs:///a/b/sign\"}"));
    write_text(&w, ".");
    write_base64url(&w, view_of(bytes, size));
    struct view signed_text = view_skip(writer_view(&w), 7);
    write_text(&w, ".");
    write_signature(signed_text, &w);
    if (!try(writer_view(&w)) && size)
        abort(); // its signature is right
    return 0;
}
