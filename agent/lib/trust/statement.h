/* statement: in-toto Statement v0.1 and v1 (in-toto/attestation spec/v1/statement.md), the payload of a DSSE envelope. */
#ifndef PLINTH_TRUST_STATEMENT_H
#define PLINTH_TRUST_STATEMENT_H

#include "base/arena.h"
#include "base/err.h"
#include "format/json.h"
#include "oci/digest.h"

#define STATEMENT_SUBJECTS_MAX 1024u

struct statement {
    const json *subjects; /* not empty; each has a digest object */
    struct view predicate_type;
    const json *predicate; /* NULL when absent */
};

/* What matters of one subject. */
struct statement_subject {
    struct view name;        /* empty when absent */
    const json *annotations; /* object, or NULL */
};

/* Only for bytes whose signature holds. ERR_FORMAT: not strict JSON, another _type, no or too many subjects, a subject
 * without digests or with a sha256 that is none, no predicateType. Unknown members are ignored, as in-toto asks. */
bool statement_parse(struct view payload, struct arena *a, struct statement *out, struct err *e);

/* The first subject with this SHA-256. */
bool statement_subject(const struct statement *s, const struct digest *digest, struct statement_subject *out);

/* The first subject's sha256, for messages; false when it has none. */
bool statement_digest(const struct statement *s, struct digest *out);

#endif
