/* see tables.h */
#include "tools/serve/tables.h"

#include "base/clock.h"
#include "crypto/hash.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

bool used_make(struct used *u, int64_t seconds, struct err *e) {
    *u = (struct used){.span_ms = seconds * 1000, .turned_ms = clock_ms()};
    u->sets[0] = calloc(USED_MAX, 16), u->sets[1] = calloc(USED_MAX, 16);
    if (u->sets[0] && u->sets[1] && !pthread_mutex_init(&u->lock, NULL)) return true;
    used_drop(u);
    return err_set(e, ERR_SYSTEM, "out of memory");
}

void used_drop(struct used *u) {
    for (int i = 0; i < 2; i++) free(u->sets[i]), u->sets[i] = NULL;
}

/* The slot of a MAC, or the free one where it would be; MACs are as good as random, and none is all zeroes but by
 * 2^-128. */
static uint8_t *slot_of(uint8_t (*set)[16], const uint8_t mac[16]) {
    static const uint8_t none[16];
    uint32_t at;
    memcpy(&at, mac, sizeof at);
    while (memcmp(set[at % USED_MAX], none, 16) && memcmp(set[at % USED_MAX], mac, 16)) at++;
    return set[at % USED_MAX];
}

enum used_state used_show(struct used *u, const uint8_t nonce[static TICKET_NONCE_SIZE], int64_t now_ms) {
    const uint8_t *mac = nonce + TICKET_NONCE_SIZE - 16;
    enum used_state state = USED_FIRST;
    pthread_mutex_lock(&u->lock);
    /* What was noted in the generation before the last has expired by now. */
    for (int i = 0; i < 2 && now_ms - u->turned_ms >= u->span_ms; i++) {
        u->current ^= 1;
        if (u->count[u->current]) memset(u->sets[u->current], 0, (size_t)USED_MAX * 16);
        u->count[u->current] = 0;
        u->turned_ms = i ? now_ms : u->turned_ms + u->span_ms;
    }
    uint8_t *slot = slot_of(u->sets[u->current], mac);
    if (!memcmp(slot, mac, 16) || !memcmp(slot_of(u->sets[u->current ^ 1], mac), mac, 16))
        state = USED_AGAIN;
    else if (u->count[u->current] >= USED_MAX / 8 * 7)
        state = USED_FULL;
    else
        memcpy(slot, mac, 16), u->count[u->current]++;
    pthread_mutex_unlock(&u->lock);
    return state;
}

bool sessions_make(struct sessions **out, struct err *e) {
    struct sessions *s = calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    s->next = 1;
    *out = s;
    return true;
}

void sessions_drop(struct sessions *s) {
    for (size_t i = 1; s && i <= SESSIONS_MAX; i++) free(s->list[i].token);
    free(s);
}

static unsigned *head_of(struct sessions *s, const uint8_t id[TICKET_SESSION_SIZE]) {
    uint32_t at;
    memcpy(&at, id, sizeof at); /* of a MAC */
    return &s->heads[at % SESSIONS_MAX];
}

