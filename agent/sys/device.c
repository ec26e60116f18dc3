/* see device.h */
#include "sys/device.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_block(const char *name) {
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "/dev/%s", name);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 ||
        (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) && lseek(fd, 0, SEEK_END) > 0 && lseek(fd, 0, SEEK_SET) == 0))
        return fd;
    close(fd);
    return -1;
}

bool device_each_block(bool (*use)(void *state, const char *name, int fd, struct err *e), void *state, struct err *e) {
    struct dirent **entries;
    int count = scandir("/sys/class/block", &entries, NULL, alphasort);
    bool ok = true;
    for (int i = 0; i < count; i++) {
        int fd = ok ? open_block(entries[i]->d_name) : -1;
        if (fd >= 0) ok = use(state, entries[i]->d_name, fd, e), close(fd);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return ok;
}
