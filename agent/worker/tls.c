/* see tls.h */
#include "worker/tls.h"

#include "crypto/hash.h"
#include "format/pem.h"
#include "worker/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

/* ---- Trust anchors ---- */

struct dn_copy {
    struct arena *arena;
    uint8_t bytes[4096];
    size_t n;
};

static void append_dn(void *state, const void *p, size_t n) {
    struct dn_copy *dn = state;
    if (n > sizeof dn->bytes - dn->n)
        dn->n = sizeof dn->bytes; /* longer than any real name: then it matches nothing */
    else
        memcpy(dn->bytes + dn->n, p, n);
    if (dn->n < sizeof dn->bytes) dn->n += n;
}

static unsigned char *keep(struct arena *a, const void *p, size_t n, bool *full) {
    struct view v = arena_copy(a, view_of(p, n));
    if (n && !v.p) *full = true;
    return (unsigned char *)(uintptr_t)v.p;
}

/* False when the certificate is of no use to BearSSL; *full when the arena is. */
static bool anchor_make(struct view der, struct arena *a, br_x509_trust_anchor *out, bool *full) {
    br_x509_decoder_context decoder;
    struct dn_copy dn = {.n = 0};
    br_x509_decoder_init(&decoder, append_dn, &dn);
    br_x509_decoder_push(&decoder, der.p, der.n);
    const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
    if (!key) return false;
    *out = (br_x509_trust_anchor){.pkey.key_type = key->key_type};
    out->flags = br_x509_decoder_isCA(&decoder) ? BR_X509_TA_CA : 0;
    out->dn.data = keep(a, dn.bytes, dn.n, full);
    out->dn.len = dn.n;
    if (key->key_type == BR_KEYTYPE_RSA) {
        out->pkey.key.rsa = key->key.rsa;
        out->pkey.key.rsa.n = keep(a, key->key.rsa.n, key->key.rsa.nlen, full);
        out->pkey.key.rsa.e = keep(a, key->key.rsa.e, key->key.rsa.elen, full);
    } else {
        out->pkey.key.ec = key->key.ec;
        out->pkey.key.ec.q = keep(a, key->key.ec.q, key->key.ec.qlen, full);
    }
    return !*full;
}

bool tls_trust_load(struct view pem, struct arena *a, struct tls_trust *out, struct err *e) {
    struct view begin = VIEW("-----BEGIN CERTIFICATE-----"), label, der;
    size_t seen = 0, max = 0;
    for (size_t i = 0; i + begin.n <= pem.n; i++) max += pem.p[i] == '-' && view_starts(view_skip(pem, i), begin);
    struct tls_trust t = {.anchors = arena_alloc(a, (max + 1) * sizeof *t.anchors)};
    if (!t.anchors) return arena_full(a, e);
    struct err why = {0};
    while (pem_next(&pem, a, &label, &der, &why)) {
        bool full = false;
        if (!view_is(label, "CERTIFICATE")) continue;
        if (seen++ < max && anchor_make(der, a, &t.anchors[t.count], &full)) t.count++;
        if (full) return arena_full(a, e);
    }
    if (why.kind != ERR_NONE) {
        *e = why;
        e->kind = ERR_USAGE;
        return err_in(e, "CA certificates");
    }
    if (seen && t.count == 0)
        return err_set(e, ERR_USAGE, "CA certificates: none of the %zu can be used (RSA or EC keys in X.509)", seen);
    *out = t;
    return true;
}

/* ---- X.509: BearSSL's minimal engine, and a copy of the first certificate ---- */

static struct tls_x509 *self(const br_x509_class **c) { return (struct tls_x509 *)(void *)c; }

static void start_chain(const br_x509_class **c, const char *name) {
    struct tls_x509 *x = self(c);
    x->index = 0;
    x->leaf_n = 0;
    x->minimal.vtable->start_chain(&x->minimal.vtable, x->ip.n ? NULL : name);
}

static void start_cert(const br_x509_class **c, uint32_t n) {
    struct tls_x509 *x = self(c);
    x->minimal.vtable->start_cert(&x->minimal.vtable, n);
}

static void append(const br_x509_class **c, const unsigned char *p, size_t n) {
    struct tls_x509 *x = self(c);
    if (x->index == 0 && n <= sizeof x->leaf - x->leaf_n) {
        memcpy(x->leaf + x->leaf_n, p, n);
        x->leaf_n += n;
    }
    x->minimal.vtable->append(&x->minimal.vtable, p, n);
}

static void end_cert(const br_x509_class **c) {
    struct tls_x509 *x = self(c);
    x->index++;
    x->minimal.vtable->end_cert(&x->minimal.vtable);
}

static unsigned end_chain(const br_x509_class **c) {
    struct tls_x509 *x = self(c);
    unsigned code = x->minimal.vtable->end_chain(&x->minimal.vtable);
    struct certificate leaf;
    if (code || !x->ip.n) return code;
    return certificate_parse(view_of(x->leaf, x->leaf_n), &leaf) && certificate_has_ip(&leaf, x->ip)
               ? 0
               : BR_ERR_X509_BAD_SERVER_NAME;
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *c, unsigned *usages) {
    const struct tls_x509 *x = (const void *)c;
    return x->minimal.vtable->get_pkey(&x->minimal.vtable, usages);
}

