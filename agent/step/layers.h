/* layers: fetch -> hash -> decompress -> diffID -> unpack, two layers at a time, in bounded memory.
 *
 * The monitor hashes the compressed bytes on their way from the fetch worker to the unpack worker. A layer counts when its
 * size, its digest and its diffID are the ones of the verified manifest and config; until all do, nothing of it is executable, and
 * the first that does not ends the whole. */
#ifndef PLINTH_STEP_LAYERS_H
#define PLINTH_STEP_LAYERS_H

#include "step/step.h"

/* Unpacks layer i into a new directory "<i>" of `store_fd`. `first` is the fetch worker that resolved the image; a second one is
 * started when there is more than one layer. On failure every worker of this function is ended; what stands in
 * the store is the caller's to clear. */
bool layers_unpack(const struct config *config, const struct verified_image *image, const struct child *first, int store_fd,
                   struct arena *a, struct err *e);

#endif
