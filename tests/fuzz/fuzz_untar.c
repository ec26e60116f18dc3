// worker/untar: a tar, unpacked for real into a directory below /tmp (or $TMPDIR), beside which nothing may appear or change. As header
// checksums would stop nearly every mutation, they are put right first, unless the first byte's high bit is set.
#include "fuzz_lib.h"

#include "tools/merge.h"
#include "worker/decompress.h"
#include "worker/untar.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[256];

static void leave(void)
{
    char command[300];

    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", place, place);
    if (system(command))
        perror(place);
}

// BASE/room to unpack into, and BASE/outside; the room's descriptor.
static int enter(int *base)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(place, sizeof place, "%s/plinth-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(place))
        abort();
    atexit(leave);
    *base = open(place, O_RDONLY | O_DIRECTORY);
    if (mkdirat(*base, "room", 0755) || mkdirat(*base, "outside", 0500))
        abort();
    return openat(*base, "room", O_RDONLY | O_DIRECTORY);
}

static void mend_checksum(uint8_t *h)
{
    unsigned sum = 8 * ' ';

    for (size_t i = 0; i < 512; i++)
        sum += i < 148 || i > 155 ? h[i] : 0;
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static bool next_block(void *state, struct view *out, bool *ended, struct err *e)
{
    struct decompress *d = state;
    bool ok = decompress_next(d, out, e);
    *ended = ok && d->ended;
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct decompress input;
    static int file = -1, base = -1, room = -1;
    struct err e;
    struct stat s;
    struct unpack_result result;

    if (n < 1 || n > 1 << 16)
        return 0;
    if (room < 0) {
        room = enter(&base);
        file = memfd_create("in", MFD_CLOEXEC);
    }
    uint8_t *copy = malloc(n);
    memcpy(copy, p, n);
    for (size_t at = 1; !(p[0] & 0x80) && at + 512 <= n; at += 512)
        mend_checksum(copy + at);
    if (ftruncate(file, 0) || pwrite(file, copy + 1, n - 1, 0) != (ssize_t)(n - 1) || lseek(file, 0, SEEK_SET))
        abort();
    free(copy);
    struct unpack_job job = {LAYER_PLAIN, 1 << 24, 64, false, geteuid() == 0 && (p[0] & 1), p[0] & 2};
    struct untar_input in = {next_block, &input, false};
    umask(0);
    if (decompress_open(&input, job.compression, file, job.bytes_max, &e))
        untar(room, &job, &in, &result, &e);
    decompress_close(&input);
    if (!merge_clear(room, &e)) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    if (fstat(base, &s) || s.st_nlink != 4 || fstatat(base, "outside", &s, 0) || s.st_nlink != 2 || (s.st_mode & 07777) != 0500)
        abort();
    return 0;
}
