/* see evidence.h */
#include "tee/evidence.h"

void evidence_spki(const uint8_t point[static 65], uint8_t out[static EVIDENCE_SPKI_SIZE]) {
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes } */
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
                                   0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, point, 65);
}

void evidence_pem(const uint8_t point[static 65], struct writer *out) {
    uint8_t der[EVIDENCE_SPKI_SIZE];
    evidence_spki(point, der);
    write_text(out, "-----BEGIN PUBLIC KEY-----\n");
    for (struct view rest = view_of(der, sizeof der); rest.n; rest = view_skip(rest, 48)) {
        write_base64(out, view_first(rest, 48)); /* 64 columns */
        write_text(out, "\n");
    }
    write_text(out, "-----END PUBLIC KEY-----\n");
}

enum form { TEXT, HEX, BASE64 };

static void member(struct writer *out, const char *name, enum form form, struct view value) {
    write_member(out, name);
    if (form == TEXT) {
        write_json_string(out, value);
        return;
    }
    write_u8(out, '"');
    (form == HEX ? write_hex : write_base64)(out, value);
    write_u8(out, '"');
}

static void write_pcrs(const struct evidence_bank *bank, struct writer *out) {
    write_json_string(out, view_str(hash_name(bank->alg)));
    write_text(out, ":{");
    for (unsigned pcr = 0; pcr < EVIDENCE_PCRS; pcr++) {
        char name[3] = {(char)('0' + pcr / 10), (char)('0' + pcr % 10), 0};
        member(out, pcr < 10 ? name + 1 : name, HEX, view_of(bank->pcrs[pcr], hash_size(bank->alg)));
    }
    write_u8(out, '}');
}

static void write_tpm(const struct evidence_tpm *t, struct writer *out) {
    uint8_t pem[256];
    struct writer key = writer_of(pem, sizeof pem);
    evidence_pem(t->ak_point, &key);
    member(out, "quote", BASE64, t->quote);
    member(out, "signature", BASE64, t->signature);
    member(out, "ak_public", BASE64, t->ak_public);
    member(out, "ak_public_pem", TEXT, writer_view(&key));
    member(out, "ek_certificate", BASE64, t->ek_certificate);
    write_text(out, ",\"pcrs\":{");
    for (size_t i = 0; i < t->bank_count; i++) {
        if (i) write_u8(out, ',');
        write_pcrs(&t->banks[i], out);
    }
    write_text(out, "},\"register\":{\"pcr\":");
    write_dec(out, t->pcr);
    for (size_t i = 0; i < t->bank_count; i++) {
        enum hash_alg alg = t->banks[i].alg;
        member(out, hash_name(alg), HEX, view_of(t->banks[i].pcrs[t->pcr], hash_size(alg)));
    }
    write_u8(out, '}');
    member(out, "eventlog", BASE64, t->eventlog);
    member(out, "firmware_log", BASE64, t->firmware_log);
}

static bool is_tdx(const struct evidence *ev) { return view_is(ev->tee, "tdx"); }

static void write_register(const struct evidence *ev, struct writer *out) {
    write_text(out, is_tdx(ev) ? ",\"register\":{\"rtmr\":3" : ",\"register\":{\"kept_by\":\"monitor\"");
    member(out, "sha384", HEX, view_of(ev->value, sizeof ev->value));
    write_u8(out, '}');
}

static void write_cpu(const struct evidence *ev, struct writer *out) {
    member(out, is_tdx(ev) ? "quote" : "report", BASE64, ev->report);
    if (!is_tdx(ev)) member(out, "certificates", BASE64, ev->certificates);
    member(out, "report_data", HEX, ev->report_data);
    member(out, "preimage", TEXT, ev->preimage);
    write_register(ev, out);
    member(out, "eventlog", BASE64, ev->eventlog);
    member(out, "firmware_log", BASE64, ev->firmware_log);
    if (!ev->tpm) return;
    write_text(out, ",\"tpm\":{");
    write_tpm(ev->tpm, out);
    write_u8(out, '}');
}

void evidence_report_data(struct view preimage, uint8_t out[static 64]) {
    hash_once(HASH_SHA384, preimage, out);
    memcpy(out + 48, EVIDENCE_TAG, 16);
}

bool evidence_is_tagged(const uint8_t report_data[static 64]) { return memcmp(report_data + 48, EVIDENCE_TAG, 16) == 0; }

void evidence_key_nonce(const char *tag, const uint8_t *digest, uint8_t nonce[static EVIDENCE_KEY_NONCE_SIZE]) {
    memcpy(nonce, tag, 8);
    memcpy(nonce + 8, digest, EVIDENCE_KEY_NONCE_SIZE - 8);
}

bool evidence_binds_key(struct view nonce) { return view_starts(nonce, VIEW(EVIDENCE_KEY_TAG)); }

void evidence_preimage(const struct evidence *ev, struct writer *out) {
    write_u8(out, '{');
    member(out, "nonce", HEX, ev->nonce);
    write_register(ev, out);
    if (ev->tpm) {
        uint8_t digest[32];
        hash_once(HASH_SHA256, ev->tpm->ak_public, digest);
        write_text(out, ",\"tpm\":{\"ak_public\":\"sha256:");
        write_hex(out, view_of(digest, sizeof digest));
        write_text(out, "\"}");
    }
    write_u8(out, '}');
}

void evidence_write(const struct evidence *ev, struct writer *out) {
    write_u8(out, '{');
    member(out, "plinth", TEXT, ev->version);
    member(out, "tee", TEXT, ev->tee);
    member(out, "nonce", HEX, ev->nonce);
    if (view_is(ev->tee, "tpm")) write_tpm(ev->tpm, out);
    else write_cpu(ev, out);
    member(out, "image", TEXT, ev->image);
    member(out, "manifest", TEXT, ev->manifest);
    member(out, "policy", TEXT, ev->policy);
    write_text(out, "}\n");
}
