// worker/decompress, over ISA-L here and over zlib in test_decompress_zlib.c: gzip with several members, zstd with several and skippable frames, plain; cut at every length, every bit flipped.
#include "lib.h"

#include "worker/decompress.h"

#ifndef GUNZIP
#define GUNZIP "worker/gunzip_isal.c"
#endif
#include GUNZIP // before the one that libplinth.a holds

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static struct decompress d;
static uint8_t text[3000], packed[1 << 20];
static uint8_t whole[4 << 20];
static size_t whole_n;

// Runs all of `in` through; what comes out is in `whole`.
static bool run(enum layer_compression how, struct view in, uint64_t max)
{
    static int file = -1;
    if (file < 0)
        file = memfd_create("in", MFD_CLOEXEC);
    CHECK(ftruncate(file, 0) == 0 && pwrite(file, in.p, in.n, 0) == (ssize_t)in.n && lseek(file, 0, SEEK_SET) == 0);
    bool ok = decompress_open(&d, how, file, max, &err);
    struct view out;
    whole_n = 0;
    while (ok && (ok = decompress_next(&d, &out, &err)) && out.n) {
        if (out.n <= sizeof whole - whole_n)
            memcpy(whole + whole_n, out.p, out.n);
        whole_n += out.n;
    }
    decompress_close(&d);
    return ok;
}

static struct view sample(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * i / 7);
    return view_of(text, sizeof text);
}

static size_t gzip(struct view in, uint8_t *out, size_t size)
{
    z_stream z = {0};
    CHECK(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = out;
    z.avail_out = (uInt)size;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static size_t zstd(struct view in, uint8_t *out, size_t size)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(c, out, size, in.p, in.n);
    ZSTD_freeCCtx(c);
    CHECK(!ZSTD_isError(n));
    return n;
}

static void check_whole(struct view wanted, size_t times)
{
    CHECK_EQ(whole_n, wanted.n * times);
    for (size_t i = 0; i < times; i++)
        CHECK(view_eq(view_of(whole + i * wanted.n, wanted.n), wanted));
    CHECK_EQ(d.bytes, whole_n);
}

TEST(plain)
{
    CHECK(run(LAYER_PLAIN, sample(), 3000));
    check_whole(sample(), 1);
    CHECK(run(LAYER_PLAIN, (struct view){0}, 0) && whole_n == 0);
    CHECK(!run(LAYER_PLAIN, sample(), 2999));
    CHECK_EQ(err.kind, ERR_POLICY);
    CHECK_ERR("limits.bytes");
}

TEST(plain_of_several_blocks)
{
    static uint8_t big[700001];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i >> 9);
    CHECK(run(LAYER_PLAIN, view_of(big, sizeof big), 1 << 20));
    check_whole(view_of(big, sizeof big), 1);
    size_t n = gzip(view_of(big, sizeof big), packed, sizeof packed);
    CHECK(run(LAYER_GZIP, view_of(packed, n), 1 << 20));
    check_whole(view_of(big, sizeof big), 1);
    n = zstd(view_of(big, sizeof big), packed, sizeof packed);
    CHECK(run(LAYER_ZSTD, view_of(packed, n), 1 << 20));
    check_whole(view_of(big, sizeof big), 1);
}

TEST(gzip_members)
{
    size_t n = 0;
    for (size_t i = 0; i < 5; i++)
        n += gzip(sample(), packed + n, sizeof packed - n);
    CHECK(run(LAYER_GZIP, view_of(packed, n), 1 << 20));
    check_whole(sample(), 5);
    n += gzip((struct view){0}, packed + n, sizeof packed - n); // an empty member
    CHECK(run(LAYER_GZIP, view_of(packed, n), 1 << 20));
    check_whole(sample(), 5);
}

TEST(zstd_frames)
{
    size_t n = 0;
    for (size_t i = 0; i < 5; i++) {
        n += zstd(sample(), packed + n, sizeof packed - n);
        memcpy(packed + n, "\x5a\x2a\x4d\x18\x03\0\0\0abc", 11); // RFC 8878, 3.1.2: skippable
        n += 11;
    }
    CHECK(run(LAYER_ZSTD, view_of(packed, n), 1 << 20));
    check_whole(sample(), 5);
}

static enum layer_compression how;
static bool accepts(struct view v) { return run(how, v, 1 << 20); }

