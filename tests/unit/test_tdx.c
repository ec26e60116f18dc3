// tdx: real quotes with Intel's collateral, synthetic ones, and quotes under a private root of every kind that must be refused.
#include "appraise.h"
#include "intel.h"

#include "tools/appraise/tdx.h"
#include "tools/appraise/tdx_quote.h"

static bool verdict(struct view quote)
{
    return verdict_of(tdx_verify, quote);
}

static void add_phala(void)
{
    static const char *const files[] = {"pck_crl.der", "pck_crl_issuer_chain.pem", "qe_identity.json", "qe_identity_issuer_chain.pem", "qe_identity_signature.bin",
                                        "root_ca_crl.der", "tcb_info.json", "tcb_info_issuer_chain.pem", "tcb_info_signature.bin"};
    char path[64];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "tdx/phala/%s", files[i]);
        add(path);
    }
}

TEST(phala_is_up_to_date_with_its_collateral)
{
    fresh();
    begin(moment("2025-07-01T00:00:00Z"));
    add_phala();
    if (!verdict(vector("tdx/quote-v4-phala.bin")))
        check_fail("%s", err.text);
    STATE("tcb-status", CHECK_GOOD, "UpToDate");
    STATE("tdx-module", CHECK_GOOD, "TDX_01 with SVN 6: UpToDate");
    STATE("qe-report", CHECK_GOOD, "ISVSVN 6");
    CHECK_EQ(ap.checks.count, 19);
    for (size_t i = 0; i < ap.checks.count; i++)
        CHECK_EQ(ap.checks.list[i].state, CHECK_GOOD);
}

TEST(collateral_is_judged_at_the_given_time)
{
    fresh();
    begin(moment("2025-07-20"));
    add_phala();
    CHECK(!verdict(vector("tdx/quote-v4-phala.bin")));
    STATE("tcb-info", CHECK_BAD, "2025-07-19T10:16:03Z, the verdict is at 2025-07-20T00:00:00Z");
    STATE("qe-identity", CHECK_BAD, "2025-07-19T10:32:27Z");
    STATE("pck-crl", CHECK_BAD, "2025-07-19T10:00:35Z");
    STATE("pck-chain", CHECK_GOOD, "");
    begin(moment("2025-06-19T10:20:00Z")); // TCB info is there, QE identity is of 12 minutes later
    add_phala();
    CHECK(!verdict(vector("tdx/quote-v4-phala.bin")));
    STATE("tcb-info", CHECK_GOOD, "");
    STATE("qe-identity", CHECK_BAD, "2025-06-19T10:32:27Z");
    begin(moment("2025-02-01"));
    CHECK(!verdict(vector("tdx/quote-v4-phala.bin")));
    STATE("pck-chain", CHECK_BAD, "not yet valid");
    begin(moment("2033-01-01"));
    CHECK(!verdict(vector("tdx/quote-v4-phala.bin")));
    STATE("pck-chain", CHECK_BAD, "expired");
}

TEST(what_is_missing_is_never_good)
{
    static const char *const names[] = {"root-ca-crl", "pck-crl", "tcb-info", "qe-identity", "tcb-status"};
    fresh();
    begin(moment("2025-07-01"));
    CHECK(!verdict(vector("tdx/quote-v4-phala.bin")));
    CHECK_ERR("root-ca-crl: missing");
    for (size_t i = 0; i < 5; i++)
        STATE(names[i], CHECK_MISSING, "");
    CHECK(!checks_find(&ap.checks, "tcb-level"));
    // each but one: that one refuses
    for (size_t left = 0; left < 4; left++) {
        allow.count = 0;
        for (size_t i = 0; i < 4; i++)
            if (i != left)
                allow.items[allow.count++] = names[i];
        CHECK(!checks_verdict(&ap.checks, &allow, &err));
        CHECK_ERR(names[left]);
    }
    allow.items[allow.count++] = names[3];
    CHECK(checks_verdict(&ap.checks, &allow, &err));
    STATE("root-ca-crl", CHECK_MISSING, ""); // allowed, but not good
    // one file short
    fresh();
    begin(moment("2025-07-01"));
    add_phala();
    given.signature_count = 1; // the QE identity's is left
    CHECK(!verdict(vector("tdx/quote-v4-phala.bin")));
    STATE("qe-identity", CHECK_GOOD, "");
    STATE("tcb-info", CHECK_BAD, "not by 'Intel SGX TCB Signing'");
}

