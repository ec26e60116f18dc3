/* api: the monitor's side of the API in the guest (run.api): what a workload may ask for, and the answers. HTTP and
 * JSON are the worker's (worker/api.h).
 *
 *   evidence   over the workload's 64 bytes, in Trustee's shape; by a child, for quotes are slow
 *   resource   of the owner's KBS: below run.api.resources, or, without that list, all but what the boot itself asked for
 *   token      of the KBS, and the key pair it names; anew after every event of the workload's
 *   extend     an event behind the separator: register, log, /run/plinth/eventlog; not in the boot's own domains */
#ifndef PLINTH_STEP_API_H
#define PLINTH_STEP_API_H

#include "step/supervise.h"

#define API_PORT 8006u /* CoCo's */

/* A source of secrets that remembers what it was asked for: what the boot uses is not the workload's. */
#define USED_MAX 256u
struct used_resources {
    struct secret_source self;
    const struct secret_source *source;
    size_t count; /* above USED_MAX: not all are known */
    struct view paths[USED_MAX];
    struct arena *arena;
};
const struct secret_source *used_watch(struct used_resources *u, const struct secret_source *source, struct arena *a);

/* Listens on 127.0.0.1:API_PORT and api.sock in `evidence`, the descriptor of launch_evidence. */
bool api_serve(const struct supervision *s, int evidence, struct served *out, struct err *e);
/* May the workload have the resource "repository/type/tag"? ERR_POLICY: no. */
bool api_allows(const struct policy *policy, const struct used_resources *used, struct view path, struct err *e);

#endif
