// verify: whole evidence under a private Intel, with everything bent that a document, a log or a reference can get wrong. A private
// root is what this must be called. TPMs and real documents: tests/e2e/test_verify.py.
#include "intel.h"


#include "tools/appraise/verify.h"

#define D(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define NONCE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// What the evidence and the reference are to be; a good one by good().
static struct {
    const char *nonce, *asked, *manifest, *policy, *image; // of the document; the nonce that was asked for
    const char *log_manifest, *agent, *weaknesses;
    bool no_separator, failed, stray_before, workload, log_altered, register_altered, preimage_other, report_data_other, quote_by_other;
    bool no_crls;
    const char *firmware_log; // base64
    const char *reference;    // NULL: made from the values below; $M: MRTD and RTMR0 to RTMR2, $R: RTMR3
    const char *policy_text;  // of the reference
} t;

static struct wish w;
static struct forged f;
static struct verification v;
static struct collateral given;
static struct evidence_document d;
static struct reference ref;
static struct option_list allow;
static uint8_t nonce[64];

static struct register_bank bank;


static void add(struct writer *log, const char *domain, const char *operation, const char *content) {
    uint8_t bytes[EVENT_MAX], digest[HASH_MAX];
    struct writer event = writer_of(bytes, sizeof bytes);
    CHECK(event_encode(domain, operation, quoted(content), &event, &err));
    event_record(4, &bank, 1, writer_view(&event), log);
    hash_once(HASH_SHA384, writer_view(&event), digest);
    register_extend(&bank, digest);
}

static const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text_of(const char *format, ...) {
    char *out = arena_alloc(&arena, 8192);
    va_list args;
    va_start(args, format);
    CHECK(out && vsnprintf(out, 8192, format, args) < 8192);
    va_end(args);
    return out;
}

static const char *hex(struct view bytes) {
    char *out = arena_alloc(&arena, 2 * bytes.n + 1);
    struct writer o = writer_of(out, 2 * bytes.n + 1);
    write_hex(&o, bytes);
    return out;
}

static const char *base64(struct view bytes) {
    char *out = arena_alloc(&arena, bytes.n * 2 + 8);
    struct writer o = writer_of(out, bytes.n * 2 + 8);
    write_base64(&o, bytes);
    return out;
}

static struct view make_log(uint8_t at_separator[48]) {
    struct writer log = writer_of(arena_alloc(&arena, 65536), 65536);
    bank = (struct register_bank){.alg = HASH_SHA384};
    event_log_header(&bank, 1, &log);
    add(&log, "plinth", "boot", text_of("{'agent':'%s'}", t.agent));
    if (t.stray_before) add(&log, "acme", "stray", "{}");
    add(&log, "plinth", "policy", t.weaknesses ? text_of("{'digest':'" D("aa") "','weaknesses':'%s'}", t.weaknesses) : "{'digest':'" D("aa") "'}");
    add(&log, "plinth", "manifest", text_of("{'digest':'%s','image':'host/web:1'}", t.log_manifest));
    add(&log, "github.com/confidential-containers", "PullImage", text_of("{'digest':'%s','image':'host/web:1'}", t.log_manifest));
    add(&log, "plinth", "config", "{'digest':'" D("cc") "'}");
    if (t.failed) {
        add(&log, "plinth", "failure", "{'reason':'layer 0 is another'}");
        return writer_view(&log);
    }
    add(&log, "plinth", "layer", "{'diffID':'" D("e0") "','digest':'" D("f0") "','index':0}");
    add(&log, "plinth", "launch", "{'process':'" D("ab") "','user':'web'}");
    if (!t.no_separator) add(&log, "plinth", "separator", "{}");
    memcpy(at_separator, bank.value, 48);
    if (t.workload) add(&log, "acme.example", "later", "anything");
    if (t.log_altered) {
        struct register_bank kept = bank;
        add(&log, "acme.example", "unmeasured", "x");
        bank = kept;
    }
    return writer_view(&log);
}

