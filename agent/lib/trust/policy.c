/* see policy.h */
#include "trust/policy.h"

#include <stdio.h>

#include "base/codec.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "format/pem.h"
#include "trust/sbom.h"

#define NAME_MAX_BYTES 128u
#define PATH_MAX_BYTES 96u
#define RESOURCE_PART_MAX 128u

struct parse {
    struct policy *p;
    struct arena *a;
    struct err *e;
};

#define REFUSE(q, ...) err_set((q)->e, ERR_USAGE, "policy: " __VA_ARGS__)

static bool has(const json *o, const char *name) { return json_get(o, name) != NULL; }

/* Optional members: absent leaves *out as it is. */
static bool opt_text(struct parse *q, const json *o, const char *name, const char *where, struct view *out) {
    return !has(o, name) || json_need_text(o, name, where, out, q->e);
}

static bool opt_bool(struct parse *q, const json *o, const char *name, const char *where, bool *out) {
    const json *v = json_get(o, name);
    return !v || json_is_bool(v, out) || err_set(q->e, ERR_USAGE, "%s.%s must be true or false", where, name);
}

static bool opt_number(struct parse *q, const json *o, const char *name, const char *where, uint64_t min, uint64_t max,
                       uint64_t *out) {
    uint64_t n;
    if (!has(o, name)) return true;
    if (!json_need_u64(o, name, where, &n, q->e)) return false;
    if (n < min || n > max)
        return err_set(q->e, ERR_USAGE, "%s.%s is %llu, %llu to %llu is accepted", where, name, (unsigned long long)n,
                       (unsigned long long)min, (unsigned long long)max);
    *out = n;
    return true;
}

/* An optional array; *out stays NULL when it is absent. */
static bool opt_list(struct parse *q, const json *o, const char *name, const char *where, size_t min, size_t max,
                     const json **out) {
    *out = NULL;
    if (!has(o, name)) return true;
    if (!json_need_array(o, name, where, out, q->e)) return false;
    size_t n = json_count(*out);
    return (n >= min && n <= max) || err_set(q->e, ERR_USAGE, "%s%s%s has %zu entries, %zu to %zu are accepted", where,
                                             strstr(where, ": ") ? "." : ": ", name, n, min, max);
}

/* An optional object with known members only, whose path is `where`; *out stays NULL when it is absent. */
static bool section(struct parse *q, const json *o, const char *name, const char *where, const char *const *members,
                    const json **out) {
    const json *v = json_get(o, name);
    if (!v) return true;
    *out = v;
    return json_is_object(v) ? json_only(v, members, where, q->e)
                             : err_set(q->e, ERR_USAGE, "%s must be an object", where);
}

/* Which of the words a text is; their number when it is none. */
static size_t word_of(struct view text, const char *const *words) {
    size_t i = 0;
    while (words[i] && !view_is(text, words[i])) i++;
    return i;
}

static bool parse_image(struct parse *q, const json *root) {
    struct view text;
    if (!has(root, "image")) return true;
    if (!json_need_text(root, "image", "policy", &text, q->e)) return false;
    q->p->has_image = true;
    return reference_parse(text, false, &q->p->image, q->e) || err_in(q->e, "policy: image");
}

static bool check_ca(struct parse *q, struct view rest, const char *member) {
    struct view label, der;
    size_t certificates = 0;
    while (pem_next(&rest, q->a, &label, &der, q->e)) certificates += view_is(label, "CERTIFICATE");
    if (q->e->kind != ERR_NONE) return err_in(q->e, "policy: %s", member);
    return certificates > 0 || REFUSE(q, "%s holds no certificate (-----BEGIN CERTIFICATE-----)", member);
}

/* What goes into an HTTP header later: no control characters. */
static bool is_clean(struct view v) {
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < 0x20 || v.p[i] == 0x7f) return false;
    return true;
}

static bool parse_userpass(struct parse *q, const json *entry, const char *where, struct view *out) {
    static const char *const members[] = {"auth", "username", "password", NULL};
    struct view name, word;
    if (!json_is_object(entry)) return err_set(q->e, ERR_USAGE, "%s must be an object", where);
    if (!json_only(entry, members, where, q->e)) return false;
    for (struct json_iter it = json_each(entry); json_next(&it);) /* before a message shows what it is instead */
        if (!json_is_string(it.value)) return err_set(q->e, ERR_USAGE, "%s.%.*s must be a string", where, VIEW_ARG(it.name));
    bool encoded = has(entry, "auth");
    if (encoded && (has(entry, "username") || has(entry, "password")))
        return err_set(q->e, ERR_USAGE, "%s has both auth and username or password", where);
    if (encoded ? !json_need_text(entry, "auth", where, &word, q->e)
                : !json_need_text(entry, "username", where, &name, q->e) ||
                      !json_need_text(entry, "password", where, &word, q->e))
        return false;
    size_t size = encoded ? word.n : name.n + 1 + word.n;
    uint8_t *p = arena_alloc(q->a, size + 1);
    if (!p) return arena_full(q->a, q->e);
    struct writer w = writer_of(p, size);
    if (!encoded) write_bytes(&w, name), write_u8(&w, ':'), write_bytes(&w, word);
    if (encoded && (!base64_decode(word, p, size, &w.n) || !w.n || !memchr(p, ':', w.n)))
        return err_set(q->e, ERR_USAGE, "%s.auth is not user:password in base64", where);
    if (!is_clean(writer_view(&w)) || (!encoded && name.n && memchr(name.p, ':', name.n)))
        return err_set(q->e, ERR_USAGE, "%s: a control character, or a ':' in the user's name", where);
    *out = writer_view(&w);
    return true;
}

