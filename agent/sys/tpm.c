/* see tpm.h */
#include "sys/tpm.h"

#include "base/reader.h"
#include "sys/deadline.h"
#include <fcntl.h>
#include <unistd.h>

#define DEVICE "/dev/tpmrm0"
#define FIRMWARE_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define COMMAND_MS 30000

struct exchange {
    uint8_t command[TPM2_COMMAND_MAX], response[TPM2_COMMAND_MAX];
    struct writer out;
};

static struct writer *command(struct exchange *x) {
    x->out = writer_of(x->command, sizeof x->command);
    return &x->out;
}

/* Reads until the response is as long as its header says; the device gives it in one piece, a socket may not. */
static bool receive(int fd, struct exchange *x, int64_t deadline, struct view *response, struct err *e) {
    size_t n = 0, size = 10;
    while (n < size) {
        if (!deadline_poll(fd, POLLIN, deadline)) return err_sys(e, "no answer from the TPM in %d s", COMMAND_MS / 1000);
        ssize_t got = read(fd, x->response + n, sizeof x->response - n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return err_sys(e, "the TPM could not be read");
        if (got == 0) return err_set(e, ERR_SYSTEM, "the TPM closed after %zu bytes of its answer", n);
        n += (size_t)got;
        if (n < 10) continue;
        struct reader r = reader_of(view_of(x->response + 2, 4));
        size = read_be32(&r);
        if (size < 10 || size > sizeof x->response || n > size)
            return err_set(e, ERR_FORMAT, "the TPM's answer of %zu bytes says it has %zu", n, size);
    }
    *response = view_of(x->response, n);
    return true;
}

/* Sends what command() was filled with; again while the TPM asks for it. */
static bool transmit(struct tpm *t, struct exchange *x, struct view *response, struct err *e) {
    int64_t deadline = deadline_in(COMMAND_MS);
    if (x->out.full) return err_set(e, ERR_FORMAT, "a TPM command is longer than %u bytes", TPM2_COMMAND_MAX);
    for (int pause_ms = 5;; pause_ms = pause_ms < 200 ? 2 * pause_ms : pause_ms) {
        ssize_t sent = write(t->fd, x->command, x->out.n);
        if (sent < 0 && errno == EINTR) continue;
        if (sent != (ssize_t)x->out.n) return err_sys(e, "the TPM took no command");
        if (!receive(t->fd, x, deadline, response, e)) return false;
        if (!tpm2_again(*response) || !deadline_pause(deadline, pause_ms)) return true;
    }
}

static bool mend_absent(struct err *e) {
    return err_mend(e, "give the machine a vTPM (QEMU: -tpmdev emulator with swtpm) with an active sha256 bank");
}

static bool bank_active(const struct tpm2_selection *banks, size_t count, enum hash_alg alg) {
    const uint32_t quoted = (1u << TPM_QUOTED_PCRS) - 1;
    for (size_t i = 0; i < count; i++)
        if (banks[i].bank == alg && (banks[i].pcrs & quoted) == quoted) return true;
    return false;
}

bool tpm_open_fd(int fd, struct tpm *out, struct err *e) {
    struct exchange x;
    struct view response;
    struct tpm t = {.fd = fd};
    struct tpm2_selection banks[BANKS_MAX];
    size_t count;
    tpm2_get_pcr_banks(command(&x));
    if (!transmit(&t, &x, &response, e) || !tpm2_parse_banks(response, banks, BANKS_MAX, &count, e)) return false;
    for (enum hash_alg alg = HASH_SHA256; alg <= HASH_SHA384; alg++)
        if (bank_active(banks, count, alg)) t.banks[t.bank_count++] = alg;
    if (!t.bank_count) {
        err_set(e, ERR_SYSTEM, "the TPM has neither a sha256 nor a sha384 bank of PCRs 0-15");
        return mend_absent(e);
    }
    *out = t;
    return true;
}

bool tpm_open(int timeout_ms, struct tpm *out, struct err *e) {
    int64_t deadline = deadline_in(timeout_ms);
    int fd;
    /* O_NONBLOCK: write returns at once and poll waits for the answer (Linux 5.0) */
    while ((fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK)) < 0)
        if ((errno != ENOENT && errno != ENXIO && errno != ENODEV) || !deadline_pause(deadline, 10)) {
            err_sys(e, "no TPM: %s", DEVICE);
            return mend_absent(e);
        }
    if (tpm_open_fd(fd, out, e)) return true;
    close(fd);
    return false;
}

void tpm_close(struct tpm *t) {
    if (t->fd >= 0) close(t->fd);
    t->fd = -1;
}

