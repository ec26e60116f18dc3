/* see sbom.h */
#include "trust/sbom.h"

#include <stdlib.h>

#include "base/codec.h"
#include "base/limits.h"
#include "base/writer.h"

#define DESCRIBED_MAX 16u

static const char *const ecosystems[] = {"deb", "apk", "rpm", "package"};

const char *sbom_ecosystem_name(enum sbom_ecosystem ecosystem) { return ecosystems[ecosystem]; }

bool sbom_is_type(struct view type) { return view_is(type, SBOM_TYPE_SPDX) || view_is(type, SBOM_TYPE_CYCLONEDX); }

/* ---- package URLs ---- */

/* NUL is refused: the text is compared with text that cannot hold one, and shown. */
static bool percent_decode(struct view text, struct arena *a, struct view *out, struct err *e) {
    uint8_t *p = arena_alloc(a, text.n);
    size_t n = 0;
    if (!p) return arena_full(a, e);
    for (size_t i = 0; i < text.n; i++) {
        p[n] = text.p[i];
        if (text.p[i] == '%') {
            bool whole = text.n - i > 2;
            int high = whole ? hex_value(text.p[i + 1]) : -1, low = whole ? hex_value(text.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) return err_set(e, ERR_FORMAT, "'%%' without two hex digits");
            p[n] = (uint8_t)(high << 4 | low);
            i += 2;
        }
        n++;
    }
    *out = view_of(p, n);
    return true;
}

/* What stands behind the last `at`; *before is what stands in front of it, or all of it. */
static struct view cut_last(struct view *before, uint8_t at) {
    for (size_t i = before->n; i-- > 0;)
        if (before->p[i] == at) {
            struct view behind = view_skip(*before, i + 1);
            *before = view_first(*before, i);
            return behind;
        }
    return (struct view){0};
}

bool purl_parse(struct view text, struct arena *a, struct sbom_package *out, bool *known, struct err *e) {
    struct view rest = view_skip(text, 4), arch = {0}, epoch = {0};
    *known = false;
    cut_last(&rest, '#');
    struct view qualifiers = cut_last(&rest, '?');
    while (rest.n && rest.p[0] == '/') rest = view_skip(rest, 1);
    struct view type = view_cut(&rest, '/', NULL);
    if (!view_starts(text, VIEW("pkg:")) || !type.n || !rest.n)
        return err_set(e, ERR_FORMAT, "'%.*s' is no package URL", VIEW_ARG(view_first(text, 200)));
    struct sbom_package p = {0};
    while (p.ecosystem < SBOM_ANY && !view_eq_nocase(type, view_str(ecosystems[p.ecosystem]))) p.ecosystem++;
    while (qualifiers.n) {
        struct view value = view_cut(&qualifiers, '&', NULL), key = view_cut(&value, '=', NULL);
        if (view_is(key, "arch")) arch = value;
        if (view_is(key, "epoch")) epoch = value;
    }
    if (p.ecosystem == SBOM_ANY || view_is(arch, "source") || view_is(arch, "src")) return true;
    struct view version = cut_last(&rest, '@'), last = cut_last(&rest, '/');
    if (!percent_decode(last.n ? last : rest, a, &p.name, e) || !percent_decode(version, a, &p.version, e) ||
        !percent_decode(arch, a, &p.arch, e))
        return err_in(e, "package URL '%.*s'", VIEW_ARG(view_first(text, 90)));
    if (!p.name.n) return err_set(e, ERR_FORMAT, "the package URL '%.*s' has no name", VIEW_ARG(view_first(text, 200)));
    if (epoch.n && !view_is(epoch, "0") && p.version.n && !memchr(p.version.p, ':', p.version.n)) { /* trivy's way */
        struct writer w = writer_of(arena_alloc(a, epoch.n + 1 + p.version.n), epoch.n + 1 + p.version.n);
        if (!w.p) return arena_full(a, e);
        write_bytes(&w, epoch), write_u8(&w, ':'), write_bytes(&w, p.version);
        p.version = writer_view(&w);
    }
    *out = p;
    return *known = true;
}

/* ---- what both formats share ---- */

struct reading {
    struct sbom s;
    struct arena *a;
    struct err *e;
};