TEST(real_quotes)
{
    static const struct {
        const char *path, *bad;
    } quotes[] = {
        {"tdx/quote-v4-tappd.bin", NULL},
        {"tdx/quote-v4-dstack.bin", NULL},
        {"tdx/quote-v4-phala.bin", NULL},
        {"tdx/quote-v4-azure.bin", "sept-ve-disable"},
        {"tdx/quote-v5-servtd.bin", "mrservicetd"},
        {"tdx/quote-v4-spr-e4.bin", "trailing-bytes"},
        {"tdx/quote-v3-sgx.bin", "quote-format"},
    };
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        fresh();
        begin(moment("2026-01-01"));
        CHECK(!verdict(vector(quotes[i].path)));
        for (size_t k = 0; k < ap.checks.count; k++)
            if (ap.checks.list[k].state == CHECK_BAD && (!quotes[i].bad || (strcmp(ap.checks.list[k].name, quotes[i].bad) && i != 5)))
                check_fail("%s: %s: %s", quotes[i].path, ap.checks.list[k].name, ap.checks.list[k].detail);
        if (quotes[i].bad)
            STATE(quotes[i].bad, CHECK_BAD, "");
        if (i < 6) {
            STATE("quote-signature", CHECK_GOOD, "");
            STATE("qe-report-signature", CHECK_GOOD, "");
            STATE("pck-chain", CHECK_GOOD, "pinned");
        }
    }
    STATE("quote-format", CHECK_BAD, "this is an SGX quote (version 3");
}

TEST(below_every_level)
{
    static const char *const files[] = {"pck_crl.der", "pck_crl_issuer_chain.pem", "qe_identity_issuer_chain.pem", "qe_identity_response.json",
                                        "root_ca_crl.der", "tcb_info_issuer_chain.pem", "tcb_info_response.json"};
    char path[64];
    fresh();
    begin(moment("2023-07-01"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "tdx/spr-e4/%s", files[i]);
        add(path);
    }
    allow.items[allow.count++] = "trailing-bytes", allow.items[allow.count++] = "sept-ve-disable", allow.items[allow.count++] = "tcb-level";
    CHECK(!verdict(vector("tdx/quote-v4-spr-e4.bin")));
    CHECK_ERR("tcb-level: TEE_TCB_SVN: the platform is below every level"); // a proof, not a policy: --allow does not help
    STATE("tcb-info", CHECK_GOOD, "tcbEvaluationDataNumber 15");
    STATE("qe-report", CHECK_GOOD, "");
    CHECK(!checks_find(&ap.checks, "tcb-status"));
}

TEST(synthetic_quotes)
{
    static const struct {
        const char *name, *bad;
    } quotes[] = {
        {"v5-body2-tdx10", NULL},       {"v4-nonul", NULL},
        {"v4-trailing-zero", NULL},     {"v4-auth0", NULL},
        {"v4-debug", "td-debug"},       {"v4-no-sept-ve-disable", "sept-ve-disable"},
        {"neg-truncated-body", "quote-format"}, {"neg-siglen-huge", "quote-format"},
        {"neg-certsize-huge", "quote-format"},  {"neg-version6", "quote-format"},
    };
    char path[80];
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++)
        for (int pinned = 0; pinned < 2; pinned++) {
            fresh();
            begin(moment("2025-07-01"));
            if (!pinned)
                CHECK(anchors_add_file(&ap.trust, vector("tdx/synthetic/root.der"), "root.der", &arena, &err));
            snprintf(path, sizeof path, "tdx/synthetic/%s.bin", quotes[i].name);
            bool ok = verdict(vector(path));
            if (ok != (!pinned && !quotes[i].bad))
                check_fail("%s: %s", path, ok ? "accepted" : err.text);
            if (quotes[i].bad)
                STATE(quotes[i].bad, CHECK_BAD, "");
            else if (pinned)
                STATE("pck-chain", CHECK_BAD, "which is not the key of Intel SGX Root CA");
            else
                STATE("pck-chain", CHECK_GOOD, "not Intel's but named by --trust");
        }
}

// ---- a private Intel ----

static struct wish w;
static struct forged f;

