/* der: one element of X.690 Distinguished Encoding Rules, for the few fixed structures that are read here. */
#ifndef PLINTH_CRYPTO_DER_H
#define PLINTH_CRYPTO_DER_H

#include "base/view.h"

enum { DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_OID = 0x06, DER_SEQUENCE = 0x30 };

/* Takes the element at the front of *rest. False, with *rest and *content untouched, for another tag, a length that is
 * indefinite, not minimal or beyond 65535, or fewer bytes than that. */
bool der_take(struct view *rest, uint8_t tag, struct view *content);
/* A positive INTEGER in its shortest form: its big-endian bytes, the first of them not zero. False when it is zero or
 * negative. */
bool der_take_number(struct view *rest, struct view *number);
/* The same as `size` big-endian bytes. False also when it does not fit. */
bool der_take_positive(struct view *rest, uint8_t *out, size_t size);

#endif
