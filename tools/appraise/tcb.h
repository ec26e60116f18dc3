/* tcb: Intel's statements about platforms and quoting enclaves: TCB info version 3 of id "TDX" and QE identity "TD_QE" (Intel PCS
 * API v4), and the extensions of a PCK certificate. Reading and comparing only; signatures are tdx.h's. */
#ifndef PLINTH_APPRAISE_TCB_H
#define PLINTH_APPRAISE_TCB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#define TCB_COMPONENTS 16u
#define TCB_LEVELS_MAX 64u /* Intel's have 3 to 20 */
#define MODULES_MAX 16u
#define PCK_EXTENSION_OID "1.2.840.113741.1.13.1"

/* From best to worst; the worst of several counts. */
enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
};
const char *tcb_status_name(enum tcb_status s); /* as Intel spells it, "UpToDate" */
bool tcb_status_parse(struct view name, enum tcb_status *out);

/* The SGX extensions of a PCK certificate. */
struct pck {
    uint8_t ppid[16], component[TCB_COMPONENTS], cpusvn[16], pceid[2], fmspc[6], platform_instance_id[16];
    uint64_t pcesvn, sgx_type;
    bool has_instance; /* platform_instance_id and configuration: certificates of the Platform CA have them */
};
/* `extension` is what stands under PCK_EXTENSION_OID. ERR_FORMAT: not DER, a needed member absent, twice there or of another
 * size; unknown members are passed over. */
bool pck_parse(struct view extension, struct pck *out, struct err *e);

struct tcb_level {
    uint8_t sgx[TCB_COMPONENTS], tdx[TCB_COMPONENTS];
    uint64_t pcesvn;
    uint64_t isvsvn; /* of a module's or enclave's level, instead of the above */
    enum tcb_status status;
    struct view date, advisories; /* advisories: "INTEL-SA-00289 INTEL-SA-00615" */
};
struct tdx_module {
    struct view id; /* "TDX_01"; empty: the member tdxModule, for modules of version 0 */
    uint8_t mrsigner[48], attributes[8], mask[8];
    size_t level_count;
    struct tcb_level *levels;
};
struct tcb_info {
    int64_t issued, next_update;
    uint64_t evaluation_number;
    uint8_t fmspc[6], pceid[2];
    struct tdx_module module; /* has no levels */
    size_t module_count, level_count;
    struct tdx_module *modules; /* tdxModuleIdentities */
    struct tcb_level *levels;
};
struct qe_identity {
    int64_t issued, next_update;
    uint64_t evaluation_number, isvprodid;
    uint8_t miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16], mrsigner[32];
    size_t level_count;
    struct tcb_level *levels;
};

/* ERR_FORMAT: another id or version, a member absent or of another form, other than 16 components, levels that are not from best to
 * worst (then "the first that fits" would mean nothing), an unknown status. Unknown members are passed over: Intel adds some. */
bool tcb_info_parse(struct view body, struct arena *a, struct tcb_info *out, struct err *e);
bool qe_identity_parse(struct view body, struct arena *a, struct qe_identity *out, struct err *e);

/* The first level that the platform reaches: all SGX components, PCESVN, all TDX components (but 0 and 1 when the module has a
 * version, tee_tcb_svn[1] > 0: those are the module's to judge). NULL: none. */
const struct tcb_level *tcb_level_of(const struct tcb_info *t, const struct pck *pck, const uint8_t tee_tcb_svn[static 16]);
/* The module's identity by tee_tcb_svn[1]; NULL: unknown to the TCB info. */
const struct tdx_module *tcb_module_of(const struct tcb_info *t, const uint8_t tee_tcb_svn[static 16]);
/* The first of the levels with isvsvn not above; NULL: none. */
const struct tcb_level *tcb_svn_level(const struct tcb_level *levels, size_t count, uint64_t isvsvn);

#endif
