/* see tpm.h */
#include "tools/appraise/tpm.h"

#include "base/codec.h"
#include "format/json.h"
#include "tools/appraise/fields.h"
#include "tools/appraise/hcl.h"
#include "tools/appraise/key.h"
#include "tools/appraise/moment.h"
#include "tools/appraise/tpm_quote.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define EK_CERTIFICATE "2.23.133.8.1" /* tcg-kp-EKCertificate */

static const struct {
    uint32_t bit;
    bool wanted;
    const char *name;
} attributes[] = {
    {TPMA_RESTRICTED, true, "restricted"},
    {TPMA_SIGN, true, "sign"},
    {TPMA_FIXED_TPM, true, "fixedTPM"},
    {TPMA_FIXED_PARENT, true, "fixedParent"},
    {TPMA_SENSITIVE_DATA_ORIGIN, true, "sensitiveDataOrigin"},
    {TPMA_DECRYPT, false, "decrypt"},
};

struct run {
    struct appraisal *a;
    char at[MOMENT_TEXT];
    struct view attest, signature, ak_file;
    const json *pcrs;
    struct tpm_quote q;
    struct tpm_signature s;
    struct tpm_key ak;
    bool signed_known; /* s can be read */
    const struct anchor *anchor;
};

/* ---- the parts ---- */

static bool member(struct run *r, const json *root, const char *name, struct view *out, struct err *e) {
    struct view text;
    size_t n;
    if (!json_need_text(root, name, "evidence", &text, e)) return false;
    uint8_t *bytes = arena_alloc(r->a->arena, text.n + 1);
    if (!bytes) return arena_full(r->a->arena, e);
    if (!base64_decode(text, bytes, text.n, &n)) return err_set(e, ERR_FORMAT, "evidence: %s is no base64", name);
    *out = view_of(bytes, n);
    return true;
}

static bool unpack(struct run *r, struct view file, struct err *e) {
    const json *root;
    struct view tee;
    r->attest = file, r->signature = r->a->signature, r->ak_file = r->a->ak;
    if (r->a->pcrs.n && !json_parse(r->a->pcrs, r->a->arena, &r->pcrs, e)) return err_in(e, "PCR values");
    if (!file.n || view_trim(file).n == 0 || view_trim(file).p[0] != '{') return true;
    r->attest = (struct view){0};
    if (!json_parse(file, r->a->arena, &root, e) || !json_need_text(root, "tee", "evidence", &tee, e)) return false;
    if (!view_is(tee, "tpm"))
        return err_set(e, ERR_FORMAT, "evidence of tee '%.*s', not tpm", VIEW_ARG(view_first(tee, 40)));
    if (!r->pcrs && !json_need_object(root, "pcrs", "evidence", &r->pcrs, e)) return false;
    return member(r, root, "quote", &r->attest, e) &&
           (r->signature.n || member(r, root, "signature", &r->signature, e)) &&
           (r->ak_file.n || member(r, root, "ak_public", &r->ak_file, e));
}

/* ---- the AK ---- */

/* The key "HCLAkPub" of the claims of an HCL report: a JWK. */
static bool hcl_key(struct run *r, struct hcl *hcl, struct err *e) {
    const json *root, *keys;
    uint8_t n[1024], exponent[4];
    size_t n_size, e_size;
    uint32_t number = 0;
    if (!hcl_parse(r->ak_file, hcl, e) || !json_parse(hcl->claims, r->a->arena, &root, e) ||
        !json_need_array(root, "keys", "runtime claims", &keys, e))
        return false;
    for (struct json_iter it = json_each(keys); json_next(&it);) {
        if (!view_is(json_text(json_get(it.value, "kid")), "HCLAkPub")) continue;
        if (!base64url_decode(json_text(json_get(it.value, "n")), n, sizeof n, &n_size) || n_size < 256 ||
            !base64url_decode(json_text(json_get(it.value, "e")), exponent, sizeof exponent, &e_size))
            break;
        for (size_t i = 0; i < e_size; i++) number = number << 8 | exponent[i];
        r->ak = (struct tpm_key){.key = key_of_modulus(view_of(n, n_size), number), .scheme = TPM_ALG_NULL};
        if (r->ak.key) return true;
    }
    return err_set(e, ERR_FORMAT, "its claims have no key HCLAkPub (RSA, of 2048 bits or more)");
}

