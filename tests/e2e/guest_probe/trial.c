/* trial: network and launch as PID 1 of fresh namespaces, without a virtual machine (test_guest.py sets them up). Its root is a tmpfs with this
 * program as /init; /image holds the layers 0, 1, ... Arguments: arg=, env= (repeated, the image's), user=, cwd=, layers=N, devices=1,
 * cmdline=TEXT (brings the network up by it). Ends as the container's process, or with the error on standard error and status 1. */
#include "format/cmdline.h"
#include "step/launch.h"
#include "step/network.h"
#include "sys/console.h"
#include "sys/mounts.h"
#include "sys/power.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

static struct view args[32], env[32];
static struct network network = {.hostname = "plinth", .hosts = "127.0.0.1\tlocalhost\n"};

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
    struct arena a;
    struct err e;
    struct process process;
    struct launch_file files[] = {{"evidence.json", VIEW("{}\n")}};
    struct launch_site site = {.store = "/image", .network = &network, .file_count = 1, .files = files};
    int out = dup(1), fault = dup(2);
    umount2("/old", MNT_DETACH);
    if (!mount_early(&e)) stop(&e);
    mount_late();
    dup2(out, 1), close(out), dup2(fault, 2), close(fault); /* instead of the console of the machine that tests */
    console_open(CONSOLE_GUEST);
    image.entrypoint.items = args, image.env.items = env;
    for (int i = 1; i < argc; i++) {
        struct view value = view_str(argv[i]), key = view_cut(&value, '=', NULL);
        if (view_is(key, "arg")) args[image.entrypoint.count++] = value;
        if (view_is(key, "env")) env[image.env.count++] = value;
        if (view_is(key, "user")) image.user = value;
        if (view_is(key, "cwd")) image.working_dir = value;
        if (view_is(key, "layers")) site.layer_count = strtoul((const char *)value.p, NULL, 10);
        if (view_is(key, "devices")) site.devices = true;
        if (!view_is(key, "cmdline")) continue;
        if (!cmdline_parse(value, &cmdline, &e)) stop(&e);
        network_begin(&cmdline, &pending);
        if (!network_start(&cmdline, &pending, &network, &e)) stop(&e);
    }
    if (!arena_make(&a, 64u << 20, &e) || !launch_plan(&policy, &image, &a, &process, &e)) stop(&e);
    if ((site.root = launch_root(&site, &e)) >= 0) launch_exec(&process, &site, &a, &e);
    stop(&e);
}
