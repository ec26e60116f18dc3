/* see wipe.h */
#include "crypto/wipe.h"

#include <string.h>

void wipe(void *p, size_t n) {
    if (n) explicit_bzero(p, n);
}

__attribute__((noinline)) void wipe_stack(void) {
    char below[16 << 10];
    explicit_bzero(below, sizeof below);
}
