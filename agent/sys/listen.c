/* see listen.h */
#include "sys/listen.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static int begin(int family, const struct sockaddr *address, socklen_t size) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

int listen_tcp(uint32_t address, uint16_t port, struct err *e) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
    int fd = begin(AF_INET, (struct sockaddr *)&at, sizeof at);
    if (fd < 0) err_sys(e, "cannot listen on port %u", port);
    return fd;
}

int listen_unix(int directory, const char *name, mode_t mode, struct err *e) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s", directory, name);
    int fd = begin(AF_UNIX, (struct sockaddr *)&at, sizeof at);
    if (fd < 0 || fchmodat(directory, name, mode, 0)) {
        err_sys(e, "cannot make the socket %s", name);
        if (fd >= 0) close(fd);
        return -1;
    }
    return fd;
}