/* One checksum, in lower or upper case. */
static bool add_checksum(struct reading *q, struct sbom_file *f, struct view name, struct view hex) {
    static const struct {
        const char *spdx, *cyclonedx;
    } algs[] = {[HASH_SHA256] = {"SHA256", "SHA-256"},
                [HASH_SHA384] = {"SHA384", "SHA-384"},
                [HASH_SHA512] = {"SHA512", "SHA-512"}};
    uint8_t digest[HASH_MAX];
    char lower[2 * HASH_MAX];
    size_t n = 0, zeros = 0;
    for (; n < hex.n && n < sizeof lower; n++) {
        lower[n] = (char)(hex.p[n] >= 'A' && hex.p[n] <= 'F' ? hex.p[n] | 0x20 : hex.p[n]);
        zeros += hex.p[n] == '0';
    }
    if (zeros == hex.n) return true; /* syft's word for "not known" */
    f->present = true;
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        if (!view_is(name, algs[i].spdx) && !view_is(name, algs[i].cyclonedx)) continue;
        size_t size = hash_size((enum hash_alg)i);
        if (hex.n != 2 * size || !hex_decode(view_of(lower, n), digest, size))
            return err_set(q->e, ERR_FORMAT, "'%.*s' is no %s of the file %.*s", VIEW_ARG(view_first(hex, 136)),
                           algs[i].spdx, VIEW_ARG(view_first(f->path, 200)));
        if (f->compared && f->alg == (enum hash_alg)i)
            return err_set(q->e, ERR_FORMAT, "the file %.*s has two %s", VIEW_ARG(view_first(f->path, 200)),
                           algs[i].spdx);
        if (f->compared && f->alg < (enum hash_alg)i) return true;
        f->compared = true;
        f->alg = (enum hash_alg)i;
        memcpy(f->digest, digest, size);
    }
    return true;
}

/* An optional array; *out stays NULL when it is absent. */
static bool opt_array(struct reading *q, const json *o, const char *name, const char *where, const json **out) {
    return !json_get(o, name) || json_need_array(o, name, where, out, q->e);
}

static bool add_file(struct reading *q, const json *file, const char *name_member, const char *list_member,
                     const char *alg_member, const char *value_member) {
    struct view path, name, value;
    const json *list = NULL;
    if (!json_need_text(file, name_member, "a file", &path, q->e)) return false;
    while (view_starts(path, VIEW("/")) || view_starts(path, VIEW("./")))
        path = view_skip(path, path.p[0] == '/' ? 1 : 2);
    if (!path.n) return true;
    struct sbom_file *f = &q->s.files[q->s.file_count++];
    *f = (struct sbom_file){.path = path};
    if (!opt_array(q, file, list_member, "a file", &list)) return false;
    for (struct json_iter it = json_each(list); json_next(&it);)
        if (!json_need_text(it.value, alg_member, list_member, &name, q->e) ||
            !json_need_text(it.value, value_member, list_member, &value, q->e) || !add_checksum(q, f, name, value))
            return false;
    return true;
}

static bool add_purl(struct reading *q, struct view purl, bool *known) {
    struct sbom_package p;
    if (!purl_parse(purl, q->a, &p, known, q->e)) return false;
    if (*known) q->s.packages[q->s.package_count++] = p;
    return true;
}

static bool make_room(struct reading *q, size_t files, size_t packages) {
    q->s.files = arena_alloc(q->a, files * sizeof *q->s.files);
    q->s.packages = arena_alloc(q->a, packages * sizeof *q->s.packages);
    return (q->s.files && q->s.packages) || arena_full(q->a, q->e);
}

/* ---- SPDX ---- */

struct described {
    size_t count;
    struct view ids[DESCRIBED_MAX]; /* of the packages that stand for the whole image */
};

static bool is_described(const struct described *d, struct view id) {
    for (size_t i = 0; i < d->count; i++)
        if (view_eq(d->ids[i], id)) return true;
    return false;
}

static void describe(struct described *d, struct view id) {
    if (id.n && d->count < DESCRIBED_MAX) d->ids[d->count++] = id;
}

static bool spdx_package(struct reading *q, const json *package, const struct described *whole) {
    const json *refs = NULL;
    struct view purpose = json_text(json_get(package, "primaryPackagePurpose"));
    if (!opt_array(q, package, "externalRefs", "a package", &refs)) return false;
    for (struct json_iter it = json_each(refs); json_next(&it);) {
        bool known;
        if (!view_is(json_text(json_get(it.value, "referenceType")), "purl")) continue;
        return add_purl(q, json_text(json_get(it.value, "referenceLocator")), &known);
    }
    bool installed =
        !purpose.n || view_is(purpose, "LIBRARY") || view_is(purpose, "APPLICATION") || view_is(purpose, "INSTALL");
    struct sbom_package p = {.ecosystem = SBOM_ANY, .version = json_text(json_get(package, "versionInfo"))};
    if (!json_need_text(package, "name", "a package", &p.name, q->e)) return false;
    if (p.version.n && installed && !is_described(whole, json_text(json_get(package, "SPDXID"))))
        q->s.packages[q->s.package_count++] = p;
    return true;
}

