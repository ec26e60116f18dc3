/* see sbom.h */
#include "step/sbom.h"

#include "base/clock.h"
#include "oci/layer.h"
#include "oci/rpm_db.h"
#include "sys/root.h"
#include "trust/sbom.h"
#include "trust/statement.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Address space, not memory: one statement, parsed, and perhaps the document inside its string. */
#define SBOM_ARENA (512u << 20)
#define BUFFER_SIZE RPM_DB_BUFFER

/* A file by what it is: another path to it, by links of whatever kind, is the same file. */
struct file_id {
    dev_t device;
    ino_t inode;
};

struct match {
    const struct config *config;
    int root, rpm; /* rpm: the database at hand */
    struct arena *a;
    struct sbom sbom;
    struct sbom_result *r;
    uint8_t *buffer;
    size_t seen_count;
    struct file_id *seen;
    char path[LAYER_PATH_MAX + 16]; /* of the directory at hand */
    unsigned depth;
};

static const char *const words[SBOM_DIFFERENCES] = {"missing", "changed", "unlisted"};

/* ---- differences ---- */

static void put(char *out, size_t size, struct view text) {
    size_t n = 0;
    for (size_t i = 0; i < text.n && n + 5 <= size; i++)
        n += (size_t)snprintf(out + n, size - n, text.p[i] >= 0x20 && text.p[i] < 0x7f ? "%c" : "\\x%02x", text.p[i]);
    out[n] = 0;
}

static void differ(struct match *m, enum policy_sbom kind, const char *prefix, struct view name, struct view listed,
                   struct view found) {
    uint64_t n = m->r->count[kind]++;
    if (n >= SBOM_NAMED_MAX) return;
    struct sbom_difference *d = &m->r->first[kind][n];
    int at = snprintf(d->name, sizeof d->name, "%s", prefix);
    put(d->name + at, sizeof d->name - (size_t)at, name);
    put(d->listed, sizeof d->listed, listed);
    put(d->found, sizeof d->found, found);
}

static bool in_time(const struct match *m, struct err *e) {
    if (!m->config->deadline_ms || clock_ms() < m->config->deadline_ms) return true;
    err_set(e, ERR_SYSTEM, "limits.seconds of the policy (%u s) ran out", m->config->policy.limits.seconds);
    return err_mend(e, "raise limits.seconds: it bounds this comparison, too");
}

/* ---- files ---- */

static bool hash_file(const struct match *m, int fd, enum hash_alg alg, uint8_t *out, struct err *e) {
    struct hash h;
    ssize_t n;
    hash_init(&h, alg);
    while ((n = read(fd, m->buffer, BUFFER_SIZE)) > 0) {
        if (!in_time(m, e)) return false;
        hash_update(&h, view_of(m->buffer, (size_t)n));
    }
    if (n < 0) return err_sys(e, "cannot read a file of the image");
    hash_final(&h, out);
    return true;
}

static struct view digest_words(enum hash_alg alg, const uint8_t *digest, char *out, size_t size) {
    struct writer w = writer_of(out, size);
    write_text(&w, hash_name(alg));
    write_text(&w, ":");
    write_hex(&w, view_of(digest, hash_size(alg)));
    return writer_view(&w);
}

/* A regular file, open; -1 where there is none, -2 where that cannot be told. Nothing else is opened: a device might
 * notice. */
static int open_file(const struct match *m, const char *path, struct stat *s, struct err *e) {
    int at = root_open(m->root, path, O_PATH, true);
    if (at < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)) return -1;
    bool ok = at >= 0 && fstat(at, s) == 0;
    if (at >= 0) close(at);
    if (ok && !S_ISREG(s->st_mode)) return -1;
    int fd = ok ? root_open(m->root, path, O_RDONLY | O_NOCTTY, true) : -1;
    if (fd >= 0) return fd;
    err_sys(e, "cannot open %.300s", path);
    err_mend(e, "only root may read every file of an image");
    return -2;
}

static bool match_file(struct match *m, const struct sbom_file *f, struct err *e) {
    char path[LAYER_PATH_MAX + 16], listed[144] = "", has[144];
    uint8_t digest[HASH_MAX];
    struct stat s;
    struct view wanted = f->compared ? digest_words(f->alg, f->digest, listed, sizeof listed) : VIEW("a file");
    int fd = view_to_str(f->path, path, sizeof path) ? open_file(m, path, &s, e) : -1;
    if (fd == -2) return false;
    if (fd == -1) {
        if (f->present) differ(m, SBOM_MISSING, "/", f->path, wanted, (struct view){0});
        return true;
    }
    m->seen[m->seen_count++] = (struct file_id){s.st_dev, s.st_ino};
    bool ok = !f->compared || hash_file(m, fd, f->alg, digest, e);
    close(fd);
    if (!ok) return err_in(e, "%.100s", path);
    if (!f->compared)
        m->r->uncompared++;
    else if (memcmp(digest, f->digest, hash_size(f->alg)) == 0)
        m->r->matched++;
    else
        differ(m, SBOM_CHANGED, "/", f->path, wanted, digest_words(f->alg, digest, has, sizeof has));
    return true;
}

