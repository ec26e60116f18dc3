/* see x509.h */
#include "tools/appraise/x509.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "format/pem.h"
#include "tools/appraise/moment.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* Our libcrypto registers nothing by itself: these are the hashes that signatures of certificates may have, and no
 * others. */
static void add_hashes(void) {
    EVP_add_digest(EVP_sha256()), EVP_add_digest(EVP_sha384()), EVP_add_digest(EVP_sha512());
}
static void know_hashes(void) {
    static pthread_once_t done = PTHREAD_ONCE_INIT; /* plinth serve has threads */
    pthread_once(&done, add_hashes);
}

/* ---- the pool ---- */

void pool_drop(struct pool *p) {
    for (size_t i = 0; i < p->cert_count; i++) X509_free(p->certs[i]);
    for (size_t i = 0; i < p->crl_count; i++) X509_CRL_free(p->crls[i]);
    *p = (struct pool){0};
}

void pool_share(struct pool *p) {
    for (size_t i = 0; i < p->cert_count; i++) X509_up_ref(p->certs[i]);
    for (size_t i = 0; i < p->crl_count; i++) X509_CRL_up_ref(p->crls[i]);
}

static bool name_fits(const X509_NAME *name) {
    const unsigned char *der;
    size_t n;
    return X509_NAME_get0_der(name, &der, &n) == 1 && n <= NAME_MAX_DER;
}

bool pool_add_certificate(struct pool *p, struct view der, struct err *e) {
    const unsigned char *at = der.p;
    if (der.n > CERTIFICATE_MAX)
        return err_set(e, ERR_FORMAT, "certificate: %zu bytes, at most %u are read", der.n, CERTIFICATE_MAX);
    know_hashes();
    X509 *cert = der.n ? d2i_X509(NULL, &at, (long)der.n) : NULL;
    if (!cert) return err_set(e, ERR_FORMAT, "certificate: it is not DER of an X.509 certificate");
    if (!name_fits(X509_get_issuer_name(cert)) || !name_fits(X509_get_subject_name(cert))) {
        X509_free(cert);
        return err_set(e, ERR_FORMAT, "certificate: a name of more than %u bytes", NAME_MAX_DER);
    }
    size_t trailing = der.n - (size_t)(at - der.p);
    bool known = false;
    for (size_t i = 0; i < p->cert_count; i++) known |= X509_cmp(p->certs[i], cert) == 0;
    if (!trailing && !known && p->cert_count < POOL_CERTS_MAX) {
        p->certs[p->cert_count++] = cert;
        return true;
    }
    X509_free(cert);
    if (trailing) return err_set(e, ERR_FORMAT, "certificate: %zu bytes follow it", trailing);
    return known || err_set(e, ERR_FORMAT, "more than %u certificates", POOL_CERTS_MAX);
}

bool pool_add_crl(struct pool *p, struct view der, struct err *e) {
    const unsigned char *at = der.p;
    if (der.n > CRL_MAX) return err_set(e, ERR_FORMAT, "CRL: %zu bytes, at most %u are read", der.n, CRL_MAX);
    X509_CRL *crl = der.n ? d2i_X509_CRL(NULL, &at, (long)der.n) : NULL;
    if (!crl) return err_set(e, ERR_FORMAT, "CRL: it is not DER of an X.509 CRL");
    size_t trailing = der.n - (size_t)(at - der.p);
    bool known = false;
    for (size_t i = 0; i < p->crl_count; i++) known |= X509_CRL_match(p->crls[i], crl) == 0;
    if (!trailing && !known && p->crl_count < POOL_CRLS_MAX) {
        p->crls[p->crl_count++] = crl;
        return true;
    }
    X509_CRL_free(crl);
    if (trailing) return err_set(e, ERR_FORMAT, "CRL: %zu bytes follow it", trailing);
    return known || err_set(e, ERR_FORMAT, "more than %u CRLs", POOL_CRLS_MAX);
}

struct pool pool_join(const struct pool *a, const struct pool *b) {
    struct pool both = *a;
    for (size_t i = 0; i < b->cert_count && both.cert_count < POOL_CERTS_MAX; i++)
        both.certs[both.cert_count++] = b->certs[i];
    return both;
}

/* Quotes carry a C string's NUL behind their PEM text. */
static struct view without_nul(struct view text) {
    while (text.n && text.p[text.n - 1] == 0) text.n--;
    return text;
}

