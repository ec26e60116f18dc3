/* see proof.h */
#include "tools/serve/proof.h"

#include "base/codec.h"
#include "secret/rcar.h"

bool proof_read_request(struct view body, struct arena *a, struct view *tee, struct err *e) {
    const json *root;
    struct view version;
    if (!json_parse(body, a, &root, e) || !json_need_text(root, "version", "Request", &version, e)) return false;
    if (!view_is(version, RCAR_VERSION))
        return err_set(e, ERR_POLICY, "KBS Client Protocol Version Mismatch: expect " RCAR_VERSION ", found %.*s",
                       VIEW_ARG(view_first(version, 40)));
    return json_need_text(root, "tee", "Request", tee, e);
}

bool proof_read(struct view body, struct arena *a, struct proof *out, struct err *e) {
    const json *root, *runtime, *jwk, *tee;
    struct proof t;
    size_t n;
    if (!json_parse(body, a, &root, e) || !json_need_object(root, "runtime-data", "Attestation", &runtime, e) ||
        !json_need_text(runtime, "nonce", "runtime-data", &t.nonce_text, e) ||
        !json_need_object(runtime, "tee-pubkey", "runtime-data", &jwk, e) ||
        !json_need_object(root, "tee-evidence", "Attestation", &tee, e) ||
        !json_need_object(tee, "primary_evidence", "tee-evidence", &t.evidence, e) ||
        !recipient_read(jwk, &t.recipient, e))
        return false;
    const json *additional = json_get(tee, "additional_evidence");
    if (additional && (!json_is_string(additional) || json_text(additional).n))
        return err_set(e, ERR_POLICY, "additional_evidence is not empty: no device is judged here");
    if (!base64_decode(t.nonce_text, t.nonce, sizeof t.nonce, &n) || n != sizeof t.nonce)
        return err_set(e, ERR_FORMAT, "runtime-data.nonce is not one of ours");
    *out = t;
    return true;
}
