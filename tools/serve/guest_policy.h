/* guest_policy: a policy that guests may have (trust/policy.h), and who must have signed whatever runs under it. */
#ifndef PLINTH_SERVE_GUEST_POLICY_H
#define PLINTH_SERVE_GUEST_POLICY_H

#include "base/arena.h"
#include "base/err.h"
#include "oci/digest.h"

struct guest_policy {
    char digest[DIGEST_TEXT_SIZE]; /* of the file: what guests measure */
    size_t key_count;              /* keys without which no image satisfies it */
    uint8_t (*keys)[32];           /* spki_sha256 */
};

/* ERR_USAGE: not a policy. *out lives as long as `a`. */
bool guest_policy_read(struct view bytes, struct arena *a, struct guest_policy *out, struct err *e);
bool guest_policy_needs(const struct guest_policy *p, const uint8_t key[static 32]);

#endif
