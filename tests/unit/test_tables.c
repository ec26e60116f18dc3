// tables: nonces that were used, sessions, and what one address may do; each bounded.
#include "lib.h"

#include "base/clock.h"
#include "tools/serve/tables.h"

#include <netinet/in.h>
#include <sys/socket.h>

static void number(uint8_t *out, size_t n, uint32_t i) {
    memset(out, 0xa5, n);
    uint32_t spread = i * 2654435761u; // as a MAC would be
    memcpy(out + n - 16, &spread, 4), memcpy(out + n - 8, &i, 4);
}

TEST(used_once)
{
    struct used u;
    uint8_t a[TICKET_NONCE_SIZE], b[TICKET_NONCE_SIZE];
    CHECK(used_make(&u, 300, &err));
    int64_t now = u.turned_ms;
    number(a, 32, 1), number(b, 32, 2);
    CHECK_EQ(used_show(&u, a, now), USED_FIRST);
    CHECK_EQ(used_show(&u, a, now), USED_AGAIN);
    CHECK_EQ(used_show(&u, b, now + 299999), USED_FIRST);
    // another generation: both are remembered for at least their 300 seconds
    CHECK_EQ(used_show(&u, a, now + 300000), USED_AGAIN);
    CHECK_EQ(used_show(&u, b, now + 599999), USED_AGAIN);
    // then forgotten: their nonces have expired
    CHECK_EQ(used_show(&u, a, now + 600000), USED_FIRST);
    CHECK_EQ(used_show(&u, b, now + 600000), USED_FIRST);
    CHECK_EQ(used_show(&u, b, now + 90000000), USED_FIRST);
    used_drop(&u);
}

TEST(used_is_bounded)
{
    struct used u;
    uint8_t nonce[TICKET_NONCE_SIZE];
    uint32_t i;
    CHECK(used_make(&u, 300, &err));
    int64_t now = u.turned_ms;
    for (i = 1; i < USED_MAX; i++) {
        number(nonce, 32, i);
        if (used_show(&u, nonce, now) != USED_FIRST) break;
    }
    CHECK_EQ(i, USED_MAX / 8 * 7 + 1);
    CHECK_EQ(used_show(&u, nonce, now), USED_FULL);
    number(nonce, 32, 7);
    CHECK_EQ(used_show(&u, nonce, now), USED_AGAIN);
    number(nonce, 32, i);
    CHECK_EQ(used_show(&u, nonce, now + 300000), USED_FIRST);
    used_drop(&u);
}

TEST(sessions)
{
    struct sessions *s;
    uint8_t id[16], other[16];
    char out[64];
    CHECK(sessions_make(&s, &err));
    number(id, 16, 1), number(other, 16, 2);
    CHECK(!sessions_get(s, id, 10, out, sizeof out).n);
    CHECK(sessions_put(s, id, 100, VIEW("token 1"), &err));
    CHECK(view_is(sessions_get(s, id, 99, out, sizeof out), "token 1"));
    CHECK(!sessions_get(s, id, 100, out, sizeof out).n && !sessions_get(s, other, 10, out, sizeof out).n);
    CHECK(!sessions_get(s, id, 10, out, 7).n); // no room for it and its NUL
    // the oldest goes, in whatever chains they are
    for (uint32_t i = 2; i <= SESSIONS_MAX; i++) {
        number(other, 16, i);
        CHECK(sessions_put(s, other, 100, VIEW("token"), &err));
    }
    CHECK(view_is(sessions_get(s, id, 99, out, sizeof out), "token 1"));
    number(other, 16, SESSIONS_MAX + 1);
    CHECK(sessions_put(s, other, 100, VIEW("last"), &err));
    CHECK(!sessions_get(s, id, 99, out, sizeof out).n && view_is(sessions_get(s, other, 99, out, sizeof out), "last"));
    for (uint32_t i = 2; i <= SESSIONS_MAX; i++) {
        number(other, 16, i);
        CHECK(view_is(sessions_get(s, other, 99, out, sizeof out), "token"));
    }
    // and again all around, each in the chain of another
    for (uint32_t i = 0; i < 2 * SESSIONS_MAX; i++) {
        number(other, 16, 1000000 + i / 2);
        CHECK(sessions_put(s, other, 100, VIEW("again"), &err) && sessions_get(s, other, 99, out, sizeof out).n);
    }
    sessions_drop(s);
}

