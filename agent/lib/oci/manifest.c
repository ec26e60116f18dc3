/* see manifest.h */
#include "oci/manifest.h"

#include <stdio.h>

#include "base/writer.h"
#include "format/json.h"

#define DOCKER "application/vnd.docker."
#define OCI "application/vnd.oci.image."
#define ENC "org.opencontainers.image.enc."
#define ENCRYPTED "+encrypted"

static bool is_manifest_type(struct view t) {
    return view_is(t, OCI "manifest.v1+json") || view_is(t, DOCKER "distribution.manifest.v2+json");
}
static bool is_index_type(struct view t) {
    return view_is(t, OCI "index.v1+json") || view_is(t, DOCKER "distribution.manifest.list.v2+json");
}

/* A media type, from the document or the registry, must be one of the four and of the kind that the members show. */
static bool type_fits(struct view type, const char *by, bool is_index, struct err *e) {
    if (view_starts(type, VIEW(DOCKER "distribution.manifest.v1+")))
        return err_set(e, ERR_FORMAT, "manifest: %s says '%.*s': schema 1 is not supported", by,
                       VIEW_ARG(view_first(type, 100)));
    bool index = is_index_type(type);
    if (!index && !is_manifest_type(type))
        return err_set(e, ERR_FORMAT, "manifest: %s says '%.*s', which is neither an image manifest nor an index", by,
                       VIEW_ARG(view_first(type, 100)));
    if (index == is_index) return true;
    return err_set(e, ERR_FORMAT, "manifest: %s says '%.*s', but its members are those of an %s", by, VIEW_ARG(type),
                   index ? "image manifest" : "index");
}

/* The checks that hold for every document; afterwards its kind is known. */
static bool open_document(struct view bytes, struct view content_type, struct arena *a, const json **out,
                          enum manifest_kind *kind, struct err *e) {
    const json *root;
    struct view type = {0}, told = view_trim(view_cut(&content_type, ';', NULL));
    uint64_t version;
    if (!json_parse(bytes, a, &root, e)) return err_in(e, "manifest");
    if (!json_is_object(root)) return err_set(e, ERR_FORMAT, "manifest: not a JSON object");
    if (!json_need_u64(root, "schemaVersion", "manifest", &version, e)) return false;
    if (version != 2) {
        err_set(e, ERR_FORMAT, "manifest: schemaVersion is %llu, only 2 is supported", (unsigned long long)version);
        return version == 1
                   ? err_mend(e, "push the image again with a tool of this decade; schema 1 was retired in 2017")
                   : false;
    }
    bool image = json_get(root, "config") || json_get(root, "layers"), index = json_get(root, "manifests");
    if (image && index)
        return err_set(e, ERR_FORMAT,
                       "manifest: it has both \"manifests\" and \"config\" or \"layers\" (CVE-2021-41190)");
    if (!image && !index)
        return err_set(e, ERR_FORMAT, "manifest: it has neither \"manifests\" nor \"config\" and \"layers\"");
    if (json_get(root, "mediaType") &&
        (!json_need_text(root, "mediaType", "manifest", &type, e) || !type_fits(type, "mediaType", index, e)))
        return false;
    if (told.n && !type_fits(told, "the registry", index, e)) return false;
    if (told.n && type.n && !view_eq(told, type))
        return err_set(e, ERR_FORMAT, "manifest: the registry says '%.*s', mediaType says '%.*s'", VIEW_ARG(told),
                       VIEW_ARG(type));
    *kind = index ? MANIFEST_INDEX : MANIFEST_IMAGE;
    *out = root;
    return true;
}

static bool open_kind(struct view bytes, enum manifest_kind kind, struct arena *a, const json **root, struct err *e) {
    enum manifest_kind is;
    if (!open_document(bytes, (struct view){0}, a, root, &is, e)) return false;
    return is == kind || err_set(e, ERR_FORMAT, "manifest: it is an %s",
                                 is == MANIFEST_INDEX ? "index, not an image" : "image, not an index");
}

