/* see sealed.h */
#include "secret/sealed.h"

#include "base/codec.h"
#include "base/limits.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/sig.h"
#include "crypto/wipe.h"
#include "format/json.h"

#define JWK_MAX 4096u

static bool wrong(struct err *e, const char *what) { return err_set(e, ERR_FORMAT, "sealed secret: %s", what); }

static bool object(struct view text, struct arena *a, const json **out, struct err *e) {
    if (!json_parse(text, a, out, e)) return err_in(e, "sealed secret");
    return json_is_object(*out) || wrong(e, "not a JSON object");
}

static bool only(const json *o, const char *const *names, struct err *e) {
    if (json_only(o, names, "sealed secret", e)) return true;
    e->kind = ERR_FORMAT;
    return false;
}

/* A part of the JWS. */
static bool decode(struct view text, struct arena *a, struct view *out, struct err *e) {
    uint8_t *p = arena_alloc(a, text.n + 1);
    if (!p) return arena_full(a, e);
    out->p = p;
    return base64url_decode(text, p, text.n, &out->n) || wrong(e, "not base64url");
}

static bool decode_member(const json *o, const char *name, size_t min, size_t max, struct view *out, struct err *e) {
    return json_need_base64(o, name, "sealed secret", out, e) &&
           ((out->n >= min && out->n <= max) ||
            err_set(e, ERR_FORMAT, "sealed secret: %s has %zu bytes", name, out->n));
}

/* A JWK (RFC 7517) of P-256; who made it may have left other members in it. What came instead is in no message. */
static bool read_jwk(struct view text, struct arena *a, struct public_key *out, struct err *e) {
    uint8_t spki[91] =
        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    const json *key, *alg;
    size_t x, y;
    return (json_parse(text, a, &key, e) && view_is(json_text(json_get(key, "kty")), "EC") &&
            view_is(json_text(json_get(key, "crv")), "P-256") &&
            (!(alg = json_get(key, "alg")) || view_is(json_text(alg), "ES256")) &&
            base64url_decode(json_text(json_get(key, "x")), spki + 27, 32, &x) && x == 32 &&
            base64url_decode(json_text(json_get(key, "y")), spki + 59, 32, &y) && y == 32 &&
            public_key_decode(VIEW("PUBLIC KEY"), view_of(spki, sizeof spki), out, e)) ||
           wrong(e, "no JWK of a P-256 key for ES256");
}

/* One half of a signature as RFC 7518 section 3.4 has it, as a DER INTEGER. */
static void integer(struct view v, struct writer *out) {
    while (v.n > 1 && !v.p[0]) v = view_skip(v, 1);
    bool high = v.p[0] & 0x80;
    write_u8(out, 0x02);
    write_u8(out, (uint8_t)(v.n + high));
    if (high) write_u8(out, 0);
    write_bytes(out, v);
}

/* The payload, when its signature is right. */
static bool verify(struct view text, const struct ocicrypt_keys *keys, struct arena *a, struct arena *secrets,
                   struct view *payload, struct err *e) {
    static const char *const names[] = {"alg", "kid", "typ", "b64", NULL}; /* CoCo's tool writes "b64":true */
    struct view signed_text = text, header = view_cut(&text, '.', NULL), body = view_cut(&text, '.', NULL);
    struct view bytes, kid, jwk;
    const json *h;
    struct public_key key;
    bool b64 = true;
    signed_text.n = header.n + 1 + body.n;
    if (!body.n || !text.n || memchr(text.p, '.', text.n)) return wrong(e, "not sealed.HEADER.PAYLOAD.SIGNATURE");
    if (!decode(header, a, &bytes, e) || !object(bytes, a, &h, e) || !only(h, names, e)) return err_in(e, "header");
    if (!view_is(json_text(json_get(h, "alg")), "ES256"))
        return err_set(e, ERR_SIGNATURE, "sealed secret: alg is not ES256");
    if (json_get(h, "b64") && !(json_is_bool(json_get(h, "b64"), &b64) && b64)) return wrong(e, "b64 is not true");
    if (!json_need_text(h, "kid", "sealed secret", &kid, e)) return false;
    if (!view_starts(kid, VIEW("kbs://"))) return wrong(e, "kid is not the kbs:// URI of a key");
    if (!decode(text, a, &bytes, e)) return err_in(e, "signature");
    if (bytes.n != 64) return err_set(e, ERR_SIGNATURE, "sealed secret: the signature has %zu bytes, not 64", bytes.n);
    if (!keys->get(keys->state, kid, JWK_MAX, secrets, &jwk, e) || !read_jwk(jwk, secrets, &key, e))
        return err_in(e, "the key of the signature, %.*s", VIEW_ARG(view_first(kid, 256)));
    uint8_t der[72] = {0x30};
    struct writer w = writer_of(der, sizeof der);
    w.n = 2;
    integer(view_first(bytes, 32), &w);
    integer(view_skip(bytes, 32), &w);
    der[1] = (uint8_t)(w.n - 2);
    if (!sig_verify(&key, SIG_RULE_PLAIN, &signed_text, 1, writer_view(&w)))
        return err_set(e, ERR_SIGNATURE, "the sealed secret is not signed with the key at %.*s",
                       VIEW_ARG(view_first(kid, 256)));
    return decode(body, a, payload, e);
}

