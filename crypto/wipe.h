/* wipe: zeroes secrets so that the compiler cannot leave it out. */
#ifndef PLINTH_CRYPTO_WIPE_H
#define PLINTH_CRYPTO_WIPE_H

#include <stddef.h>

void wipe(void *p, size_t n);
/* The 16 KiB of stack below the caller, where functions that have returned (BearSSL's) left what they computed with. */
void wipe_stack(void);

#endif