bool pool_add_pem(struct pool *p, struct view text, bool bare, struct arena *a, struct err *e) {
    struct view label, der;
    size_t count = 0;
    text = without_nul(text);
    for (;; count++) {
        *e = (struct err){0};
        if (bare && (text = view_trim(text)).n && !view_starts(text, VIEW("-----BEGIN ")))
            return err_set(e, ERR_FORMAT, "other text between or behind the PEM blocks");
        if (!pem_next(&text, a, &label, &der, e)) break;
        bool ok = view_is(label, "CERTIFICATE") ? pool_add_certificate(p, der, e)
                  : view_is(label, "X509 CRL")
                      ? pool_add_crl(p, der, e)
                      : err_set(e, ERR_FORMAT, "PEM block %.40s: not a certificate or CRL", arena_str(a, label));
        if (!ok) return false;
    }
    return e->kind == ERR_NONE && (count || err_set(e, ERR_FORMAT, "no PEM block in it"));
}

/* ---- anchors ---- */

static bool spki_hash(const X509 *cert, uint8_t out[32]) {
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (n <= 0) return false;
    hash_once(HASH_SHA256, view_of(der, (size_t)n), out);
    OPENSSL_free(der);
    return true;
}

static bool add_anchor(struct anchors *a, const char *name, bool vendor, const uint8_t hash[32], struct err *e) {
    if (a->count == ANCHORS_MAX) return err_set(e, ERR_FORMAT, "more than %u roots", ANCHORS_MAX);
    struct anchor *n = &a->list[a->count++];
    *n = (struct anchor){.name = name, .vendor = vendor};
    memcpy(n->spki_sha256, hash, 32);
    return true;
}

static bool add_der_anchor(struct anchors *a, struct view der, bool key, const char *name, struct err *e) {
    uint8_t hash[32];
    const unsigned char *at = der.p;
    bool ok = false;
    if (key) {
        EVP_PKEY *k = der.n ? d2i_PUBKEY(NULL, &at, (long)der.n) : NULL;
        if ((ok = k && at == der.p + der.n)) hash_once(HASH_SHA256, der, hash);
        EVP_PKEY_free(k);
    } else {
        X509 *cert = der.n ? d2i_X509(NULL, &at, (long)der.n) : NULL;
        ok = cert && at == der.p + der.n && spki_hash(cert, hash);
        X509_free(cert);
    }
    return ok ? add_anchor(a, name, false, hash, e) : err_set(e, ERR_FORMAT, "it is not a certificate or public key");
}

bool anchors_add_file(struct anchors *a, struct view bytes, const char *name, struct arena *arena, struct err *e) {
    struct view label, der, text = bytes;
    size_t count = 0;
    if (!bytes.n || bytes.p[0] == 0x30 ||
        memchr(bytes.p, 0, bytes.n)) { /* a file that only holds PEM somewhere is none */
        struct err ignored;
        return add_der_anchor(a, bytes, false, name, &ignored) || add_der_anchor(a, bytes, true, name, e);
    }
    for (;; count++) {
        *e = (struct err){0};
        if (!pem_next(&text, arena, &label, &der, e)) break;
        if (!add_der_anchor(a, der, view_is(label, "PUBLIC KEY"), name, e)) return false;
    }
    return e->kind == ERR_NONE && (count || err_set(e, ERR_FORMAT, "it is not a certificate or public key"));
}

void anchors_add_pin(struct anchors *a, const char *name, const char *spki_sha256) {
    uint8_t hash[32];
    struct err e;
    if (hex_decode(view_str(spki_sha256), hash, 32)) add_anchor(a, name, true, hash, &e);
}

/* ---- names, for people and for matching ---- */

static const char *common_name(const X509_NAME *name, char *out, size_t size) {
    int i = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    out[0] = 0;
    if (i < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, i) >= 0) return out;
    const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
    if (!view_to_str(view_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)), out, size)) out[0] = 0;
    return out;
}

const char *x509_subject_cn(const X509 *cert, char *out, size_t size) {
    return common_name(X509_get_subject_name(cert), out, size);
}
const char *x509_issuer_cn(const X509 *cert, char *out, size_t size) {
    return common_name(X509_get_issuer_name(cert), out, size);
}

bool x509_subject_is(const X509 *cert, const char *name) {
    char cn[96], simulated[96];
    x509_subject_cn(cert, cn, sizeof cn);
    snprintf(simulated, sizeof simulated, "Plinth SIMULATED %s, NOT A TEE", name + (strncmp(name, "Intel ", 6) ? 0 : 6));
    return !strcmp(cn, name) || !strcmp(cn, simulated);
}

