// judge: guests at every stage of a boot, under a private Intel, and every way in which one may lie about where it is. TPMs:
// tests/e2e/test_serve_judge.py.
#include "intel.h"

#include "tee/event.h"
#include "tee/evidence.h"
#include "tools/appraise/evidence.h"
#include "tools/serve/judge.h"

#include <pthread.h>
#include <unistd.h>

#define D(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define COCO "github.com/confidential-containers"
#define IMAGE "{'digest':'" D("bb") "','image':'host/web:1'}"

struct line {
    const char *domain, *operation, *content; // ' stands for "
};
static const struct line good_boot[] = {
    {"plinth", "boot", "{'agent':'plinth 0.1.0'}"},
    {"plinth", "policy", "{'digest':'" D("aa") "'}"},
    {"plinth", "manifest", IMAGE},
    {COCO, "PullImage", IMAGE},
    {"plinth", "config", "{'digest':'" D("cc") "'}"},
    {"plinth", "layer", "{'diffID':'" D("e0") "','digest':'" D("f0") "','index':0}"},
    {"plinth", "layer", "{'diffID':'" D("e1") "','digest':'" D("f1") "','index':1}"},
    {"plinth", "launch", "{'process':'" D("ab") "','user':'web'}"},
    {"plinth", "separator", "{}"},
};
enum { STARTED = 2, IMAGE_MEASURED = 5, BOOT = sizeof good_boot / sizeof *good_boot };
#define LINES_MAX 16

// What the guest and the reference are to be; a good one by good().
static struct {
    size_t count;
    struct line lines[LINES_MAX];  // of the guest's log
    bool register_other, log_other; // RTMR3 is not the log's; the log has one event that RTMR3 has not
    size_t hidden;                  // so many events of RTMR3 are not in the log
    const char *manifest, *policy, *image;
    uint8_t mrconfigid;
    bool quote_by_other;
    const char *values, *policy_text; // of the reference; $R: RTMR3, $E: the events of a good boot
    const char *release;
    const char *tee;
    uint8_t report_data[48], asked[48];
    bool untagged; // over a nonce that host or workload may choose
} t;

static struct wish w;
static struct forged f;
static struct judge *judge;
static struct register_bank bank;
static char directory[] = "/tmp/test-judge-XXXXXX";
static struct writer claims, submods;
static const json *said;

static const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text_of(const char *format, ...) {
    char *out = arena_alloc(&arena, 16384);
    va_list args;
    va_start(args, format);
    CHECK(out && vsnprintf(out, 16384, format, args) < 16384);
    va_end(args);
    return out;
}

static const char *encoded(struct view bytes, void (*write)(struct writer *, struct view)) {
    char *out = arena_alloc(&arena, 2 * bytes.n + 8);
    struct writer o = writer_of(out, 2 * bytes.n + 8);
    write(&o, bytes);
    return out;
}
static const char *hex(struct view v) { return encoded(v, write_hex); }
static const char *base64(struct view v) { return encoded(v, write_base64); }

static const char *file(const char *name, struct view bytes) {
    const char *path = text_of("%s/%s", directory, name);
    FILE *o = fopen(path, "wb");
    CHECK(o && fwrite(bytes.p, 1, bytes.n, o) == bytes.n && !fclose(o));
    return path;
}

static void add(struct writer *log, const struct line *l) {
    uint8_t bytes[EVENT_MAX], digest[HASH_MAX];
    struct writer event = writer_of(bytes, sizeof bytes);
    CHECK(event_encode(l->domain, l->operation, quoted(l->content), &event, &err));
    event_record(4, &bank, 1, writer_view(&event), log);
    hash_once(HASH_SHA384, writer_view(&event), digest);
    register_extend(&bank, digest);
}

static struct view log_of(const struct line *lines, size_t count) {
    struct writer log = writer_of(arena_alloc(&arena, 65536), 65536);
    bank = (struct register_bank){.alg = HASH_SHA384};
    event_log_header(&bank, 1, &log);
    for (size_t i = 0; i < count; i++) add(&log, &lines[i]);
    return writer_view(&log);
}

