/* see ed25519.h */
#include "crypto/ed25519.h"

#include <ed25519_ref10.h>
#include <string.h>

bool ed25519_good_key(const uint8_t key[32]) {
    ge25519_p3 point;
    return ge25519_is_canonical(key) && !ge25519_has_small_order(key) &&
           ge25519_frombytes_negate_vartime(&point, key) == 0;
}

/* The steps of libsodium's crypto_sign/ed25519/ref10/open.c. */
bool ed25519_equation_holds(const uint8_t key[32], const uint8_t k[64], const uint8_t signature[64]) {
    const uint8_t *r = signature, *s = signature + 32;
    uint8_t reduced[64], computed[32];
    ge25519_p3 minus_a;
    ge25519_p2 sum;
    if (!ed25519_good_key(key) || !sc25519_is_canonical(s) || ge25519_has_small_order(r)) return false;
    if (ge25519_frombytes_negate_vartime(&minus_a, key) != 0) return false;
    memcpy(reduced, k, sizeof reduced);
    sc25519_reduce(reduced);
    ge25519_double_scalarmult_vartime(&sum, reduced, &minus_a, s);
    ge25519_tobytes(computed, &sum);
    return memcmp(computed, r, sizeof computed) == 0;
}
