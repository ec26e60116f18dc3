/* audit: one line for each decision of `plinth serve`, a JSON object:
 *
 *   {"time":"2026-11-22T13:40:00Z","peer":"192.0.2.7","session":"<16 hex>","tee":"tdx","what":"resource
 * acme/key/web","verdict":"released","reason":".."}
 *
 * An attestation that was accepted has also stage, manifest and policy (digests) out of the guest's claims (judge.h), as
 * far as they are known then. session is told from the cookie by a hash and cannot be used as one; the same on every
 * instance. Lines are appended
 * in one write each; text from outside is escaped. No secret, no token and no cookie is ever in one. */
#ifndef PLINTH_SERVE_AUDIT_H
#define PLINTH_SERVE_AUDIT_H

#include "base/err.h"
#include "base/view.h"
#include "format/json.h"
#include "tools/serve/ticket.h"

#include <pthread.h>

struct audit {
    pthread_mutex_t lock;
    int fd; /* -1: nothing is written */
};

struct audit_line {
    const char *peer;
    const uint8_t *session; /* TICKET_SESSION_SIZE bytes, or NULL */
    const char *tee;        /* or NULL */
    const char *what, *verdict;
    struct view path;      /* behind `what`; or empty */
    const struct err *why; /* or NULL */
    const json *claims;    /* or NULL */
};

/* `path`: NULL none, "-" standard output, else a file that is appended to (0600 when it is made). ERR_USAGE. */
bool audit_open(struct audit *a, const char *path, struct err *e);
void audit_close(struct audit *a);
/* False when the line could not be written: then what it tells must not happen. */
bool audit_write(struct audit *a, const struct audit_line *line);

#endif
