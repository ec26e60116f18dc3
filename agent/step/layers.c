/* see layers.h */
#include "step/layers.h"

#include "step/decrypt.h"
#include "step/fetcher.h"
#include "sys/console.h"
#include "worker/job.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* One layer at a time goes through a lane: a fetch worker that stays, an unpack worker per layer. */
struct lane {
    struct child *fetch, unpack;
    bool busy;
    size_t layer;
    struct hash hash;
    uint64_t taken;      /* bytes of the layer hashed so far */
    uint8_t *buffer;     /* FRAME_HEADER + FRAME_MAX */
    size_t have;         /* bytes of the current frame in the buffer */
    size_t sent;         /* of its payload, to the unpack worker */
    bool ended;          /* FRAME_END was seen: waiting for the unpack worker */
    struct err fault;    /* what the unpack worker complained of; told when the digest turns out right */
};

struct layers {
    const struct config *config;
    const struct verified_image *image;
    int store_fd;
    struct lane lanes[LAYER_LANES];
    const struct layers_each *each;
    struct decryption *decryption; /* NULL: no layer is encrypted */
    size_t lane_count, next, done, asked;
    size_t told;               /* layers that `each` was told */
    bool verified[LAYERS_MAX];
    uint64_t bytes_left, files_left, skipped, total, progress;
};

static const struct layer *layer_of(const struct layers *l, const struct lane *lane) {
    return &l->image->manifest.layers[lane->layer];
}

static size_t lane_index(const struct layers *l, const struct lane *lane) { return (size_t)(lane - l->lanes); }

static bool lane_begin(struct layers *l, struct lane *lane, struct err *e) {
    char name[16];
    lane->layer = l->next++;
    lane->busy = true;
    lane->taken = lane->have = lane->sent = 0;
    lane->ended = false;
    lane->fault.kind = ERR_NONE;
    hash_init(&lane->hash, HASH_SHA256);
    decrypt_begin(l->decryption, lane_index(l, lane), lane->layer);
    snprintf(name, sizeof name, "%zu", lane->layer);
    if (mkdirat(l->store_fd, name, 0755)) return err_sys(e, "cannot make the layer's directory %s", name);
    int room = openat(l->store_fd, name, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_RDONLY);
    if (room < 0) return err_sys(e, "cannot open the layer's directory %s", name);
    fchmod(room, 0755); /* whatever the umask is: the layer's root is 0755 unless the layer says otherwise */
    bool ok = proc_start(WORKER_UNPACK, room, true, -1, &lane->unpack, e);
    close(room);
    if (!ok) return err_in(e, "unpack worker");
    struct unpack_job job = {layer_of(l, lane)->compression, l->bytes_left, l->files_left,
                             l->config->policy.limits.allow_devices, geteuid() == 0, l->config->overlay};
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    unpack_job_encode(&job, &w);
    return frame_send(lane->unpack.control, FRAME_UNPACK, writer_view(&w), (struct view){0}, e) &&
           fcntl(lane->unpack.input, F_SETFL, O_NONBLOCK) == 0 &&
           (lane->layer < l->asked || fetcher_ask_blob(lane->fetch, &layer_of(l, lane)->descriptor, e));
}

