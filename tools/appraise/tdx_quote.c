/* see tdx_quote.h */
#include "tools/appraise/tdx_quote.h"

#include "base/reader.h"

static const uint8_t intel_vendor_id[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                            0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

const struct field tdx_header_fields[] = {{"version", 0, 2, FIELD_LE},      {"att_key_type", 2, 2, FIELD_LE},
                                          {"tee_type", 4, 4, FIELD_LE},     {"qe_svn", 8, 2, FIELD_LE},
                                          {"pce_svn", 10, 2, FIELD_LE},     {"qe_vendor_id", 12, 16, FIELD_HEX},
                                          {"user_data", 28, 20, FIELD_HEX}, {0}};

const struct field tdx_body_fields[] = {
    {"tee_tcb_svn", 0, 16, FIELD_HEX},    {"mrseam", 16, 48, FIELD_HEX},
    {"mrsignerseam", 64, 48, FIELD_HEX},  {"seam_attributes", 112, 8, FIELD_HEX},
    {"td_attributes", 120, 8, FIELD_HEX}, {"xfam", 128, 8, FIELD_HEX},
    {"mrtd", 136, 48, FIELD_HEX},         {"mrconfigid", 184, 48, FIELD_HEX},
    {"mrowner", 232, 48, FIELD_HEX},      {"mrownerconfig", 280, 48, FIELD_HEX},
    {"rtmr0", 328, 48, FIELD_HEX},        {"rtmr1", 376, 48, FIELD_HEX},
    {"rtmr2", 424, 48, FIELD_HEX},        {"rtmr3", 472, 48, FIELD_HEX},
    {"report_data", 520, 64, FIELD_HEX},  {"tee_tcb_svn2", 584, 16, FIELD_HEX}, /* null in TD report 1.0 */
    {"mrservicetd", 600, 48, FIELD_HEX},  {0}};

const struct field sgx_report_fields[] = {
    {"cpusvn", 0, 16, FIELD_HEX},     {"miscselect", 16, 4, FIELD_HEX},    {"attributes", 48, 16, FIELD_HEX},
    {"mrenclave", 64, 32, FIELD_HEX}, {"mrsigner", 128, 32, FIELD_HEX},    {"isvprodid", 256, 2, FIELD_LE},
    {"isvsvn", 258, 2, FIELD_LE},     {"report_data", 320, 64, FIELD_HEX}, {0}};

static bool read_header(struct reader *r, struct tdx_quote *q, struct err *e) {
    struct reader h = reader_of(q->header = read_bytes(r, 48));
    if (r->bad) return err_set(e, ERR_FORMAT, "%zu bytes are less than the header of a quote (48)", r->rest.n);
    q->version = read_le16(&h);
    q->att_key_type = read_le16(&h);
    q->tee_type = read_le32(&h);
    read_bytes(&h, 4);
    if (q->version == 3 || ((q->version == 4 || q->version == 5) && q->tee_type == 0))
        return err_set(e, ERR_FORMAT, "this is an SGX quote (version %u, TEE type %#x), not one of a TD", q->version,
                       q->tee_type);
    if (q->version != 4 && q->version != 5)
        return err_set(e, ERR_FORMAT, "quote version %u, known are 4 and 5", q->version);
    if (q->tee_type != 0x81) return err_set(e, ERR_FORMAT, "TEE type %#x, TDX is 0x81", q->tee_type);
    if (q->att_key_type != 2)
        return err_set(e, ERR_FORMAT, "attestation key type %u, ECDSA P-256 is 2", q->att_key_type);
    return view_eq(read_bytes(&h, 16), view_of(intel_vendor_id, 16)) ||
           err_set(e, ERR_FORMAT, "the QE vendor is not Intel (939a7233f79c4ca9940a0db3957f0607)");
}

static bool read_body(struct reader *r, struct tdx_quote *q, struct err *e) {
    uint32_t size = TDX_BODY_10;
    if (q->version == 5) {
        q->body_type = read_le16(r);
        size = read_le32(r);
        if (!r->bad && q->body_type != 2 && q->body_type != 3)
            return err_set(e, ERR_FORMAT, "body type %u, those of a TD are 2 and 3", q->body_type);
        if (!r->bad && size != (q->body_type == 2 ? TDX_BODY_10 : TDX_BODY_15))
            return err_set(e, ERR_FORMAT, "body type %u with %u bytes, it has %u", q->body_type, size,
                           q->body_type == 2 ? TDX_BODY_10 : TDX_BODY_15);
    }
    q->body = read_bytes(r, size);
    if (r->bad) return err_set(e, ERR_FORMAT, "it ends inside the TD report");
    q->tee_tcb_svn = view_first(q->body, 16);
    q->mrsignerseam = view_of(q->body.p + 64, 48);
    q->seam_attributes = view_of(q->body.p + 112, 8);
    q->td_attributes = view_of(q->body.p + 120, 8);
    q->report_data = view_of(q->body.p + 520, 64);
    q->tee_tcb_svn_2 = view_first(view_skip(q->body, 584), 16);
    q->mrservicetd = view_skip(q->body, 600);
    return true;
}

static bool read_signature_data(struct view data, struct tdx_quote *q, struct err *e) {
    struct reader r = reader_of(data), in;
    q->signature = read_bytes(&r, 64);
    q->attestation_key = read_bytes(&r, 64);
    uint16_t type = read_le16(&r);
    uint32_t size = read_le32(&r);
    struct view certification = read_bytes(&r, size);
    if (r.bad)
        return err_set(e, ERR_FORMAT, "the signature data (%zu bytes) end inside their certification data", data.n);
    if (r.rest.n)
        return err_set(e, ERR_FORMAT, "%zu bytes follow the certification data inside the signature data", r.rest.n);
    if (type != PCK_QE_REPORT)
        return err_set(e, ERR_FORMAT, "certification data of type %u, a TD's is 6 (QE report)", type);

    in = reader_of(certification);
    q->qe_report = read_bytes(&in, SGX_REPORT_SIZE);
    q->qe_report_signature = read_bytes(&in, 64);
    q->qe_auth_data = read_bytes(&in, read_le16(&in));
    q->cert_type = read_le16(&in);
    q->cert_data = read_bytes(&in, read_le32(&in));
    if (in.bad)
        return err_set(e, ERR_FORMAT, "the QE report's certification data (%zu bytes) end too early", certification.n);
    if (in.rest.n) return err_set(e, ERR_FORMAT, "%zu bytes follow the PCK certification data", in.rest.n);
    return (q->cert_type >= PCK_PPID && q->cert_type <= PCK_CHAIN) || q->cert_type == PCK_MANIFEST ||
           err_set(e, ERR_FORMAT, "PCK certification data of type %u, known are 1 to 5 and 7", q->cert_type);
}

bool tdx_quote_parse(struct view bytes, struct tdx_quote *out, struct err *e) {
    struct tdx_quote q = {0};
    struct reader r = reader_of(bytes);
    if (bytes.n > TDX_QUOTE_MAX)
        return err_set(e, ERR_FORMAT, "%zu bytes are more than a quote has (%u)", bytes.n, TDX_QUOTE_MAX);
    bool ok = read_header(&r, &q, e) && read_body(&r, &q, e);
    if (ok) {
        q.signed_part = view_first(bytes, bytes.n - r.rest.n);
        uint32_t length = read_le32(&r);
        struct view data = read_bytes(&r, length);
        if (r.bad)
            ok = err_set(e, ERR_FORMAT, "signature data of %u bytes where %zu are left", length,
                         bytes.n - q.signed_part.n < 4 ? 0 : bytes.n - q.signed_part.n - 4);
        else
            ok = read_signature_data(data, &q, e);
        q.trailing = r.rest;
    }
    if (ok) *out = q;
    return ok;
}
