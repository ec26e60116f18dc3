/* layers: fetch -> hash -> (decrypt) -> decompress -> diffID -> unpack, two layers at a time, in bounded memory.
 *
 * The monitor hashes the bytes on their way from the fetch worker to the unpack worker, and decrypts those of encrypted
 * layers (step/decrypt.h). A layer counts when its size, its digest, its HMAC and plaintext digest, and its diffID are
 * the ones of the verified manifest and config; until all do, nothing of it is executable, and the first that does not
 * ends the whole. */
#ifndef PLINTH_STEP_LAYERS_H
#define PLINTH_STEP_LAYERS_H

#include "step/step.h"

#define LAYER_LANES 2u /* two cores are busy with two layers, or with the halves of one; more lanes cost memory */

/* Called for each layer in the manifest's order, as soon as it and all before it are verified. */
struct layers_each {
    bool (*verified)(void *state, size_t layer, struct err *e);
    void *state;
};

/* Unpacks layer i into a new directory "<i>" of `store_fd`. `fetch`: a fetch worker for each lane; those that were not
 * started yet are, if there is a layer for them. The first `asked` of them were asked for their layer. `each` may be
 * NULL. On failure every unpack worker is ended; fetch workers, and what stands in the store, are the caller's to
 * clear. */
bool layers_unpack(const struct config *config, const struct verified_image *image, struct child fetch[LAYER_LANES],
                   size_t asked, int store_fd, const struct layers_each *each, struct arena *a, struct err *e);

#endif