bool tpm_extend(struct tpm *t, unsigned pcr, struct view event, struct err *e) {
    struct exchange x;
    struct view response;
    struct register_bank digests[BANKS_MAX];
    for (size_t i = 0; i < t->bank_count; i++) {
        digests[i].alg = t->banks[i];
        hash_once(t->banks[i], event, digests[i].value);
    }
    tpm2_pcr_extend(pcr, digests, t->bank_count, command(&x));
    return (transmit(t, &x, &response, e) && tpm2_parse_done("TPM2_PCR_Extend", response, true, e)) ||
           err_in(e, "PCR %u", pcr);
}

bool tpm_read(struct tpm *t, enum hash_alg bank, unsigned first, size_t count, uint8_t (*values)[HASH_MAX],
              struct err *e) {
    struct exchange x;
    struct view response;
    for (size_t done = 0; done < count;) {
        size_t n = count - done < TPM2_READ_MAX ? count - done : TPM2_READ_MAX;
        struct tpm2_selection want = {bank, ((1u << n) - 1) << (first + done)};
        tpm2_pcr_read(&want, command(&x));
        if (!transmit(t, &x, &response, e) || !tpm2_parse_pcrs(response, &want, values + done, e))
            return err_in(e, "PCR %zu of the %s bank", first + done, hash_name(bank));
        done += n;
    }
    return true;
}

static bool keep(struct view v, uint8_t *out, size_t size, size_t *n, struct err *e) {
    if (v.n > size) return err_set(e, ERR_FORMAT, "TPM: a part of %zu bytes, at most %zu expected", v.n, size);
    memcpy(out, v.p, v.n);
    *n = v.n;
    return true;
}

static bool quote_with(struct tpm *t, struct exchange *x, uint32_t ak, struct view nonce,
                       const struct tpm2_selection *selections, size_t count, struct tpm_quote *out, struct err *e) {
    struct view response, attest, signature;
    tpm2_quote(ak, nonce, selections, count, command(x));
    return transmit(t, x, &response, e) && tpm2_parse_quote(response, &attest, &signature, e) &&
           keep(attest, out->attest, sizeof out->attest, &out->attest_n, e) &&
           keep(signature, out->signature, sizeof out->signature, &out->signature_n, e);
}

/* The resource manager flushes on close too; a failure here costs the TPM a slot and the caller nothing. */
static void flush(struct tpm *t, struct exchange *x, uint32_t handle) {
    struct view response;
    struct err ignored;
    tpm2_flush(handle, command(x));
    (void)transmit(t, x, &response, &ignored);
}

bool tpm_quote(struct tpm *t, struct view nonce, struct tpm_quote *out, struct err *e) {
    struct exchange x;
    struct view response, public;
    struct tpm_quote q;
    struct tpm2_selection selections[BANKS_MAX];
    uint32_t ak;
    for (size_t i = 0; i < t->bank_count; i++)
        selections[i] = (struct tpm2_selection){t->banks[i], (1u << TPM_QUOTED_PCRS) - 1};
    if (nonce.n > TPM2_NONCE_MAX)
        return err_set(e, ERR_USAGE, "a nonce of %zu bytes, at most %u fit a quote", nonce.n, TPM2_NONCE_MAX);
    tpm2_create_ak(command(&x));
    if (!transmit(t, &x, &response, e) || !tpm2_parse_ak(response, &ak, &public, q.ak_point, e)) return false;
    bool ok = keep(public, q.ak_public, sizeof q.ak_public, &q.ak_public_n, e) &&
              quote_with(t, &x, ak, nonce, selections, t->bank_count, &q, e);
    flush(t, &x, ak);
    if (ok) *out = q;
    return ok;
}

bool tpm_quote_rsa(struct tpm *t, uint32_t handle, struct view nonce, struct tpm_quote *out,
                   uint8_t pcrs[static TPM2_PCRS][32], struct err *e) {
    struct exchange x;
    struct view response, modulus;
    struct tpm_quote q;
    struct tpm2_attest a;
    uint8_t values[TPM2_PCRS][HASH_MAX], digest[32];
    const struct tpm2_selection all = {HASH_SHA256, (1u << TPM2_PCRS) - 1};
    struct writer spki = writer_of(q.ak_public, sizeof q.ak_public);
    /* SubjectPublicKeyInfo of RSA (RFC 3279 section 2.3.1) around a modulus of 2048 bits and 65537 */
    static const uint8_t head[] = {0x30, 0x82, 0x01, 0x22, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48,
                                   0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01,
                                   0x0F, 0x00, 0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00};
    struct hash h;
    tpm2_read_public(handle, command(&x));
    if (!transmit(t, &x, &response, e) || !tpm2_parse_rsa(response, &modulus, e))
        return err_in(e, "key 0x%08x", (unsigned)handle);
    write_bytes(&spki, view_of(head, sizeof head));
    write_bytes(&spki, modulus);
    write_bytes(&spki, VIEW("\x02\x03\x01\x00\x01"));
    q.ak_public_n = spki.n;
    if (!quote_with(t, &x, handle, nonce, &all, 1, &q, e) || !tpm_read(t, HASH_SHA256, 0, TPM2_PCRS, values, e))
        return false;
    hash_init(&h, HASH_SHA256);
    for (size_t i = 0; i < TPM2_PCRS; i++) hash_update(&h, view_of(values[i], 32));
    hash_final(&h, digest);
    if (!tpm2_attest_parse(view_of(q.attest, q.attest_n), &a, e)) return false;
    if (!view_eq(a.nonce, nonce) || !view_eq(a.pcr_digest, view_of(digest, sizeof digest)))
        return err_set(e, ERR_DIGEST,
                       "the TPM's quote is over another nonce, or other PCR values than it gives to read");
    for (size_t i = 0; i < TPM2_PCRS; i++) memcpy(pcrs[i], values[i], 32);
    *out = q;
    return true;
}

