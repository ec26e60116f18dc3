/* step: the structs that flow from one step to the next (design.md "The way of the data"). Each step is a function in its own file. */
#ifndef PLINTH_STEP_STEP_H
#define PLINTH_STEP_STEP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/writer.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "sys/proc.h"
#include "sys/tee.h"
#include "tee/event.h"
#include "trust/attestation.h"
#include "trust/policy.h"
#include "trust/signature.h"

/* Where secrets come from: a KBS (step/kbs.h), or a directory (host tool). */
struct secret_source {
    /* The resource at a checked URI (policy_resource), at most `max` bytes, into `secrets` (sys/secret_memory.h).
     * ERR_POLICY: denied, or there is none; ERR_NETWORK: no answer. */
    bool (*get)(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e);
    void *state;
};

/* What a KBS gave and is measured, since it is followed: CA, mirrors. */
struct config_resource {
    struct view uri;
    struct digest digest;
};
#define CONFIG_RESOURCES_MAX 2u

/* config -> everything: what the machine's owner decided, and where this program runs. */
struct config {
    struct policy policy;
    struct reference image; /* the policy's, or the command line's of the host tool */
    struct platform platform;
    struct view ca_pem;       /* policy.registry.ca, else: */
    struct view ca_bundle;    /* of the initrd or host */
    const char *fetch_worker; /* WORKER_FETCH, or the host tool's reader of OCI layouts */
    int fetch_room;           /* directory descriptor of the fetch worker's room; -1: see confine.h */
    bool overlay;             /* guest: layers become an overlay; host: they are merged into one directory */
    bool has_initdata;        /* `initdata` is the SHA-256 of what was bound at launch (step/initdata.h) */
    struct digest initdata;
    struct view initdata_text; /* for a KBS, which holds it against the register too */
    int64_t deadline_ms;      /* from limits.seconds, on clock_ms(); 0 for none */
    const struct secret_source *secrets; /* NULL: there is none */
    const struct policy *first; /* the policy that named (kbs.policy) the one that counts; NULL: there is only one */
    size_t resource_count;
    struct config_resource resources[CONFIG_RESOURCES_MAX];
};

/* resolve -> trust: nothing in here is believed yet. */
struct resolved {
    struct view top, child;           /* raw manifest bytes; child is empty unless top may be an index */
    struct view top_type, child_type; /* media types as told */
    struct digest top_digest, child_digest;
    struct descriptor config_said; /* as the fetch worker read it; size 0: nothing was asked for early */
    struct view config;            /* bytes of that size and digest, or empty */
    size_t candidate_count;
    struct signature_candidate candidates[SIGNATURES_MAX];
};

/* trust -> measure, layers, launch: checked. Only trust_image and trust_config make one. */
struct verified_image {
    struct digest manifest_digest, index_digest;
    bool through_index;
    struct manifest manifest;
    struct signature_verdict signatures;
    struct attestation_verdict attestations;
    struct digest config_digest;
    struct image_config config;
};

/* trust -> measure, launch: what will run, the image's config with the policy's `run` laid over it. */
struct process {
    struct text_list args, env; /* as execve gets them */
    struct view user, cwd;      /* as named in the policy or the config; empty user: root */
};

/* A register and its log (step/measure.h). `tee` NULL: a prediction on the host, sha256 and sha384 computed alone. */
struct measurement {
    struct tee *tee;
    unsigned mr_index; /* in the log */
    size_t bank_count;
    struct register_bank banks[BANKS_MAX];
    struct writer log; /* EVENTLOG_MAX bytes of the arena */

    /* Written ahead: the event that is on its way into the register; in_flight NULL when none is. */
    const char *in_flight;                /* its operation */
    struct register_bank next[BANKS_MAX]; /* the register with it */
    size_t next_log;                      /* the log's length with its record, which stands there already */

    struct measurement *also; /* the TPM's beside a CPU's: every event goes into both */
};

#endif
