/* Plinth's agent: PID 1 of a confidential VM. The table below is the boot; agent/README.md explains it line by line. */
#include "base/version.h"
#include "format/cmdline.h"
#include "step/api.h"
#include "step/attest.h"
#include "step/initdata.h"
#include "step/kbs.h"
#include "step/launch.h"
#include "step/measure.h"
#include "step/network.h"
#include "step/pull.h"
#include "step/register.h"
#include "step/resources.h"
#include "step/sbom.h"
#include "step/secrets.h"
#include "step/supervise.h"
#include "sys/clock.h"
#include "sys/console.h"
#include "sys/module.h"
#include "sys/mounts.h"
#include "sys/power.h"
#include "sys/root.h"
#include "sys/secret_memory.h"
#include "sys/settle.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY_FILE "/etc/plinth/policy.json"
#define INITDATA_FILE "/etc/plinth/initdata.toml"
#define CA_FILE "/etc/ssl/ca.pem"
#define ROOM "/run/plinth/room" /* the fetch worker's whole file system */
#define STORE "/image"          /* layers 0, 1, ..., and what overlayfs needs */
#define SECRETS_SIZE (16u << 20) /* of address space: what the workload is given */

/* What one boot holds, from step to step. */
struct boot {
    struct arena arena;
    struct cmdline cmdline;
    struct network_pending pending;
    struct view policy, ca, initdata; /* of the initramfs; each may be empty */
    struct network network;
    struct registers registers;
    struct measurement measured;
    struct pull pull;
    struct process process;
    struct launch_site site;
    struct sbom_result sbom;
    struct attestation attestation;
    struct kbs *kbs; /* NULL: nobody is asked for anything */
    struct used_resources used;
    struct arena secrets, workload_secrets; /* locked memory: what the boot needs, what the workload gets */
    struct workload_secrets workload;
};

static bool read_own(struct arena *a, const char *path, size_t max, struct view *out, bool *found, struct err *e) {
    uint8_t *bytes = arena_alloc(a, max);
    if (!bytes) return arena_full(a, e);
    return root_read(AT_FDCWD, path, bytes, max, out, found, e);
}

static void say_weaknesses(const struct config *config) {
    if (config->policy.weaknesses.n) console_say("the policy takes weaker ways: %.*s", VIEW_ARG(config->policy.weaknesses));
}

static bool take_policy(struct boot *b, struct view policy, struct err *e) {
    if (!pull_begin(&b->pull, policy, (struct view){0}, b->ca, false, e)) return false;
    b->pull.config.overlay = true;
    say_weaknesses(&b->pull.config);
    return true;
}

/* The policy that a KBS gave, in place of the one that says so. */
static bool take_kbs_policy(struct boot *b, struct view text, struct err *e) {
    const struct config *config = &b->pull.config;
    struct config_resource second = {.uri = config->policy.kbs.policy};
    hash_once(HASH_SHA256, text, second.digest.sha256);
    if (!measure_resource(&b->measured, "policy", &second, e) ||
        !pull_follow(&b->pull, text, (struct view){0}, b->ca, false, e))
        return false;
    say_weaknesses(config);
    return measure_weaknesses(&b->measured, &config->policy, e);
}

static bool step_config(struct boot *b, struct err *e) {
    struct view text;
    bool found;
    if (!read_own(&b->arena, POLICY_FILE, POLICY_MAX, &b->policy, &found, e) ||
        !read_own(&b->arena, INITDATA_FILE, INITDATA_MAX, &b->initdata, &found, e) ||
        !read_own(&b->arena, CA_FILE, CA_PEM_MAX, &b->ca, &found, e) ||
        !read_own(&b->arena, "/proc/cmdline", CMDLINE_MAX, &text, &found, e))
        return false;
    if (!cmdline_parse(text, &b->cmdline, e)) return err_in(e, "kernel command line");
    network_begin(&b->cmdline, &b->pending); /* the lease comes while the register is begun */
    return !b->policy.n || take_policy(b, b->policy, e);
}

static bool step_tee(struct boot *b, struct err *e) { return register_open(&b->registers, e); }