static bool nv_read(struct tpm *t, uint32_t index, uint8_t *out, size_t size, size_t *n, struct err *e) {
    struct exchange x;
    struct view response, bytes;
    uint16_t whole;
    tpm2_nv_read_public(index, command(&x));
    if (!transmit(t, &x, &response, e) || !tpm2_parse_nv_public(response, &whole, e)) return false;
    if (whole > size) return err_set(e, ERR_FORMAT, "NV index 0x%08x has %u bytes", (unsigned)index, whole);
    for (size_t at = 0; at < whole; at += bytes.n) {
        size_t piece = whole - at < 512 ? whole - at : 512; /* TPM_PT_NV_BUFFER_MAX is at least that */
        tpm2_nv_read(index, (uint16_t)piece, (uint16_t)at, command(&x));
        if (!transmit(t, &x, &response, e) || !tpm2_parse_nv(response, &bytes, e)) return false;
        if (bytes.n > piece) return err_set(e, ERR_FORMAT, "TPM2_NV_Read: more bytes than asked for");
        memcpy(out + at, bytes.p, bytes.n);
    }
    *n = whole;
    return true;
}

void tpm_ek_certificate(struct tpm *t, uint8_t *out, size_t size, size_t *n) {
    struct err ignored;
    if (!nv_read(t, TPM2_NV_EK_ECC, out, size, n, &ignored) && !nv_read(t, TPM2_NV_EK_RSA, out, size, n, &ignored))
        *n = 0;
}

static bool activate_with(struct tpm *t, struct exchange *x, const uint32_t keys[2], struct view blob,
                          struct view secret, struct view *out, struct err *e) {
    struct view response;
    uint32_t session;
    tpm2_start_policy(command(x));
    if (!transmit(t, x, &response, e) || !tpm2_parse_session(response, &session, e)) return false;
    tpm2_policy_endorsement(session, command(x));
    bool ok = transmit(t, x, &response, e) && tpm2_parse_policy_secret(response, e);
    if (ok) {
        tpm2_activate(keys[0], keys[1], session, blob, secret, command(x));
        if (transmit(t, x, &response, e) && tpm2_parse_activated(response, out, e))
            return true; /* the session went with it */
    }
    flush(t, x, session);
    return false;
}

bool tpm_activate(struct tpm *t, struct view blob, struct view secret, uint8_t out[static TPM2_NONCE_MAX], size_t *n,
                  struct err *e) {
    struct exchange x;
    struct view response, public, value;
    uint8_t point[65];
    uint32_t keys[2];
    tpm2_create_ak(command(&x));
    if (!transmit(t, &x, &response, e) || !tpm2_parse_ak(response, &keys[0], &public, point, e)) return false;
    tpm2_create_ek(secret.n != 256, command(&x));
    bool ok = transmit(t, &x, &response, e) && tpm2_parse_created(response, &keys[1], &public, e);
    if (ok) {
        ok = activate_with(t, &x, keys, blob, secret, &value, e) && keep(value, out, TPM2_NONCE_MAX, n, e);
        flush(t, &x, keys[1]);
    }
    flush(t, &x, keys[0]);
    return ok;
}

bool tpm_firmware_log(uint8_t *out, size_t size, size_t *n, struct err *e) {
    size_t at = 0;
    ssize_t got;
    int fd = open(FIRMWARE_LOG, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return *n = 0, true;
    if (fd < 0) return err_sys(e, "%s", FIRMWARE_LOG);
    while (at < size && (got = read(fd, out + at, size - at)) > 0) at += (size_t)got;
    if (at == size) got = -1, errno = EFBIG;
    if (got < 0) err_sys(e, "%s", FIRMWARE_LOG);
    else *n = at;
    close(fd);
    return got == 0;
}
