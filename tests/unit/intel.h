// A private "Intel": keys, certificates, CRLs, collateral and TD quotes under a throw-away root, with every value the tests bend.
#ifndef TESTS_INTEL_H
#define TESTS_INTEL_H

#include "forge.h"

#include "base/writer.h"
#include "crypto/hash.h"

// Everything about one quote and its collateral; wish_default makes a good one.
struct wish {
    struct ca_wish root, ca, leaf, signing;
    bool leaf_by_signing, leaf_by_root, signing_by_ca, other_root_key, swap_chain, two_certs, extra_cert, no_nul, info_by_leaf;
    bool revoke_ca, revoke_leaf, revoke_signing, pck_crl_by_root_key, critical_crl;
    long crl_from, crl_to, root_crl_from, root_crl_to;
    uint8_t comp[16], pceid[2], fmspc[6];
    unsigned pcesvn;
    // the quote
    unsigned version, body_type, att_key_type, cert_type, auth_len, wrapper_type;
    uint32_t tee_type, body_size_delta;
    uint8_t vendor0, tee_tcb_svn[16], tee_tcb_svn2[16], td_attributes[8], seam_attributes[8], mrsignerseam0, mrservicetd0;
    uint8_t qe_attributes[16], qe_mrsigner0, qe_high0, qe_miscselect0;
    unsigned qe_isvsvn, qe_isvprodid;
    bool qe_by_other, quote_by_other, hash_without_auth;
    const char *trailing;
    size_t trailing_size;
    // collateral
    const char *info, *identity; // %s and the like are not used: whole documents; NULL: the default
    bool no_info, no_identity, no_crls, no_signing, respaced;
};

struct forged {
    EVP_PKEY *root_key, *ca_key, *leaf_key, *signing_key, *ak, *other;
    struct view quote, root, ca, leaf, signing, root_crl, pck_crl, info, identity; // info, identity: PCS responses
};

static void forge_point(EVP_PKEY *key, uint8_t xy[64])
{
    unsigned char point[65];
    size_t n;
    CHECK(EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof point, &n) == 1 && n == 65);
    memcpy(xy, point + 1, 64);
}

// ---- the PCK extension ----

#define SGX_OID "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"

static void put_tlv(struct writer *w, uint8_t tag, struct view v)
{
    write_u8(w, tag);
    if (v.n > 127)
        write_u8(w, 0x82), write_be16(w, (uint16_t)v.n);
    else
        write_u8(w, (uint8_t)v.n);
    write_bytes(w, v);
}

// SEQUENCE { OID prefix.arc (.sub), element }
static void put_member(struct writer *w, unsigned arc, unsigned sub, struct view element)
{
    uint8_t oid[16] = SGX_OID, inner[1024];
    struct writer in = writer_of(inner, sizeof inner);
    oid[9] = (uint8_t)arc, oid[10] = (uint8_t)sub;
    put_tlv(&in, 6, view_of(oid, sub ? 11 : 10));
    write_bytes(&in, element);
    put_tlv(w, 0x30, writer_view(&in));
}

static struct view put_number(uint8_t *buf, uint8_t tag, unsigned x)
{
    struct writer w = writer_of(buf, 8);
    uint8_t digits[3] = {0, (uint8_t)(x >> 8), (uint8_t)x};
    size_t skip = x > 0x7fff ? 0 : x > 0x7f ? 1 : 2;
    put_tlv(&w, tag, view_of(digits + skip, 3 - skip));
    return writer_view(&w);
}

static size_t forge_pck(const struct wish *w, uint8_t *out, size_t size)
{
    uint8_t list[1024], tcb[768], element[64], seq[800], cpusvn[16] = {0};
    struct writer l = writer_of(list, sizeof list), t = writer_of(tcb, sizeof tcb), s = writer_of(seq, sizeof seq), e, o = writer_of(out, size);
    e = writer_of(element, sizeof element);
    put_tlv(&e, 4, view_of("0123456789abcdef", 16)), put_member(&l, 1, 0, writer_view(&e));
    for (unsigned i = 0; i < 16; i++)
        put_member(&t, 2, i + 1, put_number(element, 2, w->comp[i]));
    put_member(&t, 2, 17, put_number(element, 2, w->pcesvn));
    e = writer_of(element, sizeof element);
    put_tlv(&e, 4, view_of(cpusvn, 16)), put_member(&t, 2, 18, writer_view(&e));
    put_tlv(&s, 0x30, writer_view(&t)), put_member(&l, 2, 0, writer_view(&s));
    e = writer_of(element, sizeof element);
    put_tlv(&e, 4, view_of(w->pceid, 2)), put_member(&l, 3, 0, writer_view(&e));
    e = writer_of(element, sizeof element);
    put_tlv(&e, 4, view_of(w->fmspc, 6)), put_member(&l, 4, 0, writer_view(&e));
    put_member(&l, 5, 0, put_number(element, 0x0a, 1));
    put_tlv(&o, 0x30, writer_view(&l));
    CHECK(!o.full && !l.full);
    return o.n;
}