/* CoCo's own way to name a KBS; the policy's has the last word. */
static bool take_initdata_kbs(struct policy *p, const struct initdata *in, struct err *e) {
    struct view path, auth = in->kbs.auth_uri;
    if (auth.n && !policy_resource(auth, &path))
        return err_set(e, ERR_POLICY,
                       "authenticated_registry_credentials_uri is '%.*s', not kbs:///repository/type/tag",
                       VIEW_ARG(view_first(auth, 200)));
    if (auth.n && !p->auth_count && !p->auth_uri.n) p->auth_uri = auth;
    if (!in->kbs.url.n || p->kbs.url.n) return true;
    if (!view_starts(in->kbs.url, VIEW("https://")) && !p->kbs.allow_http) {
        err_set(e, ERR_POLICY, "initdata's KBS %.*s: anybody on the way could give secrets of his own",
                VIEW_ARG(view_first(in->kbs.url, 200)));
        return err_mend(e, "use https and kbs_cert; kbs.allowHttp of the policy takes it as it is");
    }
    p->kbs.url = in->kbs.url;
    p->kbs.rsa_key = in->kbs.rsa_key;
    if (in->kbs.ca_pem.n) p->kbs.ca_pem = in->kbs.ca_pem;
    return true;
}

static bool step_initdata(struct boot *b, struct err *e) {
    struct initdata in;
    struct view text = b->initdata;
    struct digest initdata, policy;
    char own[DIGEST_TEXT_SIZE], other[DIGEST_TEXT_SIZE];
    if (!text.n && !initdata_find(&b->arena, &text, e)) return false;
    if (!initdata_bind(&b->registers, text, &b->arena, &in, e)) return false;
    if (!b->policy.n && !in.policy.n) {
        err_set(e, ERR_USAGE, "the initramfs has no %s, and no initdata brings one", POLICY_FILE);
        return err_mend(e, "plinth initrd --policy FILE puts it there; or [data] of initdata has " INITDATA_POLICY);
    }
    hash_once(HASH_SHA256, in.policy, policy.sha256);
    if (b->policy.n && in.policy.n && !view_eq(b->policy, in.policy))
        return err_set(e, ERR_POLICY, "the initramfs has the policy %s, initdata has %s: which of them counts?",
                       digest_text(&b->pull.config.policy.digest, own), digest_text(&policy, other));
    if (!b->policy.n && !take_policy(b, in.policy, e)) return false;
    if (!text.n) return true;
    hash_once(HASH_SHA256, text, initdata.sha256);
    b->pull.config.has_initdata = true;
    b->pull.config.initdata_text = text;
    if (!take_initdata_kbs(&b->pull.config.policy, &in, e)) return false;
    b->pull.config.initdata = initdata;
    console_say("initdata %s, bound as %s", digest_text(&initdata, own), hash_name(in.algorithm));
    if (in.ignored.n) console_say("initdata: ignored, this build has no use for it: %.*s", VIEW_ARG(in.ignored));
    return true;
}

/* Before anything else comes from outside: the register is ours from its first value, so that a failure can be recorded
 * too. */
static bool step_register(struct boot *b, struct err *e) {
    const struct config *config = &b->pull.config;
    return register_begin(&b->registers, config->policy.tees, config->policy.pcr, &b->arena, &b->measured, e) &&
           (!config->has_initdata || measure_initdata(&b->measured, &config->initdata, e)) &&
           measure_policy(&b->measured, &config->policy, e);
}

