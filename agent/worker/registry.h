/* registry: images from a container registry (OCI distribution-spec v1.1 "Pull", and the token protocol of
 * distribution/docs "Token Authentication"). Runs in the fetch worker; nothing that it returns has been checked by
 * digest.
 *
 * Endpoints are asked in order, mirrors first. A mirror that fails or has not got the object is passed over; the last
 * endpoint, the registry itself, is asked up to five times when the network or it is at fault (1, 2, 4, 8 s between, or
 * Retry-After). */
#ifndef PLINTH_WORKER_REGISTRY_H
#define PLINTH_WORKER_REGISTRY_H

#include "worker/worker.h"

/* The state for registry_ops, in its own memory. `note` is told what people may want to know (retries, mirrors, plain
 * HTTP). */
bool registry_make(void (*note)(const char *text), void **state, struct err *e);

/* Errors: ERR_NETWORK silence, resets, 429 and 5xx after all retries; ERR_SIGNATURE the certificate; ERR_POLICY a
 * credential is missing or refused; ERR_DIGEST another size; ERR_FORMAT whatever else a registry says wrongly. */
extern const struct source_ops registry_ops;

#endif