static const br_x509_class tls_x509_class = {
    sizeof(struct tls_x509), start_chain, start_cert, append, end_cert, end_chain, get_pkey,
};

/* ---- Messages ---- */

static bool explain_certificate(const struct tls *t, int code, struct err *e) {
    struct certificate c = {0};
    char names[256], today[16];
    struct writer w = writer_of(names, sizeof names);
    time_t now = time(NULL);
    struct tm tm;
    strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now, &tm));
    bool known = certificate_parse(view_of(t->x509.leaf, t->x509.leaf_n), &c);
    certificate_names(&c, &w);
    struct view issuer = view_first(certificate_common_name(c.issuer), 100), who = writer_view(&w);
    const char *host = t->host;
    switch (code) {
    case BR_ERR_X509_EXPIRED:
        if (known && strcmp(today, c.not_before) >= 0 && strcmp(today, c.not_after) <= 0 && t->x509.index > 0)
            err_set(e, ERR_SIGNATURE, "the certificate of '%.*s', above that of %s, is not valid on %s",
                    VIEW_ARG(issuer), host, today);
        else
            err_set(e, ERR_SIGNATURE, "the certificate of %s is valid from %s to %s; today is %s", host, c.not_before,
                    c.not_after, today);
        return err_mend(e, "renew the certificate, or set the machine's clock");
    case BR_ERR_X509_NOT_TRUSTED:
        err_set(e, ERR_SIGNATURE, "the certificate of %s was issued by '%.*s', which is not a trusted authority", host,
                VIEW_ARG(issuer));
        return err_mend(e, "put the certificate of '%.*s' into the policy's registry.ca (a KBS's: kbs.ca)",
                        VIEW_ARG(issuer));
    case BR_ERR_X509_BAD_SERVER_NAME:
        err_set(e, ERR_SIGNATURE, "the certificate presented by %s is for %.*s, not for %s", host, VIEW_ARG(who), host);
        return err_mend(e, "use a name that the certificate holds, or a certificate for %s", host);
    default:
        return err_set(e, ERR_SIGNATURE, "the certificate of %s (for %.*s) %s (BearSSL error %d)", host, VIEW_ARG(who),
                       code == BR_ERR_X509_BAD_SIGNATURE     ? "has a wrong signature"
                       : code == BR_ERR_X509_WEAK_PUBLIC_KEY ? "has a key that is too short"
                                                             : "cannot be accepted",
                       code);
    }
}

/* Before the session stands, a fault is the peer's way of speaking; later it is an accident on the way. */
static bool explain(const struct tls *t, int code, struct err *e) {
    enum err_kind kind = t->resumable ? ERR_NETWORK : ERR_FORMAT;
    int alert = code - BR_ERR_RECV_FATAL_ALERT;
    if (code > BR_ERR_X509_OK && code <= BR_ERR_X509_NOT_TRUSTED) return explain_certificate(t, code, e);
    if (code == BR_ERR_OK || code == BR_ERR_IO) return err_set(e, ERR_NETWORK, "%s ended the TLS session", t->host);
    if (alert < 0 || alert > 255)
        return t->heard ? err_set(e, kind, "TLS with %s failed: BearSSL error %d", t->host, code)
                        : err_set(e, ERR_FORMAT, "%s does not answer in TLS", t->host);
    err_set(e, kind, "%s refused the TLS session with alert %d", t->host, alert);
    return alert != 40 && alert != 70 ? false : err_mend(e, "%s must speak TLS 1.2 with ECDHE and AES-GCM", t->host);
}

/* ---- The engine ---- */

/* Moves records until one of the states `target` is reached, or (0) until all is sent. */
static bool run(struct tls *t, unsigned target, bool *closed, struct err *e) {
    br_ssl_engine_context *engine = &t->client.eng;
    for (;;) {
        unsigned state = br_ssl_engine_current_state(engine);
        size_t n, done;
        if (state == BR_SSL_CLOSED) {
            *closed = br_ssl_engine_last_error(engine) == BR_ERR_OK;
            return *closed || explain(t, br_ssl_engine_last_error(engine), e);
        }
        if (state & BR_SSL_SENDREC) {
            const unsigned char *p = br_ssl_engine_sendrec_buf(engine, &n);
            if (!t->io.send(t->io.state, view_of(p, n), &done, e)) return false;
            br_ssl_engine_sendrec_ack(engine, done);
        } else if (target == 0 || (state & target)) {
            return true;
        } else if (state & BR_SSL_RECVREC) {
            unsigned char *p = br_ssl_engine_recvrec_buf(engine, &n);
            if (t->ahead_n == 0) {
                /* The engine asks for a record's head alone; what follows comes along, to the place where it is wanted
                 * next. The little that belongs to the record after that is moved below: `p` is never behind it. */
                if (!t->io.receive(t->io.state, p, (size_t)(t->in + sizeof t->in - p), &done, e)) return false;
                if (done == 0) return explain(t, BR_ERR_IO, e);
                if (!t->heard && (p[0] < 20 || p[0] > 23)) return explain(t, BR_ERR_BAD_VERSION, e);
                t->heard = true;
                t->ahead = p;
                t->ahead_n = done;
            }
            done = n < t->ahead_n ? n : t->ahead_n;
            if (p != t->ahead) memmove(p, t->ahead, done);
            t->ahead += done;
            t->ahead_n -= done;
            br_ssl_engine_recvrec_ack(engine, done);
        } else {
            return err_set(e, ERR_FORMAT, "%s sends while it should listen", t->host);
        }
    }
}

