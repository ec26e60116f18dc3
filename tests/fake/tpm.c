/* see tpm.h */
#include "tests/fake/tpm.h"

#include <errno.h>

struct fake_tpm fake_tpm;

void fake_tpm_reset(void) {
    fake_tpm = (struct fake_tpm){.sha256 = true, .sha384 = true, .extends_left = -1};
    for (size_t i = 0; i < TPM2_PCRS; i++) {
        fake_tpm.pcrs[0][i].alg = HASH_SHA256;
        fake_tpm.pcrs[1][i].alg = HASH_SHA384;
    }
}

bool tpm_open_fd(int fd, struct tpm *out, struct err *e) {
    struct tpm t = {.fd = fd};
    if (fake_tpm.sha256) t.banks[t.bank_count++] = HASH_SHA256;
    if (fake_tpm.sha384) t.banks[t.bank_count++] = HASH_SHA384;
    if (fake_tpm.absent) return errno = ENOENT, err_sys(e, "no TPM");
    if (!t.bank_count) return err_set(e, ERR_SYSTEM, "the TPM has neither a sha256 nor a sha384 bank");
    *out = t;
    return true;
}

bool tpm_open(int timeout_ms, struct tpm *out, struct err *e) {
    (void)timeout_ms;
    return tpm_open_fd(1000, out, e);
}

void tpm_close(struct tpm *t) { t->fd = -1; }

static struct register_bank *pcr_of(enum hash_alg bank, unsigned pcr) { return &fake_tpm.pcrs[bank == HASH_SHA384][pcr]; }

bool tpm_extend(struct tpm *t, unsigned pcr, struct view event, struct err *e) {
    if (fake_tpm.extends_left == 0) return err_set(e, ERR_SYSTEM, "TPM2_PCR_Extend: the TPM says TPM_RC_FAILURE (0x101)");
    if (fake_tpm.extends_left > 0) fake_tpm.extends_left--;
    fake_tpm.extends++;
    for (size_t i = 0; i < t->bank_count && !fake_tpm.lost_extend; i++) {
        uint8_t digest[HASH_MAX];
        hash_once(t->banks[i], event, digest);
        register_extend(pcr_of(t->banks[i], pcr), digest);
    }
    return true;
}

bool tpm_read(struct tpm *t, enum hash_alg bank, unsigned first, size_t count, uint8_t (*values)[HASH_MAX],
              struct err *e) {
    (void)t, (void)e;
    for (size_t i = 0; i < count; i++) memcpy(values[i], pcr_of(bank, first + (unsigned)i)->value, HASH_MAX);
    return true;
}

bool tpm_quote_rsa(struct tpm *t, uint32_t handle, struct view nonce, struct tpm_quote *out, uint8_t pcrs[static TPM2_PCRS][32],
                   struct err *e) {
    (void)t, (void)nonce, (void)out, (void)pcrs;
    return err_set(e, ERR_SYSTEM, "key 0x%08x: TPM2_ReadPublic: the TPM says TPM_RC_HANDLE (0x18b)", handle);
}

/* A TPMS_ATTEST with a true pcrDigest; the signature is none. */
bool tpm_quote(struct tpm *t, struct view nonce, struct tpm_quote *out, struct err *e) {
    struct tpm_quote q = {.signature_n = 8, .ak_public_n = 88, .ak_point = {4, 1, 2, 3}};
    struct writer w = writer_of(q.attest, sizeof q.attest);
    uint8_t digest[32], zeros[25] = {0};
    struct hash h;
    (void)e;
    hash_init(&h, HASH_SHA256);
    write_be32(&w, 0xff544347);
    write_be16(&w, 0x8018);
    write_be16(&w, 0);
    write_be16(&w, (uint16_t)nonce.n);
    write_bytes(&w, nonce);
    if (fake_tpm.other_nonce) q.attest[w.n - 1] ^= 1;
    write_bytes(&w, view_of(zeros, 25));
    write_be32(&w, (uint32_t)t->bank_count);
    for (size_t i = 0; i < t->bank_count; i++) {
        write_be16(&w, tpm2_alg(t->banks[i]));
        write_u8(&w, 3);
        write_bytes(&w, view_of("\xff\xff", 3));
        for (unsigned pcr = 0; pcr < 16; pcr++)
            hash_update(&h, view_of(pcr_of(t->banks[i], pcr)->value, hash_size(t->banks[i])));
    }
    hash_final(&h, digest);
    if (fake_tpm.other_pcrs) digest[0] ^= 1;
    write_be16(&w, 32);
    write_bytes(&w, view_of(digest, 32));
    q.attest_n = w.n;
    *out = q;
    return true;
}

bool tpm_firmware_log(uint8_t *out, size_t size, size_t *n, struct err *e) {
    if (fake_tpm.firmware_log.n >= size) return err_set(e, ERR_SYSTEM, "too long");
    memcpy(out, fake_tpm.firmware_log.p ? fake_tpm.firmware_log.p : (const uint8_t *)"", fake_tpm.firmware_log.n);
    *n = fake_tpm.firmware_log.n;
    return true;
}

void tpm_ek_certificate(struct tpm *t, uint8_t *out, size_t size, size_t *n) {
    (void)t;
    *n = fake_tpm.ek_certificate.n <= size ? fake_tpm.ek_certificate.n : 0;
    if (*n) memcpy(out, fake_tpm.ek_certificate.p, *n);
}

/* Opens what says so. */
bool tpm_activate(struct tpm *t, struct view blob, struct view secret, uint8_t out[static TPM2_NONCE_MAX], size_t *n, struct err *e) {
    (void)t;
    if (!view_is(blob, "blob")) return err_set(e, ERR_SYSTEM, "TPM2_ActivateCredential: the TPM says TPM_RC_INTEGRITY (0x1df)");
    memcpy(out, secret.p, secret.n);
    *n = secret.n;
    return true;
}
