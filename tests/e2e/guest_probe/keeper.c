/* keeper: the supervisor as PID 1 of fresh namespaces, without a virtual machine (test_supervise.py sets them up, as test_guest.py does for
 * trial.c). Its root is a tmpfs with this program as /init; /image holds the layers 0, 1, ... The agent's own code, but for the TEE (SNP's register,
 * which needs none; evidence is made up here) and the KBS (a table here).
 *
 * Arguments: arg=, env= (repeated, the image's), user=, layers=N, stop=StopSignal, api=bits of run.api.feature, prefix=kbs:///.. (repeated,
 * run.api.resources), resource=REPO/TYPE/TAG/BYTES (repeated), used=kbs:///.. (what the boot asked for), file=NAME/BYTES and variable=NAME=VALUE
 * (secrets), cmdline=TEXT (brings the network up by it), nokbs=1. runtime_data "slow" takes 3 s, "hang" for ever, "crash" kills who makes the evidence. */
#include "step/api.h"
#include "step/attest.h"
#include "step/measure.h"
#include "step/supervise.h"
#include "sys/console.h"
#include "sys/mounts.h"
#include "sys/net.h"
#include "sys/power.h"
#include "sys/secret_memory.h"
#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

static struct view args[64], env[32], secret_env[8];
static struct secret_file files[8];
static struct {
    struct view path, bytes;
} resources[16];
static size_t resource_count, renewed;

/* ---- in the place of step/kbs ---- */

struct kbs {
    struct secret_source source;
};

static bool get(void *state, struct view uri, size_t max, struct arena *secrets, struct view *out, struct err *e) {
    struct view path;
    (void)state;
    if (!policy_resource(uri, &path)) return err_set(e, ERR_FORMAT, "not a URI");
    for (size_t i = 0; i < resource_count; i++)
        if (view_eq(resources[i].path, path)) return *out = arena_copy(secrets, view_first(resources[i].bytes, max)), true;
    return err_set(e, ERR_POLICY, "denied by the KBS");
}

static struct kbs kbs = {{get, NULL}};

const struct secret_source *kbs_source(struct kbs *k) { return &k->source; }
void kbs_renew(struct kbs *k) { renewed += k != NULL; }
void kbs_drop(struct kbs *k) { (void)k; }
void kbs_patience(struct kbs *k, int ms) { (void)k, (void)ms; }
bool kbs_token(struct kbs *k, struct arena *secrets, struct view *token, struct view *key_pem, struct err *e) {
    char text[64];
    (void)k, (void)e;
    snprintf(text, sizeof text, "header.renewed%zu.signature", renewed);
    *token = arena_copy(secrets, view_str(text));
    *key_pem = VIEW("-----BEGIN PRIVATE KEY-----\nno key\n-----END PRIVATE KEY-----\n");
    return true;
}

/* ---- in the place of step/attest ---- */

static bool made(const struct measurement *m, struct view nonce, const char *shape, struct arena *a, struct view *out, struct err *e) {
    struct writer w = writer_of(arena_alloc(a, 1024), 1024);
    if (view_starts(nonce, VIEW("slow"))) sleep(3);
    if (view_starts(nonce, VIEW("crash"))) raise(SIGSEGV);
    while (view_starts(nonce, VIEW("hang"))) pause();
    if (!w.p) return arena_full(a, e);
    write_text(&w, "{\"made_up\":\"");
    write_text(&w, shape);
    write_text(&w, "\",\"nonce\":\"");
    write_hex(&w, nonce);
    write_text(&w, "\",\"register\":\"");
    write_hex(&w, view_of(m->banks[0].value, 48));
    write_text(&w, "\"}");
    *out = writer_view(&w);
    return true;
}

bool attest_make(const struct measurement *m, const struct config *config, const struct verified_image *image, struct view nonce, struct arena *a,
                 struct view *evidence, struct err *e) {
    (void)config, (void)image;
    return made(m, nonce, "plinth", a, evidence, e);
}

bool attest_trustee(const struct measurement *m, const uint8_t report_data[static 64], struct arena *a, struct view *evidence, struct err *e) {
    return made(m, view_of(report_data, 64), "trustee", a, evidence, e);
}

