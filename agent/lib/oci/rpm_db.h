/* rpm_db: which packages RPM says are installed, from the three kinds of database that images carry, told by their
 * first bytes: SQLite (rpmdb.sqlite; sqlite.org/fileformat2.html), NDB (Packages.db; rpm's lib/backend/ndb) and
 * Berkeley DB's hash (Packages, of either byte order; db_page.h of Berkeley DB). In each a package is a header of RPM
 * (rpm's "Package format": index and store), of which six tags matter.
 *
 * Nothing but one page and one header's fields is kept. Whatever the file says, no more than twice its size is
 * read from it. */
#ifndef PLINTH_OCI_RPM_DB_H
#define PLINTH_OCI_RPM_DB_H

#include "oci/package_db.h"

/* A page of the walk and one of overflow; both formats with pages stop at 64 KiB. */
#define RPM_DB_BUFFER (128u << 10)

struct rpm_db {
    /* Of the file, in bytes. */
    uint64_t size;
    /* RPM_DB_BUFFER bytes. */
    uint8_t *buffer;
    /* Handed to both functions. */
    void *user;
    /* All n bytes from `at`, which lie inside the file. */
    bool (*read)(void *user, uint64_t at, uint8_t *out, size_t n, struct err *e);
    /* Views hold during the call. The version is "EPOCH:VERSION-RELEASE", without an epoch of 0; source and its version
     * are from SOURCERPM. */
    bool (*package)(void *user, const struct package_db_entry *entry, struct err *e);
};

/* Hands over every package. ERR_FORMAT: none of these databases, broken, a header without name, version or release, or
 * with one of more than PACKAGE_FIELD_MAX bytes, a tag twice; and whatever the two functions say. */
bool rpm_db_read(const struct rpm_db *db, struct err *e);

#endif
