/* ocicrypt: the key of an encrypted layer, from the annotations of its descriptor (containers/ocicrypt, spec/spec.go).
 * All of it is read from a verified manifest. Each annotation is base64, the last two are comma-separated lists of it;
 * their names begin with org.opencontainers.image.enc.
 *
 *   pubopts              {"cipher":"AES_256_CTR_HMAC_SHA256","hmac":"<base64>","cipheroptions":{}}
 *   keys.jwe             a JWE (jwe.h) of the private options, for one of decrypt.keys
 *   keys.provider.NAME   a packet of CoCo's key provider: the same, wrapped by the key `kid` of a KBS:
 *                        {"kid":"kbs:///..","wrapped_data":"<base64>","iv":"<base64>","wrap_type":"A256GCM" | "A256CTR"}; version 2 has
 *                        "version":"0.1.0","provider":"kbs" beside it
 *
 * private options: {"symkey":"<base64>","digest":"sha256:<of what was encrypted>","cipheroptions":{"nonce":"<base64>"}} */
#ifndef PLINTH_SECRET_OCICRYPT_H
#define PLINTH_SECRET_OCICRYPT_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/private_key.h"

#define OCICRYPT_ENTRIES_MAX 16u   /* of one annotation: an entry for each time that recipients were added */
#define OCICRYPT_OPTIONS_MAX 4096u /* bytes of private options: ocicrypt writes 200 */

/* As they stand in the annotations; empty where absent. */
struct ocicrypt_annotations {
    struct view pubopts, jwe, provider;
};

struct ocicrypt_key {
    uint8_t key[32], nonce[16]; /* secret: AES-256-CTR's, and the key is HMAC's too */
    uint8_t hmac[32];           /* over the ciphertext */
    uint8_t plain_sha256[32];   /* of what was encrypted: the compressed layer (but see step/decrypt.h) */
};

/* How keys are come by. */
struct ocicrypt_keys {
    /* The wrapping key at a KBS URI, 32 bytes for a packet. NULL: there is nobody to ask. */
    bool (*get)(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e);
    void *state;
    size_t private_count; /* opened by the caller from policy.decrypt_keys */
    const struct private_key *privates;
};

/* The key out of the first form that opens; private keys are tried before a KBS is asked. `secrets` takes the
 * plaintexts; *out is the caller's to wipe. ERR_FORMAT: annotations, packets or private options that are not such, a
 * wrapping key that has not 32 bytes; ERR_DIGEST: a tag that is not right; ERR_POLICY: no key opens them, with the
 * forms that are there and what would help. Messages hold no byte of keys and private options. */
bool ocicrypt_open(const struct ocicrypt_annotations *from, const struct ocicrypt_keys *keys, struct arena *a,
                   struct arena *secrets, struct ocicrypt_key *out, struct err *e);

#endif