static bool read_spdx(struct reading *q, const json *doc) {
    const json *files = NULL, *packages = NULL, *relations = NULL, *describes = NULL;
    struct described whole = {0};
    struct view version;
    if (!json_need_text(doc, "spdxVersion", "SPDX", &version, q->e)) return false;
    if (!view_is(version, "SPDX-2.3") && !view_is(version, "SPDX-2.2"))
        return err_set(q->e, ERR_FORMAT, "spdxVersion is '%.*s', SPDX-2.2 and SPDX-2.3 are read",
                       VIEW_ARG(view_first(version, 60)));
    if (!opt_array(q, doc, "files", "SPDX", &files) || !opt_array(q, doc, "packages", "SPDX", &packages) ||
        !opt_array(q, doc, "relationships", "SPDX", &relations) ||
        !opt_array(q, doc, "documentDescribes", "SPDX", &describes) ||
        !make_room(q, json_count(files), json_count(packages)))
        return false;
    for (struct json_iter it = json_each(describes); json_next(&it);) describe(&whole, json_text(it.value));
    for (struct json_iter it = json_each(relations); json_next(&it);)
        if (view_is(json_text(json_get(it.value, "relationshipType")), "DESCRIBES"))
            describe(&whole, json_text(json_get(it.value, "relatedSpdxElement")));
    for (struct json_iter it = json_each(files); json_next(&it);)
        if (!add_file(q, it.value, "fileName", "checksums", "algorithm", "checksumValue")) return false;
    for (struct json_iter it = json_each(packages); json_next(&it);)
        if (!spdx_package(q, it.value, &whole)) return false;
    return true;
}

/* ---- CycloneDX ---- */

static bool cyclonedx_component(struct reading *q, const json *component) {
    bool known;
    struct view purl;
    if (view_is(json_text(json_get(component, "type")), "file"))
        return add_file(q, component, "name", "hashes", "alg", "content");
    return !json_get(component, "purl") ||
           (json_need_text(component, "purl", "a component", &purl, q->e) && add_purl(q, purl, &known));
}

/* All components, those inside others too; `q` NULL: only counted. */
static bool each_component(struct reading *q, const json *list, size_t *count) {
    struct json_iter stack[JSON_DEPTH_MAX];
    size_t depth = 1;
    stack[0] = json_each(list);
    while (depth) {
        if (!json_next(&stack[depth - 1])) {
            depth--;
            continue;
        }
        const json *component = stack[depth - 1].value, *inner = json_get(component, "components");
        ++*count;
        if (q && !cyclonedx_component(q, component)) return false;
        if (q && inner && !json_is_array(inner)) return err_set(q->e, ERR_FORMAT, "CycloneDX: components is no array");
        if (inner && depth < JSON_DEPTH_MAX) stack[depth++] = json_each(inner);
    }
    return true;
}

static bool read_cyclonedx(struct reading *q, const json *doc) {
    struct view version, minor;
    const json *components = NULL;
    uint64_t n;
    size_t count = 0, again = 0;
    if (!view_is(json_text(json_get(doc, "bomFormat")), "CycloneDX"))
        return err_set(q->e, ERR_FORMAT, "bomFormat is not CycloneDX");
    if (!json_need_text(doc, "specVersion", "CycloneDX", &version, q->e)) return false;
    minor = view_skip(version, 2);
    if (!view_starts(version, VIEW("1.")) || !view_u64(minor, 99, &n) || n < 4)
        return err_set(q->e, ERR_FORMAT, "specVersion is '%.*s', 1.4 and later 1.x are read",
                       VIEW_ARG(view_first(version, 60)));
    if (!opt_array(q, doc, "components", "CycloneDX", &components)) return false;
    each_component(NULL, components, &count);
    return make_room(q, count, count) && each_component(q, components, &again);
}

/* ---- */

static int by_name(struct view a, struct view b) {
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare(const void *a, const void *b) {
    const struct sbom_package *x = a, *y = b;
    return by_name(x->name, y->name);
}

bool sbom_read(struct view type, const json *predicate, struct arena *a, struct sbom *out, struct err *e) {
    struct reading q = {{0}, a, e};
    bool spdx = view_is(type, SBOM_TYPE_SPDX);
    if (json_is_string(predicate) && !json_parse(json_text(predicate), a, &predicate, e))
        return err_in(e, "the text that the predicate is");
    if (!json_is_object(predicate)) return err_set(e, ERR_FORMAT, "the predicate is no JSON object");
    if (!(spdx ? read_spdx(&q, predicate) : read_cyclonedx(&q, predicate))) {
        if (e->kind != ERR_SYSTEM) e->kind = ERR_FORMAT;
        return false;
    }
    qsort(q.s.packages, q.s.package_count, sizeof *q.s.packages, compare);
    *out = q.s;
    return true;
}

size_t sbom_find(const struct sbom *s, struct view name, struct sbom_package **first) {
    size_t low = 0, high = s->package_count, n = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_name(s->packages[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < s->package_count && view_eq(s->packages[low + n].name, name)) n++;
    *first = s->packages + low;
    return n;
}