static void trust_forged(void)
{
    CHECK(anchors_add_file(&ap.trust, f.root, "private root", &arena, &err));
}

static bool judged(void)
{
    begin(NOW);
    trust_forged();
    struct view list[] = {f.root, f.ca, f.signing, f.root_crl, f.pck_crl, f.info, f.identity};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if ((i == 2 && w.no_signing) || ((i == 3 || i == 4) && w.no_crls) || (i == 5 && w.no_info) || (i == 6 && w.no_identity))
            continue;
        if (!collateral_add(&given, list[i], &arena, &err))
            check_fail("collateral %zu: %s", i, err.text);
    }
    if (w.cert_type < 4 || w.cert_type == 7)
        CHECK(collateral_add(&given, f.leaf, &arena, &err));
    return verdict(f.quote);
}

static bool made(void)
{
    forge_drop(&f);
    forge(&w, &f);
    return judged();
}

static void good(void)
{
    fresh();
    wish_default(&w);
}

// One bend of a good quote: it must be refused by `name`, for `part`.
#define REFUSED(bend, name, part)                     \
    do {                                              \
        good();                                       \
        bend;                                         \
        if (made())                                   \
            check_fail("line %d: accepted", __LINE__); \
        STATE(name, CHECK_BAD, part);                 \
    } while (0)
#define ACCEPTED(bend)                                               \
    do {                                                             \
        good();                                                      \
        bend;                                                        \
        if (!made())                                                 \
            check_fail("line %d: refused: %s", __LINE__, err.text);  \
    } while (0)

TEST(good_under_a_private_root)
{
    ACCEPTED((void)0);
    CHECK_EQ(ap.checks.count, 19);
    ACCEPTED((w.version = 5));
    ACCEPTED((w.version = 5, w.body_type = 3));
    STATE("mrservicetd", CHECK_GOOD, "");
    ACCEPTED((w.auth_len = 0));
    ACCEPTED((w.auth_len = 1000));
    ACCEPTED((w.no_nul = true));
    ACCEPTED((w.ca.name = "Intel SGX PCK Processor CA"));
    ACCEPTED((w.trailing = "\0\0\0\0", w.trailing_size = 4));
    ACCEPTED((w.cert_type = 1));
    ACCEPTED((w.cert_type = 2));
    ACCEPTED((w.cert_type = 3));
    ACCEPTED((w.cert_type = 4));
    ACCEPTED((w.cert_type = 7));
    ACCEPTED((w.leaf.no_key_usage = true));
    // without collateral a private root is believed all the same, and it is said
    good();
    w.no_crls = w.no_info = w.no_identity = true;
    CHECK(made());
    STATE("tcb-info", CHECK_MISSING, "");
    // but not with a part of it
    w.no_crls = false;
    CHECK(!made());
    CHECK_ERR("tcb-info: missing");
    w.no_crls = true, w.no_info = w.no_identity = false;
    CHECK(!made());
    CHECK_ERR("root-ca-crl: missing");
}

TEST(quote_is_bent)
{
    REFUSED((w.tee_type = 0), "quote-format", "SGX quote");
    REFUSED((w.tee_type = 0x82), "quote-format", "TEE type 0x82");
    REFUSED((w.version = 6), "quote-format", "version 6");
    REFUSED((w.version = 3), "quote-format", "SGX quote (version 3");
    REFUSED((w.att_key_type = 3), "quote-format", "key type 3");
    REFUSED((w.vendor0 = 1), "quote-format", "vendor");
    REFUSED((w.version = 5, w.body_type = 1), "quote-format", "body type 1");
    REFUSED((w.version = 5, w.body_type = 4), "quote-format", "body type 4");
    REFUSED((w.version = 5, w.body_type = 3, w.body_size_delta = (uint32_t)-64), "quote-format", "body type 3 with 584 bytes, it has 648");
    REFUSED((w.version = 5, w.body_size_delta = 64), "quote-format", "body type 2 with 648 bytes");
    REFUSED((w.wrapper_type = 5), "quote-format", "type 5, a TD's is 6");
    REFUSED((w.cert_type = 6), "quote-format", "type 6");
    REFUSED((w.cert_type = 8), "quote-format", "type 8");
    REFUSED((w.trailing = "\0\1", w.trailing_size = 2), "trailing-bytes", "2 bytes follow the quote, not all of them zero");
    REFUSED((w.quote_by_other = true), "quote-signature", "not by the attestation key");
    REFUSED((w.qe_by_other = true), "qe-report-signature", "not by the key");
    REFUSED((w.qe_high0 = 1), "qe-report-data", "32 zeroes");
    REFUSED((w.hash_without_auth = true), "qe-report-data", "");
    REFUSED((w.qe_attributes[0] |= 2), "qe-debug", "debug enclave");
    REFUSED((w.td_attributes[0] = 1), "td-debug", "DEBUG is set");
    REFUSED((w.td_attributes[0] = 0x80), "td-attributes", "reserved");
    REFUSED((w.td_attributes[3] = 0), "sept-ve-disable", "clear");
    REFUSED((w.version = 5, w.body_type = 3, w.mrservicetd0 = 1), "mrservicetd", "service TD");
    // v5: type and size are signed
    good();
    w.version = 5;
    CHECK(made());
    uint8_t *q = (uint8_t *)f.quote.p;
    for (size_t i = 48; i < 54; i++) {
        q[i] ^= 1;
        CHECK(!judged());
        q[i] ^= 1;
    }
    CHECK(judged());
}