static const char *make_document(const char **rtmr3) {
    uint8_t separator[48] = {0};
    struct view log = make_log(separator);
    const char *value = hex(view_of(bank.value, 48));
    if (t.register_altered) value = hex(view_of("0123456789abcdef0123456789abcdef0123456789abcdef", 48));
    const char *preimage = text_of("{\"nonce\":\"%s\",\"register\":{\"rtmr\":3,\"sha384\":\"%s\"}}", t.preimage_other ? "00" : t.nonce, value);
    uint8_t *q = (uint8_t *)f.quote.p, *body = q + 48;
    memcpy(body + 472, bank.value, 48);
    evidence_report_data(view_str(preimage), body + 520);
    if (t.report_data_other) memset(body + 568, 0, 16); /* as a workload's would be */
    forge_sign(t.quote_by_other ? f.other : f.ak, view_of(q, 48 + 584), q + 48 + 584 + 4);
    *rtmr3 = hex(view_of(separator, 48));
    char *quoted_preimage = arena_alloc(&arena, 2048);
    struct writer p = writer_of(quoted_preimage, 2048);
    write_json_string(&p, view_str(preimage));
    size_t size = 64 << 10;
    char *out = arena_alloc(&arena, size);
    snprintf(out, size,
             "{\"plinth\":\"0.1.0\",\"tee\":\"tdx\",\"nonce\":\"%s\",\"quote\":\"%s\",\"report_data\":\"%s\",\"preimage\":%s,"
             "\"register\":{\"rtmr\":3,\"sha384\":\"%s\"},\"eventlog\":\"%s\",\"firmware_log\":\"%s\",\"image\":\"%s\",\"manifest\":\"%s\",\"policy\":\"%s\"}\n",
             t.nonce, base64(f.quote), hex(view_of(body + 520, 64)), quoted_preimage, value, base64(log), t.firmware_log, t.image, t.manifest, t.policy);
    return out;
}

static const char *make_reference(const char *rtmr3) {
    char ab[97];
    size_t n = 0;
    for (size_t i = 0; i < 48; i++) memcpy(ab + 2 * i, "ab", 3);
    char *out = arena_alloc(&arena, 16384);
    for (const char *p = t.reference ? t.reference : "{'tdx':{$M,'rtmr3':'$R'},'policy':$P}"; *p; p++) {
        const char *with = NULL;
        if (p[0] == '$') {
            with = p[1] == 'M'   ? text_of("'mrtd':'%s','rtmr0':null,'rtmr1':'%s','rtmr2':'%s'", ab, ab, ab)
                   : p[1] == 'X' ? ab
                   : p[1] == 'R' ? rtmr3
                   : p[1] == 'P' ? t.policy_text
                                 : "?";
            n += (size_t)sprintf(out + n, "%s", with);
            p++;
        } else {
            out[n++] = *p;
        }
    }
    return (const char *)quoted(out).p;
}

static void good(void) {
    fresh();
    wish_default(&w);
    memset(&t, 0, sizeof t);
    t.nonce = t.asked = NONCE, t.manifest = t.log_manifest = D("bb"), t.policy = D("aa"), t.image = "host/web:1", t.agent = "plinth 0.1.0";
    t.firmware_log = "", t.policy_text = "{}";
}

static bool made(void) {
    const char *rtmr3;
    forge_drop(&f);
    forge(&w, &f);
    collateral_drop(&given);
    memset(&v, 0, sizeof v);
    err = (struct err){0};
    const char *document = make_document(&rtmr3), *reference = make_reference(rtmr3);
    if (!evidence_read(view_str(document), &arena, &d, &err)) check_fail("evidence: %s: %s", err.trail, err.text);
    if (!reference_read(view_str(reference), &arena, &ref, &err)) check_fail("reference: %s: %s", err.trail, err.text);
    v.document = &d, v.reference = &ref;
    v.quote.arena = &arena, v.quote.at = NOW, v.quote.given = &given;
    result_members_begin(&v.quote.fields);
    CHECK(anchors_add_file(&v.quote.trust, f.root, "private root", &arena, &err));
    struct view list[] = {f.root, f.ca, f.signing, f.info, f.identity, f.root_crl, f.pck_crl};
    for (size_t i = 0; i < (t.no_crls ? 5u : 7u); i++) CHECK(collateral_add(&given, list[i], &arena, &err));
    size_t n = strlen(t.asked) / 2;
    for (size_t i = 0; i < n; i++) sscanf(t.asked + 2 * i, "%2hhx", &nonce[i]);
    v.nonce = view_of(nonce, n);
    verify_evidence(&v);
    allow.count = 0;
    for (struct json_iter it = json_each(ref.allow); json_next(&it);) allow.items[allow.count++] = arena_str(&arena, json_text(it.value));
    return checks_verdict(&v.quote.checks, &allow, &err);
}

static const struct check *state(const char *name, enum check_state wanted, const char *part) {
    const struct check *c = checks_find(&v.quote.checks, name);
    if (!c) check_fail("there is no check %s (%s)", name, err.text);
    if (c->state != wanted || !strstr(c->detail, part)) check_fail("%s is %d: %s; wanted %d with \"%s\"", name, c->state, c->detail, wanted, part);
    return c;
}

#define REFUSED(bend, name, part)                                                    \
    do {                                                                             \
        good();                                                                      \
        bend;                                                                        \
        if (made()) check_fail("line %d: accepted", __LINE__);                       \
        state(name, CHECK_BAD, part);                                                \
        if (err.kind != ERR_POLICY) check_fail("line %d: kind %d", __LINE__, err.kind); \
    } while (0)
