/* see guest_policy.h */
#include "tools/serve/guest_policy.h"

#include "trust/policy.h"

/* Without key `i` one of the groups, all of which must hold, has fewer keys than its threshold. */
static bool needed(const struct policy *p, size_t i) {
    for (size_t g = 0; g < p->group_count; g++)
        if (p->groups[g].keys >> i & 1 && (uint32_t)__builtin_popcountll(p->groups[g].keys) <= p->groups[g].threshold)
            return true;
    return false;
}

bool guest_policy_read(struct view bytes, struct arena *a, struct guest_policy *out, struct err *e) {
    struct policy *p = arena_alloc(a, sizeof *p);
    struct guest_policy made = {0};
    if (!p) return arena_full(a, e);
    if (!policy_parse(bytes, a, p, e)) return false;
    if (!(made.keys = arena_alloc(a, (p->key_count + 1) * sizeof *made.keys))) return arena_full(a, e);
    for (size_t i = 0; i < p->key_count; i++)
        if (needed(p, i)) memcpy(made.keys[made.key_count++], p->keys[i].key.spki_sha256, 32);
    digest_text(&p->digest, made.digest);
    *out = made;
    return true;
}

bool guest_policy_needs(const struct guest_policy *p, const uint8_t key[static 32]) {
    for (size_t i = 0; i < p->key_count; i++)
        if (!memcmp(p->keys[i], key, 32)) return true;
    return false;
}
