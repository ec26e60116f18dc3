/* ratls: the monitor's side of run.tls: "plinth:tls" (worker/tls_server.h) ends TLS with a certificate that carries
 * evidence over its key (tee/ratls.h). The key is made over there; the monitor sees its public half, and answers with
 * evidence. */
#ifndef PLINTH_STEP_RATLS_H
#define PLINTH_STEP_RATLS_H

#include "step/supervise.h"

/* Listens on run.tls.port, all IPv4 addresses, from before the container runs until it ends: the port is never the
 * container's. */
bool ratls_serve(const struct supervision *s, struct served *out, struct err *e);

#endif
