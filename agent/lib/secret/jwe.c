/* see jwe.h */
#include "secret/jwe.h"

#include "base/codec.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/wipe.h"
#include "format/json.h"

static const struct {
    const char *name;
    size_t kek; /* bytes; 0: RSA */
} algs[] = {
    [JWE_ECDH_ES_A128KW] = {"ECDH-ES+A128KW", 16}, [JWE_ECDH_ES_A192KW] = {"ECDH-ES+A192KW", 24},
    [JWE_ECDH_ES_A256KW] = {"ECDH-ES+A256KW", 32}, [JWE_RSA_OAEP] = {"RSA-OAEP", 0},
    [JWE_RSA_OAEP_256] = {"RSA-OAEP-256", 0},
};
#define ALGS (sizeof algs / sizeof *algs)

const char *jwe_alg_name(enum jwe_alg alg) { return algs[alg].name; }

static bool only(const json *object, const char *const *names, struct err *e) {
    if (json_only(object, names, "JWE", e)) return true;
    e->kind = ERR_FORMAT;
    return false;
}

/* The base64url in a member. */
static bool bytes(const json *object, const char *name, size_t min, size_t max, struct arena *a, struct view *out,
                  struct err *e) {
    struct view text;
    size_t n;
    if (!json_need_text(object, name, "JWE", &text, e)) return false;
    uint8_t *p = arena_alloc(a, text.n + 1);
    if (!p) return arena_full(a, e);
    if (!base64url_decode(text, p, text.n, &n)) return err_set(e, ERR_FORMAT, "JWE: %s is not base64url", name);
    if (n < min || n > max)
        return err_set(e, ERR_FORMAT, "JWE: %s has %zu bytes, not %zu%s", name, n, min, max > min ? " or more" : "");
    *out = view_of(p, n);
    return true;
}

static bool epk(const json *key, struct arena *a, struct view *out, struct err *e) {
    static const char *const names[] = {"kty", "crv", "x", "y", NULL};
    struct view x, y;
    if (!json_is_object(key)) return err_set(e, ERR_FORMAT, "JWE: epk is missing");
    if (!only(key, names, e)) return false;
    if (!view_is(json_text(json_get(key, "kty")), "EC")) return err_set(e, ERR_FORMAT, "JWE: epk is not of kty EC");
    if (!view_is(json_text(json_get(key, "crv")), "P-256")) return err_set(e, ERR_POLICY, "JWE: epk is not on P-256");
    if (!bytes(key, "x", 32, 32, a, &x, e) || !bytes(key, "y", 32, 32, a, &y, e)) return false;
    uint8_t *p = arena_alloc(a, 65);
    if (!p) return arena_full(a, e);
    p[0] = 4;
    memcpy(p + 1, x.p, 32);
    memcpy(p + 33, y.p, 32);
    *out = view_of(p, 65);
    return true;
}

/* `shared` and `own`: the protected header and the recipient's, which may be absent; no member is in both (RFC 7516
 * section 4). ERR_POLICY: of an algorithm or curve that no key here is for. */
static bool recipient(const json *object, const json *shared, const json *own, bool kbs, unsigned key_size,
                      struct arena *a, struct jwe_recipient *out, struct err *e) {
    static const char *const names[] = {"alg", "epk", "kid", NULL};
    if (own && !json_is_object(own)) return err_set(e, ERR_FORMAT, "JWE: header is not an object");
    if (own && !only(own, names, e)) return false;
    for (const char *const *name = names; *name; name++)
        if (json_get(shared, *name) && json_get(own, *name))
            return err_set(e, ERR_FORMAT, "JWE: %s is in two headers", *name);
    const json *alg = json_get(own, "alg"), *key = json_get(own, "epk");
    if (!alg) alg = json_get(shared, "alg");
    if (!key) key = json_get(shared, "epk");
    size_t i = 0;
    while (i < ALGS && !view_is(json_text(alg), algs[i].name)) i++;
    if (i == ALGS || (kbs && i != JWE_ECDH_ES_A256KW && i != JWE_RSA_OAEP_256)) {
        struct view is = json_text(alg);
        return err_set(e, ERR_POLICY, "JWE: alg is '%.*s', not ECDH-ES+A256KW or RSA-OAEP-256%s",
                       VIEW_ARG(view_first(is, 64)), kbs ? "" : " (nor ECDH-ES+A128KW, ECDH-ES+A192KW, RSA-OAEP)");
    }
    out->alg = (enum jwe_alg)i;
    if (!algs[i].kek && key) return err_set(e, ERR_FORMAT, "JWE: epk beside %s", algs[i].name);
    if (algs[i].kek)
        return epk(key, a, &out->epk, e) &&
               bytes(object, "encrypted_key", key_size + 8, key_size + 8, a, &out->encrypted_key, e);
    return bytes(object, "encrypted_key", 256, PRIVATE_RSA_MAX, a, &out->encrypted_key, e);
}

