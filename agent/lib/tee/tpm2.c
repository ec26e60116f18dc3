/* see tpm2.h */
#include "tee/tpm2.h"

#include "base/reader.h"

enum {
    ST_NO_SESSIONS = 0x8001,
    ST_SESSIONS = 0x8002,
    ST_ATTEST_QUOTE = 0x8018,
    CC_CREATE_PRIMARY = 0x131,
    CC_ACTIVATE_CREDENTIAL = 0x147,
    CC_NV_READ = 0x14E,
    CC_POLICY_SECRET = 0x151,
    CC_QUOTE = 0x158,
    CC_FLUSH_CONTEXT = 0x165,
    CC_NV_READ_PUBLIC = 0x169,
    CC_READ_PUBLIC = 0x173,
    CC_START_AUTH_SESSION = 0x176,
    CC_GET_CAPABILITY = 0x17A,
    CC_PCR_READ = 0x17E,
    CC_PCR_EXTEND = 0x182,
    CAP_PCRS = 5,
    ALG_RSA = 1,
    ALG_NULL = 0x10,
    ALG_RSASSA = 0x14,
    RC_YIELDED = 0x908,
    RC_TESTING = 0x90A,
    RC_RETRY = 0x922,
};
#define RH_NULL 0x40000007u
#define RH_PW 0x40000009u
#define RH_ENDORSEMENT 0x4000000Bu
#define GENERATED_VALUE 0xFF544347u
#define RC_BROKEN UINT32_MAX /* no response header */

/* TPMT_PUBLIC of the AK up to its point: TPM_ALG_ECC, nameAlg SHA-256, fixedTPM | fixedParent | sensitiveDataOrigin |
 * userWithAuth | noDA | restricted | sign, no policy, no symmetric, ECDSA with SHA-256, P-256, no KDF. */
static const uint8_t ak_template[] = {0x00, 0x23, 0x00, 0x0B, 0x00, 0x05, 0x04, 0x72, 0x00, 0x00, 0x00,
                                      0x10, 0x00, 0x18, 0x00, 0x0B, 0x00, 0x03, 0x00, 0x10};

/* TPMT_PUBLIC of an EK from its attributes to its kdf or exponent (TCG EK Credential Profile 2.5, B.3.3 and B.3.4,
 * templates L-1 and L-2): fixedTPM | fixedParent | sensitiveDataOrigin | adminWithPolicy | restricted | decrypt,
 * PolicySecret of the endorsement hierarchy, AES-128-CFB. */
static const uint8_t ek_template[] = {0x00, 0x0B, 0x00, 0x03, 0x00, 0xB2, 0x00, 0x20, 0x83, 0x71, 0x97, 0x67,
                                      0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24,
                                      0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B,
                                      0x33, 0x14, 0x69, 0xAA, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10};

static void begin(struct writer *out, uint16_t tag, uint32_t code) {
    write_be16(out, tag);
    write_be32(out, 0); /* size: see end */
    write_be32(out, code);
}

static void end(struct writer *out) {
    if (out->full) return;
    struct writer size = writer_of(out->p + 2, 4);
    write_be32(&size, (uint32_t)out->n);
}

/* A session (TPM_RS_PW: an empty password) | no nonce | no attributes | no HMAC. */
static void write_session(struct writer *out, uint32_t handle) {
    write_be32(out, handle);
    write_be32(out, 0);
    write_u8(out, 0);
}

static void write_empty_auth(struct writer *out) {
    write_be32(out, 9);
    write_session(out, RH_PW);
}

static void write_2b(struct writer *out, struct view bytes) {
    write_be16(out, (uint16_t)bytes.n);
    write_bytes(out, bytes);
}

static void write_selections(struct writer *out, const struct tpm2_selection *s, size_t count) {
    write_be32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        write_be16(out, tpm2_alg(s[i].bank));
        write_u8(out, TPM2_PCRS / 8);
        for (unsigned shift = 0; shift < TPM2_PCRS; shift += 8) write_u8(out, (uint8_t)(s[i].pcrs >> shift));
    }
}