bool policy_resource(struct view uri, struct view *path) {
    if (!view_starts(uri, VIEW("kbs://"))) return false;
    struct view rest = view_skip(uri, 6), part;
    bool more = true;
    if (!view_is_word(view_cut(&rest, '/', &more), "-_.:")) return false; /* the host, where one is named */
    *path = rest;
    for (size_t i = 0; i < 3; i++) {
        if (!more) return false;
        part = view_cut(&rest, '/', &more);
        if (!part.n || part.n > RESOURCE_PART_MAX || view_is(part, ".") || view_is(part, "..") ||
            !view_is_word(part, "-_."))
            return false;
    }
    return !more;
}

static bool need_resource(struct parse *q, const json *v, const char *name, const char *where, struct view *uri) {
    struct view path;
    *uri = json_text(v);
    return policy_resource(*uri, &path) ||
           err_set(q->e, ERR_USAGE, "%s.%s is '%.*s', which is not kbs:///repository/type/tag", where, name,
                   VIEW_ARG(view_first(*uri, 200)));
}

/* A member that may be a resource instead. */
static bool opt_resource(struct parse *q, const json *o, const char *name, const char *where, struct view *uri) {
    const json *v = json_get(o, name);
    return !view_starts(json_text(v), VIEW("kbs:")) || need_resource(q, v, name, where, uri);
}

/* `auth`: the object with auths; `only`: nothing else may be in it. It may be a secret: no message shows a value. */
static bool take_auths(struct parse *q, const json *auth, bool only) {
    static const char *const members[] = {"auths", NULL};
    const json *auths = json_get(auth, "auths");
    struct reference unused, any = {.repository = "x"};
    char where[PATH_MAX_BYTES + HOST_MAX];
    if (only && !json_only(auth, members, "policy: registry.auth", q->e)) return false;
    if (!json_is_object(auths)) return REFUSE(q, "registry.auth.auths is missing, or no object");
    if (json_count(auths) > POLICY_AUTHS_MAX)
        return REFUSE(q, "registry.auth.auths has %zu entries, %u are accepted", json_count(auths), POLICY_AUTHS_MAX);
    for (struct json_iter it = json_each(auths); json_next(&it);) {
        struct policy_auth *entry = &q->p->auths[q->p->auth_count++];
        snprintf(where, sizeof where, "policy: registry.auth.auths.%.*s", VIEW_ARG(view_first(it.name, HOST_MAX)));
        if (!reference_mirror(&any, it.name, &unused, q->e))
            return err_set(q->e, ERR_USAGE, "%s: the name must be host[:port][/path], without a scheme", where);
        entry->registry = it.name;
        if (!parse_userpass(q, it.value, where, &entry->userpass)) return false;
    }
    return true;
}

static bool take_mirrors(struct parse *q, const json *mirrors) {
    struct policy *p = q->p;
    struct reference unused, any = {.repository = "x"};
    if (json_count(mirrors) > POLICY_MIRRORS_MAX)
        return REFUSE(q, "registry.mirrors has %zu entries, %u are accepted", json_count(mirrors), POLICY_MIRRORS_MAX);
    for (struct json_iter it = json_each(mirrors); json_next(&it);) {
        p->mirrors[p->mirror_count++] = json_text(it.value);
        if (!reference_mirror(&any, json_text(it.value), &unused, q->e))
            return err_in(q->e, "policy: registry.mirrors[%zu]", p->mirror_count - 1);
    }
    return true;
}

static bool parse_registry(struct parse *q, const json *root) {
    static const char *const members[] = {"mirrors", "ca", "auth", "allowHttp", NULL};
    const char *where = "policy: registry";
    const json *registry = NULL, *mirrors = NULL, *auth = NULL;
    struct policy *p = q->p;
    if (!section(q, root, "registry", where, members, &registry) ||
        !opt_resource(q, registry, "mirrors", where, &p->mirrors_uri) ||
        !opt_resource(q, registry, "ca", where, &p->ca_uri) ||
        !opt_resource(q, registry, "auth", where, &p->auth_uri) ||
        (has(registry, "mirrors") && !p->mirrors_uri.n && !json_need_array(registry, "mirrors", where, &mirrors, q->e)) ||
        (has(registry, "auth") && !p->auth_uri.n && !json_need_object(registry, "auth", where, &auth, q->e)))
        return false;
    return take_mirrors(q, mirrors) &&
           (!has(registry, "ca") || p->ca_uri.n ||
            (opt_text(q, registry, "ca", where, &p->ca_pem) && check_ca(q, p->ca_pem, "registry.ca"))) &&
           (!auth || take_auths(q, auth, true)) && opt_bool(q, registry, "allowHttp", where, &p->allow_http);
}

bool policy_take_auth(struct policy *p, struct view text, struct arena *a, struct err *e) {
    struct parse q = {p, a, e};
    const json *root;
    p->auth_count = 0;
    return json_parse(text, a, &root, e) && take_auths(&q, root, false);
}

