/* see report.h */
#include "tee/report.h"

#include "base/reader.h"

enum { TDX_HEADER = 48, TDX_BODY_1_0 = 584, TDX_BODY_1_5 = 648, TEE_TYPE_TDX = 0x81 };

bool report_tdx(struct view quote, struct report *out, struct err *e) {
    struct reader header = reader_of(view_first(quote, TDX_HEADER)), r = reader_of(view_skip(quote, TDX_HEADER));
    unsigned version = read_le16(&header);
    read_le16(&header);
    uint32_t type = read_le32(&header);
    uint32_t body = version == 5 ? read_le16(&r) : 2, size = version == 5 ? read_le32(&r) : TDX_BODY_1_0;
    if (header.bad || (version != 4 && version != 5) || type != TEE_TYPE_TDX)
        return err_set(e, ERR_FORMAT,
                       "the quote of %zu bytes is of version %u and type 0x%x, not a TDX quote (4 or 5, 0x81)", quote.n,
                       version, (unsigned)type);
    if (!(body == 2 && size == TDX_BODY_1_0) && !(body == 3 && size == TDX_BODY_1_5))
        return err_set(e, ERR_FORMAT, "the quote's body is of type %u with %u bytes", (unsigned)body, (unsigned)size);
    struct reader td = reader_of(read_bytes(&r, size));
    read_bytes(&td, 120);
    bool debug = read_le64(&td) & 1;
    read_bytes(&td, 8 + 48); /* xfam, mrtd */
    struct report report = {.host_data = read_bytes(&td, 48), .debug = debug};
    read_bytes(&td, 2 * 48 + 3 * RTMR_SIZE); /* mrowner, mrownerconfig, RTMR0-2 */
    report.rtmr3 = read_bytes(&td, RTMR_SIZE);
    report.report_data = read_bytes(&td, REPORT_DATA_SIZE);
    if (r.bad || td.bad) return err_set(e, ERR_FORMAT, "the quote has %zu bytes and is cut inside its body", quote.n);
    *out = report;
    return true;
}

bool report_snp(struct view bytes, struct report *out, struct err *e) {
    struct reader r = reader_of(bytes);
    uint32_t version = read_le32(&r);
    read_le32(&r); /* guest_svn */
    struct report report = {.debug = read_le64(&r) >> 19 & 1};
    read_bytes(&r, 0x50 - 0x10);
    report.report_data = read_bytes(&r, REPORT_DATA_SIZE);
    read_bytes(&r, 48); /* measurement */
    report.host_data = read_bytes(&r, 32);
    if (bytes.n != SNP_REPORT_SIZE || r.bad)
        return err_set(e, ERR_FORMAT, "the SNP report has %zu bytes instead of %u", bytes.n, SNP_REPORT_SIZE);
    if (version < 2 || version > 5)
        return err_set(e, ERR_FORMAT, "the SNP report is of version %u, not 2 to 5", (unsigned)version);
    *out = report;
    return true;
}

static const struct {
    const char *name;
    uint8_t guid[SNP_GUID_SIZE];
} certificates[SNP_CERTIFICATES] = {
    {"VCEK", {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd}},
    {"VLEK", {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1}},
    {"ASK", {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82}},
    {"ARK", {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae}},
    {"CRL", {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea}},
};

enum snp_certificate snp_certificate_kind(struct view guid) {
    unsigned i = 0;
    while (i < SNP_CERTIFICATES && !view_eq(guid, view_of(certificates[i].guid, SNP_GUID_SIZE))) i++;
    return (enum snp_certificate)i;
}

const char *snp_certificate_name(enum snp_certificate kind) {
    return kind < SNP_CERTIFICATES ? certificates[kind].name : NULL;
}