/* ---- the machine ---- */

static void stop(const struct err *e) {
    console_error("keeper", e);
    power_off(NULL);
}

int main(int argc, char **argv) {
    int worker = worker_main(argv[0]);
    if (worker >= 0) return worker;
    static struct config config;
    static struct verified_image image;
    static struct used_resources used;
    static struct workload_secrets secrets = {.files = files, .env = {0, secret_env}};
    static struct network network = {.hostname = "plinth", .hosts = "127.0.0.1\tlocalhost\n"};
    static struct tee tee = {.kind = TEE_SNP, .mr_index = EVENT_MR_RTMR3, .bank_count = 1, .banks = {HASH_SHA384}};
    struct measurement m = {0};
    struct policy *policy = &config.policy;
    struct arena a, memory;
    struct err e = {0};
    struct process process;
    struct view value, none;
    struct launch_site site = {.store = "/image", .network = &network, .secrets = &secrets};
    int out = dup(1), fault = dup(2);
    umount2("/old", MNT_DETACH);
    signal(SIGPIPE, SIG_IGN);
    if (!mount_early(&e)) stop(&e);
    mount_late();
    dup2(out, 1), close(out), dup2(fault, 2), close(fault); /* instead of the console of the machine that tests */
    console_open(CONSOLE_GUEST);
    tee.kept.alg = HASH_SHA384;
    image.config.entrypoint.items = args, image.config.env.items = env;
    if (!arena_make(&a, 64u << 20, &e) || !secret_memory_make(&memory, 8u << 20, true, &e) || !net_loopback(&e)) stop(&e);
    const struct secret_source *source = used_watch(&used, &kbs.source, &a);
    for (int i = 1; i < argc; i++) {
        value = view_str(argv[i]);
        struct view key = view_cut(&value, '=', NULL);
        if (view_is(key, "arg")) args[image.config.entrypoint.count++] = value;
        if (view_is(key, "env")) env[image.config.env.count++] = value;
        if (view_is(key, "user")) image.config.user = value;
        if (view_is(key, "stop")) image.config.stop_signal = value;
        if (view_is(key, "layers")) site.layer_count = strtoul(argv[i] + 7, NULL, 10);
        if (view_is(key, "api")) policy->api = (unsigned)atoi(argv[i] + 4);
        if (view_is(key, "prefix")) policy->api_prefixes[policy->api_prefix_count++] = value;
        if (view_is(key, "used") && !source->get(source->state, value, 1, &a, &none, &e)) console_say("used %.*s", VIEW_ARG(value));
        if (view_is(key, "variable")) {
            const char *text = arena_str(&memory, value);
            secret_env[secrets.env.count++] = view_str(text);
        }
        if (view_is(key, "file")) {
            struct secret_file *f = &files[secrets.file_count++];
            *f = (struct secret_file){.name = view_cut(&value, '/', NULL), .mode = 0400};
            f->bytes = arena_copy(&memory, value);
        }
        if (view_is(key, "cmdline")) {
            struct cmdline cmdline;
            struct network_pending pending;
            if (!cmdline_parse(value, &cmdline, &e)) stop(&e);
            network_begin(&cmdline, &pending);
            if (!network_start(&cmdline, &pending, &network, &e)) stop(&e);
        }
        if (!view_is(key, "resource")) continue;
        struct view path = value;
        for (int k = 0; k < 3; k++) view_cut(&value, '/', NULL);
        resources[resource_count].path = view_of(path.p, path.n - value.n - 1);
        resources[resource_count++].bytes = value;
    }
    const struct supervision s = {&config, &m, &image, &process, &site, argc > 1 && !strcmp(argv[argc - 1], "nokbs=1") ? NULL : &kbs, &a, &memory, &used};
    struct launch_file log = {"eventlog", {0}};
    site.files = &log, site.file_count = 1;
    if (!measure_begin(&m, &tee, 15, &a, &e) || !measure_event(&m, "separator", VIEW("{}"), &e) ||
        !launch_plan(policy, &image.config, &a, &process, &e) || (site.root = launch_root(&site, &e)) < 0)
        stop(&e);
    log.bytes = writer_view(&m.log);
    supervise_run(&s, &e);
    stop(&e);
}