bool policy_take_ca(struct policy *p, struct view pem, struct arena *a, struct err *e) {
    struct parse q = {p, a, e};
    p->ca_pem = pem;
    return check_ca(&q, pem, "registry.ca");
}

bool policy_take_mirrors(struct policy *p, struct view text, struct arena *a, struct err *e) {
    struct parse q = {p, a, e};
    const json *root;
    p->mirror_count = 0;
    if (!json_parse(text, a, &root, e)) return false;
    return json_is_array(root) ? take_mirrors(&q, root) : err_set(e, ERR_FORMAT, "not an array of host[:port][/path]");
}

static bool parse_kbs(struct parse *q, const json *root) {
    static const char *const members[] = {"url", "ca", "teeKey", "policy", "allowHttp", NULL},
                      *const remote[] = {"kbs", "tee", "register", NULL}; /* where the policy is, and who asks for it */
    const char *where = "policy: kbs";
    const json *kbs = NULL;
    struct policy *p = q->p;
    struct view key = VIEW("ECDH-ES+A256KW");
    if (!section(q, root, "kbs", where, members, &kbs) || !opt_text(q, kbs, "url", where, &p->kbs.url) || !opt_text(q, kbs, "teeKey", where, &key) ||
        !opt_bool(q, kbs, "allowHttp", where, &p->kbs.allow_http) || !opt_text(q, kbs, "ca", where, &p->kbs.ca_pem) ||
        (p->kbs.ca_pem.n && !check_ca(q, p->kbs.ca_pem, "kbs.ca")))
        return false;
    bool plain = view_starts(p->kbs.url, VIEW("http://"));
    if (p->kbs.url.n && !plain && !view_starts(p->kbs.url, VIEW("https://")))
        return REFUSE(q, "kbs.url is '%.*s', https://host[:port] is wanted", VIEW_ARG(view_first(p->kbs.url, 200)));
    if (plain && !p->kbs.allow_http) {
        REFUSE(q, "kbs.url is %.*s: anybody on the way could give secrets of his own", VIEW_ARG(view_first(p->kbs.url, 200)));
        return err_mend(q->e, "use https and kbs.ca; kbs.allowHttp takes it as it is");
    }
    p->kbs.rsa_key = view_is(key, "RSA-OAEP-256");
    if (!p->kbs.rsa_key && !view_is(key, "ECDH-ES+A256KW"))
        return REFUSE(q, "kbs.teeKey is '%.*s', not ECDH-ES+A256KW or RSA-OAEP-256", VIEW_ARG(view_first(key, 60)));
    return !has(kbs, "policy") ||
           (need_resource(q, json_get(kbs, "policy"), "policy", where, &p->kbs.policy) &&
            json_only(root, remote, "policy: beside kbs.policy", q->e));
}

static bool parse_decrypt(struct parse *q, const json *root) {
    static const char *const members[] = {"keys", NULL};
    const json *decrypt = NULL, *keys;
    struct policy *p = q->p;
    if (!section(q, root, "decrypt", "policy: decrypt", members, &decrypt) ||
        !opt_list(q, decrypt, "keys", "policy: decrypt", 1, POLICY_DECRYPT_KEYS_MAX, &keys))
        return false;
    if (decrypt && !keys) return REFUSE(q, "decrypt.keys is missing");
    for (struct json_iter it = json_each(keys); json_next(&it); p->decrypt_key_count++)
        if (!need_resource(q, it.value, "keys", "policy: an entry of decrypt", &p->decrypt_keys[p->decrypt_key_count]))
            return false;
    return true;
}

static bool parse_key(struct parse *q, const json *v, const char *where, struct policy_key *key) {
    static const char *const members[] = {"name", "pem", NULL};
    struct view pem, label, der, more;
    if (!json_is_object(v)) return err_set(q->e, ERR_USAGE, "%s must be an object with name and pem", where);
    if (!json_only(v, members, where, q->e) || !json_need_text(v, "name", where, &key->name, q->e) ||
        !json_need_text(v, "pem", where, &pem, q->e))
        return false;
    if (key->name.n == 0 || key->name.n > NAME_MAX_BYTES || !is_clean(key->name))
        return err_set(q->e, ERR_USAGE, "%s.name must be 1 to %u printable characters", where, NAME_MAX_BYTES);
    if (!pem_next(&pem, q->a, &label, &der, q->e)) {
        if (q->e->kind != ERR_NONE) return err_in(q->e, "%s.pem", where);
        return err_set(q->e, ERR_USAGE, "%s.pem holds no PEM block (-----BEGIN PUBLIC KEY-----)", where);
    }
    if (!public_key_decode(label, der, &key->key, q->e)) return err_in(q->e, "%s.pem", where);
    if (pem_next(&pem, q->a, &label, &more, q->e) || q->e->kind != ERR_NONE)
        return err_set(q->e, ERR_USAGE, "%s.pem holds more than one key: write one entry for each", where);
    return true;
}

