/* see token.h */
#include "tools/serve/token.h"

#include "base/codec.h"
#include "base/version.h"
#include "crypto/hash.h"
#include "tools/appraise/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define ISSUER "plinth serve"
#define PROFILE "tag:github.com,2023:veraison/ear"
#define SKEW 60 /* seconds that clocks of instances may differ by */

static void base64url_into(char *out, size_t size, struct view bytes) {
    struct writer w = writer_of(out, size);
    write_base64url(&w, bytes);
    writer_str(&w);
}

static bool is_p256(const EVP_PKEY *key) {
    char group[32];
    return key && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) == 1 &&
           !strcmp(group, "prime256v1");
}

static EVP_PKEY *read_key(struct view pem, struct err *e) {
    if (!pem.n) {
        EVP_PKEY *made = EVP_EC_gen("P-256");
        if (!made) err_set(e, ERR_SYSTEM, "cannot make a P-256 key");
        return made;
    }
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key =
        bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL; /* "": no passphrase is asked for */
    BIO_free(bio);
    if (is_p256(key)) return key;
    EVP_PKEY_free(key);
    err_set(e, ERR_USAGE, "not a P-256 private key in PEM");
    err_mend(e, "openssl ecparam -name prime256v1 -genkey -noout -out token.key makes one");
    return NULL;
}

bool token_key_read(struct view pem, struct token_key *out, struct err *e) {
    struct token_key k = {0};
    uint8_t x[32], y[32], d[32], digest[32];
    char jwk[256];
    BIGNUM *bx = NULL, *by = NULL, *bd = NULL;
    k.key = read_key(pem, e);
    if (!k.key) return false;
    bool ok = EVP_PKEY_get_bn_param(k.key, OSSL_PKEY_PARAM_EC_PUB_X, &bx) == 1 &&
              EVP_PKEY_get_bn_param(k.key, OSSL_PKEY_PARAM_EC_PUB_Y, &by) == 1 &&
              EVP_PKEY_get_bn_param(k.key, OSSL_PKEY_PARAM_PRIV_KEY, &bd) == 1 && BN_bn2binpad(bx, x, 32) == 32 &&
              BN_bn2binpad(by, y, 32) == 32 && BN_bn2binpad(bd, d, 32) == 32;
    BN_free(bx), BN_free(by), BN_clear_free(bd);
    if (!ok) {
        EVP_PKEY_free(k.key);
        return err_set(e, ERR_USAGE, "the private key has no public part");
    }
    base64url_into(k.x, sizeof k.x, view_of(x, 32));
    base64url_into(k.y, sizeof k.y, view_of(y, 32));
    struct writer w = writer_of(jwk, sizeof jwk); /* RFC 7638 section 3 */
    write_text(&w, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
    write_text(&w, k.x), write_text(&w, "\",\"y\":\""), write_text(&w, k.y), write_text(&w, "\"}");
    hash_once(HASH_SHA256, writer_view(&w), digest);
    base64url_into(k.kid, sizeof k.kid, view_of(digest, 32));
    static const uint8_t label[] = "plinth serve: nonces and sessions, 1";
    HMAC(EVP_sha256(), d, 32, label, sizeof label - 1, k.ticket.bytes, NULL);
    OPENSSL_cleanse(d, sizeof d);
    *out = k;
    return true;
}

void token_key_drop(struct token_key *k) {
    EVP_PKEY_free(k->key);
    OPENSSL_cleanse(k, sizeof *k);
}

void token_jwks(const struct token_key *k, struct writer *out) {
    write_text(out, "{\"keys\":[{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"");
    write_text(out, k->kid);
    write_text(out, "\",\"kty\":\"EC\",\"use\":\"sig\",\"x\":\"");
    write_text(out, k->x), write_text(out, "\",\"y\":\""), write_text(out, k->y);
    write_text(out, "\"}]}");
}

static bool sign(EVP_PKEY *key, struct view message, uint8_t r_s[static 64]) {
    uint8_t der[80];
    const uint8_t *p = der;
    size_t n = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ECDSA_SIG *sig = NULL;
    if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(ctx, der, &n, message.p, message.n) == 1)
        sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), r_s, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), r_s + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
    return ok;
}

static void put_member(struct writer *w, const char *name, struct view json_text) {
    write_member(w, name);
    write_bytes(w, json_text);
}

static void put_header(const struct token_key *k, struct writer *w) {
    write_text(w, "{\"alg\":\"ES256\",\"kid\":\"");
    write_text(w, k->kid);
    write_text(w, "\",\"typ\":\"JWT\"}");
}

