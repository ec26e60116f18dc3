/* see tdx.h */
#include "tools/appraise/tdx.h"

#include "base/reader.h"
#include "tools/appraise/key.h"
#include "tools/appraise/moment.h"
#include "tools/appraise/tcb.h"
#include "tools/appraise/tdx_quote.h"

#include <openssl/evp.h>
#include <stdio.h>

#define SGX_DEBUG 0x02u
/* SHA-256 of Intel SGX Root CA's SubjectPublicKeyInfo. */
static const char intel_root[] = "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e";
static const char pck_name[] = "Intel SGX PCK Certificate", signing_name[] = "Intel SGX TCB Signing",
                  root_name[] = "Intel SGX Root CA";

struct run {
    struct appraisal *a;
    char at[MOMENT_TEXT];
    struct tdx_quote q;
    struct pool own; /* certificates out of the quote */
    struct anchors trust;
    struct chain chain;
    const struct anchor *anchor;
    struct pck pck;
    bool has_pck, has_info, has_identity;
    bool needed; /* whether missing collateral refuses */
    struct tcb_info info;
    struct qe_identity identity;
    const struct tcb_level *level, *module_level, *qe_level;
    enum tcb_status status;
    bool has_status;
};

/* ---- the PCK chain ---- */

/* Certification data of types 1 to 3: a PPID, then CPUSVN, PCESVN, PCE-ID. */
static bool ppid_form(const struct run *r, struct view *tail, struct err *e) {
    static const size_t sizes[] = {0, 16, 256, 384};
    size_t ppid = sizes[r->q.cert_type];
    if (r->q.cert_data.n != ppid + 20)
        return err_set(e, ERR_FORMAT, "certification data of type %u with %zu bytes, it has %zu", r->q.cert_type,
                       r->q.cert_data.n, ppid + 20);
    *tail = view_skip(r->q.cert_data, ppid);
    return true;
}

static bool key_signed_qe(const struct run *r, X509 *cert) {
    return key_ecdsa_holds(key_of_certificate(cert), HASH_SHA256, r->q.qe_report, r->q.qe_report_signature);
}

static bool find_chain(struct run *r, struct err *e) {
    const struct pool *given = &r->a->given->pool;
    X509 *leaf = NULL;
    struct view data = r->q.cert_data;
    if (r->q.cert_type == PCK_CHAIN) {
        if (!pool_add_pem(&r->own, data, true, r->a->arena, e)) return err_in(e, "certification data");
        if (r->own.crl_count || r->own.cert_count != 3)
            return err_set(e, ERR_FORMAT, "certification data: %zu certificates, a PCK chain has 3", r->own.cert_count);
        r->chain = (struct chain){3, {r->own.certs[0], r->own.certs[1], r->own.certs[2]}};
        return true;
    }
    if (r->q.cert_type == PCK_LEAF) {
        bool der = data.n && data.p[0] == 0x30;
        if (!(der ? pool_add_certificate(&r->own, data, e) : pool_add_pem(&r->own, data, true, r->a->arena, e)))
            return err_in(e, "certification data");
        if (r->own.cert_count != 1)
            return err_set(e, ERR_FORMAT, "certification data: %zu certificates, type 4 is one", r->own.cert_count);
        leaf = r->own.certs[0];
    } else {
        /* The quote only names its platform: the certificate is the one whose key has signed. */
        for (size_t i = 0; i < given->cert_count && !leaf; i++)
            if (x509_subject_is(given->certs[i], pck_name) && key_signed_qe(r, given->certs[i])) leaf = given->certs[i];
        if (!leaf) {
            err_set(e, ERR_FORMAT,
                    "the quote brings no PCK certificate (certification data of type %u), and none given has signed "
                    "the QE report",
                    r->q.cert_type);
            return err_mend(e, "give the platform's PCK certificate chain with --certs");
        }
    }
    struct pool both = pool_join(&r->own, given);
    return chain_of(&both, leaf, &r->chain, e);
}