void tpm2_get_pcr_banks(struct writer *out) {
    begin(out, ST_NO_SESSIONS, CC_GET_CAPABILITY);
    write_be32(out, CAP_PCRS);
    write_be32(out, 0);
    write_be32(out, 1);
    end(out);
}

void tpm2_pcr_extend(unsigned pcr, const struct register_bank *digests, size_t count, struct writer *out) {
    begin(out, ST_SESSIONS, CC_PCR_EXTEND);
    write_be32(out, pcr);
    write_empty_auth(out);
    write_be32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        write_be16(out, tpm2_alg(digests[i].alg));
        write_bytes(out, view_of(digests[i].value, hash_size(digests[i].alg)));
    }
    end(out);
}

void tpm2_pcr_read(const struct tpm2_selection *selection, struct writer *out) {
    begin(out, ST_NO_SESSIONS, CC_PCR_READ);
    write_selections(out, selection, 1);
    end(out);
}

/* TPM2_CreatePrimary in the endorsement hierarchy. */
static void create(struct view public, struct writer *out) {
    begin(out, ST_SESSIONS, CC_CREATE_PRIMARY);
    write_be32(out, RH_ENDORSEMENT);
    write_empty_auth(out);
    write_be16(out, 4); /* TPM2B_SENSITIVE_CREATE: no password, no data */
    write_be32(out, 0);
    write_2b(out, public);
    write_be16(out, 0); /* outsideInfo */
    write_be32(out, 0); /* creationPCR */
    end(out);
}

void tpm2_create_ak(struct writer *out) {
    uint8_t public[sizeof ak_template + 4] = {0}; /* x and y are the TPM's to choose */
    memcpy(public, ak_template, sizeof ak_template);
    create(view_of(public, sizeof public), out);
}

/* Behind the template: ECC curve P-256, no KDF, x and y of 32 zeros; RSA 2048 bits, the usual exponent, 256 zeros. */
void tpm2_create_ek(bool ecc, struct writer *out) {
    uint8_t public[512], zeros[256] = {0};
    struct writer w = writer_of(public, sizeof public);
    write_be16(&w, ecc ? 0x23 : 1);
    write_bytes(&w, view_of(ek_template, sizeof ek_template));
    write_be16(&w, ecc ? 3 : 2048);
    if (ecc) {
        write_be16(&w, ALG_NULL);
        write_2b(&w, view_of(zeros, 32));
    } else {
        write_be32(&w, 0);
    }
    write_2b(&w, view_of(zeros, ecc ? 32 : 256));
    create(writer_view(&w), out);
}

void tpm2_start_policy(struct writer *out) {
    static const uint8_t nonce[16];
    begin(out, ST_NO_SESSIONS, CC_START_AUTH_SESSION);
    write_be32(out, RH_NULL); /* no salt */
    write_be32(out, RH_NULL); /* not bound */
    write_2b(out, view_of(nonce, sizeof nonce));
    write_be16(out, 0);
    write_u8(out, 1); /* TPM_SE_POLICY */
    write_be16(out, ALG_NULL);
    write_be16(out, TPM2_ALG_SHA256);
    end(out);
}

void tpm2_policy_endorsement(uint32_t session, struct writer *out) {
    begin(out, ST_SESSIONS, CC_POLICY_SECRET);
    write_be32(out, RH_ENDORSEMENT);
    write_be32(out, session);
    write_empty_auth(out);
    write_be16(out, 0); /* nonceTPM */
    write_be16(out, 0); /* cpHashA */
    write_be16(out, 0); /* policyRef */
    write_be32(out, 0); /* expiration */
    end(out);
}

