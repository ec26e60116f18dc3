/* x509: certificates, CRLs and chains up to a pinned public key (RFC 5280), over libcrypto.
 *
 * What is parsed here comes from a stranger: counts and sizes are bounded, DER has nothing trailing. Path validation is
 * X509_verify_cert's; around it: the chain is exactly what was given, in order; it ends in a certificate whose public key
 * is pinned; every signature and key is of the kind the vendor uses; the time is the caller's. */
#ifndef PLINTH_APPRAISE_X509_H
#define PLINTH_APPRAISE_X509_H

#include "tools/appraise/checks.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#include <openssl/types.h>

#define POOL_CERTS_MAX 48u  /* three vendors' chains several times over */
#define POOL_CRLS_MAX 8u
#define CHAIN_MAX 6u
#define CERTIFICATE_MAX (16u << 10) /* a PCK certificate has 1.3 KiB, one of an RSA-4096 key 1.8 */
#define NAME_MAX_DER 1024u          /* of a subject or issuer, which libcrypto copies for each relative CRLDP; vendors' have 200 */
#define CRL_MAX (4u << 20)          /* Intel's has 2.6 KiB */
#define ANCHORS_MAX 8u

/* Certificates and CRLs from files, not verified, owned. The same one twice is kept once. */
struct pool {
    size_t cert_count, crl_count;
    X509 *certs[POOL_CERTS_MAX];
    X509_CRL *crls[POOL_CRLS_MAX];
};
void pool_drop(struct pool *p);
/* `p` is a copy of another pool, which is kept: from here on both own what is in it. */
void pool_share(struct pool *p);
/* ERR_FORMAT: not DER of one, trailing bytes, too large (it, or a name in it), too many. */
bool pool_add_certificate(struct pool *p, struct view der, struct err *e);
bool pool_add_crl(struct pool *p, struct view der, struct err *e);
/* The certificates of both, borrowed: not to be dropped. Beyond POOL_CERTS_MAX those of `b` are left out. */
struct pool pool_join(const struct pool *a, const struct pool *b);
/* Every CERTIFICATE and X509 CRL block, at least one; other labels are ERR_FORMAT. NUL bytes at the end are passed over; other text
 * (comments) too, unless `bare`. */
bool pool_add_pem(struct pool *p, struct view text, bool bare, struct arena *a, struct err *e);

/* A public key that is believed. */
struct anchor {
    const char *name; /* "Intel SGX Root CA", or the file it came from */
    bool vendor;      /* pinned in this program; else the relying party's own (--trust) */
    uint8_t spki_sha256[32];
};
struct anchors {
    size_t count;
    struct anchor list[ANCHORS_MAX];
};
/* From a file: certificates or public keys (PUBLIC KEY), PEM or DER; what a certificate says beside its key does not count. */
bool anchors_add_file(struct anchors *a, struct view bytes, const char *name, struct arena *arena, struct err *e);
/* A root that is pinned here, by the SHA-256 of its SubjectPublicKeyInfo (DER) in hex. */
void anchors_add_pin(struct anchors *a, const char *name, const char *spki_sha256);

/* Leaf first, the self-signed root last; borrowed from a pool. */
struct chain {
    size_t n;
    X509 *certs[CHAIN_MAX];
};
/* The chain of `leaf` with issuers out of the pool, by name and signature. ERR_FORMAT naming the issuer that is not there. */
bool chain_of(const struct pool *p, X509 *leaf, struct chain *out, struct err *e);

/* What a vendor signs with; every certificate of the chain must be so. */
enum chain_rule {
    CHAIN_ECDSA_P256, /* Intel: P-256 keys, ecdsa-with-SHA256 */
    CHAIN_AMD,        /* RSA-4096 CAs, RSASSA-PSS SHA-384, MGF1 SHA-384, salt 48; a P-384 leaf */
    CHAIN_ANY,        /* TPM makers: RSA of 2048 bits or more or P-256/384/521, SHA-256/384/512, PKCS#1 v1.5, PSS or ECDSA */
};
/* ERR_SIGNATURE naming the certificate: the root's key is none of `trust` (all are named), a signature does not hold, not yet or no
 * longer valid at `at`, a CA that is none, a leaf that is a CA, path length, unknown critical extension, another algorithm.
 * *used: the anchor. */
bool chain_check(const struct chain *c, const struct anchors *trust, enum chain_rule rule, int64_t at, const struct anchor **used,
                 struct err *e);

/* Whether `issuer` has revoked `cert`. GOOD: a CRL of the pool, signed by it and current at `at`, does not list it. MISSING: none of
 * that issuer's name is in the pool. BAD: revoked, not current, wrong signature, an unknown critical extension. */
enum check_state crl_check(const struct pool *p, const X509 *cert, const X509 *issuer, int64_t at, struct err *e);

/* commonName of the subject or issuer; "" when it is absent, twice there or longer than `size`. Returns `out`. */
const char *x509_subject_cn(const X509 *cert, char *out, size_t size);
const char *x509_issuer_cn(const X509 *cert, char *out, size_t size);
/* That name, or that name as the simulated TEE of Plinth's tests has it ("Plinth SIMULATED SEV-VCEK, NOT A TEE", without "Intel"). A name decides nothing but
 * a certificate's part; whose it is, the root's key says. */
bool x509_subject_is(const X509 *cert, const char *cn);
/* What the extension of that OID (dotted) holds (the OCTET STRING's content). False when it is absent or there twice. */
bool x509_extension(const X509 *cert, const char *oid, struct view *value);
/* "serial 0bba.., valid 2022-09-20T00:00:00Z to ..."; returns `out`. */
const char *x509_describe(const X509 *cert, char *out, size_t size);

#endif
