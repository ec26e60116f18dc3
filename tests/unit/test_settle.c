/* settle: directories that an upper layer implies get the attributes of the lower layer's. */
#include "sys/settle.h"

#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char store_path[] = "/tmp/plinth-settle-XXXXXX";
static int store;

static void directory(const char *path, mode_t mode, bool implied) {
    CHECK(mkdirat(store, path, 0755) == 0);
    int fd = openat(store, path, O_RDONLY | O_DIRECTORY);
    if (implied) CHECK(fsetxattr(fd, "user.overlay.implied", "y", 1, 0) == 0);
    CHECK(fchmod(fd, mode) == 0 && futimens(fd, (struct timespec[2]){{7, 0}, {implied ? 9 : 7, 0}}) == 0);
    close(fd);
}

static struct stat look(const char *path) {
    struct stat s = {0};
    CHECK(fstatat(store, path, &s, AT_SYMLINK_NOFOLLOW) == 0);
    return s;
}

TEST(implied_directories_take_after_the_nearest_lower_layer) {
    CHECK(mkdtemp(store_path));
    store = open(store_path, O_RDONLY | O_DIRECTORY);
    directory("0", 0755, false);
    directory("0/tmp", 01777, false);
    directory("0/var", 0750, false);
    directory("0/var/a", 0700, false);
    directory("0/hidden", 0711, false);
    CHECK(symlinkat("tmp", store, "0/link") == 0);
    directory("1", 0755, true);
    directory("1/var", 0755, true);
    directory("1/var/a", 0711, false); /* listed by layer 1: its own */
    CHECK(mknodat(store, "1/hidden", S_IFCHR, 0) == 0);
    directory("2", 0755, true);
    directory("2/tmp", 0755, true);
    directory("2/var", 0755, true);
    directory("2/var/a", 0755, true);
    directory("2/hidden", 0755, true);
    directory("2/link", 0755, true);
    directory("2/new", 0755, true);
    CHECK(mknodat(store, "2/tmp/nothing", S_IFCHR, 0) == 0); /* hides nothing */
    CHECK(mknodat(store, "2/new/nothing", S_IFCHR, 0) == 0);
    CHECK(mknodat(store, "2/var/a/old", S_IFCHR, 0) == 0);
    CHECK(mknodat(store, "0/var/a/old", S_IFREG | 0644, 0) == 0);
    directory("2/var/o", 0755, false);
    directory("0/var/o", 0755, false);
    CHECK(mknodat(store, "2/var/o/old", S_IFCHR, 0) == 0 && mknodat(store, "0/var/o/old", S_IFREG | 0644, 0) == 0);
    int opaque = openat(store, "2/var/o", O_RDONLY);
    CHECK(fsetxattr(opaque, "user.overlay.opaque", "y", 1, 0) == 0);
    close(opaque);
    struct err e = {0};
    CHECK(settle_layers(store, 3, &e));
    CHECK_EQ(look("2/tmp").st_mode & 07777, 01777);
    CHECK_EQ(look("2/tmp").st_mtim.tv_sec, 7);
    CHECK_EQ(look("1/var").st_mode & 07777, 0750);
    CHECK_EQ(look("2/var").st_mode & 07777, 0750); /* through layer 1, which implied it too */
    CHECK_EQ(look("2/var/a").st_mode & 07777, 0711);
    CHECK_EQ(look("2/hidden").st_mode & 07777, 0755); /* a whiteout lies between */
    CHECK_EQ(look("2/link").st_mode & 07777, 0755);   /* a symlink is not followed */
    CHECK_EQ(look("2/new").st_mode & 07777, 0755);
    CHECK_EQ(look("0/tmp").st_mode & 07777, 01777);
    CHECK(faccessat(store, "2/tmp/nothing", F_OK, AT_SYMLINK_NOFOLLOW) && faccessat(store, "2/new/nothing", F_OK, AT_SYMLINK_NOFOLLOW));
    CHECK(faccessat(store, "2/var/o/old", F_OK, AT_SYMLINK_NOFOLLOW));
    CHECK(faccessat(store, "2/var/a/old", F_OK, AT_SYMLINK_NOFOLLOW) == 0 && faccessat(store, "1/hidden", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    close(store);
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", store_path);
    CHECK(system(command) == 0);
}