void tpm2_activate(uint32_t ak, uint32_t ek, uint32_t session, struct view blob, struct view secret,
                   struct writer *out) {
    begin(out, ST_SESSIONS, CC_ACTIVATE_CREDENTIAL);
    write_be32(out, ak);
    write_be32(out, ek);
    write_be32(out, 18);
    write_session(out, RH_PW);
    write_session(out, session);
    write_2b(out, blob);
    write_2b(out, secret);
    end(out);
}

void tpm2_nv_read_public(uint32_t index, struct writer *out) {
    begin(out, ST_NO_SESSIONS, CC_NV_READ_PUBLIC);
    write_be32(out, index);
    end(out);
}

void tpm2_nv_read(uint32_t index, uint16_t bytes, uint16_t offset, struct writer *out) {
    begin(out, ST_SESSIONS, CC_NV_READ);
    write_be32(out, index); /* read by its own, empty, authorisation */
    write_be32(out, index);
    write_empty_auth(out);
    write_be16(out, bytes);
    write_be16(out, offset);
    end(out);
}

void tpm2_quote(uint32_t ak_handle, struct view qualifying_data, const struct tpm2_selection *selections, size_t count,
                struct writer *out) {
    begin(out, ST_SESSIONS, CC_QUOTE);
    write_be32(out, ak_handle);
    write_empty_auth(out);
    write_2b(out, qualifying_data);
    write_be16(out, ALG_NULL); /* the key's own scheme */
    write_selections(out, selections, count);
    end(out);
}

void tpm2_read_public(uint32_t handle, struct writer *out) {
    begin(out, ST_NO_SESSIONS, CC_READ_PUBLIC);
    write_be32(out, handle);
    end(out);
}

void tpm2_flush(uint32_t handle, struct writer *out) {
    begin(out, ST_NO_SESSIONS, CC_FLUSH_CONTEXT);
    write_be32(out, handle);
    end(out);
}

/* Response codes: Part 2, 6.6.3. Bit 7 marks format one, whose number is in bits 0-5; the others count from 0x100 and 0x900. */
const char *tpm2_rc_name(uint32_t code) {
    static const struct {
        uint32_t code;
        const char *name;
    } names[] = {
        {0x01E, "TPM_RC_BAD_TAG"},       {0x100, "TPM_RC_INITIALIZE"},     {0x101, "TPM_RC_FAILURE"},
        {0x120, "TPM_RC_DISABLED"},      {0x143, "TPM_RC_COMMAND_CODE"},   {0x142, "TPM_RC_COMMAND_SIZE"},
        {0x082, "TPM_RC_ATTRIBUTES"},    {0x083, "TPM_RC_HASH"},           {0x084, "TPM_RC_VALUE"},
        {0x085, "TPM_RC_HIERARCHY"},     {0x08A, "TPM_RC_TYPE"},           {0x08B, "TPM_RC_HANDLE"},
        {0x08E, "TPM_RC_AUTH_FAIL"},     {0x092, "TPM_RC_SCHEME"},         {0x095, "TPM_RC_SIZE"},
        {0x09F, "TPM_RC_INTEGRITY"},     {0x0A2, "TPM_RC_BAD_AUTH"},       {0x0A6, "TPM_RC_CURVE"},
        {0x902, "TPM_RC_OBJECT_MEMORY"}, {0x903, "TPM_RC_SESSION_MEMORY"}, {0x907, "TPM_RC_LOCALITY"},
        {RC_YIELDED, "TPM_RC_YIELDED"},  {RC_TESTING, "TPM_RC_TESTING"},   {0x921, "TPM_RC_LOCKOUT"},
        {RC_RETRY, "TPM_RC_RETRY"},
    };
    uint32_t plain = code & 0x80 ? code & 0xBF : code;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == plain) return names[i].name;
    return "unknown";
}