static bool judge_chain(struct run *r) {
    struct checks *c = &r->a->checks;
    struct err e = {0};
    char ca[64], what[160];
    if (!find_chain(r, &e)) return checks_err(c, "pck-chain", &e);
    if (r->chain.n != 3) return checks_bad(c, "pck-chain", "%zu certificates, a PCK chain has 3", r->chain.n);
    x509_subject_cn(r->chain.certs[1], ca, sizeof ca);
    bool names = x509_subject_is(r->chain.certs[0], pck_name) &&
                 (x509_subject_is(r->chain.certs[1], "Intel SGX PCK Platform CA") ||
                  x509_subject_is(r->chain.certs[1], "Intel SGX PCK Processor CA")) &&
                 x509_subject_is(r->chain.certs[2], root_name);
    if (!chain_check(&r->chain, &r->trust, CHAIN_ECDSA_P256, r->a->at, &r->anchor, &e))
        return checks_err(c, "pck-chain", &e);
    if (!names) {
        char leaf[64], root[64];
        return checks_bad(
            c, "pck-chain",
            "the names are '%s', '%s', '%s'; wanted are '%s', 'Intel SGX PCK Platform CA' or 'Processor CA', '%s'",
            x509_subject_cn(r->chain.certs[0], leaf, sizeof leaf), ca,
            x509_subject_cn(r->chain.certs[2], root, sizeof root), pck_name, root_name);
    }
    return checks_good(c, "pck-chain", "%s (%s) by %s by %s, %s; judged at %s", pck_name,
                       x509_describe(r->chain.certs[0], what, sizeof what), ca, r->anchor->name,
                       r->anchor->vendor ? "whose key is pinned" : "which is not Intel's but named by --trust",
                       r->at);
}

static bool judge_extension(struct run *r) {
    struct checks *c = &r->a->checks;
    struct err e;
    struct view value, tail = {0};
    if (!x509_extension(r->chain.certs[0], PCK_EXTENSION_OID, &value))
        return checks_bad(c, "pck-extension", "the PCK certificate has no extension " PCK_EXTENSION_OID ", or two");
    if (!pck_parse(value, &r->pck, &e)) return checks_err(c, "pck-extension", &e);
    r->has_pck = true;
    if (r->q.cert_type <= PCK_PPID_RSA3072) {
        if (!ppid_form(r, &tail, &e)) return checks_err(c, "pck-extension", &e);
        struct reader in = reader_of(tail);
        bool same = view_eq(read_bytes(&in, 16), view_of(r->pck.cpusvn, 16));
        same &= read_le16(&in) == r->pck.pcesvn;
        same &= view_eq(read_bytes(&in, 2), view_of(r->pck.pceid, 2));
        if (r->q.cert_type == PCK_PPID) same &= view_eq(view_first(r->q.cert_data, 16), view_of(r->pck.ppid, 16));
        if (!same)
            return checks_bad(c, "pck-extension",
                              "PPID, CPUSVN, PCESVN or PCE-ID in the quote are not the certificate's");
    }
    return checks_good(c, "pck-extension", "FMSPC %02x%02x%02x%02x%02x%02x, PCESVN %llu", r->pck.fmspc[0],
                       r->pck.fmspc[1], r->pck.fmspc[2], r->pck.fmspc[3], r->pck.fmspc[4], r->pck.fmspc[5],
                       (unsigned long long)r->pck.pcesvn);
}

/* ---- what the quote signs ---- */

