/* see tcb.h */
#include "tools/appraise/tcb.h"

#include "base/codec.h"
#include "base/writer.h"
#include "crypto/der.h"
#include "format/json.h"
#include "tools/appraise/moment.h"

#include <stdio.h>

static const char *const status_names[] = {"UpToDate",
                                           "SWHardeningNeeded",
                                           "ConfigurationNeeded",
                                           "ConfigurationAndSWHardeningNeeded",
                                           "OutOfDate",
                                           "OutOfDateConfigurationNeeded",
                                           "Revoked"};

const char *tcb_status_name(enum tcb_status s) { return status_names[s]; }

bool tcb_status_parse(struct view name, enum tcb_status *out) {
    for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++)
        if (view_is(name, status_names[i])) return *out = (enum tcb_status)i, true;
    return false;
}

/* ---- the PCK certificate's extension ---- */

#define DER_OCTET_STRING 0x04
#define DER_ENUMERATED 0x0a
static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* The next SEQUENCE { OID, value }: the OID's last arcs behind `prefix` (each below 128), and what follows the OID. */
static bool take_member(struct view *rest, struct view prefix, struct view *arc, struct view *value) {
    struct view member, oid;
    if (!der_take(rest, DER_SEQUENCE, &member) || !der_take(&member, DER_OID, &oid) || !view_starts(oid, prefix))
        return false;
    *arc = view_skip(oid, prefix.n);
    *value = member;
    return arc->n == 1 && arc->p[0] < 128;
}

static bool take_octets(struct view v, uint8_t *out, size_t size) {
    struct view octets;
    if (!der_take(&v, DER_OCTET_STRING, &octets) || v.n || octets.n != size) return false;
    memcpy(out, octets.p, size);
    return true;
}

static bool take_small(struct view v, uint8_t tag, uint64_t max, uint64_t *out) {
    struct view digits;
    uint64_t x = 0;
    if (!der_take(&v, tag, &digits) || v.n || !digits.n || digits.n > 3 || digits.p[0] >= 0x80) return false;
    if (digits.n > 1 && digits.p[0] == 0 && digits.p[1] < 0x80) return false;
    for (size_t i = 0; i < digits.n; i++) x = x << 8 | digits.p[i];
    *out = x;
    return x <= max;
}

static bool tcb_members(struct view v, struct pck *out) {
    struct view list, arc, value;
    uint8_t prefix[sizeof sgx_oid + 1];
    uint32_t seen = 0;
    uint64_t x;
    memcpy(prefix, sgx_oid, sizeof sgx_oid);
    prefix[sizeof sgx_oid] = 2;
    if (!der_take(&v, DER_SEQUENCE, &list) || v.n) return false;
    while (list.n) {
        if (!take_member(&list, view_of(prefix, sizeof prefix), &arc, &value)) return false;
        unsigned i = arc.p[0];
        if (i < 1 || i > 18 || seen >> i & 1) return false;
        seen |= 1u << i;
        if (i <= TCB_COMPONENTS) {
            if (!take_small(value, DER_INTEGER, 255, &x)) return false;
            out->component[i - 1] = (uint8_t)x;
        } else if (!(i == 17 ? take_small(value, DER_INTEGER, 65535, &out->pcesvn)
                             : take_octets(value, out->cpusvn, 16))) {
            return false;
        }
    }
    return seen == ((1u << 19) - 2);
}