bool token_sign(const struct token_key *k, struct view nonce, int64_t now, int64_t expires, struct view claims,
                struct view submods, struct view jwk, struct writer *out, struct err *e) {
    static const char *const times[] = {"iat", "nbf", "exp"};
    uint8_t header[160], payload[TOKEN_MAX / 4 * 3], r_s[64];
    struct writer h = writer_of(header, sizeof header), p = writer_of(payload, sizeof payload), w = *out;
    put_header(k, &h);
    write_text(&p, "{\"iss\":\"" ISSUER "\"");
    for (int i = 0; i < 3; i++) write_member(&p, times[i]), write_dec(&p, (uint64_t)(i < 2 ? now : expires));
    write_text(&p,
               ",\"eat_profile\":\"" PROFILE "\",\"ear.verifier-id\":{\"developer\":\"plinth\",\"build\":\"plinth ");
    write_text(&p, plinth_version);
    write_text(&p, "\"},\"eat_nonce\":");
    write_json_string(&p, nonce);
    if (submods.n) put_member(&p, "submods", submods);
    put_member(&p, "plinth", claims);
    put_member(&p, "tee-pubkey", jwk);
    write_text(&p, "}");
    size_t from = w.n;
    write_base64url(&w, writer_view(&h));
    write_u8(&w, '.');
    write_base64url(&w, writer_view(&p));
    if (h.full || p.full || w.full || !sign(k->key, view_of(w.p + from, w.n - from), r_s))
        return err_set(e, ERR_SYSTEM, "cannot sign a token");
    write_u8(&w, '.');
    write_base64url(&w, view_of(r_s, 64));
    if (w.full) return err_set(e, ERR_SYSTEM, "a token of more than %zu bytes", out->size);
    *out = w;
    return true;
}

static bool decode(struct view text, struct arena *a, struct view *out, struct err *e) {
    uint8_t *p = arena_alloc(a, text.n + 1);
    size_t n;
    if (!p) return arena_full(a, e);
    if (!base64url_decode(text, p, text.n, &n)) return err_set(e, ERR_FORMAT, "token: a part is not base64url");
    *out = view_of(p, n);
    return true;
}

bool token_verify(const struct token_key *k, struct view text, int64_t now, struct arena *a, struct token *out,
                  struct err *e) {
    uint8_t wanted[160];
    struct writer w = writer_of(wanted, sizeof wanted);
    struct view rest = text, header, payload, signature, nonce;
    uint64_t issued, from, expires;
    const json *root;
    size_t n;
    bool two, three;
    if (text.n > TOKEN_MAX) return err_set(e, ERR_FORMAT, "token: more than %u bytes", TOKEN_MAX);
    struct view first = view_cut(&rest, '.', &two), second = view_cut(&rest, '.', &three);
    if (!two || !three) return err_set(e, ERR_FORMAT, "token: not three parts");
    if (!decode(first, a, &header, e) || !decode(rest, a, &signature, e)) return false;
    put_header(k, &w);
    /* One header alone is ours: neither another alg or kid nor crit, jwk or x5u need be understood. */
    if (!view_eq(header, writer_view(&w)))
        return err_set(e, ERR_SIGNATURE, "token: its header is not that of a token signed ES256 by key %s", k->kid);
    if (!key_ecdsa_holds(k->key, HASH_SHA256, view_of(text.p, first.n + 1 + second.n), signature))
        return err_set(e, ERR_SIGNATURE, "token: the signature does not hold");
    struct token t = {0};
    uint8_t *p = arena_alloc(a, TICKET_NONCE_SIZE + 1);
    if (!p) return arena_full(a, e);
    if (!decode(second, a, &payload, e) || !json_parse(payload, a, &root, e) ||
        !json_need_text(root, "eat_nonce", "token", &nonce, e) || !json_need_u64(root, "iat", "token", &issued, e) ||
        !json_need_u64(root, "nbf", "token", &from, e) || !json_need_u64(root, "exp", "token", &expires, e) ||
        !json_need_object(root, "plinth", "token", &t.claims, e) ||
        !json_need_object(root, "tee-pubkey", "token", &t.tee_pubkey, e))
        return false;
    if (!view_is(json_text(json_get(root, "iss")), ISSUER) ||
        !view_is(json_text(json_get(root, "eat_profile")), PROFILE) ||
        !base64_decode(nonce, p, TICKET_NONCE_SIZE, &n) || n != TICKET_NONCE_SIZE)
        return err_set(e, ERR_FORMAT, "token: signed by this key, but for something else");
    if ((int64_t)expires <= now)
        return err_set(e, ERR_POLICY, "token: it expired %lld seconds ago", (long long)(now - (int64_t)expires));
    if ((int64_t)from > now + SKEW) return err_set(e, ERR_POLICY, "token: it is not yet valid");
    t.nonce = p, t.issued = (int64_t)issued, t.expires = (int64_t)expires;
    *out = t;
    return true;
}
