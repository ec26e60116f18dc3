/* see initdata.h */
#include "tee/initdata.h"

#include "base/writer.h"
#include "format/toml.h"

#define IGNORED_MAX 1024u
#define ENTRY_NAME_MAX 256u
#define HARMLESS (sizeof harmless / sizeof harmless[0])

/* Nothing is fetched from there; there is always a log, and no other program to talk to or to slow down. */
static const char *const harmless[] = {
    "aa.toml token_configs.coco_as.url", "aa.toml eventlog_config.enable_eventlog", "aa.toml log.level",
    "cdh.toml socket", "cdh.toml aa.aa_socket",
    "cdh.toml image.work_dir", "cdh.toml image.max_concurrent_layer_downloads_per_image",
};

/* "aa.toml table.key" */
static const char *name_of(const char *file, const struct toml_entry *k, char out[static ENTRY_NAME_MAX]) {
    struct writer w = writer_of(out, ENTRY_NAME_MAX - 1);
    write_text(&w, file);
    write_bytes(&w, view_first(k->table, 100));
    if (k->table.n) write_u8(&w, '.');
    write_bytes(&w, view_first(k->key, 100));
    return writer_str(&w);
}

static bool refused(const char *file, const struct toml_entry *k, struct err *e) {
    char name[ENTRY_NAME_MAX];
    err_set(e, ERR_POLICY, "%s is nothing that this build follows", name_of(file, k, name));
    return err_mend(e, "say it in " INITDATA_POLICY " of [data] (plinth(1), POLICY), or leave it out");
}

/* The same parameter of two files. */
static bool agree(struct view *value, const char *name, const struct toml_entry *k, struct err *e) {
    if (value->n && !view_eq(*value, k->value))
        return err_set(e, ERR_POLICY, "%s is '%.*s', the other file says '%.*s'", name,
                       VIEW_ARG(view_first(k->value, 200)), VIEW_ARG(view_first(*value, 200)));
    *value = k->value;
    return true;
}

/* What is said of the KBS; *known false: not that. */
static bool take_kbs(const char *name, const struct toml_entry *k, struct initdata *d, bool *known, struct err *e) {
    static const char *const names[] = {"aa.toml token_configs.kbs.url",
                                        "cdh.toml kbc.url",
                                        "aa.toml token_configs.kbs.cert",
                                        "cdh.toml kbc.kbs_cert",
                                        "aa.toml token_configs.kbs.tee_key_algorithm",
                                        "cdh.toml kbc.name",
                                        "cdh.toml image.authenticated_registry_credentials_uri"};
    size_t i = 0, count = sizeof names / sizeof names[0];
    while (i < count && strcmp(names[i], name)) i++;
    *known = i < count;
    if (!*known) return true;
    bool ok = k->type == TOML_STRING && k->value.n;
    if (ok && i < 4) return agree(i < 2 ? &d->kbs.url : &d->kbs.ca_pem, name, k, e);
    if (ok && i == 4) d->kbs.rsa_key = view_is(k->value, "RSA-OAEP-256");
    if (ok && i == 4) ok = d->kbs.rsa_key || view_is(k->value, "ECDH-ES+A256KW-P256");
    if (ok && i == 5) ok = view_is(k->value, "cc_kbc");
    if (ok && i == 6) d->kbs.auth_uri = k->value;
    return ok || err_set(e, ERR_POLICY, "%s is '%.*s', which this build does not speak", name,
                         VIEW_ARG(view_first(k->value, 100)));
}

static bool parse_coco(const char *file, struct view text, struct arena *a, struct initdata *d, struct writer *ignored,
                       struct err *e) {
    struct toml *t = arena_alloc(a, sizeof *t);
    if (!t) return arena_full(a, e);
    if (!toml_parse(text, a, t, e)) return err_in(e, "%.*s", (int)strcspn(file, " "), file);
    for (size_t i = 0, h = 0; i < t->count; i++, h = 0) {
        char name[ENTRY_NAME_MAX];
        bool known;
        name_of(file, &t->entries[i], name);
        if (!take_kbs(name, &t->entries[i], d, &known, e)) return false;
        if (known) continue;
        while (h < HARMLESS && strcmp(harmless[h], name)) h++;
        if (h == HARMLESS) return refused(file, &t->entries[i], e);
        if (ignored->n) write_text(ignored, ", ");
        write_text(ignored, name);
    }
    return true;
}

