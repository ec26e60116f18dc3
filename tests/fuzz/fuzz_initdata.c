/* fuzz_initdata: the first byte says whether the rest is TOML, initdata's text, or the drive that brings it. */
#include "fuzz_lib.h"

#include "base/limits.h"
#include "format/toml.h"
#include "tee/initdata.h"
#include "worker/initdata.h"

#include <sys/mman.h>
#include <unistd.h>

static void read_drive(struct view v) {
    struct view text;
    struct err e;
    int fd = memfd_create("drive", 0);
    if (fd < 0 || write(fd, v.p, v.n) != (ssize_t)v.n || lseek(fd, 0, SEEK_SET)) abort();
    if (initdata_read(fd, &arena, &text, &e)) touch(text);
    if (text.n > INITDATA_MAX) abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static struct toml t;
    struct initdata d;
    struct err e;
    start(3 * INITDATA_MAX);
    if (n == 0) return 0;
    struct view v = view_of(bytes + 1, n - 1);
    switch (bytes[0] % 3) {
    case 0:
        if (!toml_parse(v, &arena, &t, &e)) break;
        if (t.count > TOML_ENTRIES_MAX) abort();
        for (size_t i = 0; i < t.count; i++) {
            touch(t.entries[i].table), touch(t.entries[i].value);
            if (toml_find(&t, t.entries[i].table, t.entries[i].key) != &t.entries[i]) abort(); /* no duplicates */
        }
        break;
    case 1:
        if (!initdata_parse(v, &arena, &d, &e)) break;
        touch(d.policy), touch(d.ignored);
        if (d.algorithm > HASH_SHA512) abort();
        break;
    case 2:
        read_drive(v);
        break;
    }
    return 0;
}