// ---- the quote ----

static void put_pem(struct writer *w, struct view der)
{
    uint8_t text[4096];
    struct writer b = writer_of(text, sizeof text);
    write_base64(&b, der);
    write_text(w, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < b.n; i += 64)
        write_bytes(w, view_first(view_of(text + i, b.n - i), 64)), write_text(w, "\n");
    write_text(w, "-----END CERTIFICATE-----\n");
}

static struct view forge_cert_data(const struct wish *w, const struct forged *f)
{
    uint8_t *buf = arena_alloc(&arena, 16384);
    struct writer c = writer_of(buf, 16384);
    static const size_t ppid[] = {0, 16, 256, 384};
    if (w->cert_type >= 1 && w->cert_type <= 3) {
        for (size_t i = 0; i < ppid[w->cert_type]; i++)
            write_u8(&c, (uint8_t)"0123456789abcdef"[i % 16]);
        for (int i = 0; i < 16; i++)
            write_u8(&c, 0);
        write_le16(&c, (uint16_t)w->pcesvn), write_bytes(&c, view_of(w->pceid, 2));
    } else if (w->cert_type == 4) {
        put_pem(&c, f->leaf);
    } else if (w->cert_type == 7) {
        write_text(&c, "platform manifest");
    } else {
        put_pem(&c, w->swap_chain ? f->ca : f->leaf), put_pem(&c, w->swap_chain ? f->leaf : f->ca);
        if (!w->two_certs)
            put_pem(&c, f->root);
        if (w->extra_cert)
            put_pem(&c, f->signing);
        if (!w->no_nul)
            write_u8(&c, 0);
    }
    return writer_view(&c);
}

static void forge_quote(const struct wish *w, struct forged *f)
{
    uint8_t *q = arena_alloc(&arena, 65536), *cert = arena_alloc(&arena, 32768), sig[64], key[64], report[384] = {0}, auth[65536 / 64] = {0};
    static const uint8_t vendor[] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    struct writer o = writer_of(q, 65536), c = writer_of(cert, 32768);
    uint8_t body[648];
    memset(body, 0xab, sizeof body);
    memcpy(body, w->tee_tcb_svn, 16);
    memset(body + 64, 0, 64), body[64] = w->mrsignerseam0;
    memcpy(body + 112, w->seam_attributes, 8), memcpy(body + 120, w->td_attributes, 8);
    memcpy(body + 584, w->tee_tcb_svn2, 16), memset(body + 600, 0, 48), body[600] = w->mrservicetd0;
    size_t body_size = w->version == 5 && w->body_type == 3 ? 648 : 584;
    write_le16(&o, (uint16_t)w->version), write_le16(&o, (uint16_t)w->att_key_type), write_le32(&o, w->tee_type), write_le32(&o, 0);
    write_u8(&o, (uint8_t)(vendor[0] ^ w->vendor0)), write_bytes(&o, view_of(vendor + 1, 15)), write_bytes(&o, view_of("twenty bytes of user", 20));
    if (w->version == 5)
        write_le16(&o, (uint16_t)w->body_type), write_le32(&o, (uint32_t)body_size + w->body_size_delta);
    write_bytes(&o, view_of(body, body_size));
    forge_sign(w->quote_by_other ? f->other : f->ak, writer_view(&o), sig);

    forge_point(f->ak, key);
    struct hash h;
    hash_init(&h, HASH_SHA256), hash_update(&h, view_of(key, 64));
    if (!w->hash_without_auth)
        hash_update(&h, view_of(auth, w->auth_len));
    hash_final(&h, report + 320);
    report[320 + 32] = w->qe_high0;
    report[16] = w->qe_miscselect0;
    memcpy(report + 48, w->qe_attributes, 16);
    memset(report + 128, 0xdc, 32), report[128] ^= w->qe_mrsigner0;
    report[256] = (uint8_t)w->qe_isvprodid, report[258] = (uint8_t)w->qe_isvsvn;

    write_bytes(&c, view_of(report, 384));
    uint8_t qe_sig[64];
    forge_sign(w->qe_by_other || w->leaf.p384 ? f->other : f->leaf_key, view_of(report, 384), qe_sig);
    write_bytes(&c, view_of(qe_sig, 64));
    write_le16(&c, (uint16_t)w->auth_len), write_bytes(&c, view_of(auth, w->auth_len));
    struct view data = forge_cert_data(w, f);
    write_le16(&c, (uint16_t)w->cert_type), write_le32(&c, (uint32_t)data.n), write_bytes(&c, data);

    write_le32(&o, (uint32_t)(64 + 64 + 6 + c.n));
    write_bytes(&o, view_of(sig, 64)), write_bytes(&o, view_of(key, 64));
    write_le16(&o, (uint16_t)w->wrapper_type), write_le32(&o, (uint32_t)c.n), write_bytes(&o, writer_view(&c));
    write_bytes(&o, view_of(w->trailing, w->trailing_size));
    CHECK(!o.full && !c.full);
    f->quote = writer_view(&o);
}

