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

struct policy_key {
    struct view name;
    struct public_key key;
};

enum policy_tee { POLICY_TEE_TPM = 1, POLICY_TEE_TDX = 2, POLICY_TEE_SNP = 4 };

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

    uint32_t threshold; /* 0 only with allow_unsigned */
    size_t key_count;
    struct policy_key keys[KEYS_MAX];
    bool allow_unsigned;

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
 * signatures{threshold, keys[{name, pem}], allowUnsigned}, tee, register{pcr}, run{mode ("exec"), args, env, user},
 * limits{layers, bytes (number or "8GiB"), files, seconds, allowDevices}.
 * ERR_USAGE with the member's path for: not JSON, unknown member, wrong type, unreadable or duplicate key (same SPKI or
 * same name), threshold (all keys when absent) 0 or above the number of keys ("no way to be satisfied"), no signatures
 * member and no allowUnsigned, both keys and allowUnsigned, pcr out of 8..15, limits of zero, CA without a certificate.
 */
bool policy_parse(struct view bytes, struct arena *a, struct policy *out, struct err *e);

/* "user:password" for a registry host and repository: the longest entry that is the host or "host/prefix" of the
 * repository; empty when none. */
struct view policy_credential(const struct policy *p, struct view host, struct view repository);

#endif