bool x509_extension(const X509 *cert, const char *oid, struct view *value) {
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int i = object ? X509_get_ext_by_OBJ(cert, object, -1) : -1;
    bool once = i >= 0 && X509_get_ext_by_OBJ(cert, object, i) < 0;
    ASN1_OBJECT_free(object);
    if (!once) return false;
    const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(X509_get_ext(cert, i));
    *value = view_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    return true;
}

static const char *asn1_moment(const ASN1_TIME *t, char out[static MOMENT_TEXT]) {
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1) return "?";
    return moment_text(timegm(&tm), out);
}

const char *x509_describe(const X509 *cert, char *out, size_t size) {
    char from[MOMENT_TEXT], to[MOMENT_TEXT], serial[2 * 20 + 1];
    const ASN1_INTEGER *number = X509_get0_serialNumber(cert);
    struct writer w = writer_of(serial, sizeof serial);
    write_hex(&w, view_of(ASN1_STRING_get0_data(number), (size_t)ASN1_STRING_length(number)));
    const char *text = writer_str(&w);
    snprintf(out, size, "serial %s, valid %s to %s", text ? text : "?", asn1_moment(X509_get0_notBefore(cert), from),
             asn1_moment(X509_get0_notAfter(cert), to));
    return out;
}

/* ---- chains ---- */

