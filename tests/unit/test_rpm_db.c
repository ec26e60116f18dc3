// rpm_db: the same packages from SQLite, NDB and Berkeley DB (vectors/rpm_db/make), and databases that lead astray.
#include "lib.h"

#include "oci/rpm_db.h"

#define ALL "gpg-pubkey 105ef944-65ca83d1  <>;old 7:1.2-3 noarch old<1.2-3>;" PS "tiny 1.2-3 noarch tiny<1.2-3>;"
#define PS                                                                                                                       \
    "p0 2-0.el9 x86_64 p<2-0.el9>;p1 1:2-1.el9 x86_64 p<2-1.el9>;p2 2:2-2.el9 x86_64 p<2-2.el9>;p3 2-3.el9 x86_64 p<2-3.el9>;"   \
    "p4 1:2-4.el9 x86_64 p<2-4.el9>;p5 2:2-5.el9 x86_64 p<2-5.el9>;p6 2-6.el9 x86_64 p<2-6.el9>;p7 1:2-7.el9 x86_64 p<2-7.el9>;" \
    "p8 2:2-8.el9 x86_64 p<2-8.el9>;"
static const char *const files[] = {"rpm_db/rpmdb.sqlite", "rpm_db/Packages.db", "rpm_db/Packages", "rpm_db/Packages.big"};

static struct view file;
static uint64_t bytes_read;
static size_t count;
static char lines[400][256];

static bool read_file(void *user, uint64_t at, uint8_t *out, size_t n, struct err *e)
{
    CHECK(user == lines && e == &err);
    CHECK(at <= file.n && n <= file.n - at);
    memcpy(out, file.p + at, n);
    bytes_read += n;
    return true;
}

static bool package(void *user, const struct package_db_entry *p, struct err *e)
{
    CHECK(user == lines && e == &err);
    CHECK(p->name.n && p->version.n && p->name.n <= PACKAGE_FIELD_MAX && p->arch.n <= PACKAGE_FIELD_MAX);
    if (count < 400)
        snprintf(lines[count++], 256, "%.*s %.*s %.*s %.*s<%.*s>;", VIEW_ARG(p->name), VIEW_ARG(p->version), VIEW_ARG(p->arch),
                 VIEW_ARG(p->source), VIEW_ARG(p->source_version));
    return true;
}