static void configure(struct tls *t) {
    static const uint16_t suites[] = {
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    };
    br_ssl_engine_context *engine = &t->client.eng;
    br_ssl_client_zero(&t->client);
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_all_flags(engine, BR_OPT_NO_RENEGOTIATION);
    br_ssl_engine_set_suites(engine, suites, sizeof suites / sizeof *suites);
    br_ssl_client_set_default_rsapub(&t->client);
    br_ssl_engine_set_default_rsavrfy(engine);
    br_ssl_engine_set_default_ecdsa(engine);
    br_ssl_engine_set_default_aes_gcm(engine); /* AES-NI and PCLMUL where the processor has them */
    br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
    for (int i = HASH_SHA256; i <= HASH_SHA512; i++) br_ssl_engine_set_hash(engine, br_sha256_ID + i, hash_class(i));
    br_ssl_engine_set_buffers_bidi(engine, t->in, sizeof t->in, t->out, sizeof t->out);
}

static void configure_x509(struct tls *t, const struct tls_trust *trust, struct view ip) {
    br_ssl_engine_context *engine = &t->client.eng;
    br_x509_minimal_context *minimal = &t->x509.minimal;
    int64_t now = time(NULL);
    br_x509_minimal_init(minimal, hash_class(HASH_SHA256), trust->anchors, trust->count);
    br_x509_minimal_set_rsa(minimal, br_ssl_engine_get_rsavrfy(engine));
    br_x509_minimal_set_ecdsa(minimal, br_ssl_engine_get_ec(engine), br_ssl_engine_get_ecdsa(engine));
    br_x509_minimal_set_minrsa(minimal, 2048 / 8);
    for (int i = HASH_SHA256; i <= HASH_SHA512; i++) br_x509_minimal_set_hash(minimal, br_sha256_ID + i, hash_class(i));
    br_x509_minimal_set_time(minimal, (uint32_t)(now / 86400 + 719528),
                             (uint32_t)(now % 86400)); /* days since 0-01-01 */
    t->x509.vtable = &tls_x509_class;
    t->x509.ip = ip;
    br_ssl_engine_set_x509(engine, &t->x509.vtable);
}

bool tls_open(struct tls *t, const struct tls_trust *trust, const char *host, struct view ip, struct tls_io io,
              struct err *e) {
    bool resume = t->resumable, closed = false;
    t->io = io;
    t->host = host;
    t->heard = t->resumable = false;
    t->ahead_n = 0;
    if (!resume) configure(t);
    configure_x509(t, trust, ip);
    uint8_t seed[32];
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) return err_sys(e, "no random numbers for TLS");
    br_ssl_engine_inject_entropy(&t->client.eng, seed, sizeof seed);
    if (!br_ssl_client_reset(&t->client, ip.n ? NULL : host, resume))
        return explain(t, br_ssl_engine_last_error(&t->client.eng), e);
    if (!run(t, BR_SSL_SENDAPP | BR_SSL_RECVAPP, &closed, e)) return false;
    if (closed) return explain(t, BR_ERR_OK, e);
    t->resumable = true;
    return true;
}

bool tls_write(struct tls *t, struct view bytes, struct err *e) {
    br_ssl_engine_context *engine = &t->client.eng;
    bool closed = false;
    while (bytes.n) {
        if (!run(t, BR_SSL_SENDAPP, &closed, e)) return false;
        if (closed) return explain(t, BR_ERR_OK, e);
        size_t n;
        unsigned char *p = br_ssl_engine_sendapp_buf(engine, &n);
        if (n > bytes.n) n = bytes.n;
        memcpy(p, bytes.p, n);
        br_ssl_engine_sendapp_ack(engine, n);
        bytes = view_skip(bytes, n);
    }
    br_ssl_engine_flush(engine, 0);
    return run(t, 0, &closed, e) && (!closed || explain(t, BR_ERR_OK, e));
}

bool tls_peek(struct tls *t, struct view *bytes, struct err *e) {
    bool closed = false;
    if (!run(t, BR_SSL_RECVAPP, &closed, e)) return false;
    size_t n = 0;
    const unsigned char *p = closed ? NULL : br_ssl_engine_recvapp_buf(&t->client.eng, &n);
    *bytes = view_of(p, n);
    return true;
}

void tls_skip(struct tls *t, size_t n) {
    if (n) br_ssl_engine_recvapp_ack(&t->client.eng, n);
}
