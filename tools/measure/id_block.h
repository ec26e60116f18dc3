/* id_block: what a guest's owner signs so that an SNP platform starts this launch digest and no other (AMD 56860
 * "SEV-SNP Firmware ABI", SNP_LAUNCH_FINISH, tables "ID Block" and "ID Authentication Information"; section "ECDSA
 * P-384 public key"). ECDSA P-384 with SHA-384, nonce by RFC 6979: the same key and input give the same bytes. */
#ifndef PLINTH_TOOLS_MEASURE_ID_BLOCK_H
#define PLINTH_TOOLS_MEASURE_ID_BLOCK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#define ID_BLOCK_SIZE 96u
#define ID_AUTH_SIZE 4096u

struct id_block {
    uint8_t launch_digest[48];
    uint8_t family_id[16], image_id[16];
    uint32_t guest_svn;
    uint64_t policy; /* of the guest: bit 17 is always set, 16 allows SMT, 19 debugging */
};

struct id_signed {
    uint8_t block[ID_BLOCK_SIZE];
    uint8_t auth[ID_AUTH_SIZE];
    uint8_t id_key_digest[48];     /* as a report shows them */
    uint8_t author_key_digest[48]; /* zero without an author key */
};

/* `id_key` and `author_key`: private keys in PEM (SEC1 or PKCS#8); an empty author key: none. ERR_FORMAT: a key that is
 * no P-384 private key. ERR_SYSTEM: `a` is full. */
bool id_block_sign(const struct id_block *block, struct view id_key, struct view author_key, struct arena *a,
                   struct id_signed *out, struct err *e);

#endif
