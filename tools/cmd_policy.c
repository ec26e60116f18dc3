/* cmd_policy: plinth policy from-containers: containers-policy.json(5), as podman, skopeo and CRI-O read it, in Plinth's form. */
#include "base/codec.h"
#include "base/limits.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "oci/reference.h"
#include "tools/file.h"
#include "tools/options.h"
#include "trust/policy.h"

#include <stdio.h>
#include <string.h>

#define REQUIREMENTS_MAX POLICY_GROUPS_MAX

struct conversion {
    struct arena a;
    struct reference image;
    bool has_image;
    struct view identity; /* of all requirements; empty: none asked */
    size_t signed_count;  /* sigstoreSigned requirements */
    bool anything;        /* insecureAcceptAnything */
    struct writer keys;   /* the groups, written as they are met */
    struct writer out;
};

static bool cannot(struct err *e, const char *what, const char *mend) {
    err_set(e, ERR_POLICY, "this cannot be expressed in a policy of Plinth: %s", what);
    return err_mend(e, "%s", mend);
}

/* ---- which requirements ---- */

/* The longest scope of transports.docker that is the image, its repository, or a prefix of it; "" and default after it. */
static const json *scoped(const json *docker, const struct reference *image) {
    char text[2048];
    const json *best = NULL;
    size_t length = 0;
    reference_text(image, text, sizeof text);
    for (struct json_iter it = json_each(docker); json_next(&it);) {
        struct view name = view_str(text), host = view_str(image->host);
        bool wild = view_starts(it.name, VIEW("*.")) && view_ends(host, view_skip(it.name, 1));
        bool below = view_starts(name, it.name) &&
                     (name.n == it.name.n || it.name.n == 0 || name.p[it.name.n] == '/' || name.p[it.name.n] == '@' ||
                      (name.p[it.name.n] == ':' && memchr(it.name.p, '/', it.name.n)));
        size_t worth = 2 * it.name.n + !wild; /* a name that matches is no shorter than any wildcard, and goes before it */
        if ((wild || below) && (!best || worth > length)) best = it.value, length = worth;
    }
    return best;
}

static bool choose(const struct conversion *c, const json *root, const json **out, struct err *e) {
    static const char *const members[] = {"default", "transports", NULL};
    const json *docker = json_get(json_get(root, "transports"), "docker");
    if (!json_only(root, members, "containers policy", e)) return false;
    if (c->has_image) *out = scoped(docker, &c->image);
    else if (json_count(docker) > 0) {
        err_set(e, ERR_USAGE, "transports.docker has %zu scopes, a policy of Plinth is for one image", json_count(docker));
        return err_mend(e, "say which with --image HOST/REPOSITORY[:TAG][@DIGEST]");
    }
    if (!*out) *out = json_get(root, "default");
    if (!json_is_array(*out) || json_count(*out) == 0)
        return err_set(e, ERR_USAGE, "containers policy: there are no requirements for this image, and no default");
    return true;
}

/* ---- one requirement ---- */

static void write_key(struct writer *w, struct view name, struct view pem) {
    if (w->n && w->p[w->n - 1] == '}') write_text(w, ", ");
    write_text(w, "{ \"name\": "), write_json_string(w, name);
    write_text(w, ", \"pem\": "), write_json_string(w, pem), write_text(w, " }");
}

static bool path_key(struct conversion *c, struct view path, struct err *e) {
    char *file = arena_str(&c->a, path);
    struct view pem;
    if (!file) return arena_full(&c->a, e);
    if (!file_read("key", file, 64u << 10, &c->a, &pem, e)) return false;
    write_key(&c->keys, path, pem);
    return true;
}