TEST(rates)
{
    struct rates *r;
    uint8_t a[16] = {1}, b[16] = {2};
    bool tell;
    CHECK(rates_make(&r, 2, 3, 100, &err));
    for (int i = 0; i < 10; i++) CHECK(rates_request(r, a, 1000, &tell));
    CHECK(!rates_request(r, a, 1000, &tell) && tell);
    CHECK(!rates_request(r, a, 1400, &tell) && !tell);
    CHECK(rates_request(r, a, 1500, &tell) && !rates_request(r, a, 1500, &tell));
    CHECK(!rates_request(r, a, 2000 - 1, &tell)); // half a request, and half a one less a millisecond
    CHECK(rates_request(r, b, 1500, &tell));
    for (int i = 0; i < 10; i++) CHECK(rates_request(r, a, 100000, &tell)); // never more than its burst
    CHECK(!rates_request(r, a, 100000, &tell) && tell);
    rates_drop(r);
}

TEST(connections)
{
    struct rates *r;
    uint8_t a[16] = {1}, b[16] = {2};
    bool tell;
    CHECK(rates_make(&r, 0, 3, 100, &err));
    for (int i = 0; i < 3; i++) CHECK(rates_connect(r, a, clock_ms(), &tell));
    CHECK(!rates_connect(r, a, clock_ms(), &tell) && tell && rates_connect(r, b, clock_ms(), &tell));
    rates_disconnect(r, a);
    CHECK(rates_connect(r, a, clock_ms(), &tell) && !rates_connect(r, a, clock_ms(), &tell));
    for (int i = 0; i < 100000; i++) CHECK(rates_request(r, a, 0, &tell)); // 0: no limit
    // strangers push out no address that has connections
    for (uint32_t i = 0; i < 4 * RATES_MAX; i++) {
        uint8_t stranger[16] = {9};
        memcpy(stranger + 4, &i, 4);
        CHECK(rates_request(r, stranger, clock_ms() + i, &tell));
    }
    CHECK(!rates_connect(r, a, clock_ms(), &tell));
    rates_drop(r);
}

TEST(bodies)
{
    struct rates *r;
    uint8_t a[16] = {1}, b[16] = {2}, c[16] = {3};
    bool tell;
    CHECK(rates_make(&r, 0, 3, 100, &err));
    CHECK(rates_connect(r, a, clock_ms(), &tell) && rates_connect(r, b, clock_ms(), &tell) && rates_connect(r, c, clock_ms(), &tell));
    CHECK(!rates_reserve(r, a, 51) && !rates_reserve(r, a, SIZE_MAX) && rates_reserve(r, a, 50) && !rates_reserve(r, a, 1));
    CHECK(rates_reserve(r, b, 40) && !rates_reserve(r, b, 11) && rates_reserve(r, c, 10) && !rates_reserve(r, c, 1));
    rates_give_back(r, a, 50);
    CHECK(rates_reserve(r, c, 40) && !rates_reserve(r, c, 1) && rates_reserve(r, a, 10));
    rates_give_back(r, a, 10), rates_give_back(r, b, 40), rates_give_back(r, c, 10), rates_give_back(r, c, 40);
    CHECK_EQ(r->bodies, 0);
    rates_drop(r);
}

TEST(addresses)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&s;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s;
    uint8_t a[16], b[16];
    v4->sin_family = AF_INET;
    memcpy(&v4->sin_addr, "\300\0\2\7", 4);
    rate_address(&s, a);
    CHECK(!memcmp(a, "\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\7", 16));
    memset(&s, 0, sizeof s);
    v6->sin6_family = AF_INET6;
    memcpy(&v6->sin6_addr, a, 16); // the same, mapped
    rate_address(&s, b);
    CHECK(!memcmp(a, b, 16));
    memcpy(&v6->sin6_addr, " \1\r\270\0\0\0\1aaaaaaaa", 16);
    rate_address(&s, a);
    memcpy(&v6->sin6_addr, " \1\r\270\0\0\0\1bbbbbbbb", 16);
    rate_address(&s, b);
    CHECK(!memcmp(a, b, 16));
    memcpy(&v6->sin6_addr, " \1\r\270\0\0\0\2bbbbbbbb", 16);
    rate_address(&s, b);
    CHECK(memcmp(a, b, 16));
}