static bool self_issued(const X509 *cert) {
    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

bool chain_of(const struct pool *p, X509 *leaf, struct chain *out, struct err *e) {
    struct chain c = {1, {leaf}};
    char cn[64];
    while (!self_issued(c.certs[c.n - 1])) {
        X509 *below = c.certs[c.n - 1], *found = NULL;
        if (c.n == CHAIN_MAX) return err_set(e, ERR_FORMAT, "the chain has more than %u certificates", CHAIN_MAX);
        for (size_t i = 0; i < p->cert_count && !found; i++)
            if (X509_NAME_cmp(X509_get_subject_name(p->certs[i]), X509_get_issuer_name(below)) == 0 &&
                X509_get0_pubkey(p->certs[i]) && X509_verify(below, X509_get0_pubkey(p->certs[i])) == 1)
                found = p->certs[i];
        if (!found)
            return err_set(e, ERR_FORMAT, "the certificate of the issuer '%s' is not there",
                           x509_issuer_cn(below, cn, sizeof cn));
        c.certs[c.n++] = found;
    }
    *out = c;
    return true;
}

static bool hash_good(int md) { return md == NID_sha256 || md == NID_sha384 || md == NID_sha512; }

/* AlgorithmIdentifier inside a parameter; freed by X509_ALGOR_free. */
static X509_ALGOR *inner_algorithm(const X509_ALGOR *outer, int nid) {
    const ASN1_OBJECT *object;
    const void *parameter;
    int type;
    if (!outer) return NULL;
    X509_ALGOR_get0(&object, &type, &parameter, outer);
    return OBJ_obj2nid(object) == nid && type == V_ASN1_SEQUENCE
               ? ASN1_item_unpack(parameter, ASN1_ITEM_rptr(X509_ALGOR))
               : NULL;
}

/* RFC 4055: the only parameters AMD's certificates have. */
static bool pss_sha384(const X509 *cert) {
    const X509_ALGOR *alg;
    const ASN1_BIT_STRING *signature;
    const void *parameter;
    int type;
    X509_get0_signature(&signature, &alg, cert);
    X509_ALGOR_get0(NULL, &type, &parameter, alg);
    RSA_PSS_PARAMS *pss = type == V_ASN1_SEQUENCE ? ASN1_item_unpack(parameter, ASN1_ITEM_rptr(RSA_PSS_PARAMS)) : NULL;
    X509_ALGOR *mask = pss ? inner_algorithm(pss->maskGenAlgorithm, NID_mgf1) : NULL;
    bool ok = pss && pss->hashAlgorithm && OBJ_obj2nid(pss->hashAlgorithm->algorithm) == NID_sha384 && mask &&
              OBJ_obj2nid(mask->algorithm) == NID_sha384 && pss->saltLength &&
              ASN1_INTEGER_get(pss->saltLength) == 48 &&
              (!pss->trailerField || ASN1_INTEGER_get(pss->trailerField) == 1);
    X509_ALGOR_free(mask);
    RSA_PSS_PARAMS_free(pss);
    return ok;
}

static bool curve_is(const EVP_PKEY *key, const char *name) {
    char group[32];
    size_t n;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 &&
           !strcmp(group, name);
}

static bool algorithms_good(const X509 *cert, bool leaf, enum chain_rule rule) {
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    int signature = X509_get_signature_nid(cert), md = NID_undef;
    uint32_t flags;
    if (!key) return false;
    bool p256 = curve_is(key, "prime256v1"), p384 = curve_is(key, "secp384r1"), p521 = curve_is(key, "secp521r1");
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    int bits = EVP_PKEY_get_bits(key);
    switch (rule) {
    case CHAIN_ECDSA_P256:
        return signature == NID_ecdsa_with_SHA256 && p256;
    case CHAIN_AMD:
        return signature == NID_rsassaPss && pss_sha384(cert) && (leaf ? p384 : rsa && bits == 4096);
    case CHAIN_ANY:
        return X509_get_signature_info((X509 *)cert, &md, NULL, NULL, &flags) == 1 && hash_good(md) &&
               (p256 || p384 || p521 || (rsa && bits >= 2048 && bits <= 8192));
    }
    return false;
}

static bool anchored(const X509 *root, const struct anchors *trust, const struct anchor **used, struct err *e) {
    uint8_t hash[32];
    char hex[65], wanted[256], cn[64];
    struct writer w = writer_of(hex, sizeof hex), names = writer_of(wanted, sizeof wanted);
    if (!spki_hash(root, hash)) return err_set(e, ERR_FORMAT, "the root's public key cannot be read");
    for (size_t i = 0; i < trust->count; i++) {
        if (!memcmp(hash, trust->list[i].spki_sha256, 32)) {
            *used = &trust->list[i];
            return true;
        }
        write_text(&names, i ? ", " : ""), write_text(&names, trust->list[i].name);
    }
    write_hex(&w, view_of(hash, 32));
    const char *list = writer_str(&names);
    err_set(e, ERR_SIGNATURE, "the chain ends in '%s' with public key sha256:%s, which is not the key of %s",
            x509_subject_cn(root, cn, sizeof cn), writer_str(&w), list ? list : "the pinned roots");
    return err_mend(e, "a private or simulated root is named with --trust FILE");
}

static bool validate(const struct chain *c, int64_t at, struct err *e) {
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    char cn[64], when[MOMENT_TEXT], what[128];
    bool ok = store && ctx && between && X509_STORE_add_cert(store, c->certs[c->n - 1]) == 1;
    for (size_t i = 1; ok && i + 1 < c->n; i++) ok = sk_X509_push(between, c->certs[i]) > 0;
    ok = ok && X509_STORE_CTX_init(ctx, store, c->certs[0], between) == 1;
    if (!ok) {
        err_set(e, ERR_SYSTEM, "libcrypto is out of memory");
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)at);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CHECK_SS_SIGNATURE);
        X509_VERIFY_PARAM_set_depth(param, (int)CHAIN_MAX);
        if (X509_verify_cert(ctx) != 1) {
            X509 *bad = X509_STORE_CTX_get_current_cert(ctx);
            ok = err_set(e, ERR_SIGNATURE, "'%s': %s at %s (%s)", bad ? x509_subject_cn(bad, cn, sizeof cn) : "?",
                         X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)), moment_text(at, when),
                         bad ? x509_describe(bad, what, sizeof what) : "?");
        } else {
            STACK_OF(X509) *made = X509_STORE_CTX_get0_chain(ctx);
            bool same = (size_t)sk_X509_num(made) == c->n;
            for (size_t i = 0; same && i < c->n; i++) same = X509_cmp(sk_X509_value(made, (int)i), c->certs[i]) == 0;
            if (!same)
                ok = err_set(e, ERR_FORMAT, "the certificates are not a chain in order: leaf, issuer of each, root");
        }
    }
    sk_X509_free(between);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