static void judge_ak(struct run *r) {
    struct checks *c = &r->a->checks;
    struct hcl hcl = {0};
    struct err e;
    char wrong[160];
    struct writer w = writer_of(wrong, sizeof wrong);
    if (!r->ak_file.n) {
        checks_missing(c, "ak-public", true, "no AK was given (--ak)");
        return;
    }
    if (!(hcl_is(r->ak_file) ? hcl_key(r, &hcl, &e) : tpm_key_parse(r->ak_file, r->a->arena, &r->ak, &e))) {
        checks_err(c, "ak-public", &e);
        return;
    }
    checks_good(c, "ak-public", "%s of %d bits", EVP_PKEY_is_a(r->ak.key, "RSA") ? "RSA" : "ECC",
                EVP_PKEY_get_bits(r->ak.key));
    if (hcl.claims.n && hcl.bound)
        checks_good(c, "hcl-report",
                    "REPORT_DATA is of the claims that name this AK; the report itself is for verify-quote %s",
                    hcl.type == HCL_SNP ? "snp" : "tdx");
    else if (hcl.claims.n)
        checks_bad(c, "hcl-report", "REPORT_DATA is not SHA-256 of the claims that name this AK");
    if (!r->ak.public_area.n) {
        checks_missing(c, "ak-attributes", true,
                       "a key alone was given: whether a TPM restricts it to what it made itself is not known");
        return;
    }
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (!(r->ak.attributes & attributes[i].bit) == attributes[i].wanted)
            write_text(&w, attributes[i].wanted ? " not " : " "), write_text(&w, attributes[i].name);
    if (w.n)
        checks_bad(c, "ak-attributes", "objectAttributes %#x:%s", r->ak.attributes, writer_str(&w));
    else
        checks_good(c, "ak-attributes", "objectAttributes %#x: a restricted signing key of this TPM alone",
                    r->ak.attributes);
}

static bool is_ek(X509 *cert) {
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    char oid[32];
    bool is = false;
    for (int i = 0; usage && i < sk_ASN1_OBJECT_num(usage); i++)
        is |= OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(usage, i), 1) > 0 && !strcmp(oid, EK_CERTIFICATE);
    EXTENDED_KEY_USAGE_free(usage);
    return is;
}

/* The chain of an AK's or EK's certificate. */
static bool judge_chain(struct run *r, const char *name, X509 *leaf, struct chain *chain) {
    struct checks *c = &r->a->checks;
    const struct anchor *anchor;
    struct err e;
    char cn[64], what[160];
    if (!r->a->trust.count)
        return checks_missing(c, name, true, "it was given, but no root of the TPM's maker to judge it by (--trust)");
    if (!chain_of(&r->a->given->pool, leaf, chain, &e) ||
        !chain_check(chain, &r->a->trust, CHAIN_ANY, r->a->at, &anchor, &e))
        return checks_err(c, name, &e);
    r->anchor = anchor;
    return checks_good(c, name, "'%s' (%s), %zu certificates up to %s, named by --trust; judged at %s",
                       x509_subject_cn(leaf, cn, sizeof cn), x509_describe(leaf, what, sizeof what), chain->n,
                       anchor->name, r->at);
}

static void judge_certificates(struct run *r) {
    struct checks *c = &r->a->checks;
    const struct pool *given = &r->a->given->pool;
    struct chain chain;
    struct err e;
    X509 *ak = NULL, *ek = NULL;
    for (size_t i = 0; i < given->cert_count; i++) {
        X509 *cert = given->certs[i];
        if (r->ak.key && X509_get0_pubkey(cert) && EVP_PKEY_eq(X509_get0_pubkey(cert), r->ak.key) == 1)
            ak = cert;
        else if (X509_check_ca(cert) == 0 && is_ek(cert)) /* the CA may have the usage too */
            ek = cert;
    }
    if (ek) judge_chain(r, "ek-certificate", ek, &chain);
    if (!ak) {
        checks_missing(c, "ak-certificate", true,
                       ek ? "the EK has one, the AK has none: that it lies in the same TPM is shown by "
                            "TPM2_ActivateCredential, not offline"
                          : "no certificate of this AK was given: nothing says whose key it is");
        return;
    }
    if (!judge_chain(r, "ak-certificate", ak, &chain)) return;
    enum check_state worst = CHECK_GOOD;
    for (size_t i = 0; i + 1 < chain.n && worst != CHECK_BAD; i++) {
        struct err why;
        enum check_state s = crl_check(given, chain.certs[i], chain.certs[i + 1], r->a->at, &why);
        if (s < worst || s == CHECK_BAD) worst = s, e = why;
    }
    checks_state(c, "ak-crl", worst, false, &e, "none of the chain is revoked");
}