bool manifest_kind_of(const struct view bytes, struct view content_type, struct arena *a, enum manifest_kind *out,
                      struct err *e) {
    const json *root;
    return open_document(bytes, content_type, a, &root, out, e);
}

/* image-spec descriptor.md; `where` names it in errors. */
static bool descriptor_parse(const json *v, const char *where, struct descriptor *out, struct err *e) {
    struct descriptor d;
    struct view digest;
    const json *urls = json_get(v, "urls");
    if (!json_is_object(v)) return err_set(e, ERR_FORMAT, "%s is not an object", where);
    if (!json_need_text(v, "mediaType", where, &d.media_type, e) || !json_need_text(v, "digest", where, &digest, e))
        return false;
    if (!digest_parse(digest, &d.digest, e)) return err_in(e, "%s.digest", where);
    if (!json_need_u64(v, "size", where, &d.size, e)) return false;
    if (urls && !(json_is_array(urls) && json_count(urls) == 0))
        return err_set(e, ERR_FORMAT,
                       "%s.urls names other places to fetch from, which is not supported (CVE-2020-15157)", where);
    *out = d;
    return true;
}

static bool layer_type(struct view type, enum layer_compression *out) {
    static const struct {
        const char *type;
        enum layer_compression compression;
    } types[] = {
        {OCI "layer.v1.tar", LAYER_PLAIN},
        {OCI "layer.v1.tar+gzip", LAYER_GZIP},
        {OCI "layer.v1.tar+zstd", LAYER_ZSTD},
        {OCI "layer.nondistributable.v1.tar", LAYER_PLAIN},
        {OCI "layer.nondistributable.v1.tar+gzip", LAYER_GZIP},
        {OCI "layer.nondistributable.v1.tar+zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.diff.tar", LAYER_PLAIN},
        {DOCKER "image.rootfs.diff.tar.gzip", LAYER_GZIP},
        {DOCKER "image.rootfs.diff.tar.zstd", LAYER_ZSTD},
        {DOCKER "image.rootfs.foreign.diff.tar.gzip", LAYER_GZIP},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (view_is(type, types[i].type)) {
            *out = types[i].compression;
            return true;
        }
    return false;
}

static bool config_check(const json *root, const struct descriptor *config, struct err *e) {
    struct view type = view_first(config->media_type, 150),
                artifact = view_first(json_text(json_get(root, "artifactType")), 150);
    if (!view_is(type, OCI "config.v1+json") && !view_is(type, DOCKER "container.image.v1+json"))
        return err_set(e, ERR_FORMAT, "manifest: config.mediaType is '%.*s'%s%.*s: this is no container image",
                       VIEW_ARG(type), artifact.n ? ", artifactType " : "", VIEW_ARG(artifact));
    if (config->size == 0 || config->size > CONFIG_MAX)
        return err_set(e, ERR_FORMAT, "manifest: config.size is %llu, 1 to %u is accepted",
                       (unsigned long long)config->size, CONFIG_MAX);
    return true;
}

/* The annotations of an encrypted layer; keys in forms that nobody here opens (pgp, pkcs7, pkcs11) are named. */
static bool encryption_parse(const json *annotations, const char *where, struct layer_encryption *out, struct err *e) {
    struct layer_encryption found = {json_text(json_get(annotations, ENC "pubopts")), {0}, {0}};
    char others[200];
    struct writer w = writer_of(others, sizeof others);
    for (struct json_iter it = json_each(annotations); json_next(&it);) {
        struct view value = json_text(it.value), form = view_skip(it.name, sizeof ENC "keys." - 1);
        if (!view_starts(it.name, VIEW(ENC "keys.")) || !value.n) continue;
        if (view_is(form, "jwe")) {
            found.jwe = value;
        } else if (!view_starts(form, VIEW("provider."))) {
            write_text(&w, w.n ? ", " : ": ");
            write_bytes(&w, view_first(form, 40));
        } else if (!found.provider.n || view_is(form, "provider.attestation-agent")) {
            found.provider = value;
        }
    }
    if (!found.pubopts.n) return err_set(e, ERR_FORMAT, "%s is encrypted, but has no annotation " ENC "pubopts", where);
    if (!found.jwe.n && !found.provider.n) {
        err_set(e, ERR_FORMAT, "%s is encrypted, but its key is in no form that can be opened%.*s", where, (int)w.n,
                others);
        return err_mend(e, "encrypt for jwe:PUBLIC.pem or for a key provider (skopeo copy --encryption-key)");
    }
    *out = found;
    return true;
}

static bool layer_parse(const json *v, size_t i, struct layer *out, struct err *e) {
    char where[40];
    snprintf(where, sizeof where, "manifest: layers[%zu]", i);
    if (!descriptor_parse(v, where, &out->descriptor, e)) return false;
    struct view type = out->descriptor.media_type;
    out->encrypted = view_ends(type, VIEW(ENCRYPTED));
    if (!layer_type(out->encrypted ? view_first(type, type.n - VIEW(ENCRYPTED).n) : type, &out->compression))
        return err_set(e, ERR_FORMAT, "%s.mediaType is '%.*s', which is no layer of a container image", where,
                       VIEW_ARG(view_first(type, 150)));
    if (!out->descriptor.size) return err_set(e, ERR_FORMAT, "%s.size is 0: no layer is that small", where);
    return !out->encrypted || encryption_parse(json_get(v, "annotations"), where, &out->encryption, e);
}

bool manifest_parse(struct view bytes, struct arena *a, struct manifest *out, struct err *e) {
    const json *root, *config, *layers;
    if (!open_kind(bytes, MANIFEST_IMAGE, a, &root, e)) return false;
    struct manifest *m = arena_alloc(a, sizeof *m);
    if (!m) return arena_full(a, e);
    if (!json_need_object(root, "config", "manifest", &config, e) ||
        !json_need_array(root, "layers", "manifest", &layers, e) ||
        !descriptor_parse(config, "manifest: config", &m->config, e) || !config_check(root, &m->config, e))
        return false;
    if (json_count(layers) == 0 || json_count(layers) > LAYERS_MAX)
        return err_set(e, ERR_FORMAT, "manifest: it has %zu layers, 1 to %u are accepted", json_count(layers),
                       LAYERS_MAX);
    for (struct json_iter it = json_each(layers); json_next(&it); m->layer_count++)
        if (!layer_parse(it.value, m->layer_count, &m->layers[m->layer_count], e)) return false;
    *out = *m;
    return true;
}

/* An entry without variant fits every wish for one. A wish without variant takes the architecture's baseline alone: an
 * amd64/v3 program may not run on this processor. */
static bool platform_fits(const json *entry, const struct platform *want) {
    struct view variant = json_text(json_get(entry, "variant"));
    if (!view_is(json_text(json_get(entry, "os")), want->os) ||
        !view_is(json_text(json_get(entry, "architecture")), want->architecture))
        return false;
    if (variant.n == 0 || view_is(variant, want->variant)) return true;
    return !want->variant[0] && ((view_is(variant, "v1") && !strcmp(want->architecture, "amd64")) ||
                                 (view_is(variant, "v8") && !strcmp(want->architecture, "arm64")));
}

static void write_platform(struct writer *w, const json *entry) {
    static const char *const parts[] = {"os", "architecture", "variant"};
    if (w->n) write_text(w, ", ");
    for (size_t i = 0; i < 3; i++) {
        struct view part = view_first(json_text(json_get(entry, parts[i])), 30);
        if (i && part.n) write_u8(w, '/');
        write_bytes(w, part);
    }
}

bool index_select(struct view bytes, const struct platform *want, struct arena *a, struct descriptor *out,
                  struct err *e) {
    const json *root, *manifests;
    char offer[300];
    struct writer w = writer_of(offer, sizeof offer);
    if (!open_kind(bytes, MANIFEST_INDEX, a, &root, e) ||
        !json_need_array(root, "manifests", "manifest", &manifests, e))
        return false;
    size_t i = 0;
    for (struct json_iter it = json_each(manifests); json_next(&it); i++) {
        const json *platform = json_get(it.value, "platform");
        if (!is_manifest_type(json_text(json_get(it.value, "mediaType"))) || !json_is_object(platform)) continue;
        if (platform_fits(platform, want)) {
            char where[40];
            struct descriptor d;
            snprintf(where, sizeof where, "index: manifests[%zu]", i);
            if (!descriptor_parse(it.value, where, &d, e)) return false;
            if (d.size == 0 || d.size > MANIFEST_MAX)
                return err_set(e, ERR_FORMAT, "%s.size is %llu, 1 to %u is accepted", where, (unsigned long long)d.size,
                               MANIFEST_MAX);
            *out = d;
            return true;
        }
        if (!view_is(json_text(json_get(platform, "os")), "unknown")) write_platform(&w, platform);
    }
    if (w.n == 0) write_text(&w, "nothing");
    return err_set(e, ERR_FORMAT, "index: it offers %.*s%s, %s/%s%s%s is needed", (int)w.n, offer,
                   w.full ? " and more" : "", want->os, want->architecture, want->variant[0] ? "/" : "", want->variant);
}

bool signature_manifest_parse(struct view bytes, struct arena *a, struct signature_entry *out, size_t max,
                              size_t *count, struct err *e) {
    const json *root, *layers;
    if (!open_kind(bytes, MANIFEST_IMAGE, a, &root, e) || !json_need_array(root, "layers", "manifest", &layers, e))
        return false;
    if (json_count(layers) > max)
        return err_set(e, ERR_FORMAT, "manifest: it has %zu signatures, %zu are accepted", json_count(layers), max);
    size_t n = 0;
    for (struct json_iter it = json_each(layers); json_next(&it); n++) {
        char where[40];
        snprintf(where, sizeof where, "manifest: layers[%zu]", n);
        if (!descriptor_parse(it.value, where, &out[n].payload, e)) return false;
        out[n].signature = json_text(json_get(json_get(it.value, "annotations"), "dev.cosignproject.cosign/signature"));
    }
    *count = n;
    return true;
}

bool referrer_parse(struct view bytes, struct arena *a, struct referrer *out, struct err *e) {
    const json *root;
    struct referrer r = {0};
    struct descriptor subject;
    if (!open_kind(bytes, MANIFEST_IMAGE, a, &root, e)) return false;
    r.artifact_type = json_text(json_get(root, "artifactType"));
    r.has_subject = json_get(root, "subject");
    if (r.has_subject && !descriptor_parse(json_get(root, "subject"), "manifest: subject", &subject, e)) return false;
    if (r.has_subject) r.subject = subject.digest;
    *out = r;
    return true;
}

bool referrers_parse(struct view bytes, struct arena *a, struct digest *out, size_t max, size_t *count, struct err *e) {
    const json *root, *manifests;
    if (!open_kind(bytes, MANIFEST_INDEX, a, &root, e) ||
        !json_need_array(root, "manifests", "manifest", &manifests, e))
        return false;
    size_t n = *count, at = 0;
    for (struct json_iter it = json_each(manifests); json_next(&it); at++) {
        char where[40];
        struct descriptor d;
        snprintf(where, sizeof where, "referrers: manifests[%zu]", at);
        if (!descriptor_parse(it.value, where, &d, e)) return false;
        size_t same = 0;
        while (same < n && !digest_eq(&out[same], &d.digest)) same++;
        if (same < n) continue;
        if (n == max)
            return err_set(e, ERR_FORMAT, "the list of referrers goes on (this part has %zu); %zu are opened",
                           json_count(manifests), max);
        out[n++] = d.digest;
    }
    *count = n;
    return true;
}