static struct view make_document(void) {
    struct view log = log_of(t.lines, t.count);
    if (t.log_other) {
        struct register_bank kept = bank;
        struct line more[LINES_MAX];
        memcpy(more, t.lines, sizeof more);
        more[t.count] = (struct line){"acme", "more", "{}"};
        log = log_of(more, t.count + 1);
        bank = kept;
    }
    if (t.hidden) {
        struct register_bank kept = bank;
        log = log_of(t.lines, t.count - t.hidden);
        bank = kept;
    }
    if (t.register_other) bank.value[0] ^= 1;
    uint8_t key_nonce[EVIDENCE_KEY_NONCE_SIZE];
    evidence_key_nonce(EVIDENCE_KEY_KBS, t.report_data, key_nonce);
    if (t.untagged) memcpy(key_nonce, t.report_data, sizeof key_nonce);
    const char *nonce = hex(view_of(key_nonce, sizeof key_nonce)), *value = hex(view_of(bank.value, 48));
    const char *preimage = text_of("{\"nonce\":\"%s\",\"register\":{\"rtmr\":3,\"sha384\":\"%s\"}}", nonce, value);
    uint8_t *q = (uint8_t *)f.quote.p, *body = q + 48;
    memset(body + 184, t.mrconfigid, 48);
    memcpy(body + 472, bank.value, 48);
    evidence_report_data(view_str(preimage), body + 520);
    forge_sign(t.quote_by_other ? f.other : f.ak, view_of(q, 48 + 584), q + 48 + 584 + 4);
    char *quoted_preimage = arena_alloc(&arena, 2048);
    struct writer p = writer_of(quoted_preimage, 2048);
    write_json_string(&p, view_str(preimage));
    size_t size = 64 << 10;
    char *out = arena_alloc(&arena, size);
    snprintf(out, size,
             "{\"plinth\":\"0.1.0\",\"tee\":\"tdx\",\"nonce\":\"%s\",\"quote\":\"%s\",\"report_data\":\"%s\",\"preimage\":%s,"
             "\"register\":{\"rtmr\":3,\"sha384\":\"%s\"},\"eventlog\":\"%s\",\"firmware_log\":\"\",\"image\":\"%s\",\"manifest\":\"%s\",\"policy\":\"%s\"}\n",
             nonce, base64(f.quote), hex(view_of(body + 520, 64)), quoted_preimage, value, base64(log), t.image, t.manifest, t.policy);
    return view_str(out);
}

static struct view make_reference(void) {
    uint8_t ab[48];
    char *out = arena_alloc(&arena, 32768);
    size_t n = (size_t)sprintf(out, "{\"tdx\":{");
    memset(ab, 0xab, 48);
    n += (size_t)sprintf(out + n, "\"mrtd\":\"%s\",\"rtmr1\":\"%s\",\"rtmr2\":\"%s\"", hex(view_of(ab, 48)), hex(view_of(ab, 48)), hex(view_of(ab, 48)));
    log_of(good_boot, BOOT);
    for (const char *p = t.values; *p; p++) {
        if (*p != '$')
            out[n++] = *p == '\'' ? '"' : *p;
        else if (*++p == 'R')
            n += (size_t)sprintf(out + n, "\"%s\"", hex(view_of(bank.value, 48)));
        else
            for (size_t i = 0; i < BOOT; i++) {
                struct writer s = writer_of(out + n, 1024);
                const struct line *l = &good_boot[i];
                write_text(&s, i ? "," : "[");
                write_json_string(&s, view_str(text_of("%s %s %.*s", l->domain, l->operation, VIEW_ARG(quoted(l->content)))));
                write_text(&s, i + 1 < BOOT ? "" : "]");
                n += s.n;
            }
    }
    sprintf(out + n, "},\"policy\":%s}", (const char *)quoted(t.policy_text).p);
    return view_str(out);
}

static void good(size_t events) {
    judge_drop(judge), judge = NULL; // in the arena
    fresh();
    wish_default(&w);
    memset(&t, 0, sizeof t);
    memcpy(t.lines, good_boot, sizeof good_boot);
    t.count = events;
    t.manifest = D("bb"), t.policy = D("aa"), t.image = "host/web:1", t.tee = "tdx";
    t.values = ",'rtmr3':$R,'events':$E", t.policy_text = "{}", t.mrconfigid = 0xab;
    memset(t.report_data, 0x5a, 48), memset(t.asked, 0x5a, 48);
}