static int by_id(const void *a, const void *b) {
    const struct file_id *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

/* `fd` is m->path's, and is closed. The depth is bounded by what the unpack worker may have made. */
static bool find_unlisted(struct match *m, int fd, struct err *e) {
    size_t n = strlen(m->path);
    DIR *d = fd < 0 || m->depth > LAYER_DEPTH_MAX + 1 ? NULL : fdopendir(fd);
    if (!d) return err_sys(e, "cannot read the directory /%.300s", m->path);
    bool ok = true;
    struct dirent *entry;
    while (ok && (ok = in_time(m, e)) && (errno = 0, entry = readdir(d))) {
        struct stat s;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (n + strlen(entry->d_name) + 2 > sizeof m->path) {
            ok = err_set(e, ERR_FORMAT, "a path of more than %u bytes", LAYER_PATH_MAX);
            break;
        }
        sprintf(m->path + n, "%s%s", n ? "/" : "", entry->d_name);
        m->depth++;
        if (fstatat(fd, entry->d_name, &s, AT_SYMLINK_NOFOLLOW)) {
            ok = err_sys(e, "cannot look at /%.300s", m->path);
        } else if (S_ISDIR(s.st_mode)) {
            ok = find_unlisted(m, openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), e);
        } else if (S_ISREG(s.st_mode)) {
            struct file_id id = {s.st_dev, s.st_ino};
            if (!bsearch(&id, m->seen, m->seen_count, sizeof id, by_id))
                differ(m, SBOM_UNLISTED, "/", view_str(m->path), (struct view){0}, VIEW("a file"));
        }
        m->depth--;
        m->path[n] = 0;
    }
    if (ok && errno) ok = err_sys(e, "cannot read the directory /%.300s", m->path);
    closedir(d);
    return ok;
}

static bool match_files(struct match *m, struct err *e) {
    if (!m->sbom.file_count) return true;
    m->seen = arena_alloc(m->a, m->sbom.file_count * sizeof *m->seen);
    if (!m->seen) return arena_full(m->a, e);
    for (size_t i = 0; i < m->sbom.file_count; i++)
        if (!in_time(m, e) || !match_file(m, &m->sbom.files[i], e)) return false;
    qsort(m->seen, m->seen_count, sizeof *m->seen, by_id);
    return find_unlisted(m, root_open(m->root, "/", O_RDONLY | O_DIRECTORY, true), e);
}

/* ---- packages ---- */

static const char *prefix_of(enum sbom_ecosystem ecosystem, char *out, size_t size) {
    snprintf(out, size, "%s ", sbom_ecosystem_name(ecosystem));
    return out;
}

static bool same_package(const struct sbom_package *p, enum sbom_ecosystem ecosystem,
                         const struct package_db_entry *entry) {
    return (p->ecosystem == ecosystem || p->ecosystem == SBOM_ANY) &&
           (!p->arch.n || !entry->arch.n || view_eq(p->arch, entry->arch));
}

/* An epoch of 0 and none are the same. */
static bool same_version(struct view listed, struct view installed) {
    return !listed.n || view_eq(listed, installed) ||
           (view_starts(listed, VIEW("0:")) && view_eq(view_skip(listed, 2), installed));
}

/* One that is installed. Listed in its version it counts; listed in others only, these have it instead. */
static bool match_installed(struct match *m, enum sbom_ecosystem ecosystem, const struct package_db_entry *entry,
                            struct err *e) {
    struct sbom_package *p;
    char prefix[16];
    size_t n = sbom_find(&m->sbom, entry->name, &p), others = 0, equal = 0;
    for (size_t i = 0; i < n; i++) {
        if (!same_package(&p[i], ecosystem, entry)) continue;
        bool same = same_version(p[i].version, entry->version);
        p[i].found |= same;
        equal += same;
        others += !same;
    }
    if (equal)
        m->r->matched++;
    else if (!others)
        differ(m, SBOM_UNLISTED, prefix_of(ecosystem, prefix, sizeof prefix), entry->name, (struct view){0},
               entry->version);
    for (size_t i = 0; !equal && i < n; i++)
        if (same_package(&p[i], ecosystem, entry) && !p[i].instead.n &&
            !(p[i].instead = arena_copy(m->a, entry->version)).p)
            return arena_full(m->a, e);
    /* Notes in ELF programs, which syft lists as packages, name what they were built from, and no architecture. */
    n = sbom_find(&m->sbom, entry->source, &p);
    for (size_t i = 0; i < n; i++)
        p[i].found |= p[i].ecosystem == ecosystem && !p[i].arch.n &&
                      (view_eq(p[i].version, entry->version) || view_eq(p[i].version, entry->source_version));
    return true;
}