static void judge_signatures(struct run *r) {
    struct checks *c = &r->a->checks;
    struct hash h;
    uint8_t wanted[64] = {0}, point[65] = {4};
    if (r->chain.n == 0)
        checks_bad(c, "qe-report-signature", "there is no PCK certificate to check it with");
    else if (key_signed_qe(r, r->chain.certs[0]))
        checks_good(c, "qe-report-signature", "by the key of the PCK certificate");
    else
        checks_bad(c, "qe-report-signature", "it is not by the key of the PCK certificate");

    hash_init(&h, HASH_SHA256);
    hash_update(&h, r->q.attestation_key);
    hash_update(&h, r->q.qe_auth_data);
    hash_final(&h, wanted);
    if (view_eq(view_skip(r->q.qe_report, 320), view_of(wanted, 64)))
        checks_good(c, "qe-report-data", "SHA-256 of attestation key and authentication data, then zeroes");
    else
        checks_bad(c, "qe-report-data", "it is not SHA-256 of attestation key and authentication data, then 32 zeroes");
    if (r->q.qe_report.p[48] & SGX_DEBUG)
        checks_bad(c, "qe-debug", "the quoting enclave is a debug enclave (ATTRIBUTES.DEBUG)");
    else
        checks_good(c, "qe-debug", "ATTRIBUTES.DEBUG of the quoting enclave is clear");

    memcpy(point + 1, r->q.attestation_key.p, 64);
    EVP_PKEY *key = key_of_point(view_of(point, 65));
    if (!key)
        checks_bad(c, "quote-signature", "the attestation key is not a point of P-256");
    else if (key_ecdsa_holds(key, HASH_SHA256, r->q.signed_part, r->q.signature))
        checks_good(c, "quote-signature", "by the attestation key, over header and TD report");
    else
        checks_bad(c, "quote-signature", "it is not by the attestation key");
    EVP_PKEY_free(key);
}

/* ---- revocation ---- */

static void judge_revocation(struct run *r) {
    struct checks *c = &r->a->checks;
    const struct pool *given = &r->a->given->pool;
    struct err e;
    enum check_state s;
    if (r->chain.n != 3) return;
    s = crl_check(given, r->chain.certs[1], r->chain.certs[2], r->a->at, &e);
    checks_state(c, "root-ca-crl", s, r->needed, &e, "the PCK CA is not revoked");
    s = crl_check(given, r->chain.certs[0], r->chain.certs[1], r->a->at, &e);
    checks_state(c, "pck-crl", s, r->needed, &e, "the PCK certificate is not revoked");
}

/* ---- signed JSON ---- */

/* Whether some "Intel SGX TCB Signing" of the pool, chained to the same root, signed `doc`. */
static enum check_state judge_signed(const struct run *r, const struct signed_json *doc, struct err *e) {
    const struct collateral *given = r->a->given;
    const struct anchor *used;
    struct chain chain;
    X509 *signer = NULL;
    bool any = false;
    for (size_t i = 0; i < given->pool.cert_count && !signer; i++) {
        X509 *cert = given->pool.certs[i];
        if (!x509_subject_is(cert, signing_name)) continue;
        any = true;
        if (doc->signature.n && key_ecdsa_holds(key_of_certificate(cert), HASH_SHA256, doc->body, doc->signature))
            signer = cert;
        for (size_t k = 0; k < given->signature_count && !doc->signature.n && !signer; k++)
            if (key_ecdsa_holds(key_of_certificate(cert), HASH_SHA256, doc->body, given->signatures[k])) signer = cert;
    }
    if (!any)
        return err_set(e, ERR_SIGNATURE, "the certificate '%s' that should have signed it was not given", signing_name),
               CHECK_MISSING;
    if (!doc->signature.n && !given->signature_count)
        return err_set(e, ERR_SIGNATURE, "its signature was not given"), CHECK_MISSING;
    if (!signer)
        return err_set(e, ERR_SIGNATURE, "its signature is not by '%s' over these bytes", signing_name), CHECK_BAD;
    /* The root comes with the quote or beside it. */
    struct pool both = given->pool;
    for (size_t i = 1; i < r->chain.n && both.cert_count < POOL_CERTS_MAX; i++)
        both.certs[both.cert_count++] = r->chain.certs[i];
    if (!chain_of(&both, signer, &chain, e)) return CHECK_BAD;
    if (chain.n != 2) return err_set(e, ERR_FORMAT, "'%s' is not issued by the root itself", signing_name), CHECK_BAD;
    if (!chain_check(&chain, &r->trust, CHAIN_ECDSA_P256, r->a->at, &used, e)) return CHECK_BAD;
    if (r->anchor && used != r->anchor)
        return err_set(e, ERR_SIGNATURE, "'%s' has another root than the quote", signing_name), CHECK_BAD;
    /* A CRL that is missing is told by root-ca-crl. */
    return crl_check(&given->pool, signer, chain.certs[1], r->a->at, e) == CHECK_BAD ? CHECK_BAD : CHECK_GOOD;
}

