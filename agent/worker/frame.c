/* see frame.h */
#include "worker/frame.h"

#include "base/reader.h"
#include "base/writer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* sendmsg for its MSG_NOSIGNAL: a dead worker shall be an error, not the end of PID 1's or the tool's process. */
static bool send_all(int fd, struct iovec *v, size_t count, struct err *e) {
    while (count) {
        struct msghdr m = {.msg_iov = v, .msg_iovlen = count};
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK) n = writev(fd, v, (int)count);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return err_sys(e, "the worker is gone");
        if (n < 0) return err_sys(e, errno == EAGAIN ? "the worker takes nothing more" : "cannot send to the worker");
        for (size_t left = (size_t)n; count; v++, count--) {
            if (left < v->iov_len) {
                v->iov_base = (uint8_t *)v->iov_base + left;
                v->iov_len -= left;
                break;
            }
            left -= v->iov_len;
        }
    }
    return true;
}

bool frame_send(int fd, enum frame_type type, struct view head, struct view body, struct err *e) {
    if (head.n > FRAME_MAX || body.n > FRAME_MAX - head.n)
        return err_set(e, ERR_SYSTEM, "a message of %zu bytes is over the limit of %u", head.n + body.n, FRAME_MAX);
    uint8_t header[FRAME_HEADER];
    struct writer w = writer_of(header, sizeof header);
    write_le32(&w, type);
    write_le32(&w, (uint32_t)(head.n + body.n));
    struct iovec v[3] = {
        {header, sizeof header}, {(void *)(uintptr_t)head.p, head.n}, {(void *)(uintptr_t)body.p, body.n}};
    return send_all(fd, v, 3, e);
}

bool frame_send_error(int fd, const struct err *why, struct err *e) {
    uint8_t buffer[sizeof *why + 16];
    struct writer w = writer_of(buffer, sizeof buffer);
    write_u8(&w, (uint8_t)why->kind);
    write_le32(&w, (uint32_t)why->sys);
    const char *texts[] = {why->text, why->trail, why->mend};
    for (size_t i = 0; i < 3; i++) {
        write_le16(&w, (uint16_t)strlen(texts[i]));
        write_text(&w, texts[i]);
    }
    return frame_send(fd, FRAME_ERROR, writer_view(&w), (struct view){0}, e);
}

static bool read_all(int fd, uint8_t *p, size_t n, int64_t deadline_ms, struct err *e) {
    while (n) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left = deadline_ms ? deadline_ms - clock_ms() : -1;
        if (deadline_ms && left < 0) left = 0;
        int r = deadline_ms ? poll(&ready, 1, left > INT32_MAX ? INT32_MAX : (int)left) : 1;
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_sys(e, "cannot wait for the worker");
        if (r == 0) return err_set(e, ERR_SYSTEM, "no answer from the worker in the time allowed");
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != ECONNRESET) return err_sys(e, "cannot read from the worker");
        if (got <= 0) return err_set(e, ERR_SYSTEM, "the worker ended without an answer");
        p += got;
        n -= (size_t)got;
    }
    return true;
}

bool frame_receive(int fd, uint8_t *buffer, size_t size, int64_t deadline_ms, struct frame *out, struct err *e) {
    uint8_t header[FRAME_HEADER];
    if (!read_all(fd, header, sizeof header, deadline_ms, e)) return false;
    struct reader r = reader_of(view_of(header, sizeof header));
    uint32_t type = read_le32(&r), n = read_le32(&r);
    if (type < FRAME_SOURCE || type >= FRAME_TYPE_MAX)
        return err_set(e, ERR_SYSTEM, "message of unknown type 0x%08x between monitor and worker", type);
    if (n > FRAME_MAX || n > size)
        return err_set(e, ERR_SYSTEM, "message of %u bytes between monitor and worker, at most %zu are taken", n,
                       size < FRAME_MAX ? size : (size_t)FRAME_MAX);
    if (!read_all(fd, buffer, n, deadline_ms, e)) return false;
    *out = (struct frame){(enum frame_type)type, view_of(buffer, n)};
    return true;
}

/* The worker escaped its texts as err.h says; one that did not is not believed. */
static void copy_text(char *out, size_t size, struct view text) {
    size_t n = text.n < size ? text.n : size - 1;
    for (size_t i = 0; i < n; i++) out[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? (char)text.p[i] : '?';
    out[n] = 0;
}

bool frame_error(struct view payload, struct err *e) {
    struct reader r = reader_of(payload);
    uint8_t kind = read_u8(&r);
    uint32_t sys = read_le32(&r);
    struct view text = read_bytes(&r, read_le16(&r)), trail = read_bytes(&r, read_le16(&r));
    struct view mend = read_bytes(&r, read_le16(&r));
    if (!reader_done(&r) || kind <= ERR_NONE || kind > ERR_SYSTEM || sys > 4095 || text.n == 0)
        return err_set(e, ERR_SYSTEM, "the worker failed and its message is malformed");
    *e = (struct err){.kind = (enum err_kind)kind, .sys = (int)sys};
    copy_text(e->text, sizeof e->text, text);
    copy_text(e->trail, sizeof e->trail, trail);
    copy_text(e->mend, sizeof e->mend, mend);
    return false;
}
