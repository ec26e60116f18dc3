/* toml: what is taken, to the byte; what is refused, and by which name. */
#include "lib.h"

#include "format/toml.h"

static struct toml toml;

static bool parse(struct view v) {
    arena.used = 0;
    return toml_parse(v, &arena, &toml, &err);
}

static bool parses(const char *text) { return parse(view_str(text)); }

static bool entry(size_t i, const char *table, const char *key, enum toml_type type, const char *value) {
    const struct toml_entry *k = &toml.entries[i];
    return i < toml.count && view_is(k->table, table) && view_is(k->key, key) && k->type == type && view_is(k->value, value);
}

static const char sample[] =
    "# initdata\n"
    "version = \"0.1.0\" # a comment\n"
    "algorithm='sha384'\n"
    "\n"
    "  [ data ]\n"
    "\"aa.toml\" = '''\n"
    "[token_configs]\n"
    "url = \"x\" # not ours\n"
    "'''\n"
    "\t'cdh.toml'\t=\t\"\"\"a\\tb\\\n"
    "      \n  c \"\"d\"\"\"\"\"\n"
    "bare-Key_9 = 0\n"
    "[a.b]\n"
    "on = true\n"
    "off = false\n"
    "n = 18446744073709551615";

TEST(takes) {
    fresh();
    char text[sizeof sample];
    strcpy(text, sample);
    CHECK(!parses(text)); /* "[ data ]": more than we take */
    CHECK_ERR("line 5: a table's name was expected");
    memcpy(strstr(text, "[ data ]"), " [data] ", 8);
    CHECK(!parses(text));
    CHECK_ERR("line 17: only strings, whole numbers, true and false are taken");
    strcpy(strstr(text, "18446744073709551615"), "9223372036854775807");
    if (!parses(text)) CHECK_ERR("");
    CHECK(parses(text) && toml.count == 8);
    CHECK(entry(0, "", "version", TOML_STRING, "0.1.0") && entry(1, "", "algorithm", TOML_STRING, "sha384"));
    CHECK(entry(2, "data", "aa.toml", TOML_STRING, "[token_configs]\nurl = \"x\" # not ours\n"));
    CHECK(entry(3, "data", "cdh.toml", TOML_STRING, "a\tbc \"\"d\"\"") && entry(4, "data", "bare-Key_9", TOML_NUMBER, "0"));
    CHECK(entry(5, "a.b", "on", TOML_BOOLEAN, "true") && entry(6, "a.b", "off", TOML_BOOLEAN, "false"));
    CHECK(entry(7, "a.b", "n", TOML_NUMBER, "9223372036854775807"));
    CHECK(toml_find(&toml, VIEW("a.b"), VIEW("off")) == &toml.entries[6] && !toml_find(&toml, VIEW("a"), VIEW("b.off")));
    CHECK(parses("") && toml.count == 0);
    CHECK(parses("\n \t\n#") && toml.count == 0);
}

TEST(strings) {
    static const struct {
        const char *written, *means; /* NULL: refused */
    } cases[] = {
        {"''", ""}, {"\"\"", ""}, {"''''''", ""}, {"\"\"\"\"\"\"", ""}, {"'''\n'''", ""}, {"'''\n\n'''", "\n"}, {"'''a''''", "a'"}, {"'''a'''''", "a''"},
        {"'''a''''''", NULL}, {"'''a''b'''", "a''b"}, {"\"\"\"a\\\"\"\"\"", "a\""}, {"'C:\\n'", "C:\\n"}, {"'''\\'''", "\\"},
        {"\"\\b\\t\\n\\f\\r\\\"\\\\\"", "\b\t\n\f\r\"\\"}, {"\"\\u0041\"", NULL}, {"\"\\e\"", NULL}, {"\"\\\n\"", NULL}, {"\"\"\"\\  \n \t\n x\"\"\"", "x"},
        {"\"\"\"\\ x\"\"\"", NULL}, {"\"a\nb\"", NULL}, {"'a\nb'", NULL}, {"\"\"\"a\"\"", NULL}, {"'a", NULL}, {"\"a\\\"", NULL}, {"'a' 'b'", NULL}, {"'a'b", NULL},
        {"'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}, {"'\xff'", "\xff"}, {"'\x7f'", NULL}, {"'\x01'", NULL}, {"'a\r\n'", NULL}, {"'''a\r\nb'''", NULL},
    };
    fresh();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "k = %s\n", cases[i].written);
        bool ok = parses(text);
        if (ok != (cases[i].means != NULL) || (ok && !entry(0, "", "k", TOML_STRING, cases[i].means))) check_fail("%s", cases[i].written);
        CHECK(ok || err.kind == ERR_FORMAT);
    }
}

