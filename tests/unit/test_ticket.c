// ticket: nonces that carry their MAC, and the sessions that are told from them.
#include "lib.h"

#include "tools/serve/ticket.h"

static const struct ticket_key key = {"0123456789abcdef0123456789abcdef"}, other = {"0123456789abcdef0123456789abcdeg"};
static uint8_t nonce[TICKET_NONCE_SIZE];
static int64_t now = 1700000000, expires;
static uint8_t tee;

static bool accepts(struct view v) { return ticket_check(&key, v, now, &tee, &expires, &err); }

TEST(good)
{
    uint8_t again[TICKET_NONCE_SIZE];
    CHECK(ticket_make(&key, 2, now + 300, nonce, &err) && accepts(view_of(nonce, 32)));
    CHECK_EQ(tee, 2);
    CHECK_EQ(expires, now + 300);
    CHECK(ticket_make(&key, 2, now + 300, again, &err) && memcmp(nonce, again, 32) != 0);
}

TEST(expires_and_keys)
{
    CHECK(ticket_make(&key, 0, now + 300, nonce, &err));
    CHECK(ticket_check(&key, view_of(nonce, 32), now + 299, &tee, &expires, &err));
    CHECK(!ticket_check(&key, view_of(nonce, 32), now + 300, &tee, &expires, &err));
    CHECK_ERR("expired 0 seconds ago");
    CHECK(!ticket_check(&other, view_of(nonce, 32), now, &tee, &expires, &err));
    CHECK_ERR("not one of ours");
}

TEST(no_bit_can_change)
{
    CHECK(ticket_make(&key, 1, now + 300, nonce, &err));
    CHECK_EQ(broken(view_of(nonce, 32), 32, accepts), 0);
    uint8_t longer[33] = {0};
    memcpy(longer, nonce, 32);
    CHECK(!accepts(view_of(longer, 33)));
}

TEST(sessions)
{
    uint8_t a[TICKET_SESSION_SIZE], b[TICKET_SESSION_SIZE], second[TICKET_NONCE_SIZE];
    CHECK(ticket_make(&key, 0, now + 300, nonce, &err) && ticket_make(&key, 0, now + 300, second, &err));
    ticket_session(&key, nonce, a), ticket_session(&key, nonce, b);
    CHECK(!memcmp(a, b, 16) && memcmp(a, nonce + 16, 16));
    ticket_session(&key, second, b);
    CHECK(memcmp(a, b, 16));
    ticket_session(&other, nonce, b);
    CHECK(memcmp(a, b, 16));
}
