/* see attest.h */
#include "step/attest.h"

#include "base/limits.h"
#include "base/version.h"
#include "step/measure.h"
#include "sys/port.h"
#include "tee/evidence.h"
#include <unistd.h>

/* The quote must be over our nonce and over the values read: H of the PCRs, ascending, bank by bank, with the hash of the
 * signing scheme whatever the bank's is. */
static bool check_quote(const struct evidence *ev, struct err *e) {
    struct tpm2_attest a;
    struct hash h;
    uint8_t digest[32];
    if (!tpm2_attest_parse(ev->quote, &a, e)) return false;
    if (!view_eq(a.nonce, ev->nonce)) return err_set(e, ERR_DIGEST, "the TPM's quote is over another nonce");
    bool covered = a.selection_count == ev->bank_count;
    hash_init(&h, HASH_SHA256);
    for (size_t i = 0; covered && i < ev->bank_count; i++) {
        const struct evidence_bank *bank = &ev->banks[i];
        covered = a.selections[i].bank == bank->alg && a.selections[i].pcrs == (1u << EVIDENCE_PCRS) - 1;
        for (size_t pcr = 0; pcr < EVIDENCE_PCRS; pcr++) hash_update(&h, view_of(bank->pcrs[pcr], hash_size(bank->alg)));
    }
    if (!covered) return err_set(e, ERR_DIGEST, "the TPM's quote is over other PCRs than 0-15 of the active banks");
    hash_final(&h, digest);
    if (!view_eq(a.pcr_digest, view_of(digest, sizeof digest)))
        return err_set(e, ERR_DIGEST, "the TPM's quote is over other PCR values than it gives to read");
    return true;
}

static bool read_pcrs(struct tpm *t, struct evidence *ev, struct err *e) {
    ev->bank_count = t->bank_count;
    for (size_t i = 0; i < t->bank_count; i++) {
        ev->banks[i].alg = t->banks[i];
        if (!tpm_read(t, t->banks[i], 0, EVIDENCE_PCRS, ev->banks[i].pcrs, e)) return false;
    }
    return true;
}

bool attest_make(const struct measurement *m, const struct config *config, const struct verified_image *image,
                 struct view nonce, struct arena *a, struct view *evidence, struct err *e) {
    char name[2048], manifest[DIGEST_TEXT_SIZE], policy[DIGEST_TEXT_SIZE];
    uint8_t random[32];
    struct tpm_quote quote;
    struct evidence ev = {.version = view_str(plinth_version), .tee = VIEW("tpm"), .pcr = m->mr_index};
    size_t firmware_n;
    uint8_t *firmware = arena_alloc(a, FIRMWARE_LOG_MAX), *json = arena_alloc(a, EVIDENCE_MAX);
    if (!firmware || !json) return arena_full(a, e);
    if (!nonce.n) {
        if (!tpm_random(m->tpm, random, sizeof random, e)) return false;
        nonce = view_of(random, sizeof random);
    }
    if (!tpm_firmware_log(firmware, FIRMWARE_LOG_MAX, &firmware_n, e) || !tpm_quote(m->tpm, nonce, &quote, e) ||
        !read_pcrs(m->tpm, &ev, e))
        return false;
    ev.nonce = nonce;
    ev.quote = view_of(quote.attest, quote.attest_n);
    ev.signature = view_of(quote.signature, quote.signature_n);
    ev.ak_public = view_of(quote.ak_public, quote.ak_public_n);
    memcpy(ev.ak_point, quote.ak_point, sizeof ev.ak_point);
    ev.eventlog = writer_view(&m->log);
    ev.firmware_log = view_of(firmware, firmware_n);
    ev.image = view_str(measure_image_name(config, name, sizeof name));
    ev.manifest = view_str(digest_text(&image->manifest_digest, manifest));
    ev.policy = view_str(digest_text(&config->policy.digest, policy));
    if (!check_quote(&ev, e)) return false;
    struct writer out = writer_of(json, EVIDENCE_MAX);
    evidence_write(&ev, &out);
    if (out.full) return err_set(e, ERR_SYSTEM, "the evidence is longer than %u bytes", EVIDENCE_MAX);
    *evidence = writer_view(&out);
    return true;
}

/* Evidence over the nonce of the host behind `fd` (-1: nobody), and to it. */
static bool make_and_send(int fd, const struct measurement *m, const struct config *config, const struct verified_image *image,
                          struct arena *a, struct attestation *out, struct err *e) {
    uint8_t nonce[TPM2_NONCE_MAX];
    size_t n = 0;
    if (!m->tpm) return true;
    if (fd >= 0 && !port_nonce(fd, PORT_TIMEOUT_MS, nonce, &n, e)) return false;
    out->host_nonce = n > 0;
    return attest_make(m, config, image, view_of(nonce, n), a, &out->evidence, e) &&
           (!n || port_send(fd, "evidence", out->evidence, e));
}

bool attest_run(const struct measurement *m, const struct config *config, const struct verified_image *image,
                struct arena *a, struct attestation *out, struct err *e) {
    struct attestation made = {0};
    int fd = m->tpm ? port_open(PORT_ATTEST, 0) : -1;
    bool ok = make_and_send(fd, m, config, image, a, &made, e);
    if (fd >= 0) close(fd);
    if (ok) *out = made;
    return ok;
}

void attest_refuse(const struct measurement *m, const struct config *config, const struct verified_image *image,
                   struct arena *a, const struct err *why) {
    struct err ignored;
    struct attestation made = {0};
    char line[sizeof why->text + sizeof why->trail];
    int fd = port_open(PORT_ATTEST, 0);
    if (fd < 0) return;
    (void)make_and_send(fd, m, config, image, a, &made, &ignored);
    err_line(why, line, sizeof line);
    (void)port_send(fd, "failure", view_str(line), &ignored);
    close(fd);
}
