/* see bundle.h */
#include "format/bundle.h"

bool bundle_is_type(struct view t) {
    return view_is(t, "application/vnd.dev.sigstore.bundle.v0.3+json") ||
           view_is(t, "application/vnd.dev.sigstore.bundle+json;version=0.3") ||
           view_is(t, "application/vnd.dev.sigstore.bundle+json;version=0.2") ||
           view_is(t, "application/vnd.dev.sigstore.bundle+json;version=0.1");
}

/* An object by either of its names; NULL when absent. */
static bool member(const json *object, const char *camel, const char *snake, const json **out, struct err *e) {
    const json *v = json_get(object, camel), *other = snake ? json_get(object, snake) : NULL;
    if (v && other) return err_set(e, ERR_FORMAT, "bundle: %s is there twice, once as %s", camel, snake);
    v = v ? v : other;
    if (json_is_null(v)) v = NULL;
    if (v && !json_is_object(v)) return err_set(e, ERR_FORMAT, "bundle: %s must be an object", camel);
    *out = v;
    return true;
}

/* Exactly one of what must be a choice. */
static bool one_of(size_t count, const char *what, struct err *e) {
    return count == 1 || err_set(e, ERR_FORMAT, "bundle: it has %zu of %s, exactly one is expected", count, what);
}

static bool read_content(const json *envelope, const json *message, struct arena *a, struct bundle *b, struct err *e) {
    b->has_message = message;
    if (!message)
        return dsse_parse(envelope, a, &b->envelope, e) &&
               one_of(b->envelope.signature_count, "dsseEnvelope.signatures", e);
    struct view *signature = &b->message_signature;
    if (!json_need_base64(message, "signature", "bundle: messageSignature", signature, e)) return false;
    if (signature->n && signature->n <= SIGNATURE_MAX) return true;
    return err_set(e, ERR_FORMAT, "bundle: messageSignature.signature has %zu bytes, 1 to %u are accepted",
                   signature->n, SIGNATURE_MAX);
}

bool bundle_parse(struct view bytes, struct arena *a, struct bundle *out, struct err *e) {
    const json *root, *material, *key, *certificate, *chain, *envelope, *message;
    struct view type;
    struct bundle *b = arena_alloc(a, sizeof *b);
    if (!b) return arena_full(a, e);
    if (!json_parse(bytes, a, &root, e)) return err_in(e, "bundle");
    const char *name = json_get(root, "media_type") && !json_get(root, "mediaType") ? "media_type" : "mediaType";
    if (!json_need_text(root, name, "bundle", &type, e)) return false;
    if (!bundle_is_type(type))
        return err_set(e, ERR_FORMAT, "bundle: mediaType is '%.*s', which is no bundle of version 0.1 to 0.3",
                       VIEW_ARG(view_first(type, 100)));
    if (!member(root, "verificationMaterial", "verification_material", &material, e) ||
        !member(material, "publicKey", "public_key", &key, e) ||
        !member(material, "certificate", NULL, &certificate, e) ||
        !member(material, "x509CertificateChain", "x509_certificate_chain", &chain, e) ||
        !member(root, "dsseEnvelope", "dsse_envelope", &envelope, e) ||
        !member(root, "messageSignature", "message_signature", &message, e))
        return false;
    if (!one_of(!!key + !!certificate + !!chain,
                "verificationMaterial's publicKey, certificate and x509CertificateChain", e) ||
        !one_of(!!envelope + !!message, "dsseEnvelope and messageSignature", e))
        return false;
    b->has_certificate = !key;
    if (!read_content(envelope, message, a, b, e)) return false;
    *out = *b;
    return true;
}
