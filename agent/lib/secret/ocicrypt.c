/* see ocicrypt.h */
#include "secret/ocicrypt.h"

#include "base/codec.h"
#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/ctr_hmac.h"
#include "crypto/wipe.h"
#include "format/json.h"
#include "secret/jwe.h"

#define ENC "org.opencontainers.image.enc."
#define CIPHER "AES_256_CTR_HMAC_SHA256"
#define KEY_MAX 1024u /* so that a KBS's key of another size than 32 is told by its size */

/* One layer's key, being opened. */
struct opening {
    const struct ocicrypt_keys *keys;
    struct arena *a, *secrets;
    struct writer tried; /* for people: the forms that are there, and why they did not open */
    struct view options; /* what was opened; empty: nothing yet */
};

/* Exactly `n` bytes in base64. */
static bool decode_exactly(const json *text, uint8_t *out, size_t n) {
    size_t got;
    return base64_decode(json_text(text), out, n, &got) && got == n;
}

static bool decode(struct view text, struct arena *a, uint8_t **out, size_t *n, struct err *e) {
    uint8_t *p = arena_alloc(a, text.n / 4 * 3 + 1);
    if (!p) return arena_full(a, e);
    *out = p;
    return base64_decode(text, p, text.n / 4 * 3, n) || err_set(e, ERR_FORMAT, "it is not base64");
}

static bool decode_json(struct view text, struct arena *a, const json **root, struct err *e) {
    uint8_t *p;
    size_t n;
    return decode(text, a, &p, &n, e) && json_parse(view_of(p, n), a, root, e);
}

static bool read_public(struct view annotation, struct arena *a, uint8_t hmac[static 32], struct err *e) {
    const json *root;
    struct view cipher;
    if (!decode_json(annotation, a, &root, e) || !json_need_text(root, "cipher", "the public options", &cipher, e))
        return false;
    if (!view_is(cipher, CIPHER))
        return err_set(e, ERR_FORMAT, "cipher is '%.*s', only " CIPHER " is known", VIEW_ARG(view_first(cipher, 60)));
    if (!decode_exactly(json_get(root, "hmac"), hmac, 32))
        return err_set(e, ERR_FORMAT, "hmac is missing, or not 32 bytes in base64: nothing would tell changed bytes");
    /* ocicrypt looks here before it looks into the private options: two readers would take two nonces. */
    return !json_count(json_get(root, "cipheroptions")) ||
           err_set(e, ERR_FORMAT, "cipheroptions has members, which belong into the private options");
}

/* Never says what stands there. */
static bool read_private(struct view text, struct arena *secrets, struct ocicrypt_key *out, struct err *e) {
    const json *root;
    struct err unsaid;
    if (!json_parse(text, secrets, &root, &unsaid)) {
        if (unsaid.kind == ERR_SYSTEM) return *e = unsaid, false;
        return err_set(e, ERR_FORMAT, "the private options are not JSON");
    }
    struct view digest = json_text(json_get(root, "digest"));
    const json *nonce = json_get(json_get(root, "cipheroptions"), "nonce");
    if (!decode_exactly(json_get(root, "symkey"), out->key, sizeof out->key))
        return err_set(e, ERR_FORMAT, "private options: symkey is not 32 bytes in base64");
    if (!decode_exactly(nonce, out->nonce, sizeof out->nonce))
        return err_set(e, ERR_FORMAT, "private options: cipheroptions.nonce is not 16 bytes in base64");
    return (view_starts(digest, VIEW("sha256:")) && hex_decode(view_skip(digest, 7), out->plain_sha256, 32)) ||
           err_set(e, ERR_FORMAT, "private options: digest is not sha256:<64 lower-case hex digits>");
}

/* Of one JWE. True without options: it is not for these keys. */
static bool open_jwe(struct opening *o, struct view text, struct err *e) {
    struct jwe *j = arena_alloc(o->a, sizeof *j);
    uint8_t *p;
    size_t n;
    struct err why;
    if (!j) return arena_full(o->a, e);
    if (!decode(text, o->a, &p, &n, e) || !jwe_parse(view_of(p, n), false, o->a, j, e)) return false;
    for (size_t i = 0; i < o->keys->private_count; i++) {
        if (jwe_open(j, &o->keys->privates[i], o->secrets, &o->options, &why)) return true;
        if (why.kind != ERR_POLICY) return *e = why, false;
    }
    for (size_t i = 0; i < j->count; i++)
        write_text(&o->tried, i ? ", " : "jwe for "), write_text(&o->tried, jwe_alg_name(j->recipients[i].alg));
    write_text(&o->tried, o->keys->private_count ? " (by none of the private keys)" : " (no private key was given)");
    return true;
}