bool pck_parse(struct view v, struct pck *out, struct err *e) {
    struct view list, arc, value;
    struct pck p = {0};
    uint32_t seen = 0;
    if (!der_take(&v, DER_SEQUENCE, &list) || v.n) return err_set(e, ERR_FORMAT, "PCK extension: it is no SEQUENCE");
    while (list.n) {
        if (!take_member(&list, view_of(sgx_oid, sizeof sgx_oid), &arc, &value))
            return err_set(e, ERR_FORMAT, "PCK extension: a member is no SEQUENCE of an OID of Intel's and a value");
        unsigned i = arc.p[0];
        if (i >= 32) continue;
        if (seen >> i & 1) return err_set(e, ERR_FORMAT, "PCK extension: member .%u is there twice", i);
        seen |= 1u << i;
        bool ok = i == 1   ? take_octets(value, p.ppid, 16)
                  : i == 2 ? tcb_members(value, &p)
                  : i == 3 ? take_octets(value, p.pceid, 2)
                  : i == 4 ? take_octets(value, p.fmspc, 6)
                  : i == 5 ? take_small(value, DER_ENUMERATED, 255, &p.sgx_type)
                  : i == 6 ? take_octets(value, p.platform_instance_id, 16)
                           : true;
        if (!ok) return err_set(e, ERR_FORMAT, "PCK extension: member .%u has another form", i);
    }
    for (unsigned i = 1; i <= 5; i++)
        if (!(seen >> i & 1)) return err_set(e, ERR_FORMAT, "PCK extension: member .%u is missing", i);
    p.has_instance = seen >> 6 & 1;
    *out = p;
    return true;
}

/* ---- JSON ---- */

/* Hex of either case: Intel writes both. */
static bool need_hex(const json *object, const char *name, const char *where, uint8_t *out, size_t n, struct err *e) {
    struct view text;
    uint8_t lower[2 * 48];
    if (!json_need_text(object, name, where, &text, e)) return false;
    bool ok = text.n == 2 * n && text.n <= sizeof lower;
    for (size_t i = 0; ok && i < text.n; i++)
        lower[i] = text.p[i] >= 'A' && text.p[i] <= 'F' ? text.p[i] | 0x20 : text.p[i];
    return (ok && hex_decode(view_of(lower, text.n), out, n)) ||
           err_set(e, ERR_FORMAT, "%s: %s is not %zu bytes of hex", where, name, n);
}

static bool need_moment(const json *object, const char *name, const char *where, int64_t *out, struct err *e) {
    struct view text;
    return json_need_text(object, name, where, &text, e) &&
           (moment_parse(text, out) || err_set(e, ERR_FORMAT, "%s: %s is not a time in UTC", where, name));
}

static bool need_components(const json *tcb, const char *name, uint8_t out[TCB_COMPONENTS], struct err *e) {
    const json *list;
    uint64_t svn;
    size_t i = 0;
    if (!json_need_array(tcb, name, "tcb", &list, e)) return false;
    if (json_count(list) != TCB_COMPONENTS)
        return err_set(e, ERR_FORMAT, "tcb: %s has %zu components, not %u", name, json_count(list), TCB_COMPONENTS);
    for (struct json_iter it = json_each(list); json_next(&it);) {
        if (!json_need_u64(it.value, "svn", name, &svn, e)) return false;
        if (svn > 255) return err_set(e, ERR_FORMAT, "tcb: %s: svn is above 255", name);
        out[i++] = (uint8_t)svn;
    }
    return true;
}

static bool advisories(const json *list, struct arena *a, struct view *out, struct err *e) {
    size_t size = 0;
    for (struct json_iter it = json_each(list); json_next(&it);) {
        if (!json_is_string(it.value)) return err_set(e, ERR_FORMAT, "advisoryIDs: not all are strings");
        size += json_text(it.value).n + 1;
    }
    uint8_t *p = arena_alloc(a, size + 1);
    if (!p) return arena_full(a, e);
    struct writer w = writer_of(p, size);
    for (struct json_iter it = json_each(list); json_next(&it);) {
        if (w.n) write_u8(&w, ' ');
        write_bytes(&w, json_text(it.value));
    }
    *out = writer_view(&w);
    return true;
}

enum level_form { LEVEL_PLATFORM, LEVEL_SVN };

