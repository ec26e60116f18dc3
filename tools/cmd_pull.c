/* cmd_pull: plinth pull and plinth check. The very same monitor and workers as in the guest (step/pull.h). */
#include "base/limits.h"
#include "step/sbom.h"
#include "sys/console.h"
#include "tools/merge.h"
#include "tools/options.h"
#include "tools/predict.h"
#include "tools/result.h"
#include "tools/store.h"
#include "tools/target.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct command {
    struct predict_from from;
    const char *directory; /* NULL: check */
    bool json;
    struct pull pull;
    struct measurement predicted;
    struct sbom_result sbom;
    bool resolved, trusted, measured; /* how far it came */
};

/* ---- the work ---- */

/* The store's directories "0", "1", ... become one tree in the target. */
static bool merge(int store, size_t count, int target, struct err *e) {
    int layers[LAYERS_MAX];
    size_t opened = 0;
    bool ok = true;
    for (; ok && opened < count; opened += ok) {
        char name[24];
        snprintf(name, sizeof name, "%zu", opened);
        layers[opened] = openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (layers[opened] < 0) ok = err_sys(e, "layer %s", name);
    }
    ok = ok && merge_layers(target, layers, count, e);
    while (opened) close(layers[--opened]);
    return ok || err_in(e, "merge");
}

static bool unpack(struct command *c, int target, struct err *e) {
    char name[] = TARGET_STORE;
    int store = target_store(target, name, e);
    bool ok = store >= 0 && pull_layers(&c->pull, store, NULL, e) && merge(store, c->pull.image.manifest.layer_count, target, e);
    if (store >= 0) close(store);
    return ok && target_remove(target, name, e) && sbom_match(&c->pull.config, &c->pull.image, target, &c->sbom, e);
}

static bool work(struct command *c, int target, struct arena *a, struct err *e) {
    bool begun = predict_begin(&c->pull, &c->from, a, e);
    struct view weaker = c->pull.config.policy.weaknesses;
    if (begun && weaker.n) console_say("weaker than the default, by the policy: %.*s", VIEW_ARG(weaker));
    c->resolved = begun && pull_resolve(&c->pull, e);
    c->trusted = c->resolved && pull_trust(&c->pull, e);
    return c->trusted && predict_register(&c->pull, &c->predicted, &c->measured, e) && (target < 0 || unpack(c, target, e));
}

/* ---- what it says ---- */

static void put_digest(struct result *r, const char *name, const struct digest *d, bool known) {
    char text[DIGEST_TEXT_SIZE];
    result_text(r, name, known ? digest_text(d, text) : NULL);
}

static void put_layers(struct result *r, const struct verified_image *image, bool config_known) {
    result_open(r, "layers", '[');
    for (size_t i = 0; i < image->manifest.layer_count; i++) {
        const struct descriptor *d = &image->manifest.layers[i].descriptor;
        result_open(r, NULL, '{');
        put_digest(r, "digest", &d->digest, true);
        put_digest(r, "diffID", &image->config.diff_ids[i], config_known);
        result_number(r, "size", true, d->size);
        result_bool(r, "encrypted", true, image->manifest.layers[i].encrypted);
        result_close(r, '}');
    }
    result_close(r, ']');
}

static void key_name(const struct command *c, size_t key, char *out, size_t size) {
    if (!view_to_str(c->pull.config.policy.keys[key].name, out, size)) snprintf(out, size, "key %zu", key);
}

/* Members of a signature and of an attestation alike. */
static void put_claim(struct result *r, const struct command *c, size_t key, enum signature_form form, const struct digest *d) {
    char name[256];
    key_name(c, key, name, sizeof name);
    result_text(r, "key", name);
    result_text(r, "form", signature_form_name(form));
    put_digest(r, "digest", d, true);
}

static void put_signatures(struct result *r, const struct command *c) {
    const struct signature_verdict *v = &c->pull.image.signatures;
    result_open(r, "signatures", '[');
    for (size_t i = 0; i < v->count; i++) {
        result_open(r, NULL, '{');
        put_claim(r, c, v->matches[i].key, v->matches[i].form, &v->matches[i].digest);
        result_close(r, '}');
    }
    result_close(r, ']');
}

static const char *predicate_type(const struct command *c, const struct attestation_match *m, char *out, size_t size) {
    return view_to_str(c->pull.config.policy.attestations[m->attestation].predicate_type, out, size) ? out : NULL;
}

static void put_attestations(struct result *r, const struct command *c) {
    const struct attestation_verdict *v = &c->pull.image.attestations;
    char text[600];
    result_open(r, "attestations", '[');
    for (size_t i = 0; i < v->count; i++) {
        const struct attestation_match *m = &v->matches[i];
        result_open(r, NULL, '{');
        result_text(r, "predicateType", predicate_type(c, m, text, sizeof text));
        put_claim(r, c, m->key, m->form, &m->digest);
        snprintf(text, sizeof text, "attestations[%zu]", m->attestation);
        result_text(r, "requirement", text);
        result_close(r, '}');
    }
    result_close(r, ']');
}

