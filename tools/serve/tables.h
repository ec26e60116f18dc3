/* tables: what `plinth serve` remembers, each bounded and safe for threads.
 *
 *   used       nonces that were shown, until they expire: a second time is refused
 *   sessions   cookies of attested guests and their tokens, for who sends no bearer token; the oldest goes when it is
 * full rates      a token bucket, a count of connections and of bytes for each address (IPv6: each /64); the stalest
 * goes when it is full
 *
 * Nothing of it is shared between instances, and nothing outlives the program. */
#ifndef PLINTH_SERVE_TABLES_H
#define PLINTH_SERVE_TABLES_H

#include "base/err.h"
#include "base/view.h"
#include "tools/serve/ticket.h"

#include <pthread.h>

/* In one lifetime: 1500 a second for five minutes, more than a few addresses may ask for. Two generations of 16 bytes
 * each: 16 MiB of address space, of which what is used counts. */
#define USED_MAX (1u << 19)
#define SESSIONS_MAX 4096u
#define RATES_MAX 4096u

struct used {
    pthread_mutex_t lock;
    int64_t span_ms, turned_ms;
    unsigned current;
    size_t count[2];
    uint8_t (*sets[2])[16];
};
/* `seconds`: no nonce that is shown lives longer. ERR_SYSTEM. */
bool used_make(struct used *u, int64_t seconds, struct err *e);
void used_drop(struct used *u);
enum used_state { USED_FIRST, USED_AGAIN, USED_FULL };
/* Notes it. `now_ms`: clock_ms. */
enum used_state used_show(struct used *u, const uint8_t nonce[static TICKET_NONCE_SIZE], int64_t now_ms);

struct sessions {
    pthread_mutex_t lock;
    size_t next; /* a ring: the oldest is overwritten */
    struct session {
        uint8_t id[TICKET_SESSION_SIZE];
        int64_t expires;
        char *token; /* NULL: free */
        unsigned chain;
    } list[SESSIONS_MAX + 1]; /* from 1 on */
    unsigned heads[SESSIONS_MAX];
};
bool sessions_make(struct sessions **out, struct err *e);
void sessions_drop(struct sessions *s);
/* A copy of `token`. ERR_SYSTEM. */
bool sessions_put(struct sessions *s, const uint8_t id[static TICKET_SESSION_SIZE], int64_t expires, struct view token,
                  struct err *e);
/* The token of a session that is not over at `now`, into `out` (`size` bytes, with a NUL); empty when there is none. */
struct view sessions_get(struct sessions *s, const uint8_t id[static TICKET_SESSION_SIZE], int64_t now, char *out,
                         size_t size);

struct rates {
    pthread_mutex_t lock;
    double per_second, burst;  /* 0: no limit */
    unsigned connections;      /* of one address at a time */
    size_t bodies, bodies_max; /* bytes that are taken, and may be; by one address half of them */
    uint8_t seed[16];
    struct rate {
        uint8_t address[16];
        bool used;
        double left;
        int64_t at_ms, said_ms;
        unsigned connections;
        size_t bodies;
    } list[RATES_MAX];
};
bool rates_make(struct rates **out, double per_second, unsigned connections, size_t bodies_max, struct err *e);
void rates_drop(struct rates *r);
/* One more connection, or one more request, of this address (as rate_address gives it). False: too many; *tell is then
 * true once a second at most. */
bool rates_connect(struct rates *r, const uint8_t address[static 16], int64_t now_ms, bool *tell);
void rates_disconnect(struct rates *r, const uint8_t address[static 16]);
bool rates_request(struct rates *r, const uint8_t address[static 16], int64_t now_ms, bool *tell);
/* Memory for a body of a connection that is counted. False: it, or all together, have too much; rates_give_back ends
 * it. */
bool rates_reserve(struct rates *r, const uint8_t address[static 16], size_t n);
void rates_give_back(struct rates *r, const uint8_t address[static 16], size_t n);

struct sockaddr_storage;
/* What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits. */
void rate_address(const struct sockaddr_storage *peer, uint8_t out[static 16]);

#endif
