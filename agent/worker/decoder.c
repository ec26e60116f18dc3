/* see decoder.h */
#include "worker/decoder.h"

#include "worker/confine.h"
#include "worker/decompress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 4u
#define TOGETHER (BLOCKS / 2) /* blocks are given back in twos: half as many wake-ups */

struct decoder_ring {
    struct decoder_block {
        size_t n;
        bool ended, failed; /* the last one; `fault` says why there are no more */
    } blocks[BLOCKS];
    struct err fault;
    uint8_t bytes_of[BLOCKS][DECOMPRESS_BLOCK];
};

/* ---- the decoder's side ---- */

static bool put_block(struct decompress *d, struct decoder_ring *ring, size_t i, struct err *e) {
    struct view v = {0};
    d->out = ring->bytes_of[i];
    bool ok = decompress_next(d, &v, e), ended = ok && d->ended;
    ring->blocks[i] = (struct decoder_block){v.n, ended, !ok};
    if (!ok) ring->fault = *e;
    return write(WORKER_CONTROL, "", 1) == 1 && ok && !ended;
}

static _Noreturn void decode(const struct unpack_job *job, struct decoder_ring *ring) {
    static struct decompress d; /* large, and never in the other half's memory */
    struct err e = {0};
    char tokens[BLOCKS];
    if (!confine_enter(CONFINE_DECODE, &e) ||
        !decompress_open(&d, job->compression, WORKER_INPUT, job->bytes_max, &e)) {
        ring->blocks[0].failed = true;
        ring->fault = e;
        _exit(write(WORKER_CONTROL, "", 1) == 1 ? 0 : 1);
    }
    size_t room = BLOCKS, i = 0;
    while (put_block(&d, ring, i, &e)) {
        i = (i + 1) % BLOCKS;
        if (--room) continue;
        ssize_t n = read(WORKER_CONTROL, tokens, sizeof tokens);
        if (n <= 0) break; /* the other half is gone */
        room = (size_t)n;
    }
    _exit(0);
}

/* ---- the unpacking side ---- */

bool decoder_start(const struct unpack_job *job, struct decoder *out, struct err *e) {
    int pair[2];
    struct decoder_ring *ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return err_sys(e, "cannot make the decoder's ring");
    signal(SIGPIPE, SIG_IGN); /* the decoder may be at its end before all blocks are given back */
    pid_t pid = fork();
    if (pid < 0) return err_sys(e, "cannot start the decoder");
    if (pid == 0) {
        dup2(pair[1], WORKER_CONTROL);
        decode(job, ring);
    }
    dup2(pair[0], WORKER_INPUT);
    close(pair[0]);
    close(pair[1]);
    *out = (struct decoder){.ring = ring, .pid = pid};
    hash_init(&out->hash, HASH_SHA256);
    return true;
}

static bool died(const struct decoder *d, struct err *e) {
    int status = 0;
    waitpid(d->pid, &status, 0);
    if (!WIFSIGNALED(status)) return err_set(e, ERR_SYSTEM, "the decoder ended without an answer");
    err_set(e, ERR_SYSTEM, "the decoder was stopped by signal %d%s", WTERMSIG(status),
            WTERMSIG(status) == SIGSYS ? ", its confinement" : "");
    return err_mend(e, WTERMSIG(status) == SIGKILL ? "give the machine more memory"
                                                   : "the image may hold an attack, or this is a bug");
}

bool decoder_next(void *decoder, struct view *out, bool *ended, struct err *e) {
    struct decoder *d = decoder;
    char tokens[BLOCKS] = {0};
    *out = (struct view){0};
    *ended = d->ended;
    if (d->ended) return true;
    if (d->owed == TOGETHER) {
        if (write(WORKER_INPUT, tokens, TOGETHER) != TOGETHER && errno != EPIPE)
            return err_sys(e, "cannot reach the decoder");
        d->owed = 0;
    }
    if (!d->ready) {
        ssize_t n;
        do n = read(WORKER_INPUT, tokens, sizeof tokens);
        while (n < 0 && errno == EINTR);
        if (n <= 0) return died(d, e);
        d->ready = (size_t)n;
    }
    const struct decoder_block block = d->ring->blocks[d->at];
    if (block.failed || block.n > DECOMPRESS_BLOCK) {
        *e = d->ring->fault;
        e->text[sizeof e->text - 1] = e->trail[sizeof e->trail - 1] = e->mend[sizeof e->mend - 1] = 0;
        return e->text[0] ? false : err_set(e, ERR_SYSTEM, "the decoder failed without a reason");
    }
    *out = view_of(d->ring->bytes_of[d->at], block.n);
    hash_update(&d->hash, *out);
    d->bytes += block.n;
    *ended = d->ended = block.ended;
    d->at = (d->at + 1) % BLOCKS;
    d->ready--;
    d->owed++;
    return true;
}

void decoder_end(struct decoder *d, struct unpack_result *out) {
    hash_final(&d->hash, out->diff_id);
    out->bytes = d->bytes;
    waitpid(d->pid, NULL, 0);
}
