// worker/decoder: the two processes over their ring. Each test is a process of its own, since the decoder takes descriptors 3 and 4.
#include "lib.h"

#include "worker/confine.h"
#include "worker/decoder.h"
#include "worker/decompress.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define SIZE (3 * 1000 * 1000u) // 23 blocks, the last one not full

static uint8_t text[SIZE], packed[SIZE + 100000];
static size_t packed_n;
static struct unpack_result result;
static struct decoder decoder;

static void prepare(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < SIZE; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (uint8_t)(x >> (i % 5 ? 30 : 24));
    }
    z_stream z = {0};
    CHECK(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = text;
    z.avail_in = SIZE;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    packed_n = z.total_out;
    deflateEnd(&z);
}

// Starts a decoder on `in`. The ordinary end of such a process is exit status 0.
static bool start(struct view in, uint64_t max)
{
    int file = memfd_create("layer", MFD_CLOEXEC), pair[2];
    CHECK(write(file, in.p, in.n) == (ssize_t)in.n && lseek(file, 0, SEEK_SET) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int high[] = {fcntl(pair[1], F_DUPFD, 20), fcntl(file, F_DUPFD, 20)};
    dup2(high[0], WORKER_CONTROL);
    dup2(high[1], WORKER_INPUT);
    struct unpack_job job = {.compression = LAYER_GZIP, .bytes_max = max};
    return decoder_start(&job, &decoder, &err);
}

// Reads to the end, comparing; the number of bytes, or -1 with err.
static long run(void)
{
    size_t n = 0;
    for (bool ended = false; !ended;) {
        struct view v;
        if (!decoder_next(&decoder, &v, &ended, &err)) return -1;
        CHECK(v.n <= DECOMPRESS_BLOCK && (ended || v.n == DECOMPRESS_BLOCK) && n + v.n <= SIZE);
        CHECK(memcmp(v.p, text + n, v.n) == 0);
        n += v.n;
    }
    return (long)n;
}

static void whole(void)
{
    uint8_t diff_id[32];
    struct view v;
    bool ended;
    CHECK(start(view_of(packed, packed_n), SIZE) && run() == SIZE);
    CHECK(decoder_next(&decoder, &v, &ended, &err) && ended && v.n == 0); // and again, as often as asked
    decoder_end(&decoder, &result);
    hash_once(HASH_SHA256, view_of(text, SIZE), diff_id);
    CHECK(memcmp(result.diff_id, diff_id, 32) == 0);
    CHECK_EQ(result.bytes, SIZE);
    CHECK(waitpid(-1, NULL, 0) < 0); // nobody is left
}

static void too_much(void)
{
    CHECK(start(view_of(packed, packed_n), SIZE - 1) && run() < 0);
    CHECK_EQ(err.kind, ERR_POLICY);
    CHECK_ERR("limits.bytes");
}

static void truncated(void)
{
    CHECK(start(view_of(packed, packed_n / 2), SIZE) && run() < 0);
    CHECK_EQ(err.kind, ERR_FORMAT);
    CHECK_ERR("truncated");
}

static void nothing(void)
{
    CHECK(start((struct view){0}, SIZE) && run() < 0);
    CHECK_EQ(err.kind, ERR_FORMAT);
}

static void killed(void)
{
    struct view v;
    bool ended;
    CHECK(start(view_of(packed, packed_n), SIZE) && decoder_next(&decoder, &v, &ended, &err));
    kill(decoder.pid, SIGKILL);
    while (decoder_next(&decoder, &v, &ended, &err)) CHECK(!ended);
    CHECK_EQ(err.kind, ERR_SYSTEM);
    CHECK_ERR("signal 9");
}

// The unpacking half ends early, as after a hostile entry: the decoder does not wait for it for ever.
static void abandoned(void)
{
    struct view v;
    bool ended;
    CHECK(start(view_of(packed, packed_n), SIZE) && decoder_next(&decoder, &v, &ended, &err) && !ended);
    close(WORKER_INPUT);
    int status;
    CHECK(waitpid(decoder.pid, &status, 0) == decoder.pid);
    CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSYS); // the sanitizer's sigaltstack, before it leaves
}

static void alone(void (*test)(void))
{
    fresh();
    if (!packed_n) prepare();
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        test();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status) check_fail("the process ended with status 0x%x", status);
}

TEST(all_of_it) { alone(whole); }
TEST(more_than_allowed) { alone(too_much); }
TEST(half_of_it) { alone(truncated); }
TEST(no_bytes) { alone(nothing); }
TEST(decoder_dies) { alone(killed); }
TEST(reader_goes_away) { alone(abandoned); }