static void judge_signature(struct run *r) {
    struct checks *c = &r->a->checks;
    struct err e;
    if (!r->signature.n) {
        checks_bad(c, "quote-signature", "no signature was given (--signature)");
        return;
    }
    r->signed_known = tpm_signature_parse(r->signature, &r->s, &e);
    bool bare = !r->signed_known && r->ak.key && EVP_PKEY_is_a(r->ak.key, "RSA") &&
                r->signature.n == (size_t)EVP_PKEY_get_size(r->ak.key);
    if (bare)
        r->signed_known = true,
        r->s = (struct tpm_signature){.scheme = TPM_ALG_RSASSA, .hash = HASH_SHA256, .rsa = r->signature};
    if (!r->signed_known)
        checks_err(c, "quote-signature", &e);
    else if (!r->ak.key)
        checks_bad(c, "quote-signature", "there is no AK to check it with");
    else if (r->ak.scheme != TPM_ALG_NULL && (r->ak.scheme != r->s.scheme || r->ak.scheme_hash != tpm2_alg(r->s.hash)))
        checks_bad(c, "quote-signature", "its scheme is %04x with hash %04x, the AK's is %04x with %04x", r->s.scheme,
                   tpm2_alg(r->s.hash), r->ak.scheme, r->ak.scheme_hash);
    else if (!tpm_signature_holds(&r->s, r->ak.key, r->attest))
        checks_bad(c, "quote-signature", "it is not by this AK over this quote");
    else
        checks_good(c, "quote-signature", "by the AK, %s with %s%s",
                    r->s.scheme == TPM_ALG_ECDSA    ? "ECDSA"
                    : r->s.scheme == TPM_ALG_RSAPSS ? "RSAPSS"
                                                    : "RSASSA",
                    hash_name(r->s.hash), bare ? " (bare bytes)" : "");
}

/* ---- PCRs ---- */

static bool quoted(const struct tpm_quote *q, struct view bank, uint64_t pcr) {
    size_t size;
    for (size_t i = 0; i < q->selection_count; i++) {
        const char *name = tpm_bank_name(q->selections[i].alg, &size);
        if (name && view_is(bank, name)) return pcr < TPM_PCRS && q->selections[i].pcrs >> pcr & 1;
    }
    return false;
}

/* The value of one PCR. */
static bool pcr_value(const struct run *r, size_t selection, unsigned pcr, uint8_t value[HASH_MAX], struct view *out,
                      struct err *e) {
    char number[4];
    size_t size;
    const char *bank = tpm_bank_name(r->q.selections[selection].alg, &size);
    snprintf(number, sizeof number, "%u", pcr % TPM_PCRS);
    if (!bank) return err_set(e, ERR_FORMAT, "bank %04x is not known", r->q.selections[selection].alg);
    const json *v = json_get(json_get(r->pcrs, bank), number);
    if (!v)
        return err_set(e, ERR_FORMAT, "the quote is over PCR %u of bank %s, for which no value is given", pcr, bank);
    if (!hex_decode(json_text(v), value, size))
        return err_set(e, ERR_FORMAT, "the value of PCR %u, bank %s, is not %zu bytes in lower-case hex", pcr, bank,
                       size);
    *out = view_of(value, size);
    return true;
}

static bool judge_digest(struct run *r) {
    struct checks *c = &r->a->checks;
    enum hash_alg alg = r->signed_known ? r->s.hash : r->q.pcr_digest.n == 48 ? HASH_SHA384 : HASH_SHA256;
    uint8_t value[HASH_MAX];
    struct view bytes;
    struct hash h;
    struct err e;
    hash_init(&h, alg);
    for (size_t i = 0; i < r->q.selection_count; i++)
        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            if (!(r->q.selections[i].pcrs >> pcr & 1)) continue;
            if (!pcr_value(r, i, pcr, value, &bytes, &e)) return checks_err(c, "pcr-digest", &e);
            hash_update(&h, bytes);
        }
    hash_final(&h, value);
    if (!view_eq(r->q.pcr_digest, view_of(value, hash_size(alg))))
        return checks_bad(c, "pcr-digest", "it is not %s of the values given: they are not those of the quote",
                          hash_name(alg));
    return checks_good(c, "pcr-digest", "%s of the values given", hash_name(alg));
}

static void judge_pcrs(struct run *r) {
    struct checks *c = &r->a->checks;
    char text[160];
    struct writer w = writer_of(text, sizeof text);
    unsigned count = 0, sha1 = 0, left = 0;
    for (size_t i = 0; i < r->q.selection_count; i++) {
        unsigned n = (unsigned)__builtin_popcount(r->q.selections[i].pcrs);
        count += n;
        if (r->q.selections[i].alg == TPM2_ALG_SHA1) sha1 += n;
    }
    if (!count) {
        checks_bad(c, "pcr-selection", "the quote is over no PCR at all");
        return;
    }
    checks_good(c, "pcr-selection", "%u PCRs of %zu banks", count, r->q.selection_count);
    checks_policy(c, "pcr-bank", sha1 < count,
                  sha1 < count ? "not of SHA-1 alone"
                               : "only PCRs of SHA-1 are under the quote: collisions of it are made");
    if (!r->pcrs) {
        checks_missing(c, "pcr-digest", true, "no PCR values were given (--pcrs): the quote is over a hash of them");
        return;
    }
    judge_digest(r);
    for (struct json_iter bank = json_each(r->pcrs); json_next(&bank);)
        for (struct json_iter it = json_each(bank.value); json_next(&it);) {
            uint64_t pcr = TPM_PCRS;
            if (view_u64(it.name, TPM_PCRS - 1, &pcr) && quoted(&r->q, bank.name, pcr)) continue;
            if (left++ < 8)
                write_text(&w, " "), write_bytes(&w, view_first(bank.name, 8)), write_text(&w, ":"),
                    write_bytes(&w, view_first(it.name, 8));
        }
    if (left)
        checks_missing(c, "unquoted-pcrs", false, "%u values are not under the quote:%s%s", left, writer_str(&w),
                       left > 8 ? " ..." : "");
}

