/* private_key: private keys that decrypt: P-256 (RFC 5915, SEC 1) and RSA of 2048 to 4096 bits (RFC 8017), as a KBS
 * gives them or made here. Lives in locked memory (sys/secret_memory.h); who is done with one wipes it. */
#ifndef PLINTH_CRYPTO_PRIVATE_KEY_H
#define PLINTH_CRYPTO_PRIVATE_KEY_H

#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"
#include "crypto/hash.h"

enum private_key_type { PRIVATE_EC_P256, PRIVATE_RSA };

#define PRIVATE_RSA_MAX 512u /* bytes of a modulus */

struct private_key {
    enum private_key_type type;
    union {
        struct {
            uint8_t d[32];
            uint8_t point[65]; /* 04 || x || y */
        } ec;
        struct {
            size_t n_size;
            uint8_t n[PRIVATE_RSA_MAX], e[4];
            uint8_t p[PRIVATE_RSA_MAX / 2], q[PRIVATE_RSA_MAX / 2];
            uint8_t dp[PRIVATE_RSA_MAX / 2], dq[PRIVATE_RSA_MAX / 2], iq[PRIVATE_RSA_MAX / 2];
            size_t part_size; /* of each of the five */
        } rsa;
    };
};

/* One PEM block: PRIVATE KEY (PKCS#8, RFC 5958), EC PRIVATE KEY, RSA PRIVATE KEY; or the DER of one. ERR_USAGE: none
 * of these (an encrypted one, a public key, another curve, a size out of range, a point that is not d's). No byte of
 * it is in a message. `text` is read in place: what PEM decodes to is wiped again. */
bool private_key_decode(struct view text, struct private_key *out, struct err *e);
/* From getrandom. RSA is of 2048 bits and takes about a third of a second. */
bool private_key_make(enum private_key_type type, struct private_key *out, struct err *e);
/* PKCS#8 in PEM ("PRIVATE KEY"). */
void private_key_pem(const struct private_key *key, struct writer *out);

/* ECDH: x of d times `point` (uncompressed, on the curve; RFC 7518 section 4.6). False: no such point, or not an EC
 * key. */
bool private_key_agree(const struct private_key *key, struct view point, uint8_t z[static 32]);
/* RSAES-OAEP with MGF1 over the same hash and no label (RFC 8017 section 7.1.2), in place: *n bytes in, *n bytes out.
 * False for anything else, in constant time. */
enum oaep_hash { OAEP_SHA1, OAEP_SHA256 };
bool private_key_oaep(const struct private_key *key, enum oaep_hash hash, uint8_t *bytes, size_t *n);
/* ECDSA over SHA-256 of `message` (RFC 6979, RFC 3279 DER); returns its length, at most 72. For RA-TLS certificates. */
size_t private_key_sign(const struct private_key *key, struct view message, uint8_t out[static 72]);

#endif