/* null where nothing was compared: not asked for, or not unpacked. */
static void put_sbom(struct result *r, const struct sbom_result *s) {
    static const char *const kinds[SBOM_DIFFERENCES] = {"missing", "changed", "unlisted"};
    if (!s->compared) {
        result_text(r, "sbom", NULL);
        return;
    }
    result_open(r, "sbom", '{');
    result_number(r, "matched", true, s->matched);
    result_number(r, "uncompared", true, s->uncompared);
    result_open(r, "count", '{');
    for (size_t kind = 0; kind < SBOM_DIFFERENCES; kind++) result_number(r, kinds[kind], true, s->count[kind]);
    result_close(r, '}');
    for (size_t kind = 0; kind < SBOM_DIFFERENCES; kind++) {
        result_open(r, kinds[kind], '[');
        for (size_t i = 0; i < s->count[kind] && i < SBOM_NAMED_MAX; i++) {
            const struct sbom_difference *d = &s->first[kind][i];
            result_open(r, NULL, '{');
            result_text(r, "name", d->name);
            result_text(r, "sbom", d->listed[0] ? d->listed : NULL);
            result_text(r, "image", d->found[0] ? d->found : NULL);
            result_close(r, '}');
        }
        result_close(r, ']');
    }
    result_close(r, '}');
}

/* What the workload would ask for, as far as the policy says where it is. */
static void put_secrets(struct result *r, const struct policy *policy) {
    char text[1024];
    result_open(r, "secrets", '[');
    for (size_t i = 0; i < policy->secret_count; i++)
        if (policy->secrets[i].uri.n && view_to_str(policy->secrets[i].uri, text, sizeof text)) result_text(r, NULL, text);
    result_close(r, ']');
}

static struct view bank(const struct command *c, enum hash_alg alg) {
    for (size_t i = 0; c->measured && i < c->predicted.bank_count; i++)
        if (c->predicted.banks[i].alg == alg) return view_of(c->predicted.banks[i].value, hash_size(alg));
    return (struct view){0};
}

static int print_json(const struct command *c, const struct err *e, int status) {
    static struct result result;
    struct result *r = &result;
    const struct pull *p = &c->pull;
    char image[2048] = "";
    bool through_index = c->trusted ? p->image.through_index : p->resolved.child.n > 0;
    bool manifest_known = p->image.manifest.config.size > 0;
    result_begin(r, e);
    if (p->config.platform.os) reference_text(&p->config.image, image, sizeof image);
    result_text(r, "image", image[0] ? image : c->from.reference);
    put_digest(r, "index", &p->resolved.top_digest, c->resolved && through_index);
    put_digest(r, "manifest", p->resolved.child.n ? &p->resolved.child_digest : &p->resolved.top_digest, c->resolved);
    put_digest(r, "config", &p->image.config_digest, manifest_known);
    put_layers(r, &p->image, c->trusted);
    put_signatures(r, c);
    put_attestations(r, c);
    put_sbom(r, &c->sbom);
    put_secrets(r, &p->config.policy);
    result_hex(r, "register", bank(c, HASH_SHA256));
    result_open(r, "registers", '{');
    result_hex(r, "sha256", bank(c, HASH_SHA256));
    result_hex(r, "sha384", bank(c, HASH_SHA384));
    result_close(r, '}');
    return result_end(r, status);
}

static void print_hex(const char *name, struct view v) {
    printf("%-10s", name);
    for (size_t i = 0; i < v.n; i++) printf("%02x", v.p[i]);
    printf("\n");
}

static int print_text(const struct command *c) {
    const struct pull *p = &c->pull;
    const struct verified_image *image = &p->image;
    char text[2048];
    uint64_t bytes = 0;
    size_t encrypted = 0;
    for (size_t i = 0; i < image->manifest.layer_count; i++) {
        bytes += image->manifest.layers[i].descriptor.size;
        encrypted += image->manifest.layers[i].encrypted;
    }
    reference_text(&p->config.image, text, sizeof text);
    printf("accepted  %s\n", text);
    if (image->through_index) printf("index     %s\n", digest_text(&image->index_digest, text));
    printf("manifest  %s\n", digest_text(&image->manifest_digest, text));
    for (size_t i = 0; i < image->signatures.count; i++) {
        const struct signature_match *m = &image->signatures.matches[i];
        key_name(c, m->key, text, sizeof text);
        printf("signed by %s (%s)\n", text, signature_form_name(m->form));
    }
    for (size_t i = 0; i < image->attestations.count; i++) {
        const struct attestation_match *m = &image->attestations.matches[i];
        key_name(c, m->key, text, sizeof text);
        printf("attested by %s (%s): ", text, signature_form_name(m->form));
        predicate_type(c, m, text, sizeof text);
        printf("%s, as attestations[%zu] asks\n", text, m->attestation);
    }
    printf("layers    %zu, %llu bytes", image->manifest.layer_count, (unsigned long long)bytes);
    if (encrypted) printf(", %zu of them encrypted", encrypted);
    printf("%s%s\n", c->directory ? ", unpacked into " : "", c->directory ? c->directory : "");
    for (size_t i = 0; i < p->config.policy.secret_count; i++) {
        const struct policy_secret *s = &p->config.policy.secrets[i];
        struct view from = s->uri.n ? s->uri : s->sealed.n ? VIEW("a sealed secret") : VIEW("the sealed value of that variable");
        printf("secret    %s%.*s from %.*s\n", s->file.n ? "/run/secrets/" : "", VIEW_ARG(s->file.n ? s->file : s->env), VIEW_ARG(from));
    }
    sbom_summary(&c->sbom, text);
    if (c->sbom.compared) printf("%s\n", text);
    for (unsigned kind = 0; kind < SBOM_DIFFERENCES; kind++)
        for (size_t i = 0; sbom_named(&c->sbom, kind, i, text); i++) printf("  %s\n", text);
    if (c->measured) {
        printf("register  PCR %u\n", p->config.policy.pcr);
        print_hex("  sha256", bank(c, HASH_SHA256));
        print_hex("  sha384", bank(c, HASH_SHA384));
    }
    return fflush(stdout) ? 3 : 0;
}