TEST(chain_is_bent)
{
    REFUSED((w.other_root_key = true), "pck-chain", "signature");
    REFUSED((w.swap_chain = true), "pck-chain", "order");
    REFUSED((w.two_certs = true), "pck-chain", "2 certificates");
    REFUSED((w.extra_cert = true), "pck-chain", "4 certificates");
    REFUSED((w.leaf_by_signing = true), "pck-chain", "is no CA");
    REFUSED((w.leaf_by_root = true), "pck-chain", "not followed by its issuer");
    REFUSED((w.leaf.ca = true), "pck-chain", "is a CA, not an end entity");
    REFUSED((w.ca.ca = false), "pck-chain", "is no CA");
    REFUSED((w.ca.no_key_usage = true), "pck-chain", "'Intel SGX PCK Platform CA' may not sign certificates");
    REFUSED((w.leaf.to = -DAY), "pck-chain", "expired");
    REFUSED((w.leaf.from = DAY), "pck-chain", "not yet valid");
    REFUSED((w.ca.to = -1), "pck-chain", "expired");
    REFUSED((w.root.to = -1), "pck-chain", "expired");
    REFUSED((w.root.path = 0), "pck-chain", "path length");
    REFUSED((w.leaf.critical_unknown = true), "pck-chain", "critical extension");
    REFUSED((w.ca.critical_unknown = true), "pck-chain", "critical extension");
    REFUSED((w.leaf.p384 = true), "pck-chain", "another key or signature");
    REFUSED((w.leaf.version = 0), "pck-chain", "version 3");
    REFUSED((w.leaf.name = "Intel SGX PCK Certificat"), "pck-chain", "names are");
    REFUSED((w.ca.name = "Intel SGX Other CA"), "pck-chain", "names are");
    REFUSED((w.root.name = "Other Root CA"), "pck-chain", "names are");
    // the same names under another root
    good();
    forge_drop(&f);
    forge(&w, &f);
    struct forged kept = f;
    memset(&f, 0, sizeof f);
    forge(&w, &f);
    begin(NOW);
    CHECK(anchors_add_file(&ap.trust, kept.root, "the first root", &arena, &err));
    CHECK(!verdict(f.quote));
    STATE("pck-chain", CHECK_BAD, "which is not the key of the first root");
    forge_drop(&kept);
}

TEST(pck_extension_is_bent)
{
    REFUSED((w.leaf.extension_size = 2, w.leaf.extension[0] = 0x30), "pck-extension", "member .1 is missing");
    REFUSED((w.leaf.extension_size = 3, memcpy(w.leaf.extension, "\x30\x01\x05", 3)), "pck-extension", "SEQUENCE");
    good();
    w.leaf.extension_size = forge_pck(&w, w.leaf.extension, sizeof w.leaf.extension);
    w.leaf.extension[w.leaf.extension_size++] = 0;
    CHECK(!made());
    STATE("pck-extension", CHECK_BAD, "SEQUENCE");
    // certification data of type 1 that name another platform
    good();
    w.cert_type = 1;
    CHECK(made());
    struct view ppid = view_of("0123456789abcdef", 16);
    uint8_t *p = memmem((uint8_t *)f.quote.p + 1000, f.quote.n - 1000, ppid.p, 16);
    CHECK(p != NULL);
    for (size_t i = 0; i < 36; i += 5) {
        p[i] ^= 1;
        CHECK(!judged());
        STATE("pck-extension", CHECK_BAD, "not the certificate's");
        p[i] ^= 1;
    }
    REFUSED((w.fmspc[0] = 1), "tcb-info", "the platform is another");
    REFUSED((w.pceid[1] = 1), "tcb-info", "the platform is another");
}

