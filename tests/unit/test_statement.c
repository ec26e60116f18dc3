// statement: in-toto v0.1 and v1, good and broken.
#include "lib.h"

#include "trust/statement.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OTHER "03b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define V1 "'_type':'https://in-toto.io/Statement/v1'"
#define SUBJECT "'subject':[{'digest':{'sha256':'" HEX "'}}]"
#define TYPE "'predicateType':'t'"

static struct statement s;

static bool parses(const char *text)
{
    fresh();
    return statement_parse(quoted(text), &arena, &s, &err);
}

TEST(good)
{
    struct digest d, other;
    struct statement_subject subject;
    CHECK(parses("{" V1 "," SUBJECT "," TYPE ",'predicate':{'a':1},'more':[]}"));
    CHECK(view_is(s.predicate_type, "t") && json_get(s.predicate, "a") && json_count(s.subjects) == 1);
    CHECK(digest_parse(VIEW("sha256:" HEX), &d, &err) && digest_parse(VIEW("sha256:" OTHER), &other, &err));
    CHECK(statement_subject(&s, &d, &subject) && subject.name.n == 0 && !subject.annotations);
    CHECK(!statement_subject(&s, &other, &subject));
    CHECK(parses("{'_type':'https://in-toto.io/Statement/v0.1'," TYPE ",'subject':[{'name':'x','digest':{'sha512':'zz'}},"
                 "{'name':'y','annotations':{'k':'v'},'digest':{'sha1':'q','sha256':'" HEX "'}},{'digest':{'sha256':'" HEX "'}}]}"));
    CHECK(!s.predicate && statement_subject(&s, &d, &subject) && view_is(subject.name, "y") && json_get(subject.annotations, "k"));
    CHECK(!statement_digest(&s, &other));
}

TEST(bad)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "statement: not JSON"},
        {"[]", "statement: _type is missing"},
        {"{" SUBJECT "," TYPE "}", "statement: _type is missing"},
        {"{'_type':'https://in-toto.io/Statement/v2'," SUBJECT "," TYPE "}", "_type is 'https://in-toto.io/Statement/v2'"},
        {"{'_type':'https://in-toto.io/Statement/v1/'," SUBJECT "," TYPE "}", "_type is "},
        {"{'_type':1," SUBJECT "," TYPE "}", "_type must be a string, it is 1"},
        {"{" V1 "," TYPE "}", "statement: subject is missing"},
        {"{" V1 "," TYPE ",'subject':[]}", "statement: subject is empty"},
        {"{" V1 "," TYPE ",'subject':{}}", "statement: subject must be an array"},
        {"{" V1 "," TYPE ",'subject':[7]}", "statement: subject[0] is not an object"},
        {"{" V1 "," TYPE ",'subject':[{}]}", "statement: subject[0].digest is missing"},
        {"{" V1 "," TYPE ",'subject':[{'digest':{'sha256':'E" HEX "'}}]}", "subject[0].digest.sha256 is not 64"},
        {"{" V1 "," TYPE ",'subject':[{'digest':{'sha256':'E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'}}]}", "lower-case"},
        {"{" V1 "," TYPE ",'subject':[{'digest':{'sha256':7}}]}", "subject[0].digest.sha256"},
        {"{" V1 "," TYPE ",'subject':[{'name':7,'digest':{'sha256':'" HEX "'}}]}", "subject[0].name must be a string"},
        {"{" V1 "," TYPE ",'subject':[{'annotations':[],'digest':{'sha256':'" HEX "'}}]}", "subject[0].annotations must be an object"},
        {"{" V1 "," SUBJECT "}", "statement: predicateType is missing"},
        {"{" V1 "," SUBJECT ",'predicateType':''}", "predicateType is empty"},
        {"{" V1 "," SUBJECT ",'predicateType':7}", "predicateType must be a string"},
        {"{" V1 "," SUBJECT "," SUBJECT "," TYPE "}", "'subject' is there twice"},
        {"{" V1 "," SUBJECT "," TYPE "," TYPE "}", "'predicateType' is there twice"},
        {"{" V1 "," SUBJECT "," TYPE "}{}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (parses(cases[i].text) || err.kind != ERR_FORMAT)
            check_fail("%s", cases[i].text);
        CHECK_ERR(cases[i].why);
    }
}

TEST(bounds)
{
    fresh();
    char *text = arena_alloc(&arena, 1 << 20), *p = text;
    p += sprintf(p, "{" V1 "," TYPE ",'subject':[{'digest':{}}");
    for (unsigned i = 1; i < STATEMENT_SUBJECTS_MAX; i++)
        p += sprintf(p, ",{'digest':{}}");
    strcpy(p, "]}");
    CHECK(statement_parse(quoted(text), &arena, &s, &err));
    strcpy(p, ",{'digest':{}}]}");
    CHECK(!statement_parse(quoted(text), &arena, &s, &err));
    CHECK_ERR("1025 subjects, 1024 are accepted");
    p = text + sprintf(text, "{" V1 "," TYPE "," SUBJECT ",'predicate':");
    memset(p, '[', 20000), strcpy(p + 20000, "]}");
    CHECK(!statement_parse(quoted(text), &arena, &s, &err));
    CHECK_ERR("nested deeper than 64");
}

static bool accepts(struct view v)
{
    arena.used = 8 << 20;
    memset(arena.base + arena.used, 0, 1 << 16);
    return statement_parse(v, &arena, &s, &err);
}

TEST(broken_sisters)
{
    fresh();
    struct view v = quoted("{" V1 "," SUBJECT "," TYPE ",'predicate':{'a':1}}");
    broken(v, v.n, accepts);
}
