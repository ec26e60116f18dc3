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
#define POLICY_DECRYPT_KEYS_MAX 16u
#define POLICY_SECRETS_MAX 64u
#define POLICY_API_PREFIXES_MAX 16u

struct policy_auth {
    struct view registry; /* "host", "host:port" or "host/path" as in Docker's auth.json */
    struct view userpass; /* decoded "user:password" */
};

/* One of run.secrets: where it comes from, and what it becomes. */
struct policy_secret {
    struct view uri;    /* "kbs:///repo/type/tag", or empty */
    struct view sealed; /* "sealed.", JWS compact, or empty; both empty: the value of the variable `env` is that text */
    struct view file;   /* becomes /run/secrets/<file>, or empty: */
    struct view env;    /* becomes this environment variable */
    uint16_t mode;      /* of the file: 0400 where absent */
    struct view owner;  /* of the file, "user[:group]" as in run.user; empty: the process's user */
};

enum policy_mode { POLICY_EXEC, POLICY_SUPERVISE };

/* Bits of run.api.feature, in CoCo's words: "resource", "attestation", "all". */
enum policy_api { POLICY_API_RESOURCE = 1, POLICY_API_ATTESTATION = 2 };

struct policy {
    struct digest digest; /* of the file's bytes: what is measured */
    bool has_image;
    struct reference image;

    struct {
        struct view url;    /* "https://host[:port]"; empty: none, or initdata's */
        struct view ca_pem; /* empty: the bundle of the initrd (or host) */
        struct view policy; /* "kbs:///repo/type/tag" of the policy that this one stands for; else empty */
        bool rsa_key;       /* teeKey is RSA-OAEP-256 instead of ECDH-ES+A256KW */
        bool allow_http;
    } kbs;

    /* Resources that hold what is not here; empty: none. Docker's auth.json, PEM, a JSON array of mirrors. */
    struct view auth_uri, ca_uri, mirrors_uri;
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

    size_t decrypt_key_count; /* URIs of private keys for layers that are encrypted to public ones (JWE) */
    struct view decrypt_keys[POLICY_DECRYPT_KEYS_MAX];

    unsigned tees; /* bits of policy_tee; all when the member is absent */
    unsigned pcr;  /* register.pcr, POLICY_PCR_DEFAULT where absent; 8-15 allowed */

    struct text_list args; /* run.args: replaces entrypoint and cmd when has_args */
    bool has_args;
    struct text_list env; /* run.env as "NAME=value", replacing or adding to the image's */
    struct view user;     /* run.user, empty: the image's */
    enum policy_mode mode;
    size_t secret_count;
    struct policy_secret *secrets;
    unsigned api; /* bits of policy_api; 0: no API in the guest */
    size_t api_prefix_count;
    struct view api_prefixes[POLICY_API_PREFIXES_MAX]; /* what the workload may ask the KBS for; none: anything but what the boot itself used */
    uint16_t tls_port, tls_forward; /* run.tls: the supervisor ends RA-TLS at the first, the container listens at the second; 0: not */

    struct {
        uint32_t layers;
        uint64_t bytes;     /* unpacked, all layers together */
        uint64_t files;     /* tar entries, all layers together */
        uint32_t seconds;   /* for the whole pull */
        bool allow_devices; /* device nodes in layers */
    } limits;

    struct view weaknesses; /* "signatures.allowUnsigned registry.allowHttp", empty when none */
};

/* Members: image, kbs{url, ca, teeKey, policy, allowHttp}, registry{mirrors, ca, auth{auths{HOST{auth | username,password}}}, allowHttp},
 * signatures{threshold, keys[{name, pem}], groups[{threshold, keys}], annotations{NAME: TEXT}, identity, inline[{payload,
 * signature}], messageSignatures, allowUnsigned}, attestations[{predicateType, threshold, keys, require[see require.h]}], sbom{matchRootfs, refuse}, tee,
 * decrypt{keys}, register{pcr}, run{mode ("exec", "supervise"), args, env, user, secrets[{uri | sealed, file, mode, owner | env}], api{feature,
 * resources}, tls{port, forward}}, limits{layers, bytes (number or "8GiB"), files, seconds, allowDevices}.
 * ERR_USAGE with the member's path for: not JSON, unknown member, wrong type, unreadable key, a key twice in one list, one name
 * for two keys, threshold (all of the list when absent) 0 or above the number of keys ("no image can satisfy it"), empty
 * lists, no signatures member and no allowUnsigned, allowUnsigned beside any other member of signatures, a requirement that says
 * nothing or cannot be met, sbom.matchRootfs without an SBOM's predicateType among the attestations, pcr out of 8..15, limits of zero, CA without a certificate, run.api or run.tls without a supervisor, any other
 * member than kbs, tee and register beside kbs.policy. In place of mirrors, a CA or credentials stands the "kbs:///repo/type/tag" that holds them. A key may stand in several lists; where
 * these name it differently, the first name is used. */
bool policy_parse(struct view bytes, struct arena *a, struct policy *out, struct err *e);

/* The same members out of KBS resources into the policy: registry.auth's object (Docker's auth.json, where members that
 * Docker writes beside `auths` are ignored), PEM certificates, a JSON array of mirrors. ERR_FORMAT naming what is wrong. */
bool policy_take_auth(struct policy *p, struct view text, struct arena *a, struct err *e);
bool policy_take_ca(struct policy *p, struct view pem, struct arena *a, struct err *e);
bool policy_take_mirrors(struct policy *p, struct view text, struct arena *a, struct err *e);

/* "kbs:///repository/type/tag" or "kbs://host/repository/type/tag": three parts of letters, digits, '-', '_' and '.',
 * none of them "." or ".." (trustee, kbs/docs/kbs_attestation_protocol.md; anything else would be a path of somebody
 * else's choice). *path is "repository/type/tag". */
bool policy_resource(struct view uri, struct view *path);

/* "user:password" for a registry host and repository: the longest entry that is the host or "host/prefix" of the
 * repository; empty when none. */
struct view policy_credential(const struct policy *p, struct view host, struct view repository);

#endif
