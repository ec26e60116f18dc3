/* see collateral.h */
#include "tools/appraise/collateral.h"

#include "base/codec.h"
#include "format/json.h"
#include "tools/appraise/cert_table.h"

void collateral_drop(struct collateral *c) {
    pool_drop(&c->pool);
    *c = (struct collateral){0};
}

/* ---- the bytes of a JSON value ---- */

static void space(struct view *v) {
    while (v->n && (v->p[0] == ' ' || v->p[0] == '\t' || v->p[0] == '\n' || v->p[0] == '\r')) *v = view_skip(*v, 1);
}

static bool skip_string(struct view *v) {
    size_t i = 1;
    while (i < v->n && v->p[i] != '"') i += v->p[i] == '\\' ? 2 : 1;
    if (i >= v->n) return false;
    *v = view_skip(*v, i + 1);
    return true;
}

static bool skip_value(struct view *v) {
    size_t depth = 0;
    do {
        uint8_t c = v->n ? v->p[0] : 0;
        if (!v->n || (!depth && (c == ',' || c == '}' || c == ']'))) return false;
        if (c == '"') {
            if (!skip_string(v)) return false;
        } else if (c == '{' || c == '[' || c == '}' || c == ']') {
            depth = c == '{' || c == '[' ? depth + 1 : depth - 1;
            *v = view_skip(*v, 1);
        } else if (depth) {
            *v = view_skip(*v, 1);
        } else {
            while (v->n && !strchr(",}] \t\r\n", v->p[0])) *v = view_skip(*v, 1);
        }
    } while (depth);
    return true;
}

bool json_raw_member(struct view text, const char *name, struct view *raw) {
    struct view v = text, wanted = view_str(name);
    space(&v);
    if (!v.n || v.p[0] != '{') return false;
    do {
        v = view_skip(v, 1);
        space(&v);
        struct view key = v;
        if (!v.n || v.p[0] != '"' || !skip_string(&v)) return false;
        key = view_of(key.p + 1, key.n - v.n - 2);
        space(&v);
        if (!v.n || v.p[0] != ':') return false;
        v = view_skip(v, 1);
        space(&v);
        struct view value = v;
        if (!skip_value(&v)) return false;
        value.n -= v.n;
        if (view_eq(key, wanted)) {
            *raw = value;
            return true;
        }
        space(&v);
    } while (v.n && v.p[0] == ',');
    return false;
}

/* ---- sorting ---- */

/* Hex of either case, or base64, into the arena. False when it is neither. */
static bool decode_text(struct view text, struct arena *a, struct view *out) {
    text = view_trim(text);
    uint8_t *bytes = arena_alloc(a, text.n + 1), *lower = arena_alloc(a, text.n + 1);
    size_t n = 0;
    if (!bytes || !lower || !text.n) return false;
    for (size_t i = 0; i < text.n; i++) lower[i] = text.p[i] >= 'A' && text.p[i] <= 'F' ? text.p[i] | 0x20 : text.p[i];
    if (text.n % 2 == 0 && hex_decode(view_of(lower, text.n), bytes, text.n / 2))
        n = text.n / 2;
    else if (!base64_decode(text, bytes, text.n, &n))
        return false;
    *out = view_of(bytes, n);
    return true;
}

static bool add_signed(struct signed_json *list, size_t *count, struct view body, struct view signature,
                       const char *what, struct err *e) {
    if (signature.n && signature.n != 64)
        return err_set(e, ERR_FORMAT, "%s: its signature has %zu bytes, not 64", what, signature.n);
    if (*count == SIGNED_MAX) return err_set(e, ERR_FORMAT, "more than %u %s", SIGNED_MAX, what);
    list[(*count)++] = (struct signed_json){body, signature};
    return true;
}

static bool add_der(struct collateral *c, struct view der, struct err *e) {
    struct err why;
    return pool_add_certificate(&c->pool, der, &why) || pool_add_crl(&c->pool, der, &why) ||
           err_set(e, ERR_FORMAT, "DER of neither a certificate nor a CRL");
}

