/* see evidence.h */
#include "tee/evidence.h"

void evidence_pem(const uint8_t point[static 65], struct writer *out) {
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes } */
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
                                   0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    uint8_t der[sizeof head + 65];
    memcpy(der, head, sizeof head);
    memcpy(der + sizeof head, point, 65);
    write_text(out, "-----BEGIN PUBLIC KEY-----\n");
    for (struct view rest = view_of(der, sizeof der); rest.n; rest = view_skip(rest, 48)) {
        write_base64(out, view_first(rest, 48)); /* 64 columns */
        write_text(out, "\n");
    }
    write_text(out, "-----END PUBLIC KEY-----\n");
}

enum form { TEXT, HEX, BASE64 };

/* ,"name":"value" with the comma after the first member only. */
static void member(struct writer *out, const char *name, enum form form, struct view value) {
    if (out->n && out->p[out->n - 1] != '{') write_u8(out, ',');
    write_json_string(out, view_str(name));
    write_u8(out, ':');
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

void evidence_write(const struct evidence *ev, struct writer *out) {
    uint8_t pem[256];
    struct writer key = writer_of(pem, sizeof pem);
    evidence_pem(ev->ak_point, &key);

    write_u8(out, '{');
    member(out, "plinth", TEXT, ev->version);
    member(out, "tee", TEXT, ev->tee);
    member(out, "nonce", HEX, ev->nonce);
    member(out, "quote", BASE64, ev->quote);
    member(out, "signature", BASE64, ev->signature);
    member(out, "ak_public", BASE64, ev->ak_public);
    member(out, "ak_public_pem", TEXT, writer_view(&key));
    write_text(out, ",\"pcrs\":{");
    for (size_t i = 0; i < ev->bank_count; i++) {
        if (i) write_u8(out, ',');
        write_pcrs(&ev->banks[i], out);
    }
    write_text(out, "},\"register\":{\"pcr\":");
    write_dec(out, ev->pcr);
    for (size_t i = 0; i < ev->bank_count; i++) {
        enum hash_alg alg = ev->banks[i].alg;
        member(out, hash_name(alg), HEX, view_of(ev->banks[i].pcrs[ev->pcr], hash_size(alg)));
    }
    write_u8(out, '}');
    member(out, "eventlog", BASE64, ev->eventlog);
    member(out, "firmware_log", BASE64, ev->firmware_log);
    member(out, "image", TEXT, ev->image);
    member(out, "manifest", TEXT, ev->manifest);
    member(out, "policy", TEXT, ev->policy);
    write_text(out, "}\n");
}
