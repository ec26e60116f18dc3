/* see recipient.h */
#include "tools/serve/recipient.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "tools/appraise/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static bool wrong(struct err *e, const char *what) { return err_set(e, ERR_FORMAT, "tee-pubkey: %s", what); }

static bool exactly(const json *jwk, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(json_get(jwk, names[i]))) return false;
    return json_count(jwk) == count;
}

bool recipient_read(const json *jwk, struct recipient *out, struct err *e) {
    static const char *const ec[] = {"kty", "crv", "alg", "x", "y"}, *const rsa[] = {"kty", "alg", "n", "e"};
    struct recipient r = {.point = {4}};
    uint8_t exponent[4];
    size_t n, m;
    EVP_PKEY *key;
    struct view kty = json_text(json_get(jwk, "kty")), alg = json_text(json_get(jwk, "alg"));
    r.ec = view_is(kty, "EC");
    if (r.ec) {
        if (!exactly(jwk, ec, 5)) return wrong(e, "an EC key has the members kty, crv, alg, x, y and no others");
        if (!view_is(json_text(json_get(jwk, "crv")), "P-256")) return wrong(e, "crv is not P-256");
        if (!view_is(alg, "ECDH-ES+A256KW")) return wrong(e, "alg is not ECDH-ES+A256KW");
        if (!base64url_decode(json_text(json_get(jwk, "x")), r.point + 1, 32, &n) || n != 32 ||
            !base64url_decode(json_text(json_get(jwk, "y")), r.point + 33, 32, &m) || m != 32)
            return wrong(e, "x or y is not 32 bytes of base64url");
        key = key_of_point(view_of(r.point, 65));
    } else if (view_is(kty, "RSA")) {
        if (!exactly(jwk, rsa, 4)) return wrong(e, "an RSA key has the members kty, alg, n, e and no others");
        if (!view_is(alg, "RSA-OAEP-256")) return wrong(e, "alg is not RSA-OAEP-256");
        if (!base64url_decode(json_text(json_get(jwk, "n")), r.n, sizeof r.n, &r.n_size) || r.n_size < 256 ||
            r.n[0] < 0x80 || !(r.n[r.n_size - 1] & 1))
            return wrong(e, "n is not an odd number of 2048 to 4096 bits in base64url");
        if (!base64url_decode(json_text(json_get(jwk, "e")), exponent, sizeof exponent, &n) || !n || !exponent[0])
            return wrong(e, "e is not a number of 32 bits in base64url");
        for (size_t i = 0; i < n; i++) r.e = r.e << 8 | exponent[i];
        if (r.e < 65537 || !(r.e & 1)) return wrong(e, "e is not an odd number of 65537 or more");
        key = key_of_modulus(view_of(r.n, r.n_size), r.e);
    } else {
        return wrong(e, "kty is neither EC nor RSA");
    }
    EVP_PKEY_free(key);
    if (!key) return wrong(e, r.ec ? "x and y are no point of the curve" : "no RSA key");
    *out = r;
    return true;
}

static void put_base64url(struct writer *w, const char *name, struct view bytes) {
    write_member(w, name);
    write_u8(w, '"');
    write_base64url(w, bytes);
    write_u8(w, '"');
}

void recipient_write(const struct recipient *r, struct writer *out) {
    if (r->ec) {
        write_text(out, "{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\"");
        put_base64url(out, "x", view_of(r->point + 1, 32));
        put_base64url(out, "y", view_of(r->point + 33, 32));
    } else {
        uint8_t e[4] = {(uint8_t)(r->e >> 24), (uint8_t)(r->e >> 16), (uint8_t)(r->e >> 8), (uint8_t)r->e};
        size_t zeroes = !e[0]; /* e is 65537 or more */
        write_text(out, "{\"alg\":\"RSA-OAEP-256\"");
        put_base64url(out, "e", view_of(e + zeroes, 4 - zeroes));
        write_text(out, ",\"kty\":\"RSA\"");
        put_base64url(out, "n", view_of(r->n, r->n_size));
    }
    write_u8(out, '}');
}

void recipient_report_data(const struct recipient *r, struct view nonce, uint8_t out[static 48]) {
    uint8_t text[RECIPIENT_JWK_MAX + 512];
    struct writer w = writer_of(text, sizeof text);
    write_text(&w, "{\"additional-evidence\":\"\",\"nonce\":");
    write_json_string(&w, nonce);
    write_text(&w, ",\"tee-pubkey\":");
    recipient_write(r, &w);
    write_u8(&w, '}');
    hash_once(HASH_SHA384, writer_view(&w), out);
}

