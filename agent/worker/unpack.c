/* The unpack worker (worker.h): one layer's compressed bytes into the directory that is its room. */
#include "worker/confine.h"
#include "worker/decoder.h"
#include "worker/frame.h"
#include "worker/untar.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool unpack(struct unpack_result *out, struct err *e) {
    uint8_t bytes[256];
    struct frame f;
    struct unpack_job job;
    struct decoder decoder;
    if (!frame_receive(WORKER_CONTROL, bytes, sizeof bytes, 0, &f, e)) return false;
    if (f.type != FRAME_UNPACK) return err_set(e, ERR_SYSTEM, "the monitor sent frame %d first", (int)f.type);
    if (!unpack_job_decode(f.payload, &job, e)) return false;
    /* So far all came from the monitor; the layer's bytes come behind the bars. */
    umask(0);
    if (!decoder_start(&job, &decoder, e) ||
        !confine_enter(job.allow_devices && job.as_root ? CONFINE_UNPACK_DEVICES : CONFINE_UNPACK, e))
        return false;
    int root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return err_sys(e, "cannot open the layer's directory");
    struct untar_input input = {decoder_next, &decoder, false};
    bool ok = untar(root, &job, &input, out, e);
    if (ok) decoder_end(&decoder, out);
    close(root);
    return ok;
}

int unpack_main(void) {
    struct err e = {0};
    struct unpack_result result;
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (unpack(&result, &e)) {
        unpack_result_encode(&result, &w);
        return frame_send(WORKER_CONTROL, FRAME_UNPACKED, writer_view(&w), (struct view){0}, &e) ? 0 : 1;
    }
    struct err why = e;
    return frame_send_error(WORKER_CONTROL, &why, &e) ? 0 : 1;
}
