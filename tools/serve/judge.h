/* judge: what `plinth serve` thinks of a guest, and what it gives away for that.
 *
 * judge_appraise is `plinth verify` (tools/appraise/verify.h) of an evidence document whose boot need not be over: the
 * log may end behind policy, config or separator, and that is the guest's stage ("started", "image", "launched").
 * judge_release asks the release policy (release.h) about one resource.
 *
 * Claims are one JSON object; text that is not known is left out:
 *
 *   verdict    "affirming", or "warning": accepted, with caveats
 *   tee        "tpm", "tdx", "snp"
 *   stage      "started", "image", "launched"; "other" of a foreign agent (appraise/foreign.h), of which there are only
 *              verdict, tee, stage, set, reference and caveats
 *   agent      "plinth 0.1.0"
 *   initdata, policy, manifest, config     "sha256:.."; policy is the one that counts, `named_by` the measured one that
 * named it image      "host/repo:tag" layers     ["sha256:.."]  digests, in manifest order, as far as the log goes
 *   resources  [{"uri":"kbs:///..","digest":"sha256:.."}]  what the guest followed from a KBS
 *   weaknesses ["signatures.allowUnsigned"]
 *   set        name of the reference set that matched      reference  SHA-256 of the reference file, hex
 *   caveats    ["root-not-vendor", "allowed-pck-crl"]  names (verify.h); of checks that did not hold and were allowed
 *
 * They travel in the token, so that judge_release needs nothing else; who verifies that token trusts them. */
#ifndef PLINTH_SERVE_JUDGE_H
#define PLINTH_SERVE_JUDGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"
#include "format/json.h"
#include "tools/options.h"

#define JUDGE_CLAIMS_MAX (24u << 10) /* 128 layers, and the rest; a buffer of this size is never too small */
#define JUDGE_SUBMODS_MAX 1024u
/* A thread that calls judge_appraise needs this much stack (musl's default is 128 KiB). */
#define JUDGE_STACK_MIN (512u << 10)

/* As the options of `plinth verify` that have the same names; all but `reference` may be NULL. */
struct judge_options {
    const char *reference;                    /* file: reference values and appraisal policy */
    const char *policy;                       /* file: release policy (release.h); NULL: its default */
    const struct option_list *guest_policies; /* files: policies of guests, whose keys the release policy may ask for */
    const struct option_list *certs;          /* --certs, repeated: files or directories */
    const char *trust;                        /* --trust */
    const char *at;                           /* --at: NULL is the time of each appraisal */
    const struct option_list *statuses;       /* --tcb-status */
    const char *evaluation;                   /* --tcb-evaluation */
    const struct option_list *allow;          /* --allow */
};

struct judge;

/* Once; `options`' strings and `a` outlive *out, which is never changed afterwards. ERR_USAGE: a file that cannot be
 * read, or holds something else. */
bool judge_load(const struct judge_options *options, struct arena *a, struct judge **out, struct err *e);
void judge_drop(struct judge *j); /* NULL does nothing */

/* `tee`: what the Request called itself; `evidence`: primary_evidence; `report_data`: the hash over nonce
 * and key (rcar_report_data), which the document's nonce (evidence_key_nonce of EVIDENCE_KEY_KBS), or the quote of
 * Trustee's shapes, must be of. `claims` gets the object above, `submods` (may be NULL) the object of that name of an EAR (draft-ietf-rats-ear), one entry.
 * Thread-safe; takes some MiB of address space for the time of the call. False: refused, with the reason (ERR_FORMAT,
 * ERR_DIGEST, ERR_SIGNATURE, ERR_POLICY: the guest's fault; ERR_SYSTEM: ours); outputs are untouched. */
bool judge_appraise(const struct judge *j, struct view tee, const json *evidence, const uint8_t report_data[static 48],
                    struct writer *claims, struct writer *submods, struct err *e);

/* Whether a guest with these claims may have the resource "repo/type/tag". Thread-safe. ERR_POLICY with the reason in
 * full, for the audit log: the guest is told nothing but no. ERR_FORMAT: claims that judge_appraise did not write. */
bool judge_release(const struct judge *j, const json *claims, struct view path, struct err *why);

#endif
