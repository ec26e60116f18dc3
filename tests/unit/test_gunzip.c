// worker/gunzip: ISA-L, each of its code paths, held against zlib: same verdicts, same bytes, wherever the input and the room are cut.
#include "lib.h"

#include <zlib.h>

#define gunzip isal_gunzip
#define gunzip_new isal_new
#define gunzip_free isal_free
#define gunzip_step isal_step
#include "worker/gunzip_isal.c"
#undef PLINTH_WORKER_GUNZIP_H
#undef gunzip
#undef gunzip_new
#undef gunzip_free
#undef gunzip_step
#include "worker/gunzip_zlib.c"

// What ISA-L's dispatcher would choose by the processor; here each in turn that can run at all.
typedef int decoder(struct inflate_state *, uint8_t *);
typedef uint32_t checksum(uint32_t, const uint8_t *, uint64_t);
decoder decode_huffman_code_block_stateless, decode_huffman_code_block_stateless_base, decode_huffman_code_block_stateless_01,
    decode_huffman_code_block_stateless_04;
checksum crc32_gzip_refl, crc32_gzip_refl_base, crc32_gzip_refl_by8, crc32_gzip_refl_by8_02;
static struct {
    decoder *decode;
    checksum *crc;
} path = {decode_huffman_code_block_stateless_base, crc32_gzip_refl_base};
int decode_huffman_code_block_stateless(struct inflate_state *s, uint8_t *start) { return path.decode(s, start); }
uint32_t crc32_gzip_refl(uint32_t seed, const uint8_t *p, uint64_t n) { return path.crc(seed, p, n); }

static size_t paths(void)
{
    return !__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul") ? 1 : __builtin_cpu_supports("avx2") ? 3 : 2;
}

static void choose(size_t i)
{
    path.decode = i == 0   ? decode_huffman_code_block_stateless_base
                  : i == 1 ? decode_huffman_code_block_stateless_01
                           : decode_huffman_code_block_stateless_04;
    path.crc = i == 0 ? crc32_gzip_refl_base : i == 1 ? crc32_gzip_refl_by8 : crc32_gzip_refl_by8_02;
}

static uint8_t text[200000], packed[2][400000], whole[2][400000];
static size_t whole_n[2];
static const char *fault;

static uint32_t dice = 7;
static size_t roll(size_t below) // the same numbers in each run
{
    dice = dice * 1664525 + 1013904223;
    return (size_t)(((uint64_t)(dice >> 8) * below) >> 24);
}

// Runs `in` in pieces of at most `piece` bytes through rooms of at most `room`. True: it ended behind a member.
static bool run(int zlib, struct view in, size_t piece, size_t room)
{
    struct gunzip *z = zlib ? gunzip_new() : NULL;
    struct isal_gunzip *i = zlib ? NULL : isal_new();
    bool inside = true, ok = true, moved = true;
    size_t n = 0, size = 0;
    fault = NULL;
    while (ok && (in.n || (inside && moved))) {
        if (n == size)
            size = n + room < sizeof *whole ? n + room : sizeof *whole;
        // The piece in memory of just its size, so that a read beyond it is caught.
        struct view all = view_first(in, piece);
        uint8_t *copy = malloc(all.n ? all.n : 1);
        memcpy(copy, all.p, all.n);
        struct view rest = view_of(copy, all.n);
        size_t before = n;
        ok = z ? gunzip_step(z, &rest, whole[zlib], size, &n, &inside, &fault)
               : isal_step(i, &rest, whole[zlib], size, &n, &inside, &fault);
        moved = rest.n != all.n || n != before;
        in = view_skip(in, all.n - rest.n);
        free(copy);
        if (!moved && in.n && n == sizeof *whole)
            break;
    }
    gunzip_free(z);
    isal_free(i);
    whole_n[zlib] = n;
    return ok && !inside;
}

// Both agree on `in`, and take the same from it when they accept it.
static bool agree(struct view in, size_t piece, size_t room)
{
    bool a, b = run(1, in, piece, room);
    for (size_t i = 0; i < paths(); i++) {
        choose(i);
        a = run(0, in, piece, room);
        if (a != b)
            check_fail("of %zu bytes by %zu: ISA-L %s, zlib %s (%s)", in.n, piece, a ? "accepts" : "refuses",
                       b ? "accepts" : "refuses", fault ? fault : "");
        CHECK(!a || (whole_n[0] == whole_n[1] && memcmp(whole[0], whole[1], whole_n[0]) == 0));
    }
    return b;
}

enum { FTEXT = 1, FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16 };