static bool level_parse(const json *v, enum level_form form, struct arena *a, struct tcb_level *out, struct err *e) {
    const json *tcb;
    struct view status;
    if (!json_need_object(v, "tcb", "tcbLevels", &tcb, e) || !json_need_text(v, "tcbStatus", "tcbLevels", &status, e) ||
        !json_need_text(v, "tcbDate", "tcbLevels", &out->date, e) ||
        !advisories(json_get(v, "advisoryIDs"), a, &out->advisories, e))
        return false;
    if (!tcb_status_parse(status, &out->status))
        return err_set(e, ERR_FORMAT, "tcbStatus '%.*s' is not known", VIEW_ARG(view_first(status, 60)));
    if (form == LEVEL_SVN) return json_need_u64(tcb, "isvsvn", "tcb", &out->isvsvn, e);
    return need_components(tcb, "sgxtcbcomponents", out->sgx, e) &&
           need_components(tcb, "tdxtcbcomponents", out->tdx, e) &&
           json_need_u64(tcb, "pcesvn", "tcb", &out->pcesvn, e);
}

/* Whether what reaches `a` reaches `b` too. */
static bool covers(const struct tcb_level *a, const struct tcb_level *b) {
    bool yes = a->pcesvn >= b->pcesvn && a->isvsvn >= b->isvsvn;
    for (size_t i = 0; i < TCB_COMPONENTS; i++) yes &= a->sgx[i] >= b->sgx[i] && a->tdx[i] >= b->tdx[i];
    return yes;
}

static bool levels_parse(const json *object, const char *where, enum level_form form, struct arena *a,
                         struct tcb_level **out, size_t *count, struct err *e) {
    const json *list;
    size_t n = 0;
    if (!json_need_array(object, "tcbLevels", where, &list, e)) return false;
    if (!json_count(list) || json_count(list) > TCB_LEVELS_MAX)
        return err_set(e, ERR_FORMAT, "%s: %zu levels, 1 to %u are read", where, json_count(list), TCB_LEVELS_MAX);
    struct tcb_level *levels = arena_alloc(a, json_count(list) * sizeof *levels);
    if (!levels) return arena_full(a, e);
    for (struct json_iter it = json_each(list); json_next(&it); n++) {
        if (!level_parse(it.value, form, a, &levels[n], e)) return err_in(e, "%s: level %zu", where, n);
        for (size_t i = 0; i < n; i++)
            if (covers(&levels[n], &levels[i]) && !covers(&levels[i], &levels[n]))
                return err_set(e, ERR_FORMAT, "%s: level %zu is above level %zu: they are not from best to worst",
                               where, n, i);
    }
    *out = levels;
    *count = n;
    return true;
}

static bool module_parse(const json *v, struct tdx_module *out, struct err *e) {
    return need_hex(v, "mrsigner", "tdxModule", out->mrsigner, 48, e) &&
           need_hex(v, "attributes", "tdxModule", out->attributes, 8, e) &&
           need_hex(v, "attributesMask", "tdxModule", out->mask, 8, e);
}

static bool modules_parse(const json *list, struct arena *a, struct tcb_info *t, struct err *e) {
    if (!list) return true;
    if (!json_is_array(list) || json_count(list) > MODULES_MAX)
        return err_set(e, ERR_FORMAT, "tdxModuleIdentities: not a list of at most %u", MODULES_MAX);
    if (!(t->modules = arena_alloc(a, MODULES_MAX * sizeof *t->modules))) return arena_full(a, e);
    for (struct json_iter it = json_each(list); json_next(&it); t->module_count++) {
        struct tdx_module *m = &t->modules[t->module_count];
        if (!json_need_text(it.value, "id", "tdxModuleIdentities", &m->id, e) || !module_parse(it.value, m, e) ||
            !levels_parse(it.value, "tdxModuleIdentities", LEVEL_SVN, a, &m->levels, &m->level_count, e))
            return false;
        for (size_t i = 0; i < t->module_count; i++)
            if (view_eq(t->modules[i].id, m->id))
                return err_set(e, ERR_FORMAT, "tdxModuleIdentities: '%.*s' is there twice",
                               VIEW_ARG(view_first(m->id, 20)));
    }
    return true;
}

