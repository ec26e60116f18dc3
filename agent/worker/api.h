/* api: the process that serves the workload's requests: CoCo's api-server-rest (guest-components v0.21), so that an
 * image made for it runs as it is.
 *
 *   GET  /cdh/resource/<repository>/<type>/<tag>                  the resource                        application/octet-stream
 *   GET  /aa/token?token_type=kbs                                 {"token":"..","tee_keypair":"PEM"}  application/octet-stream
 *   GET  /aa/evidence?runtime_data=X[&encoding=base64]            evidence over X, zeros behind it, as Trustee takes it (tee/trustee.h)
 *        the same with &format=plinth                              Plinth's own document (tee/evidence.h), whose nonce X is
 *   GET  /aa/additional-evidence?runtime_data=X                   nothing: there are no other devices
 *   POST /aa/aael {"domain":"..","operation":"..","content":".."}  {"success":"true"}
 *   GET  /info                                                    {"version":"..","tee":"..","feature":".."}
 *
 * X is form-decoded ("+" is a space), or with encoding=base64 base64url without padding; at most 64 bytes. Of a
 * parameter that is there twice the last counts. Statuses: 400 "BAD REQUEST" for a missing or unreadable parameter,
 * 403 for a peer that is not this machine and for what the monitor does not allow, 404 "URL NOT FOUND", "Attestation
 * Feature Not Enabled" and "Resource Feature Not Enabled", 405, 500 with the reason for all that fails behind, as
 * there; 429 for who had to wait too long.
 *
 * Descriptors 4 and 5 are the sockets it listens on, in TCP and Unix. It parses HTTP, queries and JSON, and knows
 * nothing: for every answer but /info it asks the monitor, one request at a time (FRAME_ASK, worker/job.h), and hands
 * on what comes back. One connection, one request. API_CONNECTIONS are served at once, others wait in the kernel;
 * each has API_CLIENT_MS to send its request, and again to take the answer, and waits API_QUEUE_MS at most for its
 * turn. */
#ifndef PLINTH_WORKER_API_H
#define PLINTH_WORKER_API_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/writer.h"
#include "worker/job.h"

#define API_CONNECTIONS 16u
#define API_CLIENT_MS 10000
#define API_QUEUE_MS 30000
#define API_HTTP_MAX (24u << 10)  /* a request: the longest event is 2 KiB, six times that in JSON's escapes */
#define API_ANSWER_MAX (2u << 20) /* evidence with both logs; a resource has 1 MiB */

/* What a request is answered with, or what the monitor is to be asked. */
struct api_reply {
    unsigned status; /* 0: ask the monitor `ask`; 200 with its answer then */
    bool json;       /* type of a 200 */
    struct view body;
    struct api_request ask; /* views into `a` or the request */
};
/* Pure: a whole head and its body. `loopback`: the peer is this machine. */
struct api_reply api_route(struct view head, struct view body, bool loopback, const struct api_job *job,
                           struct arena *a);
/* How many bytes of a request are still to come: of `bytes` (what has come) *head_n belong to the head. 0: it is
 * whole, or cannot become a request that is taken (api_route says which). */
size_t api_missing(struct view bytes, size_t *head_n);
/* The head of a response, in at most 256 bytes; reply->body follows. */
void api_head(const struct api_reply *reply, struct writer *out);

#endif
