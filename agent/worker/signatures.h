/* signatures: where the signatures and attestations of an image are, for the fetch worker (cosign SIGNATURE_SPEC.md,
 * ATTESTATION_SPEC.md, BUNDLE_SPEC.md; distribution-spec "Listing Referrers"):
 *
 *   tag sha256-<hex>.sig   every layer a payload of simple signing
 *   tag sha256-<hex>.att   every layer a DSSE envelope; only when attestations are wanted
 *   referrers              each is opened: sigstore bundles and payloads of simple signing; from the registry's list,
 * or the tag sha256-<hex> that stands in for it
 *
 * Nothing is verified here. What is of no use is left out with a note; what may be a registry's fault ends the search
 * as an error, so that silence never looks like "no signatures". */
#ifndef PLINTH_WORKER_SIGNATURES_H
#define PLINTH_WORKER_SIGNATURES_H

#include "worker/worker.h"

/* Answers FRAME_SIGNATURES but for its END. `flags`: that frame's. *statements: bytes of statements that
 * may still be handed over, of all requests together. Errors: more than SIGNATURES_MAX candidates, or REFERRERS_MAX
 * referrers. */
bool signatures_find(const struct source_ops *ops, void *state, const struct digest *image, unsigned flags,
                     struct arena *a, uint64_t *statements, struct err *e);

#endif
