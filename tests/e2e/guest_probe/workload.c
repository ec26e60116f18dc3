/* workload: the container of tests of the supervisor. Each argument is one thing to do, in order; what came of it is a line
 * "workload.<argument's number>=...", and "workload.end=1" the last.
 *
 *   GET /path, POST /path BODY     a request to 127.0.0.1:8006: status, type and body ("200 application/json {...}")
 *   unix GET /path                 the same over /run/plinth/api.sock
 *   cat PATH                       a file's bytes in hex
 *   ps                             pids in /proc; own pid and parent's
 *   look PATH                      "there", or why not
 *   flood N PATH                   N connections at once, then one after the other: how many of each status; -1 for none
 *   stall N                        N connections that send half a request, and stay
 *   env NAME                       a variable
 *   sleep N                        seconds
 *   orphan                         leaves a child behind that lives on, as a daemon does
 *   trap SIGNAL STATUS             from now on that signal ends it with that status
 *   exit N, kill SIGNAL, wait      ends, ends by a signal, or stays
 *
 *     musl-gcc -static -Os -s -o workload workload.c */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char answer[4 << 20];
static int trap_status;

static void trapped(int signal) {
    (void)signal;
    static const char said[] = "workload.trapped=1\n";
    (void)!write(1, said, sizeof said - 1);
    tcdrain(1);
    _exit(trap_status);
}

static int dial(int local) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(8006), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/plinth/api.sock"};
    int s = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 120};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(s, local ? (void *)&un : (void *)&in, local ? sizeof un : sizeof in) == 0) return s;
    close(s);
    return -1;
}

static void send_request(int s, const char *line) {
    char method[16], path[4096], head[8192];
    int at = 0;
    if (sscanf(line, "%15s %4095s %n", method, path, &at) < 2) exit(99);
    const char *body = at ? line + at : "";
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:8006\r\n", method, path);
    if (*body) n += snprintf(head + n, sizeof head - (size_t)n, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n%s", body);
    (void)!write(s, head, (size_t)n);
}

/* The whole response in `answer`; its status, or -1. */
static int receive(int s) {
    size_t n = 0;
    ssize_t got;
    while (n < sizeof answer - 1 && (got = read(s, answer + n, sizeof answer - 1 - n)) > 0) n += (size_t)got;
    answer[n] = 0;
    close(s);
    return n ? atoi(answer + 9) : -1;
}

static void request(int number, int local, const char *line) {
    int s = dial(local);
    if (s < 0) {
        printf("workload.%d=no connection: %s\n", number, strerror(errno));
        return;
    }
    send_request(s, line);
    int status = receive(s);
    char *body = strstr(answer, "\r\n\r\n"), *type = strstr(answer, "Content-Type: ");
    printf("workload.%d=%d %.*s ", number, status, type ? (int)strcspn(type + 14, "\r") : 1, type ? type + 14 : "-");
    for (body = body ? body + 4 : answer; *body; body++) putchar(*body == '\n' ? ' ' : (unsigned char)*body >= 0x20 && *body != 0x7f ? *body : '?');
    putchar('\n');
}

static void flood(int number, int n, const char *path) {
    int counts[600] = {0}, sockets[512], lost = 0;
    char line[512];
    struct timespec a, b;
    snprintf(line, sizeof line, "GET %s", path);
    if (n > 512) n = 512;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < n; i++)
        if ((sockets[i] = dial(0)) >= 0) send_request(sockets[i], line);
    for (int i = 0; i < n; i++) {
        int status = sockets[i] < 0 ? -1 : receive(sockets[i]);
        if (status < 0 || status >= 600) lost++;
        else counts[status]++;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("workload.%d=", number);
    for (int i = 0; i < 600; i++)
        if (counts[i]) printf("%d:%d ", i, counts[i]);
    printf("lost:%d seconds:%ld\n", lost, (long)(b.tv_sec - a.tv_sec));
}

static void ps(int number) {
    DIR *d = opendir("/proc");
    printf("workload.%d=", number);
    for (struct dirent *e; d && (e = readdir(d));)
        if (atoi(e->d_name)) printf("%s ", e->d_name);
    printf("self %d parent %d\n", getpid(), getppid());
    if (d) closedir(d);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        const char *what = argv[i];
        int n = 0, m = 0, at = 0;
        if (!strncmp(what, "GET ", 4) || !strncmp(what, "POST ", 5) || !strncmp(what, "PUT ", 4)) request(i, 0, what);
        if (!strncmp(what, "unix ", 5)) request(i, 1, what + 5);
        if (!strncmp(what, "look ", 5)) printf("workload.%d=%s\n", i, access(what + 5, F_OK) ? strerror(errno) : "there");
        if (!strcmp(what, "ps")) ps(i);
        if (!strncmp(what, "env ", 4)) printf("workload.%d=%s\n", i, getenv(what + 4) ? getenv(what + 4) : "(none)");
        if (!strncmp(what, "sleep ", 6)) sleep((unsigned)atoi(what + 6));
        if (sscanf(what, "flood %d %n", &n, &at) == 1 && at) flood(i, n, what + at);
        if (sscanf(what, "stall %d", &n) == 1)
            for (int k = 0; k < n; k++) (void)!write(dial(0), "GET /info HTTP/1.1\r\nHost:", 25);
        if (!strncmp(what, "cat ", 4)) {
            int fd = open(what + 4, O_RDONLY);
            ssize_t got = fd < 0 ? 0 : read(fd, answer, sizeof answer);
            printf("workload.%d=", i);
            for (ssize_t k = 0; k < got; k++) printf("%02x", (unsigned char)answer[k]);
            putchar('\n');
            close(fd);
        }
        if (!strcmp(what, "orphan") && fork() == 0) {
            if (fork() == 0) sleep(3000);
            _exit(0);
        }
        if (sscanf(what, "trap %d %d", &n, &m) == 2) trap_status = m, signal(n, trapped);
        if (!strncmp(what, "exit ", 5) || !strncmp(what, "kill ", 5) || !strcmp(what, "wait")) {
            printf("workload.end=1\n");
            tcdrain(1);
            if (*what == 'e') return atoi(what + 5);
            signal(atoi(what + 4), SIG_DFL);
            if (*what == 'k') raise(atoi(what + 5));
            for (;;) pause();
        }
    }
    return 0;
}
