/* see rcar.h */
#include "secret/rcar.h"

#include "base/version.h"

static void member(struct writer *out, const char *name, struct view text) {
    write_member(out, name);
    write_json_string(out, text);
}

static void number(struct writer *out, const char *name, struct view bytes) {
    write_member(out, name);
    write_u8(out, '"');
    write_base64url(out, bytes);
    write_u8(out, '"');
}

void rcar_request(struct view tee, struct writer *out) {
    write_text(out, "{\"version\":\"" RCAR_VERSION "\"");
    member(out, "tee", tee);
    write_text(out, ",\"extra-params\":{\"supported-hash-algorithms\":[\"sha384\"]");
    member(out, "plinth", view_str(plinth_version));
    write_text(out, "}}");
}

void rcar_jwk(const struct private_key *key, struct writer *out) {
    if (key->type == PRIVATE_EC_P256) {
        write_text(out, "{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\"");
        number(out, "x", view_of(key->ec.point + 1, 32));
        number(out, "y", view_of(key->ec.point + 33, 32));
    } else {
        struct view e = view_of(key->rsa.e, sizeof key->rsa.e);
        while (e.n && !e.p[0]) e = view_skip(e, 1);
        write_text(out, "{\"alg\":\"RSA-OAEP-256\"");
        number(out, "e", e);
        write_text(out, ",\"kty\":\"RSA\"");
        number(out, "n", view_of(key->rsa.n, key->rsa.n_size));
    }
    write_u8(out, '}');
}

static void runtime_data(struct view nonce, const struct private_key *key, struct writer *out) {
    member(out, "nonce", nonce);
    write_member(out, "tee-pubkey");
    rcar_jwk(key, out);
    write_u8(out, '}');
}

void rcar_report_data(struct view nonce, const struct private_key *key, uint8_t out[static 48]) {
    uint8_t text[256 + 6 * RCAR_NONCE_MAX + PRIVATE_RSA_MAX * 4 / 3];
    struct writer w = writer_of(text, sizeof text);
    write_text(&w, "{\"additional-evidence\":\"\"");
    runtime_data(nonce, key, &w);
    hash_once(HASH_SHA384, writer_view(&w), out);
}

void rcar_attestation(struct view nonce, const struct private_key *key, struct view initdata, struct view evidence,
                      struct writer *out) {
    write_u8(out, '{');
    if (initdata.n) {
        write_text(out, "\"init-data\":{\"format\":\"toml\"");
        member(out, "body", initdata);
        write_u8(out, '}');
    }
    write_member(out, "runtime-data");
    write_u8(out, '{');
    runtime_data(nonce, key, out);
    write_text(out, ",\"tee-evidence\":{\"primary_evidence\":");
    write_bytes(out, evidence);
    write_text(out, ",\"additional_evidence\":\"\"}}");
}
