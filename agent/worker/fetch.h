/* fetch: what the fetch worker's parts share beside worker/worker.h. */
#ifndef PLINTH_WORKER_FETCH_H
#define PLINTH_WORKER_FETCH_H

#include "worker/frame.h"

/* Tells the monitor something for people (FRAME_NOTE). */
void fetch_note(const char *text);
/* Sends the monitor a frame, or bytes in as many FRAME_DATA as they need. */
bool fetch_send(enum frame_type type, struct view head, struct view body, struct err *e);
bool fetch_send_data(struct view bytes, struct err *e);

#endif