/* The key's place in policy.keys, which holds each once. */
static bool add_key(struct parse *q, const struct policy_key *key, const char *where, size_t *out) {
    struct policy *p = q->p;
    size_t i = 0;
    while (i < p->key_count && memcmp(p->keys[i].key.spki_sha256, key->key.spki_sha256, 32) != 0) i++;
    *out = i;
    if (i < p->key_count) return true;
    for (size_t k = 0; k < p->key_count; k++)
        if (view_eq(p->keys[k].name, key->name))
            return err_set(q->e, ERR_USAGE, "%s: '%.*s' is already the name of another key", where, VIEW_ARG(key->name));
    if (i == KEYS_MAX) return REFUSE(q, "more than %u different keys", KEYS_MAX);
    p->keys[p->key_count++] = *key;
    return true;
}

static bool parse_threshold(struct parse *q, const json *o, const char *where, size_t keys, uint32_t *out) {
    uint64_t threshold = keys; /* unless said otherwise, all must sign */
    if (has(o, "threshold") && !json_need_u64(o, "threshold", where, &threshold, q->e)) return false;
    if (threshold == 0) {
        err_set(q->e, ERR_USAGE, "%s.threshold is 0, which lets every image run", where);
        return err_mend(q->e, "set it to 1 to %zu; signatures.allowUnsigned, without keys, is how to run unsigned images",
                        keys);
    }
    if (threshold > keys) {
        err_set(q->e, ERR_USAGE, "%s.threshold is %llu, but only %zu key%s given: no image can satisfy it", where,
                (unsigned long long)threshold, keys, keys == 1 ? " is" : "s are");
        return err_mend(q->e, "add keys, or set threshold to at most %zu", keys);
    }
    *out = (uint32_t)threshold;
    return true;
}

/* Members keys and threshold of `o`. */
static bool parse_keys(struct parse *q, const json *o, const char *where, struct policy_keys *out) {
    char at[PATH_MAX_BYTES + 32];
    const json *keys;
    size_t n = 0, index;
    if (!json_need_array(o, "keys", where, &keys, q->e)) return false;
    if (json_count(keys) == 0) return err_set(q->e, ERR_USAGE, "%s.keys is empty: no image can satisfy it", where);
    if (json_count(keys) > KEYS_MAX)
        return err_set(q->e, ERR_USAGE, "%s.keys has %zu keys, %u are accepted", where, json_count(keys), KEYS_MAX);
    for (struct json_iter it = json_each(keys); json_next(&it); n++) {
        struct policy_key key;
        snprintf(at, sizeof at, "%s.keys[%zu]", where, n);
        if (!parse_key(q, it.value, at, &key) || !add_key(q, &key, at, &index)) return false;
        if (out->keys >> index & 1)
            return err_set(q->e, ERR_USAGE, "%s, '%.*s', is the same key as '%.*s': it would count once", at,
                           VIEW_ARG(key.name), VIEW_ARG(q->p->keys[index].name));
        out->keys |= (uint64_t)1 << index;
    }
    return parse_threshold(q, o, where, n, &out->threshold);
}

/* An optional array of objects, and room for what they become. */
static bool parse_list(struct parse *q, const json *o, const char *name, const char *where, size_t min, size_t max,
                       size_t size, const json **out, void **room) {
    size_t i = 0;
    if (!opt_list(q, o, name, where, min, max, out)) return false;
    for (struct json_iter it = json_each(*out); json_next(&it); i++)
        if (!json_is_object(it.value))
            return err_set(q->e, ERR_USAGE, "%s%s%s[%zu] must be an object", where, strstr(where, ": ") ? "." : ": ",
                           name, i);
    return (*room = arena_alloc(q->a, i * size)) || arena_full(q->a, q->e);
}

static bool parse_groups(struct parse *q, const json *signatures) {
    static const char *const members[] = {"threshold", "keys", NULL};
    char where[PATH_MAX_BYTES];
    const json *groups;
    void *unused;
    size_t n = 0;
    if (!parse_list(q, signatures, "groups", "policy: signatures", 1, POLICY_GROUPS_MAX, 1, &groups, &unused)) return false;
    for (struct json_iter it = json_each(groups); json_next(&it); n++) {
        snprintf(where, sizeof where, "policy: signatures.groups[%zu]", n);
        if (!json_only(it.value, members, where, q->e) ||
            !parse_keys(q, it.value, where, &q->p->groups[q->p->group_count++]))
            return false;
    }
    return true;
}

static bool parse_base64(struct parse *q, const json *o, const char *name, const char *where, size_t max, struct view *out) {
    return json_need_base64(o, name, where, out, q->e) &&
           ((out->n && out->n <= max) || err_set(q->e, ERR_USAGE, "%s.%s has %zu bytes, 1 to %zu are accepted", where,
                                                 name, out->n, max));
}

static bool parse_inline(struct parse *q, const json *signatures) {
    static const char *const members[] = {"payload", "signature", NULL};
    char where[PATH_MAX_BYTES];
    const json *list;
    struct policy *p = q->p;
    if (!parse_list(q, signatures, "inline", "policy: signatures", 1, POLICY_INLINE_MAX, sizeof *p->inlines, &list,
                    (void **)&p->inlines))
        return false;
    for (struct json_iter it = json_each(list); json_next(&it); p->inline_count++) {
        struct policy_inline *s = &p->inlines[p->inline_count];
        snprintf(where, sizeof where, "policy: signatures.inline[%zu]", p->inline_count);
        if (!json_only(it.value, members, where, q->e) ||
            !parse_base64(q, it.value, "payload", where, SIGNATURE_PAYLOAD_MAX, &s->payload) ||
            !parse_base64(q, it.value, "signature", where, SIGNATURE_MAX, &s->signature))
            return false;
    }
    return true;
}

