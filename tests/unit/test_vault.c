// vault: resources are regular files below one directory, whatever the path and whatever stands there.
#include "lib.h"

#include "base/limits.h"
#include "tools/serve/audit.h"
#include "tools/serve/vault.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static int fd = -1;

static void begin(void) {
    bool loose;
    if (fd >= 0) close(fd);
    snprintf(dir, sizeof dir, "/tmp/test_vault.XXXXXX");
    CHECK(mkdtemp(dir) && vault_open(dir, &fd, &loose, &err) && !loose);
}

static void end(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    CHECK(!system(command));
}

static const char *at(const char *path) {
    static char name[512];
    snprintf(name, sizeof name, "%s/%s", dir, path);
    return name;
}

static bool reads(const char *path, const char *wanted) {
    struct view v;
    if (!vault_read(fd, view_str(path), &v, &err)) return false;
    bool same = view_is(v, wanted);
    vault_wipe(&v);
    return same && !v.p;
}

TEST(paths)
{
    static const char *const good[] = {"a/b/c", "A-1/b_2/c.3", "-/_/a..", "default/key/web-1.4"};
    static const char *const bad[] = {"", "a", "a/b", "a/b/", "/a/b", "a//c", "a/b/c/", "a/b/c/d", "../b/c", "a/../c", "a/b/..", "a/b/.", "./b/c",
                                      "a/b/.new-1", "a/.b/c", "a/b/c d", "a/b/c\\", "a/b/c%2e", "a/b/\xc3\xa4", "a/b/c\n", "a/b/c*", "a/b/@"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!vault_path_ok(view_str(good[i]), 0)) check_fail("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (vault_path_ok(view_str(bad[i]), 0)) check_fail("accepted: %s", bad[i]);
    CHECK(!vault_path_ok(view_of("a/b/c\0d", 7), 0) && !vault_path_ok(view_of("a/b\0/c", 6), 0));
    char name[600] = "a/b/";
    memset(name + 4, 'x', 256);
    CHECK(!vault_path_ok(view_of(name, 4 + 256), 0) && vault_path_ok(view_of(name, 4 + 255), 0));
}

TEST(write_and_read)
{
    struct stat st;
    begin();
    CHECK(!reads("a/b/c", "x"));
    CHECK_ERR("no such resource");
    CHECK(vault_write(fd, VIEW("a/b/c"), VIEW("one"), &err) && reads("a/b/c", "one"));
    CHECK(vault_write(fd, VIEW("a/b/c"), VIEW("two"), &err) && reads("a/b/c", "two"));
    CHECK(vault_write(fd, VIEW("a/b/empty"), VIEW(""), &err) && reads("a/b/empty", ""));
    CHECK(stat(at("a/b/c"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(stat(at("a/b"), &st) == 0 && (st.st_mode & 0777) == 0700);
    CHECK(!vault_write(fd, VIEW("a/../c"), VIEW("x"), &err) && !vault_write(fd, VIEW("a/b/.c"), VIEW("x"), &err));
    char command[256];
    snprintf(command, sizeof command, "test $(ls -A %s/a/b | wc -l) = 2", dir); // nothing is left beside
    CHECK(!system(command));
    end();
}

TEST(strange_things)
{
    begin();
    CHECK(vault_write(fd, VIEW("a/b/c"), VIEW("one"), &err));
    CHECK(symlink("c", at("a/b/link")) == 0 && mkfifo(at("a/b/pipe"), 0600) == 0 && mkdir(at("a/b/dir"), 0700) == 0);
    CHECK(symlink("b", at("a/way")) == 0 && symlink("a", at("r")) == 0 && symlink("/etc/passwd", at("a/b/far")) == 0);
    static const char *const none[] = {"a/b/link", "a/b/pipe", "a/b/dir", "a/b/far", "a/way/c", "r/b/c", "a/b/none", "a/none/c", "none/b/c"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        if (reads(none[i], "one")) check_fail("read: %s", none[i]);
        CHECK_EQ(err.kind, ERR_POLICY);
    }
    static const char *const firm[] = {"a/b/link", "a/b/pipe", "a/b/dir", "a/b/far", "a/way/c", "r/b/c"};
    for (size_t i = 0; i < sizeof firm / sizeof *firm; i++)
        if (vault_write(fd, view_str(firm[i]), VIEW("x"), &err)) check_fail("written: %s", firm[i]);
    CHECK(reads("a/b/c", "one"));
    // a file where a directory is wanted
    CHECK(vault_write(fd, VIEW("a/b/file"), VIEW("x"), &err) && !reads("a/b/file", "y"));
    end();
}

TEST(sizes)
{
    begin();
    uint8_t *large = calloc(1, VAULT_RESOURCE_MAX + 1);
    struct view v;
    CHECK(vault_write(fd, VIEW("a/b/c"), view_of(large, VAULT_RESOURCE_MAX), &err) && vault_read(fd, VIEW("a/b/c"), &v, &err));
    CHECK_EQ(v.n, VAULT_RESOURCE_MAX);
    vault_wipe(&v);
    CHECK(vault_write(fd, VIEW("a/b/c"), view_of(large, VAULT_RESOURCE_MAX + 1), &err) && !vault_read(fd, VIEW("a/b/c"), &v, &err));
    CHECK_EQ(err.kind, ERR_SYSTEM);
    free(large);
    end();
}

TEST(directories)
{
    int d;
    bool loose;
    begin();
    CHECK(!vault_open(at("none"), &d, &loose, &err) && err.kind == ERR_USAGE);
    CHECK(vault_write(fd, VIEW("a/b/c"), VIEW("x"), &err) && !vault_open(at("a/b/c"), &d, &loose, &err));
    CHECK(!chmod(dir, 0750) && vault_open(dir, &d, &loose, &err) && loose);
    close(d);
    end();
}

// audit: one line, whatever is in it.
TEST(audit_lines)
{
    struct audit a;
    char text[4096] = "";
    uint8_t session[TICKET_SESSION_SIZE] = {1, 2, 3};
    struct err why;
    begin();
    CHECK(audit_open(&a, at("log"), &err));
    err_set(&why, ERR_POLICY, "a \"quoted\"\n\x1b[31m reason \x7f\xff");
    const struct audit_line first = {.peer = "192.0.2.7", .session = session, .tee = "tdx", .what = "resource", .verdict = "denied",
                                     .path = VIEW("a/b\n\x7f"), .why = &why};
    const struct audit_line second = {.peer = "::1", .what = "auth", .verdict = "refused"};
    CHECK(audit_write(&a, &first) && audit_write(&a, &second));
    audit_close(&a);
    CHECK(audit_open(&a, at("log"), &err) && audit_write(&a, &second)); // appended
    audit_close(&a);
    FILE *f = fopen(at("log"), "r");
    CHECK(f && fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    CHECK(strstr(text, "\"peer\":\"192.0.2.7\",\"session\":\"") && strstr(text, "\"tee\":\"tdx\",\"what\":\"resource a/b\\n?\",\"verdict\":\"denied\","));
    CHECK(strstr(text, "\"reason\":\"a \\\"quoted\\\"\\\\x0a\\\\x1b[31m reason \\\\x7f\\\\xff\"}\n{\"time\":\""));
    CHECK(!strstr(text, "010203"));
    int lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    CHECK_EQ(lines, 3);
    struct stat st;
    CHECK(stat(at("log"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(audit_open(&a, NULL, &err) && audit_write(&a, &first));
    CHECK(!audit_open(&a, dir, &err));
    a.fd = open("/dev/full", O_WRONLY);
    CHECK(!audit_write(&a, &first));
    audit_close(&a);
    end();
}
