/* see certificate.h */
#include "worker/certificate.h"

#include "crypto/der.h"

#include <stdio.h>

enum {
    BOOLEAN = 0x01,
    OCTETS = 0x04,
    UTC_TIME = 0x17,
    TIME = 0x18,
    SET = 0x31,
    VERSION = 0xa0,
    EXTENSIONS = 0xa3,
    DNS_NAME = 0x82,
    IP_ADDRESS = 0x87
};

static uint8_t tag_of(struct view v) { return v.n ? v.p[0] : 0; }

/* YYMMDDhhmmssZ (1950..2049) or YYYYMMDDhhmmssZ. */
static bool take_date(struct view *rest, char out[11]) {
    struct view v;
    size_t year = tag_of(*rest) == UTC_TIME ? 2 : 4;
    if (!der_take(rest, year == 2 ? UTC_TIME : TIME, &v) || v.n != year + 11 || v.p[v.n - 1] != 'Z') return false;
    for (size_t i = 0; i + 1 < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9') return false;
    const char *text = (const char *)v.p, *century = year == 4 ? "" : v.p[0] >= '5' ? "19" : "20";
    snprintf(out, 11, "%s%.*s-%.2s-%.2s", century, (int)year, text, text + year, text + year + 2);
    return true;
}

static bool read_extensions(struct view list, struct view *names) {
    for (struct view one, oid, value; list.n;) {
        if (!der_take(&list, DER_SEQUENCE, &one) || !der_take(&one, DER_OID, &oid)) return false;
        if (!view_eq(oid, VIEW("\x55\x1d\x11"))) continue;
        if (tag_of(one) == BOOLEAN && !der_take(&one, BOOLEAN, &value)) return false;
        if (names->p || !der_take(&one, OCTETS, &value) || one.n || !der_take(&value, DER_SEQUENCE, names) || value.n)
            return false;
    }
    return true;
}

bool certificate_parse(struct view der, struct certificate *out) {
    struct certificate c = {0};
    struct view outer, r, skipped, validity, extensions, list;
    if (!der_take(&der, DER_SEQUENCE, &outer) || der.n || !der_take(&outer, DER_SEQUENCE, &r)) return false;
    if (tag_of(r) == VERSION && !der_take(&r, VERSION, &skipped)) return false;
    if (!der_take(&r, DER_INTEGER, &skipped) || !der_take(&r, DER_SEQUENCE, &skipped) || /* serialNumber, signature */
        !der_take(&r, DER_SEQUENCE, &c.issuer) || !der_take(&r, DER_SEQUENCE, &validity) ||
        !take_date(&validity, c.not_before) || !take_date(&validity, c.not_after) || validity.n ||
        !der_take(&r, DER_SEQUENCE, &c.subject) || !der_take(&r, DER_SEQUENCE, &skipped)) /* subjectPublicKeyInfo */
        return false;
    while (r.n && tag_of(r) != EXTENSIONS)
        if (!der_take(&r, tag_of(r), &skipped)) return false;
    if (r.n && (!der_take(&r, EXTENSIONS, &extensions) || r.n || !der_take(&extensions, DER_SEQUENCE, &list) ||
                extensions.n || !read_extensions(list, &c.names)))
        return false;
    *out = c;
    return true;
}

bool certificate_has_ip(const struct certificate *c, struct view ip) {
    struct view rest = c->names, name;
    while (rest.n) {
        uint8_t tag = tag_of(rest);
        if (!der_take(&rest, tag, &name)) return false;
        if (tag == IP_ADDRESS && view_eq(name, ip)) return true;
    }
    return false;
}

struct view certificate_common_name(struct view name) {
    struct view organisation = {0}, set, pair, oid, text;
    while (der_take(&name, SET, &set) && der_take(&set, DER_SEQUENCE, &pair) && der_take(&pair, DER_OID, &oid) &&
           der_take(&pair, tag_of(pair), &text)) {
        if (view_eq(oid, VIEW("\x55\x04\x03"))) return text;
        if (view_eq(oid, VIEW("\x55\x04\x0a"))) organisation = text;
    }
    return organisation;
}

static void write_ip(struct view ip, struct writer *out) {
    for (size_t i = 0; i < ip.n; i++) {
        if (i && (ip.n == 4 || i % 2 == 0)) write_u8(out, ip.n == 4 ? '.' : ':');
        if (ip.n == 4)
            write_dec(out, ip.p[i]);
        else
            write_hex(out, view_of(ip.p + i, 1));
    }
}

void certificate_names(const struct certificate *c, struct writer *out) {
    struct view rest = c->names, name, common = certificate_common_name(c->subject);
    size_t from = out->n;
    while (rest.n) {
        uint8_t tag = tag_of(rest);
        if (!der_take(&rest, tag, &name)) break;
        if (tag != DNS_NAME && tag != IP_ADDRESS) continue;
        if (out->n > from) write_text(out, ", ");
        if (tag == DNS_NAME)
            write_bytes(out, name);
        else
            write_ip(name, out);
    }
    if (out->n == from) write_bytes(out, common.n ? common : VIEW("nobody"));
}
