/* fetch: what the fetch worker's parts share beside worker/worker.h. */
#ifndef PLINTH_WORKER_FETCH_H
#define PLINTH_WORKER_FETCH_H

/* Tells the monitor something for people (FRAME_NOTE). */
void fetch_note(const char *text);

#endif