static bool current(const struct run *r, int64_t issued, int64_t next, struct err *e) {
    char from[MOMENT_TEXT], to[MOMENT_TEXT];
    return (r->a->at >= issued && r->a->at <= next) ||
           err_set(e, ERR_POLICY, "it is of %s to %s, the verdict is at %s", moment_text(issued, from),
                   moment_text(next, to), r->at);
}

static enum check_state judge_tcb_info(struct run *r, const struct signed_json *doc, struct err *e) {
    enum check_state s = judge_signed(r, doc, e);
    if (s != CHECK_GOOD) return s;
    if (!tcb_info_parse(doc->body, r->a->arena, &r->info, e) || !current(r, r->info.issued, r->info.next_update, e))
        return CHECK_BAD;
    if (r->has_pck && !memcmp(r->info.fmspc, r->pck.fmspc, 6) && !memcmp(r->info.pceid, r->pck.pceid, 2))
        return CHECK_GOOD;
    err_set(e, ERR_POLICY, "it is for FMSPC %02x%02x%02x%02x%02x%02x, PCE-ID %02x%02x, the platform is another",
            r->info.fmspc[0], r->info.fmspc[1], r->info.fmspc[2], r->info.fmspc[3], r->info.fmspc[4], r->info.fmspc[5],
            r->info.pceid[0], r->info.pceid[1]);
    return CHECK_BAD;
}

static enum check_state judge_qe_identity(struct run *r, const struct signed_json *doc, struct err *e) {
    enum check_state s = judge_signed(r, doc, e);
    if (s != CHECK_GOOD) return s;
    return qe_identity_parse(doc->body, r->a->arena, &r->identity, e) &&
                   current(r, r->identity.issued, r->identity.next_update, e)
               ? CHECK_GOOD
               : CHECK_BAD;
}

/* The first of several documents that is good; what is wrong is told of the last. */
static bool judge_documents(struct run *r, const char *name, const struct signed_json *docs, size_t count,
                            const char *what,
                            enum check_state (*judge)(struct run *, const struct signed_json *, struct err *)) {
    struct err e;
    char text[160], to[MOMENT_TEXT];
    enum check_state s = CHECK_MISSING;
    err_set(&e, ERR_POLICY, "no %s was given", what);
    for (size_t i = 0; i < count && s != CHECK_GOOD; i++) s = judge(r, &docs[i], &e);
    if (s == CHECK_GOOD) {
        bool tcb = judge == judge_tcb_info;
        snprintf(text, sizeof text,
                 "signed by Intel SGX TCB Signing, tcbEvaluationDataNumber %llu, current at %s (until %s)",
                 (unsigned long long)(tcb ? r->info.evaluation_number : r->identity.evaluation_number), r->at,
                 moment_text(tcb ? r->info.next_update : r->identity.next_update, to));
    }
    return checks_state(&r->a->checks, name, s, r->needed, &e, text);
}

/* ---- levels ---- */

static void worse(struct run *r, const struct tcb_level *level) {
    if (!r->has_status || level->status > r->status) r->status = level->status;
    r->has_status = true;
}

static bool masked_equal(const uint8_t *have, const uint8_t *want, const uint8_t *mask, size_t n) {
    uint8_t differ = 0;
    for (size_t i = 0; i < n; i++) differ |= (uint8_t)((have[i] ^ want[i]) & mask[i]);
    return !differ;
}

