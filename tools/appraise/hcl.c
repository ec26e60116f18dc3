/* see hcl.h */
#include "tools/appraise/hcl.h"

#include "base/reader.h"
#include "crypto/hash.h"
#include "tools/appraise/fields.h"

bool hcl_is(struct view bytes) { return view_starts(bytes, VIEW("HCLA")); }

bool hcl_parse(struct view bytes, struct hcl *out, struct err *e) {
    struct reader in = reader_of(view_skip(bytes, 1216));
    uint32_t size = read_le32(&in), version = read_le32(&in), type = read_le32(&in), alg = read_le32(&in);
    uint32_t claims = read_le32(&in);
    uint8_t wanted[64] = {0};
    struct hcl h = {.type = type, .claims = read_bytes(&in, claims)};
    if (!hcl_is(bytes) || in.bad) return err_set(e, ERR_FORMAT, "HCL report: cut at %zu bytes", bytes.n);
    if (version != 1 || (type != HCL_SNP && type != HCL_TDX) || alg != 1 || size != claims + 20u || !claims)
        return err_set(e, ERR_FORMAT, "HCL report: version %u, report type %u, hash type %u, sizes %u and %u", version,
                       type, alg, size, claims);
    if (!fields_zero(in.rest)) return err_set(e, ERR_FORMAT, "HCL report: other bytes than zeroes follow its claims");
    h.report = view_first(view_skip(bytes, 32), type == HCL_SNP ? 1184 : 1024);
    h.report_data = view_first(view_skip(h.report, type == HCL_SNP ? 0x50 : 128), 64);
    hash_once(HASH_SHA256, h.claims, wanted);
    h.bound = view_eq(h.report_data, view_of(wanted, 64));
    *out = h;
    return true;
}