/* Header: tag | size of all | code. */
static uint32_t response_code(struct reader *r, size_t n) {
    uint16_t tag = read_be16(r);
    uint32_t size = read_be32(r), code = read_be32(r);
    bool whole = !r->bad && size == n && (tag == ST_NO_SESSIONS || tag == ST_SESSIONS || code);
    return whole ? code : RC_BROKEN;
}

bool tpm2_again(struct view response) {
    struct reader r = reader_of(response);
    uint32_t code = response_code(&r, response.n);
    return code == RC_RETRY || code == RC_YIELDED || code == RC_TESTING;
}

static bool broken(const char *what, struct err *e) {
    return err_set(e, ERR_FORMAT, "%s: the TPM's answer is not what TPM 2.0 Part 3 says", what);
}

/* Leaves `r` at the parameters of a successful response. With sessions they are bounded by parameterSize, and what
 * follows them must be the answers to an empty password (no nonce, attributes, no HMAC) and then to policy sessions (a
 * nonce of the TPM's). */
static bool parse(const char *what, struct view response, unsigned sessions, uint32_t *handle, struct reader *r,
                  struct err *e) {
    *r = reader_of(response);
    uint32_t code = response_code(r, response.n);
    if (code == RC_BROKEN) return broken(what, e);
    if (code) return err_set(e, ERR_SYSTEM, "%s: the TPM says %s (0x%03x)", what, tpm2_rc_name(code), code);
    if ((response.p[1] == (ST_SESSIONS & 0xff)) != (sessions > 0)) return broken(what, e);
    if (handle) *handle = read_be32(r);
    if (sessions) {
        struct view parameters = read_bytes(r, read_be32(r));
        for (unsigned i = 0; i < sessions; i++) {
            uint16_t nonce = read_be16(r);
            if (i > 0) read_bytes(r, nonce);
            read_u8(r);
            if (read_be16(r) || (i == 0 && nonce)) return broken(what, e);
        }
        if (!reader_done(r)) return broken(what, e);
        *r = reader_of(parameters);
    }
    return !r->bad || broken(what, e);
}

/* A TPM2B: its bytes behind their number. */
static struct view read_2b(struct reader *r) { return read_bytes(r, read_be16(r)); }

/* One TPMS_PCR_SELECTION. */
static void read_selection(struct reader *r, uint16_t *alg, uint32_t *pcrs) {
    *alg = read_be16(r);
    struct view bits = read_bytes(r, read_u8(r));
    *pcrs = 0;
    for (size_t i = 0; i < bits.n; i++) {
        if (i < 4) *pcrs |= (uint32_t)bits.p[i] << 8 * i;
        else if (bits.p[i]) r->bad = true; /* no PC Client TPM has more than 32 PCRs */
    }
}

bool tpm2_parse_done(const char *what, struct view response, bool sessions, struct err *e) {
    struct reader r;
    return parse(what, response, sessions, NULL, &r, e) && (reader_done(&r) || broken(what, e));
}

bool tpm2_parse_banks(struct view response, struct tpm2_selection *out, size_t max, size_t *count, struct err *e) {
    struct reader r;
    if (!parse("TPM2_GetCapability", response, false, NULL, &r, e)) return false;
    read_u8(&r); /* moreData: never for TPM_CAP_PCRS */
    uint32_t capability = read_be32(&r), left = read_be32(&r);
    size_t n = 0;
    for (; left && !r.bad; left--) {
        uint16_t alg;
        struct tpm2_selection s;
        read_selection(&r, &alg, &s.pcrs);
        if (s.pcrs && n < max && tpm2_hash(alg, &s.bank)) out[n++] = s;
    }
    if (!reader_done(&r) || capability != CAP_PCRS) return broken("TPM2_GetCapability", e);
    *count = n;
    return true;
}

