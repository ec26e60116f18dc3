/* fuzz: messages of a machine, taken until something is wrong or more is needed; then the same bytes as console text. */
#include "tools/guest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct view rest = view_of(bytes, n);
    struct guest_message m;
    struct err e;
    while (guest_message(&rest, &m, &e) && m.kind != GUEST_PART)
        if (m.body.p < bytes || m.body.p + m.body.n > bytes + n || rest.n + m.body.n > n) abort();
    uint8_t *text = malloc(n + 1);
    if (!text) return 0;
    if (n) memcpy(text, bytes, n);
    char state = 0;
    size_t kept = guest_text(&state, text, n);
    for (size_t i = 0; i < kept; i++)
        if (text[i] != '\n' && text[i] != '\t' && (text[i] < 0x20 || text[i] > 0x7e)) abort();
    free(text);
    return 0;
}
