/* hash: SHA-256, SHA-384, SHA-512 (FIPS 180-4), streaming, over BearSSL's hash classes; SHA-256 by a class of our own on
 * the SHA instructions where the processor has them (seven times as fast, and every layer is hashed twice). */
#ifndef PLINTH_CRYPTO_HASH_H
#define PLINTH_CRYPTO_HASH_H

#include "base/view.h"
#include <bearssl_hash.h>

enum hash_alg { HASH_SHA256, HASH_SHA384, HASH_SHA512 };
#define HASH_MAX 64

struct hash {
    enum hash_alg alg;
    br_hash_compat_context ctx;
};

void hash_init(struct hash *h, enum hash_alg alg);
void hash_update(struct hash *h, struct view bytes);
/* Writes hash_size(alg) bytes; the context may be updated further afterwards. */
void hash_final(const struct hash *h, uint8_t *out);
size_t hash_size(enum hash_alg alg);
/* "sha256", "sha384", "sha512" */
const char *hash_name(enum hash_alg alg);
void hash_once(enum hash_alg alg, struct view bytes, uint8_t *out);

/* The class that hash_init takes on this processor, for what BearSSL itself hashes: TLS, certificates, HMAC. */
const br_hash_class *hash_class(enum hash_alg alg);
/* Works only where hash_has_sha_ni; named here for the tests, which hold it against br_sha256_vtable. */
extern const br_hash_class hash_sha256_ni;
bool hash_has_sha_ni(void);

#endif