/* What must hold in each signature that counts. */
static bool parse_conditions(struct parse *q, const json *signatures) {
    const char *where = "policy: signatures";
    struct policy *p = q->p;
    if (has(signatures, "annotations")) {
        if (!json_need_object(signatures, "annotations", where, &p->annotations, q->e)) return false;
        if (json_count(p->annotations) == 0) return REFUSE(q, "signatures.annotations is empty: it would ask nothing");
    }
    for (struct json_iter it = json_each(p->annotations); json_next(&it);)
        if (!json_is_string(it.value))
            return REFUSE(q, "signatures.annotations.%.*s must be a string", VIEW_ARG(view_first(it.name, 100)));
    if (!opt_text(q, signatures, "identity", where, &p->identity) ||
        !opt_bool(q, signatures, "messageSignatures", where, &p->message_signatures))
        return false;
    struct view id = p->identity;
    if (has(signatures, "identity") && (id.n == 0 || !view_eq(reference_untagged(id), id))) {
        REFUSE(q, "signatures.identity is '%.*s': it must be host/repository without tag and digest",
               VIEW_ARG(view_first(id, 200)));
        return err_mend(q->e, "write what cosign signs as docker-reference, such as registry.example/acme/web");
    }
    return true;
}

static bool parse_signatures(struct parse *q, const json *root) {
    static const char *const members[] = {"threshold", "keys",     "annotations",       "groups",
                                          "inline",    "identity", "messageSignatures", "allowUnsigned", NULL};
    const char *where = "policy: signatures";
    const json *signatures = NULL;
    struct policy *p = q->p;
    if (!section(q, root, "signatures", where, members, &signatures) ||
        !opt_bool(q, signatures, "allowUnsigned", where, &p->allow_unsigned))
        return false;
    if (p->allow_unsigned)
        return json_count(signatures) == 1 ||
               REFUSE(q, "signatures has both allowUnsigned and members that ask for signatures: take one or the other");
    if (!has(signatures, "keys") && (has(signatures, "threshold") || !has(signatures, "groups"))) {
        REFUSE(q, "signatures.keys is missing: nothing says whose images may run");
        return err_mend(q->e, "give signatures.keys and signatures.threshold, or signatures.groups, or write "
                              "\"signatures\": {\"allowUnsigned\": true} to run anybody's");
    }
    p->top_keys = has(signatures, "keys");
    if (p->top_keys && !parse_keys(q, signatures, where, &p->groups[p->group_count++])) return false;
    return parse_groups(q, signatures) && parse_inline(q, signatures) && parse_conditions(q, signatures);
}

static bool parse_attestation(struct parse *q, const json *v, const char *where, struct policy_attestation *out) {
    static const char *const members[] = {"predicateType", "threshold", "keys", "require", NULL};
    char at[PATH_MAX_BYTES + 32];
    const json *require;
    if (!json_only(v, members, where, q->e) || !json_need_text(v, "predicateType", where, &out->predicate_type, q->e))
        return false;
    if (out->predicate_type.n == 0 || out->predicate_type.n > 512 || !is_clean(out->predicate_type)) {
        err_set(q->e, ERR_USAGE, "%s.predicateType must be a URI, of at most 512 bytes", where);
        return err_mend(q->e, "cosign's spdxjson is https://spdx.dev/Document, cyclonedx is https://cyclonedx.org/bom");
    }
    if (!parse_keys(q, v, where, &out->signers) ||
        !parse_list(q, v, "require", where, 1, POLICY_REQUIREMENTS_MAX, sizeof *out->requirements, &require,
                    (void **)&out->requirements))
        return false;
    for (struct json_iter it = json_each(require); json_next(&it); out->requirement_count++) {
        snprintf(at, sizeof at, "%s.require[%zu]", where, out->requirement_count);
        if (!require_parse(it.value, at, q->a, &out->requirements[out->requirement_count], q->e)) return false;
    }
    return true;
}

static bool parse_attestations(struct parse *q, const json *root) {
    char where[PATH_MAX_BYTES];
    const json *list;
    struct policy *p = q->p;
    if (!parse_list(q, root, "attestations", "policy", 1, POLICY_ATTESTATIONS_MAX, sizeof *p->attestations, &list,
                    (void **)&p->attestations))
        return false;
    for (struct json_iter it = json_each(list); json_next(&it); p->attestation_count++) {
        snprintf(where, sizeof where, "policy: attestations[%zu]", p->attestation_count);
        if (!parse_attestation(q, it.value, where, &p->attestations[p->attestation_count])) return false;
    }
    return true;
}

