// package_db: first byte is the format, second the size of the pieces; read in one piece the packages are the same.
#include "fuzz_lib.h"
#include "oci/package_db.h"

static uint64_t sum(struct view v, size_t piece, enum package_db_format format, bool *ok)
{
    struct package_db db = package_db_of(format);
    struct package_db_entry p;
    struct err e;
    uint64_t s = 1;
    bool got = false, end = false;

    while (!end) {
        struct view rest = view_first(v, piece);
        v = view_skip(v, piece);
        end = rest.n == 0;
        do {
            *ok = package_db_next(&db, &rest, end, &p, &got, &e);
            if (!*ok)
                return s;
            if (!got)
                break;
            if (!p.name.n || !p.version.n || p.name.n > PACKAGE_FIELD_MAX || p.version.n > PACKAGE_FIELD_MAX || p.arch.n > PACKAGE_FIELD_MAX)
                abort();
            struct view parts[] = {p.name, p.version, p.arch, p.source, p.source_version};
            for (size_t i = 0; i < 5; i++)
                for (size_t k = 0; k < parts[i].n; k++)
                    s = s * 31 + parts[i].p[k];
        } while (got);
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bool whole_ok, pieces_ok;

    if (size < 2)
        return 0;
    struct view v = view_of(bytes + 2, size - 2);
    uint64_t whole = sum(v, v.n + 1, bytes[0] & 1, &whole_ok), pieces = sum(v, 1 + bytes[1] % 64u, bytes[0] & 1, &pieces_ok);
    if (whole != pieces || whole_ok != pieces_ok)
        abort();
    return 0;
}
