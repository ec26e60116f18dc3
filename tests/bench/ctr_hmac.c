/* What decrypting costs the monitor: MB/s (10^6) of processor time, over pieces of FRAME_MAX bytes as they come from
 * the fetch worker. Prints "NAME MB/s" for AES-256-CTR, HMAC-SHA256, both (crypto/ctr_hmac), and all that the monitor
 * does to a layer that is encrypted (digest, both, digest of the plaintext) and to one that is not (digest).
 * tests/bench/decrypt.py calls it. */
#include "base/limits.h"
#include "crypto/ctr_hmac.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint8_t bytes[FRAME_MAX];
static const uint8_t key[32] = {1}, nonce[16] = {2};
static struct ctr_hmac both;
static struct hash cipher, plain;

static void run_ctr(void) { both.aes.vtable->ctr(&both.aes.vtable, both.counter, bytes, sizeof bytes); }
static void run_hmac(void) { br_hmac_update(&both.hmac, bytes, sizeof bytes); }
static void run_both(void) { ctr_hmac_decrypt(&both, bytes, sizeof bytes); }
static void run_plain(void) { hash_update(&cipher, view_of(bytes, sizeof bytes)); }
static void run_encrypted(void) {
    run_plain();
    run_both();
    hash_update(&plain, view_of(bytes, sizeof bytes));
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"aes-256-ctr", run_ctr}, {"hmac-sha256", run_hmac}, {"ctr_hmac", run_both},
                 {"monitor, encrypted", run_encrypted}, {"monitor, not encrypted", run_plain}};
    double least = argc > 1 ? atof(argv[1]) : 0.5;
    ctr_hmac_begin(&both, key, nonce);
    hash_init(&cipher, HASH_SHA256);
    hash_init(&plain, HASH_SHA256);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t times = 0;
        double begun = seconds(), took;
        do parts[i].run(), times++;
        while ((took = seconds() - begun) < least);
        printf("%s: %.0f\n", parts[i].name, (double)times * sizeof bytes / took / 1e6);
    }
    return 0;
}
