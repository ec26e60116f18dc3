/* see store.h */
#include "store.h"

#include "base/reader.h"
#include "crypto/hash.h"
#include "oci/digest.h"
#include "sys/proc.h"
#include "worker/confine.h"
#include "worker/frame.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REGISTRY WORKER_INPUT /* socket to the worker behind this one, in the place of the pipe */
#define FOLDER "blobs/sha256"
/* A copy that nobody has added to for so long was left behind by a pull that was killed. */
#define STALE_SECONDS 600

/* The blob in hand. Its copy has a dot before its name until it is whole. */
struct blob {
    uint64_t size;
    struct digest digest;
    char path[96], copy[96];
    int fd; /* of the copy; -1: none is made */
    uint64_t n;
    struct hash hash;
};

static uint8_t buffer[FRAME_MAX];

static bool say(enum frame_type type, struct view payload, struct err *e) {
    return frame_send(WORKER_CONTROL, type, payload, (struct view){0}, e);
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...) {
    char text[300];
    struct err ignored;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(FRAME_NOTE, view_str(text), &ignored);
}

/* ---- handing out ---- */

static ssize_t read_some(int fd) {
    ssize_t n;
    do n = read(fd, buffer, sizeof buffer);
    while (n < 0 && errno == EINTR);
    return n;
}

static bool is_whole(const struct blob *b, int fd) {
    struct stat s;
    struct digest found;
    struct hash h;
    ssize_t n;
    if (fstat(fd, &s) || !S_ISREG(s.st_mode) || (uint64_t)s.st_size != b->size) return false;
    hash_init(&h, HASH_SHA256);
    while ((n = read_some(fd)) > 0) hash_update(&h, view_of(buffer, (size_t)n));
    hash_final(&h, found.sha256);
    return n == 0 && digest_eq(&found, &b->digest) && lseek(fd, 0, SEEK_SET) == 0;
}

/* The blob from the store and END. *done false: it is to be fetched. */
static bool hand_out(const struct blob *b, bool *done, struct err *e) {
    int fd = open(b->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *done = fd >= 0 && is_whole(b, fd);
    if ((fd >= 0 || errno == ELOOP) && !*done) {
        note("the store's %s is damaged; it is fetched again", b->path);
        unlinkat(AT_FDCWD, b->path, 0);
    }
    bool ok = true;
    ssize_t n = 0;
    while (*done && ok && (n = read_some(fd)) > 0) ok = say(FRAME_DATA, view_of(buffer, (size_t)n), e);
    if (n < 0) ok = err_sys(e, "cannot read the store's %s", b->path); /* too late for another source */
    if (fd >= 0) close(fd);
    return ok && (!*done || say(FRAME_END, (struct view){0}, e));
}

/* ---- keeping a copy ---- */

static void begin_copy(struct blob *b) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    struct stat s;
    hash_init(&b->hash, HASH_SHA256);
    b->fd = open(b->copy, flags, 0644);
    if (b->fd >= 0 || errno != EEXIST || fstatat(AT_FDCWD, b->copy, &s, AT_SYMLINK_NOFOLLOW) ||
        time(NULL) - s.st_mtim.tv_sec < STALE_SECONDS)
        return; /* another pull is at it, or it cannot be written */
    unlinkat(AT_FDCWD, b->copy, 0);
    b->fd = open(b->copy, flags, 0644);
}

static void drop_copy(struct blob *b) {
    if (b->fd < 0) return;
    close(b->fd);
    b->fd = -1;
    unlinkat(AT_FDCWD, b->copy, 0);
}

static void add_copy(struct blob *b, struct view bytes) {
    if (b->fd < 0) return;
    hash_update(&b->hash, bytes);
    b->n += bytes.n;
    while (bytes.n) {
        ssize_t n = write(b->fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            note("the store cannot keep %s: %s", b->path, strerror(errno));
            drop_copy(b);
            return;
        }
        bytes = view_skip(bytes, (size_t)n);
    }
}

static void end_copy(struct blob *b) {
    struct digest found;
    if (b->fd < 0) return;
    hash_final(&b->hash, found.sha256);
    if (b->n == b->size && digest_eq(&found, &b->digest) && linkat(AT_FDCWD, b->copy, AT_FDCWD, b->path, 0) &&
        errno != EEXIST)
        note("the store cannot keep %s: %s", b->path, strerror(errno));
    drop_copy(b);
}

/* ---- in between ---- */

/* Passes an answer on, to its END or ERROR; with `b`, through its copy. */
static bool pass_on(struct blob *b, struct err *e) {
    struct frame f;
    do {
        if (!frame_receive(REGISTRY, buffer, sizeof buffer, 0, &f, e)) return false;
        if (b && f.type == FRAME_DATA) add_copy(b, f.payload);
        if (b && f.type == FRAME_END) end_copy(b);
        if (!say(f.type, f.payload, e)) return false;
    } while (f.type != FRAME_END && f.type != FRAME_ERROR);
    return true;
}

static bool blob(struct view request, struct err *e) {
    struct reader r = reader_of(request);
    struct blob b = {.size = read_le64(&r), .fd = -1};
    char text[DIGEST_TEXT_SIZE];
    bool done;
    if (r.bad) return err_set(e, ERR_FORMAT, "a malformed request for a blob");
    if (!digest_parse(r.rest, &b.digest, e)) return false;
    digest_text(&b.digest, text);
    snprintf(b.path, sizeof b.path, FOLDER "/%s", text + 7);
    snprintf(b.copy, sizeof b.copy, FOLDER "/.%s", text + 7);
    uint8_t again[8 + DIGEST_TEXT_SIZE]; /* the buffer is used on the way */
    size_t n = request.n < sizeof again ? request.n : sizeof again;
    memcpy(again, request.p, n);
    if (!hand_out(&b, &done, e)) return false;
    if (done) return true;
    begin_copy(&b);
    bool ok = frame_send(REGISTRY, FRAME_BLOB, view_of(again, n), (struct view){0}, e) && pass_on(&b, e);
    drop_copy(&b); /* of an answer that had no end */
    return ok;
}

static bool serve(struct err *e) {
    struct frame f;
    struct err gone;
    while (frame_receive(WORKER_CONTROL, buffer, sizeof buffer, 0, &f, &gone)) {
        bool told = f.type == FRAME_SOURCE || f.type == FRAME_CA, ok;
        if (f.type == FRAME_BLOB) ok = blob(f.payload, e);
        /* A worker that is gone has said why: that is passed on. */
        else
            ok = (frame_send(REGISTRY, f.type, f.payload, (struct view){0}, e) && told) || pass_on(NULL, e);
        if (!ok) return false;
    }
    return true;
}

int store_main(void) {
    struct child registry = CHILD_NONE;
    struct err e = {0}, ignored;
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    bool ok = proc_start(WORKER_FETCH, -1, false, -1, &registry, &e);
    if (ok && dup2(registry.control, REGISTRY) < 0) ok = err_sys(&e, "cannot place a socket");
    ok = ok && confine_enter(CONFINE_UNPACK, &e); /* a directory and no socket */
    if (ok) {
        mkdirat(AT_FDCWD, "blobs", 0755);
        mkdirat(AT_FDCWD, FOLDER, 0755);
        ok = serve(&e);
    }
    if (!ok) frame_send_error(WORKER_CONTROL, &e, &ignored);
    return 0;
}
