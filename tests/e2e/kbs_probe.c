/* kbs_probe: step/kbs and step/resources with their real worker on this host, over a software TPM at a TCP port or a fake of the kernel's
 * TSM files (tests/fake/tsm.c): a SIMULATION. Built by test_kbs.py.
 *
 *   kbs_probe TEE POLICY [initdata=FILE] [bundle=FILE] [verified] OP...
 *     TEE      tpm:PORT, tdx, snp
 *     POLICY   file; its kbs member says whom to ask
 *     bundle   CA certificates of the initramfs
 *     verified an image was, so that evidence names it
 *   get=URI    prints "secret HEX"            max=N    takes at most N bytes from here on
 *   renew      kbs_renew                      token    prints the token, then the key in PEM
 *   registry   resources_registry; prints CA, mirrors, and credential=HOST/REPOSITORY of it later
 *   policy     resources_policy
 * Each op's milliseconds go to standard error; an error is "kind line" and its mend, and status 1. */
#include "step/config.h"
#include "step/kbs.h"
#include "step/measure.h"
#include "step/resources.h"
#include "sys/console.h"
#include "sys/root.h"
#include "sys/secret_memory.h"
#include "worker/worker.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <sys/ioctl.h>
#define ioctl unused_ioctl /* musl's has other types; configfs needs none */
#include "tests/fake/tsm.c"
#undef ioctl
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct config config;
static struct verified_image image;
static struct measurement measured;
static struct arena arena, secrets;
static struct tee this_tee;

static struct view file(const char *path) {
    struct view v = {0};
    struct err e;
    bool found;
    uint8_t *p = arena_alloc(&arena, 4u << 20);
    if (p && root_read(AT_FDCWD, path, p, 4u << 20, &v, &found, &e) && found) return v;
    fprintf(stderr, "%s\n", path);
    exit(2);
}

static bool open_tpm(const char *port, struct err *e) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct tpm t;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) return err_sys(e, "port %s", port);
    if (!tpm_open_fd(fd, &t, e)) return false;
    this_tee = tee_of_tpm(t, config.policy.pcr);
    return true;
}

static bool open_tee(const char *name, struct err *e) {
    bool found;
    if (!strncmp(name, "tpm:", 4)) return open_tpm(name + 4, e);
    bool tdx = !strcmp(name, "tdx");
    fake_tsm_reset(tdx ? "tdx_guest" : "sev_guest",
                   file(tdx ? "tests/unit/vectors/tee/quote-v4-phala.bin" : "tests/unit/vectors/tee/siena-v3-genoa-chain.report.bin"),
                   tdx ? 48 + 520 : 0x50, tdx ? 48 + 328 + 3 * 48 : 0);
    if (!tdx) fake_tsm.auxblob = file("tests/unit/vectors/tee/auxblob-milan-v2-azure.bin"), fake_tsm.privlevel = true;
    if (tdx) fake_tsm_write(FAKE_TSM_CCEL, file("tests/unit/vectors/tee/ccel-dstack-ffpad.bin"));
    return tee_open_cpu(fake_tsm.root, &this_tee, &found, e);
}

static void print_text(const char *name, struct view v) { printf("%s %.*s\n", name, VIEW_ARG(v)); }

static bool run_op(struct kbs *k, const char *op, struct err *e) {
    static size_t max = 1u << 20;
    const struct secret_source *s = config.secrets;
    struct view out, more;
    if (!strncmp(op, "max=", 4)) return max = (size_t)atol(op + 4), true;
    if (!strcmp(op, "renew")) return kbs_renew(k), true;
    if (!strncmp(op, "get=", 4)) {
        if (!s->get(s->state, view_str(op + 4), max, &secrets, &out, e)) return false;
        printf("secret ");
        for (size_t i = 0; i < out.n; i++) printf("%02x", out.p[i]);
        return printf("\n"), true;
    }
    if (!strcmp(op, "token")) {
        if (!kbs_token(k, &secrets, &out, &more, e)) return false;
        return print_text("token", out), print_text("key", more), true;
    }
    if (!strcmp(op, "policy")) {
        if (!resources_policy(&config, &arena, &out, e)) return false;
        return print_text("policy", out), true;
    }
    if (!strcmp(op, "registry")) {
        if (!resources_registry(&config, &measured, &arena, &secrets, e)) return false;
        print_text("ca", view_first(config.ca_pem, 27));
        for (size_t i = 0; i < config.policy.mirror_count; i++) print_text("mirror", config.policy.mirrors[i]);
        return true;
    }
    if (!strncmp(op, "credential=", 11)) {
        struct view repository = view_str(op + 11), host = view_cut(&repository, '/', NULL);
        return print_text("credential", policy_credential(&config.policy, host, repository)), true;
    }
    return err_set(e, ERR_USAGE, "%s?", op);
}

static bool run(char **argv, struct err *e) {
    struct kbs *k = NULL;
    if (!arena_make(&arena, 64u << 20, e) || !secret_memory_make(&secrets, 16u << 20, false, e) ||
        !config_make(file(argv[2]), (struct view){0}, (struct view){0}, false, &arena, &config, e) || !open_tee(argv[1], e) ||
        !measure_begin(&measured, &this_tee, config.policy.pcr, &arena, e) || !measure_boot(&measured, e) ||
        !measure_policy(&measured, &config.policy, e))
        return false;
    for (argv += 3; *argv; argv++) {
        if (!strncmp(*argv, "initdata=", 9)) config.initdata_text = file(*argv + 9);
        else if (!strncmp(*argv, "bundle=", 7)) config.ca_bundle = file(*argv + 7);
        else if (!strcmp(*argv, "verified")) memset(image.manifest_digest.sha256, 0x22, 32);
        else break;
    }
    if (!kbs_make(&config, &measured, &image, &k, e)) return false;
    config.secrets = kbs_source(k);
    bool ok = true;
    for (; ok && *argv; argv++) {
        int64_t from = clock_ms();
        ok = run_op(k, *argv, e);
        fprintf(stderr, "%s: %d ms\n", *argv, (int)(clock_ms() - from));
    }
    for (size_t i = 0; i < config.resource_count; i++) print_text("measured", config.resources[i].uri);
    kbs_drop(k);
    return ok;
}

int main(int argc, char **argv) {
    struct err e = {0};
    char line[1100];
    int worker = worker_main(argv[0]);
    if (worker >= 0) return worker;
    if (argc < 3) return 2;
    console_open(CONSOLE_HOST);
    bool ok = run(argv, &e);
    fflush(stdout);
    if (ok) return 0;
    err_line(&e, line, sizeof line);
    fprintf(stderr, "error %d %s\nmend %s\n", e.kind, line, e.mend);
    return 1;
}
