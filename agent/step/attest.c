/* see attest.h */
#include "step/attest.h"

#include "base/limits.h"
#include "base/version.h"
#include "step/measure.h"
#include "sys/console.h"
#include "sys/port.h"
#include "tee/evidence.h"
#include "tee/trustee.h"
#include <sys/random.h>
#include <unistd.h>

#define AK_HANDLE 0x81010002u /* Trustee's attestation agent keeps its own there */
#define LOGS_MAX (FIRMWARE_LOG_MAX + EVENTLOG_MAX + 256u)
#define TRUSTEE_MAX ((LOGS_MAX + REPORT_MAX + CERTIFICATES_MAX) * 4) /* certificates are arrays of decimal numbers */

/* The quote must be over our nonce and over the values read: H of the PCRs, ascending, bank by bank, with the hash of the
 * signing scheme whatever the bank's is. */
static bool check_quote(const struct evidence_tpm *ev, struct view nonce, struct err *e) {
    struct tpm2_attest a;
    struct hash h;
    uint8_t digest[32];
    if (!tpm2_attest_parse(ev->quote, &a, e)) return false;
    if (!view_eq(a.nonce, nonce)) return err_set(e, ERR_DIGEST, "the TPM's quote is over another nonce");
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

/* The firmware's log, or none: a log that cannot be read costs the relying party its replay, and nobody else anything. */
static bool firmware_log(struct tee *t, struct arena *a, struct view *out, struct err *e) {
    struct writer w = writer_of(arena_alloc(a, FIRMWARE_LOG_MAX), FIRMWARE_LOG_MAX);
    if (!w.p) return arena_full(a, e);
    if (!tee_firmware_log(t, &w, e)) {
        if (t->kind == TEE_TPM) return false;
        console_error("left out", e);
    }
    *out = writer_view(&w);
    return true;
}

static bool tpm_part(const struct measurement *m, struct view nonce, struct arena *a, struct evidence_tpm *out,
                     struct err *e) {
    struct tpm *t = &m->tee->tpm;
    struct tpm_quote *quote = arena_alloc(a, sizeof *quote);
    uint8_t *certificate = arena_alloc(a, EK_CERTIFICATE_MAX);
    size_t certificate_n;
    if (!quote || !certificate) return arena_full(a, e);
    if (!firmware_log(m->tee, a, &out->firmware_log, e) || !tpm_quote(t, nonce, quote, e)) return false;
    out->bank_count = t->bank_count;
    for (size_t i = 0; i < t->bank_count; i++) {
        out->banks[i].alg = t->banks[i];
        if (!tpm_read(t, t->banks[i], 0, EVIDENCE_PCRS, out->banks[i].pcrs, e)) return false;
    }
    tpm_ek_certificate(t, certificate, EK_CERTIFICATE_MAX, &certificate_n);
    out->quote = view_of(quote->attest, quote->attest_n);
    out->signature = view_of(quote->signature, quote->signature_n);
    out->ak_public = view_of(quote->ak_public, quote->ak_public_n);
    out->ek_certificate = view_of(certificate, certificate_n);
    memcpy(out->ak_point, quote->ak_point, sizeof out->ak_point);
    out->pcr = m->mr_index;
    out->eventlog = writer_view(&m->log);
    return check_quote(out, nonce, e);
}

/* The register's value goes into report_data, so that the report speaks for it also where no hardware does. */
static bool cpu_part(const struct measurement *m, struct arena *a, struct evidence *ev, struct err *e) {
    const size_t size = REPORT_MAX + CERTIFICATES_MAX;
    struct writer preimage = writer_of(arena_alloc(a, EVIDENCE_PREIMAGE_MAX), EVIDENCE_PREIMAGE_MAX),
                  blob = writer_of(arena_alloc(a, size), size);
    uint8_t *report_data = arena_alloc(a, REPORT_DATA_SIZE);
    struct tee_report r;
    if (!preimage.p || !blob.p || !report_data) return arena_full(a, e);
    memcpy(ev->value, m->banks[0].value, sizeof ev->value);
    evidence_preimage(ev, &preimage);
    evidence_report_data(writer_view(&preimage), report_data);
    if (!firmware_log(m->tee, a, &ev->firmware_log, e) || !tee_report(m->tee, report_data, &blob, &r, e)) return false;
    if (m->tee->kind == TEE_TDX && !view_eq(r.read.rtmr3, view_of(ev->value, RTMR_SIZE)))
        return err_set(e, ERR_DIGEST, "the quote's RTMR3 is not what the event log says");
    ev->report = r.report;
    ev->certificates = r.certificates;
    ev->report_data = view_of(report_data, REPORT_DATA_SIZE);
    ev->preimage = writer_view(&preimage);
    ev->eventlog = writer_view(&m->log);
    return true;
}

bool attest_make(const struct measurement *m, const struct config *config, const struct verified_image *image,
                 struct view nonce, struct arena *a, struct view *evidence, struct err *e) {
    char name[2048], manifest[DIGEST_TEXT_SIZE], policy[DIGEST_TEXT_SIZE];
    uint8_t random[32];
    struct evidence_tpm tpm = {0};
    struct evidence ev = {.version = view_str(plinth_version), .tee = view_str(tee_name(m->tee->kind))};
    const struct measurement *beside = m->tee->kind == TEE_TPM ? m : m->also;
    struct writer out = writer_of(arena_alloc(a, EVIDENCE_MAX), EVIDENCE_MAX);
    if (!out.p) return arena_full(a, e);
    if (!nonce.n) {
        if (getrandom(random, sizeof random, 0) != sizeof random) return err_sys(e, "getrandom");
        nonce = view_of(random, sizeof random);
    }
    ev.nonce = nonce;
    ev.image = view_str(measure_image_name(config, name, sizeof name));
    ev.manifest = view_str(digest_text(&image->manifest_digest, manifest));
    ev.policy = view_str(digest_text(&config->policy.digest, policy));
    if (beside && !tpm_part(beside, nonce, a, &tpm, e)) return false;
    ev.tpm = beside ? &tpm : NULL;
    if (m->tee->kind != TEE_TPM && !cpu_part(m, a, &ev, e)) return false;
    evidence_write(&ev, &out);
    if (out.full) return err_set(e, ERR_SYSTEM, "the evidence is longer than %u bytes", EVIDENCE_MAX);
    *evidence = writer_view(&out);
    return true;
}

static bool trustee_of_tpm(struct tpm *t, struct view nonce, struct arena *a, struct writer *out, struct err *e) {
    struct tpm_quote *q = arena_alloc(a, sizeof *q);
    uint8_t pcrs[TPM2_PCRS][32];
    if (!q) return arena_full(a, e);
    if (!tpm_quote_rsa(t, AK_HANDLE, nonce, q, pcrs, e)) {
        err_mend(e, "Trustee wants a TPM to sign with an RSA key (RSASSA, SHA-256, 2048 bits): persist one at 0x%08x with tpm2_createak "
                    "and tpm2_evictcontrol, or ask a plinth serve", AK_HANDLE);
        return false;
    }
    trustee_tpm(view_of(q->signature, q->signature_n), view_of(q->attest, q->attest_n), pcrs, view_of(q->ak_public, q->ak_public_n), out);
    return true;
}

static bool trustee_of_cpu(const struct measurement *m, const uint8_t *report_data, struct arena *a, struct writer *out, struct err *e) {
    const size_t size = REPORT_MAX + CERTIFICATES_MAX;
    struct writer blob = writer_of(arena_alloc(a, size), size), ccel = writer_of(arena_alloc(a, FIRMWARE_LOG_MAX), FIRMWARE_LOG_MAX),
                  log = writer_of(arena_alloc(a, LOGS_MAX), LOGS_MAX);
    struct tee_report r;
    if (!blob.p || !ccel.p || !log.p) return arena_full(a, e);
    if (!tee_report(m->tee, report_data, &blob, &r, e)) return false;
    if (m->tee->kind == TEE_SNP) return trustee_snp(r.report, r.certificates, out, e);
    if (!view_eq(r.read.rtmr3, view_of(m->banks[0].value, RTMR_SIZE)))
        return err_set(e, ERR_DIGEST, "the quote's RTMR3 is not what the event log says");
    /* Without the firmware's log the replay would fail; without any, Trustee only warns. */
    if (tee_firmware_log(m->tee, &ccel, e)) trustee_eventlog(writer_view(&ccel), writer_view(&m->log), &log);
    trustee_tdx(writer_view(&log), r.report, out);
    return true;
}

bool attest_trustee(const struct measurement *m, const uint8_t report_data[static REPORT_DATA_SIZE], struct arena *a, struct view *evidence,
                    struct err *e) {
    struct writer w = writer_of(arena_alloc(a, TRUSTEE_MAX), TRUSTEE_MAX);
    if (!w.p) return arena_full(a, e);
    if (!(m->tee->kind == TEE_TPM ? trustee_of_tpm(&m->tee->tpm, view_of(report_data, 32), a, &w, e)
                                  : trustee_of_cpu(m, report_data, a, &w, e)))
        return false;
    if (w.full) return err_set(e, ERR_SYSTEM, "the evidence is longer than %u bytes", TRUSTEE_MAX);
    *evidence = writer_view(&w);
    return true;
}

/* A relying party that wants to know whether AK and EK live in one TPM. Whatever it sends wrongly is its own loss. */
static bool activate(int fd, const struct measurement *m, struct err *e) {
    uint8_t buffer[PORT_CREDENTIAL_MAX], value[TPM2_NONCE_MAX];
    struct view blob, secret;
    struct err why;
    size_t n = 0;
    const struct measurement *t = m->tee->kind == TEE_TPM ? m : m->also;
    if (!port_credential(fd, PORT_TIMEOUT_MS, buffer, &blob, &secret, &why) ||
        !(t ? tpm_activate(&t->tee->tpm, blob, secret, value, &n, &why)
            : err_set(&why, ERR_POLICY, "this machine has no TPM"))) {
        console_error("no credential activated", &why);
        n = 0;
    }
    return port_send(fd, "secret", view_of(value, n), e);
}

/* Evidence over the nonce of the host behind `fd` (-1: nobody), and to it. */
static bool make_and_send(int fd, const struct measurement *m, const struct config *config, const struct verified_image *image,
                          struct arena *a, struct attestation *out, struct err *e) {
    uint8_t nonce[TPM2_NONCE_MAX];
    size_t n = 0;
    bool wished = false;
    if (!m->tee) return true;
    if (fd >= 0 && !port_nonce(fd, PORT_TIMEOUT_MS, nonce, &n, &wished, e)) return false;
    out->host_nonce = n > 0;
    return attest_make(m, config, image, view_of(nonce, n), a, &out->evidence, e) &&
           (!n || port_send(fd, "evidence", out->evidence, e)) && (!wished || activate(fd, m, e));
}

bool attest_run(const struct measurement *m, const struct config *config, const struct verified_image *image,
                struct arena *a, struct attestation *out, struct err *e) {
    struct attestation made = {0};
    int fd = m->tee ? port_open(PORT_ATTEST, 0) : -1;
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