bool sessions_put(struct sessions *s, const uint8_t id[static TICKET_SESSION_SIZE], int64_t expires, struct view token,
                  struct err *e) {
    char *copy = malloc(token.n + 1);
    if (!copy || !view_to_str(token, copy, token.n + 1)) {
        free(copy);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    pthread_mutex_lock(&s->lock);
    struct session *entry = &s->list[s->next];
    if (entry->token) { /* out of its chain */
        unsigned *link = head_of(s, entry->id);
        while (*link != s->next) link = &s->list[*link].chain;
        *link = entry->chain;
        free(entry->token);
    }
    memcpy(entry->id, id, TICKET_SESSION_SIZE);
    entry->expires = expires;
    entry->token = copy;
    unsigned *head = head_of(s, id);
    entry->chain = *head;
    *head = (unsigned)s->next;
    s->next = s->next % SESSIONS_MAX + 1;
    pthread_mutex_unlock(&s->lock);
    return true;
}

struct view sessions_get(struct sessions *s, const uint8_t id[static TICKET_SESSION_SIZE], int64_t now, char *out,
                         size_t size) {
    struct view found = {0};
    pthread_mutex_lock(&s->lock);
    for (unsigned i = *head_of(s, id); i && !found.n; i = s->list[i].chain) {
        const struct session *entry = &s->list[i];
        struct view token = view_str(entry->token);
        if (!memcmp(entry->id, id, TICKET_SESSION_SIZE) && entry->expires > now && view_to_str(token, out, size))
            found = view_of(out, token.n);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

bool rates_make(struct rates **out, double per_second, unsigned connections, size_t bodies_max, struct err *e) {
    struct rates *r = calloc(1, sizeof *r);
    if (!r || pthread_mutex_init(&r->lock, NULL) || getrandom(r->seed, sizeof r->seed, 0) != (ssize_t)sizeof r->seed) {
        free(r);
        return err_set(e, ERR_SYSTEM, "out of memory");
    }
    r->per_second = per_second, r->burst = 5 * per_second, r->connections = connections, r->bodies_max = bodies_max;
    *out = r;
    return true;
}

void rates_drop(struct rates *r) { free(r); }

#define WAYS 8u

/* Its entry; or the stalest of the eight that it may have, made new; NULL when all of them have connections. */
static struct rate *rate_of(struct rates *r, const uint8_t address[16], int64_t now_ms) {
    uint8_t digest[32];
    struct hash h;
    uint32_t at;
    hash_init(&h, HASH_SHA256); /* keyed, so that nobody picks who shares an entry with whom */
    hash_update(&h, view_of(r->seed, sizeof r->seed));
    hash_update(&h, view_of(address, 16));
    hash_final(&h, digest);
    memcpy(&at, digest, sizeof at);
    struct rate *set = &r->list[at % (RATES_MAX / WAYS) * WAYS], *stalest = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && !memcmp(set[i].address, address, 16)) return &set[i];
        if (!set[i].connections && (!stalest || set[i].at_ms < stalest->at_ms)) stalest = &set[i];
    }
    if (!stalest) return NULL;
    *stalest = (struct rate){.used = true, .left = r->burst, .at_ms = now_ms, .said_ms = now_ms - 1000};
    memcpy(stalest->address, address, 16);
    return stalest;
}

static bool take(struct rates *r, struct rate *rate, int64_t now_ms) {
    if (r->per_second <= 0) return true;
    rate->left += (double)(now_ms - rate->at_ms) / 1000 * r->per_second;
    if (rate->left > r->burst) rate->left = r->burst;
    rate->at_ms = now_ms;
    if (rate->left < 1) return false;
    rate->left -= 1;
    return true;
}

static bool count(struct rates *r, const uint8_t address[16], int64_t now_ms, bool connection, bool *tell) {
    pthread_mutex_lock(&r->lock);
    struct rate *rate = rate_of(r, address, now_ms);
    bool ok = rate && (!connection || rate->connections < r->connections) && take(r, rate, now_ms);
    *tell = !ok && rate && now_ms - rate->said_ms >= 1000;
    if (*tell) rate->said_ms = now_ms;
    if (ok && connection) rate->connections++;
    pthread_mutex_unlock(&r->lock);
    return ok;
}

bool rates_connect(struct rates *r, const uint8_t address[static 16], int64_t now_ms, bool *tell) {
    return count(r, address, now_ms, true, tell);
}

bool rates_request(struct rates *r, const uint8_t address[static 16], int64_t now_ms, bool *tell) {
    return count(r, address, now_ms, false, tell);
}

void rates_disconnect(struct rates *r, const uint8_t address[static 16]) {
    pthread_mutex_lock(&r->lock);
    struct rate *rate = rate_of(r, address, clock_ms());
    if (rate && rate->connections) rate->connections--;
    pthread_mutex_unlock(&r->lock);
}

bool rates_reserve(struct rates *r, const uint8_t address[static 16], size_t n) {
    pthread_mutex_lock(&r->lock);
    struct rate *rate = rate_of(r, address, clock_ms());
    bool ok = rate && n <= r->bodies_max - r->bodies && rate->bodies + n <= r->bodies_max / 2;
    if (ok) r->bodies += n, rate->bodies += n;
    pthread_mutex_unlock(&r->lock);
    return ok;
}

void rates_give_back(struct rates *r, const uint8_t address[static 16], size_t n) {
    pthread_mutex_lock(&r->lock);
    struct rate *rate = rate_of(r, address, clock_ms()); /* still there: its connection is */
    r->bodies -= n;
    if (rate) rate->bodies -= n;
    pthread_mutex_unlock(&r->lock);
}

void rate_address(const struct sockaddr_storage *peer, uint8_t out[static 16]) {
    memset(out, 0, 16);
    if (peer->ss_family == AF_INET) {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)peer)->sin6_addr;
        memcpy(out, a, IN6_IS_ADDR_V4MAPPED(a) ? 16 : 8);
    }
}