/* AES-256-GCM with a 96-bit nonce: out gets n bytes. */
static bool gcm(const uint8_t key[32], const uint8_t iv[12], struct view aad, struct view plaintext, uint8_t *out,
                uint8_t tag[16]) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, aad.p, (int)aad.n) == 1 &&
              (!plaintext.n || EVP_EncryptUpdate(ctx, out, &n, plaintext.p, (int)plaintext.n) == 1) &&
              EVP_EncryptFinal_ex(ctx, tag, &n) == 1 && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* RFC 3394 with the default initial value: 32 bytes become 40. */
static bool wrap(const uint8_t kek[32], const uint8_t key[32], uint8_t out[40]) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t buffer[64];
    int n = 0, last = 0;
    if (ctx) EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, kek, NULL) == 1 &&
              EVP_EncryptUpdate(ctx, buffer, &n, key, 32) == 1 && EVP_EncryptFinal_ex(ctx, buffer + n, &last) == 1 &&
              n + last == 40;
    if (ok) memcpy(out, buffer, 40);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* RFC 7518 section 4.6: a key of this moment, and the key that wraps by it. */
static bool agree(const uint8_t point[65], uint8_t epk[65], uint8_t kek[32]) {
    static const uint8_t other[] =
        "\0\0\0\16ECDH-ES+A256KW\0\0\0\0\0\0\0\0\0\0\1"; /* the string's NUL ends BE32(256) */
    EVP_PKEY *mine = EVP_EC_gen("P-256"), *theirs = key_of_point(view_of(point, 65));
    EVP_PKEY_CTX *ctx = mine ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    uint8_t z[4 + 32] = {0, 0, 0, 1};
    size_t n = 32;
    bool ok = ctx && theirs && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
              EVP_PKEY_derive(ctx, z + 4, &n) == 1 && n == 32;
    if (ok) {
        struct hash h;
        hash_init(&h, HASH_SHA256);
        hash_update(&h, view_of(z, sizeof z));
        hash_update(&h, view_of(other, sizeof other));
        hash_final(&h, kek);
        ok = EVP_PKEY_get_octet_string_param(mine, OSSL_PKEY_PARAM_PUB_KEY, epk, 65, &n) == 1 && n == 65 && epk[0] == 4;
    }
    OPENSSL_cleanse(z, sizeof z);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    return ok;
}

static bool oaep(const struct recipient *r, const uint8_t key[32], uint8_t out[512]) {
    EVP_PKEY *theirs = key_of_modulus(view_of(r->n, r->n_size), r->e);
    EVP_PKEY_CTX *ctx = theirs ? EVP_PKEY_CTX_new(theirs, NULL) : NULL;
    size_t n = 512;
    bool ok =
        ctx && EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
        EVP_PKEY_encrypt(ctx, out, &n, key, 32) == 1 && n == r->n_size;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    return ok;
}

bool recipient_seal(const struct recipient *r, struct view plaintext, struct writer *out, struct err *e) {
    uint8_t header[256], protected[384], epk[65], kek[32], cek[32], iv[12], tag[16], wrapped[512];
    struct writer h = writer_of(header, sizeof header), p = writer_of(protected, sizeof protected), w = *out;
    uint8_t *ciphertext = malloc(plaintext.n + 1);
    bool ok = ciphertext && RAND_priv_bytes(cek, 32) == 1 && RAND_bytes(iv, 12) == 1 &&
              (r->ec ? agree(r->point, epk, kek) && wrap(kek, cek, wrapped) : oaep(r, cek, wrapped));
    if (ok) {
        write_text(&h, r->ec ? "{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\""
                             : "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\"");
        if (r->ec) {
            write_text(&h, ",\"epk\":{\"crv\":\"P-256\",\"kty\":\"EC\"");
            put_base64url(&h, "x", view_of(epk + 1, 32));
            put_base64url(&h, "y", view_of(epk + 33, 32));
            write_u8(&h, '}');
        }
        write_u8(&h, '}');
        write_base64url(&p, writer_view(&h));
        ok = !p.full && gcm(cek, iv, writer_view(&p), plaintext, ciphertext, tag);
    }
    if (ok) {
        write_text(&w, "{\"protected\":");
        write_json_string(&w, writer_view(&p));
        put_base64url(&w, "encrypted_key", view_of(wrapped, r->ec ? 40 : r->n_size));
        put_base64url(&w, "iv", view_of(iv, 12));
        put_base64url(&w, "ciphertext", view_of(ciphertext, plaintext.n));
        put_base64url(&w, "tag", view_of(tag, 16));
        write_u8(&w, '}');
        ok = !w.full;
    }
    OPENSSL_cleanse(kek, sizeof kek);
    OPENSSL_cleanse(cek, sizeof cek);
    free(ciphertext);
    if (!ok) return err_set(e, ERR_SYSTEM, "cannot encrypt to the guest's key");
    *out = w;
    return true;
}
