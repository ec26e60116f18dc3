/* cert_table: the certificates that a host puts beside an SNP report (GHCB 2.0 "SNP Extended Guest Request"; configfs auxblob).
 *
 * Entries of {GUID as printed, le32 offset from the table's start, le32 length}, ended by one of zeroes; the DER files lie
 * behind. The host made it: nothing in it counts until a chain holds. */
#ifndef PLINTH_APPRAISE_CERT_TABLE_H
#define PLINTH_APPRAISE_CERT_TABLE_H

#include "tools/appraise/x509.h"

#define CERT_TABLE_ENTRIES_MAX 64u

/* Whether it begins as such a table does: an entry of a known GUID before the end. */
bool cert_table_is(struct view bytes);
/* VCEK, VLEK, ASK or ASVK, ARK and CRL go into the pool, other GUIDs are passed over. ERR_FORMAT: no end, a GUID twice, a file in the
 * table itself or beyond the bytes, or none at all. */
bool cert_table_add(struct view bytes, struct pool *p, struct err *e);

#endif
