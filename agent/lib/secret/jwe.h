/* jwe: JSON Web Encryption (RFC 7516) as KBSes and ocicrypt use it, and no further.
 *
 *  *   alg   ECDH-ES+A256KW on P-256, RSA-OAEP-256; for ocicrypt also ECDH-ES+A128KW, ECDH-ES+A192KW, RSA-OAEP (SHA-1)
 *   enc   A256GCM; for ocicrypt also A128GCM, A192GCM
 *
 * apu and apv are empty; zip, crit, aad and anything else that changes what is meant are refused. From ocicrypt
 * (go-jose) a `kid` is overlooked, and beside `recipients` the `encrypted_key` of the first. */
#ifndef PLINTH_SECRET_JWE_H
#define PLINTH_SECRET_JWE_H

#include "base/arena.h"
#include "crypto/private_key.h"

#define JWE_RECIPIENTS_MAX 16u

enum jwe_alg { JWE_ECDH_ES_A128KW, JWE_ECDH_ES_A192KW, JWE_ECDH_ES_A256KW, JWE_RSA_OAEP, JWE_RSA_OAEP_256 };

/* "ECDH-ES+A256KW" */
const char *jwe_alg_name(enum jwe_alg alg);

struct jwe_recipient {
    enum jwe_alg alg;
    struct view epk; /* 65 bytes, 04 || x || y; empty for RSA */
    struct view encrypted_key;
};

struct jwe {
    struct view protected_text; /* base64url as received: the additional authenticated data */
    unsigned key_size;          /* of enc, in bytes: 16, 24, 32 */
    struct view iv, ciphertext, tag;
    size_t count;
    struct jwe_recipient recipients[JWE_RECIPIENTS_MAX];
};

/* Flattened or general JSON serialization. `kbs`: only what a KBS may answer: one recipient, A256GCM, ECDH-ES+A256KW
 * or RSA-OAEP-256. Of several recipients those of another algorithm or curve are passed over, if one is left. All
 * lengths are checked. Views live in `a`. ERR_FORMAT naming the member. Runs in a worker on what a KBS answered, and
 * in the monitor on annotations of a verified manifest. */
bool jwe_parse(struct view text, bool kbs, struct arena *a, struct jwe *out, struct err *e);
/* `j` as jwe_parse leaves it: whoever fills one otherwise checks the lengths as well. The plaintext by the first
 * recipient that `key` opens, into `secrets`. ERR_POLICY: none is for this key; ERR_DIGEST: the tag is not right. */
bool jwe_open(const struct jwe *j, const struct private_key *key, struct arena *secrets, struct view *out,
              struct err *e);

#endif