// ---- collateral ----

#define ZERO16 "00000000000000000000000000000000"
#define ZERO48 ZERO16 ZERO16 ZERO16
#define DC32 "dcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdc"
#define SVNS(a, b) "[{'svn':" #a "},{'svn':" #b "}" ",{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0}]"
#define LEVEL(sgx, pce, tdx0, tdx2, status) "{'tcb':{'sgxtcbcomponents':" SVNS(sgx, 0) ",'pcesvn':" #pce ",'tdxtcbcomponents':[{'svn':" #tdx0 "},{'svn':0},{'svn':" #tdx2 "},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0},{'svn':0}]},'tcbDate':'2024-03-13T00:00:00Z','tcbStatus':'" status "','advisoryIDs':['INTEL-SA-1','INTEL-SA-2']}"
#define MODULE(id, levels) "{'id':'" id "','mrsigner':'" ZERO48 "','attributes':'0000000000000000','attributesMask':'FFFFFFFFFFFFFFFF','tcbLevels':[" levels "]}"
#define SVN(n, status) "{'tcb':{'isvsvn':" #n "},'tcbDate':'2024-03-13T00:00:00Z','tcbStatus':'" status "'}"
#define INFO_HEAD(id, version, from, to, fmspc, pceid) "{'id':'" id "','version':" #version ",'issueDate':'" from "','nextUpdate':'" to "','fmspc':'" fmspc "','pceId':'" pceid "','tcbType':0,'tcbEvaluationDataNumber':17,'tdxModule':{'mrsigner':'" ZERO48 "','attributes':'0000000000000000','attributesMask':'FFFFFFFFFFFFFFFF'}"
#define FROM "2025-06-20T00:00:00Z"
#define TO "2025-07-20T00:00:00Z"
#define INFO(modules, levels) INFO_HEAD("TDX", 3, FROM, TO, "B0C06F000000", "0000") ",'tdxModuleIdentities':[" modules "],'tcbLevels':[" levels "]}"
#define GOOD_MODULES MODULE("TDX_03", SVN(3, "UpToDate")) "," MODULE("TDX_01", SVN(4, "UpToDate") "," SVN(2, "OutOfDate"))
#define GOOD_LEVELS LEVEL(3, 11, 5, 3, "UpToDate") "," LEVEL(2, 11, 5, 2, "SWHardeningNeeded") "," LEVEL(2, 5, 3, 2, "OutOfDate")
#define IDENTITY(id, misc, attributes, prod, levels) "{'id':'" id "','version':2,'issueDate':'" FROM "','nextUpdate':'" TO "','tcbEvaluationDataNumber':17,'miscselect':'" misc "','miscselectMask':'FFFFFFFF','attributes':'" attributes "','attributesMask':'FBFFFFFFFFFFFFFF0000000000000000','mrsigner':'" DC32 "','isvprodid':" #prod ",'tcbLevels':[" levels "]}"
#define GOOD_IDENTITY IDENTITY("TD_QE", "00000000", "11000000000000000000000000000000", 2, SVN(4, "UpToDate") "," SVN(2, "OutOfDate"))

static struct view forge_response(const char *member, const char *text, EVP_PKEY *by, bool respaced)
{
    struct view body = quoted(text);
    uint8_t sig[64], *p = arena_alloc(&arena, body.n + 1024);
    struct writer w = writer_of(p, body.n + 1024);
    forge_sign(by, body, sig);
    write_text(&w, "{\""), write_text(&w, member), write_text(&w, "\":"), write_bytes(&w, body);
    if (respaced) // same JSON, other bytes
        w.n--, write_text(&w, " }");
    write_text(&w, ",\"signature\":\""), write_hex(&w, view_of(sig, 64)), write_text(&w, "\"}");
    return writer_view(&w);
}

