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
#include "sys/tpm.h"
#include "tee/event.h"
#include "trust/policy.h"
#include "trust/signature.h"

/* config -> everything: what the machine's owner decided. */
struct config {
    struct policy policy;
    struct reference image; /* the policy's, or the command line's of the host tool */
    struct platform platform;
    struct view ca_pem;
    int64_t deadline_ms; /* from limits.seconds; 0 before the pull starts */
};

/* resolve -> trust: nothing in here is believed yet. */
struct resolved {
    struct view top, child;           /* raw manifest bytes; child is empty unless top may be an index */
    struct view top_type, child_type; /* media types as told */
    struct digest top_digest, child_digest;
    size_t candidate_count;
    struct signature_candidate candidates[SIGNATURES_MAX];
};

/* trust -> measure, layers, launch: checked. Only trust_image and trust_config make one. */
struct verified_image {
    struct digest manifest_digest, index_digest;
    bool through_index;
    struct manifest manifest;
    struct signature_verdict signatures;
    struct digest config_digest;
    struct image_config config;
};

/* The register and its log. `tpm` NULL: a prediction on the host, both banks computed alone. */
struct measurement {
    struct tpm *tpm;
    unsigned mr_index;
    size_t bank_count;
    struct register_bank banks[BANKS_MAX];
    struct writer log;
};

#endif