TEST(revoked)
{
    REFUSED((w.revoke_leaf = true), "pck-crl", "(serial 03");
    REFUSED((w.revoke_ca = true), "root-ca-crl", "is revoked by the CRL of 'Intel SGX Root CA'");
    REFUSED((w.revoke_signing = true), "tcb-info", "'Intel SGX TCB Signing'");
    STATE("qe-identity", CHECK_BAD, "is revoked");
    REFUSED((w.crl_to = -1), "pck-crl", "the verdict is at");
    REFUSED((w.crl_from = 1), "pck-crl", "the verdict is at");
    REFUSED((w.root_crl_to = -1), "root-ca-crl", "the verdict is at");
    REFUSED((w.pck_crl_by_root_key = true), "pck-crl", "not signed by its key");
    REFUSED((w.critical_crl = true), "root-ca-crl", "critical extension");
    good();
    w.no_crls = true;
    CHECK(!made());
    STATE("pck-crl", CHECK_MISSING, "no CRL of 'Intel SGX PCK Platform CA'");
}

#define WITH_LEVELS(...) (w.info = INFO(GOOD_MODULES, __VA_ARGS__))
#define WITH_MODULES(...) (w.info = INFO(__VA_ARGS__, GOOD_LEVELS))
#define WITH_IDENTITY(...) (w.identity = IDENTITY(__VA_ARGS__))

TEST(tcb_signature_is_bent)
{
    REFUSED((w.respaced = true), "tcb-info", "over these bytes");
    REFUSED((w.info_by_leaf = true), "tcb-info", "not by 'Intel SGX TCB Signing'");
    good();
    w.signing.name = "Intel SGX TCB Signin";
    CHECK(!made());
    STATE("tcb-info", CHECK_MISSING, "'Intel SGX TCB Signing'");
}