static bool loaded(void) {
    static struct option_list certs;
    forge_drop(&f);
    forge(&w, &f);
    const struct { const char *name; struct view bytes; } list[] = {{"ca.der", f.ca}, {"signing.der", f.signing}, {"info.json", f.info},
                                                                    {"identity.json", f.identity}, {"root.crl", f.root_crl}, {"pck.crl", f.pck_crl}};
    certs.count = 0;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) certs.items[certs.count++] = file(list[i].name, list[i].bytes);
    struct judge_options o = {.reference = file("reference.json", make_reference()), .trust = file("root.der", f.root), .certs = &certs, .at = "2025-07-01"};
    if (t.release) o.policy = file("release.json", quoted(t.release));
    err = (struct err){0};
    return judge_load(&o, &arena, &judge, &err);
}

static bool judges(struct view text, struct writer *to, struct writer *ear) {
    const json *evidence;
    return json_parse(text, &arena, &evidence, &err) && judge_appraise(judge, view_str(t.tee), evidence, t.asked, to, ear, &err);
}

static bool appraised(void) {
    static uint8_t a[JUDGE_CLAIMS_MAX], b[JUDGE_SUBMODS_MAX];
    claims = writer_of(a, sizeof a), submods = writer_of(b, sizeof b);
    err = (struct err){0};
    bool ok = judges(make_document(), &claims, &submods);
    if (!ok) return CHECK(!claims.n && !submods.n && err.kind != ERR_NONE), false;
    if (!json_parse(writer_view(&claims), &arena, &said, &err)) check_fail("claims: %s", err.text);
    const json *ear;
    if (!json_parse(writer_view(&submods), &arena, &ear, &err)) check_fail("submods: %s", err.text);
    CHECK(view_is(json_text(json_pointer(ear, VIEW("/cpu0/ear.status"))), "warning"));
    return true;
}

// The same machine as another agent says it, in Trustee's shape: `log` in base64, or empty.
static bool foreign(const char *log) {
    static uint8_t a[JUDGE_CLAIMS_MAX];
    if (!loaded()) check_fail("judge_load: %s: %s", err.trail, err.text);
    make_document();
    uint8_t *q = (uint8_t *)f.quote.p, *body = q + 48;
    memset(body + 520, 0, 64), memcpy(body + 520, t.report_data, 48);
    forge_sign(t.quote_by_other ? f.other : f.ak, view_of(q, 48 + 584), q + 48 + 584 + 4);
    claims = writer_of(a, sizeof a), err = (struct err){0};
    const char *text = text_of("{\"cc_eventlog\":%s%s%s,\"quote\":\"%s\"}", *log ? "\"" : "null", log, *log ? "\"" : "", base64(f.quote));
    return judges(view_str(text), &claims, NULL) && json_parse(writer_view(&claims), &arena, &said, &err);
}

static bool made(void) {
    if (!loaded()) check_fail("judge_load: %s: %s", err.trail, err.text);
    return appraised();
}

#define ACCEPTED(events, bend)                                                              \
    do {                                                                                    \
        good(events);                                                                       \
        bend;                                                                               \
        if (!made()) check_fail("line %d: refused: %s: %s", __LINE__, err.trail, err.text); \
    } while (0)
#define REFUSED(events, bend, part)                                   \
    do {                                                              \
        good(events);                                                 \
        bend;                                                         \
        if (made()) check_fail("line %d: accepted", __LINE__);        \
        CHECK_ERR(part);                                              \
    } while (0)
#define SAYS(path, text) CHECK(view_is(json_text(json_pointer(said, VIEW(path))), text))

TEST(every_stage) {
    CHECK(mkdtemp(directory) != NULL);
    ACCEPTED(BOOT, );
    SAYS("/stage", "launched"), SAYS("/verdict", "warning"), SAYS("/caveats/0", "root-not-vendor"), SAYS("/tee", "tdx");
    SAYS("/manifest", D("bb")), SAYS("/policy", D("aa")), SAYS("/config", D("cc")), SAYS("/image", "host/web:1"), SAYS("/agent", "plinth 0.1.0");
    SAYS("/layers/1", D("f1")), SAYS("/set", "tdx");
    CHECK(json_count(json_get(said, "layers")) == 2 && !json_get(said, "initdata") && !json_get(said, "named_by"));
    ACCEPTED(IMAGE_MEASURED, );
    SAYS("/stage", "image"), SAYS("/manifest", D("bb"));
    CHECK(json_count(json_get(said, "layers")) == 0);
    ACCEPTED(IMAGE_MEASURED + 1, );
    SAYS("/stage", "image"), SAYS("/layers/0", D("f0"));
    ACCEPTED(STARTED, t.manifest = D("00"));
    SAYS("/stage", "started"), SAYS("/policy", D("aa"));
    CHECK(!json_get(said, "manifest") && !json_get(said, "image"));
    // The workload's own events count for nothing.
    ACCEPTED(BOOT, t.lines[t.count++] = ((struct line){"acme", "later", "anything"}));
    SAYS("/stage", "launched");
}

