/* see tpm_quote.h */
#include "tools/appraise/tpm_quote.h"

#include "base/reader.h"
#include "format/pem.h"
#include "tools/appraise/fields.h"
#include "tools/appraise/key.h"

#include <openssl/evp.h>

#define GENERATED_VALUE 0xff544347u
#define ST_ATTEST_QUOTE 0x8018u

static struct view read_2b(struct reader *r) { return read_bytes(r, read_be16(r)); }

const char *tpm_bank_name(uint16_t alg, size_t *size) {
    enum hash_alg known;
    *size = 20;
    if (alg == TPM2_ALG_SHA1) return "sha1";
    if (!tpm2_hash(alg, &known)) return NULL;
    *size = hash_size(known);
    return hash_name(known);
}

bool tpm_quote_parse(struct view attest, struct tpm_quote *out, struct err *e) {
    struct reader in = reader_of(attest);
    struct tpm_quote q = {0};
    uint32_t magic = read_be32(&in), type = read_be16(&in);
    if (!in.bad && magic != GENERATED_VALUE)
        return err_set(e, ERR_FORMAT, "magic %08x, not TPM_GENERATED_VALUE: no TPM has made it", magic);
    if (!in.bad && type != ST_ATTEST_QUOTE)
        return err_set(e, ERR_FORMAT, "type %04x, not TPM_ST_ATTEST_QUOTE: it attests something else", type);
    q.qualified_signer = read_2b(&in);
    q.extra_data = read_2b(&in);
    q.clock = read_be64(&in);
    q.reset_count = read_be32(&in), q.restart_count = read_be32(&in);
    uint8_t safe = read_u8(&in);
    q.firmware_version = read_be64(&in);
    uint32_t count = read_be32(&in);
    if (in.bad) return err_set(e, ERR_FORMAT, "TPMS_ATTEST: cut at %zu bytes", attest.n);
    if (safe > 1) return err_set(e, ERR_FORMAT, "TPMS_ATTEST: clockInfo.safe is %u", safe);
    if (count > TPM_SELECTIONS_MAX)
        return err_set(e, ERR_FORMAT, "TPMS_ATTEST: %u banks, at most %u are read", count, TPM_SELECTIONS_MAX);
    q.safe = safe;
    for (; q.selection_count < count; q.selection_count++) {
        uint16_t alg = read_be16(&in);
        struct view bitmap = read_bytes(&in, read_u8(&in));
        uint32_t pcrs = 0;
        if (!fields_zero(view_skip(bitmap, TPM_PCRS / 8)))
            return err_set(e, ERR_FORMAT, "TPMS_ATTEST: a PCR above %u", TPM_PCRS - 1);
        for (size_t i = 0; i < bitmap.n && i < TPM_PCRS / 8; i++) pcrs |= (uint32_t)bitmap.p[i] << 8 * i;
        for (size_t i = 0; i < q.selection_count; i++)
            if (q.selections[i].alg == alg) return err_set(e, ERR_FORMAT, "TPMS_ATTEST: bank %04x is there twice", alg);
        q.selections[q.selection_count].alg = alg, q.selections[q.selection_count].pcrs = pcrs;
    }
    q.pcr_digest = read_2b(&in);
    if (in.bad) return err_set(e, ERR_FORMAT, "TPMS_ATTEST: cut at %zu bytes", attest.n);
    if (in.rest.n) return err_set(e, ERR_FORMAT, "TPMS_ATTEST: %zu bytes follow it", in.rest.n);
    *out = q;
    return true;
}

bool tpm_signature_parse(struct view bytes, struct tpm_signature *out, struct err *e) {
    struct reader in = reader_of(bytes);
    struct tpm_signature s = {.scheme = read_be16(&in)};
    uint16_t alg = read_be16(&in);
    if (!in.bad && s.scheme != TPM_ALG_RSASSA && s.scheme != TPM_ALG_RSAPSS && s.scheme != TPM_ALG_ECDSA)
        return err_set(e, ERR_FORMAT, "TPMT_SIGNATURE: scheme %04x is none of RSASSA, RSAPSS, ECDSA", s.scheme);
    if (!in.bad && !tpm2_hash(alg, &s.hash))
        return err_set(e, ERR_FORMAT, "TPMT_SIGNATURE: hash %04x is none of SHA-256, SHA-384, SHA-512", alg);
    if (s.scheme == TPM_ALG_ECDSA)
        s.r = read_2b(&in), s.s = read_2b(&in);
    else
        s.rsa = read_2b(&in);
    if (!reader_done(&in))
        return err_set(e, ERR_FORMAT, "TPMT_SIGNATURE: cut, or bytes follow it (%zu bytes)", bytes.n);
    *out = s;
    return true;
}