static bool step_network(struct boot *b, struct err *e) {
    if (!network_start(&b->cmdline, &b->pending, &b->network, e) || !network_room(&b->network, ROOM, e)) return false;
    int room = open(ROOM, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (room < 0) return err_sys(e, "cannot open %s", ROOM);
    b->pull.config.fetch_room = room;
    return true;
}

/* What the policy leaves to the owner's KBS: itself, the registry's CA, mirrors and credentials. */
static bool step_resources(struct boot *b, struct err *e) {
    struct config *config = &b->pull.config;
    struct view policy;
    if (!secret_memory_make(&b->secrets, SECRETS_SIZE, true, e)) return false;
    if (config->policy.kbs.url.n) {
        if (!kbs_make(config, &b->measured, &b->pull.image, &b->kbs, e)) return false;
        config->secrets = used_watch(&b->used, kbs_source(b->kbs), &b->arena);
    }
    return resources_policy(config, &b->arena, &policy, e) && (!policy.n || take_kbs_policy(b, policy, e)) &&
           resources_registry(config, &b->measured, &b->pull.arena, &b->secrets, e);
}

static bool step_resolve(struct boot *b, struct err *e) {
    char name[2048];
    console_say("image %s", measure_image_name(&b->pull.config, name, sizeof name));
    return pull_resolve(&b->pull, e);
}

static bool step_trust(struct boot *b, struct err *e) {
    if (!pull_trust(&b->pull, e)) return false;
    const struct verified_image *image = &b->pull.image;
    char text[DIGEST_TEXT_SIZE];
    console_say("manifest %s", digest_text(&image->manifest_digest, text));
    for (size_t i = 0; i < image->signatures.count; i++)
        console_say("signed by '%.*s'", VIEW_ARG(b->pull.config.policy.keys[image->signatures.matches[i].key].name));
    for (size_t i = 0; i < image->attestations.count; i++) {
        const struct attestation_match *m = &image->attestations.matches[i];
        console_say("attested by '%.*s': %.*s", VIEW_ARG(b->pull.config.policy.keys[m->key].name),
                    VIEW_ARG(b->pull.config.policy.attestations[m->attestation].predicate_type));
    }
    /* What cannot be launched is refused before it is downloaded; the first layers come while the register is extended. */
    return launch_plan(&b->pull.config.policy, &image->config, &b->arena, &b->process, e) && pull_ask_layers(&b->pull, e);
}

static bool step_measure(struct boot *b, struct err *e) {
    kbs_renew(b->kbs); /* who gives keys of layers shall know whose */
    return measure_image(&b->measured, &b->pull.config, &b->pull.image, e);
}

/* The layers joined, and held against the SBOM before anybody is told that they run. */
static bool join_layers(struct boot *b, struct err *e) {
    char text[SBOM_TEXT_SIZE];
    b->site = (struct launch_site){.store = STORE, .layer_count = b->pull.image.manifest.layer_count,
                                   .devices = b->pull.config.policy.limits.allow_devices, .network = &b->network};
    bool ok = (b->site.root = launch_root(&b->site, e)) >= 0 &&
              sbom_match(&b->pull.config, &b->pull.image, b->site.root, &b->sbom, e);
    sbom_summary(&b->sbom, text);
    if (b->sbom.compared) console_say("%s", text);
    for (unsigned kind = 0; kind < SBOM_DIFFERENCES; kind++)
        for (size_t i = 0; sbom_named(&b->sbom, kind, i, text); i++) console_say("%s", text);
    return ok;
}

static bool measure_verified(void *boot, size_t layer, struct err *e) {
    struct boot *b = boot;
    return measure_layer(&b->measured, &b->pull.image, layer, e);
}

static bool step_layers(struct boot *b, struct err *e) {
    const struct policy *policy = &b->pull.config.policy;
    if (!mount_image_store(STORE, policy->limits.bytes, policy->limits.files, e)) return false;
    int store = open(STORE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store < 0) return err_sys(e, "cannot open %s", STORE);
    const struct layers_each measuring = {measure_verified, b};
    bool ok = pull_layers(&b->pull, store, &measuring, e) && settle_layers(store, b->pull.image.manifest.layer_count, e);
    close(store);
    return ok && join_layers(b, e);
}

static bool step_attest(struct boot *b, struct err *e) {
    if (!measure_launch(&b->measured, &b->process, e) || !measure_check(&b->measured, e)) return false;
    if (!attest_run(&b->measured, &b->pull.config, &b->pull.image, &b->arena, &b->attestation, e)) return false;
    for (const struct measurement *m = &b->measured; m; m = m->also)
        for (size_t i = 0; i < m->bank_count; i++) {
            char hex[2 * HASH_MAX + 1], name[32];
            struct writer w = writer_of(hex, sizeof hex);
            write_hex(&w, view_of(m->banks[i].value, hash_size(m->banks[i].alg)));
            console_say("%s %s %s", tee_register(m->tee, name), hash_name(m->banks[i].alg), writer_str(&w));
        }
    return true;
}

/* After everything was measured: who gives them can know all that will run. */
static bool step_secrets(struct boot *b, struct err *e) {
    if (!b->pull.config.policy.secret_count) return true;
    kbs_renew(b->kbs);
    b->site.secrets = &b->workload;
    if (!secret_memory_make(&b->workload_secrets, SECRETS_SIZE, true, e) ||
        !secrets_collect(&b->pull.config, &b->process, &b->workload_secrets, &b->workload, e))
        return false;
    console_say("%zu files and %zu variables for the container", b->workload.file_count, b->workload.env.count);
    return true;
}

static bool step_launch(struct boot *b, struct err *e) {
    struct launch_file files[] = {{"evidence.json", b->attestation.evidence}, {"eventlog", writer_view(&b->measured.log)}};
    b->site.file_count = sizeof files / sizeof files[0];
    b->site.files = files;
    struct config *config = &b->pull.config;
    bool api_asks = b->kbs && config->policy.api;
    /* The registry's credentials have served, and so have the key that the KBS encrypted the boot's secrets to and the
     * worker that talked to it: the API, which gives its key away, has others. */
    secret_memory_drop(&b->secrets);
    kbs_drop(b->kbs);
    b->kbs = NULL;
    config->secrets = NULL;
    if (api_asks && !kbs_make(config, &b->measured, &b->pull.image, &b->kbs, e)) return false;
    if (config->policy.mode == POLICY_SUPERVISE) {
        const struct supervision s = {config, &b->measured, &b->pull.image, &b->process, &b->site, b->kbs, &b->arena,
                                      &b->workload_secrets, &b->used};
        return supervise_run(&s, e);
    }
    return launch_exec(&b->process, &b->site, &b->arena, e);
}

static const struct {
    const char *name;
    bool (*run)(struct boot *b, struct err *e);
} steps[] = {
    {"config", step_config},     /* measured policy if there is one, kernel command line */
    {"tee", step_tee},           /* TDX, SNP, TPM: what is there */
    {"initdata", step_initdata}, /* held against that TEE, before it is parsed; may bring the policy */
    {"register", step_register}, /* boot, initdata and policy are measured */
    {"network", step_network},   /* interface, address, resolver */
    {"resources", step_resources}, /* attested: policy, CA, mirrors, credentials from the owner's KBS, where it is asked */
    {"resolve", step_resolve},   /* reference -> manifest bytes, signatures: unverified */
    {"trust", step_trust},       /* N of M signatures, manifest, config */
    {"measure", step_measure},   /* manifest, PullImage, config */
    {"layers", step_layers},     /* fetch -> hash -> unpack; each layer measured, in manifest order; SBOM */
    {"attest", step_attest},     /* launch, separator; quote over the host's nonce */
    {"secrets", step_secrets},   /* attested: files and variables of the workload */
    {"launch", step_launch},     /* becomes the container; returns only when that failed */
};

/* The last word: why, into the register, to the host, and then the machine is off. */
static void refuse(struct boot *b, struct err *why) {
    struct err e;
    console_error("refused", why);
    /* A policy that could not be read, or does not take this TEE, did not choose a register either: whatever is here
     * tells. */
    if (!b->measured.bank_count && b->arena.base)
        register_begin(&b->registers, POLICY_TEE_ALL, POLICY_PCR_DEFAULT, &b->arena, &b->measured, &e);
    if (!measure_failure(&b->measured, why, &e)) console_error("the failure could not be measured", &e);
    attest_refuse(&b->measured, &b->pull.config, &b->pull.image, &b->arena, why);
    pull_end(&b->pull);
    kbs_drop(b->kbs);
    secret_memory_drop(&b->secrets);
    secret_memory_drop(&b->workload_secrets);
    power_off("nothing was started");
}

int main(int argc, char **argv) {
    int worker = argc > 0 ? worker_main(argv[0]) : -1;
    if (worker >= 0) return worker;

    static struct boot boot;
    struct err e = {0};
    size_t modules;
    boot.registers.root = "";
    boot.pull.fetch[0] = boot.pull.fetch[1] = CHILD_NONE;
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    bool ok = mount_early(&e);
    console_open(CONSOLE_GUEST);
    console_say("plinth %s", plinth_version);
    clock_at_least(plinth_build_date);
    ok = ok && arena_make(&boot.arena, 64u << 20, &e) && module_load_all(&modules, &e);
    mount_late();
    for (size_t i = 0; ok && i < sizeof steps / sizeof steps[0]; i++) {
        console_say("%s", steps[i].name);
        ok = steps[i].run(&boot, &e);
        /* step/pull.c names its own, for the host tool too */
        if (!ok && strncmp(e.trail, steps[i].name, strlen(steps[i].name)) != 0) err_in(&e, "%s", steps[i].name);
    }
    refuse(&boot, &e); /* PID 1 never returns: the kernel would panic */
    return 1;
}