/* ---- fields ---- */

static void put_ak(struct run *r) {
    struct result *out = &r->a->fields;
    uint8_t name[2 + HASH_MAX] = {(uint8_t)(r->ak.name_alg >> 8), (uint8_t)r->ak.name_alg};
    enum hash_alg alg;
    if (!r->ak.public_area.n || !tpm2_hash(r->ak.name_alg, &alg)) {
        result_text(out, "ak", NULL);
        return;
    }
    hash_once(alg, r->ak.public_area, name + 2);
    result_open(out, "ak", '{');
    result_hex(out, "name", view_of(name, 2 + hash_size(alg)));
    result_number(out, "nameAlg", true, r->ak.name_alg);
    result_number(out, "objectAttributes", true, r->ak.attributes);
    result_number(out, "scheme", true, r->ak.scheme);
    result_close(out, '}');
}

static void put_fields(struct run *r, bool read) {
    struct result *out = &r->a->fields;
    uint8_t value[HASH_MAX];
    struct view bytes;
    struct err e;
    char number[4];
    size_t size;
    bool values = read && checks_hold(&r->a->checks, "pcr-digest");
    result_text(out, "tee", "tpm");
    appraisal_anchor(r->a, r->anchor);
    if (!read) return;
    result_hex(out, "qualifiedSigner", r->q.qualified_signer);
    result_hex(out, "extraData", r->q.extra_data);
    result_open(out, "clockInfo", '{');
    result_number(out, "clock", true, r->q.clock);
    result_number(out, "resetCount", true, r->q.reset_count);
    result_number(out, "restartCount", true, r->q.restart_count);
    result_bool(out, "safe", true, r->q.safe);
    result_close(out, '}');
    result_number(out, "firmwareVersion", true, r->q.firmware_version);
    result_open(out, "pcrSelect", '{');
    for (size_t i = 0; i < r->q.selection_count; i++) {
        char bank[8];
        const char *known = tpm_bank_name(r->q.selections[i].alg, &size);
        snprintf(bank, sizeof bank, "0x%04x", r->q.selections[i].alg);
        result_open(out, known ? known : bank, '[');
        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
            if (r->q.selections[i].pcrs >> pcr & 1) result_number(out, NULL, true, pcr);
        result_close(out, ']');
    }
    result_close(out, '}');
    result_hex(out, "pcrDigest", r->q.pcr_digest);
    result_number(out, "sigAlg", r->signed_known, r->s.scheme);
    result_text(out, "hash", r->signed_known ? hash_name(r->s.hash) : NULL);
    put_ak(r);
    result_open(out, "pcrs", '{'); /* those under the quote */
    for (size_t i = 0; values && i < r->q.selection_count; i++) {
        result_open(out, tpm_bank_name(r->q.selections[i].alg, &size), '{');
        for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
            if (!(r->q.selections[i].pcrs >> pcr & 1) || !pcr_value(r, i, pcr, value, &bytes, &e)) continue;
            snprintf(number, sizeof number, "%u", pcr);
            result_hex(out, number, bytes);
        }
        result_close(out, '}');
    }
    result_close(out, '}');
}

void tpm_verify(struct appraisal *a, struct view quote) {
    struct run r = {.a = a};
    struct checks *c = &a->checks;
    struct err e;
    moment_text(a->at, r.at);
    bool read = unpack(&r, quote, &e) && tpm_quote_parse(r.attest, &r.q, &e);
    if (!read) {
        checks_err(c, "quote-format", &e);
    } else {
        checks_good(c, "quote-format", "TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE");
        judge_ak(&r);
        judge_certificates(&r);
        judge_signature(&r);
        if (a->nonce.n && a->nonce.n != r.q.extra_data.n)
            checks_bad(c, "qualifying-data",
                       "extraData has %zu bytes, the nonce %zu: the quote is another's, or an old one",
                       r.q.extra_data.n, a->nonce.n);
        else
            appraisal_nonce(a, "qualifying-data", r.q.extra_data);
        judge_pcrs(&r);
    }
    put_fields(&r, read);
    EVP_PKEY_free(r.ak.key);
}