bool jwe_parse(struct view text, bool kbs, struct arena *a, struct jwe *out, struct err *e) {
    /* a KBS may not give the last of each, nor several recipients */
    static const char *const flattened[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag", "header", NULL};
    static const char *const strict[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag", NULL};
    static const char *const general[] = {"protected", "encrypted_key", "iv", "ciphertext", "tag", "recipients", NULL};
    static const char *const header[] = {"alg", "enc", "epk", "kid", NULL};
    static const char *const strict_header[] = {"alg", "enc", "epk", NULL};
    static const char *const each[] = {"header", "encrypted_key", NULL};
    struct jwe j = {0};
    struct view protected;
    const json *root, *shared, *list;
    if (!json_parse(text, a, &root, e)) return err_in(e, "JWE");
    list = json_get(root, "recipients");
    if (!json_is_object(root)) return err_set(e, ERR_FORMAT, "JWE: not an object");
    if (!only(root, kbs ? strict : list ? general : flattened, e)) return false;
    if (!json_need_text(root, "protected", "JWE", &j.protected_text, e) ||
        !bytes(root, "protected", 2, text.n, a, &protected, e) || !bytes(root, "iv", 12, 12, a, &j.iv, e) ||
        !bytes(root, "ciphertext", 0, text.n, a, &j.ciphertext, e) || !bytes(root, "tag", 16, 16, a, &j.tag, e))
        return false;
    if (!json_parse(protected, a, &shared, e)) return err_in(e, "JWE: protected");
    if (!json_is_object(shared)) return err_set(e, ERR_FORMAT, "JWE: protected is not an object");
    if (!only(shared, kbs ? strict_header : header, e)) return false;
    struct view enc = json_text(json_get(shared, "enc"));
    j.key_size = view_is(enc, "A256GCM") ? 32 : view_is(enc, "A192GCM") ? 24 : view_is(enc, "A128GCM") ? 16 : 0;
    if (!j.key_size || (kbs && j.key_size != 32))
        return err_set(e, ERR_FORMAT, "JWE: enc is '%.*s', not A256GCM", VIEW_ARG(view_first(enc, 64)));
    if (!list) {
        j.count = recipient(root, shared, json_get(root, "header"), kbs, j.key_size, a, j.recipients, e);
    } else {
        if (!json_is_array(list) || !json_count(list) || json_count(list) > JWE_RECIPIENTS_MAX)
            return err_set(e, ERR_FORMAT, "JWE: recipients is not an array of 1 to %u", JWE_RECIPIENTS_MAX);
        /* go-jose repeats the first recipient's there. */
        const json *again = json_get(root, "encrypted_key");
        if (again && !json_equal(again, json_get(json_at(list, 0), "encrypted_key")))
            return err_set(e, ERR_FORMAT, "JWE: encrypted_key beside recipients is not that of the first");
        for (struct json_iter it = json_each(list); json_next(&it);) {
            const json *own = json_get(it.value, "header");
            struct jwe_recipient *to = &j.recipients[j.count];
            if (only(it.value, each, e) && recipient(it.value, shared, own, kbs, j.key_size, a, to, e))
                j.count++;
            else if (e->kind != ERR_POLICY)
                return err_in(e, "recipient");
        }
    }
    if (!j.count) {
        if (e->kind == ERR_POLICY) e->kind = ERR_FORMAT;
        return false;
    }
    *out = j;
    return true;
}

/* RFC 7518 section 4.6.2, with the public key of one and the private key of the other; one round of SHA-256. */
static void derive(enum jwe_alg alg, const uint8_t z[static 32], uint8_t kek[static 32]) {
    uint8_t text[80];
    struct writer w = writer_of(text, sizeof text);
    write_be32(&w, 1);
    write_bytes(&w, view_of(z, 32));
    write_be32(&w, (uint32_t)strlen(algs[alg].name));
    write_text(&w, algs[alg].name);
    write_be64(&w, 0); /* no PartyUInfo, no PartyVInfo */
    write_be32(&w, (uint32_t)algs[alg].kek * 8);
    hash_once(HASH_SHA256, writer_view(&w), kek);
    wipe(text, sizeof text);
    wipe_stack();
}

static bool open_key(const struct jwe_recipient *r, const struct private_key *key, size_t key_size,
                     uint8_t cek[static 32]) {
    uint8_t z[32], kek[32], block[PRIVATE_RSA_MAX];
    size_t n = r->encrypted_key.n;
    bool good;
    if (algs[r->alg].kek) {
        good = private_key_agree(key, r->epk, z);
        if (good) {
            derive(r->alg, z, kek);
            good = key_unwrap(view_of(kek, algs[r->alg].kek), r->encrypted_key, cek);
        }
        wipe(z, sizeof z);
        wipe(kek, sizeof kek);
        return good;
    }
    memcpy(block, r->encrypted_key.p, n);
    good = private_key_oaep(key, r->alg == JWE_RSA_OAEP ? OAEP_SHA1 : OAEP_SHA256, block, &n) && n == key_size;
    if (good) memcpy(cek, block, n);
    wipe(block, sizeof block);
    return good;
}

bool jwe_open(const struct jwe *j, const struct private_key *key, struct arena *secrets, struct view *out,
              struct err *e) {
    uint8_t cek[32];
    size_t i = 0;
    while (i < j->count && !open_key(&j->recipients[i], key, j->key_size, cek)) i++;
    if (i == j->count) return err_set(e, ERR_POLICY, "the JWE is for another key (%zu tried)", j->count);
    uint8_t *p = arena_alloc(secrets, j->ciphertext.n + 1);
    bool good = false;
    if (p) {
        memcpy(p, j->ciphertext.p, j->ciphertext.n);
        good = aead_open(view_of(cek, j->key_size), j->iv, j->protected_text, p, j->ciphertext.n, j->tag);
        if (!good) err_set(e, ERR_DIGEST, "the JWE's tag does not belong to its text: one of the two was changed");
    } else {
        arena_full(secrets, e);
    }
    if (good) *out = view_of(p, j->ciphertext.n);
    wipe(cek, sizeof cek);
    return good;
}
