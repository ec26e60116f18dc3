/* see secrets.h */
#include "step/secrets.h"

#include "secret/sealed.h"
#include "sys/secret_memory.h"

/* Of address space, for one secret and what it takes to open it: twice base64, twice decrypted. */
#define ROOM (16 * SECRET_MAX)

static struct view variable(const struct text_list *env, struct view name) {
    for (size_t i = 0; i < env->count; i++) {
        struct view value = env->items[i];
        if (view_eq(view_cut(&value, '=', NULL), name)) return value;
    }
    return (struct view){0};
}

/* The bytes of one, in `room`. */
static bool get(const struct config *config, const struct process *process, const struct policy_secret *s,
                struct arena *room, struct view *out, struct err *e) {
    const struct secret_source *source = config->secrets;
    struct view sealed = s->uri.n || s->sealed.n ? s->sealed : variable(&process->env, s->env);
    if (!s->uri.n && !view_starts(sealed, VIEW("sealed."))) {
        err_set(e, ERR_POLICY, "no uri, no sealed, and the process has no such variable that begins with 'sealed.'");
        return err_mend(e, "give uri or sealed in the policy, or the sealed secret in the image's Env or in run.env");
    }
    if (!source) {
        err_set(e, ERR_POLICY, "there is nobody to ask for it");
        return err_mend(e, "name the KBS that has it in kbs.url of the policy");
    }
    const struct ocicrypt_keys keys = {.get = source->get, .state = source->state};
    if (s->uri.n ? !source->get(source->state, s->uri, SECRET_MAX, room, out, e)
                 : !sealed_open(sealed, &keys, room, room, out, e))
        return false;
    if (!out->n) return err_set(e, ERR_POLICY, "it is empty");
    return out->n <= SECRET_MAX || err_set(e, ERR_POLICY, "it has %zu bytes, %u are accepted", out->n, SECRET_MAX);
}

static bool keep_file(const struct policy_secret *s, struct view bytes, struct arena *secrets,
                      struct workload_secrets *to, struct err *e) {
    struct secret_file *f = &to->files[to->file_count++];
    *f = (struct secret_file){s->file, arena_copy(secrets, bytes), s->mode, s->owner};
    return f->bytes.p || arena_full(secrets, e);
}

static bool keep_variable(const struct policy_secret *s, struct view bytes, struct arena *secrets,
                          struct workload_secrets *to, struct err *e) {
    size_t n = s->env.n + 1 + bytes.n;
    if (memchr(bytes.p, 0, bytes.n)) {
        err_set(e, ERR_POLICY, "it has a NUL byte, which no variable can hold");
        return err_mend(e, "make it a file: file instead of env");
    }
    if (n > SECRET_VARIABLE_MAX) {
        err_set(e, ERR_POLICY, "with its name it has %zu bytes, a variable can have %u", n, SECRET_VARIABLE_MAX);
        return err_mend(e, "make it a file: file instead of env");
    }
    uint8_t *text = arena_alloc(secrets, n + 1);
    if (!text) return arena_full(secrets, e);
    memcpy(text, s->env.p, s->env.n);
    text[s->env.n] = '=';
    memcpy(text + s->env.n + 1, bytes.p, bytes.n);
    to->env.items[to->env.count++] = view_of(text, n);
    return true;
}

bool secrets_collect(const struct config *config, const struct process *process, struct arena *secrets,
                     struct workload_secrets *out, struct err *e) {
    const struct policy *policy = &config->policy;
    struct workload_secrets all = {.files = arena_alloc(secrets, policy->secret_count * sizeof *all.files)};
    all.env.items = arena_alloc(secrets, policy->secret_count * sizeof *all.env.items);
    if (!all.files || !all.env.items) return arena_full(secrets, e);
    for (size_t i = 0; i < policy->secret_count; i++) {
        const struct policy_secret *s = &policy->secrets[i];
        struct arena room = {0};
        struct view bytes;
        bool ok = secret_memory_make(&room, ROOM, config->overlay, e) && get(config, process, s, &room, &bytes, e) &&
                  (s->file.n ? keep_file : keep_variable)(s, bytes, secrets, &all, e);
        secret_memory_drop(&room);
        if (!ok)
            return err_in(e, "run.secrets[%zu], %s%.*s", i, s->file.n ? "/run/secrets/" : "variable ",
                          VIEW_ARG(s->file.n ? s->file : s->env));
    }
    *out = all;
    return true;
}
