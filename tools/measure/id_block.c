/* see id_block.h */
#include "tools/measure/id_block.h"

#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/wipe.h"
#include "format/pem.h"

#include <bearssl.h>
#include <string.h>

#define NUMBER 72u /* bytes of r, s, x, y: little-endian, zeros behind */
#define KEY_SIZE 0x404u
#define P384_BYTES 48u
#define VERSION 1u
#define ALGORITHM_P384 1u /* with SHA-384 */
#define CURVE_P384 2u

enum { AUTH_BLOCK_SIG = 0x40, AUTH_ID_KEY = 0x240, AUTH_ID_KEY_SIG = 0x680, AUTH_AUTHOR_KEY = 0x880 };

struct key {
    br_skey_decoder_context decoder; /* the private key's bytes are in it */
    const br_ec_private_key *private_key;
    uint8_t public_key[KEY_SIZE];
};

static void reversed(uint8_t *to, const uint8_t *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = from[n - 1 - i];
}

static bool read_key(const char *what, struct view pem, struct arena *a, struct key *out, struct err *e) {
    struct view label, der;
    uint8_t point[BR_EC_KBUF_PUB_MAX_SIZE];
    br_ec_public_key public_key;
    bool found;
    while ((found = pem_next(&pem, a, &label, &der, e)) && view_is(label, "EC PARAMETERS"))
        continue; /* openssl writes them in front */
    if (!found && e->kind == ERR_NONE) err_set(e, ERR_FORMAT, "no PEM block");
    if (!found) return err_in(e, "%s", what);
    br_skey_decoder_init(&out->decoder);
    br_skey_decoder_push(&out->decoder, der.p, der.n);
    out->private_key = br_skey_decoder_last_error(&out->decoder) ? NULL : br_skey_decoder_get_ec(&out->decoder);
    if (!out->private_key || out->private_key->curve != BR_EC_secp384r1)
        return err_set(e, ERR_FORMAT, "%s: %.*s is no P-384 private key (SEC1 or PKCS#8, without a password)", what,
                       VIEW_ARG(label));
    if (br_ec_compute_pub(&br_ec_prime_i31, &public_key, point, out->private_key) != 1 + 2 * P384_BYTES)
        return err_set(e, ERR_FORMAT, "%s: the private key is out of range", what);
    memset(out->public_key, 0, sizeof out->public_key);
    out->public_key[0] = CURVE_P384;
    reversed(out->public_key + 4, point + 1, P384_BYTES);
    reversed(out->public_key + 4 + NUMBER, point + 1 + P384_BYTES, P384_BYTES);
    return true;
}

/* r and s, 72 bytes each, of the 512 that are theirs. */
static bool sign(const struct key *key, struct view bytes, uint8_t *out, struct err *e) {
    uint8_t digest[48], raw[2 * P384_BYTES];
    hash_once(HASH_SHA384, bytes, digest);
    size_t n = br_ecdsa_i31_sign_raw(&br_ec_prime_i31, &br_sha384_vtable, digest, key->private_key, raw);
    if (n != sizeof raw) return err_set(e, ERR_FORMAT, "the key cannot sign");
    reversed(out, raw, P384_BYTES);
    reversed(out + NUMBER, raw + P384_BYTES, P384_BYTES);
    return true;
}

static void write_block(const struct id_block *b, uint8_t out[static ID_BLOCK_SIZE]) {
    struct writer w = writer_of(out, ID_BLOCK_SIZE);
    write_bytes(&w, view_of(b->launch_digest, sizeof b->launch_digest));
    write_bytes(&w, view_of(b->family_id, sizeof b->family_id));
    write_bytes(&w, view_of(b->image_id, sizeof b->image_id));
    write_le32(&w, VERSION);
    write_le32(&w, b->guest_svn);
    write_le64(&w, b->policy);
}

static bool make(const struct id_block *b, const struct key *id, const struct key *author, struct id_signed *out,
                 struct err *e) {
    struct view id_key = view_of(id->public_key, KEY_SIZE);
    memset(out, 0, sizeof *out);
    write_block(b, out->block);
    out->auth[0] = ALGORITHM_P384;
    memcpy(out->auth + AUTH_ID_KEY, id_key.p, id_key.n);
    hash_once(HASH_SHA384, id_key, out->id_key_digest);
    if (!sign(id, view_of(out->block, ID_BLOCK_SIZE), out->auth + AUTH_BLOCK_SIG, e)) return false;
    if (!author) return true;
    out->auth[4] = ALGORITHM_P384;
    memcpy(out->auth + AUTH_AUTHOR_KEY, author->public_key, KEY_SIZE);
    hash_once(HASH_SHA384, view_of(author->public_key, KEY_SIZE), out->author_key_digest);
    return sign(author, id_key, out->auth + AUTH_ID_KEY_SIG, e);
}

bool id_block_sign(const struct id_block *b, struct view id_key, struct view author_key, struct arena *a,
                   struct id_signed *out, struct err *e) {
    struct key *keys = arena_alloc(a, 2 * sizeof *keys);
    struct id_signed *made = arena_alloc(a, sizeof *made);
    if (!keys || !made) return arena_full(a, e);
    bool ok = read_key("ID key", id_key, a, &keys[0], e) &&
              (!author_key.n || read_key("author key", author_key, a, &keys[1], e)) &&
              make(b, &keys[0], author_key.n ? &keys[1] : NULL, made, e);
    if (ok) *out = *made;
    wipe(keys, 2 * sizeof *keys);
    return ok;
}