bool tpm_signature_holds(const struct tpm_signature *s, EVP_PKEY *key, struct view message) {
    uint8_t r_s[132] = {0};
    size_t half = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
    if (s->scheme != TPM_ALG_ECDSA) return key_rsa_holds(key, s->scheme == TPM_ALG_RSAPSS, s->hash, message, s->rsa);
    if (half > sizeof r_s / 2 || s->r.n > half || s->s.n > half) return false;
    memcpy(r_s + half - s->r.n, s->r.p, s->r.n);
    memcpy(r_s + 2 * half - s->s.n, s->s.p, s->s.n);
    return key_ecdsa_holds(key, s->hash, message, view_of(r_s, 2 * half));
}

static EVP_PKEY *ecc_key(struct reader *in) {
    uint16_t curve = read_be16(in), kdf = read_be16(in);
    struct view x = read_2b(in), y = read_2b(in);
    uint8_t point[97] = {4};
    size_t half = curve == 3 ? 32 : curve == 4 ? 48 : 0;
    if (in->bad || kdf != TPM_ALG_NULL || !half || x.n > half || y.n > half) return NULL;
    memcpy(point + 1 + half - x.n, x.p, x.n);
    memcpy(point + 1 + 2 * half - y.n, y.p, y.n);
    return key_of_point(view_of(point, 1 + 2 * half));
}

static EVP_PKEY *rsa_key(struct reader *in) {
    uint16_t bits = read_be16(in);
    uint32_t exponent = read_be32(in);
    struct view n = read_2b(in);
    return in->bad || n.n * 8 != bits ? NULL : key_of_modulus(n, exponent ? exponent : 65537);
}

static bool public_parse(struct view bytes, struct tpm_key *out) {
    struct reader in = reader_of(bytes);
    struct tpm_key k = {.public_area = bytes};
    uint16_t type = read_be16(&in);
    k.name_alg = read_be16(&in);
    k.attributes = read_be32(&in);
    read_2b(&in);                                     /* authPolicy */
    if (read_be16(&in) != TPM_ALG_NULL) return false; /* symmetric: a storage key */
    k.scheme = read_be16(&in);
    if (k.scheme != TPM_ALG_NULL) k.scheme_hash = read_be16(&in);
    k.key = type == TPM_ALG_ECC ? ecc_key(&in) : type == TPM_ALG_RSA ? rsa_key(&in) : NULL;
    if (k.key && reader_done(&in)) {
        *out = k;
        return true;
    }
    EVP_PKEY_free(k.key);
    return false;
}

bool tpm_key_parse(struct view bytes, struct arena *a, struct tpm_key *out, struct err *e) {
    struct view label, der = bytes, text = bytes;
    struct tpm_key k = {.scheme = TPM_ALG_NULL};
    bool sized = bytes.n > 2 && (size_t)(bytes.p[0] << 8 | bytes.p[1]) == bytes.n - 2;
    if (view_starts(view_trim(bytes), VIEW("-----BEGIN"))) {
        if (!pem_next(&text, a, &label, &der, e)) return false;
        if (!view_is(label, "PUBLIC KEY")) return err_set(e, ERR_FORMAT, "a PEM block that is no PUBLIC KEY");
    }
    if (!public_parse(view_skip(bytes, sized ? 2 : 0), &k)) k.key = key_of_spki(der);
    bool weak =
        k.key && EVP_PKEY_is_a(k.key, "RSA") && (EVP_PKEY_get_bits(k.key) < 2048 || EVP_PKEY_get_bits(k.key) > 8192);
    if (k.key && !weak) {
        *out = k;
        return true;
    }
    EVP_PKEY_free(k.key);
    return err_set(e, ERR_FORMAT,
                   weak ? "an RSA key of another size than 2048 to 8192 bits"
                        : "it is no TPMT_PUBLIC of a signing key, and no public key");
}
