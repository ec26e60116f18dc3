/* cpio: the archive is read back by a reader written here from the format's page, and by its broken inputs. */
#include "check.h"

#include "base/writer.h"
#include "tools/cpio.h"

#include <stdlib.h>
#include <sys/stat.h>

static uint8_t buffer[1 << 16];

static struct view archive(struct cpio_entry *entries, size_t count) {
    struct writer w = writer_of(buffer, sizeof buffer);
    struct err e;
    CHECK(cpio_write(entries, count, &w, &e));
    return writer_view(&w);
}

/* The fields of the header at *at; name and content follow. */
struct header {
    unsigned long field[13];
    const char *name;
    struct view content;
};

static struct header next(struct view all, size_t *at) {
    struct header h;
    CHECK(*at % 4 == 0 && *at + 110 <= all.n && !memcmp(all.p + *at, "070701", 6));
    for (size_t i = 0; i < 13; i++) {
        char hex[9] = {0};
        memcpy(hex, all.p + *at + 6 + 8 * i, 8);
        char *end;
        h.field[i] = strtoul(hex, &end, 16);
        CHECK(*end == 0);
    }
    h.name = (const char *)all.p + *at + 110;
    CHECK(*at + 110 + h.field[11] <= all.n && h.name[h.field[11] - 1] == 0 && strlen(h.name) == h.field[11] - 1);
    *at = (*at + 110 + h.field[11] + 3) & ~(size_t)3;
    h.content = view_of(all.p + *at, h.field[6]);
    CHECK(*at + h.content.n <= all.n);
    *at = (*at + h.content.n + 3) & ~(size_t)3;
    return h;
}

TEST(reads_back_sorted) {
    struct cpio_entry entries[] = {
        {.path = "etc/a", .mode = S_IFREG | 0644, .content = VIEW("hello")},
        {.path = "init", .mode = S_IFREG | 0755, .content = VIEW("")},
        {.path = "dev/console", .mode = S_IFCHR | 0600, .major = 5, .minor = 1},
        {.path = "etc", .mode = S_IFDIR | 0755},
        {.path = "dev", .mode = S_IFDIR | 0755},
    };
    static const char *const order[] = {"dev", "dev/console", "etc", "etc/a", "init", "TRAILER!!!"};
    struct view all = archive(entries, 5);
    size_t at = 0;
    for (size_t i = 0; i < 6; i++) {
        struct header h = next(all, &at);
        CHECK_STR(h.name, order[i]);
        CHECK_EQ(h.field[0], i < 5 ? i + 1 : 0);               /* inode */
        CHECK(!h.field[2] && !h.field[3] && !h.field[5]);      /* owner, time */
        CHECK(!h.field[7] && !h.field[8] && !h.field[12]);     /* device, checksum */
        if (i == 1) CHECK(h.field[9] == 5 && h.field[10] == 1 && h.field[1] == (S_IFCHR | 0600));
        if (i == 3) CHECK(view_is(h.content, "hello") && h.field[1] == (S_IFREG | 0644) && h.field[4] == 1);
        if (i == 2) CHECK_EQ(h.field[4], 2);
    }
    CHECK_EQ(at, all.n);
    CHECK_EQ(all.n % 4, 0);
}

TEST(order_of_input_does_not_matter) {
    struct cpio_entry a[] = {{.path = "b", .mode = S_IFREG | 0644, .content = VIEW("1")}, {.path = "a", .mode = S_IFREG | 0644}};
    struct cpio_entry b[] = {{.path = "a", .mode = S_IFREG | 0644}, {.path = "b", .mode = S_IFREG | 0644, .content = VIEW("1")}};
    static uint8_t first[1 << 16];
    struct view one = archive(a, 2);
    memcpy(first, one.p, one.n);
    CHECK(view_eq(view_of(first, one.n), archive(b, 2)));
}

TEST(every_alignment) {
    static const uint8_t bytes[9] = "abcdefgh";
    char name[16] = "";
    for (size_t n = 1; n < 9; n++)
        for (size_t size = 0; size < 9; size++) {
            memset(name, 'x', n);
            struct cpio_entry entry = {.path = name, .mode = S_IFREG | 0600, .content = view_of(bytes, size)};
            struct view all = archive(&entry, 1);
            size_t at = 0;
            struct header h = next(all, &at);
            CHECK(!strcmp(h.name, name) && view_eq(h.content, view_of(bytes, size)));
            CHECK_STR(next(all, &at).name, "TRAILER!!!");
        }
}

/* A second archive behind the first starts its own padding where it starts. */
TEST(appends_behind_something) {
    struct cpio_entry entry = {.path = "a", .mode = S_IFREG | 0600, .content = VIEW("12345")};
    struct writer w = writer_of(buffer, sizeof buffer);
    struct err e;
    write_text(&w, "x");
    CHECK(cpio_write(&entry, 1, &w, &e));
    CHECK_EQ((w.n - 1) % 4, 0);
}

static void refused(struct cpio_entry *entries, size_t count, const char *text) {
    struct writer w = writer_of(buffer, sizeof buffer);
    struct err e = {0};
    CHECK(!cpio_write(entries, count, &w, &e));
    CHECK(e.kind == ERR_USAGE && strstr(e.text, text));
    CHECK_EQ(w.n, 0);
}

TEST(refuses_paths) {
    static const char *const bad[] = {"", "/", "/etc", "etc/", "a//b", ".", "..", "../x", "a/../b", "a/.", "TRAILER!!!"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cpio_entry entry = {.path = bad[i], .mode = S_IFREG | 0600};
        refused(&entry, 1, "no path");
    }
    static char longest[CPIO_PATH_MAX + 2];
    memset(longest, 'a', CPIO_PATH_MAX + 1);
    refused(&(struct cpio_entry){.path = longest, .mode = S_IFREG | 0600}, 1, "no path");
    longest[CPIO_PATH_MAX] = 0;
    archive(&(struct cpio_entry){.path = longest, .mode = S_IFREG | 0600}, 1);
}

TEST(refuses_duplicates_and_orphans) {
    struct cpio_entry twice[] = {{.path = "a", .mode = S_IFREG | 0600}, {.path = "a", .mode = S_IFDIR | 0700}};
    refused(twice, 2, "twice");
    struct cpio_entry orphan = {.path = "a/b", .mode = S_IFREG | 0600};
    refused(&orphan, 1, "in no directory");
    struct cpio_entry in_file[] = {{.path = "a", .mode = S_IFREG | 0600}, {.path = "a/b", .mode = S_IFREG | 0600}};
    refused(in_file, 2, "in no directory");
}

TEST(full_at_every_length) {
    struct cpio_entry entries[] = {{.path = "d", .mode = S_IFDIR | 0755}, {.path = "d/f", .mode = S_IFREG | 0644, .content = VIEW("123")}};
    size_t whole = archive(entries, 2).n;
    for (size_t size = 0; size < whole; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        struct writer w = writer_of(exact, size);
        struct err e;
        bool ok = cpio_write(entries, 2, &w, &e);
        free(exact);
        CHECK(!ok && e.kind == ERR_SYSTEM);
    }
}