/* What an SBOM may be held against, and which differences refuse. */
static bool parse_sbom(struct parse *q, const json *root) {
    static const char *const members[] = {"matchRootfs", "refuse", NULL},
                      *const words[] = {"missing", "changed", "unlisted", NULL};
    const char *where = "policy: sbom";
    const json *sbom = NULL, *refuse = NULL;
    struct policy *p = q->p;
    bool documents = false;
    if (!section(q, root, "sbom", where, members, &sbom) ||
        !opt_bool(q, sbom, "matchRootfs", where, &p->sbom.match_rootfs) ||
        !opt_list(q, sbom, "refuse", where, 0, SBOM_DIFFERENCES, &refuse))
        return false;
    p->sbom.refuse = refuse ? 0 : 1u << SBOM_MISSING | 1u << SBOM_CHANGED;
    for (struct json_iter it = json_each(refuse); json_next(&it);) {
        size_t i = word_of(json_text(it.value), words);
        if (i == SBOM_DIFFERENCES || p->sbom.refuse >> i & 1)
            return REFUSE(q, "sbom.refuse names '%.*s'; known, each once, are missing, changed, unlisted",
                          VIEW_ARG(view_first(json_text(it.value), 60)));
        p->sbom.refuse |= 1u << i;
    }
    for (size_t i = 0; i < p->attestation_count; i++) documents |= sbom_is_type(p->attestations[i].predicate_type);
    if (!p->sbom.match_rootfs || documents) return true;
    REFUSE(q, "sbom.matchRootfs, but attestations has no entry whose predicateType is an SBOM's: there is nothing to compare");
    return err_mend(q->e, "add one with %s or %s", SBOM_TYPE_SPDX, SBOM_TYPE_CYCLONEDX);
}

static bool parse_machine(struct parse *q, const json *root) {
    static const char *const members[] = {"pcr", NULL}, *const names[] = {"tpm", "tdx", "snp", NULL};
    const json *tees = NULL, *reg = NULL;
    uint64_t pcr = q->p->pcr;
    if (has(root, "tee")) {
        if (!json_need_array(root, "tee", "policy", &tees, q->e)) return false;
        q->p->tees = 0;
        for (struct json_iter it = json_each(tees); json_next(&it);) {
            size_t i = word_of(json_text(it.value), names);
            if (i == 3)
                return REFUSE(q, "tee names '%.*s'; known are tpm, tdx, snp",
                              VIEW_ARG(view_first(json_text(it.value), 60)));
            q->p->tees |= 1u << i;
        }
        if (q->p->tees == 0) return REFUSE(q, "tee is empty: no machine can satisfy it");
    }
    if (!section(q, root, "register", "policy: register", members, &reg) ||
        !opt_number(q, reg, "pcr", "policy: register", 8, 15, &pcr))
        return false;
    q->p->pcr = (unsigned)pcr;
    return true;
}

static bool parse_env(struct parse *q, const json *env) {
    struct text_list *list = &q->p->env;
    for (struct json_iter it = json_each(env); json_next(&it);) {
        if (it.name.n == 0 || memchr(it.name.p, '=', it.name.n))
            return REFUSE(q, "run.env: '%.*s' is no name", VIEW_ARG(view_first(it.name, 100)));
        if (!json_is_string(it.value))
            return REFUSE(q, "run.env.%.*s must be a string", VIEW_ARG(view_first(it.name, 100)));
        struct view value = json_text(it.value);
        size_t size = it.name.n + 1 + value.n;
        struct writer w = writer_of(arena_alloc(q->a, size), size);
        if (!w.p) return arena_full(q->a, q->e);
        write_bytes(&w, it.name), write_u8(&w, '='), write_bytes(&w, value);
        list->items[list->count++] = writer_view(&w);
    }
    return true;
}

/* One name of a file, or of an environment variable. */
static bool is_file_name(struct view v) {
    return v.n && v.n < 128 && v.p[0] != '.' && !memchr(v.p, '/', v.n) && is_clean(v);
}

static bool parse_secret(struct parse *q, const json *o, const char *where, struct policy_secret *s) {
    static const char *const members[] = {"uri", "sealed", "file", "mode", "owner", "env", NULL};
    struct view mode = VIEW("0400");
    if (!json_only(o, members, where, q->e) || !opt_text(q, o, "file", where, &s->file) ||
        !opt_text(q, o, "env", where, &s->env) || !opt_text(q, o, "sealed", where, &s->sealed) ||
        !opt_text(q, o, "mode", where, &mode) || !opt_text(q, o, "owner", where, &s->owner) ||
        (has(o, "uri") && !need_resource(q, json_get(o, "uri"), "uri", where, &s->uri)))
        return false;
    if (has(o, "file") == has(o, "env"))
        return err_set(q->e, ERR_USAGE, "%s must have either file or env: what the secret becomes", where);
    if ((s->uri.n && s->sealed.n) || (s->file.n && !s->uri.n && !s->sealed.n))
        return err_set(q->e, ERR_USAGE, "%s must have either uri or sealed: where the secret comes from", where);
    if (has(o, "sealed") && !view_starts(s->sealed, VIEW("sealed.")))
        return err_set(q->e, ERR_USAGE, "%s.sealed does not begin with 'sealed.'", where);
    if (has(o, "file") ? !is_file_name(s->file)
                       : !s->env.n || memchr(s->env.p, '=', s->env.n) || !is_clean(s->env))
        return err_set(q->e, ERR_USAGE, "%s: '%.*s' is no name", where, VIEW_ARG(view_first(s->file.n ? s->file : s->env, 100)));
    bool octal = mode.n && mode.n <= 4;
    for (size_t i = 0; octal && i < mode.n; s->mode = (uint16_t)(s->mode << 3 | (mode.p[i++] - '0')))
        octal = mode.p[i] >= '0' && mode.p[i] <= '7';
    if (!octal)
        return err_set(q->e, ERR_USAGE, "%s.mode is '%.*s', four octal digits such as 0400 are wanted", where,
                       VIEW_ARG(view_first(mode, 20)));
    if (s->mode > 0777 || (s->env.n && (has(o, "mode") || has(o, "owner"))))
        return err_set(q->e, ERR_USAGE, "%s: mode is for files, and at most 0777", where);
    return true;
}