#define ACCEPTED(bend)                                                                     \
    do {                                                                                   \
        good();                                                                            \
        bend;                                                                              \
        if (!made()) check_fail("line %d: refused: %s: %s", __LINE__, err.trail, err.text); \
    } while (0)

static bool says(const char *part) {
    for (size_t i = 0; i < v.caveat_count; i++)
        if (strstr(v.caveats[i], part)) return true;
    return false;
}

// What --json would hold, to look into.
static const json *written(bool accepted) {
    static struct result out;
    const json *root;
    struct err verdict = accepted ? (struct err){0} : err, e;
    result_begin(&out, &verdict);
    checks_write(&v.quote.checks, &out);
    verify_write(&v, &verdict, &out);
    result_close(&out, '}');
    CHECK(!out.out.full);
    if (!json_parse(writer_view(&out.out), &arena, &root, &e)) check_fail("%s", e.text);
    return root;
}
static bool at(const json *root, const char *path, const char *text) { return view_is(json_text(json_pointer(root, view_str(path))), text); }

TEST(accepted_under_a_private_root_and_called_that) {
    ACCEPTED();
    CHECK(says("simulated or private") && v.caveat_count == 1);
    state("register", CHECK_GOOD, "RTMR 3");
    state("reference-values", CHECK_GOOD, "MRTD, RTMR1, RTMR2, RTMR3; not compared, for no value is given: RTMR0");
    state("firmware-log", CHECK_MISSING, "");
    const json *root = written(true);
    CHECK(at(root, "/manifest", D("bb")) && at(root, "/image", "host/web:1") && at(root, "/layers/0/diffID", D("e0")) && at(root, "/config", D("cc")));
    CHECK(at(root, "/ear/submods/tdx/ear.status", "warning") && at(root, "/quote/tcb_status", "UpToDate"));
    CHECK(json_count(json_pointer(root, VIEW("/ear/submods/tdx/ear.trustworthiness-vector"))) == 0);
}

TEST(nonce_and_register_are_bound) {
    REFUSED(t.asked = "01" NONCE, "nonce", "asked was for 01");
    REFUSED(t.asked = "00112233", "nonce", "asked was for 00112233");
    REFUSED(t.preimage_other = true, "preimage", "it does not say what the document says");
    state("report-data", CHECK_BAD, "not the nonce");
    REFUSED(t.report_data_other = true, "report-data", "not the nonce");
    REFUSED(t.register_altered = true, "register", "not RTMR3 of the quote");
    REFUSED(t.quote_by_other = true, "quote-signature", "not by the attestation key");
    ACCEPTED(t.asked = "");
    CHECK(says("no nonce"));
    state("nonce", CHECK_MISSING, "may be old");
}

TEST(the_log_explains_the_register) {
    REFUSED(t.log_altered = true, "register", "does not explain RTMR");
    CHECK(!json_text(json_pointer(written(false), VIEW("/manifest"))).n); // nobody's word
    REFUSED(t.no_separator = true, "event-log", "without the separator");
    REFUSED(t.failed = true, "event-log", "the boot failed: layer 0 is another");
    REFUSED(t.stray_before = true, "event-log", "'acme stray' is no event of a boot");
    ACCEPTED(t.workload = true);
    state("event-log", CHECK_GOOD, "1 of the workload");
    state("reference-values", CHECK_GOOD, "RTMR3"); // as it was at the separator
    REFUSED(t.firmware_log = "AQAA", "firmware-log", "cut");
    REFUSED(t.firmware_log = base64(vector("tee/ccel-trustee-zeropad.bin")), "firmware-log", "does not explain RTMR0");
}

TEST(claims_are_those_of_the_log) {
    REFUSED(t.manifest = D("bc"), "claims", D("bb"));
    REFUSED(t.image = "host/web:2", "claims", "host/web:1");
    REFUSED(t.policy = D("ab"), "claims", D("aa"));
}