// A member with the header fields of `flags`; `text[0..n)` by zlib's deflate.
static size_t member(uint8_t *out, unsigned flags, size_t n, int level, int strategy)
{
    uint8_t head[10] = {0x1f, 0x8b, 8, (uint8_t)flags, 1, 2, 3, 4, 0, 3}, *p = out;
    memcpy(p, head, 10), p += 10;
    if (flags & FEXTRA)
        memcpy(p, "\7\0abcdefg", 9), p += 9;
    if (flags & FNAME)
        memcpy(p, "layer.tar", 10), p += 10;
    if (flags & FCOMMENT)
        memcpy(p, "a comment", 10), p += 10;
    if (flags & FHCRC) {
        uLong crc = crc32(0, out, (uInt)(p - out));
        *p++ = (uint8_t)crc, *p++ = (uint8_t)(crc >> 8);
    }
    z_stream z = {0};
    CHECK(deflateInit2(&z, level, Z_DEFLATED, -15, 9, strategy) == Z_OK);
    z.next_in = text, z.avail_in = (uInt)n;
    z.next_out = p, z.avail_out = 390000;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    p += z.total_out;
    deflateEnd(&z);
    uLong crc = crc32(0, text, (uInt)n);
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(crc >> 8 * i), p[4 + i] = (uint8_t)(n >> 8 * i);
    return (size_t)(p + 8 - out);
}

static void fill(int kind)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(kind == 0 ? i * i / 7 : kind == 1 ? roll(256) : kind == 2 ? 'a' + roll(3) * roll(9) : i / 5000);
}

TEST(every_header)
{
    fill(0);
    for (unsigned flags = 0; flags < 32; flags++) {
        size_t n = member(packed[0], flags, 300, 6, Z_DEFAULT_STRATEGY);
        for (size_t piece = 1; piece <= 60; piece++)
            CHECK(agree(view_of(packed[0], n), piece, 1000));
        for (size_t cut = 0; cut < n; cut++)
            CHECK(!agree(view_of(packed[0], cut), 7, 1000) && !agree(view_of(packed[0], cut), 1000, 1000));
        for (size_t at = 0; at < 50; at++) { // each byte of the header
            uint8_t was = packed[0][at];
            packed[0][at] ^= (uint8_t)(1 << at % 8);
            bool taken = run(1, view_of(packed[0], n), 11, 1000);
            CHECK(!taken || agree(view_of(packed[0], n), 11, 1000));
            if (at < 10 || flags & FHCRC)
                agree(view_of(packed[0], n), 11, 1000);
            packed[0][at] = was;
        }
    }
}

TEST(reserved_flags)
{
    fill(0);
    for (unsigned flags = 32; flags < 256; flags++) {
        size_t n = member(packed[0], flags, 300, 6, Z_DEFAULT_STRATEGY);
        CHECK(!agree(view_of(packed[0], n), 1000, 1000) && !agree(view_of(packed[0], n), 1, 1000));
    }
}

TEST(header_checksum)
{
    fill(0);
    size_t n = member(packed[0], FHCRC | FNAME, 300, 6, Z_DEFAULT_STRATEGY);
    packed[0][20] ^= 1;
    for (size_t piece = 1; piece < 40; piece++)
        CHECK(!agree(view_of(packed[0], n), piece, 1000));
}

TEST(trailer)
{
    fill(0);
    size_t n = member(packed[0], 0, 300, 6, Z_DEFAULT_STRATEGY);
    for (size_t i = n - 8; i < n; i++) {
        packed[0][i] ^= 4;
        for (size_t piece = 1; piece < 12; piece++)
            CHECK(!agree(view_of(packed[0], n), piece, 1000));
        packed[0][i] ^= 4;
    }
}

// Stored, fixed and dynamic blocks, of all sizes, several members, all cut at random.
TEST(random_streams)
{
    for (int round = 0; round < 600; round++) {
        size_t n = 0, total = 0;
        for (size_t members = 1 + roll(4); members; members--) {
            fill((int)roll(4));
            size_t length = roll(2) ? roll(300) : roll(sizeof text / 4);
            n += member(packed[0] + n, (unsigned)roll(32), length, (int)roll(10), roll(3) ? Z_DEFAULT_STRATEGY : Z_FIXED);
            total += length;
        }
        CHECK(agree(view_of(packed[0], n), 1 + roll(roll(2) ? 20 : 70000), 1 + roll(roll(2) ? 300 : 400000)));
        CHECK_EQ(whole_n[0], total);
    }
}

// What zlib accepts, ISA-L accepts too; it may accept more (codes that leave a bit pattern unused), never other bytes: the trailer holds
// for both.
TEST(flipped_bits)
{
    size_t more = 0;
    for (int kind = 0; kind < 4; kind++) {
        fill(kind);
        choose((size_t)kind % paths());
        size_t n = member(packed[0], 0, 3000, 6, kind == 3 ? Z_FIXED : Z_DEFAULT_STRATEGY);
        for (size_t bit = 80; bit < n * 8; bit++) {
            packed[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
            bool a = run(0, view_of(packed[0], n), 1000, sizeof *whole), b = run(1, view_of(packed[0], n), 1000, sizeof *whole);
            CHECK(a || !b);
            CHECK(!a || (whole_n[0] == 3000 && memcmp(whole[0], text, 3000) == 0));
            more += a && !b;
            packed[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    CHECK(more < 20);
}
