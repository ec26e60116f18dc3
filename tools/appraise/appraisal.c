/* see appraisal.h */
#include "tools/appraise/appraisal.h"

#include "tools/appraise/fields.h"
#include "tools/appraise/moment.h"

void appraisal_anchor(struct appraisal *a, const struct anchor *used) {
    char when[MOMENT_TEXT];
    result_text(&a->fields, "at", moment_text(a->at, when));
    if (!used) {
        result_text(&a->fields, "trust_anchor", NULL);
        return;
    }
    result_open(&a->fields, "trust_anchor", '{');
    result_text(&a->fields, "name", used->name);
    result_bool(&a->fields, "vendor", true, used->vendor);
    result_hex(&a->fields, "spki_sha256", view_of(used->spki_sha256, 32));
    result_close(&a->fields, '}');
}

void appraisal_nonce(struct appraisal *a, const char *name, struct view have) {
    if (!a->nonce.n) return;
    if (!view_starts(have, a->nonce))
        checks_bad(&a->checks, name, "it is not the nonce: the quote is another's, or an old one");
    else if (!fields_zero(view_skip(have, a->nonce.n)))
        checks_bad(&a->checks, name, "it begins with the nonce, but goes on with other bytes than zeroes");
    else
        checks_good(&a->checks, name, "the nonce of %zu bytes%s", a->nonce.n,
                    have.n > a->nonce.n ? ", then zeroes" : "");
}
