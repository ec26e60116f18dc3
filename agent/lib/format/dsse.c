/* see dsse.h */
#include "format/dsse.h"

#include <stdio.h>

bool dsse_parse(const json *envelope, struct arena *a, struct dsse_envelope *out, struct err *e) {
    struct view type, sig;
    const json *signatures;
    struct dsse_envelope *d = arena_alloc(a, sizeof *d);
    if (!d) return arena_full(a, e);
    /* A bundle in protobuf's JSON may name it payload_type. */
    const char *name =
        json_get(envelope, "payload_type") && !json_get(envelope, "payloadType") ? "payload_type" : "payloadType";
    if (!json_need_text(envelope, name, "envelope", &type, e)) return false;
    if (!view_is(type, DSSE_PAYLOAD_TYPE))
        return err_set(e, ERR_FORMAT, "envelope: payloadType is '%.*s', %s is expected",
                       VIEW_ARG(view_first(type, 100)), DSSE_PAYLOAD_TYPE);
    if (!json_need_array(envelope, "signatures", "envelope", &signatures, e)) return false;
    if (json_count(signatures) == 0 || json_count(signatures) > SIGNATURES_MAX)
        return err_set(e, ERR_FORMAT, "envelope: it has %zu signatures, 1 to %u are accepted", json_count(signatures),
                       SIGNATURES_MAX);
    for (struct json_iter it = json_each(signatures); json_next(&it);) {
        char where[48];
        snprintf(where, sizeof where, "envelope: signatures[%zu]", d->signature_count);
        if (!json_need_base64(it.value, "sig", where, &sig, e)) return false;
        if (sig.n == 0 || sig.n > SIGNATURE_MAX)
            return err_set(e, ERR_FORMAT, "%s.sig has %zu bytes, 1 to %u are accepted", where, sig.n, SIGNATURE_MAX);
        d->signatures[d->signature_count++] = sig;
    }
    if (!json_need_base64(envelope, "payload", "envelope", &d->payload, e)) return false;
    *out = *d;
    return true;
}