static bool read_database(struct match *m, int fd, enum package_db_format format, struct err *e) {
    struct package_db db = package_db_of(format);
    struct package_db_entry entry;
    ssize_t n;
    do {
        bool got;
        if (!in_time(m, e)) return false;
        if ((n = read(fd, m->buffer, BUFFER_SIZE)) < 0) return err_sys(e, "read");
        struct view rest = view_of(m->buffer, (size_t)n);
        do {
            if (!package_db_next(&db, &rest, n == 0, &entry, &got, e)) return false;
            if (got && !match_installed(m, format == PACKAGE_DB_APK ? SBOM_APK : SBOM_DEB, &entry, e)) return false;
        } while (got);
    } while (n > 0);
    return true;
}

/* *found tells whether there is one. */
static bool match_database(struct match *m, const char *path, enum package_db_format format, bool *found,
                           struct err *e) {
    struct stat s;
    int fd = open_file(m, path, &s, e);
    *found = fd >= 0;
    if (fd < 0) return fd == -1;
    bool ok = read_database(m, fd, format, e);
    close(fd);
    return ok || err_in(e, "package database /%s", path);
}

/* One file for each package, and beside them lists of checksums. */
static bool match_distroless(struct match *m, struct err *e) {
    static const char directory[] = "var/lib/dpkg/status.d";
    int fd = root_open(m->root, directory, O_RDONLY | O_DIRECTORY, true);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) return fd < 0 && (errno == ENOENT || errno == ENOTDIR) ? true : err_sys(e, "cannot read /%s", directory);
    bool ok = true, found;
    for (struct dirent *entry; ok && (entry = readdir(d));) {
        char path[sizeof directory + 256 + 1];
        if (entry->d_name[0] == '.' || view_ends(view_str(entry->d_name), VIEW(".md5sums"))) continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        ok = match_database(m, path, PACKAGE_DB_DPKG, &found, e);
    }
    closedir(d);
    return ok;
}

static bool rpm_bytes(void *user, uint64_t at, uint8_t *out, size_t n, struct err *e) {
    const struct match *m = user;
    if (!in_time(m, e)) return false;
    ssize_t had = pread(m->rpm, out, n, (off_t)at);
    return had == (ssize_t)n || err_sys(e, "read");
}

/* A key is kept like a package without being one: whoever lists it may. */
static bool rpm_package(void *user, const struct package_db_entry *entry, struct err *e) {
    struct match *m = user;
    struct sbom_package *listed;
    if (view_is(entry->name, "gpg-pubkey") && !sbom_find(&m->sbom, entry->name, &listed)) return true;
    return match_installed(m, SBOM_RPM, entry, e);
}

/* What SQLite would still merge into the database when it opens it, and nobody here does. */
static bool match_rpm_log(struct match *m, const char *database, struct err *e) {
    char path[80];
    struct stat s;
    snprintf(path, sizeof path, "%s-wal", database);
    int fd = open_file(m, path, &s, e);
    if (fd >= 0) close(fd);
    if (fd >= 0 && s.st_size)
        differ(m, SBOM_CHANGED, "/", view_str(path), VIEW("a complete database"), VIEW("changes it does not have yet"));
    return fd != -2;
}

/* One directory may lead to another. */
static bool match_rpm(struct match *m, struct err *e) {
    static const char *const directories[] = {"var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"};
    static const char *const names[] = {"rpmdb.sqlite", "Packages.db", "Packages"};
    struct file_id done[9];
    for (size_t i = 0, count = 0; i < 9; i++) {
        char path[64];
        struct stat s;
        snprintf(path, sizeof path, "%s/%s", directories[i / 3], names[i % 3]);
        if ((m->rpm = open_file(m, path, &s, e)) == -2) return false;
        if (m->rpm < 0) continue;
        done[count] = (struct file_id){s.st_dev, s.st_ino};
        size_t same = 0;
        while (by_id(&done[same], &done[count])) same++;
        struct rpm_db db = {(uint64_t)s.st_size, m->buffer, m, rpm_bytes, rpm_package};
        bool ok = same < count || (match_rpm_log(m, path, e) && rpm_db_read(&db, e));
        count += same == count;
        close(m->rpm);
        if (!ok) return err_in(e, "package database /%s", path);
    }
    return true;
}

