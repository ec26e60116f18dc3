/* decoder: the unpack worker's other half, a process that decompresses while this one computes the diffID and
 * unpacks.
 *
 * The two share a ring of blocks and a socket pair, on which each says with one byte per block that the next one may be
 * read, or written again. The decoder has no file, no network and no way to the monitor (CONFINE_DECODE): of the
 * programs that read a layer's bytes the most intricate one has the least. Each half confines itself before it reads
 * any of them. What stands against a layer that takes over either half is the monitor's digest of the compressed bytes: only a signed layer
 * gets here. The diffID is checked beside it, and is as honest as the halves are. */
#ifndef PLINTH_WORKER_DECODER_H
#define PLINTH_WORKER_DECODER_H

#include "crypto/hash.h"
#include "worker/job.h"

#include <sys/types.h>

struct decoder_ring;

struct decoder {
    struct decoder_ring *ring;
    pid_t pid;
    size_t at, ready, owed; /* the next block; how many are there; how many were read and may be written again */
    bool ended;
    uint64_t bytes;
    struct hash hash;
};

/* Forks. Takes WORKER_INPUT, in whose place this process gets its end of the socket pair. Call before confine_enter. */
bool decoder_start(const struct unpack_job *job, struct decoder *out, struct err *e);
/* As decompress_next; a struct untar_input's `next`. ERR_SYSTEM too when the decoder died, saying how. */
bool decoder_next(void *decoder, struct view *out, bool *ended, struct err *e);
/* After the last block: the diffID and size of all, and the process is gone. */
void decoder_end(struct decoder *d, struct unpack_result *out);

#endif
