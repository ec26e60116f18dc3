// tools/merge: layers' directories into one root, and clearing. tests/e2e/test_layers.py does whole images.
#include "tar.h"

#include <errno.h>
#include <sys/xattr.h>

static int room = -1, layers[4], root;
static size_t layer_count;
static struct stat st;

// The room holds root/ and the layers 0/, 1/, ... of which the one being written is the last.
static void begin(void)
{
    if (room >= 0)
        close(room);
    room = place_room();
    job_reset();
    layer_count = 0;
    CHECK(mkdirat(room, "root", 0700) == 0);
    root = openat(room, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tar.n = 0;
}

static void layer_done(void)
{
    char name[2] = {(char)('0' + layer_count), 0};
    CHECK(mkdirat(room, name, 0755) == 0);
    layers[layer_count] = openat(room, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!unpack_into(layers[layer_count], view_of(tar.p, tar.n)))
        check_fail("layer %zu is refused: %s", layer_count, err.text);
    layer_count++;
    tar.n = 0;
}

static void merge(void)
{
    layer_done();
    if (!merge_layers(root, layers, layer_count, &err)) {
        char line[1200];
        err_line(&err, line, sizeof line);
        check_fail("%s", line);
    }
    for (size_t i = 0; i < layer_count; i++)
        close(layers[i]);
    close(root);
    place_check();
}

static const char *in_root(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "root/%s", name);
    return path;
}
static bool there(const char *name) { return fstatat(room, in_root(name), &st, AT_SYMLINK_NOFOLLOW) == 0; }
static unsigned mode_of(const char *name) { return there(name) ? st.st_mode & 07777 : 0xffff; }

TEST(upper_wins)
{
    begin();
    tar_dir("d", 0700);
    tar_file("d/low", "1");
    tar_file("both", "low");
    tar_symlink("link", "d");
    tar_dir("turned", 0755);
    tar_file("turned/x", "1");
    layer_done();
    tar_pax("mtime", "1500000000.5");
    tar_dir("d", 01777);
    tar_file("d/high", "2");
    tar_file("both", "high!");
    tar_dir("link", 0755);
    tar_file("turned", "now a file");
    merge();
    CHECK(mode_of("d") == 01777 && st.st_mtim.tv_sec == 1500000000 && st.st_mtim.tv_nsec == 500000000);
    CHECK(there("d/low") && there("d/high"));
    CHECK(there("both") && st.st_size == 5);
    CHECK(there("link") && S_ISDIR(st.st_mode));
    CHECK(there("turned") && S_ISREG(st.st_mode));
    CHECK(there(".") && st.st_mtim.tv_sec == 0 && (st.st_mode & 07777) == 0755);
}

TEST(implied_keeps_what_lower_said)
{
    begin();
    tar_dir("./", 0711);
    tar_dir("tmp", 01777);
    layer_done();
    tar_file("tmp/x", "1");
    tar_file("new/y", "1");
    merge();
    CHECK(mode_of(".") == 0711 && mode_of("tmp") == 01777 && st.st_mtim.tv_sec == 1700000000);
    CHECK(mode_of("new") == 0755 && there("tmp/x") && there("new/y"));
    CHECK(!there(LAYER_NODE_IMPLIED) && !there("tmp/" LAYER_NODE_IMPLIED) && !there("new/" LAYER_NODE_IMPLIED));
}

TEST(whiteouts)
{
    begin();
    tar_file("gone", "1");
    tar_dir("tree", 0555);
    tar_dir("tree/sub", 0);
    tar_file("tree/sub/f", "1");
    tar_dir("opq", 0755);
    tar_file("opq/old/f", "1");
    tar_file("stays", "1");
    layer_done();
    tar_file(".wh.gone", "");
    tar_file(".wh.tree", "");
    tar_file(".wh.never", "");
    tar_file("opq/.wh..wh..opq", "");
    tar_file("opq/new", "1");
    tar_file("fresh/deep/.wh.nothing", ""); // nodes inside what is moved as a whole
    merge();
    CHECK(!there("gone") && !there("tree") && !there("never") && !there("opq/old") && there("opq/new") && there("stays"));
    CHECK(there("fresh/deep") && !there("fresh/deep/nothing") && !there("fresh/deep/" LAYER_NODE_IMPLIED));
}

TEST(opaque_root_spares_the_store)
{
    begin();
    CHECK(renameat(room, "root", room, "unused") == 0);
    close(root);
    root = openat(room, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); // the layers lie in a directory of the result
    CHECK(mkdirat(room, "store", 0700) == 0);
    for (size_t i = 0; i < 2; i++) {
        tar_file(i ? ".wh..wh..opq" : "old", "x");
        tar_file(i ? "new" : "also-old", "x");
        layer_done();
        char from[2] = {(char)('0' + i), 0}, to[] = "store/0";
        to[6] = from[0];
        CHECK(renameat(room, from, room, to) == 0);
    }
    CHECK(merge_layers(root, layers, 2, &err));
    close(layers[0]), close(layers[1]), close(root);
    CHECK(fstatat(room, "new", &st, 0) == 0 && fstatat(room, "store/1", &st, 0) == 0);
    CHECK(fstatat(room, "old", &st, 0) < 0 && fstatat(room, "also-old", &st, 0) < 0 && fstatat(room, "unused", &st, 0) < 0);
}

TEST(read_only_directories)
{
    begin();
    tar_dir("a", 0555);
    tar_dir("a/b", 0500);
    tar_file("a/b/c", "1");
    layer_done();
    tar_dir("a", 0511);
    tar_file("a/b/d", "1");
    tar_dir("a/e", 0);
    tar_file("a/e/f", "1");
    merge();
    CHECK(mode_of("a") == 0511 && mode_of("a/b") == 0500 && mode_of("a/e") == 0);
    CHECK(there("a/b/c") && there("a/b/d"));
}

TEST(directory_attributes)
{
    char value[4];
    begin();
    if (fsetxattr(room, "user.plinth", "y", 1, 0) && errno == ENOTSUP)
        return;
    fremovexattr(room, "user.plinth");
    tar_pax("SCHILY.xattr.user.low", "1");
    tar_dir("d", 0755);
    tar_pax("SCHILY.xattr.user.low", "1");
    tar_dir("e", 0755);
    layer_done();
    tar_pax("SCHILY.xattr.user.high", "2");
    tar_dir("d", 0755);
    tar_file("e/f", "1");
    merge();
    int d = openat(room, "root/d", O_RDONLY), e = openat(room, "root/e", O_RDONLY);
    CHECK(fgetxattr(d, "user.low", value, 4) < 0 && fgetxattr(d, "user.high", value, 4) == 1 && value[0] == '2');
    CHECK(fgetxattr(e, "user.low", value, 4) == 1);
    close(d), close(e);
}

TEST(deep)
{
    begin();
    char name[520] = "";
    for (int i = 0; i < 254; i++)
        strcat(name, "d/");
    for (int i = 0; i < 2; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s%d", name, i);
        tar_pax("path", path);
        tar_file("x", "1");
        if (i == 0)
            layer_done();
    }
    merge();
    CHECK(there("d/d/d/d"));
    begin(); // clears it
}

TEST(clear_follows_no_symlink)
{
    begin();
    tar_symlink("a", "/");
    tar_dir("d", 0);
    merge();
    CHECK(symlinkat("../outside", room, "out") == 0 && symlinkat(place_path, room, "d") == 0);
    close(root);
    begin();
    place_check();
}
