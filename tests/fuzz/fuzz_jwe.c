// jwe: as a KBS's answer and as ocicrypt's, then opened with the private key 1, whose point is the curve's generator.
#include "fuzz_lib.h"
#include "secret/jwe.h"

static void lengths(const struct jwe *j)
{
    if (j->iv.n != 12 || j->tag.n != 16 || j->count == 0 || j->count > JWE_RECIPIENTS_MAX)
        abort();
    touch(j->protected_text), touch(j->iv), touch(j->tag), touch(j->ciphertext);
    for (size_t i = 0; i < j->count; i++) {
        const struct jwe_recipient *r = &j->recipients[i];
        bool rsa = r->alg == JWE_RSA_OAEP || r->alg == JWE_RSA_OAEP_256;
        if (rsa ? r->epk.n != 0 || r->encrypted_key.n < 256 || r->encrypted_key.n > 512 : r->epk.n != 65 || r->encrypted_key.n != j->key_size + 8)
            abort();
        touch(r->epk), touch(r->encrypted_key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t one[51] = "\x30\x31\x02\x01\x01\x04\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    static struct private_key key;
    struct view text = view_of(bytes, size), plain;
    struct jwe strict, lax;
    struct err e = {0};

    start(64 << 20);
    if (!key.ec.point[0] && !private_key_decode(view_of(one, sizeof one), &key, &e))
        abort();
    bool is_strict = jwe_parse(text, true, &arena, &strict, &e), is_lax = jwe_parse(text, false, &arena, &lax, &e);
    if (is_strict) {
        lengths(&strict);
        if (!is_lax || strict.count != 1 || strict.key_size != 32 || strict.recipients[0].alg == JWE_RSA_OAEP)
            abort();
    }
    if (!is_lax)
        return 0;
    lengths(&lax);
    if (jwe_open(&lax, &key, &arena, &plain, &e)) {
        if (plain.n != lax.ciphertext.n)
            abort();
        touch(plain);
    } else if (e.kind != ERR_POLICY && e.kind != ERR_DIGEST) {
        abort();
    }
    return 0;
}