bool chain_check(const struct chain *c, const struct anchors *trust, enum chain_rule rule, int64_t at,
                 const struct anchor **used, struct err *e) {
    static const char *const kinds[] = {"ECDSA P-256 with SHA-256", "RSA-4096 PSS with SHA-384 over a P-384 leaf",
                                        "at least RSA-2048 or P-256 with SHA-256"};
    char cn[64];
    const struct anchor *anchor = NULL;
    if (c->n < 2 || c->n > CHAIN_MAX) return err_set(e, ERR_FORMAT, "a chain of %zu certificates", c->n);
    if (!anchored(c->certs[c->n - 1], trust, &anchor, e)) return false;
    for (size_t i = 0; i < c->n; i++) {
        X509 *cert = c->certs[i];
        /* The self-signed root counts by its key, its own signature is only looked at. */
        if (X509_get_version(cert) != X509_VERSION_3)
            return err_set(e, ERR_FORMAT, "'%s' is not of X.509 version 3", x509_subject_cn(cert, cn, sizeof cn));
        if (!algorithms_good(cert, i == 0, rule))
            return err_set(e, ERR_SIGNATURE, "'%s' has another key or signature than %s",
                           x509_subject_cn(cert, cn, sizeof cn), kinds[rule]);
        if (i + 1 < c->n && X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(c->certs[i + 1])) != 0)
            return err_set(e, ERR_FORMAT,
                           "'%s' is not followed by its issuer: the certificates are not a chain in order",
                           x509_subject_cn(cert, cn, sizeof cn));
        if ((X509_check_ca(cert) == 1) != (i > 0))
            return err_set(e, ERR_SIGNATURE, "'%s' %s", x509_subject_cn(cert, cn, sizeof cn),
                           i ? "is no CA" : "is a CA, not an end entity");
        if (i && !(X509_get_extension_flags(cert) & EXFLAG_KUSAGE && X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
            return err_set(e, ERR_SIGNATURE, "'%s' may not sign certificates (keyUsage)",
                           x509_subject_cn(cert, cn, sizeof cn));
    }
    if (!validate(c, at, e)) return false;
    *used = anchor;
    return true;
}

/* ---- revocation ---- */

static int64_t asn1_seconds(const ASN1_TIME *t) {
    struct tm tm;
    return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : -1;
}

static enum check_state crl_fault(struct err *e, const char *what, const char *issuer) {
    err_set(e, ERR_SIGNATURE, "the CRL of '%s' %s", issuer, what);
    return CHECK_BAD;
}

static enum check_state crl_judge(X509_CRL *crl, const X509 *cert, const X509 *issuer, int64_t at, struct err *e) {
    char cn[64], of[64], when[MOMENT_TEXT], from[MOMENT_TEXT], to[MOMENT_TEXT], text[160];
    X509_REVOKED *entry = NULL;
    x509_subject_cn(issuer, of, sizeof of);
    if (!(X509_get_key_usage((X509 *)issuer) & KU_CRL_SIGN))
        return crl_fault(e, "is signed by a certificate that may not sign CRLs", of);
    if (X509_CRL_verify(crl, X509_get0_pubkey(issuer)) != 1) return crl_fault(e, "is not signed by its key", of);
    if (X509_CRL_get_ext_by_critical(crl, 1, -1) >= 0)
        return crl_fault(e, "has a critical extension, which restricts what it covers", of);
    int64_t this = asn1_seconds(X509_CRL_get0_lastUpdate(crl)), next = asn1_seconds(X509_CRL_get0_nextUpdate(crl));
    if (this < 0 || next < 0 || at < this || at > next) {
        snprintf(text, sizeof text, "is of %s to %s, the verdict is at %s",
                 asn1_moment(X509_CRL_get0_lastUpdate(crl), from), asn1_moment(X509_CRL_get0_nextUpdate(crl), to),
                 moment_text(at, when));
        return crl_fault(e, text, of);
    }
    /* 2: removeFromCRL, of delta CRLs; those have a critical extension. */
    if (X509_CRL_get0_by_cert(crl, &entry, (X509 *)cert) != 0) {
        char what[128];
        err_set(e, ERR_SIGNATURE, "'%s' (%s) is revoked by the CRL of '%s'", x509_subject_cn(cert, cn, sizeof cn),
                x509_describe(cert, what, sizeof what), of);
        return CHECK_BAD;
    }
    return CHECK_GOOD;
}

enum check_state crl_check(const struct pool *p, const X509 *cert, const X509 *issuer, int64_t at, struct err *e) {
    enum check_state best = CHECK_MISSING;
    struct err why;
    char of[64];
    err_set(e, ERR_SIGNATURE, "no CRL of '%s'", x509_subject_cn(issuer, of, sizeof of));
    for (size_t i = 0; i < p->crl_count; i++) {
        if (X509_NAME_cmp(X509_CRL_get_issuer(p->crls[i]), X509_get_subject_name(issuer)) != 0) continue;
        enum check_state s = crl_judge(p->crls[i], cert, issuer, at, &why);
        if (s == CHECK_BAD && strstr(why.text, "is revoked")) return *e = why, s; /* one that says so is enough */
        if (best != CHECK_GOOD) best = s, *e = why;
    }
    return best;
}