static bool parse_secrets(struct parse *q, const json *run) {
    const json *list;
    struct policy *p = q->p;
    char where[PATH_MAX_BYTES];
    if (!parse_list(q, run, "secrets", "policy: run", 0, POLICY_SECRETS_MAX, sizeof *p->secrets, &list,
                    (void **)&p->secrets))
        return false;
    for (struct json_iter it = json_each(list); json_next(&it); p->secret_count++) {
        struct policy_secret *s = &p->secrets[p->secret_count];
        snprintf(where, sizeof where, "policy: run.secrets[%zu]", p->secret_count);
        if (!parse_secret(q, it.value, where, s)) return false;
        for (size_t i = 0; i < p->secret_count; i++)
            if (view_eq(s->file, p->secrets[i].file) && view_eq(s->env, p->secrets[i].env))
                return err_set(q->e, ERR_USAGE, "%s: '%.*s' is there twice", where,
                               VIEW_ARG(view_first(s->file.n ? s->file : s->env, 100)));
    }
    return true;
}

static bool parse_api(struct parse *q, const json *run) {
    static const char *const members[] = {"feature", "resources", NULL},
                      *const features[] = {"resource", "attestation", "all", NULL}, *const where = "policy: run.api";
    const json *api = NULL, *list;
    struct policy *p = q->p;
    struct view feature = VIEW("resource");
    if (!section(q, run, "api", where, members, &api) || !opt_text(q, api, "feature", where, &feature) ||
        !opt_list(q, api, "resources", where, 1, POLICY_API_PREFIXES_MAX, &list))
        return false;
    if (!api) return true;
    p->api = (unsigned)word_of(feature, features) + 1;
    if (p->api > (POLICY_API_RESOURCE | POLICY_API_ATTESTATION))
        return REFUSE(q, "run.api.feature is '%.*s', not resource, attestation or all", VIEW_ARG(view_first(feature, 60)));
    for (struct json_iter it = json_each(list); json_next(&it);) {
        struct view prefix = p->api_prefixes[p->api_prefix_count++] = json_text(it.value);
        if (!view_starts(prefix, VIEW("kbs:///")))
            return REFUSE(q, "run.api.resources has '%.*s', which does not begin with kbs:///",
                          VIEW_ARG(view_first(prefix, 100)));
    }
    return true;
}

static bool parse_tls(struct parse *q, const json *run) {
    static const char *const members[] = {"port", "forward", NULL}, *const where = "policy: run.tls";
    const json *tls = NULL;
    uint64_t port = 8443, forward = 80;
    if (!section(q, run, "tls", where, members, &tls) || !opt_number(q, tls, "port", where, 1, 65535, &port) ||
        !opt_number(q, tls, "forward", where, 1, 65535, &forward))
        return false;
    if (!tls) return true;
    q->p->tls_port = (uint16_t)port;
    q->p->tls_forward = (uint16_t)forward;
    if (q->p->api && (port == 8006 || forward == 8006)) /* whoever came that way would be the workload */
        return REFUSE(q, "run.tls: %u is the port of run.api, which is the container's alone", 8006u);
    return port != forward || REFUSE(q, "run.tls: port and forward are both %u", q->p->tls_port);
}

static bool parse_run(struct parse *q, const json *root) {
    static const char *const members[] = {"mode", "args", "env", "user", "secrets", "api", "tls", NULL};
    const char *where = "policy: run";
    const json *run = NULL, *args = NULL, *env = NULL;
    struct policy *p = q->p;
    struct view mode = VIEW("exec");
    if (!section(q, root, "run", where, members, &run) || !opt_text(q, run, "mode", where, &mode) ||
        !opt_text(q, run, "user", where, &p->user) ||
        !opt_list(q, run, "args", where, 1, ARGS_MAX, &args) ||
        (has(run, "env") && !json_need_object(run, "env", where, &env, q->e)))
        return false;
    p->mode = view_is(mode, "supervise") ? POLICY_SUPERVISE : POLICY_EXEC;
    if (p->mode == POLICY_EXEC && !view_is(mode, "exec"))
        return REFUSE(q, "run.mode is '%.*s', not exec or supervise", VIEW_ARG(view_first(mode, 60)));
    if (p->mode == POLICY_EXEC && (has(run, "api") || has(run, "tls"))) {
        REFUSE(q, "run.%s needs a supervisor", has(run, "api") ? "api" : "tls");
        return err_mend(q->e, "set run.mode to \"supervise\"");
    }
    if (has(run, "user") && p->user.n == 0) return REFUSE(q, "run.user is empty; leave it out to take the image's");
    if (json_count(env) > ARGS_MAX) return REFUSE(q, "run.env has more than %u members", ARGS_MAX);
    p->has_args = args != NULL;
    p->args.items = arena_alloc(q->a, json_count(args) * sizeof *p->args.items);
    p->env.items = arena_alloc(q->a, json_count(env) * sizeof *p->env.items);
    if (!p->args.items || !p->env.items) return arena_full(q->a, q->e);
    for (struct json_iter it = json_each(args); json_next(&it); p->args.count++) {
        if (!json_is_string(it.value)) return REFUSE(q, "run.args[%zu] must be a string", p->args.count);
        p->args.items[p->args.count] = json_text(it.value);
    }
    return parse_env(q, env) && parse_secrets(q, run) && parse_api(q, run) && parse_tls(q, run);
}