/* AES-256-GCM without more to authenticate, the tag behind. `out` has room for wrapped.n - 16 bytes. */
static bool unwrap(struct view key, struct view iv, struct view wrapped, uint8_t *out, struct err *e) {
    size_t n = wrapped.n - 16;
    memcpy(out, wrapped.p, n);
    return aead_open(key, iv, (struct view){0}, out, n, view_skip(wrapped, n)) ||
           err_set(e, ERR_DIGEST, "sealed secret: a tag is not right: another key, or changed bytes");
}

static bool envelope(const json *o, const struct ocicrypt_keys *keys, struct arena *secrets, struct view *out,
                     struct err *e) {
    struct view uri, wrapped, wrapped_iv, sealed, iv, kek;
    uint8_t key[32];
    if (!view_is(json_text(json_get(o, "wrap_type")), "A256GCM")) return wrong(e, "wrap_type is not A256GCM");
    if (!json_need_text(o, "key_id", "sealed secret", &uri, e) || !decode_member(o, "iv", 12, 12, &iv, e) ||
        !decode_member(json_get(o, "annotations"), "iv", 12, 12, &wrapped_iv, e) ||
        !decode_member(o, "encrypted_key", sizeof key + 16, sizeof key + 16, &wrapped, e) ||
        !decode_member(o, "encrypted_data", 16, SECRET_MAX + 16, &sealed, e) ||
        !keys->get(keys->state, uri, sizeof key, secrets, &kek, e))
        return false;
    if (kek.n != sizeof key)
        return err_set(e, ERR_FORMAT, "sealed secret: the key at %.*s has %zu bytes, not 32",
                       VIEW_ARG(view_first(uri, 256)), kek.n);
    uint8_t *p = arena_alloc(secrets, sealed.n);
    if (!p) return arena_full(secrets, e);
    bool good = unwrap(kek, wrapped_iv, wrapped, key, e) && unwrap(view_of(key, sizeof key), iv, sealed, p, e);
    if (good) *out = view_of(p, sealed.n - 16);
    wipe(key, sizeof key);
    return good;
}

bool sealed_open(struct view text, const struct ocicrypt_keys *keys, struct arena *a, struct arena *secrets,
                 struct view *out, struct err *e) {
    static const char *const vault[] = {"version",     "type", "provider", "provider_settings",
                                        "annotations", "name", NULL};
    static const char *const sealed[] = {"version", "type", "provider", "provider_settings", "annotations", "key_id",
                                         "encrypted_key", "encrypted_data", "wrap_type", "iv", NULL};
    struct view payload, name;
    const json *o;
    if (!view_starts(text, VIEW("sealed."))) return wrong(e, "does not begin with sealed.");
    if (!verify(view_skip(text, 7), keys, a, secrets, &payload, e) || !object(payload, a, &o, e)) return false;
    struct view type = json_text(json_get(o, "type"));
    bool is_vault = view_is(type, "vault");
    if (!is_vault && !view_is(type, "envelope")) return wrong(e, "type is neither vault nor envelope");
    if (!only(o, is_vault ? vault : sealed, e)) return false;
    if (!view_is(json_text(json_get(o, "version")), "0.1.0")) return wrong(e, "version is not 0.1.0");
    if (!view_is(json_text(json_get(o, "provider")), "kbs")) return wrong(e, "provider is not kbs");
    if (!is_vault) return envelope(o, keys, secrets, out, e);
    return json_need_text(o, "name", "sealed secret", &name, e) &&
           keys->get(keys->state, name, SECRET_MAX, secrets, out, e);
}