static void wish_default(struct wish *w)
{
    static const uint8_t comp[16] = {3}, svn[16] = {6, 1, 3}, fmspc[6] = {0xb0, 0xc0, 0x6f};
    *w = (struct wish){
        .root = {.name = "Intel SGX Root CA", .ca = true, .path = 1, .version = 2, .from = -1000 * DAY, .to = 3000 * DAY},
        .ca = {.name = "Intel SGX PCK Platform CA", .ca = true, .path = 0, .version = 2, .from = -900 * DAY, .to = 2000 * DAY},
        .leaf = {.name = "Intel SGX PCK Certificate", .path = -1, .version = 2, .from = -100 * DAY, .to = 1000 * DAY},
        .signing = {.name = "Intel SGX TCB Signing", .path = -1, .version = 2, .from = -100 * DAY, .to = 1000 * DAY},
        .crl_from = -10 * DAY, .crl_to = 20 * DAY, .root_crl_from = -10 * DAY, .root_crl_to = 300 * DAY,
        .pcesvn = 11, .version = 4, .body_type = 2, .att_key_type = 2, .cert_type = 5, .auth_len = 32, .wrapper_type = 6, .tee_type = 0x81,
        .td_attributes = {0, 0, 0, 0x10}, .qe_attributes = {0x15, 0, 0, 0, 0, 0, 0, 0, 0xe7}, .qe_isvsvn = 4, .qe_isvprodid = 2,
    };
    memcpy(w->comp, comp, 16), memcpy(w->tee_tcb_svn, svn, 16), memcpy(w->tee_tcb_svn2, svn, 16), memcpy(w->fmspc, fmspc, 6);
}

static void forge(const struct wish *wish, struct forged *f)
{
    struct wish w = *wish;
    *f = (struct forged){forge_key(false), forge_key(false), forge_key(w.leaf.p384), forge_key(false), forge_key(false), forge_key(false),
                         {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}};
    if (!w.leaf.extension_size)
        w.leaf.extension_size = forge_pck(&w, w.leaf.extension, sizeof w.leaf.extension);
    EVP_PKEY *root_key = w.other_root_key ? f->other : f->root_key;
    f->root = forge_certificate(&w.root, 1, f->root_key, w.root.name, f->root_key);
    f->ca = forge_certificate(&w.ca, 2, f->ca_key, w.root.name, root_key);
    f->signing = w.signing_by_ca ? forge_certificate(&w.signing, 4, f->signing_key, w.ca.name, f->ca_key)
                                 : forge_certificate(&w.signing, 4, f->signing_key, w.root.name, f->root_key);
    f->leaf = w.leaf_by_signing ? forge_certificate(&w.leaf, 3, f->leaf_key, w.signing.name, f->signing_key)
              : w.leaf_by_root  ? forge_certificate(&w.leaf, 3, f->leaf_key, w.root.name, f->root_key)
                                : forge_certificate(&w.leaf, 3, f->leaf_key, w.ca.name, f->ca_key);
    if (w.leaf_by_signing)
        f->ca = f->signing;
    long of_root[2], of_ca[2] = {77, 3};
    size_t n = 0;
    if (w.revoke_ca)
        of_root[n++] = 2;
    if (w.revoke_signing)
        of_root[n++] = 4;
    f->root_crl = forge_crl(w.root.name, f->root_key, w.root_crl_from, w.root_crl_to, of_root, n, w.critical_crl);
    f->pck_crl = forge_crl(w.ca.name, w.pck_crl_by_root_key ? f->root_key : f->ca_key, w.crl_from, w.crl_to, of_ca, w.revoke_leaf ? 2 : 1, false);
    f->info = forge_response("tcbInfo", w.info ? w.info : INFO(GOOD_MODULES, GOOD_LEVELS), w.info_by_leaf ? f->leaf_key : f->signing_key, w.respaced);
    f->identity = forge_response("enclaveIdentity", w.identity ? w.identity : GOOD_IDENTITY, f->signing_key, false);
    forge_quote(&w, f);
}

static void forge_drop(struct forged *f)
{
    EVP_PKEY_free(f->root_key), EVP_PKEY_free(f->ca_key), EVP_PKEY_free(f->leaf_key), EVP_PKEY_free(f->signing_key);
    EVP_PKEY_free(f->ak), EVP_PKEY_free(f->other);
}

#endif
