/* see port.h */
#include "sys/port.h"

#include "base/codec.h"
#include "sys/deadline.h"
#include "tee/evidence.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"

static bool port_is(const char *entry, const char *name) {
    char path[320], text[256];
    snprintf(path, sizeof path, PORTS "/%s/name", entry);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0) close(fd);
    return n > 0 && view_is(view_trim(view_of(text, (size_t)n)), name);
}

static int find(const char *name) {
    char path[320];
    int fd = -1;
    DIR *d = opendir(PORTS);
    if (!d) return -1;
    for (struct dirent *i; fd < 0 && (i = readdir(d));) {
        if (i->d_name[0] == '.' || !port_is(i->d_name, name)) continue;
        snprintf(path, sizeof path, "/dev/%s", i->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    closedir(d);
    return fd;
}

int port_open(const char *name, int timeout_ms) {
    int64_t deadline = deadline_in(timeout_ms);
    int fd;
    while ((fd = find(name)) < 0 && deadline_pause(deadline, 10)) {}
    return fd;
}

/* Hex digits, of 1 to `max` bytes. */
static bool hex_of(struct view digits, uint8_t *out, size_t max, size_t *n) {
    *n = digits.n / 2;
    return *n >= 1 && *n <= max && hex_decode(digits, out, *n);
}

static bool send_all(int fd, struct view bytes, int64_t deadline, struct err *e) {
    while (bytes.n) {
        if (!deadline_poll(fd, POLLOUT, deadline)) return err_sys(e, "the host does not read its port");
        ssize_t sent = write(fd, bytes.p, bytes.n);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return err_sys(e, "the host's port");
        if (sent > 0) bytes = view_skip(bytes, (size_t)sent);
        else if (!deadline_pause(deadline, 10)) return errno = ETIMEDOUT, err_sys(e, "the host does not read its port");
    }
    return true;
}

/* One line of the host's, without its end, into `line`; empty when none came in time. */
static bool receive(int fd, int64_t deadline, char *line, size_t size, struct view *out, struct err *e) {
    size_t have = 0;
    *out = (struct view){0};
    while (have < size && !memchr(line, '\n', have)) {
        bool ready = deadline_poll(fd, POLLIN, deadline);
        ssize_t got = ready ? read(fd, line + have, size - have) : 0;
        if (got > 0) have += (size_t)got;
        else if (got < 0 && errno != EAGAIN && errno != EINTR) return err_sys(e, "the host's port");
        else if (!deadline_pause(deadline, 10)) return true; /* poll says POLLHUP until a host connects */
    }
    struct view rest = view_of(line, have);
    bool ended;
    *out = view_cut(&rest, '\n', &ended);
    return (ended && !rest.n) ||
           err_set(e, ERR_FORMAT, "the host sent more than one line, or one of more than %zu bytes", size);
}

bool port_nonce(int fd, int timeout_ms, uint8_t nonce[static TPM2_NONCE_MAX], size_t *n, bool *activate,
                struct err *e) {
    int64_t deadline = deadline_in(timeout_ms);
    char text[17 + 2 * TPM2_NONCE_MAX];
    uint8_t bytes[TPM2_NONCE_MAX];
    struct view word = VIEW("nonce "), wish = VIEW(" activate"), line;
    size_t got = 0;
    struct err silent; /* nobody listens: then nobody answers either */
    (void)send_all(fd, VIEW("ready 0\n"), deadline, &silent);
    if (!receive(fd, deadline, text, sizeof text, &line, e)) return false;
    struct view digits = view_skip(line, word.n);
    bool wished = view_ends(digits, wish);
    if (wished) digits.n -= wish.n;
    if (line.p && (!view_starts(line, word) || !hex_of(digits, bytes, sizeof bytes, &got)))
        return err_set(e, ERR_FORMAT, "the host asked \"%.*s\" instead of \"nonce <at most %u hex digits>\"", VIEW_ARG(line),
                       2 * TPM2_NONCE_MAX);
    if (evidence_binds_key(view_of(bytes, got)))
        return err_set(e, ERR_FORMAT, "the host's nonce begins with \"" EVIDENCE_KEY_TAG "\", as those that bind a key of this agent's");
    memcpy(nonce, bytes, got);
    *n = got;
    *activate = wished;
    return true;
}

bool port_credential(int fd, int timeout_ms, uint8_t buffer[static PORT_CREDENTIAL_MAX], struct view *blob,
                     struct view *secret, struct err *e) {
    char text[PORT_CREDENTIAL_MAX];
    struct view word = VIEW("activate "), line;
    size_t n[2];
    if (!receive(fd, deadline_in(timeout_ms), text, sizeof text, &line, e)) return false;
    if (!line.p) return err_set(e, ERR_SYSTEM, "the host asked to activate a credential, and sent none");
    struct view rest = view_skip(line, word.n), first = view_cut(&rest, ' ', NULL);
    if (!view_starts(line, word) || !hex_of(first, buffer, 512, &n[0]) || !hex_of(rest, buffer + 512, 512, &n[1]))
        return err_set(e, ERR_FORMAT, "the host sent \"%.*s\" instead of \"activate <hex> <hex>\"",
                       VIEW_ARG(view_first(line, 100)));
    *blob = view_of(buffer, n[0]);
    *secret = view_of(buffer + 512, n[1]);
    return true;
}

bool port_send(int fd, const char *what, struct view body, struct err *e) {
    int64_t deadline = deadline_in(PORT_TIMEOUT_MS);
    char head[64];
    int n = snprintf(head, sizeof head, "%s %zu\n", what, body.n);
    return send_all(fd, view_of(head, (size_t)n), deadline, e) && send_all(fd, body, deadline, e);
}
