/* fetcher: the monitor's side of a fetch worker. What comes back is unverified bytes within fixed bounds. */
#ifndef PLINTH_STEP_FETCHER_H
#define PLINTH_STEP_FETCHER_H

#include "step/step.h"
#include "worker/frame.h"

/* Starts a fetch worker and tells it the endpoints (mirrors, then the registry) with their credentials, and the CA. */
bool fetcher_start(const struct config *config, struct child *out, struct err *e);

/* Sends a request whose payload is text, as FRAME_RESOLVE and FRAME_SIGNATURES are. */
bool fetcher_ask(const struct child *fetch, enum frame_type request, struct view text, struct err *e);
/* Asks for a blob; its bytes come in FRAME_DATA. */
bool fetcher_ask_blob(const struct child *fetch, const struct descriptor *blob, struct err *e);

/* The next answer: OBJECT, DATA, SIGNATURE or END into `buffer` (FRAME_MAX bytes). Notes are printed, a FRAME_ERROR
 * becomes *e, anything else is an error. */
bool fetcher_next(const struct child *fetch, uint8_t *buffer, int64_t deadline_ms, struct frame *out, struct err *e);

/* Prints a FRAME_NOTE's text, which a hostile peer may have written: bounded and escaped. */
void fetcher_note(struct view text);

/* A whole blob of at most `max` bytes into the arena; its size and digest are the descriptor's, or ERR_DIGEST with both
 * values. */
bool fetcher_blob(const struct child *fetch, const struct descriptor *blob, const char *what, uint64_t max,
                  int64_t deadline_ms, struct arena *a, struct view *out, struct err *e);
/* The same in two: this takes the answer to fetcher_ask_blob. When the digest is refused or the worker reports an
 * error, the answer was taken to its end all the same, and the worker may be asked on. */
bool fetcher_take_blob(const struct child *fetch, const struct descriptor *blob, const char *what, int64_t deadline_ms,
                       struct arena *a, struct view *out, struct err *e);

#endif
