// statement: what is accepted has subjects, and each is found by its digest.
#include "trust/statement.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct statement s;
    struct statement_subject subject;
    struct digest first;
    struct err e = {0};

    start(16 << 20);
    if (!statement_parse(view_of(bytes, size), &arena, &s, &e))
        return e.kind == ERR_FORMAT || e.kind == ERR_SYSTEM ? 0 : (abort(), 0);
    if (json_count(s.subjects) == 0 || json_count(s.subjects) > STATEMENT_SUBJECTS_MAX || s.predicate_type.n == 0)
        abort();
    if (statement_digest(&s, &first)) {
        if (!statement_subject(&s, &first, &subject))
            abort();
        touch(subject.name);
    }
    touch(s.predicate_type);
    return 0;
}
