// package_db: dpkg's status and apk's installed database, in pieces of every size.
#include "lib.h"

#include "oci/package_db.h"

#define DPKG                                                                                                           \
    "Package: libc6\nStatus: install ok installed\nPriority: optional\nSource: glibc (2.36-9)\nArchitecture: amd64\nMulti-Arch: same\n"        \
    "Version: 2.36-9+deb12u10\nDepends: libgcc-s1, libcrypt1 (>= 1:4.4.10-10~)\nConffiles:\n /etc/ld.so.conf.d/x.conf d4e7\n" \
    "Description: GNU C Library: Shared libraries\n Package: not a field\n .\n Version: neither\n\n"                   \
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n"                            \
    "Package: never\nStatus: unknown ok not-installed\n\n\n"                                                           \
    "package: half\nSOURCE: whole\nstatus: install reinstreq half-installed\nversion: 1:2~rc1-3\narchitecture: all\n\n"               \
    "Package: distroless\nVersion: 12.4\nArchitecture:all"
#define DPKG_LIST "libc6 2.36-9+deb12u10 amd64 glibc<2.36-9>;half 1:2~rc1-3 all whole<>;distroless 12.4 all <>;"
#define APK                                                                                                            \
    "C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:alpine-baselayout\nV:3.6.5-r0\nA:x86_64\nS:8515\nT:Alpine base dir structure\nF:dev\nF:etc\n" \
    "M:0:0:755\nR:motd\na:0:0:644\nZ:Q1SLkS9hBidUbPwwrw+XR0Whv3ww8=\n\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\n"
#define APK_LIST "alpine-baselayout 3.6.5-r0 x86_64 <>;musl 1.2.5-r0 x86_64 musl<>;"

static char listed[4096];

static bool read_in(enum package_db_format format, struct view all, size_t piece) {
    struct package_db db = package_db_of(format);
    struct package_db_entry p;
    size_t n = 0;
    bool got;
    listed[0] = 0;
    for (bool end = false; !end;) {
        struct view rest = view_first(all, piece);
        all = view_skip(all, piece);
        end = rest.n == 0;
        do {
            if (!package_db_next(&db, &rest, end, &p, &got, &err)) return false;
            CHECK(got || rest.n == 0);
            if (got && n < sizeof listed - 800)
                n += (size_t)sprintf(listed + n, "%.*s %.*s %.*s %.*s<%.*s>;", VIEW_ARG(p.name), VIEW_ARG(p.version),
                                     VIEW_ARG(p.arch), VIEW_ARG(p.source), VIEW_ARG(p.source_version));
        } while (got);
    }
    return true;
}

static bool dpkg(const char *text) { return read_in(PACKAGE_DB_DPKG, view_str(text), 4096); }

TEST(any_pieces) {
    for (size_t piece = 1; piece < 1200; piece++) {
        CHECK(read_in(PACKAGE_DB_DPKG, VIEW(DPKG), piece));
        CHECK_STR(listed, DPKG_LIST);
        CHECK(read_in(PACKAGE_DB_APK, VIEW(APK), piece));
        CHECK_STR(listed, APK_LIST);
    }
    CHECK(dpkg("") && !listed[0] && dpkg("\n\n\n") && !listed[0] && dpkg("d41d8cd9  usr/share/x\n") && !listed[0]);
}

TEST(case_of_names) {
    CHECK(read_in(PACKAGE_DB_APK, VIEW("P:a\np:cmd:x=1\nV:1\nv:2\na:0:0:755\n"), 99));
    CHECK_STR(listed, "a 1  <>;");
    CHECK(dpkg("PACKAGE: a\nVERSION: 1\n"));
    CHECK_STR(listed, "a 1  <>;");
}

TEST(odd_sources) {
    static const char *const odd[][2] = {{"a", "a<>"}, {"a (", "a<(>"}, {"a ()", "a<>"}, {"a (1) (2)", "a<1) (2>"}, {"a b", "a<b>"}, {"(1)", "(1)<>"}};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char text[80], wanted[80];
        sprintf(text, "Package: x\nVersion: 1\nSource: %s\n", odd[i][0]);
        sprintf(wanted, "x 1  %s;", odd[i][1]);
        CHECK(dpkg(text));
        CHECK_STR(listed, wanted);
    }
}

TEST(long_lines_that_do_not_matter) {
    static char text[200000];
    int n = sprintf(text, "Package: a\nDepends: ");
    memset(text + n, 'x', 150000);
    strcpy(text + n + 150000, "\nVersion: 1\nArchitecture: all\n");
    CHECK(dpkg(text));
    CHECK_STR(listed, "a 1 all <>;");
}

TEST(refused) {
    static const char *const bad[][2] = {
        {"Package: a\nPackage: b\nVersion: 1\n", "the field Package twice"},
        {"Package: a\nVersion: 1\nversion: 1\n", "the field Version twice"},
        {"Package: a\nVersion: 1\nStatus: install ok installed\nStatus: deinstall ok config-files\n", "the field Status twice"},
        {"Package: a\nStatus: install ok installed\n\n", "version '': one of them is missing"},
        {"Version: 1\n\nPackage: a\nVersion: 1\n", "package '', version '1'"},
        {"Package: a\nSource: b\nSource: c\nVersion: 1\n", "the field Source twice"},
        {"Package:\nVersion: 1\n", "is empty"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!dpkg(bad[i][0]));
        CHECK_ERR(bad[i][1]);
    }
    char text[700];
    for (int n = 250; n < 600; n++) {
        memset(text, 0, sizeof text);
        memset(text + sprintf(text, "Version: 1\nPackage: "), 'p', (size_t)n);
        strcat(text, "\n");
        CHECK_EQ(dpkg(text), n <= 256);
    }
}

static bool survives(struct view v) { return read_in(PACKAGE_DB_DPKG, v, 7) || true; }

TEST(broken) { CHECK(broken(VIEW(DPKG), 0, survives)); }
