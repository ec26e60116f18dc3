/* verify: the appraisal of an evidence document: quote, logs, reference values, policy, joined into one list of checks.
 *
 * Checks, by name, beside those of the quote (tdx.h, snp.h, tpm.h). Of a TPM beside a CPU they begin with "tpm-".
 *
 *   nonce               the document's nonce is the one that was asked for; the quote's own check binds it
 *   preimage            (CPU) it says nonce, register, AK as the document does; the quote's report-data binds it
 *   ak-known            the AK is named in a CPU's report, has a certificate up to a root that was given, or is one of
 *                       policy.aks; else anybody's software may have signed (policy)
 *   register            the event log replays to Plinth's register, which is the expected one and under the quote
 *   event-log           its events are those of one boot that was finished (replay.h)
 *   firmware-log        replays to every PCR or RTMR that it speaks of; the others are zero (but PCR 10, Linux IMA's)
 *   claims              image, manifest and policy that the document names are those of the log
 *   reference-values    one set of the reference has every value that it knows as it is here, and under the quote
 *   reference-coverage  that set knows what decides: MRTD, RTMR1, RTMR2; the launch digest; PCR 4 and 9 or 11 (policy)
 *   image               what was booted is expected: a predicted register, or one of policy.images (policy)
 *   policy-digest, weaknesses, agent-version    policy.policies, policy.weaknesses, policy.minimumAgent (policy)
 *                       policy-digest without policy.policies only for a release: see there
 *   tpm-events          the TPM's log tells of the same boot as the CPU's
 *
 * A verdict that rests on less than a vendor's hardware carries caveats: the register is the monitor's word; the root
 * is not the vendor's; the AK is bound to nothing; PCR 0, the firmware's, is not compared; no nonce was given. They do
 * not refuse, but stand in the verdict, and it is never "affirming". Their names, for a release policy:
 * "register-by-monitor", "root-not-vendor", "ak-unbound", "firmware-unknown", "no-nonce"; "waived" (--allow-missing).
 *
 * For a release (a KBS asks before it gives something away) two things are different. The boot need not be over: the
 * log may end at a stage (replay.h). Then Plinth's register, which nobody can predict for the middle of a boot, still
 * has to be what its log replays to, and is as expected where the log is the beginning of `events` of the set; a set
 * without `events` says nothing of it, so that policy.images and the policy decide. What the firmware measured is
 * compared as ever. And the policy must be vouched for, since whoever brings one of his own decides which command the
 * image runs: by the register, by policy.policies, by the reference's value of what binds the initdata that it came
 * with (MRCONFIGID, HOST_DATA, PCR 8), or because it came with the initramfs, whose measurement reference-coverage
 * demands. A second one out of a KBS is as good as the first, which names that KBS, but not by plain HTTP.
 *
 * A foreign document (foreign.h) has no register, event-log, claims and preimage: report-data is the nonce itself,
 * firmware-log is of all four RTMRs, and image holds where RTMR3, or initdata that is bound, is as the reference says.
 */
#ifndef PLINTH_APPRAISE_VERIFY_H
#define PLINTH_APPRAISE_VERIFY_H

#include "tools/appraise/appraisal.h"
#include "tools/appraise/evidence.h"
#include "tools/appraise/reference.h"
#include "tools/appraise/replay.h"

#define CAVEATS_MAX 8u
#define CLAIMS_MAX (2 * EVIDENCE_PCRS)

/* What one set of reference values says about what is here. */
struct comparison {
    const struct reference_set *set; /* the nearest; NULL: there is none for this TEE */
    size_t same, differs, silent;
    bool own;            /* Plinth's register was among the same */
    bool initdata;       /* what binds initdata was among the same */
    bool covered;        /* see reference-coverage */
    char text[1024];     /* names of what is the same, or the first that differs */
    char uncovered[192]; /* names of what is not known, but decides */
    char silent_text[384];
};

struct verification {
    /* the relying party's */
    const struct evidence_document *document;
    const struct reference *reference;
    struct view nonce;      /* empty: none was given */
    bool release;           /* see above */
    struct appraisal quote; /* the relying party's part filled in, but the nonce; its checks are the list of all */
    /* what came of it */
    struct replay replay; /* of the log that leads */
    bool replayed, register_holds;
    struct comparison comparison;
    size_t caveat_count;
    const char *caveats[CAVEATS_MAX];
    const char *caveat_names[CAVEATS_MAX]; /* literals */
};

/* Certificates that came with the evidence, to those that were given: no better than any others, and judged like them.
 * A TPM's count only where somebody named a root. ERR_FORMAT. */
bool verify_add_certificates(const struct evidence_document *d, const struct anchors *trust, struct collateral *given,
                             struct arena *a, struct err *e);
/* The texts of an array of the reference's policy, behind those of the option that says the same. ERR_USAGE. */
bool verify_join(struct option_list *list, const json *more, struct arena *a, struct err *e);
void verify_evidence(struct verification *v);
/* Members for --json: claims of the log, reference, caveats, quote (its fields), and ear: the same as EAR
 * (draft-ietf-rats-ear, vector of draft-ietf-rats-ar4si), unsigned; claims that nothing here proves are left out. */
void verify_write(const struct verification *v, const struct err *verdict, struct result *out);
/* EAR's appraisal of what leads: a member `name` of its submods. */
void verify_write_submod(const struct verification *v, const struct err *verdict, const char *name, struct result *out);
/* For people, on standard output. */
void verify_print(const struct verification *v, const struct err *verdict);

#endif
