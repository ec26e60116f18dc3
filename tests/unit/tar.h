// Tars for tests, written by hand, and a directory of their own to unpack them in.
#ifndef TESTS_TAR_H
#define TESTS_TAR_H

#include "lib.h"

#include "crypto/hash.h"
#include "oci/layer.h"
#include "tools/merge.h"
#include "worker/decompress.h"
#include "worker/untar.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct tar {
    uint8_t p[256 << 10];
    size_t n;
};
static struct tar tar; // the one being written

static void tar_put(const void *p, size_t n)
{
    CHECK(n <= sizeof tar.p - tar.n);
    memcpy(tar.p + tar.n, p, n);
    tar.n += n;
}

static void tar_number(uint8_t *field, size_t size, uint64_t value)
{
    field[--size] = 0;
    while (size--) {
        field[size] = (uint8_t)('0' + (value & 7));
        value >>= 3;
    }
}

static void tar_checksum(uint8_t *header)
{
    uint64_t sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    tar_number(header + 148, 7, sum);
}

// A header of `size` bytes' content, which the caller may put after it.
__attribute__((unused)) static void tar_header(const char *name, char kind, const char *link, unsigned mode, size_t size)
{
    uint8_t h[512] = {0};
    CHECK(strlen(name) <= 100 && strlen(link) <= 100);
    memcpy(h, name, strlen(name));
    tar_number(h + 100, 8, mode);
    tar_number(h + 108, 8, 0);
    tar_number(h + 116, 8, 0);
    tar_number(h + 124, 12, size);
    tar_number(h + 136, 12, 1700000000);
    h[156] = (uint8_t)kind;
    memcpy(h + 157, link, strlen(link));
    memcpy(h + 257, "ustar\00000", 8);
    tar_checksum(h);
    tar_put(h, sizeof h);
}

__attribute__((unused)) static void tar_file(const char *name, const char *text)
{
    tar_header(name, '0', "", 0644, strlen(text));
    tar_put(text, strlen(text));
    while (tar.n % 512)
        tar.p[tar.n++] = 0;
}
__attribute__((unused)) static void tar_dir(const char *name, unsigned mode) { tar_header(name, '5', "", mode, 0); }
__attribute__((unused)) static void tar_symlink(const char *name, const char *to) { tar_header(name, '2', to, 0777, 0); }
__attribute__((unused)) static void tar_link(const char *name, const char *to) { tar_header(name, '1', to, 0644, 0); }
__attribute__((unused)) static void tar_device(const char *name, char kind, unsigned major, unsigned minor)
{
    tar_header(name, kind, "", 0600, 0);
    uint8_t *h = tar.p + tar.n - 512;
    tar_number(h + 329, 8, major);
    tar_number(h + 337, 8, minor);
    tar_checksum(h);
}
__attribute__((unused)) static void tar_end(void)
{
    static const uint8_t zeros[1024];
    tar_put(zeros, sizeof zeros);
}

// A record of a pax header.
__attribute__((unused)) static size_t tar_record(char *out, size_t size, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, n = rest + 1;
    while (n != rest + (size_t)snprintf(NULL, 0, "%zu", n))
        n = rest + (size_t)snprintf(NULL, 0, "%zu", n);
    snprintf(out, size, "%zu %s=%s\n", n, key, value);
    return n;
}
__attribute__((unused)) static void tar_pax(const char *key, const char *value)
{
    char text[2048];
    size_t n = tar_record(text, sizeof text, key, value);
    tar_header("x", 'x', "", 0644, n);
    tar_put(text, n);
    while (tar.n % 512)
        tar.p[tar.n++] = 0;
}

// ---- a place: BASE/room, and BASE/outside with a file that must stay as it is ----

static char place_path[] = "/tmp/plinth-test-XXXXXX";
static int place = -1;

__attribute__((destructor)) static void place_remove(void)
{
    struct err ignored;
    if (place >= 0 && merge_clear(place, &ignored))
        rmdir(place_path);
}

// The room, empty.
__attribute__((unused)) static int place_room(void)
{
    if (place < 0) {
        CHECK(mkdtemp(place_path) != NULL);
        place = open(place_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(mkdirat(place, "room", 0755) == 0 && mkdirat(place, "outside", 0755) == 0);
        int fd = openat(place, "outside/file", O_WRONLY | O_CREAT, 0600);
        CHECK(write(fd, "as it was", 9) == 9 && close(fd) == 0);
    }
    fchmodat(place, "room", 0755, 0);
    int room = openat(place, "room", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!merge_clear(room, &err))
        check_fail("the room cannot be cleared: %s", err.text);
    return room;
}

// Nothing beside the room and the one file, which is as it was.
__attribute__((unused)) static void place_check(void)
{
    char text[16] = {0};
    struct stat s;
    int fd = openat(place, "outside/file", O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof text) == 9 && fstat(fd, &s) == 0);
    close(fd);
    CHECK_STR(text, "as it was");
    CHECK((s.st_mode & 07777) == 0600 && s.st_nlink == 1);
    CHECK(fstatat(place, "outside", &s, 0) == 0 && s.st_nlink == 2);
    CHECK(fstatat(place, ".", &s, 0) == 0 && s.st_nlink == 4);
}

// One process here does what the unpack worker's two do (worker/decoder.h).
static struct decompress input;
static struct hash input_hash;
__attribute__((unused)) static bool input_next(void *state, struct view *out, bool *ended, struct err *e)
{
    (void)state;
    bool ok = decompress_next(&input, out, e);
    *ended = ok && input.ended;
    if (ok)
        hash_update(&input_hash, *out);
    return ok;
}
static struct unpack_result result;
static struct unpack_job job;

__attribute__((unused)) static void job_reset(void)
{
    job = (struct unpack_job){LAYER_PLAIN, 1 << 30, 1000, false, geteuid() == 0, false};
}

// Unpacks bytes into the room; what the input is read from is a memory file.
__attribute__((unused)) static bool unpack_into(int room, struct view bytes)
{
    static int file = -1;
    if (file < 0)
        file = memfd_create("layer", MFD_CLOEXEC);
    CHECK(ftruncate(file, 0) == 0 && pwrite(file, bytes.p, bytes.n, 0) == (ssize_t)bytes.n && lseek(file, 0, SEEK_SET) == 0);
    struct untar_input in = {input_next, NULL, false};
    umask(0);
    hash_init(&input_hash, HASH_SHA256);
    bool ok = decompress_open(&input, job.compression, file, job.bytes_max, &err) && untar(room, &job, &in, &result, &err);
    if (ok) {
        result.bytes = input.bytes;
        hash_final(&input_hash, result.diff_id);
    }
    decompress_close(&input);
    return ok;
}

#endif
