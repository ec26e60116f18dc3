/* initdata: what the owner binds to a machine at its launch, as Confidential Containers write it (trustee,
 * kbs/docs/initdata.md): TOML with `version` ("0.1.0"), `algorithm` (sha256, sha384, sha512) and a table [data] of
 * strings. Its digest is over the whole text.
 *
 * It is bound by MRCONFIGID of a TD (48 bytes), by HOST_DATA of an SNP guest (32), or by PCR 8: a shorter digest has
 * zeros behind it, a longer one is cut. `algorithm` stands in the text, so all three digests are compared before any of
 * it is parsed, and `algorithm` has to be the one that was right.
 *
 * [data] as this build reads it:
 *   plinth-policy.json  the policy (trust/policy.h)
 *   aa.toml, cdh.toml   parameters of CoCo's attestation agent and data hub. Which KBS is asked, and that registry
 *                       credentials come from it, is followed; those that concern parts which Plinth does without are
 *                       ignored and named in `ignored`; all others are refused by their name: an image's policy,
 *                       mirrors, a proxy, CAs belong into plinth-policy.json
 *   anything else       is refused; policy.rego, too: its rules would be those of another program */
#ifndef PLINTH_TEE_INITDATA_H
#define PLINTH_TEE_INITDATA_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "crypto/hash.h"

#define INITDATA_PCR 8u
#define INITDATA_POLICY "plinth-policy.json"

struct initdata {
    enum hash_alg algorithm;
    struct view policy;  /* empty: none */
    struct view ignored; /* "aa.toml log.level, ..." in printable ASCII; may be empty */
    struct {
        /* aa.toml token_configs.kbs.url and cert, cdh.toml kbc.url and kbs_cert, each empty where neither has it */
        struct view url, ca_pem;
        bool rsa_key;         /* aa.toml token_configs.kbs.tee_key_algorithm is the RSA one */
        struct view auth_uri; /* cdh.toml image.authenticated_registry_credentials_uri, as it stands there */
    } kbs;
};

/* ERR_FORMAT: not such a text; ERR_POLICY: a member or value that this build does not follow, aa.toml and cdh.toml
 * at odds. Views live in `a` and in `text`. */
bool initdata_parse(struct view text, struct arena *a, struct initdata *out, struct err *e);

/* Which digest of `text` the register `bound`, 32 or 48 bytes, holds; *out stays where both are empty. ERR_DIGEST with
 * all values: none of them; the register is all zero, and nothing was bound; it is not, and the text is empty. `name`
 * is the register's. */
bool initdata_match(struct view text, const char *name, struct view bound, enum hash_alg *out, struct err *e);

/* The digest as a register of `size` bytes (at most HASH_MAX) holds it. */
void initdata_bound(struct view text, enum hash_alg alg, uint8_t *out, size_t size);

#endif
