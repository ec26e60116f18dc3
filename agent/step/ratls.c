/* see ratls.h */
#include "step/ratls.h"

#include "step/attest.h"
#include "sys/listen.h"
#include "tee/evidence.h"
#include "tee/ratls.h"
#include "worker/frame.h"
#include "worker/tls_server.h"
#include "worker/worker.h"

static bool begin(void *state, const struct child *c, struct err *e) {
    const struct supervision *s = state;
    uint8_t bytes[2];
    struct writer w = writer_of(bytes, sizeof bytes);
    write_le16(&w, s->config->policy.tls_forward);
    return frame_send(c->control, FRAME_TLS, writer_view(&w), (struct view){0}, e);
}

static bool answer(void *state, struct view point, struct arena *a, struct view *out, struct err *e) {
    const struct supervision *s = state;
    uint8_t spki[EVIDENCE_SPKI_SIZE], nonce[RATLS_NONCE_SIZE];
    struct view made;
    if (point.n != TLS_POINT_SIZE || point.p[0] != 4)
        return err_set(e, ERR_FORMAT, "the TLS server's public key is no P-256 point");
    evidence_spki(point.p, spki);
    ratls_nonce(view_of(spki, sizeof spki), nonce);
    if (!attest_make(s->measured, s->config, s->image, view_of(nonce, sizeof nonce), a, &made, e) ||
        !ratls_fit((uint8_t *)(uintptr_t)made.p, &made.n, e))
        return false;
    *out = made;
    return true;
}

static bool aside(void *state, struct view asked) {
    (void)state, (void)asked;
    return true;
}

bool ratls_serve(const struct supervision *s, struct served *out, struct err *e) {
    struct served v = {.name = WORKER_TLS,
                       .listening = {-1, -1},
                       .begin = begin,
                       .answer = answer,
                       .aside = aside,
                       .state = (void *)(uintptr_t)s};
    if ((v.listening[0] = listen_tcp(0, s->config->policy.tls_port, e)) < 0) return false;
    *out = v;
    return true;
}
