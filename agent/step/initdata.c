/* see initdata.h */
#include "step/initdata.h"

#include "step/measure.h"
#include "sys/console.h"
#include "sys/device.h"
#include "worker/frame.h"
#include "worker/worker.h"

struct search {
    struct writer text;
    uint8_t *buffer; /* FRAME_MAX */
};

static bool receive(int control, struct search *s, struct err *e) {
    int64_t deadline = clock_ms() + INITDATA_DEVICE_MS;
    bool first = s->text.n == 0;
    for (struct frame f;;) {
        if (!frame_receive(control, s->buffer, FRAME_MAX, deadline, &f, e)) return false;
        if (f.type == FRAME_END) return true;
        if (f.type == FRAME_ERROR) return frame_error(f.payload, e);
        if (f.type != FRAME_DATA) return err_set(e, ERR_SYSTEM, "the worker sent frame %d out of turn", (int)f.type);
        if (!first) return err_set(e, ERR_POLICY, "more than one block device holds initdata");
        write_bytes(&s->text, f.payload);
        if (s->text.full) return err_set(e, ERR_FORMAT, "more than %u bytes", INITDATA_MAX);
    }
}

static bool search_device(void *state, const char *name, int fd, struct err *e) {
    struct child worker = CHILD_NONE;
    bool ok = proc_start(WORKER_INITDATA, -1, false, fd, &worker, e) && receive(worker.control, state, e);
    proc_kill(&worker);
    return ok || err_in(e, "/dev/%s", name);
}

bool initdata_find(struct arena *a, struct view *text, struct err *e) {
    struct search s = {writer_of(arena_alloc(a, INITDATA_MAX), INITDATA_MAX), arena_alloc(a, FRAME_MAX)};
    if (!s.text.p || !s.buffer) return arena_full(a, e);
    if (!device_each_block(search_device, &s, e)) return false;
    *text = writer_view(&s.text);
    return true;
}

/* Extend, then use. The sha256 bank then holds what CoCo's verifier computes: SHA-256(32 zeros, digest). */
static bool extend(struct tee *tpm, struct view text, struct arena *a, struct err *e) {
    struct measurement m;
    tpm->mr_index = INITDATA_PCR; /* until register_begin */
    if (!measure_begin(&m, tpm, INITDATA_PCR, a, e)) {
        e->mend[0] = 0;
        return err_mend(e, "PCR %u is for initdata; boot without a boot loader that uses it (a UKI)", INITDATA_PCR);
    }
    if (!tee_extend(tpm, text, e)) return false;
    for (size_t i = 0; i < m.bank_count; i++) {
        uint8_t digest[HASH_MAX];
        hash_once(m.banks[i].alg, text, digest);
        register_extend(&m.banks[i], digest);
    }
    return measure_check(&m, e);
}

bool initdata_bind(struct registers *r, struct view text, struct arena *a, struct initdata *out, struct err *e) {
    uint8_t bytes[TEE_BOUND_MAX];
    struct view bound = view_of(bytes, 0);
    const char *name = "PCR 8";
    enum hash_alg alg = HASH_SHA256;
    struct initdata d = {0};
    if (text.n && !r->has_cpu && !r->has_tpm)
        return err_set(e, ERR_POLICY, "there is initdata, and no TEE that could bind it");
    if (r->has_cpu &&
        (!tee_bound(&r->cpu, a, bytes, &bound.n, &name, e) || !initdata_match(text, name, bound, &alg, e)))
        return false;
    if (text.n && !r->has_cpu && !extend(&r->tpm, text, a, e)) return false;
    /* Only now: before, nobody answered for these bytes. */
    if (text.n && !initdata_parse(text, a, &d, e)) return false;
    if (text.n && d.algorithm != alg)
        return err_set(e, ERR_DIGEST, "algorithm is %s, %s is bound by %s", hash_name(d.algorithm), hash_name(alg),
                       name);
    *out = d;
    return true;
}