static int run(struct command *c, int target) {
    struct err e = {0};
    struct arena a = {0};
    bool ok = arena_make(&a, 16u << 20, &e) && work(c, target, &a, &e);
    int status = ok ? 0 : command_fail(&e);
    if (c->json) status = print_json(c, &e, status);
    else if (ok) status = print_text(c);
    pull_end(&c->pull);
    arena_drop(&a);
    return status;
}

/* ---- the directory stays empty, whatever happens ---- */

static volatile pid_t working;

static void pass_on(int signal_number) {
    if (working > 0) kill(working, signal_number);
}

static void handle_signals(void (*handler)(int)) {
    static const int all[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = handler};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) sigaction(all[i], &action, NULL);
}

/* The work is done in a child, so that the directory is cleared also when it is killed or interrupted; its workers, too, are gone by then. */
static int run_in_child(struct command *c, int target) {
    int status = 0, how;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    handle_signals(pass_on);
    working = fork();
    if (working == 0) {
        handle_signals(SIG_DFL);
        _exit(run(c, target));
    }
    if (working < 0) {
        struct err e;
        err_sys(&e, "fork");
        return command_fail(&e);
    }
    for (pid_t ended; (ended = waitpid(-1, &how, 0)) > 0 || errno == EINTR;)
        if (ended == working) {
            status = WIFEXITED(how) ? WEXITSTATUS(how) : 3;
            working = 0;
            if (WIFSIGNALED(how)) console_say("stopped by signal %d", WTERMSIG(how));
        }
    return status;
}

static int pull_into(struct command *c) {
    struct err e = {0};
    struct target target;
    if (!target_open(c->directory, &target, &e)) {
        int status = command_fail(&e);
        return c->json ? print_json(c, &e, status) : status;
    }
    int status = run_in_child(c, target.fd);
    if (!target_close(&target, status == 0, &e)) return command_fail(&e);
    return status;
}

static int command(const char *name, const char *operands, const char *summary, int argc, char **argv) {
    static struct command c; /* large */
    bool pulls = !strcmp(name, "pull");
    const struct option store = {"--store", "DIR", "keep the compressed blobs there, and take them from there when they are whole",
                                 .text = &c.from.store};
    const struct option decryption_key = {"--decryption-key", "FILE", "private key (PEM, DER) of encrypted layers; may be repeated",
                                          .list = &c.from.decryption_keys};
    const struct option options[] = {
        {"--policy", "FILE", "whose signatures count, and the limits; see plinth(1)", .text = &c.from.policy},
        {"--initdata", "FILE", "initdata that the machine will be launched with: its policy, unless\n--policy is the same, and its event in the predicted register", .text = &c.from.initdata},
        {"--secrets", "DIR", "in place of a KBS: kbs:///repository/type/tag is DIR/repository/type/tag", .text = &c.from.secrets},
        {"--json", NULL, "one JSON object on standard output", .on = &c.json},
        pulls ? store : (struct option){0},
        pulls ? decryption_key : (struct option){0},
        {0},
    };
    int wanted = pulls ? 2 : 1, given;
    const struct usage usage = {name, operands, summary, wanted, wanted, options};
    int status = options_parse(&usage, argc, argv, &given);
    if (status >= 0) return status;
    c.pull.fetch[0] = c.pull.fetch[1] = CHILD_NONE;
    c.from.reference = argv[0];
    c.directory = wanted == 2 ? argv[1] : NULL;
    return c.directory ? pull_into(&c) : run(&c, -1);
}

int cmd_pull(int argc, char **argv) {
    return command("pull", "REF DIR",
                   "Verifies an image and unpacks it into DIR, which must be empty or absent, and is left so when it is refused.\n"
                   "REF: docker://host/repository[:tag][@digest] or oci:DIR[:TAG][@digest].", argc, argv);
}

int cmd_check(int argc, char **argv) {
    return command("check", "REF",
                   "Verifies signatures, manifest and config of an image, and predicts the register; unpacks nothing.\n"
                   "REF: docker://host/repository[:tag][@digest] or oci:DIR[:TAG][@digest].", argc, argv);
}
