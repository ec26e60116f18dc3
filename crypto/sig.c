/* see sig.h */
#include "crypto/sig.h"

#include <bearssl_ec.h>

#include "crypto/der.h"

/* Our own reading of SEQUENCE { r, s }, because BearSSL's takes lax DER; it checks that r and s are below the order. */
static bool ecdsa_verify(int curve, struct view point, struct view hash, struct view signature) {
    uint8_t rs[64];
    struct view sequence;
    if (!der_take(&signature, DER_SEQUENCE, &sequence) || signature.n) return false;
    if (!der_take_positive(&sequence, rs, 32) || !der_take_positive(&sequence, rs + 32, 32) || sequence.n) return false;
    br_ec_public_key key = {curve, (unsigned char *)point.p, point.n};
    return br_ecdsa_vrfy_raw_get_default()(br_ec_get_default(), hash.p, hash.n, &key, rs, sizeof rs) == 1;
}

bool sig_verify(const struct public_key *key, enum hash_alg alg, struct view message, struct view signature) {
    uint8_t hash[HASH_MAX];
    hash_once(alg, message, hash);
    switch (key->type) {
    case KEY_EC_P256:
        return ecdsa_verify(BR_EC_secp256r1, view_of(key->point, sizeof key->point), view_of(hash, hash_size(alg)),
                            signature);
    }
    return false;
}