static bool data_key(struct conversion *c, struct view data, struct err *e) {
    uint8_t *p = arena_alloc(&c->a, data.n), digest[32];
    char name[40] = "keyData ";
    size_t n;
    if (!p) return arena_full(&c->a, e);
    if (!base64_decode(data, p, data.n, &n)) return err_set(e, ERR_USAGE, "keyData is not base64");
    hash_once(HASH_SHA256, view_of(p, n), digest);
    struct writer w = writer_of(name + 8, sizeof name - 9);
    write_hex(&w, view_of(digest, 8));
    write_key(&c->keys, view_str(name), view_of(p, n));
    return true;
}

static bool keys_of(struct conversion *c, const json *r, struct err *e) {
    static const char *const names[] = {"keyPath", "keyPaths", "keyData", "keyDatas"};
    size_t given = 0;
    for (size_t i = 0; i < 4; i++) {
        const json *v = json_get(r, names[i]);
        given += v != NULL;
        if (json_is_string(v) && !(i < 2 ? path_key : data_key)(c, json_text(v), e)) return false;
        for (struct json_iter it = json_each(v); json_next(&it);)
            if (!json_is_string(it.value) || !(i < 2 ? path_key : data_key)(c, json_text(it.value), e))
                return e->kind ? false : err_set(e, ERR_USAGE, "%s must hold strings", names[i]);
    }
    return given == 1 || err_set(e, ERR_USAGE, "sigstoreSigned: one of keyPath, keyPaths, keyData, keyDatas is expected");
}

static bool identity_of(struct conversion *c, const json *r, struct err *e) {
    const json *identity = json_get(r, "signedIdentity");
    struct view type = identity ? json_text(json_get(identity, "type")) : VIEW("matchRepoDigestOrExact"), name;
    char text[HOST_MAX + REPOSITORY_MAX + 2];
    bool by_image = view_is(type, "matchRepository") ||
                    (view_is(type, "matchRepoDigestOrExact") && c->has_image && c->image.pinned);
    if (view_is(type, "exactRepository")) {
        if (!json_need_text(identity, "dockerRepository", "signedIdentity", &name, e)) return false;
    } else if (by_image) {
        if (!c->has_image) return cannot(e, "signedIdentity matchRepository without knowing the image", "give --image");
        snprintf(text, sizeof text, "%s/%s", c->image.host, c->image.repository);
        name = arena_copy(&c->a, view_str(text));
    } else if (view_is(type, "matchRepoDigestOrExact") || view_is(type, "matchExact") || view_is(type, "exactReference")) {
        return cannot(e, "a signedIdentity that compares tags (matchRepoDigestOrExact, the default, matchExact, exactReference)",
                      "pin the image (--image ...@sha256:...), or write signedIdentity {\"type\": \"matchRepository\"}, as "
                      "cosign's signatures need it");
    } else {
        return cannot(e, "a signedIdentity other than matchRepository and exactRepository", "write exactRepository");
    }
    if (c->identity.n && !view_eq(c->identity, name))
        return cannot(e, "two requirements with different identities", "give them the same signedIdentity");
    c->identity = name;
    return true;
}

static bool requirement(struct conversion *c, const json *r, struct err *e) {
    static const char *const members[] = {"type", "keyPath", "keyPaths", "keyData", "keyDatas", "signedIdentity", NULL};
    struct view type;
    if (!json_need_text(r, "type", "requirement", &type, e)) return false;
    if (view_is(type, "reject")) return cannot(e, "reject: no image may run", "boot nothing");
    if (view_is(type, "insecureAcceptAnything")) return c->anything = true;
    if (view_is(type, "signedBy"))
        return cannot(e, "signedBy, which is GnuPG", "sign the image with cosign and write sigstoreSigned");
    if (!view_is(type, "sigstoreSigned"))
        return err_set(e, ERR_USAGE, "type '%.*s' is not known", VIEW_ARG(view_first(type, 60)));
    if (json_get(r, "fulcio") || json_get(r, "pki")) return cannot(e, "fulcio and pki: signatures by certificate", "use keys");
    if (json_get(r, "rekorPublicKeyPath") || json_get(r, "rekorPublicKeyPaths") || json_get(r, "rekorPublicKeyData") ||
        json_get(r, "rekorPublicKeyDatas"))
        return cannot(e, "that a signature is in a transparency log (rekorPublicKey...)", "leave it out, knowing that");
    if (!json_only(r, members, "sigstoreSigned", e)) return false;
    write_text(&c->keys, c->signed_count++ ? ",\n      " : "");
    write_text(&c->keys, "{ \"threshold\": 1, \"keys\": [ ");
    if (!keys_of(c, r, e) || !identity_of(c, r, e)) return false;
    write_text(&c->keys, " ] }");
    return true;
}