TEST(gzip_broken)
{
    fresh();
    how = LAYER_GZIP;
    size_t n = gzip(sample(), packed, sizeof packed);
    broken(view_of(packed, n), n, accepts);
    for (size_t k = 1; k < 40; k++) { // cut inside the second member
        size_t more = gzip(sample(), packed + n, sizeof packed - n);
        CHECK(!run(LAYER_GZIP, view_of(packed, n + more - k), 1 << 20));
        CHECK_EQ(err.kind, ERR_FORMAT);
    }
    CHECK_ERR("truncated");
}

TEST(zstd_broken)
{
    fresh();
    how = LAYER_ZSTD;
    size_t n = zstd(sample(), packed, sizeof packed);
    broken(view_of(packed, n), n, accepts);
}

TEST(content_flips_are_found) // each format has a checksum: what is accepted is the same text
{
    size_t n = gzip(sample(), packed, sizeof packed);
    for (size_t i = 10; i < n; i++) {
        packed[i] ^= 0x10;
        if (run(LAYER_GZIP, view_of(packed, n), 1 << 20))
            check_whole(sample(), 1);
        packed[i] ^= 0x10;
    }
}

TEST(trailing_bytes)
{
    size_t n = gzip(sample(), packed, sizeof packed), m;
    memcpy(packed + n, "garbage", 7);
    CHECK(!run(LAYER_GZIP, view_of(packed, n + 7), 1 << 20));
    CHECK_ERR("after 3000 bytes");
    memset(packed + n, 0, 512);
    CHECK(!run(LAYER_GZIP, view_of(packed, n + 512), 1 << 20));
    CHECK(!run(LAYER_GZIP, view_of(packed, n + 1), 1 << 20)); // one byte of a next member's header
    m = zstd(sample(), packed, sizeof packed);
    memcpy(packed + m, "garbage", 7);
    CHECK(!run(LAYER_ZSTD, view_of(packed, m + 7), 1 << 20));
    CHECK(!run(LAYER_ZSTD, view_of(packed, m + 1), 1 << 20));
}

TEST(lies_about_the_format)
{
    size_t n = zstd(sample(), packed, sizeof packed);
    CHECK(!run(LAYER_GZIP, view_of(packed, n), 1 << 20));
    CHECK_ERR("the media type says gzip, the bytes are not");
    n = gzip(sample(), packed, sizeof packed);
    CHECK(!run(LAYER_ZSTD, view_of(packed, n), 1 << 20));
    CHECK_ERR("the media type says zstd, the bytes are not");
    CHECK(!run(LAYER_GZIP, (struct view){0}, 1 << 20) && !run(LAYER_ZSTD, (struct view){0}, 1 << 20));
    CHECK_ERR("truncated");
    uLongf size = sizeof packed;
    CHECK(compress(packed, &size, text, sizeof text) == Z_OK); // zlib's own format is not gzip
    CHECK(!run(LAYER_GZIP, view_of(packed, size), 1 << 20));
}

TEST(zstd_window)
{
    // A frame header, its window descriptor, and one empty last block.
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00};
    CHECK(run(LAYER_ZSTD, view_of(frame, sizeof frame), 1 << 20));
    CHECK_EQ(whole_n, 0);
    for (unsigned log = 28; log <= 41; log++) {
        frame[5] = (uint8_t)((log - 10) << 3);
        CHECK(!run(LAYER_ZSTD, view_of(frame, sizeof frame), 1 << 20));
    }
    frame[5] = (28 - 10) << 3;
    CHECK(!run(LAYER_ZSTD, view_of(frame, sizeof frame), 1 << 20));
    CHECK_ERR("128 MiB");
}

TEST(bombs_end_at_the_limit)
{
    static uint8_t zeros[1 << 20];
    z_stream z = {0};
    static uint8_t bomb[1 << 20];
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_out = bomb;
    z.avail_out = sizeof bomb;
    for (size_t i = 0; i < 64; i++) { // 64 MiB in 64 KiB
        z.next_in = zeros;
        z.avail_in = sizeof zeros;
        CHECK(deflate(&z, i == 63 ? Z_FINISH : Z_NO_FLUSH) != Z_STREAM_ERROR);
    }
    deflateEnd(&z);
    CHECK(!run(LAYER_GZIP, view_of(bomb, z.total_out), 3 << 20));
    CHECK_EQ(err.kind, ERR_POLICY);
    CHECK_ERR("3145728 bytes that are left of limits.bytes");
    CHECK(whole_n <= 3 << 20);
}