TEST(between_stages_nobody_asks) {
    for (size_t n = 0; n < BOOT; n++) {
        if (n == STARTED || (n >= IMAGE_MEASURED && n <= IMAGE_MEASURED + 2)) continue;
        REFUSED(n, , "the log ends without the separator");
    }
}

TEST(the_nonce_is_this_session_s) {
    REFUSED(BOOT, t.asked[0] ^= 1, "nonce: the evidence is for nonce 706c696e74682d6b5a5a");
    REFUSED(STARTED, t.asked[23] ^= 1, "nonce");
    ACCEPTED(BOOT, t.asked[24] ^= 1); // the document's nonce has the first half
    REFUSED(BOOT, t.untagged = true, "nonce: the evidence is for nonce 5a5a");
    REFUSED(BOOT, t.tee = "tpm", "the evidence is a tdx's, the request was a tpm's");
    REFUSED(BOOT, t.tee = "", "the request was a 's");
    // A document of another session, whole.
    good(BOOT);
    CHECK(loaded());
    struct view old = make_document();
    memset(t.asked, 0x33, 48);
    CHECK(!judges(old, &claims, &submods) && strstr(err.text, "nonce"));
}

TEST(the_log_explains_the_register_at_every_stage) {
    static const size_t stages[] = {STARTED, IMAGE_MEASURED, BOOT};
    for (size_t i = 0; i < 3; i++) {
        size_t n = stages[i];
        REFUSED(n, t.register_other = true, "register");
        REFUSED(n, t.log_other = true, "does not explain RTMR");
        REFUSED(n, t.quote_by_other = true, "quote-signature");
        // The log of a stage before, over the register of this one.
        if (i) REFUSED(n, t.hidden = n - stages[i - 1], "does not explain RTMR");
        REFUSED(n, t.lines[1].content = "{'digest':'" D("a0") "'}", "claims: image, manifest or policy of the document are not those of the log");
        // An event more, one of another boot, two in another order.
        REFUSED(n, (memmove(t.lines + 2, t.lines + 1, sizeof *t.lines * (LINES_MAX - 3)), t.lines[1] = (struct line){"acme", "boot", "{}"}, t.count++),
                "is no event of a boot");
        REFUSED(n, t.lines[0] = good_boot[1]; t.lines[1] = good_boot[0], "'policy' where 'boot' is due");
    }
    REFUSED(BOOT, t.lines[5] = good_boot[6]; t.lines[6] = good_boot[5], "layer 1, the next one is 0");
    REFUSED(BOOT, t.lines[t.count++] = good_boot[2], "behind the separator");
    REFUSED(BOOT, t.lines[t.count++] = good_boot[8], "behind the separator");
    REFUSED(IMAGE_MEASURED, t.lines[t.count++] = ((struct line){"plinth", "failure", "{'reason':'no'}"}), "the boot failed: no");
    REFUSED(IMAGE_MEASURED, t.lines[t.count++] = good_boot[8], "'separator' where 'launch' is due");
    REFUSED(IMAGE_MEASURED, t.lines[t.count++] = ((struct line){"acme", "later", "x"}), "content"); // a workload's, before the separator
}

TEST(what_a_boot_begins_with) {
    // Another policy, image or layer than the events of the set.
    REFUSED(STARTED, t.policy = D("a0"); t.lines[1].content = "{'digest':'" D("a0") "'}", "reference-values");
    CHECK_ERR("number 2: 'plinth policy");
    REFUSED(IMAGE_MEASURED, t.manifest = D("b0"); t.lines[2].content = t.lines[3].content = "{'digest':'" D("b0") "','image':'host/web:1'}", "reference-values");
    REFUSED(IMAGE_MEASURED + 1, t.lines[5].content = "{'diffID':'" D("e0") "','digest':'" D("f9") "','index':0}", "number 6");
    // More layers than expected.
    REFUSED(IMAGE_MEASURED + 2, t.lines[t.count++] = ((struct line){"plinth", "layer", "{'diffID':'" D("e0") "','digest':'" D("f0") "','index':2}"}), "number 8");
    // An unfinished boot is none: RTMR3 as predicted does not help without a prefix, nor does a prefix at the end of the boot.
    REFUSED(BOOT, t.lines[7].content = "{'process':'" D("ac") "','user':'web'}", "RTMR3 is");
}

