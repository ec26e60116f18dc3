// release: which rule gives what to whom, and that a rule more never gives more.
#include "party.h"

#include "tools/serve/guest_policy.h"
#include "tools/serve/release.h"

#define D(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define CLAIMS(caveats, more)                                                                                          \
    "{'caveats':[" caveats "],'verdict':'warning','tee':'tdx','stage':'launched','agent':'plinth 0.2.1','policy':'" D("aa") \
    "','manifest':'" D("bb") "','layers':['" D("f0") "','" D("f1") "'],'set':'tdx, web'" more "}"

static struct release *release;
static const json *claims_here;

static bool reads(const char *rules) {
    err = (struct err){0};
    return release_read(spelled(rules), &arena, &release, &err);
}

static void rules(const char *text) {
    fresh();
    if (!reads(text)) check_fail("%s: %s: %s", text, err.trail, err.text);
}

static void guest(const char *text) {
    if (!json_parse(spelled(text), &arena, &claims_here, &err)) check_fail("%s", err.text);
}

static bool gives(const char *path) {
    err = (struct err){0};
    bool ok = release_decide(release, claims_here, view_str(path), &err);
    if (!ok && err.kind != ERR_POLICY && err.kind != ERR_FORMAT) check_fail("kind %d", err.kind);
    return ok;
}

#define AFFIRMED                                                                                                       \
    "{'caveats':[],'verdict':'affirming','tee':'tdx','stage':'launched','agent':'plinth 0.2.1','policy':'" D("aa")     \
    "','manifest':'" D("bb") "','layers':['" D("f0") "','" D("f1") "'],'set':'tdx, web'}"

