/* trial: network and launch as PID 1 of fresh namespaces, without a virtual machine (test_guest.py sets them up). Its root is a tmpfs with this
 * program as /init; /image holds the layers 0, 1, ... Arguments: arg=, env= (repeated, the image's), user=, cwd=, layers=N, devices=1,
 * cmdline=TEXT (brings the network up by it), file=NAME/MODE/OWNER/BYTES and variable=NAME=VALUE (secrets, in locked memory; a launch that
 * fails tells whether the files' bytes were wiped). Ends as the container's process, or with the error on standard error and status 1. */
#include "format/cmdline.h"
#include "step/launch.h"
#include "step/network.h"
#include "sys/console.h"
#include "sys/mounts.h"
#include "sys/power.h"
#include "sys/secret_memory.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

static struct view args[32], env[32];
static struct secret_file secret_files[POLICY_SECRETS_MAX];
static struct view secret_env[32];
static struct workload_secrets secrets = {.files = secret_files, .env = {0, secret_env}};
static struct network network = {.hostname = "plinth", .hosts = "127.0.0.1\tlocalhost\n"};

static void add_file(struct view text, struct arena *memory) {
    struct secret_file *f = &secrets.files[secrets.file_count++];
    f->name = view_cut(&text, '/', NULL);
    for (struct view mode = view_cut(&text, '/', NULL); mode.n; mode = view_skip(mode, 1)) f->mode = (uint16_t)(f->mode << 3 | (*mode.p - '0'));
    f->owner = view_cut(&text, '/', NULL);
    f->bytes = arena_copy(memory, text);
}

static void tell_wiped(void) {
    for (size_t i = 0; i < secrets.file_count; i++) {
        bool zero = true;
        for (size_t k = 0; k < secrets.files[i].bytes.n; k++) zero = zero && !secrets.files[i].bytes.p[k];
        console_say("%.*s is %s", VIEW_ARG(secrets.files[i].name), zero ? "wiped" : "still there");
    }
}

static void stop(const struct err *e) {
    console_error("trial", e);
    power_off(NULL);
}

int main(int argc, char **argv) {
    if (strcmp(argv[0], WORKER_ADDRESS) == 0) return address_main();
    static struct policy policy;
    static struct image_config image;
    struct cmdline cmdline;
    struct network_pending pending;
    struct arena a, locked;
    struct err e;
    struct process process;
    struct launch_file files[] = {{"evidence.json", VIEW("{}\n")}};
    struct launch_site site = {.store = "/image", .network = &network, .secrets = &secrets, .file_count = 1, .files = files};
    int out = dup(1), fault = dup(2);
    umount2("/old", MNT_DETACH);
    if (!mount_early(&e)) stop(&e);
    mount_late();
    dup2(out, 1), close(out), dup2(fault, 2), close(fault); /* instead of the console of the machine that tests */
    console_open(CONSOLE_GUEST);
    if (!secret_memory_make(&locked, 8u << 20, true, &e)) stop(&e);
    image.entrypoint.items = args, image.env.items = env;
    for (int i = 1; i < argc; i++) {
        struct view value = view_str(argv[i]), key = view_cut(&value, '=', NULL);
        if (view_is(key, "arg")) args[image.entrypoint.count++] = value;
        if (view_is(key, "env")) env[image.env.count++] = value;
        if (view_is(key, "user")) image.user = value;
        if (view_is(key, "cwd")) image.working_dir = value;
        if (view_is(key, "layers")) site.layer_count = strtoul((const char *)value.p, NULL, 10);
        if (view_is(key, "devices")) site.devices = true;
        if (view_is(key, "file")) add_file(value, &locked);
        if (view_is(key, "variable")) secret_env[secrets.env.count++] = view_of(arena_str(&locked, value), value.n);
        if (!view_is(key, "cmdline")) continue;
        if (!cmdline_parse(value, &cmdline, &e)) stop(&e);
        network_begin(&cmdline, &pending);
        if (!network_start(&cmdline, &pending, &network, &e)) stop(&e);
    }
    if (!arena_make(&a, 64u << 20, &e) || !launch_plan(&policy, &image, &a, &process, &e)) stop(&e);
    if ((site.root = launch_root(&site, &e)) >= 0) launch_exec(&process, &site, &a, &e);
    tell_wiped();
    stop(&e);
}