static bool unwrap(struct view type, struct view key, struct view iv, uint8_t *bytes, size_t n, struct view *out,
                   struct err *e) {
    bool gcm = view_is(type, "A256GCM");
    size_t tag = gcm ? 16 : 0, iv_size = gcm ? 12 : 16;
    if (!gcm && !view_is(type, "A256CTR"))
        return err_set(e, ERR_FORMAT, "wrap_type is '%.*s', not A256GCM or A256CTR", VIEW_ARG(view_first(type, 60)));
    if (iv.n != iv_size) return err_set(e, ERR_FORMAT, "iv has %zu bytes, %.*s takes %zu", iv.n, VIEW_ARG(type), iv_size);
    if (n <= tag) return err_set(e, ERR_FORMAT, "wrapped_data has %zu bytes", n);
    if (key.n != 32) return err_set(e, ERR_FORMAT, "the key has %zu bytes, %.*s takes 32", key.n, VIEW_ARG(type));
    if (!gcm) ctr_once(key.p, iv.p, bytes, n);
    else if (!aead_open(key, iv, (struct view){0}, bytes, n - tag, view_of(bytes + (n - tag), tag)))
        return err_set(e, ERR_DIGEST, "the tag is not right: another key wrapped it, or it was changed");
    *out = view_of(bytes, n - tag);
    return true;
}

/* Of one packet. True without options: its key is not to be had. */
static bool open_packet(struct opening *o, struct view text, struct err *e) {
    static const char where[] = "the packet";
    const json *root;
    struct view kid, wrapped, iv, type, version, provider, key;
    uint8_t *bytes, *iv_bytes;
    size_t n;
    struct err why;
    if (!decode_json(text, o->a, &root, e) || !json_need_text(root, "kid", where, &kid, e) ||
        !json_need_text(root, "wrapped_data", where, &wrapped, e) || !json_need_text(root, "iv", where, &iv, e) ||
        !json_need_text(root, "wrap_type", where, &type, e))
        return false;
    version = json_text(json_get(root, "version")), provider = json_text(json_get(root, "provider"));
    if ((json_get(root, "version") && !view_is(version, "0.1.0")) ||
        (json_get(root, "provider") && !view_is(provider, "kbs")))
        return err_set(e, ERR_FORMAT, "version '%.*s', provider '%.*s': only 0.1.0 and kbs are known",
                       VIEW_ARG(view_first(version, 40)), VIEW_ARG(view_first(provider, 40)));
    if (wrapped.n > OCICRYPT_OPTIONS_MAX / 3 * 4)
        return err_set(e, ERR_FORMAT, "wrapped_data has %zu characters", wrapped.n);
    if (!decode(iv, o->a, &iv_bytes, &iv.n, e)) return err_in(e, "iv");
    if (!decode(wrapped, o->secrets, &bytes, &n, e)) return err_in(e, "wrapped_data");
    if (!o->keys->get || !o->keys->get(o->keys->state, kid, KEY_MAX, o->secrets, &key, &why)) {
        if (o->keys->get && why.kind != ERR_POLICY)
            return *e = why, err_in(e, "key %.*s", VIEW_ARG(view_first(kid, 200)));
        write_text(&o->tried, "the key "), write_bytes(&o->tried, view_first(kid, 100));
        write_text(&o->tried, " (");
        write_bytes(&o->tried, o->keys->get ? view_first(view_str(why.text), 200) : VIEW("no KBS was given"));
        write_text(&o->tried, ")");
        return true;
    }
    return unwrap(type, key, view_of(iv_bytes, iv.n), bytes, n, &o->options, e) ||
           err_in(e, "key %.*s", VIEW_ARG(view_first(kid, 200)));
}

static bool open_list(struct opening *o, struct view list, const char *annotation,
                      bool (*open_one)(struct opening *, struct view, struct err *), struct err *e) {
    bool more = list.n > 0;
    for (size_t i = 0; more && !o->options.n; i++) {
        struct view one = view_cut(&list, ',', &more);
        if (i == OCICRYPT_ENTRIES_MAX)
            return err_set(e, ERR_FORMAT, "annotation %s has more than %zu entries", annotation, i);
        if (o->tried.n) write_text(&o->tried, "; ");
        if (!open_one(o, one, e)) return err_in(e, "annotation %s", annotation);
    }
    return true;
}

bool ocicrypt_open(const struct ocicrypt_annotations *from, const struct ocicrypt_keys *keys, struct arena *a,
                   struct arena *secrets, struct ocicrypt_key *out, struct err *e) {
    char tried[500];
    struct opening o = {keys, a, secrets, writer_of(tried, sizeof tried), {0}};
    struct ocicrypt_key found;
    if (!read_public(from->pubopts, a, found.hmac, e)) return err_in(e, "annotation " ENC "pubopts");
    if (!open_list(&o, from->jwe, ENC "keys.jwe", open_jwe, e) ||
        (!o.options.n && !open_list(&o, from->provider, ENC "keys.provider", open_packet, e)))
        return false;
    if (!o.options.n) {
        err_set(e, ERR_POLICY, "no key opens it: %.*s%s", (int)o.tried.n, tried, o.tried.full ? ", and more" : "");
        return err_mend(e, "private keys are named by decrypt.keys of the policy, and a KBS by kbs.url; plinth pull "
                           "takes --decryption-key FILE and --secrets DIR");
    }
    bool ok = o.options.n <= OCICRYPT_OPTIONS_MAX ? read_private(o.options, secrets, &found, e)
                                                  : err_set(e, ERR_FORMAT, "private options of %zu bytes", o.options.n);
    if (ok) *out = found;
    wipe(&found, sizeof found);
    return ok;
}
