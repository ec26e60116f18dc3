// rpm_db: whatever the file says, reads stay inside it and are no more than twice its size; what is handed over is bounded.
#include "fuzz_lib.h"
#include "oci/rpm_db.h"

static struct view file;
static uint64_t budget;

static bool read_file(void *user, uint64_t at, uint8_t *out, size_t n, struct err *e)
{
    (void)user, (void)e;
    if (at > file.n || n > file.n - at || n > budget)
        abort();
    budget -= n;
    memcpy(out, file.p + at, n);
    return true;
}

static bool package(void *user, const struct package_db_entry *p, struct err *e)
{
    (void)user, (void)e;
    if (!p->name.n || !p->version.n || p->name.n > PACKAGE_FIELD_MAX || p->version.n > 2 * PACKAGE_FIELD_MAX + 12 ||
        p->arch.n > PACKAGE_FIELD_MAX || p->source.n > PACKAGE_FIELD_MAX || p->source_version.n > PACKAGE_FIELD_MAX)
        abort();
    touch(p->name), touch(p->version), touch(p->arch), touch(p->source), touch(p->source_version);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t buffer[RPM_DB_BUFFER];
    struct rpm_db db = {size, buffer, NULL, read_file, package};
    struct err e;

    file = view_of(bytes, size);
    budget = 2 * size;
    if (!rpm_db_read(&db, &e) && e.kind != ERR_FORMAT)
        abort();
    return 0;
}
