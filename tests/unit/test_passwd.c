#include "lib.h"

#include "oci/passwd.h"

#define PASSWD                                                                                                         \
    "root:x:0:0:root:/root:/bin/sh\n# a "                                                                              \
    "comment:x:9:9::/:\n\nbroken:x\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"                            \
    "web:x:101:102:Web server,,,:/var/www:/bin/false\nweb:x:7:7:second of this name:/two:\n42:x:1000:1000:number as "  \
    "a name:/n:\n"                                                                                                     \
    "huge:x:4294967295:1::/:\n+::::::\nlast:x:0500:0500::/home/last:/bin/sh"
#define GROUP                                                                                                          \
    "root:x:0:\nadm:x:4:web,syslog\nwww:x:102:web\nsyslog:x:5:webb,we,eb\nextra:x:77: web "                            \
    ",\nnogid:x:x:web\nshort:x:88\n"                                                                                   \
    "more:x:4:web\ntail:x:99:web"

static struct passwd_user u;

static bool resolve(const char *user) { return passwd_resolve(view_str(user), VIEW(PASSWD), VIEW(GROUP), &u, &err); }

static const char *ids(void) {
    static char text[512];
    int n = snprintf(text, sizeof text, "%u:%u", u.uid, u.gid);
    for (size_t i = 0; i < u.group_count; i++) n += snprintf(text + n, sizeof text - (size_t)n, " %u", u.groups[i]);
    snprintf(text + n, sizeof text - (size_t)n, " %.*s", VIEW_ARG(u.home));
    return text;
}

TEST(as_docker_resolves) {
    static const struct {
        const char *user, *ids;
    } good[] = {
        {"", "0:0 0 /root"},
        {"0", "0:0 0 /root"},
        {"root", "0:0 0 /root"},
        {":", "0:0 0 /root"},
        {":www", "0:102 102 /root"},
        {"web", "101:102 102 4 77 4 99 /var/www"},
        {"101", "101:102 102 4 77 4 99 /var/www"},
        {"web:", "101:102 102 4 77 4 99 /var/www"},
        {"web:0", "101:0 0 /var/www"},
        {"web:adm", "101:4 4 /var/www"},
        {"web:short", "101:88 88 /var/www"},
        {"7", "7:7 7 4 102 77 4 99 /two"},
        {"42", "42:0 0 "}, // a number is an id, even where it is somebody's name
        {"1000", "1000:1000 1000 /n"},
        {"12345", "12345:0 0 "},
        {"12345:6", "12345:6 6 "},
        {"12345:tail", "12345:99 99 "},
        {"2147483647:2147483647", "2147483647:2147483647 2147483647 "},
        {"last", "500:500 500 /home/last"},
        {"00101", "101:102 102 4 77 4 99 /var/www"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!resolve(good[i].user)) check_fail("%s: %s", good[i].user, err.text);
        CHECK_STR(ids(), good[i].ids);
    }
}

TEST(without_files) {
    struct view none = {0};
    CHECK(passwd_resolve(none, none, none, &u, &err));
    CHECK_STR(ids(), "0:0 0 ");
    CHECK(passwd_resolve(VIEW("5:6"), none, none, &u, &err));
    CHECK_STR(ids(), "5:6 6 ");
    CHECK(!passwd_resolve(VIEW("root"), none, none, &u, &err));
}

TEST(refused) {
    static const struct {
        const char *user, *why;
    } bad[] = {
        {"nginx", "no 'nginx' in the image's /etc/passwd"},
        {"broken", "no 'broken'"},
        {"huge", "no 'huge'"},
        {"+", "no '+'"},
        {"# a comment", "no '# a comment'"},
        {"-1", "no '-1'"},
        {"2147483648", "too large"},
        {"99999999999999999999999", "too large"},
        {"web:nogid", "no group 'nogid'"},
        {"web:wheel", "no group 'wheel'"},
        {"web:2147483648", "no group '2147483648'"},
        {"web:adm:x", "no group 'adm:x'"},
        {" web", "no ' web'"},
        {"web:-1", "no group '-1'"},
        {"roo", "no 'roo'"},
        {"rootx", "no 'rootx'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (resolve(bad[i].user)) check_fail("%s: accepted as %s", bad[i].user, ids());
        CHECK_ERR(bad[i].why);
    }
}

TEST(many_groups) {
    static char group[64 << 10];
    size_t n = 0;
    for (unsigned i = 0; i < PASSWD_GROUPS_MAX - 1; i++) n += (size_t)sprintf(group + n, "g%u:x:%u:web\n", i, 1000 + i);
    CHECK(passwd_resolve(VIEW("web"), VIEW(PASSWD), view_of(group, n), &u, &err) && u.group_count == PASSWD_GROUPS_MAX);
    n += (size_t)sprintf(group + n, "over:x:5000:web\n");
    CHECK(!passwd_resolve(VIEW("web"), VIEW(PASSWD), view_of(group, n), &u, &err));
    CHECK_ERR("more than 256");
    CHECK(passwd_resolve(VIEW("web:5"), VIEW(PASSWD), view_of(group, n), &u, &err));
}

TEST(every_cut) {
    struct view p = VIEW(PASSWD), g = VIEW(GROUP);
    for (size_t n = 0; n <= p.n; n++) {
        uint8_t *a = malloc(n + 1), *b = malloc(n + 1); /* exact sizes: a read beyond is caught */
        memcpy(a, p.p, n);
        memcpy(b, g.p, n < g.n ? n : g.n);
        passwd_resolve(VIEW("web"), view_of(a, n), view_of(b, n < g.n ? n : g.n), &u, &err);
        free(a);
        free(b);
    }
}
