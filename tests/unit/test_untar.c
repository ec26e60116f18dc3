// worker/untar: one layer's tar into a directory. The great table of hostile and good layers is tests/e2e/make_layers.py; here are the
// marks it leaves, attributes, limits, and a tar that is cut and flipped everywhere.
#include "tar.h"

#include <errno.h>
#include <sys/xattr.h>

static int room = -1;
static struct stat st;

static void begin(void)
{
    if (room >= 0)
        close(room);
    room = place_room();
    job_reset();
    tar.n = 0;
}

static bool unpack(void) { return unpack_into(room, view_of(tar.p, tar.n)); }

static void unpacked(void)
{
    if (!unpack()) {
        char line[1200];
        err_line(&err, line, sizeof line);
        check_fail("refused: %s", line);
    }
    place_check();
}

static void refused(enum err_kind kind, const char *part)
{
    CHECK(!unpack());
    CHECK_EQ(err.kind, kind);
    CHECK_ERR(part);
    place_check();
}

static bool there(const char *name) { return fstatat(room, name, &st, AT_SYMLINK_NOFOLLOW) == 0; }
static bool is_node(const char *name) { return there(name) && S_ISCHR(st.st_mode) && st.st_rdev == 0; }
static bool holds(const char *name, const char *text)
{
    char found[100] = {0};
    int fd = openat(room, name, O_RDONLY | O_NOFOLLOW);
    ssize_t n = read(fd, found, sizeof found - 1);
    close(fd);
    return n >= 0 && strcmp(found, text) == 0;
}

TEST(a_small_layer)
{
    begin();
    tar_dir("d/", 0751);
    tar_file("d/f", "text");
    tar_symlink("d/s", "f");
    tar_link("d/h", "d/f");
    tar_header("p", '6', "", 0640, 0);
    tar_end();
    unpacked();
    CHECK(there("d") && (st.st_mode & 07777) == 0751 && st.st_mtim.tv_sec == 1700000000 && st.st_mtim.tv_nsec == 0);
    CHECK(there("d/f") && st.st_nlink == 2 && (st.st_mode & 07777) == 0644 && st.st_mtim.tv_sec == 1700000000);
    CHECK(holds("d/h", "text"));
    CHECK(there("d/s") && S_ISLNK(st.st_mode) && st.st_mtim.tv_sec == 1700000000);
    CHECK(there("p") && S_ISFIFO(st.st_mode) && (st.st_mode & 07777) == 0640);
    CHECK_EQ(result.files, 5);
    CHECK_EQ(result.bytes, tar.n);
    uint8_t diff_id[32];
    hash_once(HASH_SHA256, view_of(tar.p, tar.n), diff_id);
    CHECK(memcmp(diff_id, result.diff_id, 32) == 0);
}

TEST(marks_as_nodes)
{
    begin();
    tar_file("a/b/f", "x");
    tar_file("d/.wh..wh..opq", "");
    tar_file("d/.wh.gone", "");
    unpacked();
    CHECK(is_node(LAYER_NODE_IMPLIED) && is_node("a/" LAYER_NODE_IMPLIED) && is_node("a/b/" LAYER_NODE_IMPLIED));
    CHECK(is_node("d/" LAYER_NODE_OPAQUE) && is_node("d/gone") && !there("d/.wh.gone"));
    CHECK(there("a") && (st.st_mode & 07777) == 0755 && st.st_mtim.tv_sec == 0);
    begin();
    tar_file("a/f", "x");
    tar_dir("a", 0700);
    tar_dir("./", 0711);
    unpacked();
    CHECK(!there(LAYER_NODE_IMPLIED) && !there("a/" LAYER_NODE_IMPLIED));
    CHECK(there("a") && (st.st_mode & 07777) == 0700 && st.st_mtim.tv_sec == 1700000000);
    CHECK(there(".") && (st.st_mode & 07777) == 0711 && st.st_mtim.tv_sec == 1700000000);
}

TEST(marks_as_attributes)
{
    char y = 0;
    begin();
    if (fsetxattr(room, "user.plinth", "y", 1, 0) && errno == ENOTSUP)
        return;
    job.overlay_xattr = true;
    tar_file("a/f", "x");
    tar_file("d/.wh..wh..opq", "");
    tar_dir("e", 0755);
    unpacked();
    int a = openat(room, "a", O_RDONLY), d = openat(room, "d", O_RDONLY), e = openat(room, "e", O_RDONLY);
    CHECK(fgetxattr(a, "user.overlay.implied", &y, 1) == 1 && y == 'y' && fgetxattr(a, "user.overlay.opaque", &y, 1) < 0);
    CHECK(fgetxattr(d, "user.overlay.opaque", &y, 1) == 1 && fgetxattr(room, "user.overlay.implied", &y, 1) == 1);
    CHECK(fgetxattr(e, "user.overlay.implied", &y, 1) < 0 && !there("a/" LAYER_NODE_IMPLIED) && !there("d/" LAYER_NODE_OPAQUE));
    fremovexattr(room, "user.plinth");
    fremovexattr(room, "user.overlay.implied");
    close(a), close(d), close(e);
}