TEST(without_a_file) {
    fresh();
    CHECK(release_read((struct view){0}, &arena, &release, &err) && release_check(release, &err));
    guest(CLAIMS("'root-not-vendor'", ""));
    CHECK(gives("a/b/c") && gives("x/y/z.pem"));
    static const char *const bad[] = {"", "a", "a/b", "a/b/c/d", "/a/b/c", "a/b/c/", "a//c", "../b/c", "a/../c", "a/b/..", "a/b/.", "a/b/c%2f", "a/b/*", "a/b/c?x", "a b/c/d", "a/b\\/c"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (gives(bad[i]) || err.kind != ERR_FORMAT) check_fail("'%s' is a resource", bad[i]);
}

TEST(claims_of_nobody) {
    fresh();
    CHECK(release_read((struct view){0}, &arena, &release, &err));
    static const char *const bad[] = {
        "null", "{}", "[]", "'affirming'",
        "{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'launched','layers':[]}",
        "{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'launched','layers':[],'policy':'x'}",
        "{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'none','layers':[],'policy':'" D("aa") "'}",
        "{'verdict':'affirming','caveats':[],'tee':'sample','stage':'image','layers':[],'policy':'" D("aa") "'}",
        "{'verdict':'affirming','caveats':['root-not-vendor'],'tee':'tdx','stage':'image','layers':[],'policy':'" D("aa") "'}",
        "{'verdict':'warning','caveats':[],'tee':'tdx','stage':'image','layers':[],'policy':'" D("aa") "'}",
        "{'verdict':'contraindicated','caveats':[],'tee':'tdx','stage':'image','layers':[],'policy':'" D("aa") "'}",
        "{'verdict':'affirming','tee':'tdx','stage':'image','layers':[],'policy':'" D("aa") "'}",
        "{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'image','policy':'" D("aa") "'}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        guest(bad[i]);
        if (gives("a/b/c") || err.kind != ERR_FORMAT) check_fail("case %zu", i);
    }
    claims_here = NULL;
    CHECK(!gives("a/b/c"));
    guest("{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'image','layers':[],'policy':'" D("aa") "'}");
    CHECK(gives("a/b/c"));
}

TEST(which_resources_a_rule_names) {
    rules("{'rules':[{'resources':['acme/key/web-*','acme/*/db','*/pub/*','a*c/x*y*z/1']}]}");
    guest(AFFIRMED);
    static const char *const yes[] = {"acme/key/web-", "acme/key/web-1", "acme/key/db", "acme/x/db", "any/pub/thing", "ac/xyz/1", "abc/x1y2z/1", "aXcc/xyyzz/1"};
    static const char *const no[] = {"acme/key/web", "acme/key/other", "acme/key/dbx", "Acme/key/db", "pub/any/x", "acme/keyx/web-1", "abc/xy/1", "ac/xyz/11", "a/xyz/1"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!gives(yes[i])) check_fail("%s: %s", yes[i], err.text);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (gives(no[i]) || !strstr(err.text, "no rule of the release policy names")) check_fail("%s: %s", no[i], err.text);
    rules("{'rules':[]}");
    guest(AFFIRMED);
    CHECK(!gives("a/b/c"));
}

// One condition, a guest for whom it holds and one for whom it does not.
TEST(each_condition) {
    static const struct {
        const char *condition, *good, *bad, *why;
    } list[] = {
        {"'stage':['image','launched']", "'stage':'image'", "'stage':'started'", "stage is 'started', none of stage"},
        {"'tee':['snp']", "'tee':'snp'", "'tee':'tpm'", "tee is 'tpm'"},
        {"'images':['" D("b0") "','" D("b1") "']", "'manifest':'" D("b1") "'", "'manifest':'" D("b2") "'", "manifest is 'sha256:b2b2"},
        {"'images':['" D("b0") "']", "'manifest':'" D("b0") "'", "'x':1", "manifest is 'none'"},
        {"'policies':['" D("a0") "']", "'policy':'" D("a0") "'", "'policy':'" D("a1") "'", "policy is 'sha256:a1"},
        {"'initdata':['" D("10") "']", "'initdata':'" D("10") "'", "'initdata':'" D("11") "'", "initdata is 'sha256:11"},
        {"'initdata':['" D("10") "']", "'initdata':'" D("10") "'", "'x':1", "initdata is 'none'"},
        {"'sets':['tdx, a','tdx, b']", "'set':'tdx, b'", "'set':'tdx, c'", "set is 'tdx, c'"},
        {"'layers':['" D("f1") "','" D("f0") "']", "'layers':['" D("f0") "','" D("f1") "']", "'layers':['" D("f0") "']", "layer sha256:f1f1"},
        {"'agent':'0.2'", "'agent':'plinth 0.10'", "'agent':'plinth 0.1.9'", "at least 0.2 is wanted"},
        {"'agent':'0.2'", "'agent':'plinth 0.2.0'", "'agent':'someone 9.9'", "someone 9.9"},
        {"'agent':'0.2'", "'agent':'plinth 0.2.0'", "'x':1", "the agent is ''"},
        {"'caveats':['firmware-unknown','allowed-pck-crl']", "'caveats':['allowed-pck-crl','firmware-unknown'],'verdict':'warning'",
         "'caveats':['firmware-unknown','ak-unbound'],'verdict':'warning'", "ak-unbound"},
        {"'tee':['tdx']", "'x':1", "'caveats':['firmware-unknown'],'verdict':'warning'", "firmware-unknown"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        for (size_t bad = 0; bad < 2; bad++) {
            char text[4096], own[512];
            // What the claims say beside: those of the list first, for a name stands there once.
            static const char *const usual[] = {"'caveats':[]", "'verdict':'affirming'", "'tee':'tdx'", "'stage':'launched'", "'policy':'" D("aa") "'", "'layers':[]"};
            snprintf(own, sizeof own, "%s", bad ? list[i].bad : list[i].good);
            size_t n = (size_t)snprintf(text, sizeof text, "{%s", own);
            for (size_t k = 0; k < sizeof usual / sizeof *usual; k++) {
                char name[32];
                snprintf(name, sizeof name, "%.*s", (int)(strchr(usual[k], ':') - usual[k]) + 1, usual[k]);
                if (!strstr(own, name)) n += (size_t)snprintf(text + n, sizeof text - n, ",%s", usual[k]);
            }
            snprintf(text + n, sizeof text - n, "}");
            char policy[2048];
            snprintf(policy, sizeof policy, "{'rules':[{'resources':['a/b/*'],%s}]}", list[i].condition);
            rules(policy);
            guest(text);
            if (gives("a/b/c") == (bool)bad) check_fail("case %zu: %s: %s", i, bad ? "given" : "denied", err.text);
            if (bad) CHECK_ERR(list[i].why);
            if (bad) CHECK_ERR("rule 1 (a/b/*)");
        }
}

TEST(all_rules_that_name_it_must_hold) {
    rules("{'rules':[{'resources':['a/*/*']},{'resources':['a/key/*'],'stage':['image'],'comment':'keys of layers'},{'resources':['a/key/x'],'tee':['snp']}]}");
    guest(AFFIRMED);
    CHECK(gives("a/other/x"));
    CHECK(!gives("a/key/y"));
    CHECK_ERR("rule 2 (a/key/*): stage is 'launched'");
    guest("{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'image','layers':[],'policy':'" D("aa") "'}");
    CHECK(gives("a/key/y") && !gives("a/key/x"));
    CHECK_ERR("rule 3 (a/key/x): tee is 'tdx'");
    guest("{'verdict':'affirming','caveats':[],'tee':'snp','stage':'image','layers':[],'policy':'" D("aa") "'}");
    CHECK(gives("a/key/x"));
}

static struct view policy_text(const char *text) {
    return spelled(text);
}

// Which key of a policy nothing goes without.
TEST(keys_that_a_policy_needs) {
    struct guest_policy p;
    static const struct {
        const char *text;
        unsigned needed; // bits: the parties
    } list[] = {
        {"{'signatures':{'keys':[$0]}}", 1},
        {"{'signatures':{'keys':[$0,$1]}}", 3},                // threshold: all
        {"{'signatures':{'threshold':1,'keys':[$0,$1]}}", 0},
        {"{'signatures':{'threshold':2,'keys':[$0,$1,$2]}}", 0},
        {"{'signatures':{'threshold':1,'keys':[$0,$1],'groups':[{'threshold':1,'keys':[$1]}]}}", 2},
        {"{'signatures':{'allowUnsigned':true}}", 0},
        {"{'signatures':{'keys':[$0]},'attestations':[{'predicateType':'https://x.example/t','keys':[$1]}]}", 1},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        fresh();
        struct view bytes = policy_text(list[i].text);
        if (!guest_policy_read(bytes, &arena, &p, &err)) check_fail("case %zu: %s", i, err.text);
        CHECK_EQ(p.key_count, (size_t)__builtin_popcount(list[i].needed));
        CHECK(policy_parse(policy_text("{'signatures':{'keys':[$0,$1,$2]}}"), &arena, &policy, &err));
        for (unsigned k = 0; k < 3; k++)
            CHECK(guest_policy_needs(&p, policy.keys[k].key.spki_sha256) == (bool)(list[i].needed >> k & 1));
    }
    fresh();
    CHECK(!guest_policy_read(VIEW("{}"), &arena, &p, &err) && err.kind == ERR_USAGE);
}

// A rule that wants the signature of `signers` (PEM texts out of $N), and a guest policy.
static void signers(const char *wanted, const char *guest_policy) {
    char text[8192], claims_text[1024], digest[DIGEST_TEXT_SIZE];
    struct view parties = spelled(wanted), bytes;
    const json *array;
    size_t n = (size_t)snprintf(text, sizeof text, "{\"rules\":[{\"resources\":[\"a/b/c\"],\"signers\":[");
    CHECK(json_parse(parties, &arena, &array, &err));
    for (size_t i = 0; i < json_count(array); i++) {
        struct writer w = writer_of(text + n, sizeof text - n);
        if (i) write_u8(&w, ',');
        write_json_string(&w, json_text(json_get(json_at(array, i), "pem")));
        n += w.n;
    }
    snprintf(text + n, sizeof text - n, "]}]}");
    CHECK(reads(text));
    bytes = policy_text(guest_policy);
    if (!release_add_policy(release, bytes, &arena, &err)) check_fail("%s", err.text);
    CHECK(policy_parse(bytes, &arena, &policy, &err));
    snprintf(claims_text, sizeof claims_text, "{'verdict':'affirming','caveats':[],'tee':'tdx','stage':'image','layers':[],'policy':'%s'}", digest_text(&policy.digest, digest));
    guest(claims_text);
}

TEST(who_signed) {
    fresh();
    signers("[$0]", "{'signatures':{'keys':[$0]}}");
    CHECK(release_check(release, &err) && gives("a/b/c"));
    guest(AFFIRMED); // another policy
    CHECK(!gives("a/b/c"));
    CHECK_ERR("is none of --guest-policy");
    fresh();
    signers("[$0,$1]", "{'signatures':{'keys':[$0,$1]}}");
    CHECK(release_check(release, &err) && gives("a/b/c"));
    fresh();
    signers("[$1]", "{'signatures':{'threshold':1,'keys':[$0,$1]}}");
    CHECK(!release_check(release, &err) && err.kind == ERR_USAGE);
    CHECK_ERR("can never hold");
    CHECK(!gives("a/b/c"));
    CHECK_ERR("can be satisfied without signer 1");
    fresh();
    signers("[$0,$2]", "{'signatures':{'keys':[$0,$1]}}");
    CHECK(!gives("a/b/c"));
    CHECK_ERR("without signer 2");
}

TEST(files_that_are_wrong) {
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"x", "release policy"}, {"[]", "a JSON object is wanted"}, {"{}", "rules"}, {"{'rules':{}}", "rules"}, {"{'rules':[],'default':'allow'}", "default"},
        {"{'rules':[1]}", "rule 1 is no object"}, {"{'rules':[{}]}", "rule 1: resources: an array"}, {"{'rules':[{'resources':[]}]}", "not empty"},
        {"{'rules':[{'resources':'a/b/c'}]}", "an array of strings"}, {"{'rules':[{'resources':[1]}]}", "three parts"},
        {"{'rules':[{'resources':['a/b']}]}", "three parts"}, {"{'rules':[{'resources':['*']}]}", "three parts"}, {"{'rules':[{'resources':['a/../c']}]}", "three parts"},
        {"{'rules':[{'resources':['kbs:///a/b/c']}]}", "three parts"}, {"{'rules':[{'resources':['a/b/c']},{'resources':['a/b/?']}]}", "rule 2"},
        {"{'rules':[{'resources':['a/b/c'],'stage':'image'}]}", "stage: an array"}, {"{'rules':[{'resources':['a/b/c'],'stage':['booted']}]}", "booted"},
        {"{'rules':[{'resources':['a/b/c'],'tee':['sgx']}]}", "sgx"}, {"{'rules':[{'resources':['a/b/c'],'images':['latest']}]}", "a digest is wanted"},
        {"{'rules':[{'resources':['a/b/c'],'image':['" D("aa") "']}]}", "image"}, {"{'rules':[{'resources':['a/b/c'],'layers':[]}]}", "layers"},
        {"{'rules':[{'resources':['a/b/c'],'policies':['" D("AA") "']}]}", "digest"}, {"{'rules':[{'resources':['a/b/c'],'initdata':null}]}", "initdata"},
        {"{'rules':[{'resources':['a/b/c'],'caveats':['any']}]}", "no caveat of that name"}, {"{'rules':[{'resources':['a/b/c'],'caveats':['no-nonce']}]}", "no caveat"},
        {"{'rules':[{'resources':['a/b/c'],'signers':['x']}]}", "no PEM block"}, {"{'rules':[{'resources':['a/b/c'],'signers':[]}]}", "signers"},
        {"{'rules':[{'resources':['a/b/c'],'sets':['']}]}", "sets"}, {"{'rules':[{'resources':['a/b/c'],'agent':['0.1']}]}", "agent: a text"},
        {"{'rules':[{'resources':['a/b/c'],'comment':1}]}", "comment: a text"}, {"{'rules':[{'resources':['a/b/c'],'resources':['a/b/c']}]}", "resources"},
        {"{'rules':[]} {}", "release policy"},
        {"{'rules':[{'resources':['a/b/c'],'signers':['-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\\n']}]}", "rule 1: signers"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fresh();
        if (reads(bad[i].text)) check_fail("case %zu: accepted", i);
        if (err.kind != ERR_USAGE) check_fail("case %zu: kind %d: %s", i, err.kind, err.text);
        CHECK_ERR(bad[i].part);
    }
}

static bool accepts(struct view v) {
    static struct arena mine;
    if (!mine.size) CHECK(arena_make(&mine, 1 << 20, &err));
    mine.used = 0;
    struct release *r;
    return v.n && release_read(v, &mine, &r, &err);
}

TEST(cut_or_bent_anywhere) {
    fresh();
    struct view whole = spelled("{'rules':[{'resources':['a/b/*'],'stage':['image'],'tee':['tdx'],'images':['" D("bb") "'],'caveats':['ak-unbound']}]}");
    CHECK(accepts(whole));
    broken(whole, whole.n, accepts);
}
