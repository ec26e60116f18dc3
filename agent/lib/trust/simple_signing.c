/* see simple_signing.h */
#include "trust/simple_signing.h"

bool simple_signing_parse(struct view payload, struct arena *a, struct simple_signing *out, struct err *e) {
    struct simple_signing s = {0};
    struct view type, digest;
    const json *root, *critical, *image, *identity;
    if (!json_parse(payload, a, &root, e)) return err_in(e, "payload");
    if (!json_need_object(root, "critical", "payload", &critical, e) ||
        !json_need_text(critical, "type", "payload: critical", &type, e) ||
        !json_need_object(critical, "image", "payload: critical", &image, e) ||
        !json_need_text(image, "docker-manifest-digest", "payload: critical.image", &digest, e) ||
        !json_need_object(critical, "identity", "payload: critical", &identity, e) ||
        !json_need_text(identity, "docker-reference", "payload: critical.identity", &s.docker_reference, e))
        return false;
    if (!view_is(type, "cosign container image signature"))
        return err_set(e, ERR_FORMAT,
                       "payload: critical.type is '%.*s', 'cosign container image signature' is expected",
                       VIEW_ARG(view_first(type, 100)));
    if (!digest_parse(digest, &s.manifest_digest, e))
        return err_in(e, "payload: critical.image.docker-manifest-digest");
    if (json_get(root, "optional") && !json_is_null(json_get(root, "optional")) &&
        !json_need_object(root, "optional", "payload", &s.optional, e))
        return false;
    *out = s;
    return true;
}
