/* package_db: which packages an image says it has installed: dpkg's status (deb-control(5)) and apk's installed
 * database (apk-v2 "DB": one letter and ':' per line), both stanzas of lines with an empty line between them.
 *
 * Streaming: bytes come in pieces of any size, and only the fields that matter are kept. Everything else,
 * whatever the length of its lines, is passed over. */
#ifndef PLINTH_OCI_PACKAGE_DB_H
#define PLINTH_OCI_PACKAGE_DB_H

#include "base/err.h"
#include "base/view.h"

/* Names and versions of packages reach 100 bytes. */
#define PACKAGE_FIELD_MAX 256u

enum package_db_format { PACKAGE_DB_DPKG, PACKAGE_DB_APK };
enum package_db_field { PACKAGE_NAME, PACKAGE_VERSION, PACKAGE_ARCH, PACKAGE_SOURCE, PACKAGE_STATUS, PACKAGE_FIELDS };

struct package_db {
    enum package_db_format format;
    size_t line, field[PACKAGE_FIELDS]; /* bytes so far; those of a field are 0 where it is absent */
    char line_text[PACKAGE_FIELD_MAX + 32], field_text[PACKAGE_FIELDS][PACKAGE_FIELD_MAX];
};

/* Views into the reader, up to the next call. `arch` may be empty. `source` is what it was built from, and empty where
 * that is not said; `source_version` too, and where it is the same. */
struct package_db_entry {
    struct view name, version, arch, source, source_version;
};

static inline struct package_db package_db_of(enum package_db_format format) {
    return (struct package_db){.format = format};
}

/* Takes bytes from *rest up to the next installed package (*got), or all of them. `end`: nothing comes after *rest.
 * What dpkg merely remembers (Status "... config-files" or "... not-installed") is passed over; a stanza without
 * Status, as distroless writes them, is installed. ERR_FORMAT: a field twice, longer than PACKAGE_FIELD_MAX, a package
 * without name or version. */
bool package_db_next(struct package_db *db, struct view *rest, bool end, struct package_db_entry *out, bool *got,
                     struct err *e);

#endif