bool tpm2_parse_pcrs(struct view response, const struct tpm2_selection *want, uint8_t (*values)[HASH_MAX],
                     struct err *e) {
    struct reader r;
    if (!parse("TPM2_PCR_Read", response, false, NULL, &r, e)) return false;
    read_be32(&r); /* pcrUpdateCounter */
    uint32_t banks = read_be32(&r), pcrs;
    uint16_t alg;
    read_selection(&r, &alg, &pcrs);
    uint32_t n = read_be32(&r);
    if (r.bad || banks != 1 || alg != tpm2_alg(want->bank) || pcrs != want->pcrs || n > TPM2_READ_MAX ||
        n != (uint32_t)__builtin_popcount(pcrs))
        return broken("TPM2_PCR_Read", e);
    uint8_t read[TPM2_READ_MAX][HASH_MAX];
    for (size_t i = 0; i < n; i++) {
        struct view digest = read_2b(&r);
        if (digest.n != hash_size(want->bank)) return broken("TPM2_PCR_Read", e);
        memcpy(read[i], digest.p, digest.n);
    }
    if (!reader_done(&r)) return broken("TPM2_PCR_Read", e);
    memcpy(values, read, n * sizeof read[0]);
    return true;
}

bool tpm2_parse_created(struct view response, uint32_t *handle, struct view *public, struct err *e) {
    struct reader r;
    uint32_t made;
    if (!parse("TPM2_CreatePrimary", response, 1, &made, &r, e)) return false;
    struct view area = read_2b(&r);
    read_2b(&r);        /* creationData */
    read_2b(&r);        /* creationHash */
    read_bytes(&r, 6);  /* creationTicket: tag, hierarchy, */
    read_2b(&r);        /* digest */
    read_2b(&r);        /* name */
    if (!reader_done(&r)) return broken("TPM2_CreatePrimary", e);
    *handle = made;
    *public = area;
    return true;
}

bool tpm2_parse_ak(struct view response, uint32_t *handle, struct view *public, uint8_t point[static 65],
                   struct err *e) {
    uint32_t made;
    struct view area;
    if (!tpm2_parse_created(response, &made, &area, e)) return false;
    struct reader key = reader_of(area);
    struct view head = read_bytes(&key, sizeof ak_template), x = read_2b(&key), y = read_2b(&key);
    if (!reader_done(&key) || !view_eq(head, view_of(ak_template, sizeof ak_template)) || !x.n || x.n > 32 || !y.n ||
        y.n > 32)
        return broken("TPM2_CreatePrimary", e);
    memset(point, 0, 65);
    point[0] = 4;
    memcpy(point + 33 - x.n, x.p, x.n); /* some TPMs strip leading zeros */
    memcpy(point + 65 - y.n, y.p, y.n);
    *handle = made;
    *public = area;
    return true;
}

bool tpm2_parse_session(struct view response, uint32_t *handle, struct err *e) {
    struct reader r;
    uint32_t made;
    if (!parse("TPM2_StartAuthSession", response, 0, &made, &r, e)) return false;
    read_2b(&r); /* nonceTPM */
    if (!reader_done(&r)) return broken("TPM2_StartAuthSession", e);
    *handle = made;
    return true;
}

bool tpm2_parse_policy_secret(struct view response, struct err *e) {
    struct reader r;
    if (!parse("TPM2_PolicySecret", response, 1, NULL, &r, e)) return false;
    read_2b(&r);       /* timeout */
    read_bytes(&r, 6); /* ticket: tag, hierarchy, */
    read_2b(&r);       /* digest */
    return reader_done(&r) || broken("TPM2_PolicySecret", e);
}

/* One TPM2B behind `sessions`. */
static bool parse_2b(const char *what, struct view response, unsigned sessions, struct view *out, struct err *e) {
    struct reader r;
    if (!parse(what, response, sessions, NULL, &r, e)) return false;
    struct view bytes = read_2b(&r);
    if (!reader_done(&r) || !bytes.n) return broken(what, e);
    *out = bytes;
    return true;
}

bool tpm2_parse_activated(struct view response, struct view *secret, struct err *e) {
    return parse_2b("TPM2_ActivateCredential", response, 2, secret, e);
}

