// What becomes of locked memory: wiped when dropped, absent in children, in no dump.
#include "lib.h"

#include "sys/secret_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(wiped_when_dropped) { // seen through another mapping of the same pages
    int fd = memfd_create("pages", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 3 * 4096) == 0);
    struct arena a = {mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 0, 3 * 4096};
    uint8_t *seen = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(a.base != MAP_FAILED && seen != MAP_FAILED);
    memset(arena_alloc(&a, 5000), 0xa5, 5000);
    memset(arena_alloc(&a, 1), 0xa5, 1);
    CHECK(seen[4999] == 0xa5 && seen[5008] == 0xa5);
    secret_memory_drop(&a);
    for (size_t i = 0; i < 3 * 4096; i++) CHECK(seen[i] == 0);
    secret_memory_drop(&a);
    munmap(seen, 3 * 4096);
    close(fd);
}

TEST(not_in_children) {
    struct arena a;
    int status;
    CHECK(secret_memory_make(&a, 1 << 20, false, &err));
    memset(arena_alloc(&a, 100), 0xa5, 100);
    pid_t child = fork();
    if (child == 0) _exit(msync(a.base, 4096, MS_ASYNC) != 0 && errno == ENOMEM ? 0 : 1);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(a.base[99] == 0xa5);
    secret_memory_drop(&a);
}

// The flags of its mapping: dd (no dump), dc (not at fork), lo (locked) where RLIMIT_MEMLOCK allows.
TEST(flags) {
    struct arena a;
    char line[512];
    unsigned long from, to, wanted;
    bool here = false, seen = false;
    CHECK(secret_memory_make(&a, 64 << 10, true, &err));
    wanted = (unsigned long)(uintptr_t)a.base;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && strchr(line, '-') < strchr(line, ' ')) here = from <= wanted && wanted < to;
        if (!here || strncmp(line, "VmFlags:", 8)) continue;
        seen = true;
        if (!strstr(line, " dd") || !strstr(line, " dc") || !strstr(line, " lo")) check_fail("%s", line);
    }
    if (f) fclose(f);
    CHECK(seen);
    secret_memory_drop(&a);
}
