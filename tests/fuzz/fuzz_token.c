// token: anything as a token; and, behind a right header and signature (made for it), anything as a payload.
#include "fuzz_lib.h"
#include "tools/serve/token.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

static struct token_key key;

static struct view sign(struct view payload)
{
    static char out[TOKEN_MAX + 256], header[160];
    uint8_t der[80], r_s[64];
    const uint8_t *p = der;
    size_t n = sizeof der;
    struct writer w = writer_of(out, sizeof out), h = writer_of(header, sizeof header);
    write_text(&h, "{\"alg\":\"ES256\",\"kid\":\"");
    write_text(&h, key.kid);
    write_text(&h, "\",\"typ\":\"JWT\"}");
    write_base64url(&w, writer_view(&h));
    write_u8(&w, '.');
    write_base64url(&w, payload);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key.key) != 1 || EVP_DigestSign(ctx, der, &n, w.p, w.n) != 1) abort();
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), r_s, 32), BN_bn2binpad(ECDSA_SIG_get0_s(sig), r_s + 32, 32);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
    write_u8(&w, '.');
    write_base64url(&w, view_of(r_s, 64));
    return writer_view(&w);
}

static void verify(struct view text)
{
    struct token t;
    struct err e;
    start(1 << 24);
    if (!token_verify(&key, text, 1700000000, &arena, &t, &e)) return;
    if (t.expires <= 1700000000 || !json_is_object(t.claims) || !json_is_object(t.tee_pubkey)) abort();
    touch(view_of(t.nonce, TICKET_NONCE_SIZE));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err e;
    if (!key.key && !token_key_read((struct view){0}, &key, &e)) abort();
    verify(view_of(bytes, size));
    if (size < 8192) verify(sign(view_of(bytes, size)));
    return 0;
}
