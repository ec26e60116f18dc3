/* gunzip: the members of a gzip stream (RFC 1952), one after the other, each checked against its trailer.
 *
 * One face, two implementations, of which the Makefile links one: gunzip_isal.c (ISA-L's assembler, the default) and
 * gunzip_zlib.c (`make INFLATE=zlib`). tests/unit holds both to the same verdicts. */
#ifndef PLINTH_WORKER_GUNZIP_H
#define PLINTH_WORKER_GUNZIP_H

#include "base/view.h"

struct gunzip;

/* NULL: no memory. */
struct gunzip *gunzip_new(void);
/* NULL is legal. */
void gunzip_free(struct gunzip *g);
/* One step from *in, of which the rest is left, to out[*n..size). Either may stand still; both do when more input is
 * needed. *inside becomes false where a member has just ended, after which the next step begins another; else true.
 * False: *fault says why, or is NULL when there is no memory; `g` is of no use any more. */
bool gunzip_step(struct gunzip *g, struct view *in, uint8_t *out, size_t size, size_t *n, bool *inside,
                 const char **fault);

#endif
