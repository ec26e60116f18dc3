#include "lib.h"

#include "base/limits.h"
#include "format/json.h"

static const json *root;

static bool parse(const char *text)
{
    fresh();
    return json_parse(quoted(text), &arena, &root, &err);
}

static bool accepts(struct view v)
{
    arena.used = 0;
    memset(arena.base, 0, 1 << 16);
    return json_parse(v, &arena, &root, &err);
}

TEST(values)
{
    uint64_t n;
    bool b;
    CHECK(parse(" {'s':'a\\u00e9\\n','n':9007199254740992,'t':true,'f':false,'z':null,'a':[1,[2],{'x':3}],'o':{}} "));
    CHECK(json_is_object(root) && json_count(root) == 7);
    CHECK(view_is(json_text(json_get(root, "s")), "a\xc3\xa9\n"));
    CHECK(json_u64(json_get(root, "n"), &n) && n == (uint64_t)1 << 53);
    CHECK(json_is_bool(json_get(root, "t"), &b) && b && json_is_bool(json_get(root, "f"), &b) && !b);
    CHECK(json_is_null(json_get(root, "z")) && !json_is_null(NULL) && !json_is_bool(json_get(root, "z"), &b));
    const json *a = json_get(root, "a");
    CHECK(json_is_array(a) && json_count(a) == 3 && json_at(a, 3) == NULL && json_at(a, 0) && json_at(root, 0) == NULL);
    CHECK(json_get(json_at(a, 2), "x") && !json_get(a, "x") && !json_get(NULL, "x") && !json_get(root, "nope") && !json_get(root, ""));
    CHECK(json_text(a).n == 0 && json_text(NULL).p == NULL && json_count(NULL) == 0 && json_count(json_get(root, "s")) == 0);
    CHECK(parse("'only'") && view_is(json_text(root), "only") && parse("7") && json_u64(root, &n) && n == 7 && parse("[]"));
}

TEST(iteration)
{
    CHECK(parse("{'a':[[],[1,2],3],'b':{},'c':'x'}"));
    struct json_iter it = json_each(root);
    const char *names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        CHECK(json_next(&it) && view_is(it.name, names[i]) && it.value == json_get(root, names[i]));
    CHECK(!json_next(&it) && !json_next(&it));
    size_t n = 0;
    for (it = json_each(json_get(root, "a")); json_next(&it); n++)
        CHECK(it.value == json_at(json_get(root, "a"), n) && it.name.n == 0);
    CHECK_EQ(n, 3);
    it = json_each(json_get(root, "b"));
    CHECK(!json_next(&it));
    it = json_each(json_get(root, "c"));
    CHECK(!json_next(&it));
    it = json_each(NULL);
    CHECK(!json_next(&it));
}

TEST(integers)
{
    uint64_t n = 42;
    CHECK(parse("[-1,1.0,1e3,9007199254740993,18446744073709551615,18446744073709551616,1.5,-0,'1',true,null,0.0,1E0]"));
    struct json_iter it = json_each(root);
    while (json_next(&it))
        CHECK(!json_u64(it.value, &n) && n == 42);
    const char *bad[] = {"01", "+1", "1.", ".5", "0x10", "1e", "--1", "NaN", "Infinity", "-", "1e999", "1_000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i]))
            check_fail("%s was accepted", bad[i]);
}

TEST(refused_forms)
{
    const char *bad[] = {"", " ", "{", "[1,]", "{'a':1,}", "{'a' 1}", "{a:1}", "[1] 2", "[1]]", "{}{}", "'a", "'\\x41'", "'\\ud800'", "'\\udc00x'",
                         "'\t'", "// c\n1", "/* c */1", "[1] // c", "nul", "True", "{'a':1 'b':2}", "'\x80'", "'\xc3'", "'\xc0\xaf'",
                         "'\xed\xa0\x80'", "'\xf4\x90\x80\x80'", "\xef\xbb\xbf{}", "[1]\x01", "'\\u0000'", "{'\\u0000':1}", "['a\\u0000b']"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i]))
            check_fail("%s was accepted", bad[i]);
        CHECK_EQ(err.kind, ERR_FORMAT);
    }
    fresh();
    CHECK(!json_parse(VIEW("[1]\0"), &arena, &root, &err) && !json_parse((struct view){0}, &arena, &root, &err));
}

TEST(duplicate_names)
{
    const char *bad[] = {"{'a':1,'a':1}", "{'a':1,'b':2,'a':3}", "{'a':1,'\\u0061':2}", "[[{'x':{'y':1,'z':[{'q':1,'q':2}]}}]]", "{'':1,'':2}",
                         "{'o':{'a':1},'p':[{'b':1,'bb':2,'b':3}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!parse(bad[i]) && err.kind == ERR_FORMAT);
        CHECK_ERR("is there twice");
    }
    CHECK(parse("{'a':{'a':{'a':1}},'b':{'a':1},'A':1,'aa':2,'ab':[{'a':1},{'a':1}]}"));
}