/* ---- the whole ---- */

static bool write_policy(struct conversion *c, struct err *e) {
    struct writer *w = &c->out;
    struct policy *check = arena_alloc(&c->a, sizeof *check);
    char text[2048];
    write_text(w, "{\n");
    if (c->has_image) {
        reference_text(&c->image, text, sizeof text);
        write_text(w, "  \"image\": "), write_json_string(w, view_str(text)), write_text(w, ",\n");
    }
    write_text(w, "  \"signatures\": {\n    ");
    if (c->signed_count == 0) {
        write_text(w, "\"allowUnsigned\": true\n  }\n}\n");
    } else {
        write_text(w, "\"groups\": [\n      "), write_bytes(w, writer_view(&c->keys)), write_text(w, "\n    ],\n    \"identity\": ");
        write_json_string(w, c->identity), write_text(w, "\n  }\n}\n");
    }
    if (!check || w->full || c->keys.full) return err_set(e, ERR_USAGE, "the policy would be larger than %u bytes", POLICY_MAX);
    return policy_parse(writer_view(w), &c->a, check, e) || err_in(e, "the result");
}

static bool convert(struct conversion *c, const char *path, const char *image, struct err *e) {
    struct view text;
    const json *root, *list = NULL;
    size_t i = 0;
    if (!arena_make(&c->a, 64u << 20, e)) return false;
    c->keys = writer_of(arena_alloc(&c->a, POLICY_MAX), POLICY_MAX);
    c->out = writer_of(arena_alloc(&c->a, POLICY_MAX), POLICY_MAX);
    c->has_image = image != NULL;
    if ((image && !reference_parse(view_str(image), false, &c->image, e)) ||
        !file_read("containers policy", path, POLICY_MAX, &c->a, &text, e) || !json_parse(text, &c->a, &root, e) ||
        !choose(c, root, &list, e))
        return err_in(e, "%s", path);
    if (json_count(list) > REQUIREMENTS_MAX) return err_set(e, ERR_USAGE, "more than %u requirements", REQUIREMENTS_MAX);
    for (struct json_iter it = json_each(list); json_next(&it); i++)
        if (!requirement(c, it.value, e)) return err_in(e, "%s: requirement %zu", path, i);
    return write_policy(c, e);
}

int cmd_policy(int argc, char **argv) {
    static struct conversion c;
    const char *image = NULL;
    const struct option options[] = {
        {"--image", "REF", "the image it is for: chooses the scope, and names the repository that is signed", .text = &image},
        {0},
    };
    const struct usage usage = {"policy", "from-containers FILE",
                                "Writes the requirements of containers-policy.json(5) for one image as a policy of Plinth, on standard "
                                "output,\nor says what cannot be expressed.", 2, 2, options};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    struct err e = {0};
    if (status >= 0) return status;
    bool ok = strcmp(argv[0], "from-containers") == 0 ? convert(&c, argv[1], image, &e)
                                                      : err_set(&e, ERR_USAGE, "policy %.40s: no such conversion", argv[0]);
    status = ok ? 0 : command_fail(&e);
    if (ok && (fwrite(c.out.p, 1, c.out.n, stdout) != c.out.n || fflush(stdout))) status = 3;
    arena_drop(&c.a);
    return status;
}