static bool add_pem_or_der(struct collateral *c, struct view text, struct arena *a, struct err *e) {
    struct view der;
    if (view_starts(view_trim(text), VIEW("-----BEGIN"))) return pool_add_pem(&c->pool, text, false, a, e);
    return decode_text(text, a, &der) ? add_der(c, der, e) : err_set(e, ERR_FORMAT, "it is not PEM, hex or base64");
}

static const char *const combined_texts[] = {
    "pck_crl_issuer_chain",     "root_ca_crl",           "pck_crl", "tcb_info_issuer_chain",
    "qe_identity_issuer_chain", "pck_certificate_chain", NULL};

static bool combined(struct collateral *c, const json *root, struct arena *a, struct err *e) {
    static const struct {
        const char *body, *signature;
    } pairs[] = {{"tcb_info", "tcb_info_signature"}, {"qe_identity", "qe_identity_signature"}};
    for (size_t i = 0; combined_texts[i]; i++) {
        const json *v = json_get(root, combined_texts[i]);
        if (v && !json_is_null(v) && !add_pem_or_der(c, json_text(v), a, e)) return err_in(e, "%s", combined_texts[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        struct view body = json_text(json_get(root, pairs[i].body)), signature = {0};
        if (!body.n) continue;
        if (!decode_text(json_text(json_get(root, pairs[i].signature)), a, &signature))
            return err_set(e, ERR_FORMAT, "%s: it is not hex or base64", pairs[i].signature);
        if (!(i ? add_signed(c->qe_identity, &c->qe_identity_count, body, signature, "QE identities", e)
                : add_signed(c->tcb_info, &c->tcb_info_count, body, signature, "TCB infos", e)))
            return false;
    }
    return true;
}

static bool add_json(struct collateral *c, struct view text, struct arena *a, struct err *e) {
    const json *root;
    struct view body, signature, id;
    if (!json_parse(text, a, &root, e)) return false;
    bool tcb = json_get(root, "tcbInfo") != NULL, qe = json_get(root, "enclaveIdentity") != NULL;
    if (tcb || qe) {
        if (!json_raw_member(text, tcb ? "tcbInfo" : "enclaveIdentity", &body) ||
            !decode_text(json_text(json_get(root, "signature")), a, &signature))
            return err_set(e, ERR_FORMAT, "member signature: it is absent or not hex");
    } else if ((id = json_text(json_get(root, "id"))).n) {
        body = view_trim(text), signature = (struct view){0};
        tcb = json_get(root, "fmspc") != NULL;
    } else if (json_get(root, "tcb_info")) {
        return combined(c, root, a, e);
    } else {
        return err_set(e, ERR_FORMAT, "JSON that is neither TCB info, QE identity nor a quote's collateral");
    }
    return tcb ? add_signed(c->tcb_info, &c->tcb_info_count, body, signature, "TCB infos", e)
               : add_signed(c->qe_identity, &c->qe_identity_count, body, signature, "QE identities", e);
}

bool collateral_add(struct collateral *c, struct view bytes, struct arena *a, struct err *e) {
    struct view text = view_trim(bytes), der;
    if (bytes.n > COLLATERAL_FILE_MAX)
        return err_set(e, ERR_FORMAT, "%zu bytes, at most %u are read", bytes.n, COLLATERAL_FILE_MAX);
    if (bytes.n == 64 && bytes.p[0] != '{') {
        if (c->signature_count == 2 * SIGNED_MAX)
            return err_set(e, ERR_FORMAT, "more than %u signatures", 2 * SIGNED_MAX);
        c->signatures[c->signature_count++] = bytes;
        return true;
    }
    if (cert_table_is(bytes)) return cert_table_add(bytes, &c->pool, e);
    if (bytes.n && bytes.p[0] == 0x30 && bytes.n > 1 && bytes.p[1] >= 0x80) return add_der(c, bytes, e);
    if (text.n && text.p[0] == '{') return add_json(c, text, a, e);
    if (view_starts(text, VIEW("-----BEGIN"))) return pool_add_pem(&c->pool, bytes, false, a, e);
    if (decode_text(text, a, &der)) return add_der(c, der, e);
    return err_set(e, ERR_FORMAT, "it is no certificate, CRL, TCB info, QE identity or signature of one");
}
