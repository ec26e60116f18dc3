/* web: a container behind run.tls: an HTTP server on 127.0.0.1:PORT that answers every request with what stands in the second
 * argument. Prints "web.bind=..." (whether it could take the port of the third argument from the supervisor), then "web.ready=1".
 *
 *     musl-gcc -static -Os -s -o web web.c */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int try_listen(uint32_t address, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(address)}};
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    return bind(s, (struct sockaddr *)&at, sizeof at) || listen(s, 16) ? -1 : s;
}

int main(int argc, char **argv) {
    char buffer[65536];
    if (argc != 4) return 99;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("web.bind=%s\n", try_listen(INADDR_ANY, atoi(argv[3])) < 0 ? strerror(errno) : "taken");
    int s = try_listen(INADDR_LOOPBACK, atoi(argv[1]));
    if (s < 0) return perror("listen"), 98;
    printf("web.ready=1\n");
    for (;;) {
        int c = accept(s, NULL, NULL);
        size_t n = 0;
        ssize_t got;
        while (c >= 0 && n < sizeof buffer - 1 && (got = read(c, buffer + n, sizeof buffer - 1 - n)) > 0) {
            buffer[n += (size_t)got] = 0;
            if (strstr(buffer, "\r\n\r\n")) break;
        }
        dprintf(c, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(argv[2]), argv[2]);
        close(c);
    }
}
