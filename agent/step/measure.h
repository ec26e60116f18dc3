/* measure: the events of a boot, in their fixed order, into the register and its log (tee/event.h).
 *
 *   plinth boot      {"agent":"plinth 0.1.0"}
 *   plinth initdata  {"digest":"sha256:.."}                                               only if there is some (step/initdata.h)
 *   plinth policy    {"digest":"sha256:..","weaknesses":"signatures.allowUnsigned ..."}     weaknesses only if there are any
 *   plinth policy    {"digest":"sha256:..","uri":"kbs:///.."}                               the policy that the first one names (kbs.policy): this one counts
 *   plinth weaknesses {"weaknesses":".."}                                                   what that one is weak in, where it is: read once its digest is measured
 *   plinth resource  {"digest":"sha256:..","uri":"kbs:///.."}                             the registry's CA, then mirrors, where a KBS gives them
 *   plinth manifest  {"digest":"sha256:..","image":"host/repo:tag","index":"sha256:.."}     index only if one led to it
 *   github.com/confidential-containers PullImage {"digest":"sha256:..","image":"host/repo:tag"}
 *   plinth config    {"digest":"sha256:.."}
 *   plinth layer     {"diffID":"sha256:..","digest":"sha256:..","index":0}                 one per layer, manifest order
 *   plinth launch    {"process":"sha256:..","user":"nginx"}
 *   plinth separator {}                                                                   what follows is the workload's
 *   plinth failure   {"inFlight":"layer","reason":"..."}                                  when the boot ends by refusing
 *
 * inFlight, where it is there, names the event whose extending failed.
 *
 * Contents are RFC 8785 JSON. `image` is the policy's reference where it has one, else the one on the command line.
 * `process` is the SHA-256 of the RFC 8785 text {"args":[..],"cwd":"..","env":[..],"user":".."} of struct process.
 * Text from images is measured by digest; where it also stands in an event, bytes outside printable ASCII read "?".
 *
 * The same functions run in the guest, over a TPM, a TD or an SNP guest, and on the host, without, so that they cannot
 * differ: the final value follows from policy, manifest and config, and in the sha384 bank of a PCR it is the same as
 * in RTMR3. Each event is extended in every bank, of the TPM too where one stands beside the CPU, before it enters the
 * log. Its record is written ahead behind the log's end: when extending fails, the register is read, and the record
 * counts if the register has it after all. */
#ifndef PLINTH_STEP_MEASURE_H
#define PLINTH_STEP_MEASURE_H

#include "step/step.h"

/* Starts a log with its header, alone (`also` is the caller's to set). `tee` NULL for a prediction, which is then of
 * `pcr`. ERR_POLICY when the register is not zero in every bank: somebody extended it before us, and nobody could tell
 * that part from ours. */
bool measure_begin(struct measurement *m, struct tee *tee, unsigned pcr, struct arena *a, struct err *e);
/* One event of Plinth's domain. A full log is an error before anything is extended. */
bool measure_event(struct measurement *m, const char *operation, struct view content, struct err *e);
bool measure_boot(struct measurement *m, struct err *e);
/* `initdata`: SHA-256 of the whole text, whatever its algorithm. */
bool measure_initdata(struct measurement *m, const struct digest *initdata, struct err *e);
bool measure_policy(struct measurement *m, const struct policy *policy, struct err *e);
/* What a KBS gave and is followed from here on, before a byte of it is parsed: `what` is "policy" (a second one, which
 * the first one stood for) or "resource". */
bool measure_resource(struct measurement *m, const char *what, const struct config_resource *resource, struct err *e);
/* Of the second policy, once it is parsed. */
bool measure_weaknesses(struct measurement *m, const struct policy *policy, struct err *e);
/* manifest, PullImage, config. */
bool measure_image(struct measurement *m, const struct config *config, const struct verified_image *image, struct err *e);
/* Layer `i` of the manifest; call in manifest order, each after it was verified. */
bool measure_layer(struct measurement *m, const struct verified_image *image, size_t i, struct err *e);
/* launch and the separator. */
bool measure_launch(struct measurement *m, const struct process *process, struct err *e);
/* The reason that the console shows, at most 512 bytes of it. Safe on a measurement that was never begun (does nothing). */
bool measure_failure(struct measurement *m, const struct err *why, struct err *e);
/* Reads every register back: ERR_DIGEST with both values when it is not what its log says. True for a prediction. */
bool measure_check(const struct measurement *m, struct err *e);

/* All of it without a TEE, from measure_boot to the separator: the final value in m->banks (sha256, sha384), the log
 * in m->log. */
bool measure_predict(struct measurement *m, const struct config *config, const struct verified_image *image,
                     const struct process *process, struct arena *a, struct err *e);

/* The workload's own event, behind the separator: any domain but Plinth's and CoCo's, whose events only the boot makes
 * (ERR_POLICY). ERR_FORMAT: bytes that cannot be measured, too many of them, a full log. */
bool measure_workload(struct measurement *m, struct view domain, struct view operation, struct view content,
                      struct err *e);

/* The policy's reference or the command line's, as it is measured ("host/repo:tag@digest"); `out` 2 KiB or more. */
const char *measure_image_name(const struct config *config, char *out, size_t size);

#endif
