// checks, fields, moment: the small parts that every verdict rests on.
#include "lib.h"

#include "tools/appraise/checks.h"
#include "tools/appraise/fields.h"
#include "tools/appraise/moment.h"

static struct checks c;
static struct option_list allow;

static bool judge(const char *allowed)
{
    allow.count = 0;
    if (allowed)
        allow.items[allow.count++] = allowed;
    err = (struct err){0};
    return checks_verdict(&c, &allow, &err);
}

TEST(nothing_is_not_good)
{
    c = (struct checks){0};
    CHECK(!judge(NULL));
    CHECK_ERR("nothing was checked");
    checks_missing(&c, "a", false, "not given");
    CHECK(!judge(NULL)); // what is missing is nothing, needed or not
    CHECK(!judge("a"));
    checks_good(&c, "b", "holds");
    CHECK(judge(NULL));
    CHECK(!checks_hold(&c, "a") && checks_hold(&c, "b") && !checks_hold(&c, "c"));
}

TEST(what_allow_can_do)
{
    c = (struct checks){0};
    CHECK(checks_good(&c, "good", "x"));
    CHECK(!checks_missing(&c, "missing", true, "the %s", "CRL"));
    CHECK(!judge(NULL));
    CHECK_ERR("missing: missing: the CRL");
    CHECK(strstr(err.mend, "--allow missing"));
    CHECK(judge("missing"));
    CHECK_EQ(checks_find(&c, "missing")->state, CHECK_MISSING);
    CHECK(!checks_policy(&c, "policy", false, "p"));
    CHECK(!judge("missing"));
    CHECK_ERR("policy: p");
    allow.items[allow.count++] = "policy";
    CHECK(checks_verdict(&c, &allow, &err));
    CHECK(!checks_bad(&c, "proof", "does not hold"));
    allow.items[allow.count++] = "proof";
    CHECK(!checks_verdict(&c, &allow, &err)); // nothing waives a proof
    CHECK_ERR("proof: does not hold");
    CHECK_EQ(err_status(&err), 1);
}

TEST(allow_must_name_a_check)
{
    c = (struct checks){0};
    checks_policy(&c, "policy", true, "p");
    CHECK(judge("policy"));
    CHECK(!judge("polcy"));
    CHECK_EQ(err_status(&err), 2);
    checks_bad(&c, "proof", "x");
    CHECK(!judge("polcy"));
    CHECK_EQ(err_status(&err), 1); // a refusal says more
}

TEST(what_need_can_do)
{
    struct option_list need = {0};
    c = (struct checks){0};
    checks_good(&c, "good", "x");
    checks_missing(&c, "said", false, "the CRL");
    checks_missing(&c, "needed", true, "the TCB info");
    checks_need(&c, true, &need);
    CHECK(judge(NULL));
    need.items[need.count++] = "said";
    checks_need(&c, true, &need);
    CHECK(!judge(NULL));
    CHECK_ERR("said: missing: the CRL");
    CHECK(judge("said"));
    c.list[2].needed = true, need.count = 0;
    checks_need(&c, false, &need);
    CHECK(!judge("said"));
    CHECK_ERR("needed: missing: the TCB info");
}

TEST(proof_is_told_before_policy_before_missing)
{
    c = (struct checks){0};
    checks_missing(&c, "first", true, "m");
    CHECK(!judge(NULL));
    CHECK_ERR("first: missing: m");
    checks_policy(&c, "policy", false, "p");
    CHECK(!judge(NULL));
    CHECK_ERR("policy: p");
    checks_bad(&c, "second", "b");
    checks_bad(&c, "third", "b");
    CHECK(!judge(NULL));
    CHECK_ERR("second: b");
}

TEST(too_many_checks_refuse)
{
    c = (struct checks){0};
    for (unsigned i = 0; i < CHECKS_MAX; i++)
        checks_good(&c, "a", "x");
    CHECK(judge(NULL));
    checks_good(&c, "a", "x");
    CHECK(!judge(NULL));
    CHECK_ERR("more than 64 checks");
}

TEST(json_of_checks)
{
    static struct result r;
    c = (struct checks){0};
    checks_good(&c, "a", "x\n\xff");
    checks_bad(&c, "b", "y");
    checks_missing(&c, "c", true, "z");
    judge("c");
    result_members_begin(&r);
    checks_write(&c, &r);
    CHECK_STR(writer_str(&r.out), "\"checks\":[{\"name\":\"a\",\"ok\":true,\"detail\":\"x??\"},{\"name\":\"b\",\"ok\":false,\"detail\":\"y\"},"
                                  "{\"name\":\"c\",\"ok\":null,\"detail\":\"z\",\"allowed\":true}],\"missing\":[\"c\"]");
    static struct result outer;
    result_members_begin(&outer);
    result_bool(&outer, "t", true, false);
    result_members(&outer, &r);
    CHECK(strstr(writer_str(&outer.out), "\"t\":false,\"checks\":["));
}

TEST(fields_of_a_structure)
{
    static struct result r;
    static const struct field table[] = {{"hex", 0, 3, FIELD_HEX}, {"little", 1, 2, FIELD_LE}, {"big", 1, 2, FIELD_BE}, {"beyond", 2, 2, FIELD_LE}, {"far", 9, 1, FIELD_HEX}, {0}};
    result_members_begin(&r);
    fields_write(&r, view_of("\x0a\x01\x02", 3), table);
    CHECK_STR(writer_str(&r.out), "\"hex\":\"0a0102\",\"little\":513,\"big\":258,\"beyond\":null,\"far\":null");
}

TEST(moments)
{
    static const struct {
        const char *text;
        long long seconds; // -1: refused
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},           {"2025-07-01T00:00:00Z", 1751328000},  {"2025-07-01", 1751328000},
        {"2024-02-29T23:59:59Z", 1709251199},  {"2023-02-29T00:00:00Z", -1},          {"2025-13-01", -1},
        {"2025-00-01", -1},                    {"2025-01-00", -1},                    {"2025-01-32", -1},
        {"2025-01-01T24:00:00Z", -1},          {"2025-01-01T00:60:00Z", -1},          {"2025-01-01T00:00:60Z", -1},
        {"2025-01-01T00:00:00", -1},           {"2025-01-01T00:00:00+00:00", -1},     {"2025-01-01 00:00:00Z", -1},
        {"1969-12-31", -1},                    {"9999-12-31T23:59:59Z", 253402300799}, {"", -1},
        {"@0", 0},                             {"@1751328000", 1751328000},           {"@253402300800", -1},
        {"@-1", -1},                           {"@", -1},                             {"now", -1},
        {"2025-07-01T00:00:00z", -1},          {"2025-7-1", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t s = -1;
        bool ok = moment_parse(view_str(cases[i].text), &s);
        if (ok != (cases[i].seconds >= 0) || (ok && s != cases[i].seconds))
            check_fail("%s: %d, %lld", cases[i].text, ok, (long long)s);
    }
    char text[MOMENT_TEXT];
    CHECK_STR(moment_text(1751328000, text), "2025-07-01T00:00:00Z");
    CHECK_STR(moment_text(253402300799, text), "9999-12-31T23:59:59Z");
    CHECK_STR(moment_text(-1, text), "?");
}
