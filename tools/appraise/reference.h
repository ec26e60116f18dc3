/* reference: what a relying party expects: reference values and appraisal policy (RFC 9334 sections 8.3 and 8.5), as
 * one JSON file.
 *
 *   {"tpm": VALUES, "tdx": VALUES, "snp": VALUES, "policy": {..}, "inputs": .., "version": 1, "made_by": "..",
 *    "created": ".."}
 *
 * created (RFC 3339) has no meaning here: a relying party may ask it of signed ones, not to be given old ones
 * (attestations[].require).
 *
 * VALUES is one set of values as `plinth measure` prints them, or an array of sets, or an object that gives sets names
 * ({"uki": .., "direct": {"qemu >= 10": .., ..}}): alternatives, any one of which will do, as a whole. What `plinth
 * measure ... --json` prints is one, too: of its TEE, with the default policy. `make reference` makes one for all.
 *
 * A set's members:
 *
 *   tpm            sha256, sha384: {"0": value, .. "15": value}
 *   tdx            mrtd, rtmr0 .. rtmr3, mrconfigid, mrowner, mrownerconfig; mrtd_single_pass and
 *                  rtmr1_separator_in_rtmr0 are alternatives of mrtd and rtmr1
 *   snp            launch_digest, host_data, id_key_digest, author_key_digest, register (Plinth's, kept by the monitor)
 *   events         Plinth's own events in order, "domain operation content": to name the first one that differs
 *   boot_events    {"4": [sha256, ..], "rtmr1": [sha384, ..]}: the digests under a register, for the same purpose
 *
 * and, without meaning here: verdict, reason, mend, inputs, unknown, name, vcpu_type, vcpus, guest_features. A value is
 * lower-case hex, an array of alternatives, or null: not compared, which the appraisal says. Any other member is an
 * error: a value under a misspelt name would never be compared.
 *
 * policy, every member optional:
 *
 *   images         ["sha256:..."]  manifests of which the image must be one
 *   policies       ["sha256:..."]  files of which Plinth's own policy, the measured one, must be one
 *   weaknesses     ["signatures.allowUnsigned"]  what that policy may be weak in, where neither `policies` nor a
 *                  predicted register vouches for it
 *   minimumAgent   "0.1.0"  the least version of the agent
 *   tcbStatus      ["SWHardeningNeeded"]  accepted beside UpToDate (as --tcb-status)
 *   tcbEvaluation  17  the least tcbEvaluationDataNumber (as --tcb-evaluation)
 *   tcbMinimum     "hex"  SNP: the least REPORTED_TCB, 8 bytes
 *   allow          ["pck-crl"]  checks that may be missing or not hold (as --allow)
 *   roots          ["PEM text"]  roots instead of the vendors' (as --trust): private ones, and the verdict says so
 *   aks            ["sha256:..."]  attestation keys of TPMs that are known: SHA-256 of ak_public
 *   pcr            15  the PCR that is Plinth's: a document that names another is refused, for others may extend that
 */
#ifndef PLINTH_APPRAISE_REFERENCE_H
#define PLINTH_APPRAISE_REFERENCE_H

#include "format/json.h"
#include "tools/appraise/evidence.h"
#include "tools/appraise/x509.h"

#define REFERENCE_FILE_MAX (4u << 20)
#define REFERENCE_SETS_MAX 256u
#define REFERENCE_NAME_MAX 96u

struct reference_set {
    enum evidence_tee tee;
    char name[REFERENCE_NAME_MAX]; /* "tpm, direct, qemu >= 10" */
    const json *values;
};

struct reference {
    uint8_t sha256[32]; /* of the file: which policy it was that was applied */
    size_t set_count;
    struct reference_set *sets;
    const json *images, *policies, *weaknesses, *allow, *tcb_status, *aks; /* arrays of strings, or NULL */
    struct view minimum_agent;                                             /* empty: any */
    uint64_t tcb_evaluation;                                               /* 0: any */
    unsigned pcr;                                                          /* Plinth's */
    bool has_tcb_minimum;
    uint8_t tcb_minimum[8];
    struct anchors roots;
};

/* ERR_USAGE naming the member. `text` and `a` outlive `out`. */
bool reference_read(struct view text, struct arena *a, struct reference *out, struct err *e);
/* The same of an object that was parsed already, part of `text`, which out->sha256 is then that of. NULL is no object. */
bool reference_take(const json *o, struct view text, struct arena *a, struct reference *out, struct err *e);

/* `have` against the value at a JSON Pointer of a set, or at `also`, where there is a second name. */
enum reference_match { REFERENCE_SILENT, REFERENCE_SAME, REFERENCE_DIFFERS };
enum reference_match reference_compare(const struct reference_set *set, const char *path, const char *also,
                                       struct view have);
/* For messages: the value (the first of several) as text, cut to `size`. */
const char *reference_brief(const struct reference_set *set, const char *path, char *out, size_t size);
/* Whether an array of strings has this one; false for NULL. */
bool reference_lists(const json *array, struct view text);
/* "0.10.2" is at least "0.9": numbers between dots; what is no number counts 0. */
bool reference_version_at_least(struct view have, struct view least);

#endif