TEST(whiteout_and_own_entries)
{
    begin();
    tar_file(".wh.a", "");
    tar_file("a", "own");
    tar_file("b", "own");
    tar_file(".wh.b", "");
    tar_file(".wh.d", "");
    tar_file("d/new", "own");
    tar_dir("e", 0755);
    tar_file(".wh.e", "");
    tar_file(".wh.f", "");
    tar_file("f", "own");
    tar_dir("f", 0755);
    unpacked();
    CHECK(holds("a", "own") && holds("b", "own") && holds("d/new", "own"));
    CHECK(is_node("d/" LAYER_NODE_OPAQUE) && !there("d/" LAYER_NODE_IMPLIED) && is_node("e/" LAYER_NODE_OPAQUE));
    CHECK(is_node("f/" LAYER_NODE_OPAQUE));
}

TEST(times)
{
    begin();
    tar_pax("mtime", "1234567890.123456789");
    tar_dir("d", 0755);
    tar_pax("mtime", "-5.25");
    tar_file("d/old", "x");
    tar_pax("mtime", "1099511627776");
    tar_symlink("d/far", "x");
    tar_file("late/in", "x");
    tar_file("d/after", "x"); // the directory's time must survive a later entry
    unpacked();
    CHECK(there("d") && st.st_mtim.tv_sec == 1234567890 && st.st_mtim.tv_nsec == 123456789);
    CHECK(there("d/old") && st.st_mtim.tv_sec < 0);
    CHECK(there("d/far") && st.st_mtim.tv_sec > 4000000000);
}

TEST(modes_of_directories_that_shut_us_out)
{
    begin();
    tar_dir("r", 0555);
    tar_dir("r/z", 0000);
    tar_file("r/z/f", "x");
    tar_dir("r/w", 0333);
    tar_file("r/w/f", "x");
    tar_file("r/g", "x");
    tar_link("h", "r/z/f");
    unpacked();
    CHECK(there("r") && (st.st_mode & 07777) == 0555);
    CHECK(there("h") && st.st_nlink == 2 && there("r/g"));
    CHECK(fstatat(room, "r/z", &st, 0) == 0 && (st.st_mode & 07777) == 0);
    CHECK(fstatat(room, "r/w", &st, 0) == 0 && (st.st_mode & 07777) == 0333);
}

TEST(attributes)
{
    char value[8] = {0};
    begin();
    tar_pax("SCHILY.xattr.user.kept", "v=1");
    tar_header("f", '0', "", 04755, 0);
    tar_pax("SCHILY.xattr.user.overlay.opaque", "y");
    tar_dir("d", 0755);
    tar_pax("SCHILY.xattr.trusted.overlay.opaque", "y");
    tar_dir("e", 0755);
    unpacked();
    CHECK(there("f") && (st.st_mode & 07777) == 04755);
    int f = openat(room, "f", O_RDONLY), d = openat(room, "d", O_RDONLY), e = openat(room, "e", O_RDONLY);
    if (result.skipped == 0)
        CHECK(fgetxattr(f, "user.kept", value, sizeof value) == 3 && memcmp(value, "v=1", 3) == 0);
    CHECK(fgetxattr(d, "user.overlay.opaque", value, 8) < 0 && fgetxattr(e, "trusted.overlay.opaque", value, 8) < 0);
    close(f), close(d), close(e);
}

TEST(owners)
{
    begin();
    tar_pax("gid", "4294967294");
    tar_file("f", "x");
    unpacked();
    CHECK(there("f"));
    if (job.as_root)
        CHECK(st.st_gid == 4294967294u && result.skipped == 0);
    else
        CHECK(st.st_uid == geteuid() && result.skipped == 1);
    begin();
    tar_pax("uid", "4294967295");
    tar_file("f", "x");
    refused(ERR_FORMAT, "f: owner 4294967295:0");
}

