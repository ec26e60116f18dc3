// simple_signing and signature; the recorded cases of cosign.
#include "party.h"

#include <stdlib.h>

#include "base/codec.h"
#include "format/pem.h"
#include "oci/manifest.h"
#include "trust/signature.h"
#include "trust/simple_signing.h"

static struct signature_verdict verdict;

static void add_key(struct view name)
{
    char path[100];
    struct view label, der;
    struct policy_key *k = &policy.keys[policy.key_count++];
    snprintf(path, sizeof path, "keys/%.*s.pub", VIEW_ARG(name));
    struct view text = vector(path);
    CHECK(pem_next(&text, &arena, &label, &der, &err) && public_key_decode(label, der, &k->key, &err));
    k->name = name;
}

static void set_policy(uint32_t threshold, struct view keys)
{
    policy = (struct policy){.group_count = 1, .top_keys = true};
    policy.keys = arena_alloc(&arena, KEYS_MAX * sizeof *policy.keys);
    while (keys.n)
        add_key(view_cut(&keys, ',', NULL));
    policy.groups[0] = (struct policy_keys){threshold, ((uint64_t)1 << policy.key_count) - 1};
}

static struct view unbase64(struct view text)
{
    uint8_t *p = arena_alloc(&arena, text.n + 1);
    size_t n = 0;
    CHECK(p != NULL);
    if (!view_is(text, "-") && !base64_decode(text, p, text.n, &n))
        check_fail("bad base64 in the vectors");
    return view_of(p, n);
}

// As the fetch worker does it: what is not base64 comes as an empty signature.
static struct view decoded(struct view text)
{
    uint8_t *p = arena_alloc(&arena, text.n + 1);
    size_t n = 0;
    return base64_decode(text, p, text.n, &n) ? view_of(p, n) : (struct view){0};
}

// (candidates) -> verdict
static bool check_image(const struct digest *manifest, const struct digest *index)
{
    image = (struct image_subject){.manifest = *manifest, .index = index ? *index : *manifest, .has_index = index != NULL};
    open_all();
    return signature_check(&policy, &image, &claims, &verdict, &err);
}

// One case of cases.txt: its line, then the .sig manifest and blobs, read as the fetch worker reads them.
struct recorded {
    struct view name, verdict;
    struct digest image;
    bool annotations;
};

static bool next_case(struct view *text, struct recorded *c)
{
    struct signature_entry entries[SIGNATURES_MAX];
    size_t entry_count = 0, threshold = 0;
    if (text->n == 0)
        return false;
    struct view line = view_cut(text, '\n', NULL);
    CHECK(view_is(view_cut(&line, ' ', NULL), "case"));
    c->name = view_cut(&line, ' ', NULL);
    c->verdict = view_cut(&line, ' ', NULL);
    CHECK(view_u64(view_cut(&line, ' ', NULL), 9, &threshold));
    set_policy((uint32_t)threshold, view_cut(&line, ' ', NULL));
    CHECK(digest_parse(view_cut(&line, ' ', NULL), &c->image, &err));
    c->annotations = line.n > 0;
    candidate_count = 0;
    while (text->n && !view_starts(*text, VIEW("case "))) {
        line = view_cut(text, '\n', NULL);
        struct view word = view_cut(&line, ' ', NULL);
        if (view_is(word, "manifest")) {
            CHECK(signature_manifest_parse(unbase64(line), &arena, entries, SIGNATURES_MAX, &entry_count, &err));
            continue;
        }
        struct digest digest;
        CHECK(view_is(word, "blob") && digest_parse(view_cut(&line, ' ', NULL), &digest, &err) && candidate_count < entry_count);
        CHECK(digest_eq(&digest, &entries[candidate_count].payload.digest));
        candidates[candidate_count] = (struct signature_candidate){SIGNATURE_TAG, unbase64(line), decoded(entries[candidate_count].signature)};
        candidate_count++;
    }
    CHECK(candidate_count == entry_count);
    return true;
}

static bool find_case(const char *name, struct recorded *c)
{
    struct view text = vector("signature/cases.txt");
    while (next_case(&text, c))
        if (view_is(c->name, name))
            return true;
    return false;
}

static bool check_case(const char *name)
{
    struct recorded c;
    fresh();
    CHECK(find_case(name, &c));
    return check_image(&c.image, NULL);
}

