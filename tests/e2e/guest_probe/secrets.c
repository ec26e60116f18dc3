/* secrets: the container of test_secrets.py. Says what it got without saying it (lengths and hashes), and looks, as root, for the same bytes in
 * everything that it can read: every file below /, the kernel's log, other processes' memory.
 *
 *     musl-gcc -static -Os -s -o secrets secrets.c
 *
 * Arguments: NAME is a file of /run/secrets, $NAME a variable. Prints "probe.key=value" lines, the last of them "probe.end=1", and waits for ever. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEEDLES 16
#define PIECE (1 << 20)
#define MOST (64 << 20) /* of one file */

static struct {
    const char *name;
    char bytes[4096];
    size_t n;
} needles[NEEDLES];
static size_t needle_count, files, bytes;
static char buffer[4096 + PIECE];

static unsigned long long fnv(const char *p, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h;
}

static void found(const char *where, const char *name) { printf("probe.found=%s in %s\n", name, where); }

/* Everything that `fd` gives, in pieces that overlap; what is found is told once. */
static void search(int fd, const char *where) {
    int told[NEEDLES] = {0};
    size_t have = 0, total = 0;
    for (ssize_t n; total < MOST && (n = read(fd, buffer + have, PIECE)) > 0;) {
        total += (size_t)n, have += (size_t)n;
        for (size_t i = 0; i < needle_count; i++)
            if (!told[i] && memmem(buffer, have, needles[i].bytes, needles[i].n)) found(where, needles[i].name), told[i] = 1;
        size_t keep = have < 4096 ? have : 4096;
        memmove(buffer, buffer + have - keep, keep);
        have = keep;
    }
    files++, bytes += total;
}

/* Another process' memory, as far as it can be read. Kernel threads have none. */
static void search_process(const char *directory) {
    char path[4096 + 8], line[512];
    snprintf(path, sizeof path, "%s/maps", directory);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof path, "%s/mem", directory);
    int mem = open(path, O_RDONLY), ranges = 0;
    unsigned long from, to;
    while (maps && fgets(line, sizeof line, maps)) {
        ranges++;
        if (mem < 0 || sscanf(line, "%lx-%lx r", &from, &to) != 2) continue;
        for (unsigned long at = from; at < to; at += PIECE) {
            ssize_t n = pread(mem, buffer, to - at < PIECE ? to - at : PIECE, (off_t)at);
            for (size_t i = 0; n > 0 && i < needle_count; i++)
                if (memmem(buffer, (size_t)n, needles[i].bytes, needles[i].n)) found(path, needles[i].name);
        }
    }
    if (ranges) printf("probe.process=%s%s\n", directory, mem < 0 ? " (its memory cannot be opened)" : "");
    if (maps) fclose(maps);
    if (mem >= 0) close(mem);
}

static void walk(const char *directory) {
    char path[4096];
    DIR *d = opendir(directory[0] ? directory : "/");
    int own = strcmp(directory, "/proc") == 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (snprintf(path, sizeof path, "%s/%s", directory, e->d_name) >= (int)sizeof path || lstat(path, &st)) continue;
        if (own && e->d_name[0] >= '0' && e->d_name[0] <= '9' && atoi(e->d_name) != getpid()) search_process(path);
        if (S_ISDIR(st.st_mode)) walk(path);
        if (!S_ISREG(st.st_mode) || (strncmp(path, "/proc/", 6) == 0 && (strcmp(e->d_name, "mem") == 0 || strcmp(e->d_name, "pagemap") == 0))) continue;
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0) search(fd, path), close(fd);
    }
    if (d) closedir(d);
}

static void add(const char *name, const char *p, size_t n) {
    if (n > sizeof needles[0].bytes || n < 8 || needle_count == NEEDLES) exit(2);
    needles[needle_count].name = name;
    needles[needle_count].n = n;
    memcpy(needles[needle_count++].bytes, p, n);
}

int main(int argc, char **argv) {
    static char text[8192];
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        char path[300];
        struct stat st;
        if (argv[i][0] == '$') {
            const char *value = getenv(argv[i] + 1);
            if (value) add(argv[i], value, strlen(value)), printf("probe.%s=%zu bytes %016llx\n", argv[i], strlen(value), fnv(value, strlen(value)));
            else printf("probe.%s=(none)\n", argv[i]);
            continue;
        }
        snprintf(path, sizeof path, "/run/secrets/%s", argv[i]);
        int fd = open(path, O_RDONLY);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
        if (n < 0 || fstat(fd, &st)) printf("probe.%s=(%s)\n", argv[i], strerror(errno));
        else add(argv[i], text, (size_t)n), printf("probe.%s=mode %o owner %u:%u %zd bytes %016llx\n", argv[i], st.st_mode & 07777, st.st_uid, st.st_gid, n, fnv(text, (size_t)n));
        if (fd >= 0) close(fd);
    }
    /* The search finds what is there: */
    int fd = open("/tmp/planted", O_RDWR | O_CREAT, 0600);
    for (size_t i = 0; i < needle_count; i++)
        if (write(fd, needles[i].bytes, needles[i].n) < 0) return 2;
    close(fd);
    walk("");
    int n = klogctl(3, buffer, sizeof buffer); /* SYSLOG_ACTION_READ_ALL */
    for (size_t i = 0; n > 0 && i < needle_count; i++)
        if (memmem(buffer, (size_t)n, needles[i].bytes, needles[i].n)) found("the kernel's log", needles[i].name);
    /* Who looks at the machine's memory from outside shall not find what this program made of them. */
    memset(needles, 0, sizeof needles), memset(buffer, 0, sizeof buffer), memset(text, 0, sizeof text);
    fd = open("/tmp/planted", O_RDWR);
    for (size_t i = 0; i < NEEDLES; i++)
        if (write(fd, buffer, sizeof needles[0].bytes) < 0) return 2;
    __asm__ volatile("" ::"r"(needles), "r"(buffer), "r"(text) : "memory");
    printf("probe.log=%d\nprobe.searched=%zu files %zu bytes\nprobe.end=1\n", n, files, bytes);
    for (;;) pause();
}