TEST(predicted_values) {
    REFUSED(t.reference = "{'mrtd':'" ZERO48 "','rtmr1':'$X','rtmr2':'$X','rtmr3':'$R'}", "reference-values", "MRTD is ababab");
    CHECK(strstr(err.text, "predicted is 000000"));
    CHECK(at(written(false), "/ear/submods/tdx/ear.status", "contraindicated"));
    REFUSED(t.reference = "{'mrtd':'$X','rtmr1':'$X','rtmr2':'" ZERO48 "','rtmr3':'$R'}", "reference-values", "RTMR2 is ab");
    REFUSED(t.reference = "{'mrtd':'$X','rtmr1':'$X','rtmr2':'$X','rtmr3':'" ZERO48 "'}", "reference-values", "RTMR3 is ");
    REFUSED(t.reference = "{'mrtd':'$X','rtmr1':'$X','rtmr2':'$X','rtmr3':'" ZERO48 "','events':['another']}",
            "reference-values", "the first event that differs is number 1: 'plinth boot");
    REFUSED(t.reference = "{'mrtd':'$X','mrowner':'" ZERO48 "','rtmr1':'$X','rtmr2':'$X','rtmr3':'$R'}", "reference-values", "MROWNER is ab");
    ACCEPTED(t.reference = "{'tdx':[{'mrtd':'" ZERO48 "','rtmr1':'" ZERO48 "','rtmr2':'$X'},{$M,'rtmr3':['" ZERO48 "','$R']}]}");
    CHECK_STR(v.comparison.set->name, "tdx, 2");
    ACCEPTED(t.reference = "{'mrtd':'" ZERO48 "','mrtd_single_pass':'$X','rtmr1':null,'rtmr1_separator_in_rtmr0':'$X','rtmr2':'$X','rtmr3':'$R'}");
    // The nearest set is told of.
    REFUSED(t.reference = "{'tdx':{'far':{'mrtd':'" ZERO48 "','rtmr1':'" ZERO48 "','rtmr2':'$X','rtmr3':'$R'},'near':{$M,'rtmr3':'" ZERO48 "'}}}",
            "reference-values", "tdx, near: RTMR3");
}

TEST(a_reference_without_what_decides) {
    REFUSED(t.reference = "{'rtmr1':'$X','rtmr2':'$X','rtmr3':'$R'}", "reference-coverage", "does not know MRTD");
    REFUSED(t.reference = "{'mrtd':'$X','rtmr3':'$R'}", "reference-coverage", "RTMR1, RTMR2");
    ACCEPTED(t.reference = "{'tdx':{'mrtd':'$X','rtmr3':'$R'},'policy':{'allow':['reference-coverage']}}");
    good();
    t.reference = "{'snp':{'launch_digest':'" ZERO48 "'}}";
    CHECK(!made() && strstr(err.text, "the reference has no values for tdx"));
    good();
    t.reference = "{'mrtd':null}";
    CHECK(!made());
    state("reference-values", CHECK_MISSING, "every value is null");
}

TEST(which_image) {
    good();
    t.reference = "{'tdx':{$M}}";
    CHECK(!made());
    state("image", CHECK_MISSING, "neither policy.images nor a predicted register");
    ACCEPTED(t.reference = "{'tdx':{$M},'policy':{'images':['" D("b0") "','" D("bb") "']}}");
    REFUSED(t.reference = "{'tdx':{$M},'policy':{'images':['" D("b0") "']}}", "image", "none of policy.images");
    REFUSED(t.policy_text = "{'images':[]}", "image", "none of policy.images");
    REFUSED(t.policy_text = "{'policies':['" D("a0") "']}", "policy-digest", "none of policy.policies");
    ACCEPTED(t.policy_text = "{'policies':['" D("aa") "']}");
}

TEST(weaknesses_and_versions) {
    ACCEPTED(t.weaknesses = "signatures.allowUnsigned"); // the predicted register vouches for that policy
    REFUSED(t.reference = "{'tdx':{$M},'policy':{'images':['" D("bb") "']}}"; t.weaknesses = "signatures.allowUnsigned", "weaknesses", "signatures.allowUnsigned");
    ACCEPTED(t.reference = "{'tdx':{$M},'policy':{'images':['" D("bb") "'],'weaknesses':['signatures.allowUnsigned']}}"; t.weaknesses = "signatures.allowUnsigned");
    REFUSED(t.reference = "{'tdx':{$M},'policy':{'images':['" D("bb") "'],'weaknesses':['a']}}"; t.weaknesses = "a b", "weaknesses", "allows b");
    ACCEPTED(t.policy_text = "{'minimumAgent':'0.1.0'}");
    REFUSED(t.policy_text = "{'minimumAgent':'0.2'}", "agent-version", "at least 0.2");
    REFUSED(t.policy_text = "{'minimumAgent':'0.1'}"; t.agent = "someone 9.9", "agent-version", "someone");
}

TEST(collateral_that_is_missing) {
    good();
    t.no_crls = true;
    CHECK(!made() && strstr(err.text, "root-ca-crl"));
    ACCEPTED(t.no_crls = true; t.policy_text = "{'allow':['root-ca-crl','pck-crl']}");
    CHECK(at(written(true), "/ear/submods/tdx/ear.status", "warning"));
    // A proof that does not hold is not waived.
    REFUSED(t.policy_text = "{'allow':['register','event-log']}"; t.log_altered = true, "register", "does not explain");
}