static bool takes(struct view v)
{
    static uint8_t buffer[RPM_DB_BUFFER];
    struct rpm_db db = {v.n, buffer, lines, read_file, package};
    file = v;
    bytes_read = count = 0;
    bool ok = rpm_db_read(&db, &err);
    CHECK(bytes_read <= 2 * v.n);
    CHECK(ok || err.kind == ERR_FORMAT);
    return ok;
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

// What was read, in the order of names.
static const char *listed(void)
{
    static char text[400 * 256];
    qsort(lines, count, sizeof lines[0], by_text);
    text[0] = 0;
    for (size_t i = 0, n = 0; i < count; i++)
        n += (size_t)sprintf(text + n, "%s", lines[i]);
    return text;
}

// A copy with these bytes in another place's stead.
static struct view patched(struct view v, size_t at, const char *hex)
{
    uint8_t *p = arena_alloc(&arena, v.n);
    CHECK(p != NULL && at + strlen(hex) / 2 <= v.n);
    memcpy(p, v.p, v.n);
    for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        p[at++] = (uint8_t)byte;
    return view_of(p, v.n);
}

TEST(the_same_from_all)
{
    for (size_t i = 0; i < 4; i++) {
        fresh();
        if (!takes(vector(files[i])))
            check_fail("%s: %s", files[i], err.text);
        CHECK_EQ(count, 12);
        CHECK_STR(listed(), ALL);
    }
}

TEST(broken_sisters)
{
    for (size_t i = 0; i < 4; i++) {
        fresh();
        struct view v = vector(files[i]);
        CHECK(broken(v, i == 1 ? v.n - 15 : v.n, takes) < v.n); // NDB: what follows the last header is not looked at
    }
}

TEST(none_of_them)
{
    fresh();
    CHECK(!takes(VIEW("")));
    CHECK_ERR("beyond its end of 0 bytes");
    CHECK(!takes(VIEW("SQLite format 2 is another, and 36 bytes are enough")));
    CHECK_ERR("neither SQLite, nor NDB, nor a hash of Berkeley DB");
}

TEST(sqlite_astray)
{
    struct view v = (fresh(), vector(files[0]));
    static const struct {
        size_t at;
        const char *hex, *why;
    } bad[] = {
        {16, "0000", "no pages of 0 bytes"},   {16, "0100", "no pages of 256"}, {16, "0300", "no pages of 768"},  {20, "ff", "no pages of 512"},
        {100, "0a", "a page of a table is none"}, {103, "00ff", "a page of a table is none"}, {16, "8000", "beyond its end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!takes(patched(v, bad[i].at, bad[i].hex)));
        CHECK_ERR(bad[i].why);
    }
    // The table's root is an interior page; its last child is made itself.
    size_t root = 0;
    for (size_t page = 512; page < v.n; page += 512)
        if (v.p[page] == 5) root = page;
    CHECK(root > 0);
    char self[16];
    sprintf(self, "%08zx", root / 512 + 1);
    CHECK(!takes(patched(v, root + 8, self)));
    CHECK_ERR("it leads in circles");
    size_t first = root + v.p[root + 12] * 256u + v.p[root + 13];
    CHECK(!takes(patched(v, first, self)));
    CHECK_ERR("too deep");
    CHECK(!takes(patched(v, root + 8, "00000000")));
    CHECK_ERR("beyond its end");
    // The table has another name.
    for (size_t i = 100; i < 512; i++)
        if (!memcmp(v.p + i, "tablePackages", 13)) CHECK(!takes(patched(v, i + 5, "70")));
    CHECK_ERR("there is no table Packages");
}

TEST(ndb_astray)
{
    struct view v = (fresh(), vector(files[1]));
    CHECK(!takes(patched(v, 12, "00000000")));
    CHECK_ERR("it has no slots");
    CHECK(!takes(patched(v, 12, "ffffffff")));
    CHECK(!takes(patched(v, 32, "00")));
    CHECK_ERR("a slot is none");
    CHECK(!takes(patched(v, 36, "05")));
    CHECK_ERR("the blob of package 5 is none");
    CHECK(!takes(patched(v, 40, "00000070")));
    CHECK_ERR("beyond its end");
    CHECK(takes(patched(v, 40, "00000000")) && count == 11); // a free slot
    CHECK(!takes(patched(v, 4096 + 12, "10000000")));
    CHECK_ERR("has 16");
    CHECK(!takes(patched(v, 4096 + 12, "ffffff7f")));
    CHECK_ERR("beyond its end");
    // Every slot names one blob: no more is read than twice the file.
    uint8_t *p = (uint8_t *)patched(v, 0, "").p;
    for (size_t i = 2; i < 256; i++)
        memcpy(p + 16 * i, v.p + 32, 16);
    CHECK(!takes(view_of(p, v.n)));
    CHECK_ERR("it leads in circles");
}

TEST(bdb_astray)
{
    struct view v = (fresh(), vector(files[2]));
    CHECK(!takes(patched(v, 20, "00000000")));
    CHECK_ERR("pages of 0 bytes");
    CHECK(!takes(patched(v, 20, "00000200")));
    CHECK_ERR("pages of 131072 bytes");
    CHECK(!takes(patched(v, 24, "01")));
    CHECK_ERR("encrypted");
    CHECK(!takes(patched(v, 32, "ffffffff")));
    size_t overflow = 0, hash = 0;
    for (size_t page = 512; page < v.n; page += 512) {
        if (v.p[page + 25] == 7) overflow = page;
        if ((v.p[page + 25] == 13 || v.p[page + 25] == 2) && v.p[page + 20]) hash = page;
    }
    CHECK(overflow && hash);
    CHECK(!takes(patched(v, overflow + 25, "05")));
    CHECK_ERR("holds no part of an item");
    CHECK(!takes(patched(v, overflow + 22, "ff7f")));
    CHECK_ERR("holds no part of an item");
    CHECK(!takes(patched(v, overflow + 22, "0000")));
    CHECK(!takes(patched(v, hash + 20, "ffff")));
    CHECK_ERR("a page's items overlap");
    CHECK(!takes(patched(v, hash + 26, "0100")));
    CHECK_ERR("a page's items overlap");
    CHECK(!takes(patched(v, hash + v.p[hash + 28] + 256u * v.p[hash + 29], "02")));
    CHECK_ERR("an item of an unknown type");
}

// ---- headers, in an NDB of one package ----

struct tag {
    uint32_t tag, type, at, count;
};

static void put32(uint8_t *p, uint32_t v, bool big)
{
    for (int i = 0; i < 4; i++)
        p[big ? 3 - i : i] = (uint8_t)(v >> 8 * i);
}

static struct view one(const struct tag *tags, size_t n, struct view store)
{
    size_t size = 8 + 16 * n + store.n, all = 4096 + 16 + size;
    uint8_t *p = arena_alloc(&arena, all);
    CHECK(p != NULL);
    memset(p, 0, all);
    memcpy(p, "RpmP", 4), put32(p + 12, 1, false);
    for (size_t i = 2; i < 256; i++)
        memcpy(p + 16 * i, "Slot", 4);
    put32(p + 36, 1, false), put32(p + 40, 256, false), put32(p + 44, 99, false);
    memcpy(p + 4096, "BlbS", 4), put32(p + 4100, 1, false), put32(p + 4108, (uint32_t)size, false);
    put32(p + 4112, (uint32_t)n, true), put32(p + 4116, (uint32_t)store.n, true);
    for (size_t i = 0; i < n; i++) {
        uint8_t *q = p + 4120 + 16 * i;
        put32(q, tags[i].tag, true), put32(q + 4, tags[i].type, true), put32(q + 8, tags[i].at, true), put32(q + 12, tags[i].count, true);
    }
    memcpy(p + 4120 + 16 * n, store.p, store.n);
    return view_of(p, all);
}

#define HEADER(store, ...) (fresh(), takes(one((const struct tag[]){__VA_ARGS__}, sizeof((const struct tag[]){__VA_ARGS__}) / 16, store)))
#define NVR {1000, 6, 0, 1}, {1001, 6, 2, 1}, {1002, 6, 4, 1}
#define STORE "n\0v\0r\0"

TEST(headers)
{
    CHECK(HEADER(VIEW(STORE), NVR));
    CHECK_STR(listed(), "n v-r  <>;");
    CHECK(HEADER(VIEW(STORE "\0\0\0\0\0\1"), {1003, 4, 8, 1}, {63, 7, 0, 16}, NVR));
    CHECK_STR(listed(), "n 1:v-r  <>;");
    CHECK(HEADER(VIEW(STORE "\0\0\xff\xff\xff\xff"), NVR, {1003, 4, 8, 1}) && !strcmp(listed(), "n 4294967295:v-r  <>;"));
    CHECK(HEADER(VIEW(STORE "a-b-1-2.nosrc.rpm\0"), NVR, {1044, 6, 6, 1}) && !strcmp(listed(), "n v-r  a-b<1-2>;"));
    CHECK(HEADER(VIEW(STORE "a\0"), NVR, {1044, 6, 6, 1}) && !strcmp(listed(), "n v-r  <>;"));
    static const char *const text[] = {"NAME", "VERSION", "RELEASE"};
    for (uint32_t i = 0; i < 3; i++) { // each in turn: absent, empty, of another type, more than one, outside, twice
        struct tag t[] = {NVR, {9, 6, 0, 1}}, good = t[i];
        t[i].tag = 5;
        CHECK(!takes(one(t, 4, VIEW(STORE))));
        CHECK_ERR(text[i]);
        CHECK_ERR("is missing");
        t[i] = good, t[i].at++;
        CHECK(!takes(one(t, 4, VIEW(STORE))));
        CHECK_ERR("is missing");
        t[i] = good, t[i].type = 8;
        CHECK(!takes(one(t, 4, VIEW(STORE))));
        CHECK_ERR("of another type");
        t[i] = good, t[i].count = 2;
        CHECK(!takes(one(t, 4, VIEW(STORE))));
        t[i] = good, t[i].at = 6;
        CHECK(!takes(one(t, 4, VIEW(STORE))));
        t[i] = good, t[3] = good;
        CHECK(!takes(one(t, 4, VIEW(STORE))));
        CHECK_ERR("twice");
    }
    CHECK(!HEADER(VIEW("n\0v\0r"), NVR)); // no end
    CHECK(!HEADER(VIEW(""), {1, 6, 0, 1}));
    CHECK(!HEADER(VIEW(STORE), {1, 6, 0, 1}));
    static char name[400];
    for (size_t n = 250; n < 270; n++) {
        memset(name, 'x', n);
        memcpy(name + n, "\0v\0r", 5);
        uint32_t at = (uint32_t)n;
        CHECK_EQ(HEADER(view_of(name, n + 5), {1000, 6, 0, 1}, {1001, 6, at + 1, 1}, {1002, 6, at + 3, 1}), n <= PACKAGE_FIELD_MAX);
    }
}

static bool refuse(void *user, const struct package_db_entry *p, struct err *e)
{
    (void)user, (void)p;
    return err_set(e, ERR_POLICY, "not that one");
}

TEST(the_callers_word_is_final)
{
    for (size_t i = 0; i < 4; i++) {
        fresh();
        static uint8_t buffer[RPM_DB_BUFFER];
        file = vector(files[i]);
        struct rpm_db db = {file.n, buffer, lines, read_file, refuse};
        CHECK(!rpm_db_read(&db, &err) && err.kind == ERR_POLICY);
    }
}
