/* guest: reading what a machine sends: messages of the port (the protocol is sys/port.h's) and its console. Neither is trusted. */
#ifndef PLINTH_TOOLS_GUEST_H
#define PLINTH_TOOLS_GUEST_H

#include "base/err.h"
#include "base/view.h"

/* Evidence: two logs of 256 KiB in base64, a quote, a key: under 1 MiB. */
#define GUEST_MESSAGE_MAX (4u << 20)
/* "evidence " and a number; a longer first line is no message. */
#define GUEST_LINE_MAX 40u

enum guest_kind { GUEST_PART /* not all of it is here yet */, GUEST_READY /* asks for the nonce */, GUEST_EVIDENCE, GUEST_FAILURE };

struct guest_message {
    enum guest_kind kind;
    struct view body;
};

/* Takes "ready 0\n", "evidence N\n" or "failure N\n" and N bytes from the front of *rest. ERR_FORMAT quotes what came instead. */
bool guest_message(struct view *rest, struct guest_message *out, struct err *e);

/* Keeps what is text (ASCII, newline, tab) of `p` and gives its length: a guest shall not move the cursor of a terminal, set its
 * title or clear it, as firmware does. *state (0 at the start) remembers a control sequence that goes on in the next call. */
size_t guest_text(char *state, uint8_t *p, size_t n);

#endif
