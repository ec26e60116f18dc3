// policy: what is accepted can be satisfied.
#include "trust/policy.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct policy p;
    struct err e = {0};

    start(16 << 20);
    // a KBS's resources are read by the same code
    if (policy_take_auth(&p, view_of(bytes, size), &arena, &e))
        for (size_t i = 0; i < p.auth_count; i++) {
            touch(p.auths[i].userpass), touch(p.auths[i].registry);
            if (!memchr(p.auths[i].userpass.p, ':', p.auths[i].userpass.n))
                abort();
        }
    if (policy_take_mirrors(&p, view_of(bytes, size), &arena, &e))
        for (size_t i = 0; i < p.mirror_count; i++)
            touch(p.mirrors[i]);
    start(16 << 20);
    if (!policy_parse(view_of(bytes, size), &arena, &p, &e)) {
        if (e.kind != ERR_USAGE && e.kind != ERR_SYSTEM)
            abort();
        return 0;
    }
    if (p.allow_unsigned || p.kbs.policy.n ? p.group_count : !p.group_count || p.key_count > KEYS_MAX)
        abort();
    for (size_t i = 0; i < p.group_count + p.attestation_count; i++) {
        const struct policy_keys *k = i < p.group_count ? &p.groups[i] : &p.attestations[i - p.group_count].signers;
        if (k->threshold == 0 || k->threshold > (unsigned)__builtin_popcountll(k->keys) || (p.key_count < 64 && k->keys >> p.key_count))
            abort();
    }
    for (size_t i = 0; i < p.inline_count; i++)
        touch(p.inlines[i].payload), touch(p.inlines[i].signature);
    if (p.pcr < 8 || p.pcr > 15 || !p.tees || !p.limits.bytes || !p.limits.layers || !p.limits.files || !p.limits.seconds)
        abort();
    for (size_t i = 0; i < p.secret_count; i++) {
        const struct policy_secret *s = &p.secrets[i];
        struct view path;
        if (!s->file.n == !s->env.n || s->mode > 0777 || (s->uri.n && (s->sealed.n || !policy_resource(s->uri, &path))) || (s->file.n && memchr(s->file.p, '/', s->file.n)))
            abort();
        touch(s->sealed), touch(s->owner);
    }
    if ((p.mode == POLICY_EXEC && (p.api || p.tls_port)) || (p.tls_port && p.tls_port == p.tls_forward) || p.api > (POLICY_API_RESOURCE | POLICY_API_ATTESTATION))
        abort();
    for (size_t i = 0; i < p.api_prefix_count; i++)
        touch(p.api_prefixes[i]);
    touch(p.kbs.url), touch(p.kbs.ca_pem), touch(p.kbs.policy), touch(p.auth_uri), touch(p.ca_uri), touch(p.mirrors_uri);
    touch(p.weaknesses), touch(p.user), touch(p.ca_pem), touch(policy_credential(&p, VIEW("a.example"), VIEW("x/y")));
    for (size_t i = 0; i < p.key_count; i++)
        touch(p.keys[i].name);
    for (size_t i = 0; i < p.args.count; i++)
        touch(p.args.items[i]);
    for (size_t i = 0; i < p.env.count; i++)
        touch(p.env.items[i]);
    return 0;
}