TEST(recorded_verdicts)
{
    fresh();
    struct view text = vector("signature/cases.txt");
    struct recorded c;
    unsigned right = 0, free_choice = 0, with_annotations = 0;
    while (next_case(&text, &c)) {
        bool yes = check_image(&c.image, NULL);
        if (!view_is(c.verdict, "either") && yes != view_is(c.verdict, "accept"))
            check_fail("%.*s: %s, wanted %.*s: %s", VIEW_ARG(c.name), yes ? "accept" : "reject", VIEW_ARG(c.verdict), yes ? "" : err.text);
        CHECK(yes == (verdict.count >= policy.groups[0].threshold) && (yes || err.kind == ERR_SIGNATURE));
        free_choice += view_is(c.verdict, "either");
        with_annotations += c.annotations;
        right++;
    }
    CHECK_EQ(right, 44);
    CHECK_EQ(with_annotations, 12);
    CHECK_EQ(free_choice, 1);
}

TEST(reasons)
{
    static const struct {
        const char *name, *why;
    } bad[] = {
        {"c2-unsigned", "0 of 1 required signatures; the registry has no signature of this image; not signed by 'ka'"},
        {"c2-wrongkey", "0 of 1 required signatures; it is signed by a key outside the policy, or the signed bytes were altered; not signed by 'ka', 'kb'"},
        {"c2-twice", "1 of 2 required signatures (by 'ka'); 'ka' signed more than once, which counts once; not signed by 'kb'"},
        {"n-transplant", "the signature by 'ka' is for sha256:"},
        {"n-digest-other", ", the image is sha256:60bcca859a15235667a81ed03a2d8c88fda595bbd56ffec1af9e03028af6874e; not signed by 'ka'"},
        {"n-ann-tampered", "or the signed bytes were altered"},
        {"n-sig-bitflip", "outside the policy, or the signed bytes were altered"},
        {"n-sig-empty", "a signature is empty, or was not base64"},
        {"n-sig-noann", "a signature is empty, or was not base64"},
        {"n-sig-notb64", "a signature is empty, or was not base64"},
        {"n-sig-der-trailing", "outside the policy"},
        {"n-digest-empty", "signature by 'ka': payload: critical.image.docker-manifest-digest: '' is no digest"},
        {"n-digest-upper", "lower case"},
        {"n-type-wrong", "payload: critical.type is 'atomic container signature', 'cosign container image signature' is expected"},
        {"n-json-trailing", "signature by 'ka': payload: not JSON"},
        {"n-json-dupkey", "'docker-manifest-digest' is there twice"},
        {"n-json-not", "payload: not JSON"},
        {"n-critical-missing", "payload: critical is missing"},
        {"n-sha384", "outside the policy"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (check_case(bad[i].name))
            check_fail("%s was accepted", bad[i].name);
        CHECK_ERR(bad[i].why);
        CHECK(strstr(err.mend, "cosign sign --key"));
    }
}

// An index was asked for: a signature over it counts for the manifest it led to; the index of another image does not.
TEST(through_the_index)
{
    struct recorded c;
    struct digest manifest;
    fresh();
    CHECK(find_case("index", &c));
    CHECK(digest_parse(VIEW("sha256:75b2a9c8a885b60b73bdcdb4f067f8537f28dc00c2661e2f3c7ab77bcdbcc4c5"), &manifest, &err));
    CHECK(check_image(&manifest, &c.image));
    CHECK(verdict.count == 1 && verdict.matches[0].key == 0 && digest_eq(&verdict.matches[0].digest, &c.image));
    CHECK(!check_image(&manifest, NULL) && verdict.count == 0);
    manifest.sha256[0] ^= 1;
    CHECK(!check_image(&manifest, &manifest));
    // The other way round: the manifest is signed, the index that led to it is not.
    CHECK(find_case("c2-sig", &c));
    CHECK(check_image(&c.image, &manifest));
    CHECK(digest_eq(&verdict.matches[0].digest, &c.image));
}

TEST(which_keys)
{
    struct recorded c;
    fresh();
    CHECK(find_case("c2-two", &c));
    set_policy(2, VIEW("kc,kb,ka"));
    CHECK(check_image(&c.image, NULL) && verdict.count == 2);
    CHECK(verdict.matches[0].key != verdict.matches[1].key && verdict.matches[0].key && verdict.matches[1].key);
    CHECK_STR(signature_form_name(verdict.matches[0].form), "tag");
    set_policy(3, VIEW("kc,kb,ka"));
    CHECK(!check_image(&c.image, NULL) && verdict.count == 2);
    CHECK_ERR("2 of 3 required signatures (by 'kb', 'ka')");
    CHECK_ERR("not signed by 'kc'");
    policy.groups[1] = (struct policy_keys){1, 1}; // 'kc' alone: a second group
    policy.group_count = 2;
    policy.groups[0].threshold = 2;
    CHECK(!check_image(&c.image, NULL));
    CHECK_ERR("signatures.groups[0]: 0 of 1 required signatures; the registry has no signature of this image; not signed by 'kc'");
}

TEST(bounds)
{
    struct recorded c;
    fresh();
    CHECK(find_case("c2-sig", &c));
    struct signature_candidate good = candidates[0];
    // The 101st is not looked at; one of a hundred is.
    for (size_t i = 0; i <= SIGNATURES_MAX; i++)
        candidates[i] = (struct signature_candidate){SIGNATURE_TAG, good.payload, VIEW("AAAA")};
    candidates[SIGNATURES_MAX] = good;
    candidate_count = SIGNATURES_MAX + 1;
    CHECK(!check_image(&c.image, NULL));
    candidates[SIGNATURES_MAX - 1] = good;
    CHECK(check_image(&c.image, NULL));
    uint8_t *big = arena_alloc(&arena, SIGNATURE_PAYLOAD_MAX + 1);
    candidate_count = 1;
    candidates[0] = (struct signature_candidate){SIGNATURE_TAG, view_of(big, SIGNATURE_PAYLOAD_MAX + 1), good.signature};
    CHECK(!check_image(&c.image, NULL));
    CHECK_ERR("it has 65537 bytes, and");
    memset(big, 'A', SIGNATURE_MAX + 4);
    candidates[0] = (struct signature_candidate){SIGNATURE_TAG, good.payload, view_of(big, SIGNATURE_MAX + 4)};
    CHECK(!check_image(&c.image, NULL));
    CHECK_ERR("1028 of signature; 65536 and 1024 are accepted");
}

// Names as long as the policy allows do not push the reason out of the message.
TEST(long_names)
{
    struct recorded c;
    fresh();
    CHECK(find_case("n-digest-other", &c));
    uint8_t *name = arena_alloc(&arena, 128);
    memset(name, 'n', 128);
    policy.keys[0].name = view_of(name, 128);
    for (size_t i = 1; i < KEYS_MAX; i++)
        policy.keys[i] = (struct policy_key){view_of(name, 128), {.spki_sha256 = {(uint8_t)i}}};
    policy.key_count = policy.groups[0].threshold = KEYS_MAX;
    policy.groups[0].keys = ~(uint64_t)0;
    CHECK(!check_image(&c.image, NULL));
    CHECK_ERR("0 of 64 required signatures; the signature by 'nnn");
    CHECK_ERR("the image is sha256:60bcca859a15235667a81ed03a2d8c88fda595bbd56ffec1af9e03028af6874e; not signed by");
}

static struct recorded flipped;

static bool payload_accepts(struct view v)
{
    candidates[0].payload = v;
    return check_image(&flipped.image, NULL);
}

static bool signature_accepts(struct view v)
{
    candidates[0].signature = v;
    return check_image(&flipped.image, NULL);
}

TEST(cut_and_flipped)
{
    fresh();
    CHECK(find_case("c2-sig", &flipped));
    struct view payload = candidates[0].payload, signature = candidates[0].signature;
    CHECK_EQ(broken(payload, payload.n, payload_accepts), 0);
    candidates[0].payload = payload;
    CHECK_EQ(broken(signature, signature.n, signature_accepts), 0);
}

#define D "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PAYLOAD(identity, image, type, more)                                                                                      \
    "{'critical':{'identity':{'docker-reference':" identity "},'image':{'docker-manifest-digest':" image "},'type':" type "}" more "}"
#define TYPE "'cosign container image signature'"

static bool parses(const char *text)
{
    struct simple_signing s;
    fresh();
    return simple_signing_parse(quoted(text), &arena, &s, &err);
}

TEST(payloads)
{
    struct simple_signing s;
    fresh();
    CHECK(simple_signing_parse(quoted(PAYLOAD("'r/x'", "'" D "'", TYPE, ",'optional':{'a':'b'},'new':1")), &arena, &s, &err));
    CHECK(view_is(s.docker_reference, "r/x") && s.manifest_digest.sha256[0] == 0xe3 && json_get(s.optional, "a"));
    CHECK(parses(PAYLOAD("''", "'" D "'", TYPE, "")) && parses(PAYLOAD("''", "'" D "'", TYPE, ",'optional':null")));
    const char *bad[] = {"", "[]", "{}", "{'critical':[]}", PAYLOAD("7", "'" D "'", TYPE, ""), PAYLOAD("''", "7", TYPE, ""), PAYLOAD("''", "'sha256:'", TYPE, ""),
                         PAYLOAD("''", "'" D "'", "'x'", ""), PAYLOAD("''", "'" D "'", "null", ""), PAYLOAD("''", "'" D "'", TYPE, ",'optional':[]"),
                         PAYLOAD("''", "'" D "'", TYPE, ",'critical':{}"), PAYLOAD("''", "'" D "'", TYPE, "") "x",
                         "{'critical':{'image':{'docker-manifest-digest':'" D "'},'type':" TYPE "}}", "{'critical':{'identity':{'docker-reference':''},'type':" TYPE "}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parses(bad[i]) || err_status(&err) != 1)
            check_fail("%s", bad[i]);
}

#define ONE "{'signatures':{'keys':[$0]"
#define CONDITIONS ",'annotations':{'env':'prod','n':'1'},'identity':'r.example/app'}}"

static bool check(void)
{
    open_all();
    err = (struct err){0};
    return signature_check(&policy, &image, &claims, &verdict, &err);
}

// One candidate by p0, under a policy.
static bool check_one(const char *rules, enum signature_form form, const char *payload)
{
    if (!begin(rules))
        check_fail("%s", err.text);
    add(0, form, form == SIGNATURE_MESSAGE ? image.manifest_bytes : spelled(payload));
    return check();
}

TEST(forms)
{
    CHECK(check_one(ONE "}}", SIGNATURE_TAG, SIMPLE("null")) && verdict.matches[0].form == SIGNATURE_TAG);
    CHECK(check_one(ONE "}}", SIGNATURE_INLINE, SIMPLE("null")));
    CHECK(check_one(ONE "}}", SIGNATURE_BUNDLE, STATEMENT(SIGN, "", "{}")) && verdict.matches[0].form == SIGNATURE_BUNDLE);
    CHECK(check_one(ONE "}}", SIGNATURE_DSSE, STATEMENT(SIGN, "", "{}")));
    CHECK(digest_eq(&verdict.matches[0].digest, &image.manifest) && verdict.count == 1);
    CHECK(!check_one(ONE "}}", SIGNATURE_BUNDLE, STATEMENT("https://spdx.dev/Document", "", "{}")));
    CHECK_ERR("'p0' made an attestation (https://spdx.dev/Document), which is no signature");
    CHECK(!check_one(ONE "}}", SIGNATURE_TAG, STATEMENT(SIGN, "", "{}")));
    CHECK_ERR("signature by 'p0': payload: critical is missing");
    CHECK(!check_one(ONE "}}", SIGNATURE_BUNDLE, SIMPLE("null")));
    CHECK_ERR("signature by 'p0': statement: _type is missing");
    // The same bytes signed without the envelope's encoding.
    CHECK(begin(ONE "}}"));
    struct view statement = spelled(STATEMENT(SIGN, "", "{}"));
    add(0, SIGNATURE_TAG, statement)->form = SIGNATURE_DSSE;
    CHECK(!check());
    CHECK_ERR("the registry has no signature of this image");
    CHECK(!check_one(ONE "}}", SIGNATURE_MESSAGE, ""));
    CHECK_ERR("messageSignature, which does not say that it is for an image");
    CHECK(strstr(err.mend, "signatures.messageSignatures"));
    CHECK(check_one(ONE ",'messageSignatures':true}}", SIGNATURE_MESSAGE, ""));
    CHECK(begin(ONE ",'messageSignatures':true}}"));
    add(0, SIGNATURE_MESSAGE, image.index_bytes);
    CHECK(check() && digest_eq(&verdict.matches[0].digest, &image.index));
    image.has_index = false;
    CHECK(!check());
    CHECK(begin(ONE ",'messageSignatures':true}}"));
    add(0, SIGNATURE_MESSAGE, VIEW("sha256:%D"));
    CHECK(!check());
}

TEST(conditions)
{
    static const struct {
        enum signature_form form;
        const char *payload, *why;
    } cases[] = {
        {SIGNATURE_TAG, SIMPLE("{'env':'prod','n':'1','x':{}}"), NULL},
        {SIGNATURE_TAG, SIMPLE("{'env':'prod','n':1}"), "the annotation n is 1, the policy asks for '1'"},
        {SIGNATURE_TAG, SIMPLE("{'env':'dev','n':'1'}"), "the annotation env is 'dev', the policy asks for 'prod'"},
        {SIGNATURE_TAG, SIMPLE("null"), "the annotation env is missing, the policy asks for 'prod'"},
        {SIGNATURE_BUNDLE, STATEMENT(SIGN, ",'annotations':{'env':'prod','n':'1'},'name':'r.example/app'", "{}"), NULL},
        {SIGNATURE_BUNDLE, STATEMENT(SIGN, ",'annotations':{'env':'prod','n':'2'},'name':'r.example/app'", "{}"), "the annotation n is '2'"},
        {SIGNATURE_BUNDLE, STATEMENT(SIGN, ",'annotations':{'env':'prod','n':'1'}", "{}"), "the signature by 'p0' (bundle) names no repository"},
        {SIGNATURE_BUNDLE, STATEMENT(SIGN, ",'annotations':{'env':'prod','n':'1'},'name':'r.example/appx'", "{}"), "is for r.example/appx, the policy says r.example/app"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool yes = check_one(ONE CONDITIONS, cases[i].form, cases[i].payload);
        if (yes != !cases[i].why)
            check_fail("case %zu: %s", i, err.text);
        if (!yes)
            CHECK_ERR(cases[i].why);
    }
    CHECK(!check_one(ONE ",'identity':'r.example/other'}}", SIGNATURE_TAG, SIMPLE("null")));
    CHECK_ERR("is for r.example/app:1, the policy says r.example/other");
    CHECK(!check_one(ONE ",'identity':'r.example/app','messageSignatures':true}}", SIGNATURE_MESSAGE, ""));
    // Both conditions in one signature, not one in each.
    CHECK(begin(ONE ",'annotations':{'a':'1','b':'2'}}}"));
    add(0, SIGNATURE_TAG, spelled(SIMPLE("{'a':'1'}"))), add(0, SIGNATURE_TAG, spelled(SIMPLE("{'b':'2'}")));
    CHECK(!check() && verdict.count == 0);
    add(0, SIGNATURE_BUNDLE, spelled(STATEMENT(SIGN, ",'annotations':{'b':'2','a':'1'}", "{}")));
    CHECK(check() && verdict.count == 1 && verdict.matches[0].form == SIGNATURE_BUNDLE);
}

#define GROUPS "{'signatures':{'groups':[{'threshold':1,'keys':[$0,$1]},{'keys':[$2,$3]}]}}"

TEST(groups)
{
    CHECK(begin(GROUPS));
    add(1, SIGNATURE_TAG, spelled(SIMPLE("null")));
    add(1, SIGNATURE_BUNDLE, spelled(STATEMENT(SIGN, "", "{}")));
    add(2, SIGNATURE_BUNDLE, spelled(STATEMENT(SIGN, "", "{}")));
    CHECK(!check() && verdict.count == 2);
    CHECK_ERR("signatures.groups[1]: 1 of 2 required signatures (by 'p2'); ");
    CHECK_ERR("not signed by 'p3'");
    add(3, SIGNATURE_INLINE, spelled(SIMPLE("null")));
    CHECK(check() && verdict.count == 3);
    // A key in several lists counts in each; the top list must hold as well.
    CHECK(begin("{'signatures':{'threshold':1,'keys':[$4],'groups':[{'threshold':1,'keys':[$0,$1]},{'threshold':1,'keys':[$2,$0]}]}}"));
    CHECK(policy.key_count == 4 && policy.group_count == 3);
    add(0, SIGNATURE_TAG, spelled(SIMPLE("null")));
    CHECK(!check());
    CHECK_ERR("0 of 1 required signatures; the registry has no signature of this image; not signed by 'p4'");
    add(4, SIGNATURE_TAG, spelled(SIMPLE("null")));
    CHECK(check() && verdict.count == 2);
}

TEST(inline_counts)
{
    char text[4000], payload[800], signature[200];
    CHECK(begin(ONE "}}"));
    struct view simple = spelled(SIMPLE("null"));
    struct writer p = writer_of(payload, sizeof payload), s = writer_of(signature, sizeof signature);
    write_base64(&p, simple), write_base64(&s, signed_by(1, simple));
    snprintf(text, sizeof text, "{'signatures':{'keys':[$0,$1],'inline':[{'payload':'%s','signature':'%s'}]}}", writer_str(&p), writer_str(&s));
    CHECK(begin(text));
    CHECK(!check() && verdict.count == 1 && verdict.matches[0].form == SIGNATURE_INLINE && verdict.matches[0].key == 1);
    add(0, SIGNATURE_TAG, spelled(SIMPLE("null")));
    CHECK(check() && verdict.count == 2);
    image.manifest.sha256[0] ^= 1;
    CHECK(!check() && verdict.count == 0);
    CHECK_ERR("' is for sha256:");
}

// A policy that only names another one (kbs.policy) has no keys: whoever forgot to follow it lets nothing run.
TEST(no_keys_is_no_licence)
{
    fresh();
    policy = (struct policy){0};
    struct digest any = {{1}};
    CHECK(!check_image(&any, NULL) && err.kind == ERR_POLICY && verdict.count == 0);
    CHECK_ERR("does not say whose images may run");
}
