/* see worker.h */
#include "worker/worker.h"

#include "worker/confine.h"
#include "worker/fetch.h"
#include "worker/frame.h"
#include "worker/registry.h"

static int fetch_from_registry(void) {
    void *state;
    struct err e, ignored;
    if (registry_make(fetch_note, &state, &e)) return fetch_main(CONFINE_FETCH, &registry_ops, state);
    frame_send_error(WORKER_CONTROL, &e, &ignored);
    return 0;
}

int worker_main(const char *name) {
    struct view v = view_str(name);
    if (view_is(v, WORKER_FETCH)) return fetch_from_registry();
    if (view_is(v, WORKER_UNPACK)) return unpack_main();
    if (view_is(v, WORKER_ADDRESS)) return address_main();
    if (view_is(v, WORKER_INITDATA)) return initdata_main();
    if (view_is(v, WORKER_API)) return api_main();
    if (view_is(v, WORKER_KBS)) return kbs_main();
    if (view_is(v, WORKER_TLS)) return tls_server_main();
    return -1;
}
