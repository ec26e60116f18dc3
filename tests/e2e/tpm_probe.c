/* tpm_probe: sys/tpm, step/measure and step/attest over a TPM at a TCP port of this machine (swtpm socket). Built by test_tpm.py.
 *
 *   tpm_probe PORT banks                    names of the active banks
 *   tpm_probe PORT extend PCR TEXT          event bytes TEXT into the PCR
 *   tpm_probe PORT read PCR                 bank and value, one line per bank
 *   tpm_probe PORT boot PCR NONCE           measures an image of two layers; the evidence to standard output. NONCE "-": the TPM's
 *   tpm_probe PORT activate BLOB SECRET     a credential for the AK under the EK, in hex; what was in it
 *   tpm_probe predict PCR                   the same without a TPM: bank and value, one line per bank
 * Exit status 1 and "kind text" on standard error for an error. */
#include "step/attest.h"
#include "step/measure.h"

#include "base/codec.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    perror("connect");
    exit(3);
}

static void print(enum hash_alg alg, const uint8_t *value) {
    printf("%s ", hash_name(alg));
    for (size_t i = 0; i < hash_size(alg); i++) printf("%02x", value[i]);
    printf("\n");
}

static struct config config;
static struct verified_image image;
static struct process process;

static void fill(unsigned pcr) {
    static struct view args[] = {{(const uint8_t *)"/usr/sbin/nginx", 15}, {(const uint8_t *)"-g", 2}};
    static struct view env[] = {{(const uint8_t *)"PATH=/usr/bin", 13}};
    memset(config.policy.digest.sha256, 0x11, 32);
    config.policy.pcr = pcr;
    memset(image.manifest_digest.sha256, 0x22, 32);
    memset(image.config_digest.sha256, 0x33, 32);
    strcpy(config.image.host, "registry.example");
    strcpy(config.image.repository, "acme/web");
    strcpy(config.image.tag, "1.4");
    image.manifest.layer_count = 2;
    for (size_t i = 0; i < 2; i++) {
        memset(image.manifest.layers[i].descriptor.digest.sha256, 0x40 + (int)i, 32);
        memset(image.config.diff_ids[i].sha256, 0x50 + (int)i, 32);
    }
    process = (struct process){{2, args}, {1, env}, VIEW("nginx"), VIEW("/")};
}

static bool boot(struct tee *t, unsigned pcr, const char *hex, struct arena *a, struct err *e) {
    struct measurement m;
    struct view evidence;
    uint8_t nonce[TPM2_NONCE_MAX];
    size_t n = *hex == '-' ? 0 : strlen(hex) / 2;
    if (n > sizeof nonce || (n && !hex_decode(view_str(hex), nonce, n))) return err_set(e, ERR_USAGE, "nonce");
    if (!measure_begin(&m, t, pcr, a, e) || !measure_boot(&m, e) || !measure_policy(&m, &config.policy, e) ||
        !measure_image(&m, &config, &image, e) || !measure_layer(&m, &image, 0, e) || !measure_layer(&m, &image, 1, e) ||
        !measure_launch(&m, &process, e) || !measure_check(&m, e) ||
        !attest_make(&m, &config, &image, view_of(nonce, n), a, &evidence, e))
        return false;
    return fwrite(evidence.p, 1, evidence.n, stdout) == evidence.n;
}

static bool activate(struct tpm *t, const char *blob_hex, const char *secret_hex, struct err *e) {
    uint8_t blob[512], secret[512], value[TPM2_NONCE_MAX];
    size_t blob_n = strlen(blob_hex) / 2, secret_n = strlen(secret_hex) / 2, n;
    if (!hex_decode(view_str(blob_hex), blob, blob_n) || !hex_decode(view_str(secret_hex), secret, secret_n)) return err_set(e, ERR_USAGE, "hex");
    if (!tpm_activate(t, view_of(blob, blob_n), view_of(secret, secret_n), value, &n, e)) return false;
    for (size_t i = 0; i < n; i++) printf("%02x", value[i]);
    printf("\n");
    return true;
}

static bool run(char **argv, struct arena *a, struct err *e) {
    struct tpm t;
    struct tee tee;
    if (!strcmp(argv[0], "predict")) {
        struct measurement m;
        fill((unsigned)atoi(argv[1]));
        if (!measure_predict(&m, &config, &image, &process, a, e)) return false;
        for (size_t i = 0; i < m.bank_count; i++) print(m.banks[i].alg, m.banks[i].value);
        return true;
    }
    if (!tpm_open_fd(connect_to(argv[0]), &t, e)) return false;
    unsigned pcr = argv[2] ? (unsigned)atoi(argv[2]) : 0;
    bool ok = true;
    if (!strcmp(argv[1], "extend")) ok = tpm_extend(&t, pcr, view_str(argv[3]), e);
    if (!strcmp(argv[1], "boot")) ok = (fill(pcr), tee = tee_of_tpm(t, pcr), boot(&tee, pcr, argv[3], a, e));
    if (!strcmp(argv[1], "activate")) ok = activate(&t, argv[2], argv[3], e);
    for (size_t i = 0; ok && i < t.bank_count; i++) {
        uint8_t value[1][HASH_MAX];
        if (!strcmp(argv[1], "banks")) printf("%s\n", hash_name(t.banks[i]));
        if (strcmp(argv[1], "read")) continue;
        ok = tpm_read(&t, t.banks[i], pcr, 1, value, e);
        if (ok) print(t.banks[i], value[0]);
    }
    tpm_close(&t);
    return ok;
}

int main(int argc, char **argv) {
    struct arena a;
    struct err e;
    char line[1100];
    if (argc < 3 || !arena_make(&a, 8u << 20, &e)) return 2;
    if (run(argv + 1, &a, &e)) return 0;
    err_line(&e, line, sizeof line);
    fprintf(stderr, "%d %s\n", e.kind, line);
    return 1;
}