TEST(a_reference_without_events) {
    // Nothing says which policy or image is expected.
    REFUSED(IMAGE_MEASURED, t.values = ",'rtmr3':$R", "neither policy.images nor a predicted register");
    ACCEPTED(STARTED, t.values = ",'rtmr3':$R"); // the policy came with the initramfs, which is as expected
    ACCEPTED(IMAGE_MEASURED, t.values = ",'rtmr3':$R"; t.policy_text = "{'images':['" D("bb") "']}");
    REFUSED(IMAGE_MEASURED, t.values = ""; t.policy_text = "{'images':['" D("b0") "']}", "none of policy.images");
    ACCEPTED(IMAGE_MEASURED, t.values = ""; t.policy_text = "{'images':['" D("bb") "'],'policies':['" D("aa") "']}");
    REFUSED(STARTED, t.values = ""; t.policy_text = "{'images':['" D("bb") "'],'policies':['" D("ab") "']}", "policy-digest");
    REFUSED(STARTED, t.values = ""; t.lines[1].content = "{'digest':'" D("aa") "','weaknesses':'kbs.allowHttp'}", "weaknesses");
    // What the firmware measured is compared at every stage.
    REFUSED(STARTED, t.values = ",'mrowner':'" ZERO48 "'", "MROWNER");
}

static void with_initdata(void) {
    memmove(t.lines + 2, t.lines + 1, sizeof *t.lines * (LINES_MAX - 3));
    t.lines[1] = (struct line){"plinth", "initdata", "{'digest':'" D("11") "'}"};
    t.count++;
}

// The policy that the host may have brought decides which command runs: an image alone is not enough.
TEST(a_policy_by_initdata) {
    for (size_t n = STARTED; n <= BOOT; n += n == STARTED ? IMAGE_MEASURED - STARTED : BOOT - IMAGE_MEASURED) {
        REFUSED(n, with_initdata(); t.values = ""; t.policy_text = "{'images':['" D("bb") "']}", "policy-digest: missing: the policy sha256:aaaa");
        ACCEPTED(n, with_initdata(); t.values = ""; t.policy_text = "{'images':['" D("bb") "'],'policies':['" D("aa") "']}");
        SAYS("/initdata", D("11"));
        ACCEPTED(n, with_initdata(); t.values = ",'mrconfigid':'" ZERO48 "'"; t.mrconfigid = 0; t.policy_text = "{'images':['" D("bb") "']}");
        REFUSED(n, with_initdata(); t.values = ",'mrconfigid':'" ZERO48 "'"; t.policy_text = "{'images':['" D("bb") "']}", "MRCONFIGID");
    }
    REFUSED(BOOT, with_initdata(), "number 2: 'plinth initdata");
}

