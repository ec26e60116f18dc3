/* replay: Plinth's own event log, from its bytes to the register and to what the events say (agent/step/measure.h).
 *
 * A boot is: boot, initdata (where there is some), policy, a second policy with the uri that the first one names (then
 * it is the one that counts) and weaknesses (what that one is weak in, where it is), resource (at most CONFIG_RESOURCES_MAX), manifest, PullImage, config, one layer per layer
 * in manifest order, launch, separator; each of the others exactly once, all in this order. Every record is of Plinth's
 * register, EV_EVENT_TAG in AAEL form, with one digest per bank that is the digest of its bytes; contents are JSON
 * objects with exactly the members of their kind. Anything else before the separator is refused: whoever could slip an
 * event in could say anything. Behind the separator the events are the workload's: they are replayed and counted, and
 * believed for nothing; one in Plinth's own domain is refused.
 *
 * A boot that is not over yet has come to a stage: a guest asks a relying party (step/kbs.h) once its policy stands and
 * nothing was resolved (REPLAY_STARTED: after policy, weaknesses or resource), once its image does (REPLAY_IMAGE: after config or a
 * layer), and once the separator does (REPLAY_LAUNCHED). No evidence is made at any other point of a boot. */
#ifndef PLINTH_APPRAISE_REPLAY_H
#define PLINTH_APPRAISE_REPLAY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "tee/event.h"

#define REPLAY_RESOURCES_MAX 2u                                    /* as CONFIG_RESOURCES_MAX (step/step.h) */
#define REPLAY_EVENTS_MAX (LAYERS_MAX + REPLAY_RESOURCES_MAX + 11u) /* of a boot */

enum replay_stage { REPLAY_NONE, REPLAY_STARTED, REPLAY_IMAGE, REPLAY_LAUNCHED };
const char *replay_stage_name(enum replay_stage stage); /* "started", "image", "launched"; "none" */

struct replay {
    size_t bank_count;
    struct register_bank banks[BANKS_MAX]; /* after the last record */
    struct register_bank boot[BANKS_MAX];  /* at the separator: what can be predicted; equal to `banks` without one */
    size_t event_count, workload_count;
    struct view events[REPLAY_EVENTS_MAX]; /* "domain operation content" of the boot, in order */
    bool separated;
    enum replay_stage stage; /* where the log ends */
    /* text; empty as long as its event was not there */
    struct view agent, initdata, policy, weaknesses, image, manifest, index, config, process, user, failure;
    struct view named_by, policy_uri; /* the measured policy that named the one that counts, and where; else empty */
    size_t resource_count;
    struct replay_resource {
        struct view digest, uri;
    } resources[REPLAY_RESOURCES_MAX];
    size_t layer_count;
    struct replay_layer {
        struct view digest, diff_id;
    } layers[LAYERS_MAX];
};

/* Replays the records from zero, in the banks given (`banks[i].alg`), and nothing else: whoever asks compares.
 * ERR_FORMAT: the log is broken (tools/eventlog.h), a record of another register than `mr_index`, without a digest of a
 * bank. */
bool replay_register(struct view log, uint32_t mr_index, const struct register_bank *banks, size_t bank_count,
                     struct register_bank *out, struct err *e);

/* The whole, with every rule above. `out` is filled as far as it was read, also on failure. ERR_POLICY: the boot failed
 * (a failure event, with its reason) or did not end (no separator); ERR_DIGEST: a digest that is not that of its event;
 * ERR_FORMAT: anything else, naming the event. Views point into `a`. */
bool replay_log(struct view log, uint32_t mr_index, const struct register_bank *banks, size_t bank_count,
                struct arena *a, struct replay *out, struct err *e);
/* The same of a boot that may not be over: also good where it ends at a stage. */
bool replay_prefix(struct view log, uint32_t mr_index, const struct register_bank *banks, size_t bank_count,
                   struct arena *a, struct replay *out, struct err *e);

#endif
