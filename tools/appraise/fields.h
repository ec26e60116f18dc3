/* fields: the fixed layout of a structure as a table, by the names of the vendor's specification, for printing.
 *
 * Byte strings and bit fields are lower-case hex of the bytes as they stand in the structure; integers are numbers. */
#ifndef PLINTH_APPRAISE_FIELDS_H
#define PLINTH_APPRAISE_FIELDS_H

#include "tools/result.h"

enum field_form { FIELD_HEX, FIELD_LE, FIELD_BE }; /* bytes; an unsigned integer of 1, 2, 4 or 8 bytes */

struct field {
    const char *name; /* NULL ends the table */
    uint16_t offset, size;
    enum field_form form;
};

/* One member per entry; null where `bytes` ends before it. */
void fields_write(struct result *out, struct view bytes, const struct field *table);

/* Whether all of it is zero, as what is reserved must be. */
bool fields_zero(struct view v);

/* For people: prints the members of a JSON object as "name  value" lines, nested ones indented (standard output). `text` is what
 * a struct result holds, without the outer braces. */
void fields_print(struct view members);

#endif
