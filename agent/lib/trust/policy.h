/* policy: the measured file that says what may run (design.md "Policy file"). JSON; unknown members are errors.
 *
 * All views live in the arena given to policy_parse. Every secure choice is the default; `weaknesses` lists the weaker
 * ones that the file takes by name, to be printed at boot and put into the event log. */
#ifndef PLINTH_TRUST_POLICY_H
#define PLINTH_TRUST_POLICY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "crypto/keys.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "trust/require.h"

struct policy_key {
    struct view name;
    struct public_key key;
};

/* Bits in the order of sys/tee.h's enum tee_kind. */
enum policy_tee { POLICY_TEE_TPM = 1, POLICY_TEE_TDX = 2, POLICY_TEE_SNP = 4, POLICY_TEE_ALL = 7 };

/* How a root file system may differ from an SBOM; bit i is the i-th of sbom.refuse's words. */
enum policy_sbom { SBOM_MISSING, SBOM_CHANGED, SBOM_UNLISTED, SBOM_DIFFERENCES };

/* "`threshold` of `keys`": bit i stands for policy.keys[i]. */
struct policy_keys {
    uint32_t threshold;
    uint64_t keys;
};

/* A simple-signing payload and its signature, made offline and never uploaded. */
struct policy_inline {
    struct view payload, signature; /* decoded */
};

struct policy_attestation {
    struct view predicate_type;
    struct policy_keys signers;
    size_t requirement_count;
    struct requirement *requirements;
};

#define POLICY_GROUPS_MAX 16u
#define POLICY_INLINE_MAX 32u
#define POLICY_ATTESTATIONS_MAX 16u
#define POLICY_REQUIREMENTS_MAX 64u
#define POLICY_MIRRORS_MAX 8u
#define POLICY_AUTHS_MAX 32u
#define POLICY_PCR_DEFAULT 15u

struct policy_auth {
    struct view registry; /* "host", "host:port" or "host/path" as in Docker's auth.json */
    struct view userpass; /* decoded "user:password" */
};

struct policy {
    struct digest digest; /* of the file's bytes: what is measured */
    bool has_image;
    struct reference image;

    size_t mirror_count;
    struct view mirrors[POLICY_MIRRORS_MAX];
    struct view ca_pem; /* empty: the bundle of the initrd (or host) */
    size_t auth_count;
    struct policy_auth auths[POLICY_AUTHS_MAX];
    bool allow_http;

    size_t key_count; /* distinct keys of all lists; at most KEYS_MAX */
    struct policy_key *keys;

    bool allow_unsigned; /* then all of the next are empty */
    size_t group_count;  /* signatures.keys, where given, is the first: it and every one of signatures.groups must hold */
    struct policy_keys groups[1 + POLICY_GROUPS_MAX];
    bool top_keys;             /* whether groups[0] is signatures.keys */
    const json *annotations;   /* NULL, or an object of strings that each signature must carry */
    struct view identity;      /* "host/repository" that each signature must name; empty: any */
    bool message_signatures;   /* a bundle's messageSignature over the manifest counts, too */
    size_t inline_count;
    struct policy_inline *inlines;

    size_t attestation_count; /* all must hold */
    struct policy_attestation *attestations;

    struct {
        bool match_rootfs; /* what SBOMs among the attestations say is held against the root file system (step/sbom.h) */
        unsigned refuse;   /* bits of policy_sbom */
    } sbom;

    unsigned tees; /* bits of policy_tee; all when the member is absent */
    unsigned pcr;  /* register.pcr, POLICY_PCR_DEFAULT where absent; 8-15 allowed */

    struct text_list args; /* run.args: replaces entrypoint and cmd when has_args */
    bool has_args;
    struct text_list env; /* run.env as "NAME=value", replacing or adding to the image's */
    struct view user;     /* run.user, empty: the image's */

    struct {
        uint32_t layers;
        uint64_t bytes;     /* unpacked, all layers together */
        uint64_t files;     /* tar entries, all layers together */
        uint32_t seconds;   /* for the whole pull */
        bool allow_devices; /* device nodes in layers */
    } limits;

    struct view weaknesses; /* "signatures.allowUnsigned registry.allowHttp", empty when none */
};

/* Members: image, registry{mirrors, ca, auth{auths{HOST{auth | username,password}}}, allowHttp},
 * signatures{threshold, keys[{name, pem}], groups[{threshold, keys}], annotations{NAME: TEXT}, identity, inline[{payload,
 * signature}], messageSignatures, allowUnsigned}, attestations[{predicateType, threshold, keys, require[see require.h]}], sbom{matchRootfs, refuse}, tee,
 * register{pcr}, run{mode ("exec"), args, env, user}, limits{layers, bytes (number or "8GiB"), files, seconds, allowDevices}.
 * ERR_USAGE with the member's path for: not JSON, unknown member, wrong type, unreadable key, a key twice in one list, one name
 * for two keys, threshold (all of the list when absent) 0 or above the number of keys ("no image can satisfy it"), empty
 * lists, no signatures member and no allowUnsigned, allowUnsigned beside any other member of signatures, a requirement that says
 * nothing or cannot be met, sbom.matchRootfs without an SBOM's predicateType among the attestations, pcr out of 8..15, limits of zero, CA without a certificate. A key may stand in several lists; where
 * these name it differently, the first name is used. */
bool policy_parse(struct view bytes, struct arena *a, struct policy *out, struct err *e);

/* "user:password" for a registry host and repository: the longest entry that is the host or "host/prefix" of the
 * repository; empty when none. */
struct view policy_credential(const struct policy *p, struct view host, struct view repository);

#endif
