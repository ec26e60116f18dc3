/* see wipe.h */
#include "crypto/wipe.h"

#include <string.h>

void wipe(void *p, size_t n) {
    if (n) explicit_bzero(p, n);
}