TEST(a_policy_out_of_the_kbs) {
    struct line second = {"plinth", "policy", "{'digest':'" D("a2") "','uri':'kbs:///acme/policy/web'}"};
    struct line weak = {"plinth", "weaknesses", "{'weaknesses':'registry.allowHttp'}"};
    struct line ca = {"plinth", "resource", "{'digest':'" D("c0") "','uri':'kbs:///acme/registry/ca'}"};
#define SECOND                                                                                              \
    memmove(t.lines + 5, t.lines + 2, sizeof *t.lines * (LINES_MAX - 6)), t.lines[2] = second, t.lines[3] = weak, t.lines[4] = ca, t.count += 3; \
    t.policy = D("a2"), t.values = "", t.policy_text = "{'images':['" D("bb") "'],'policies':['" D("a2") "','" D("aa") "']}"
    for (size_t n = STARTED; n <= BOOT; n += n == STARTED ? IMAGE_MEASURED - STARTED : BOOT - IMAGE_MEASURED) {
        ACCEPTED(n, SECOND);
        SAYS("/policy", D("a2")), SAYS("/named_by", D("aa")), SAYS("/resources/0/uri", "kbs:///acme/registry/ca"), SAYS("/resources/0/digest", D("c0"));
        SAYS("/weaknesses/0", "registry.allowHttp");
        REFUSED(n, SECOND; t.policy_text = "{'images':['" D("bb") "'],'policies':['" D("aa") "']}", "policy-digest: sha256:a2a2");
        REFUSED(n, SECOND; t.policy = D("aa"), "claims");
        // Nothing but the first one vouches for it: good, unless that takes it from a KBS by plain HTTP, which the host may be.
        ACCEPTED(n, SECOND; t.policy_text = "{'images':['" D("bb") "'],'weaknesses':['registry.allowHttp']}");
        REFUSED(n, SECOND; t.lines[1].content = "{'digest':'" D("aa") "','weaknesses':'kbs.allowHttp'}";
                t.policy_text = "{'images':['" D("bb") "'],'weaknesses':['kbs.allowHttp','registry.allowHttp']}", "policy-digest: missing");
        ACCEPTED(n, SECOND; t.lines[1].content = "{'digest':'" D("aa") "','weaknesses':'kbs.allowHttp'}";
                 t.policy_text = "{'images':['" D("bb") "'],'policies':['" D("a2") "'],'weaknesses':['kbs.allowHttp','registry.allowHttp']}");
        REFUSED(n, SECOND; t.lines[3] = second, "'policy' where 'manifest' is due");
        REFUSED(n, SECOND; t.lines[1] = ca; t.lines[2] = ca, "'resource' where 'policy' is due");
    }
    // The first policy's weaknesses are this boot's, too: nobody knows them here.
    REFUSED(STARTED, SECOND; t.policy_text = "{'images':['" D("bb") "'],'weaknesses':['registry.allowHttp']}";
            t.lines[1].content = "{'digest':'" D("aa") "','weaknesses':'kbs.allowHttp'}", "weaknesses: the measured policy allows kbs.allowHttp");
}

TEST(what_is_released) {
    struct err why = {0};
    ACCEPTED(IMAGE_MEASURED, );
    CHECK(judge_release(judge, said, VIEW("a/b/c"), &why));
    ACCEPTED(IMAGE_MEASURED, t.release = "{'rules':[{'resources':['a/b/*'],'stage':['image'],'caveats':['root-not-vendor']},{'resources':['a/*/d'],'stage':['launched']}]}");
    CHECK(judge_release(judge, said, VIEW("a/b/c"), &why));
    CHECK(!judge_release(judge, said, VIEW("a/b/d"), &why) && strstr(why.text, "stage is 'image'") && why.kind == ERR_POLICY);
    CHECK(!judge_release(judge, said, VIEW("b/b/c"), &why) && strstr(why.text, "no rule"));
    ACCEPTED(BOOT, t.release = "{'rules':[{'resources':['a/b/c']}]}");
    CHECK(!judge_release(judge, said, VIEW("a/b/c"), &why) && strstr(why.text, "root-not-vendor"));
}

TEST(what_cannot_be_loaded) {
    good(BOOT);
    t.release = "{'rule':[]}";
    CHECK(!loaded() && err.kind == ERR_USAGE);
    CHECK_ERR("rule");
    good(BOOT);
    t.policy_text = "{'image':[]}";
    CHECK(!loaded() && err.kind == ERR_USAGE);
    struct judge_options o = {0};
    CHECK(!judge_load(&o, &arena, &judge, &err) && err.kind == ERR_USAGE);
    o.reference = "/nonexistent";
    CHECK(!judge_load(&o, &arena, &judge, &err) && err.kind == ERR_USAGE);
}