TEST(devices)
{
    begin();
    tar_device("null", '3', 1, 3);
    refused(ERR_POLICY, "null: a device (1:3), which limits.allowDevices does not allow");
    begin();
    tar_device("w", '3', 0, 0);
    job.allow_devices = true;
    refused(ERR_FORMAT, "w: character device 0:0");
    begin();
    tar_device("null", '3', 1, 3);
    tar_device("loop", '4', 7, 300);
    job.allow_devices = true;
    unpacked();
    CHECK_EQ(there("null"), job.as_root);
    CHECK_EQ(result.skipped, job.as_root ? 0 : 2);
    if (job.as_root)
        CHECK(st.st_rdev == makedev(1, 3) && there("loop") && S_ISBLK(st.st_mode) && st.st_rdev == makedev(7, 300));
}

TEST(limits)
{
    begin();
    for (int i = 0; i < 5; i++)
        tar_file("f", "x");
    job.files_max = 5;
    unpacked();
    begin();
    for (int i = 0; i < 6; i++)
        tar_file("f", "x");
    job.files_max = 5;
    refused(ERR_POLICY, "more entries than the 5 that are left of limits.files");
    begin();
    tar_header("s", '0', "", 0644, 1 << 20);
    job.bytes_max = 4096;
    refused(ERR_POLICY, "s: with its 1048576 bytes the files exceed the 4096");
    begin();
    for (int i = 0; i < 5; i++)
        tar_file("f", "x");
    job.bytes_max = 4096; // of the stream
    refused(ERR_POLICY, "4096 bytes that are left of limits.bytes");
}

TEST(ends)
{
    begin(); // nothing at all
    unpacked();
    CHECK_EQ(result.files, 0);
    begin();
    tar_file("a", "abc");
    tar.n -= 509; // as umoci ends: no padding, no mark
    unpacked();
    CHECK(holds("a", "abc"));
    begin();
    tar_file("a", "abc");
    tar.n -= 508; // one byte of padding
    unpacked();
    begin();
    tar_file("a", "abc");
    tar.n -= 510; // one byte short
    refused(ERR_FORMAT, "a: not a sound tar: Truncated");
    begin();
    tar_file("a", "abc");
    tar_end();
    tar_put("junk", 4); // belongs to the diffID
    unpacked();
    CHECK_EQ(result.bytes, tar.n);
}

TEST(names_come_through)
{
    begin();
    tar_pax("path", "\xc3\xa4/\xe6\x97\xa5");
    tar_file("x", "1");
    tar_pax("path", "latin-\xe4");
    tar_file("x", "2");
    tar_file("raw-\xff\x01", "3");
    tar_pax("path", "a\xcc\x88"); // decomposed: another name than U+00E4
    tar_file("x", "4");
    tar_pax("linkpath", "\xe4\xc3\xa4");
    tar_symlink("s", "x");
    unpacked();
    char target[8] = {0};
    CHECK(holds("\xc3\xa4/\xe6\x97\xa5", "1") && holds("latin-\xe4", "2") && holds("raw-\xff\x01", "3"));
    CHECK(holds("a\xcc\x88", "4"));
    CHECK(readlinkat(room, "s", target, sizeof target) == 3 && memcmp(target, "\xe4\xc3\xa4", 3) == 0);
    begin();
    tar_file("../\x1b[31m", "x");
    refused(ERR_FORMAT, "../\\x1b[31m: a name with");
}

// A layer with a bit of everything.
static void rich(void)
{
    begin();
    tar_dir("d", 0755);
    tar_file("d/f", "some text");
    tar_symlink("s", "outside/file");
    tar_link("h", "d/f");
    tar_pax("path", "d/a-longer-name");
    tar_file("x", "text");
    tar_file("d/.wh.f2", "");
    tar_file(".wh..wh..opq", "");
    tar_header("p", '6', "", 0600, 0);
    tar_end();
}

TEST(cut_everywhere)
{
    rich();
    unpacked();
    size_t whole = tar.n, accepted = 0;
    for (size_t n = 1; n < whole; n += n % 512 < 4 || n % 512 > 508 ? 1 : 37) {
        rich();
        tar.n = n;
        bool ok = unpack();
        if (ok && n % 512 != 0 && n < whole - 1024) { // only inside the padding of a file that is there in full
            CHECK(result.files > 0);
            accepted++;
        }
        if (!ok)
            CHECK(err.kind == ERR_FORMAT);
        place_check();
    }
    CHECK(accepted > 0);
}

TEST(flipped_everywhere)
{
    rich();
    size_t whole = tar.n;
    for (size_t i = 0; i < whole - 1024; i += i % 512 < 350 ? 1 : 23) {
        rich();
        tar.p[i] ^= (uint8_t)(1u << i * 5 % 8);
        if (i % 512 < 148 || i % 512 > 155)
            tar_checksum(tar.p + i / 512 * 512); // or else the sum alone would refuse it; in content it does no harm
        unpack();
        place_check();
    }
}
