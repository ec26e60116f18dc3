// tcb: TCB info, QE identity and the PCK extension, before their signatures count.
#include "tools/appraise/tcb.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct view v = view_of(bytes, size);
    struct tcb_info t;
    struct qe_identity q;
    struct pck pck = {.pcesvn = 11};
    struct err e;

    start(64u << 20);
    pck_parse(v, &pck, &e);
    if (tcb_info_parse(v, &arena, &t, &e)) {
        const uint8_t svn[16] = {5, 1, 3};
        const struct tcb_level *level = tcb_level_of(&t, &pck, svn);
        const struct tdx_module *m = tcb_module_of(&t, svn);
        if (t.level_count == 0 || t.level_count > TCB_LEVELS_MAX || t.module_count > MODULES_MAX) abort();
        if (level) touch(level->date), touch(level->advisories), touch(view_str(tcb_status_name(level->status)));
        if (m) touch(m->id), tcb_svn_level(m->levels, m->level_count, svn[0]);
    }
    if (qe_identity_parse(v, &arena, &q, &e) && (q.level_count == 0 || q.level_count > TCB_LEVELS_MAX)) abort();
    return 0;
}
