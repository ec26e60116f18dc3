/* tpm2: command and response bytes of the few TPM 2.0 commands that Plinth uses (TPM 2.0 Library, Part 3), no I/O.
 *
 * Build a command into an empty writer, send it (sys/tpm), parse the response. All integers big-endian. Empty
 * authorisation everywhere (TPM_RS_PW with an empty password): the hierarchies of a fresh vTPM have none.
 *
 * The TPM is the host's to emulate, so responses are read like any hostile bytes: bounded, exact, nothing trailing. Every
 * parser sets ERR_SYSTEM with the response code's name when the TPM refused, ERR_FORMAT when the bytes are not what Part 3
 * says; views point into the response. */
#ifndef PLINTH_TEE_TPM2_H
#define PLINTH_TEE_TPM2_H

#include "base/err.h"
#include "base/view.h"
#include "base/writer.h"
#include "tee/event.h"

#define TPM2_COMMAND_MAX 4096u /* command and response: the kernel's TPM_BUFSIZE */
#define TPM2_NONCE_MAX 64u     /* qualifyingData: a TPMT_HA; TPMs without SHA-512 take 48 */
#define TPM2_PCRS 24u
#define TPM2_READ_MAX 8u /* digests in one PCR_Read response (TPML_DIGEST) */

/* A set of PCRs in one bank: bit i is PCR i. */
struct tpm2_selection {
    enum hash_alg bank;
    uint32_t pcrs;
};

void tpm2_get_pcr_banks(struct writer *out);
/* `digests[i].value` extends the bank digests[i].alg; all banks in one command, so all or none. */
void tpm2_pcr_extend(unsigned pcr, const struct register_bank *digests, size_t count, struct writer *out);
void tpm2_pcr_read(const struct tpm2_selection *selection, struct writer *out);
/* Restricted ECC P-256 signing key (ECDSA SHA-256, fixedTPM, fixedParent, sensitiveDataOrigin, noDA so that no lockout stops
 * a boot) as primary in the endorsement hierarchy: the AK; same key while the seed lives. */
void tpm2_create_ak(struct writer *out);
/* The endorsement key of the TCG's default templates, ECC P-256 or RSA 2048: the one its certificate is about. */
void tpm2_create_ek(bool ecc, struct writer *out);
/* Credential activation (Part 1, 24; Part 3, 12.5): a policy session, the EK's policy in it, and then the secret that
 * was encrypted to this EK for an object of this AK's name. `blob` is a TPMS_ID_OBJECT's bytes, `secret` an encrypted
 * secret's, both without their sizes. */
void tpm2_start_policy(struct writer *out);
void tpm2_policy_endorsement(uint32_t session, struct writer *out);
void tpm2_activate(uint32_t ak, uint32_t ek, uint32_t session, struct view blob, struct view secret,
                   struct writer *out);
#define TPM2_NV_EK_RSA 0x01C00002u /* EK certificates (TCG EK Credential Profile 2.5, 2.2.1.4) */
#define TPM2_NV_EK_ECC 0x01C0000Au
void tpm2_nv_read_public(uint32_t index, struct writer *out);
void tpm2_nv_read(uint32_t index, uint16_t bytes, uint16_t offset, struct writer *out);
void tpm2_quote(uint32_t ak_handle, struct view qualifying_data, const struct tpm2_selection *selections, size_t count,
                struct writer *out);
void tpm2_flush(uint32_t handle, struct writer *out);
void tpm2_read_public(uint32_t handle, struct writer *out);

/* True when the whole response says to send the command again: TPM_RC_RETRY, TPM_RC_YIELDED, TPM_RC_TESTING. */
bool tpm2_again(struct view response);
/* Name of a response code, "TPM_RC_VALUE"; parameter, handle and session numbers are ignored. "unknown" for rare ones. */
const char *tpm2_rc_name(uint32_t code);

/* A response without parameters: PCR_Extend (`sessions`), FlushContext. `what` names the command in the error. */
bool tpm2_parse_done(const char *what, struct view response, bool sessions, struct err *e);
/* Active banks among those that crypto/hash knows, with their PCRs; at most `max`, banks without PCRs left out. */
bool tpm2_parse_banks(struct view response, struct tpm2_selection *out, size_t max, size_t *count, struct err *e);
/* The values of the PCRs asked for, ascending; exactly the bits of `want` (at most TPM2_READ_MAX), else ERR_FORMAT. */
bool tpm2_parse_pcrs(struct view response, const struct tpm2_selection *want, uint8_t (*values)[HASH_MAX], struct err *e);
/* `public` is a TPMT_PUBLIC that has exactly the template of tpm2_create_ak; point is 04 || x || y. */
bool tpm2_parse_ak(struct view response, uint32_t *handle, struct view *public, uint8_t point[static 65], struct err *e);
/* Any primary: its handle and TPMT_PUBLIC. */
bool tpm2_parse_created(struct view response, uint32_t *handle, struct view *public, struct err *e);
bool tpm2_parse_session(struct view response, uint32_t *handle, struct err *e);
bool tpm2_parse_policy_secret(struct view response, struct err *e);
bool tpm2_parse_activated(struct view response, struct view *secret, struct err *e);
bool tpm2_parse_nv_public(struct view response, uint16_t *size, struct err *e);
bool tpm2_parse_nv(struct view response, struct view *bytes, struct err *e);
/* The modulus (256 bytes) of an RSA key with exponent 65537 whose own scheme is RSASSA with SHA-256; ERR_POLICY for any
 * other key. */
bool tpm2_parse_rsa(struct view response, struct view *modulus, struct err *e);
/* TPMS_ATTEST and TPMT_SIGNATURE. */
bool tpm2_parse_quote(struct view response, struct view *attest, struct view *signature, struct err *e);

/* A TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE (Part 2, 10.12): what the agent compares before it hands a quote on. */
struct tpm2_attest {
    struct view nonce; /* extraData */
    size_t selection_count;
    struct tpm2_selection selections[BANKS_MAX];
    struct view pcr_digest;
};
/* ERR_FORMAT: other magic or type, cut, trailing bytes, a bank that crypto/hash does not know, more than BANKS_MAX. */
bool tpm2_attest_parse(struct view attest, struct tpm2_attest *out, struct err *e);

#endif