/* 8589934592 or "8GiB". */
static bool parse_bytes(struct parse *q, const json *limits, uint64_t *out) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    const json *v = json_get(limits, "bytes");
    struct view text = json_text(v);
    uint64_t n = 0;
    unsigned shift = 0;
    if (!v) return true;
    for (unsigned i = 0; i < 4 && !shift; i++)
        if (view_ends(text, view_str(units[i]))) shift = 10 * (i + 1), text.n -= 3;
    if (!(shift ? view_u64(text, ((uint64_t)1 << 53) >> shift, &n) : json_u64(v, &n)) || n == 0)
        return REFUSE(q, "limits.bytes must be a number from 1, or one with a unit, such as \"512MiB\" or \"8GiB\"");
    *out = n << shift;
    return true;
}

static bool parse_limits(struct parse *q, const json *root) {
    static const char *const members[] = {"layers", "bytes", "files", "seconds", "allowDevices", NULL};
    const char *where = "policy: limits";
    const json *limits = NULL;
    struct policy *p = q->p;
    uint64_t layers = LAYERS_MAX, seconds = 600;
    p->limits.bytes = (uint64_t)8 << 30;
    p->limits.files = 1000000;
    if (!section(q, root, "limits", where, members, &limits) ||
        !opt_number(q, limits, "layers", where, 1, LAYERS_MAX, &layers) || !parse_bytes(q, limits, &p->limits.bytes) ||
        !opt_number(q, limits, "files", where, 1, (uint64_t)1 << 53, &p->limits.files) ||
        !opt_number(q, limits, "seconds", where, 1, 7 * 86400, &seconds) ||
        !opt_bool(q, limits, "allowDevices", where, &p->limits.allow_devices))
        return false;
    p->limits.layers = (uint32_t)layers;
    p->limits.seconds = (uint32_t)seconds;
    return true;
}

static bool list_weaknesses(struct parse *q) {
    struct policy *p = q->p;
    char text[128];
    struct writer w = writer_of(text, sizeof text);
    if (p->allow_unsigned) write_text(&w, " signatures.allowUnsigned");
    if (p->allow_http) write_text(&w, " registry.allowHttp");
    if (p->kbs.allow_http) write_text(&w, " kbs.allowHttp");
    if (p->limits.allow_devices) write_text(&w, " limits.allowDevices");
    p->weaknesses = arena_copy(q->a, view_skip(writer_view(&w), 1));
    return w.n == 0 || p->weaknesses.p || arena_full(q->a, q->e);
}

static bool parse_root(struct parse *q, struct view bytes) {
    static const char *const members[] = {"image", "registry", "signatures", "attestations", "sbom", "decrypt",
                                          "kbs",   "tee",      "register",   "run",          "limits", NULL};
    const json *root;
    if (bytes.n > POLICY_MAX) return REFUSE(q, "%zu bytes, %u are accepted", bytes.n, POLICY_MAX);
    if (!json_parse(bytes, q->a, &root, q->e)) return err_in(q->e, "policy");
    if (!json_is_object(root)) return REFUSE(q, "not a JSON object");
    return json_only(root, members, "policy", q->e) && parse_kbs(q, root) && parse_image(q, root) &&
           parse_registry(q, root) && (q->p->kbs.policy.n || parse_signatures(q, root)) && parse_decrypt(q, root) &&
           parse_attestations(q, root) && parse_sbom(q, root) && parse_machine(q, root) &&
           parse_run(q, root) && parse_limits(q, root) && list_weaknesses(q);
}

bool policy_parse(struct view bytes, struct arena *a, struct policy *out, struct err *e) {
    struct policy *p = arena_alloc(a, sizeof *p);
    struct parse q = {p, a, e};
    if (!p) return arena_full(a, e);
    p->tees = POLICY_TEE_ALL;
    p->pcr = POLICY_PCR_DEFAULT;
    p->keys = arena_alloc(a, KEYS_MAX * sizeof *p->keys);
    if (!p->keys) return arena_full(a, e);
    hash_once(HASH_SHA256, bytes, p->digest.sha256);
    if (!parse_root(&q, bytes)) {
        if (e->kind != ERR_SYSTEM) e->kind = ERR_USAGE;
        return false;
    }
    *out = *p;
    return true;
}

struct view policy_credential(const struct policy *p, struct view host, struct view repository) {
    const struct policy_auth *best = NULL;
    for (size_t i = 0; i < p->auth_count; i++) {
        const struct policy_auth *entry = &p->auths[i];
        struct view path = entry->registry, its_host = view_cut(&path, '/', NULL);
        bool below =
            path.n == 0 || (view_starts(repository, path) && (repository.n == path.n || repository.p[path.n] == '/'));
        if (view_eq_nocase(its_host, host) && below && (!best || entry->registry.n > best->registry.n)) best = entry;
    }
    return best ? best->userpass : (struct view){0};
}