/* id, version and dates of either document. */
static bool frame(const json *root, const char *where, const char *id, uint64_t least, uint64_t most, int64_t *issued,
                  int64_t *next, uint64_t *number, struct err *e) {
    struct view text;
    uint64_t version;
    if (!json_need_text(root, "id", where, &text, e) || !json_need_u64(root, "version", where, &version, e))
        return false;
    if (!view_is(text, id))
        return err_set(e, ERR_FORMAT, "%s: its id is '%.*s', wanted is '%s'", where, VIEW_ARG(view_first(text, 20)),
                       id);
    if (version < least || version > most)
        return err_set(e, ERR_FORMAT, "%s: version %llu is not known", where, (unsigned long long)version);
    return need_moment(root, "issueDate", where, issued, e) && need_moment(root, "nextUpdate", where, next, e) &&
           json_need_u64(root, "tcbEvaluationDataNumber", where, number, e);
}

bool tcb_info_parse(struct view body, struct arena *a, struct tcb_info *out, struct err *e) {
    static const char where[] = "TCB info";
    const json *root, *module;
    struct tcb_info t = {0};
    uint64_t type;
    if (!json_parse(body, a, &root, e)) return err_in(e, where);
    if (!frame(root, where, "TDX", 3, 3, &t.issued, &t.next_update, &t.evaluation_number, e) ||
        !need_hex(root, "fmspc", where, t.fmspc, 6, e) || !need_hex(root, "pceId", where, t.pceid, 2, e) ||
        !json_need_u64(root, "tcbType", where, &type, e) || !json_need_object(root, "tdxModule", where, &module, e) ||
        !module_parse(module, &t.module, e) || !modules_parse(json_get(root, "tdxModuleIdentities"), a, &t, e) ||
        !levels_parse(root, where, LEVEL_PLATFORM, a, &t.levels, &t.level_count, e))
        return false;
    if (type != 0) return err_set(e, ERR_FORMAT, "TCB info: tcbType %llu is not known", (unsigned long long)type);
    *out = t;
    return true;
}

bool qe_identity_parse(struct view body, struct arena *a, struct qe_identity *out, struct err *e) {
    static const char where[] = "QE identity";
    const json *root;
    struct qe_identity q = {0};
    if (!json_parse(body, a, &root, e)) return err_in(e, where);
    if (!frame(root, where, "TD_QE", 2, 3, &q.issued, &q.next_update, &q.evaluation_number, e) ||
        !need_hex(root, "miscselect", where, q.miscselect, 4, e) ||
        !need_hex(root, "miscselectMask", where, q.miscselect_mask, 4, e) ||
        !need_hex(root, "attributes", where, q.attributes, 16, e) ||
        !need_hex(root, "attributesMask", where, q.attributes_mask, 16, e) ||
        !need_hex(root, "mrsigner", where, q.mrsigner, 32, e) ||
        !json_need_u64(root, "isvprodid", where, &q.isvprodid, e) ||
        !levels_parse(root, where, LEVEL_SVN, a, &q.levels, &q.level_count, e))
        return false;
    *out = q;
    return true;
}

/* ---- comparing ---- */

const struct tcb_level *tcb_level_of(const struct tcb_info *t, const struct pck *pck,
                                     const uint8_t tee_tcb_svn[static 16]) {
    size_t from = tee_tcb_svn[1] > 0 ? 2 : 0;
    for (size_t l = 0; l < t->level_count; l++) {
        const struct tcb_level *level = &t->levels[l];
        bool reached = pck->pcesvn >= level->pcesvn;
        for (size_t i = 0; i < TCB_COMPONENTS; i++)
            reached &= pck->component[i] >= level->sgx[i] && (i < from || tee_tcb_svn[i] >= level->tdx[i]);
        if (reached) return level;
    }
    return NULL;
}

const struct tdx_module *tcb_module_of(const struct tcb_info *t, const uint8_t tee_tcb_svn[static 16]) {
    char id[8];
    if (tee_tcb_svn[1] == 0) return &t->module;
    snprintf(id, sizeof id, "TDX_%02X", tee_tcb_svn[1]);
    for (size_t i = 0; i < t->module_count; i++)
        if (view_is(t->modules[i].id, id)) return &t->modules[i];
    return NULL;
}

const struct tcb_level *tcb_svn_level(const struct tcb_level *levels, size_t count, uint64_t isvsvn) {
    for (size_t i = 0; i < count; i++)
        if (isvsvn >= levels[i].isvsvn) return &levels[i];
    return NULL;
}