TEST(no_room_and_no_evidence) {
    good(BOOT);
    CHECK(loaded());
    uint8_t small[64];
    struct writer tight = writer_of(small, sizeof small);
    CHECK(!judges(make_document(), &tight, NULL) && err.kind == ERR_SYSTEM && !tight.n && !tight.full);
    claims.n = 0, submods = writer_of(small, sizeof small);
    CHECK(!judges(make_document(), &claims, &submods) && !claims.n && !submods.n);
    static const char *const bad[] = {"", "{}", "[]", "null", "{\"tee\":\"sample\"}", "\"x\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!judges(view_str(bad[i]), &claims, NULL) && err.kind == ERR_FORMAT);
    // Cut anywhere.
    struct view whole = make_document();
    for (size_t n = 0; n + 2 < whole.n; n += 97) CHECK(!judges(view_first(whole, n), &claims, NULL));
}

#define FOREIGN_REFUSED(bend, part)                                       \
    do {                                                                  \
        good(BOOT);                                                       \
        bend;                                                             \
        if (foreign("")) check_fail("line %d: accepted", __LINE__);       \
        CHECK_ERR(part);                                                  \
    } while (0)

TEST(another_agent) {
    struct err why = {0};
    good(BOOT);
    t.release = "{'rules':[{'resources':['a/b/*'],'caveats':['root-not-vendor']},{'resources':['a/*/c'],'stage':['other','launched'],'caveats':['root-not-vendor']}]}";
    if (!foreign("")) check_fail("%s: %s", err.trail, err.text);
    SAYS("/stage", "other"), SAYS("/verdict", "warning"), SAYS("/set", "tdx"), SAYS("/caveats/0", "root-not-vendor");
    CHECK(!json_get(said, "policy") && !json_get(said, "manifest") && !json_get(said, "agent"));
    CHECK(judge_release(judge, said, VIEW("a/x/c"), &why));
    CHECK(!judge_release(judge, said, VIEW("a/b/c"), &why) && strstr(why.text, "not Plinth"));
    CHECK(!judge_release(judge, said, VIEW("a/b/d"), &why));
    good(BOOT);
    CHECK(foreign("") && !judge_release(judge, said, VIEW("a/b/c"), &why) && strstr(why.text, "not Plinth"));
    FOREIGN_REFUSED(t.asked[47] ^= 1, "report-data");
    FOREIGN_REFUSED(t.quote_by_other = true, "quote-signature");
    FOREIGN_REFUSED(t.count--, "RTMR3");
    FOREIGN_REFUSED(t.values = "", "image: missing: the reference knows neither RTMR3 nor");
    FOREIGN_REFUSED(t.policy_text = "{'images':['" D("bb") "']}", "image: missing: it is no Plinth agent's evidence");
    FOREIGN_REFUSED(t.policy_text = "{'policies':['" D("aa") "']}", "it is no Plinth agent's evidence");
    FOREIGN_REFUSED(t.tee = "snp", "the evidence is a tdx's");
    // What binds the initdata decides, but not where nothing is bound.
    FOREIGN_REFUSED(t.values = ",'mrconfigid':'" ZERO48 "'"; t.mrconfigid = 0, "image: missing");
    good(BOOT);
    t.values = text_of(",'mrconfigid':'%s'", hex(memset(arena_alloc(&arena, 48), 0xcd, 48) ? view_of(arena.base + arena.used - 48, 48) : (struct view){0}));
    t.mrconfigid = 0xcd;
    if (!foreign("")) check_fail("%s: %s", err.trail, err.text);
    FOREIGN_REFUSED(t.values = ",'mrconfigid':'" ZERO48 "'", "MRCONFIGID");
    // A log that does not explain all four registers.
    good(BOOT);
    CHECK(!foreign(base64(log_of(good_boot, BOOT))));
    CHECK_ERR("firmware-log");
}

// Many at once, good ones and bad ones: each gets its own verdict.
static const json *documents[2];
static void *appraise_many(void *arg) {
    uint8_t *room = malloc(JUDGE_CLAIMS_MAX);
    size_t wrong = 0;
    for (size_t i = 0; i < 20; i++) {
        struct writer out = writer_of(room, JUDGE_CLAIMS_MAX);
        struct err e = {0};
        size_t which = (i + (size_t)arg) % 2;
        bool ok = judge_appraise(judge, VIEW("tdx"), documents[which], t.asked, &out, NULL, &e);
        wrong += ok != !which || (which && !strstr(e.text, "nonce")) || (!which && !out.n);
    }
    free(room);
    return (void *)wrong;
}

TEST(threads) {
    pthread_t threads[8];
    void *wrong;
    ACCEPTED(BOOT, );
    CHECK(json_parse(make_document(), &arena, &documents[0], &err));
    t.report_data[0] ^= 1;
    CHECK(json_parse(make_document(), &arena, &documents[1], &err));
    for (size_t i = 0; i < 8; i++) CHECK(!pthread_create(&threads[i], NULL, appraise_many, (void *)i));
    for (size_t i = 0; i < 8; i++) CHECK(!pthread_join(threads[i], &wrong) && !wrong);
    judge_drop(judge), judge = NULL;
    forge_drop(&f);
    CHECK(!system(text_of("rm -r %s", directory)));
}