TEST(refuses_by_name) {
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"a = 1\na = 2", "line 2: this key was there before"}, {"a = 1\n\"a\" = 2", "this key was there before"}, {"[t]\na = 1\n[t]\nb = 2", "line 3: this table was there before"},
        {"[[t]]\na = 1", "an array of tables is not taken"}, {"a = [1]", "an array is not taken"}, {"a = {b = 1}", "an inline table is not taken"},
        {"a.b = 1", "a dotted key is not taken"}, {"a = 1.5", "only strings"}, {"a = -1", "only strings"}, {"a = +1", "only strings"}, {"a = 0x1", "only strings"}, {"a = 1_0", "only strings"}, {"a = 01", "only strings"},
        {"a = inf", "only strings"}, {"a = True", "only strings"}, {"a = 1979-05-27T07:32:00Z", "only strings"}, {"a =", "only strings"}, {"a", "\"=\" was expected"},
        {"= 1", "a key was expected"}, {"'' = 1", "a key was expected"}, {"'''a''' = 1", "a key was expected"}, {"[]", "a table's name"}, {"[a..b]", "a table's name"}, {"[a.]", "a table's name"},
        {"[.a]", "a table's name"}, {"['a']", "a table's name"}, {"[a", "a table's name"}, {"[a] b = 1", "something follows"}, {"a = 1 b = 2", "something follows"},
        {"\xef\xbb\xbf" "a = 1", "a key was expected"}, {"# \x02", "control character"},
    };
    fresh();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (parses(cases[i].text)) check_fail("taken: %s", cases[i].text);
        CHECK(err.kind == ERR_FORMAT);
        CHECK_ERR(cases[i].why);
    }
    CHECK(parses("ab = 1\n[a]\nb = 1\n[b]\n[a.bc]\n")); /* alike, and not the same */
    CHECK(!parse(view_of("a = 'x\0y'", 9)) && !parse(view_of("a\0 = 1", 6)));
}

TEST(bounds) {
    fresh();
    char text[4096], *p = text;
    for (unsigned i = 0; i < TOML_ENTRIES_MAX; i++) p += sprintf(p, "k%u = 1\n", i);
    CHECK(parses(text) && toml.count == TOML_ENTRIES_MAX);
    sprintf(p, "more = 1\n");
    CHECK(!parses(text));
    CHECK_ERR("line 65: too many keys");
    p = text;
    for (unsigned i = 0; i < TOML_TABLES_MAX; i++) p += sprintf(p, "[t%u]\n", i);
    CHECK(parses(text));
    sprintf(p, "[more]\n");
    CHECK(!parses(text));
    CHECK_ERR("line 33: too many tables");
    struct arena small = {arena.base, 0, 4};
    CHECK(!toml_parse(VIEW("a = 'longer'"), &small, &toml, &err) && err.kind == ERR_SYSTEM);
}

static bool whole(struct view v) { return parse(v) && toml.count == 1 && toml.entries[0].value.n == 27; }

/* One entry whose value must be all there, so that every cut is a fault. */
TEST(broken_sisters) {
    fresh();
    broken(VIEW("[t]\nkey = \"\"\"\nversion = \\\"0.1.0\\\"\n[data]\n\"\"\""), 45, whole);
}
