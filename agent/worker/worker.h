/* worker: the programs behind the monitor. The monitor starts itself again with one of these names as argv[0], an empty
 * environment and the descriptors of worker/confine.h, so a worker shares no memory with it. */
#ifndef PLINTH_WORKER_WORKER_H
#define PLINTH_WORKER_WORKER_H

#include "base/err.h"
#include "base/view.h"
#include "worker/job.h"

#define WORKER_FETCH "plinth:fetch"
#define WORKER_UNPACK "plinth:unpack"
#define WORKER_ADDRESS "plinth:address"
#define WORKER_INITDATA "plinth:initdata"
#define WORKER_API "plinth:api"
#define WORKER_KBS "plinth:kbs"
#define WORKER_TLS "plinth:tls"

/* Where a fetch worker gets things: a registry (worker/registry.h), or an OCI layout (tools/layout.h). */
struct source_ops {
    /* After FRAME_SOURCE and FRAME_CA; once. */
    bool (*open)(void *state, const struct fetch_source *source, struct view ca_pem, struct err *e);
    /* A manifest by tag or digest text. Bytes and media type live in `a`. *found false and true returned: there is none (404).
     * At most MANIFEST_MAX bytes. */
    bool (*manifest)(void *state, struct view reference, struct arena *a, struct view *bytes, struct view *media_type,
                     bool *found, struct err *e);
    /* The manifests that name `subject` (a digest's text) as their subject: at most `max`, more is an error. *complete
     * false: this source does not know them all, the tag that stands in for such a list (sha256-<hex>) is to be read too. */
    bool (*referrers)(void *state, struct view subject, struct arena *a, struct digest *out, size_t max, size_t *count,
                      bool *complete, struct err *e);
    /* A blob, streamed to `sink` in order; exactly `size` bytes or an error. The source retries and resumes by itself. */
    bool (*blob)(void *state, struct view digest, uint64_t size,
                 bool (*sink)(void *sink_state, struct view bytes, struct err *e), void *sink_state, struct err *e);
    /* Makes what the first request would have to wait for anyway; may be NULL. */
    bool (*connect)(void *state, struct err *e);
    /* Nothing was asked for a while: whoever serves one connection at a time shall get to the other worker's. May be NULL. */
    void (*idle)(void *state);
};

/* The fetch worker's loop: confines itself with `role`, then answers requests until the socket closes.
 * Never returns an error to its parent other than as FRAME_ERROR. Exit status 0. */
int fetch_main(int role, const struct source_ops *ops, void *state);

int unpack_main(void);
int address_main(void);
int initdata_main(void);
int api_main(void);
int kbs_main(void);
int tls_server_main(void);
/* Runs the worker named by argv[0], or returns -1 when `name` is none of these. */
int worker_main(const char *name);

#endif