bool tpm2_parse_nv_public(struct view response, uint16_t *size, struct err *e) {
    struct reader r;
    if (!parse("TPM2_NV_ReadPublic", response, 0, NULL, &r, e)) return false;
    struct reader public = reader_of(read_2b(&r));
    read_2b(&r);                 /* name */
    read_bytes(&public, 4 + 2 + 4); /* index, nameAlg, attributes */
    read_2b(&public);            /* policy */
    uint16_t n = read_be16(&public);
    if (!reader_done(&r) || !reader_done(&public)) return broken("TPM2_NV_ReadPublic", e);
    *size = n;
    return true;
}

bool tpm2_parse_nv(struct view response, struct view *bytes, struct err *e) {
    return parse_2b("TPM2_NV_Read", response, 1, bytes, e);
}

bool tpm2_parse_rsa(struct view response, struct view *modulus, struct err *e) {
    struct reader r;
    if (!parse("TPM2_ReadPublic", response, 0, NULL, &r, e)) return false;
    struct reader public = reader_of(read_2b(&r));
    read_2b(&r); /* name */
    read_2b(&r); /* qualifiedName */
    uint16_t type = read_be16(&public);
    read_bytes(&public, 2 + 4); /* nameAlg, attributes */
    read_2b(&public);           /* policy */
    uint16_t symmetric = read_be16(&public), scheme = symmetric == ALG_NULL ? read_be16(&public) : 0;
    if (r.bad || public.bad || r.rest.n) return broken("TPM2_ReadPublic", e);
    if (type != ALG_RSA || scheme != ALG_RSASSA || read_be16(&public) != TPM2_ALG_SHA256)
        return err_set(e, ERR_POLICY, "the key is of type 0x%x with scheme 0x%x, not RSA with RSASSA and SHA-256", type,
                       scheme);
    uint16_t bits = read_be16(&public);
    uint32_t exponent = read_be32(&public);
    struct view n = read_2b(&public);
    if (!reader_done(&public)) return broken("TPM2_ReadPublic", e);
    if (bits != 2048 || n.n != 256 || (exponent && exponent != 65537))
        return err_set(e, ERR_POLICY, "an RSA key of %u bits with exponent %u, not 2048 with 65537", bits,
                       (unsigned)exponent);
    *modulus = n;
    return true;
}

bool tpm2_parse_quote(struct view response, struct view *attest, struct view *signature, struct err *e) {
    struct reader r;
    if (!parse("TPM2_Quote", response, true, NULL, &r, e)) return false;
    struct view message = read_2b(&r);
    if (r.bad || !message.n || !r.rest.n) return broken("TPM2_Quote", e);
    *attest = message;
    *signature = r.rest;
    return true;
}

bool tpm2_attest_parse(struct view attest, struct tpm2_attest *out, struct err *e) {
    struct reader r = reader_of(attest);
    struct tpm2_attest a = {0};
    bool quote = read_be32(&r) == GENERATED_VALUE && read_be16(&r) == ST_ATTEST_QUOTE;
    read_2b(&r); /* qualifiedSigner */
    a.nonce = read_2b(&r);
    read_bytes(&r, 8 + 4 + 4 + 1 + 8); /* clockInfo, firmwareVersion */
    uint32_t count = read_be32(&r);
    if (!quote || r.bad || count > BANKS_MAX) return broken("TPM2_Quote", e);
    for (; a.selection_count < count; a.selection_count++) {
        struct tpm2_selection *s = &a.selections[a.selection_count];
        uint16_t alg;
        read_selection(&r, &alg, &s->pcrs);
        if (r.bad || !tpm2_hash(alg, &s->bank)) return broken("TPM2_Quote", e);
    }
    a.pcr_digest = read_2b(&r);
    if (!reader_done(&r)) return broken("TPM2_Quote", e);
    *out = a;
    return true;
}