static bool judge_module(struct run *r, const uint8_t svn[16], const char *which) {
    struct checks *c = &r->a->checks;
    const struct tdx_module *m = tcb_module_of(&r->info, svn);
    if (!m) return checks_bad(c, "tdx-module", "%s: the TCB info knows no module TDX_%02X", which, svn[1]);
    if (memcmp(m->mrsigner, r->q.mrsignerseam.p, 48))
        return checks_bad(c, "tdx-module", "MRSIGNERSEAM is not that of the TCB info");
    if (!masked_equal(r->q.seam_attributes.p, m->attributes, m->mask, 8))
        return checks_bad(c, "tdx-module", "SEAMATTRIBUTES are not those of the TCB info");
    if (!m->id.n)
        return checks_good(c, "tdx-module", "%s: version 0, signed by Intel; its SVN is judged by tcb-level", which);
    const struct tcb_level *level = tcb_svn_level(m->levels, m->level_count, svn[0]);
    if (!level)
        return checks_bad(c, "tdx-module", "%s: %.*s has SVN %u, which is below every level", which, VIEW_ARG(m->id),
                          svn[0]);
    worse(r, level);
    r->module_level = level;
    return checks_good(c, "tdx-module", "%s: %.*s with SVN %u: %s", which, VIEW_ARG(m->id), svn[0],
                       tcb_status_name(level->status));
}

static void judge_platform(struct run *r, struct view svn, const char *which) {
    if (!judge_module(r, svn.p, which)) return;
    const struct tcb_level *level = tcb_level_of(&r->info, &r->pck, svn.p);
    if (!level) {
        checks_bad(&r->a->checks, "tcb-level", "%s: the platform is below every level of the TCB info", which);
        return;
    }
    if (!r->level || level->status > r->level->status) r->level = level;
    worse(r, level);
    checks_good(&r->a->checks, "tcb-level", "%s: level of %.*s, %s%s%.*s", which, VIEW_ARG(level->date),
                tcb_status_name(level->status), level->advisories.n ? ": " : "", VIEW_ARG(level->advisories));
}

static bool judge_qe_report(struct run *r) {
    struct checks *c = &r->a->checks;
    const struct qe_identity *id = &r->identity;
    const uint8_t *p = r->q.qe_report.p;
    uint16_t prod = (uint16_t)(p[256] | p[257] << 8), svn = (uint16_t)(p[258] | p[259] << 8);
    if (!masked_equal(p + 16, id->miscselect, id->miscselect_mask, 4))
        return checks_bad(c, "qe-report", "MISCSELECT is not that of the QE identity");
    if (!masked_equal(p + 48, id->attributes, id->attributes_mask, 16))
        return checks_bad(c, "qe-report", "ATTRIBUTES are not those of the QE identity");
    if (memcmp(p + 128, id->mrsigner, 32)) return checks_bad(c, "qe-report", "MRSIGNER is not that of the QE identity");
    if (prod != id->isvprodid)
        return checks_bad(c, "qe-report", "ISVPRODID is %u, the QE identity says %llu", prod,
                          (unsigned long long)id->isvprodid);
    if (!(r->qe_level = tcb_svn_level(id->levels, id->level_count, svn)))
        return checks_bad(c, "qe-report", "ISVSVN %u is below every level", svn);
    worse(r, r->qe_level);
    return checks_good(c, "qe-report", "MRSIGNER, ISVPRODID, ATTRIBUTES as the QE identity; ISVSVN %u: %s", svn,
                       tcb_status_name(r->qe_level->status));
}

static void judge_status(struct run *r) {
    const struct option_list *also = r->a->status;
    bool allowed = r->status == TCB_UP_TO_DATE;
    const char *name = r->a->tcb_status = tcb_status_name(r->status);
    if (r->status == TCB_REVOKED) {
        checks_bad(&r->a->checks, "tcb-status", "Revoked");
        return;
    }
    for (size_t i = 0; also && i < also->count; i++) allowed |= !strcmp(also->items[i], name);
    checks_policy(&r->a->checks, "tcb-status", allowed, "%s, the worst of platform, module and QE%s", name,
                  allowed ? "" : "; accepted would be UpToDate and what --tcb-status names");
}

