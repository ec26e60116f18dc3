/* see decrypt.h */
#include "step/decrypt.h"

#include "crypto/ctr_hmac.h"
#include "crypto/wipe.h"
#include "secret/ocicrypt.h"
#include "step/layers.h"
#include "sys/secret_memory.h"

#define SECRETS_SIZE (8u << 20)      /* of address space: keys, private options as text and parsed */
#define PRIVATE_KEY_MAX (16u << 10)  /* in PEM: RSA of 4096 bits has 3.2 KiB */
#define WRAPPING_KEYS_MAX LAYERS_MAX /* different ones: each layer may have its own */

/* A layer on its way. */
struct stream {
    const struct ocicrypt_key *key; /* NULL: it is not encrypted */
    struct ctr_hmac cipher;
    struct hash plain;
};

struct decryption {
    struct arena secrets; /* this struct lives in there */
    const struct secret_source *source;
    bool encrypted[LAYERS_MAX];
    struct ocicrypt_key keys[LAYERS_MAX];
    struct stream streams[LAYER_LANES];
    size_t wrapping_count;
    struct {
        struct view uri, key;
    } wrapping[WRAPPING_KEYS_MAX];
};

/* A wrapping key, asked for once: the layers of an image mostly share one. */
static bool get_wrapping(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out,
                         struct err *e) {
    struct decryption *d = state;
    struct view path;
    for (size_t i = 0; i < d->wrapping_count; i++)
        if (view_eq(d->wrapping[i].uri, uri)) return *out = d->wrapping[i].key, true;
    if (!policy_resource(uri, &path)) return err_set(e, ERR_FORMAT, "it is not kbs:///repository/type/tag");
    if (!d->source->get(d->source->state, uri, max, secrets, out, e)) return false;
    if (d->wrapping_count == WRAPPING_KEYS_MAX) return true;
    d->wrapping[d->wrapping_count].uri = uri;
    d->wrapping[d->wrapping_count++].key = *out;
    return true;
}

static bool get_private(struct decryption *d, const struct policy *p, struct ocicrypt_keys *keys, struct err *e) {
    struct private_key *privates = arena_alloc(&d->secrets, p->decrypt_key_count * sizeof *privates);
    struct view text;
    if (!privates) return arena_full(&d->secrets, e);
    if (p->decrypt_key_count && !d->source) {
        err_set(e, ERR_POLICY, "decrypt.keys names keys, but no KBS is named that would give them");
        return err_mend(e, "kbs.url of the policy; plinth pull takes --secrets DIR");
    }
    for (size_t i = 0; i < p->decrypt_key_count; i++)
        if (!d->source->get(d->source->state, p->decrypt_keys[i], PRIVATE_KEY_MAX, &d->secrets, &text, e) ||
            !private_key_decode(text, &privates[i], e)) {
            if (e->kind == ERR_USAGE) e->kind = ERR_POLICY; /* no fault of the command line */
            return err_in(e, "private key %.*s", VIEW_ARG(view_first(p->decrypt_keys[i], 200)));
        }
    keys->privates = privates;
    keys->private_count = p->decrypt_key_count;
    return true;
}

static bool open_all(struct decryption *d, const struct config *config, const struct manifest *m, struct arena *a,
                     struct err *e) {
    struct ocicrypt_keys keys = {d->source ? get_wrapping : NULL, d, 0, NULL};
    for (size_t i = 0; i < m->layer_count; i++) {
        const struct layer_encryption *said = &m->layers[i].encryption;
        const struct ocicrypt_annotations from = {said->pubopts, said->jwe, said->provider};
        if (!m->layers[i].encrypted) continue;
        if (said->jwe.n && !keys.privates && !get_private(d, &config->policy, &keys, e)) return false;
        if (!ocicrypt_open(&from, &keys, a, &d->secrets, &d->keys[i], e))
            return err_in(e, "layer %zu of %zu, which is encrypted", i + 1, m->layer_count);
        d->encrypted[i] = true;
    }
    return true;
}

bool decrypt_open(const struct config *config, const struct manifest *manifest, struct arena *a,
                  struct decryption **out, struct err *e) {
    struct arena secrets;
    bool any = false;
    for (size_t i = 0; i < manifest->layer_count; i++) any |= manifest->layers[i].encrypted;
    *out = NULL;
    if (!any) return true;
    if (!secret_memory_make(&secrets, SECRETS_SIZE, config->overlay /* the guest */, e)) return false;
    struct decryption *d = arena_alloc(&secrets, sizeof *d);
    d->secrets = secrets;
    d->source = config->secrets;
    if (open_all(d, config, manifest, a, e)) return *out = d, true;
    decrypt_drop(d);
    return false;
}

void decrypt_begin(struct decryption *d, size_t lane, size_t layer) {
    if (!d) return;
    struct stream *s = &d->streams[lane];
    s->key = d->encrypted[layer] ? &d->keys[layer] : NULL;
    if (!s->key) return;
    ctr_hmac_begin(&s->cipher, s->key->key, s->key->nonce);
    hash_init(&s->plain, HASH_SHA256);
}

void decrypt_bytes(struct decryption *d, size_t lane, uint8_t *bytes, size_t n) {
    struct stream *s = d ? &d->streams[lane] : NULL;
    if (!s || !s->key) return;
    ctr_hmac_decrypt(&s->cipher, bytes, n);
    hash_update(&s->plain, view_of(bytes, n));
}

bool decrypt_end(struct decryption *d, size_t lane, const struct digest *diff_id, struct err *e) {
    struct stream *s = d ? &d->streams[lane] : NULL;
    struct digest plain, said;
    char found[DIGEST_TEXT_SIZE], wanted[DIGEST_TEXT_SIZE];
    if (!s || !s->key) return true;
    if (!ctr_hmac_right(&s->cipher, s->key->hmac)) {
        err_set(e, ERR_DIGEST, "the HMAC over the encrypted layer is not the one of its annotation");
        return err_mend(e, "it was changed after it was encrypted, or its annotations are another layer's; encrypt it "
                           "again");
    }
    hash_final(&s->plain, plain.sha256);
    memcpy(said.sha256, s->key->plain_sha256, sizeof said.sha256);
    if (digest_eq(&plain, &said) || digest_eq(diff_id, &said)) return true;
    err_set(e, ERR_DIGEST, "digest of the decrypted layer is %s, the private options say %s",
            digest_text(&plain, found), digest_text(&said, wanted));
    return err_mend(e, "skopeo that compresses anew and encrypts in one copy writes the digest it read: compress "
                       "first, then encrypt");
}

void decrypt_drop(struct decryption *d) {
    if (!d) return;
    struct arena secrets = d->secrets;
    secret_memory_drop(&secrets);
    wipe_stack();
}
