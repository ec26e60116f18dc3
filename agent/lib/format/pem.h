/* pem: RFC 7468 textual encodings. */
#ifndef PLINTH_FORMAT_PEM_H
#define PLINTH_FORMAT_PEM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

/* Takes the next block from *text and advances it behind the block. `label` is what stands after BEGIN; `der` is
 * decoded into the arena. Text outside blocks is skipped (bundles carry comments). False with e->kind == ERR_NONE when
 * no block is left; ERR_FORMAT for a broken block. */
bool pem_next(struct view *text, struct arena *a, struct view *label, struct view *der, struct err *e);

#endif