static void judge_tcb(struct run *r) {
    const struct collateral *given = r->a->given;
    struct checks *c = &r->a->checks;
    size_t before = c->count;
    bool missing = false, info, identity;
    if ((info = judge_documents(r, "tcb-info", given->tcb_info, given->tcb_info_count, "TCB info", judge_tcb_info))) {
        judge_platform(r, r->q.tee_tcb_svn, "TEE_TCB_SVN");
        if (r->q.tee_tcb_svn_2.n) judge_platform(r, r->q.tee_tcb_svn_2, "TEE_TCB_SVN_2");
    } else if (!fields_zero(r->q.mrsignerseam) || !fields_zero(r->q.seam_attributes)) {
        checks_bad(c, "tdx-module", "MRSIGNERSEAM or SEAMATTRIBUTES are not zero: no module of Intel's");
    }
    identity = judge_documents(r, "qe-identity", given->qe_identity, given->qe_identity_count, "QE identity",
                               judge_qe_identity);
    if (identity) judge_qe_report(r);
    r->has_info = info, r->has_identity = identity;
    if (r->a->evaluation_min && info && identity) {
        uint64_t least = r->info.evaluation_number < r->identity.evaluation_number ? r->info.evaluation_number
                                                                                   : r->identity.evaluation_number;
        if (least < r->a->evaluation_min)
            checks_bad(c, "tcb-evaluation",
                       "tcbEvaluationDataNumber is %llu, at least %llu is wanted: older collateral was given",
                       (unsigned long long)least, (unsigned long long)r->a->evaluation_min);
        else
            checks_good(c, "tcb-evaluation", "tcbEvaluationDataNumber %llu", (unsigned long long)least);
    }
    /* A status is the worst of three: with one of them unknown there is none. */
    for (size_t i = before; i < c->count && i < CHECKS_MAX; i++) {
        if (c->list[i].state == CHECK_BAD) return;
        missing |= c->list[i].state == CHECK_MISSING;
    }
    if (missing)
        checks_missing(c, "tcb-status", false, "not known without TCB info and QE identity");
    else
        judge_status(r);
}

/* ---- the TD ---- */

static void judge_td(struct run *r) {
    struct checks *c = &r->a->checks;
    struct reader in = reader_of(r->q.td_attributes);
    uint64_t attributes = read_le64(&in);
    checks_policy(c, "td-debug", !(attributes & TD_DEBUG),
                  attributes & TD_DEBUG ? "TDATTRIBUTES.DEBUG is set: the host can read the TD"
                                        : "TDATTRIBUTES.DEBUG is clear");
    if (attributes & TD_TUD_RESERVED)
        checks_bad(c, "td-attributes", "reserved bits of TDATTRIBUTES.TUD are set (%#llx)",
                   (unsigned long long)(attributes & TD_TUD_RESERVED));
    else
        checks_good(c, "td-attributes", "the reserved bits of TDATTRIBUTES.TUD are clear");
    checks_policy(c, "sept-ve-disable", attributes & TD_SEPT_VE_DISABLE,
                  attributes & TD_SEPT_VE_DISABLE
                      ? "TDATTRIBUTES.SEPT_VE_DISABLE is set"
                      : "TDATTRIBUTES.SEPT_VE_DISABLE is clear: the host can make pages of the TD fault");
    if (r->q.mrservicetd.n)
        checks_policy(c, "mrservicetd", fields_zero(r->q.mrservicetd),
                      fields_zero(r->q.mrservicetd)
                          ? "no service TD is bound"
                          : "a service TD is bound (MRSERVICETD is not zero), and can migrate the TD");
}

/* ---- fields ---- */

static void put_level(struct result *out, const char *name, const struct tcb_level *level) {
    char text[64];
    if (!level) {
        result_text(out, name, NULL);
        return;
    }
    result_open(out, name, '{');
    result_text(out, "tcbStatus", tcb_status_name(level->status));
    result_text(out, "tcbDate", view_to_str(level->date, text, sizeof text) ? text : NULL);
    result_open(out, "advisoryIDs", '[');
    for (struct view rest = level->advisories, id; rest.n;) {
        id = view_cut(&rest, ' ', NULL);
        result_text(out, NULL, view_to_str(id, text, sizeof text) ? text : "?");
    }
    result_close(out, ']');
    result_close(out, '}');
}

static void put_document(struct result *out, const char *name, bool known, int64_t issued, int64_t next,
                         uint64_t number) {
    char text[MOMENT_TEXT];
    if (!known) {
        result_text(out, name, NULL);
        return;
    }
    result_open(out, name, '{');
    result_text(out, "issueDate", moment_text(issued, text));
    result_text(out, "nextUpdate", moment_text(next, text));
    result_number(out, "tcbEvaluationDataNumber", true, number);
    result_close(out, '}');
}