TEST(tcb_documents_are_bent)
{
    REFUSED((w.signing_by_ca = true), "tcb-info", "not issued by the root itself");
    REFUSED((w.signing.to = -1), "tcb-info", "expired");
    REFUSED((w.info = INFO_HEAD("SGX", 3, FROM, TO, "B0C06F000000", "0000") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "its id is 'SGX'");
    REFUSED((w.info = INFO_HEAD("TDX", 2, FROM, TO, "B0C06F000000", "0000") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "version 2");
    REFUSED((w.info = INFO_HEAD("TDX", 3, FROM, TO, "B0C06F000001", "0000") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "FMSPC b0c06f000001");
    REFUSED((w.info = INFO_HEAD("TDX", 3, FROM, TO, "B0C06F000000", "0001") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "PCE-ID 0001");
    REFUSED((w.info = INFO_HEAD("TDX", 3, "2025-07-01T00:00:01Z", TO, "B0C06F000000", "0000") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "the verdict is at");
    REFUSED((w.info = INFO_HEAD("TDX", 3, FROM, "2025-06-30T23:59:59Z", "B0C06F000000", "0000") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "the verdict is at");
    REFUSED((w.info = INFO_HEAD("TDX", 3, "yesterday", TO, "B0C06F000000", "0000") ",'tcbLevels':[" GOOD_LEVELS "]}"), "tcb-info", "issueDate");
    REFUSED(WITH_LEVELS(LEVEL(2, 11, 5, 2, "OutOfDate") "," LEVEL(3, 11, 5, 3, "UpToDate")), "tcb-info", "not from best to worst");
    REFUSED(WITH_LEVELS(LEVEL(2, 11, 5, 2, "Splendid")), "tcb-info", "tcbStatus 'Splendid'");
    REFUSED(WITH_LEVELS("{'tcb':{'sgxtcbcomponents':[{'svn':1}],'pcesvn':1,'tdxtcbcomponents':[]},'tcbDate':'','tcbStatus':'UpToDate'}"), "tcb-info", "1 components");
    REFUSED(WITH_LEVELS(""), "tcb-info", "0 levels");
    REFUSED(WITH_LEVELS(LEVEL(4, 11, 5, 3, "UpToDate")), "tcb-level", "below every level");
    REFUSED(WITH_LEVELS(LEVEL(3, 12, 5, 3, "UpToDate")), "tcb-level", "below every level");
    REFUSED(WITH_LEVELS(LEVEL(3, 11, 5, 4, "UpToDate")), "tcb-level", "below every level");
    ACCEPTED(WITH_LEVELS(LEVEL(3, 11, 9, 3, "UpToDate"))); // component 0 is the module's to judge
    REFUSED((w.tee_tcb_svn[1] = 0, WITH_LEVELS(LEVEL(3, 11, 9, 3, "UpToDate"))), "tcb-level", "below every level"); // unless it has no version
    ACCEPTED((w.tee_tcb_svn[1] = 0));
    STATE("tdx-module", CHECK_GOOD, "version 0");
    REFUSED((w.tee_tcb_svn[1] = 2), "tdx-module", "knows no module TDX_02");
    REFUSED((w.tee_tcb_svn[0] = 1), "tdx-module", "below every level");
    REFUSED((w.tee_tcb_svn[0] = 3), "tcb-status", "OutOfDate"); // platform UpToDate, module not
    REFUSED((w.mrsignerseam0 = 1), "tdx-module", "MRSIGNERSEAM");
    REFUSED((w.seam_attributes[3] = 1), "tdx-module", "SEAMATTRIBUTES");
    REFUSED(WITH_MODULES(MODULE("TDX_01", SVN(4, "UpToDate")) "," MODULE("TDX_01", SVN(4, "UpToDate"))), "tcb-info", "there twice");
    REFUSED(WITH_MODULES(MODULE("TDX_01", SVN(2, "UpToDate") "," SVN(4, "UpToDate"))), "tcb-info", "not from best to worst");
    // 1.5: what runs now counts too
    REFUSED((w.version = 5, w.body_type = 3, w.tee_tcb_svn2[0] = 3), "tcb-status", "OutOfDate");
    STATE("tdx-module", CHECK_GOOD, "TEE_TCB_SVN_2: TDX_01 with SVN 3: OutOfDate");
    REFUSED((w.version = 5, w.body_type = 3, w.tee_tcb_svn2[2] = 1), "tcb-level", "TEE_TCB_SVN_2: the platform is below");
    // without collateral: no module of Intel's
    REFUSED((w.mrsignerseam0 = 1, w.no_crls = w.no_info = w.no_identity = true), "tdx-module", "not zero");
    // the certificate that signed it is not there
    good();
    w.no_signing = true;
    CHECK(!made());
    STATE("tcb-info", CHECK_MISSING, "Intel SGX TCB Signing");
    CHECK(!checks_find(&ap.checks, "tcb-level"));
}

TEST(qe_identity_is_bent)
{
    REFUSED(WITH_IDENTITY("QE", "00000000", "11000000000000000000000000000000", 2, SVN(4, "UpToDate")), "qe-identity", "its id is 'QE'");
    REFUSED(WITH_IDENTITY("TD_QE", "00000001", "11000000000000000000000000000000", 2, SVN(4, "UpToDate")), "qe-report", "MISCSELECT");
    REFUSED(WITH_IDENTITY("TD_QE", "00000000", "31000000000000000000000000000000", 2, SVN(4, "UpToDate")), "qe-report", "ATTRIBUTES");
    REFUSED(WITH_IDENTITY("TD_QE", "00000000", "11000000000000000000000000000000", 3, SVN(4, "UpToDate")), "qe-report", "ISVPRODID is 2");
    REFUSED((w.qe_mrsigner0 = 1), "qe-report", "MRSIGNER");
    REFUSED((w.qe_miscselect0 = 1), "qe-report", "MISCSELECT");
    REFUSED((w.qe_isvprodid = 1), "qe-report", "ISVPRODID is 1");
    REFUSED((w.qe_isvsvn = 1), "qe-report", "below every level");
    REFUSED((w.qe_isvsvn = 3), "tcb-status", "OutOfDate"); // platform UpToDate, QE not
    REFUSED(WITH_IDENTITY("TD_QE", "00000000", "11000000000000000000000000000000", 2, SVN(4, "Revoked")), "tcb-status", "Revoked");
}

TEST(status_is_the_worst_of_three)
{
    REFUSED((w.comp[0] = 2, w.tee_tcb_svn[2] = 2), "tcb-status", "SWHardeningNeeded");
    statuses.items[statuses.count++] = "SWHardeningNeeded";
    memset(&ap.checks, 0, sizeof ap.checks);
    CHECK(verdict(f.quote));
    STATE("tcb-status", CHECK_GOOD, "SWHardeningNeeded");
    // the platform is out of date, the module up to date
    REFUSED((w.comp[0] = 2, w.tee_tcb_svn[2] = 2, w.pcesvn = 5), "tcb-status", "OutOfDate");
    STATE("tdx-module", CHECK_GOOD, "UpToDate");
    STATE("tcb-level", CHECK_GOOD, "OutOfDate: INTEL-SA-1 INTEL-SA-2");
    allow.items[allow.count++] = "tcb-status";
    CHECK(checks_verdict(&ap.checks, &allow, &err));
    // revoked is never accepted
    REFUSED(WITH_LEVELS(LEVEL(3, 11, 5, 3, "Revoked")), "tcb-status", "Revoked");
    allow.items[allow.count++] = "tcb-status", statuses.items[statuses.count++] = "Revoked";
    CHECK(!checks_verdict(&ap.checks, &allow, &err));
    memset(&ap.checks, 0, sizeof ap.checks);
    CHECK(!verdict(f.quote));
}

// ---- broken sisters ----

static bool accepts(struct view q)
{
    begin(moment("2025-07-01"));
    CHECK(anchors_add_file(&ap.trust, vector("tdx/synthetic/root.der"), "root.der", &arena, &err));
    bool ok = verdict(q);
    arena.used = 0; // views of vectors are done with
    return ok;
}

TEST(cut_at_every_length_and_every_signed_byte_flipped)
{
    static uint8_t kept[8192];
    fresh();
    struct view v = vector("tdx/synthetic/v5-body2-tdx10.bin");
    memcpy(kept, v.p, v.n);
    struct view q = view_of(kept, v.n);
    CHECK(accepts(q));
    // Every byte before the certificates, and every fifth of their text: each is signed, or decides about it.
    struct tdx_quote parsed;
    CHECK(tdx_quote_parse(q, &parsed, &err));
    size_t certs = (size_t)(parsed.cert_data.p - kept);
    for (size_t i = 0; i < q.n; i += i < certs ? 1 : 5) {
        kept[i] ^= (uint8_t)(1u << i % 8);
        bool ok = accepts(q);
        kept[i] ^= (uint8_t)(1u << i % 8);
        if (ok)
            check_fail("byte %zu of %zu: flipped and accepted", i, q.n);
    }
    for (size_t n = 0; n < q.n; n += n < certs ? 1 : 5) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, kept, n);
        bool ok = accepts(view_of(copy, n));
        free(copy);
        if (ok)
            check_fail("cut to %zu of %zu bytes and accepted", n, q.n);
    }
    collateral_drop(&given);
    forge_drop(&f);
}

static bool parses(struct view v)
{
    struct tdx_quote q;
    return tdx_quote_parse(v, &q, &err);
}

TEST(layout)
{
    fresh();
    struct view v = vector("tdx/quote-v5-servtd.bin");
    struct tdx_quote q;
    CHECK(tdx_quote_parse(v, &q, &err));
    CHECK_EQ(q.body.n, 648);
    CHECK_EQ(q.signed_part.n, 48 + 6 + 648);
    CHECK_EQ(q.trailing.n, 0);
    CHECK_EQ(q.mrservicetd.p[0], 0x38);
    broken(v, v.n, parses);
    v = vector("tdx/quote-v4-spr-e4.bin");
    CHECK(tdx_quote_parse(v, &q, &err));
    CHECK_EQ(q.trailing.n, 39);
    CHECK_EQ(q.signed_part.n, 632);
    CHECK_EQ(q.mrservicetd.n, 0);
    broken(view_first(v, v.n - 39), v.n - 39, parses);
}