// 40,000 members, found in n log n; the last repeats one.
TEST(many_names)
{
    for (int repeat = 0; repeat < 2; repeat++) {
        fresh();
        char *text = arena_alloc(&arena, 1 << 20);
        size_t n = (size_t)sprintf(text, "{");
        for (int i = 0; i < 40000; i++)
            n += (size_t)sprintf(text + n, "\"name%d\":%d,", i * 7, i);
        n += (size_t)sprintf(text + n, "\"name%d\":0}", repeat ? 7 * 20000 : 3);
        CHECK(json_parse(view_of(text, n), &arena, &root, &err) == !repeat);
    }
}

TEST(depth)
{
    fresh();
    char text[2 * JSON_DEPTH_MAX + 3];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CHECK(json_parse(view_of(text, 2 * depth), &arena, &root, &err) == (depth == JSON_DEPTH_MAX));
    }
    CHECK_ERR("nested deeper than 64");
    char *deep = arena_alloc(&arena, 1 << 20);
    memset(deep, '[', 1 << 20);
    CHECK(!json_parse(view_of(deep, 1 << 20), &arena, &root, &err));
    // Brackets inside strings are none, also behind escaped quotes; a document may be wide.
    char wide[4000] = "[\"\\\"[[[[\\\\\"";
    for (int i = 0; i < 500; i++)
        strcat(wide, ",[[]]");
    strcat(wide, "]");
    CHECK(json_parse(view_str(wide), &arena, &root, &err) && json_count(root) == 501 && view_is(json_text(json_at(root, 0)), "\"[[[[\\"));
}

TEST(needs)
{
    struct view s;
    uint64_t n;
    const json *v;
    CHECK(parse("{'s':'x','n':3,'neg':-5,'frac':1.5,'o':{},'a':[]}"));
    CHECK(json_need_text(root, "s", "manifest", &s, &err) && view_is(s, "x") && json_need_u64(root, "n", "m", &n, &err) && n == 3);
    CHECK(json_need_object(root, "o", "m", &v, &err) && json_need_array(root, "a", "m", &v, &err));
    CHECK(!json_need_text(root, "gone", "manifest: config", &s, &err));
    CHECK_STR(err.text, "manifest: config.gone is missing");
    CHECK(!json_need_text(NULL, "gone", "manifest", &s, &err));
    CHECK_STR(err.text, "manifest: gone is missing");
    CHECK(!json_need_u64(root, "neg", "manifest: config", &n, &err));
    CHECK_STR(err.text, "manifest: config.neg must be a whole number of 0 to 2^53, it is -5");
    CHECK(!json_need_u64(root, "frac", "m", &n, &err));
    CHECK_ERR("it is 1.5");
    CHECK(!json_need_text(root, "n", "m", &s, &err));
    CHECK_ERR("must be a string, it is 3");
    CHECK(!json_need_object(root, "a", "m", &v, &err));
    CHECK_ERR("must be an object, it is of type array");
    CHECK(!json_need_array(root, "o", "m", &v, &err) && err.kind == ERR_FORMAT);
}

TEST(known_members)
{
    const char *const names[] = {"a", "b", NULL};
    CHECK(parse("{'a':1,'b':2}") && json_only(root, names, "policy", &err));
    CHECK(parse("{'a':1,'c\\n':2}") && !json_only(root, names, "policy: x", &err) && err.kind == ERR_USAGE);
    CHECK_STR(err.text, "policy: x.c\\x0a is not known to this build; known here: a, b");
    CHECK(json_only(NULL, names, "policy", &err));
}

TEST(memory_is_bounded)
{
    struct arena small;
    CHECK(arena_make(&small, 8192, &err));
    char text[4001] = "[";
    for (int i = 0; i < 1999; i++)
        strcat(text, i ? ",0" : "0");
    strcat(text, "]");
    CHECK(!json_parse(view_str(text), &small, &root, &err) && err.kind == ERR_SYSTEM);
    arena_drop(&small);
    // The densest text there is needs 9 times its size, not more: the array of values grows in place.
    fresh();
    CHECK(json_parse(view_str(text), &arena, &root, &err) && arena.used < 13 * strlen(text));
}

TEST(broken_sisters)
{
    fresh();
    struct view v = VIEW("{\"a\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\xe2\x82\xac\",true,null],\"b\":{\"c\":\"d\"}}");
    broken(v, v.n, accepts);
}