static void put_fields(struct run *r, struct view quote) {
    struct result *out = &r->a->fields;
    const struct tdx_quote *q = &r->q;
    result_text(out, "tee", "tdx");
    appraisal_anchor(r->a, r->anchor);
    fields_write(out, quote, tdx_header_fields);
    if (!q->body.n) return;
    if (q->version == 5) {
        result_number(out, "body_type", true, q->body_type);
        result_number(out, "body_size", true, q->body.n);
    }
    fields_write(out, q->body, tdx_body_fields);
    result_hex(out, "signature", q->signature);
    result_hex(out, "attestation_key", q->attestation_key);
    result_open(out, "qe_report", '{');
    fields_write(out, q->qe_report, sgx_report_fields);
    result_close(out, '}');
    result_hex(out, "qe_report_signature", q->qe_report_signature);
    result_hex(out, "qe_auth_data", q->qe_auth_data);
    result_number(out, "cert_type", true, q->cert_type);
    result_number(out, "trailing_bytes", true, q->trailing.n);
    if (r->has_pck) {
        result_open(out, "pck", '{');
        result_hex(out, "ppid", view_of(r->pck.ppid, 16));
        result_open(out, "sgxtcbcomponents", '[');
        for (size_t i = 0; i < TCB_COMPONENTS; i++) result_number(out, NULL, true, r->pck.component[i]);
        result_close(out, ']');
        result_number(out, "pcesvn", true, r->pck.pcesvn);
        result_hex(out, "cpusvn", view_of(r->pck.cpusvn, 16));
        result_hex(out, "pceid", view_of(r->pck.pceid, 2));
        result_hex(out, "fmspc", view_of(r->pck.fmspc, 6));
        result_number(out, "sgx_type", true, r->pck.sgx_type);
        result_hex(out, "platform_instance_id", view_of(r->pck.platform_instance_id, r->pck.has_instance ? 16 : 0));
        result_close(out, '}');
    } else {
        result_text(out, "pck", NULL);
    }
    result_text(out, "tcb_status", r->a->tcb_status);
    put_level(out, "tcb_level", r->level);
    put_level(out, "tdx_module_level", r->module_level);
    put_level(out, "qe_level", r->qe_level);
    put_document(out, "tcb_info", r->has_info, r->info.issued, r->info.next_update, r->info.evaluation_number);
    put_document(out, "qe_identity", r->has_identity, r->identity.issued, r->identity.next_update,
                 r->identity.evaluation_number);
}

void tdx_verify(struct appraisal *a, struct view quote) {
    struct run r = {.a = a, .trust = a->trust};
    const struct collateral *given = a->given;
    struct err e;
    moment_text(a->at, r.at);
    if (!r.trust.count) anchors_add_pin(&r.trust, root_name, intel_root);
    r.needed = !a->trust.count || given->pool.crl_count || given->tcb_info_count || given->qe_identity_count;
    if (!tdx_quote_parse(quote, &r.q, &e)) {
        checks_err(&a->checks, "quote-format", &e);
    } else {
        checks_good(&a->checks, "quote-format", "TDX quote version %u, TD report %s", r.q.version,
                    r.q.body.n == TDX_BODY_15 ? "1.5" : "1.0");
        checks_policy(&a->checks, "trailing-bytes", fields_zero(r.q.trailing), "%zu bytes follow the quote%s",
                      r.q.trailing.n,
                      !r.q.trailing.n          ? ""
                      : fields_zero(r.q.trailing) ? ", all zero"
                                               : ", not all of them zero");
        bool chained = judge_chain(&r);
        if (r.chain.n) judge_extension(&r);
        judge_signatures(&r);
        if (chained) judge_revocation(&r);
        judge_tcb(&r);
        judge_td(&r);
        appraisal_nonce(a, "report-data", r.q.report_data);
    }
    put_fields(&r, quote);
    pool_drop(&r.own);
}
