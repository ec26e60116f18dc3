#include "lib.h"

#include "worker/frame.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds[2] = {-1, -1};
static uint8_t buffer[FRAME_MAX];
static struct frame frame;

static void pair(void)
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    err = (struct err){0};
}

static bool receive(void) { return frame_receive(fds[1], buffer, sizeof buffer, clock_ms() + 200, &frame, &err); }

static void hang_up(void)
{
    close(fds[0]);
    fds[0] = -1;
}

TEST(there)
{
    pair();
    CHECK(frame_send(fds[0], FRAME_DATA, VIEW("ab"), VIEW("cde"), &err));
    CHECK(frame_send(fds[0], FRAME_END, (struct view){0}, (struct view){0}, &err));
    CHECK(receive() && frame.type == FRAME_DATA && view_is(frame.payload, "abcde"));
    CHECK(receive() && frame.type == FRAME_END && frame.payload.n == 0);
    hang_up();
    CHECK(!receive() && err.kind == ERR_SYSTEM);
    CHECK_ERR("without an answer");
}

static void *sender(void *p)
{
    struct view *v = p;
    struct err e;
    for (int i = 0; i < 20; i++)
        if (!frame_send(fds[0], FRAME_DATA, view_first(*v, 7), view_skip(*v, 7), &e))
            return NULL;
    return p;
}

TEST(largest_in_pieces)
{
    pair();
    static uint8_t big[FRAME_MAX + 1];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31);
    struct view v = view_of(big, FRAME_MAX);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, sender, &v) == 0);
    for (int i = 0; i < 20; i++)
        CHECK(frame_receive(fds[1], buffer, sizeof buffer, clock_ms() + 5000, &frame, &err) && view_eq(frame.payload, v));
    void *sent;
    pthread_join(t, &sent);
    CHECK(sent == &v);
    CHECK(!frame_send(fds[0], FRAME_DATA, VIEW("x"), v, &err) && !frame_send(fds[0], FRAME_DATA, view_of(big, sizeof big), (struct view){0}, &err));
}

TEST(pipes)
{
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK(frame_send(p[1], FRAME_NOTE, VIEW("hello"), (struct view){0}, &err));
    CHECK(frame_receive(p[0], buffer, sizeof buffer, 0, &frame, &err) && view_is(frame.payload, "hello"));
    close(p[0]);
    close(p[1]);
}

TEST(peer_is_gone)
{
    pair();
    close(fds[1]);
    fds[1] = -1;
    CHECK(!frame_send(fds[0], FRAME_DATA, VIEW("x"), (struct view){0}, &err) && err.kind == ERR_SYSTEM); // and no SIGPIPE
    CHECK_ERR("gone");
}

TEST(deadlines)
{
    pair();
    int64_t start = clock_ms();
    CHECK(!receive() && err.kind == ERR_SYSTEM);
    CHECK(clock_ms() - start >= 190 && clock_ms() - start < 5000);
    CHECK(write(fds[0], "\7\0\0\0\5\0\0\0ab", 10) == 10);
    CHECK(!receive());
    CHECK_ERR("time allowed");
    CHECK(!frame_receive(fds[1], buffer, sizeof buffer, clock_ms() - 1, &frame, &err));
}

TEST(cut_anywhere)
{
    static const char whole[] = "\7\0\0\0\5\0\0\0hello";
    for (size_t n = 0; n < sizeof whole; n++) {
        pair();
        CHECK(write(fds[0], whole, n) == (ssize_t)n);
        hang_up();
        CHECK_EQ(receive(), n == sizeof whole - 1);
        if (n == 13)
            break;
    }
}

TEST(headers_refused)
{
    static const unsigned char bad[][8] = {{0}, {FRAME_TYPE_MAX}, {0xff}, {7, 1}, {7, 0, 1}, {7, 0, 0, 1}, {7, 0, 0, 0, 1, 0, 4}, {7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pair();
        CHECK(write(fds[0], bad[i], 8) == 8);
        CHECK(!receive() && err.kind == ERR_SYSTEM);
    }
    pair();
    CHECK(frame_send(fds[0], FRAME_DATA, VIEW("hello"), (struct view){0}, &err));
    CHECK(!frame_receive(fds[1], buffer, 4, 0, &frame, &err));
}

TEST(errors_travel)
{
    struct err why, got;
    pair();
    err_set(&why, ERR_NETWORK, "x is %d\n", 5);
    why.sys = 110;
    err_in(&why, "inner");
    err_in(&why, "outer");
    err_mend(&why, "do y");
    CHECK(frame_send_error(fds[0], &why, &err) && receive() && frame.type == FRAME_ERROR);
    CHECK(!frame_error(frame.payload, &got));
    CHECK(got.kind == ERR_NETWORK && got.sys == 110);
    CHECK_STR(got.text, "x is 5\\x0a");
    CHECK_STR(got.trail, "outer: inner");
    CHECK_STR(got.mend, "do y");
    memset(&why, 'x', sizeof why);
    why.kind = ERR_FORMAT;
    why.sys = 0;
    why.text[sizeof why.text - 1] = why.trail[sizeof why.trail - 1] = why.mend[sizeof why.mend - 1] = 0;
    CHECK(frame_send_error(fds[0], &why, &err) && receive() && !frame_error(frame.payload, &got));
    CHECK(memcmp(&got, &why, sizeof got) == 0);
}

TEST(errors_are_not_believed)
{
    struct err got;
    struct view good = VIEW("\1\0\0\0\0\3\0a\nb\0\0\1\0c");
    CHECK(!frame_error(good, &got) && got.kind == ERR_FORMAT);
    CHECK_STR(got.text, "a?b");
    for (size_t n = 0; n < good.n; n++)
        CHECK(!frame_error(view_first(good, n), &got) && got.kind == ERR_SYSTEM);
    static const char *const bad[] = {"\0\0\0\0\0\1\0a\0\0\0\0", "\x8\0\0\0\0\1\0a\0\0\0\0", "\1\0\0\0\1\1\0a\0\0\0\0", "\1\0\0\0\0\1\0a\0\0\0\0x", "\1\0\0\0\0\0\0\0\0\0\0x"};
    for (size_t i = 0; i < 5; i++)
        CHECK(!frame_error(view_of(bad[i], i == 3 ? 13 : i == 4 ? 11 : 12), &got) && got.kind == ERR_SYSTEM);
    static uint8_t big[70000];
    memset(big, 'a', sizeof big);
    memcpy(big, "\1\0\0\0\0\xff\xff", 7);
    memcpy(big + 7 + 65535, "\0\0\0\0", 4);
    CHECK(!frame_error(view_of(big, 7 + 65535 + 4), &got) && got.kind == ERR_FORMAT);
    CHECK_EQ(strlen(got.text), sizeof got.text - 1);
}