/* The unpack worker's answer: its result, or its complaint. */
static bool lane_result(struct layers *l, struct lane *lane, struct err *e) {
    uint8_t bytes[4096];
    struct frame f;
    struct unpack_result result;
    char wanted[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    if (!frame_receive(lane->unpack.control, bytes, sizeof bytes, l->config->deadline_ms, &f, e)) {
        struct err how;
        if (!proc_end(&lane->unpack, 1000, &how)) *e = how; /* says more than "ended without an answer" */
        return false;
    }
    if (f.type == FRAME_ERROR) {
        frame_error(f.payload, e);
        /* Broken bytes are most likely bytes other than the signed ones: hash on to the end, and name the digests then. */
        if (e->kind != ERR_FORMAT || lane->ended) return false;
        lane->fault = *e;
        return true;
    }
    if (f.type != FRAME_UNPACKED || !lane->ended)
        return err_set(e, ERR_SYSTEM, "the unpack worker sent frame %d out of turn", (int)f.type);
    if (!unpack_result_decode(f.payload, &result, e) || !proc_end(&lane->unpack, 5000, e)) return false;
    struct digest diff_id;
    memcpy(diff_id.sha256, result.diff_id, sizeof diff_id.sha256);
    const struct digest *config_says = &l->image->config.diff_ids[lane->layer];
    if (!digest_eq(&diff_id, config_says))
        return err_set(e, ERR_DIGEST, "diffID is %s, the config says %s", digest_text(&diff_id, found),
                       digest_text(config_says, wanted));
    /* Two layers ran against the same remainder, so the sum is checked here again. */
    if (result.bytes > l->bytes_left || result.files > l->files_left) {
        err_set(e, ERR_POLICY, "the layers together exceed limits.%s of the policy",
                result.bytes > l->bytes_left ? "bytes" : "files");
        return err_mend(e, "raise that limit, if the image is meant to be so large");
    }
    l->bytes_left -= result.bytes;
    l->files_left -= result.files;
    l->skipped += result.skipped;
    l->done++;
    lane->busy = false;
    l->verified[lane->layer] = true;
    for (; l->each && l->told < LAYERS_MAX && l->verified[l->told]; l->told++)
        if (!l->each->verified(l->each->state, l->told, e)) return false;
    return l->next >= l->image->manifest.layer_count || lane_begin(l, lane, e);
}

/* The layer's last byte is there: size and digest are compared before the unpack worker may call itself done. */
static bool lane_end(struct layers *l, struct lane *lane, struct err *e) {
    const struct descriptor *said = &layer_of(l, lane)->descriptor;
    char wanted[DIGEST_TEXT_SIZE], found[DIGEST_TEXT_SIZE];
    struct digest digest;
    hash_final(&lane->hash, digest.sha256);
    if (lane->taken != said->size)
        return err_set(e, ERR_DIGEST, "the layer has %llu bytes, the manifest says %llu", (unsigned long long)lane->taken,
                       (unsigned long long)said->size);
    if (!digest_eq(&digest, &said->digest)) {
        err_set(e, ERR_DIGEST, "digest is %s, the manifest says %s", digest_text(&digest, found),
                digest_text(&said->digest, wanted));
        return err_mend(e, "the registry served other bytes; push the image again");
    }
    if (!decrypt_end(l->decryption, lane_index(l, lane), &l->image->config.diff_ids[lane->layer], e)) return false;
    if (lane->fault.kind != ERR_NONE) {
        *e = lane->fault;
        return false;
    }
    lane->ended = true;
    close(lane->unpack.input); /* end of the stream */
    lane->unpack.input = -1;
    return true;
}

/* Length of the current frame's payload; valid once the header is there. */
static size_t frame_length(const struct lane *lane) {
    const uint8_t *b = lane->buffer;
    return (size_t)b[4] | (size_t)b[5] << 8 | (size_t)b[6] << 16 | (size_t)b[7] << 24;
}

static bool lane_frame(struct layers *l, struct lane *lane, struct err *e);

/* Reads what the fetch worker has, up to the end of the current frame; hashes layer bytes as they come, and decrypts
 * them where they lie. */
static bool lane_read(struct layers *l, struct lane *lane, struct err *e) {
    size_t whole = lane->have < FRAME_HEADER ? FRAME_HEADER : FRAME_HEADER + frame_length(lane);
    ssize_t n = recv(lane->fetch->control, lane->buffer + lane->have, whole - lane->have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n < 0) return err_sys(e, "cannot hear the fetch worker");
    if (n == 0) {
        struct err how;
        if (proc_end(lane->fetch, 1000, &how))
            return err_set(e, ERR_SYSTEM, "the fetch worker ended in the middle of a layer");
        *e = how;
        return false;
    }
    bool header = lane->have < FRAME_HEADER;
    if (!header && lane->buffer[0] == FRAME_DATA) {
        hash_update(&lane->hash, view_of(lane->buffer + lane->have, (size_t)n));
        decrypt_bytes(l->decryption, lane_index(l, lane), lane->buffer + lane->have, (size_t)n);
        lane->taken += (uint64_t)n;
        l->progress += (uint64_t)n;
    }
    lane->have += (size_t)n;
    if (lane->have < FRAME_HEADER) return true;
    if (header && frame_length(lane) > FRAME_MAX)
        return err_set(e, ERR_SYSTEM, "the fetch worker sent a frame of %zu bytes", frame_length(lane));
    if (lane->taken > layer_of(l, lane)->descriptor.size) return lane_end(l, lane, e);
    bool complete = lane->have == FRAME_HEADER + frame_length(lane);
    return lane->buffer[0] == FRAME_DATA || !complete || lane_frame(l, lane, e);
}

/* A whole frame other than DATA. */
static bool lane_frame(struct layers *l, struct lane *lane, struct err *e) {
    struct view payload = view_of(lane->buffer + FRAME_HEADER, frame_length(lane));
    uint8_t type = lane->buffer[0];
    lane->have = lane->sent = 0;
    if (type == FRAME_END) return lane_end(l, lane, e);
    if (type == FRAME_ERROR) return frame_error(payload, e);
    if (type != FRAME_NOTE) return err_set(e, ERR_SYSTEM, "the fetch worker sent frame %d out of turn", (int)type);
    fetcher_note(payload);
    return true;
}

/* Bytes of the current DATA frame that are here but not yet with the unpack worker. */
static struct view lane_pending(const struct lane *lane) {
    if (!lane->busy || lane->have <= FRAME_HEADER || lane->buffer[0] != FRAME_DATA) return (struct view){0};
    return view_of(lane->buffer + FRAME_HEADER + lane->sent, lane->have - FRAME_HEADER - lane->sent);
}

static bool lane_write(struct lane *lane, struct err *e) {
    if (!lane->busy || lane->have < FRAME_HEADER || lane->buffer[0] != FRAME_DATA) return true;
    struct view pending = lane_pending(lane);
    if (lane->fault.kind == ERR_NONE && pending.n) {
        ssize_t n = write(lane->unpack.input, pending.p, pending.n);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (n < 0 && errno != EPIPE) return err_sys(e, "cannot feed the unpack worker");
        pending.n = n < 0 ? pending.n : (size_t)n; /* EPIPE: its complaint waits on the control socket */
    }
    lane->sent += pending.n;
    if (lane->sent + FRAME_HEADER == lane->have && lane->sent == frame_length(lane)) lane->have = lane->sent = 0;
    return true;
}

static bool layers_step(struct layers *l, struct err *e) {
    struct pollfd polls[LAYER_LANES * 3];
    uint64_t before = l->progress;
    for (size_t i = 0; i < l->lane_count; i++) {
        struct lane *lane = &l->lanes[i];
        bool pending = lane_pending(lane).n > 0;
        bool faulted = lane->fault.kind != ERR_NONE;
        polls[3 * i] = (struct pollfd){lane->busy && !lane->ended && !pending ? lane->fetch->control : -1, POLLIN, 0};
        polls[3 * i + 1] = (struct pollfd){lane->busy && pending ? lane->unpack.input : -1, POLLOUT, 0};
        polls[3 * i + 2] = (struct pollfd){lane->busy && !faulted ? lane->unpack.control : -1, POLLIN, 0};
    }
    int wait = -1;
    if (l->config->deadline_ms) {
        int64_t left = l->config->deadline_ms - clock_ms();
        if (left <= 0) {
            err_set(e, ERR_NETWORK, "limits.seconds of the policy (%u s) ran out", l->config->policy.limits.seconds);
            return err_mend(e, "raise limits.seconds, or look for what made the registry slow");
        }
        wait = left > 1000000 ? 1000000 : (int)left;
    }
    if (poll(polls, (nfds_t)(3 * l->lane_count), wait) < 0 && errno != EINTR) return err_sys(e, "poll");
    for (size_t i = 0; i < l->lane_count; i++) {
        struct lane *lane = &l->lanes[i];
        bool ok = true;
        if (polls[3 * i + 2].revents) ok = lane_result(l, lane, e);
        else if (polls[3 * i].revents) ok = lane_read(l, lane, e) && lane_write(lane, e);
        else if (polls[3 * i + 1].revents) ok = lane_write(lane, e);
        if (!ok) return err_in(e, "layer %zu of %zu", lane->layer + 1, l->image->manifest.layer_count);
    }
    if (l->progress != before) console_progress("layers", l->progress, l->total);
    return true;
}

bool layers_unpack(const struct config *config, const struct verified_image *image, struct child fetch[LAYER_LANES],
                   size_t asked, int store_fd, const struct layers_each *each, struct arena *a, struct err *e) {
    const struct manifest *manifest = &image->manifest;
    struct layers l = {.config = config, .image = image, .store_fd = store_fd, .each = each, .asked = asked,
                       .bytes_left = config->policy.limits.bytes, .files_left = config->policy.limits.files};
    for (size_t i = 0; i < manifest->layer_count; i++) l.total += manifest->layers[i].descriptor.size;
    bool ok = decrypt_open(config, manifest, a, &l.decryption, e);
    while (ok && l.lane_count < LAYER_LANES && l.lane_count < manifest->layer_count) {
        struct lane *lane = &l.lanes[l.lane_count];
        lane->fetch = &fetch[l.lane_count++];
        lane->unpack = CHILD_NONE;
        lane->buffer = arena_alloc(a, FRAME_HEADER + FRAME_MAX);
        if (!lane->buffer) ok = arena_full(a, e);
        else ok = (lane->fetch->pid || fetcher_start(config, lane->fetch, e)) && lane_begin(&l, lane, e);
    }
    while (ok && l.done < manifest->layer_count) ok = layers_step(&l, e);
    for (size_t i = 0; i < l.lane_count; i++) proc_kill(&l.lanes[i].unpack);
    decrypt_drop(l.decryption);
    if (ok && l.skipped)
        console_say("not root: %llu devices, owners and attributes were left out; all files belong to you",
                    (unsigned long long)l.skipped);
    return ok;
}
