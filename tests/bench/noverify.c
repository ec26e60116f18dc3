/* A plinth that checks nothing, for `make bench` alone: it shows what checking costs. Never installed, never in an
 * initramfs. No source of Plinth knows it: the linker (--wrap) puts these in the place of the real ones where layers are
 * hashed and digests and signatures compared. What is hashed in one piece, such as a manifest, is so here too. */
#include "crypto/hash.h"
#include "crypto/sig.h"
#include "oci/digest.h"

#include <stdio.h>

void __wrap_hash_update(struct hash *h, struct view bytes);
bool __wrap_digest_eq(const struct digest *a, const struct digest *b);
bool __wrap_sig_verify(const struct public_key *key, enum sig_rule rule, const struct view *parts, size_t part_count,
                       struct view signature);

void __wrap_hash_update(struct hash *h, struct view bytes) { (void)h, (void)bytes; }

bool __wrap_digest_eq(const struct digest *a, const struct digest *b) {
    (void)a, (void)b;
    return true;
}

bool __wrap_sig_verify(const struct public_key *key, enum sig_rule rule, const struct view *parts, size_t part_count,
                       struct view signature) {
    (void)key, (void)rule, (void)parts, (void)part_count, (void)signature;
    return true;
}

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int __wrap_main(int argc, char **argv) {
    if (argc > 1) fputs("plinth-noverify: NOTHING IS CHECKED; this program is for benchmarks only\n", stderr);
    return __real_main(argc, argv);
}
