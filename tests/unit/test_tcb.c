// tcb: Intel's documents as they come, and bent ones; the PCK extension of a real certificate.
#include "lib.h"

#include "tools/appraise/tcb.h"
#include "tools/appraise/x509.h"

static struct tcb_info info;
static struct qe_identity identity;
static struct pck pck;

static struct view pck_extension(struct pool *p)
{
    struct view quote = vector("tdx/quote-v4-phala.bin"), value;
    const uint8_t *at = memmem(quote.p, quote.n, "-----BEGIN", 10);
    CHECK(pool_add_pem(p, view_of(at, quote.n - (size_t)(at - quote.p)), true, &arena, &err));
    CHECK(x509_extension(p->certs[0], PCK_EXTENSION_OID, &value));
    return value;
}

static bool pck_good(struct view v) { return pck_parse(v, &pck, &err); }

TEST(pck_extension_of_a_real_certificate)
{
    static const uint8_t components[16] = {3, 3, 2, 2, 4, 1, 0, 5}, fmspc[6] = {0xb0, 0xc0, 0x6f};
    struct pool p = {0};
    fresh();
    struct view v = pck_extension(&p);
    CHECK(pck_good(v));
    CHECK(!memcmp(pck.component, components, 16) && !memcmp(pck.fmspc, fmspc, 6));
    CHECK_EQ(pck.pcesvn, 11);
    CHECK_EQ(pck.sgx_type, 1);
    CHECK(pck.has_instance);
    broken(v, v.n, pck_good);
    // a member twice: the extension's content once more behind itself
    uint8_t *twice = arena_alloc(&arena, 4096);
    size_t n = v.n - 4; // 30 82 xx xx
    CHECK_EQ(v.p[1], 0x82);
    memcpy(twice, v.p, v.n), memcpy(twice + v.n, v.p + 4, n);
    twice[2] = (uint8_t)(2 * n >> 8), twice[3] = (uint8_t)(2 * n);
    CHECK(!pck_good(view_of(twice, 4 + 2 * n)));
    CHECK_ERR("is there twice");
    pool_drop(&p);
}

TEST(tcb_info_of_intel)
{
    static const uint8_t svn[16] = {6, 1, 3}, old[16] = {2, 1, 3}, new[16] = {6, 4, 3}, none[16] = {6, 0, 3};
    struct pool p = {0};
    fresh();
    CHECK(pck_good(pck_extension(&p)));
    CHECK(tcb_info_parse(vector("tdx/phala/tcb_info.json"), &arena, &info, &err));
    CHECK_EQ(info.evaluation_number, 17);
    CHECK_EQ(info.module_count, 2);
    CHECK_EQ(info.level_count, 2);
    const struct tcb_level *level = tcb_level_of(&info, &pck, svn);
    CHECK(level == &info.levels[0] && level->status == TCB_UP_TO_DATE);
    const struct tdx_module *m = tcb_module_of(&info, svn);
    CHECK(view_is(m->id, "TDX_01"));
    CHECK_EQ(tcb_svn_level(m->levels, m->level_count, 6)->status, TCB_UP_TO_DATE);
    CHECK_EQ(tcb_svn_level(m->levels, m->level_count, old[0])->status, TCB_OUT_OF_DATE);
    CHECK(!tcb_svn_level(m->levels, m->level_count, 1));
    CHECK(!tcb_module_of(&info, new));
    CHECK(tcb_module_of(&info, none) == &info.module);
    pck.component[0] = 1;
    CHECK(!tcb_level_of(&info, &pck, svn));
    CHECK(qe_identity_parse(vector("tdx/phala/qe_identity.json"), &arena, &identity, &err));
    CHECK_EQ(identity.isvprodid, 2);
    CHECK_EQ(identity.levels[0].isvsvn, 4);
    pool_drop(&p);
}

static bool info_good(struct view v)
{
    size_t used = arena.used;
    bool ok = tcb_info_parse(v, &arena, &info, &err);
    memset(arena.base + used, 0, arena.used - used);
    arena.used = used;
    return ok;
}

static bool identity_good(struct view v)
{
    size_t used = arena.used;
    bool ok = qe_identity_parse(v, &arena, &identity, &err);
    memset(arena.base + used, 0, arena.used - used);
    arena.used = used;
    return ok;
}

TEST(broken_documents)
{
    fresh();
    struct view v = vector("tdx/phala/tcb_info.json");
    broken(v, v.n, info_good);
    v = vector("tdx/phala/qe_identity.json");
    broken(v, v.n, identity_good);
    CHECK(!info_good(v) && !identity_good(vector("tdx/phala/tcb_info.json")));
}

// Each needed member, under another name: refused.
TEST(every_member_is_needed)
{
    static const char *const of_info[] = {"id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType", "tcbEvaluationDataNumber", "tdxModule", "mrsigner",
                                          "attributes", "attributesMask", "tcbLevels", "tcb", "sgxtcbcomponents", "pcesvn", "tdxtcbcomponents", "tcbDate", "tcbStatus", "svn", "isvsvn"};
    static const char *const of_identity[] = {"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask", "attributes",
                                              "attributesMask", "mrsigner", "isvprodid", "tcbLevels", "tcb", "isvsvn", "tcbDate", "tcbStatus"};
    for (int which = 0; which < 2; which++) {
        size_t count = which ? sizeof of_identity / sizeof *of_identity : sizeof of_info / sizeof *of_info;
        for (size_t i = 0; i < count; i++) {
            char name[64];
            fresh();
            struct view v = vector(which ? "tdx/phala/qe_identity.json" : "tdx/phala/tcb_info.json");
            snprintf(name, sizeof name, "\"%s\":", which ? of_identity[i] : of_info[i]);
            uint8_t *at = memmem(v.p, v.n, name, strlen(name));
            CHECK(at != NULL);
            at[1] ^= 0x20; // the first letter in the other case
            if (which ? identity_good(v) : info_good(v))
                check_fail("without %s: accepted", name);
            at[1] ^= 0x20;
            CHECK(which ? identity_good(v) : info_good(v));
        }
    }
}

TEST(duplicate_members_are_refused)
{
    fresh();
    struct view v = vector("tdx/phala/tcb_info.json");
    uint8_t *p = arena_alloc(&arena, v.n + 64);
    struct writer w = writer_of(p, v.n + 64);
    write_text(&w, "{\"fmspc\":\"000000000000\","), write_bytes(&w, view_skip(v, 1));
    CHECK(!info_good(writer_view(&w)));
}

TEST(statuses)
{
    static const char *const names[] = {"UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded", "Revoked"};
    enum tcb_status s;
    for (int i = 0; i < 7; i++) {
        CHECK(tcb_status_parse(view_str(names[i]), &s) && (int)s == i);
        CHECK_STR(tcb_status_name(s), names[i]);
    }
    CHECK(!tcb_status_parse(VIEW("uptodate"), &s) && !tcb_status_parse(VIEW(""), &s));
}
