/* certificate: what a person is told of an X.509 certificate, and its IP addresses (RFC 5280 section 4).
 *
 * BearSSL decides whether a certificate is good; this reads the same bytes once more for what BearSSL does not give:
 * validity and names for messages, and iPAddress names, which it does not match. Pure: bytes in, views out.. */
#ifndef PLINTH_WORKER_CERTIFICATE_H
#define PLINTH_WORKER_CERTIFICATE_H

#include "base/view.h"
#include "base/writer.h"

struct certificate {
    char not_before[11], not_after[11]; /* "2025-11-22" */
    struct view issuer, subject;        /* contents of the Name */
    struct view names;                  /* contents of GeneralNames of subjectAltName; empty when absent */
};

/* Views into `der`. False for anything malformed, or two subjectAltName extensions; `*out` is then untouched. */
bool certificate_parse(struct view der, struct certificate *out);
/* Is `ip` (4 or 16 bytes, network order) among the iPAddress names? */
bool certificate_has_ip(const struct certificate *c, struct view ip);
/* "a.example, 192.0.2.1, 2001:0db8:0000:...", or the subject's common name, or "nobody"; as much as fits. */
void certificate_names(const struct certificate *c, struct writer *out);
/* commonName of a Name's contents, else organizationName; may be empty. */
struct view certificate_common_name(struct view name);

#endif
