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