static bool take(const struct toml_entry *k, struct arena *a, struct view *version, struct view *algorithm,
                 struct initdata *d, struct writer *ignored, struct err *e) {
    bool data = view_is(k->table, "data");
    if (k->type != TOML_STRING || (k->table.n && !data)) return refused("", k, e);
    if (data && view_is(k->key, INITDATA_POLICY)) return d->policy = k->value, k->value.n || refused("", k, e);
    if (data && view_is(k->key, "aa.toml")) return parse_coco("aa.toml ", k->value, a, d, ignored, e);
    if (data && view_is(k->key, "cdh.toml")) return parse_coco("cdh.toml ", k->value, a, d, ignored, e);
    if (data || !(view_is(k->key, "version") || view_is(k->key, "algorithm"))) return refused("", k, e);
    *(view_is(k->key, "version") ? version : algorithm) = k->value;
    return true;
}

bool initdata_parse(struct view text, struct arena *a, struct initdata *out, struct err *e) {
    struct initdata d = {0};
    struct view version = {0}, algorithm = {0};
    struct toml *t = arena_alloc(a, sizeof *t);
    struct writer ignored = writer_of(arena_alloc(a, IGNORED_MAX), IGNORED_MAX);
    if (!t || !ignored.p) return arena_full(a, e);
    if (!toml_parse(text, a, t, e)) return false;
    for (size_t i = 0; i < t->count; i++)
        if (!take(&t->entries[i], a, &version, &algorithm, &d, &ignored, e)) return false;
    if (!view_is(version, "0.1.0"))
        return err_set(e, ERR_FORMAT, "version is \"%.*s\", not \"0.1.0\"", VIEW_ARG(view_first(version, 40)));
    while (d.algorithm <= HASH_SHA512 && !view_is(algorithm, hash_name(d.algorithm))) d.algorithm++;
    if (d.algorithm > HASH_SHA512)
        return err_set(e, ERR_FORMAT, "algorithm is \"%.*s\", not sha256, sha384 or sha512",
                       VIEW_ARG(view_first(algorithm, 40)));
    d.ignored = writer_view(&ignored);
    *out = d;
    return true;
}

void initdata_bound(struct view text, enum hash_alg alg, uint8_t *out, size_t size) {
    uint8_t digest[HASH_MAX] = {0};
    hash_once(alg, text, digest);
    memcpy(out, digest, size);
}

bool initdata_match(struct view text, const char *name, struct view bound, enum hash_alg *out, struct err *e) {
    static const uint8_t zero[HASH_MAX];
    char hex[4][2 * HASH_MAX + 1];
    bool unbound = view_eq(bound, view_of(zero, bound.n));
    if (unbound && !text.n) return true;
    for (enum hash_alg alg = HASH_SHA256; text.n && alg <= HASH_SHA512; alg++) {
        uint8_t digest[HASH_MAX];
        initdata_bound(text, alg, digest, bound.n);
        struct writer w = writer_of(hex[alg], sizeof hex[alg]);
        write_hex(&w, view_first(view_of(digest, bound.n), hash_size(alg)));
        (void)writer_str(&w);
        if (view_eq(bound, view_of(digest, bound.n))) return *out = alg, true;
    }
    struct writer w = writer_of(hex[3], sizeof hex[3]);
    write_hex(&w, bound);
    if (!text.n) {
        err_set(e, ERR_DIGEST, "%s is %s, and there is no initdata", name, writer_str(&w));
        return err_mend(e, "attach the initdata with that digest, or launch the machine with zeros");
    }
    err_set(e, ERR_DIGEST, "%s is %s, the initdata's digests are sha256 %s, sha384 %s, sha512 %s", name,
            unbound ? "all zero: nothing was bound" : writer_str(&w), hex[0], hex[1], hex[2]);
    return err_mend(e, "launch the machine with the digest of this initdata as %s", name);
}