static bool match_packages(struct match *m, struct err *e) {
    bool found;
    if (!match_database(m, "var/lib/dpkg/status", PACKAGE_DB_DPKG, &found, e) || !match_distroless(m, e) ||
        !match_database(m, "lib/apk/db/installed", PACKAGE_DB_APK, &found, e) ||
        (!found && !match_database(m, "usr/lib/apk/db/installed", PACKAGE_DB_APK, &found, e)) || !match_rpm(m, e))
        return false;
    for (size_t i = 0; i < m->sbom.package_count; i++) {
        const struct sbom_package *p = &m->sbom.packages[i];
        char prefix[16];
        if (p->found || (p->ecosystem == SBOM_ANY && !p->instead.n)) continue;
        differ(m, p->instead.n ? SBOM_CHANGED : SBOM_MISSING, prefix_of(p->ecosystem, prefix, sizeof prefix), p->name,
               p->version.n ? p->version : VIEW("any version"), p->instead);
    }
    return true;
}

/* ---- */

static bool match_document(const struct config *config, const struct attestation_match *document, int root,
                           struct arena *a, struct sbom_result *r, struct err *e) {
    struct match m = {.config = config, .root = root, .a = a, .r = r, .buffer = arena_alloc(a, BUFFER_SIZE)};
    struct statement s;
    if (!m.buffer) return arena_full(a, e);
    return statement_parse(document->statement, a, &s, e) && sbom_read(s.predicate_type, s.predicate, a, &m.sbom, e) &&
           match_files(&m, e) && match_packages(&m, e);
}

void sbom_summary(const struct sbom_result *r, char out[SBOM_TEXT_SIZE]) {
    snprintf(out, SBOM_TEXT_SIZE,
             "SBOM: %llu as listed, %llu missing, %llu changed, %llu unlisted, %llu without a checksum to compare",
             (unsigned long long)r->matched, (unsigned long long)r->count[SBOM_MISSING],
             (unsigned long long)r->count[SBOM_CHANGED], (unsigned long long)r->count[SBOM_UNLISTED],
             (unsigned long long)r->uncompared);
}

bool sbom_named(const struct sbom_result *r, enum policy_sbom kind, size_t i, char out[SBOM_TEXT_SIZE]) {
    if (i >= r->count[kind] || i >= SBOM_NAMED_MAX) return false;
    const struct sbom_difference *d = &r->first[kind][i];
    snprintf(out, SBOM_TEXT_SIZE, "%.200s is %s: %s%s in the SBOM, %s%s in the image", d->name, words[kind], d->listed,
             d->listed[0] ? "" : "not", d->found, d->found[0] ? "" : "not");
    return true;
}

static bool judge(unsigned refused, const struct sbom_result *r, struct err *e) {
    char text[SBOM_TEXT_SIZE];
    for (unsigned kind = 0; kind < SBOM_DIFFERENCES; kind++) {
        if (!(refused >> kind & 1) || !sbom_named(r, kind, 0, text)) continue;
        err_set(e, ERR_POLICY, "%s; %llu missing, %llu changed, %llu unlisted", text,
                (unsigned long long)r->count[SBOM_MISSING], (unsigned long long)r->count[SBOM_CHANGED],
                (unsigned long long)r->count[SBOM_UNLISTED]);
        return err_mend(e, "attest an SBOM made from this very image, or take \"%s\" out of sbom.refuse", words[kind]);
    }
    return true;
}

bool sbom_match(const struct config *config, const struct verified_image *image, int root_fd, struct sbom_result *out,
                struct err *e) {
    const struct policy *policy = &config->policy;
    const struct attestation_verdict *v = &image->attestations;
    memset(out, 0, sizeof *out);
    if (!policy->sbom.match_rootfs) return true;
    for (size_t i = 0; i < v->count; i++) {
        struct arena a;
        size_t same = 0;
        while (same < i && !view_eq(v->matches[same].statement, v->matches[i].statement)) same++;
        if (same < i || !sbom_is_type(policy->attestations[v->matches[i].attestation].predicate_type)) continue;
        if (!arena_make(&a, SBOM_ARENA, e)) return false;
        bool ok = match_document(config, &v->matches[i], root_fd, &a, out, e);
        arena_drop(&a);
        if (!ok)
            return err_in(e, "sbom: SBOM by '%.*s'", VIEW_ARG(view_first(policy->keys[v->matches[i].key].name, 60)));
        out->compared = true;
    }
    return judge(policy->sbom.refuse, out, e) || err_in(e, "sbom");
}
