// attestation: which statement meets which entry of a policy.
#include "party.h"

#include "trust/attestation.h"

static struct attestation_verdict verdict;

static bool check(void)
{
    open_all();
    err = (struct err){0};
    return attestation_check(&policy, &image, &claims, &arena, &arena, &verdict, &err);
}

#define UNSIGNED "{'signatures':{'allowUnsigned':true},'attestations':["
#define ONE UNSIGNED "{'predicateType':'t','keys':[$0]}]}"

// One statement by p0.
static bool check_one(const char *rules, enum signature_form form, const char *statement)
{
    if (!begin(rules))
        check_fail("%s: %s", err.trail, err.text);
    add(0, form, spelled(statement));
    return check();
}

TEST(statements)
{
    CHECK(check_one(ONE, SIGNATURE_DSSE, STATEMENT("t", "", "{}")));
    CHECK(verdict.count == 1 && verdict.matches[0].key == 0 && verdict.matches[0].form == SIGNATURE_DSSE && verdict.matches[0].attestation == 0);
    CHECK(digest_eq(&verdict.matches[0].digest, &image.manifest));
    CHECK(check_one(ONE, SIGNATURE_BUNDLE, STATEMENT("t", "", "{}")) && verdict.matches[0].form == SIGNATURE_BUNDLE);
    CHECK(check_one(ONE, SIGNATURE_DSSE, "{'_type':'https://in-toto.io/Statement/v0.1','subject':[{'digest':{'sha256':'%I'}}],'predicateType':'t'}"));
    CHECK(digest_eq(&verdict.matches[0].digest, &image.index));
    CHECK(!check_one(ONE, SIGNATURE_DSSE, STATEMENT("T", "", "{}")));
    CHECK_ERR("attestations[0]: 0 of 1 required attestations t; 'p0' attests T; not signed by 'p0'");
    CHECK(!check_one(ONE, SIGNATURE_TAG, STATEMENT("t", "", "{}")));
    CHECK(!check_one(ONE, SIGNATURE_TAG, SIMPLE("null")));
    CHECK_ERR("the image has no attestation");
    CHECK(strstr(err.mend, "cosign attest --key KEY --type t --predicate FILE HOST/REPOSITORY@sha256:"));
    CHECK(!check_one(ONE, SIGNATURE_MESSAGE, ""));
    CHECK(!check_one(UNSIGNED "{'predicateType':'t','keys':[$1]}]}", SIGNATURE_DSSE, STATEMENT("t", "", "{}")));
    CHECK_ERR("it is signed by a key outside the policy, or the signed bytes were altered");
    CHECK(begin(ONE));
    image.has_index = false;
    add(0, SIGNATURE_DSSE, spelled("{'_type':'https://in-toto.io/Statement/v1','subject':[{'digest':{'sha256':'%I'}}],'predicateType':'t'}"));
    CHECK(!check());
    CHECK_ERR("the signature by 'p0' is for sha256:");
    // No predicate, but requirements.
    CHECK(!check_one(UNSIGNED "{'predicateType':'t','keys':[$0],'require':[{'path':'/a','exists':true}]}]}", SIGNATURE_DSSE,
                     "{'_type':'https://in-toto.io/Statement/v1','subject':[{'digest':{'sha256':'%D'}}],'predicateType':'t'}"));
    CHECK_ERR("attestation by 'p0', require[0]: /a of the predicate is missing, wanted is exists true");
    CHECK_STR(err.mend, "attest it with a predicate that says so, or change attestations[0].require[0] in the policy");
}

#define TWO UNSIGNED "{'predicateType':'t','threshold':2,'keys':[$0,$1,$2],'require':[{'path':'/n','atLeast':3},{'path':'/s','matches':'a+'}]}," \
                     "{'predicateType':'u','keys':[$2]}]}"

// All requirements in one statement of each key; the same key twice is one.
TEST(thresholds)
{
    CHECK(begin(TWO));
    add(0, SIGNATURE_DSSE, spelled(STATEMENT("t", "", "{'n':3}")));
    add(0, SIGNATURE_DSSE, spelled(STATEMENT("t", "", "{'s':'a'}")));
    CHECK(!check());
    CHECK_ERR("attestations[0]: 0 of 2 required attestations t; attestation by 'p0', require[1]: /s of the predicate is missing");
    add(0, SIGNATURE_DSSE, spelled(STATEMENT("t", "", "{'n':3,'s':'a'}")));
    add(0, SIGNATURE_BUNDLE, spelled(STATEMENT("t", "", "{'n':4,'s':'aa'}")));
    CHECK(!check());
    CHECK_ERR("1 of 2 required attestations t (by 'p0'); 'p0' signed more than once, which counts once; not signed by 'p1', 'p2'");
    add(2, SIGNATURE_BUNDLE, spelled(STATEMENT("t", "", "{'n':4,'s':'aa'}")));
    CHECK(!check());
    CHECK_ERR("attestations[1]: 0 of 1 required attestations u; 'p2' attests t; not signed by 'p2'");
    add(1, SIGNATURE_BUNDLE, spelled(STATEMENT("u", "", "{}")));
    CHECK(!check());
    add(2, SIGNATURE_DSSE, spelled(STATEMENT("u", "", "{}")));
    CHECK(check() && verdict.count == 3);
    CHECK(verdict.matches[0].key == 0 && verdict.matches[1].key == 2 && verdict.matches[2].attestation == 1 && verdict.matches[2].key == 2);
}

// A statement is parsed only for a key of the policy, and strictly.
TEST(strict)
{
    static const char *const bad[] = {"[]", "{}", STATEMENT("t", "", "{}") "x", "{'predicateType':'t'," STATEMENT("t", "", "{}"), STATEMENT("t", "", "{'a':1,'a':2}")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!check_one(ONE, SIGNATURE_DSSE, bad[i]));
    CHECK_ERR("signature by 'p0': statement: the JSON member 'a' is there twice");
}

static struct signature_candidate good;

static bool payload_accepts(struct view v)
{
    arena.used = 16 << 20;
    memset(arena.base + arena.used, 0, 1 << 20);
    candidates[0].payload = v;
    return check();
}

TEST(cut_and_flipped)
{
    CHECK(check_one(ONE, SIGNATURE_DSSE, STATEMENT("t", "", "{}")));
    good = candidates[0];
    CHECK_EQ(broken(good.payload, good.payload.n, payload_accepts), 0);
}
