/* see package_db.h */
#include "oci/package_db.h"

static const char *const names[2][PACKAGE_FIELDS] = {{"Package", "Version", "Architecture", "Source", "Status"},
                                                     {"P", "V", "A", "o", NULL}};

static struct view kept(const struct package_db *db, enum package_db_field f) {
    return view_of(db->field_text[f], db->field[f]);
}

/* Field names are compared without case in dpkg's, and with it in apk's, where "a:" is something else than "A:". */
static bool take_line(struct package_db *db, struct err *e) {
    struct view value = view_of(db->line_text, db->line), name = view_cut(&value, ':', NULL);
    value = view_trim(value);
    for (int f = 0; f < PACKAGE_FIELDS; f++) {
        const char *known = names[db->format][f];
        if (!known || !(db->format == PACKAGE_DB_APK ? view_is(name, known) : view_eq_nocase(name, view_str(known))))
            continue;
        if (db->field[f]) return err_set(e, ERR_FORMAT, "a package has the field %s twice", known);
        if (value.n == 0 || value.n > PACKAGE_FIELD_MAX || db->line == sizeof db->line_text)
            return err_set(e, ERR_FORMAT, "a package's field %s is empty, or longer than %u bytes", known,
                           PACKAGE_FIELD_MAX);
        memcpy(db->field_text[f], value.p, value.n);
        db->field[f] = value.n;
    }
    return true;
}

static bool take_stanza(struct package_db *db, struct package_db_entry *out, bool *got, struct err *e) {
    struct view status = kept(db, PACKAGE_STATUS), version = kept(db, PACKAGE_SOURCE),
                source = view_cut(&version, ' ', NULL);
    if (view_starts(version, VIEW("(")) && view_ends(version, VIEW(")")))
        version = view_of(version.p + 1, version.n - 2);
    *out = (struct package_db_entry){kept(db, PACKAGE_NAME), kept(db, PACKAGE_VERSION), kept(db, PACKAGE_ARCH), source,
                                     version};
    bool any = out->name.n || out->version.n || status.n;
    memset(db->field, 0, sizeof db->field);
    if (!any || view_ends(status, VIEW(" config-files")) || view_ends(status, VIEW(" not-installed"))) return true;
    if (!out->name.n || !out->version.n)
        return err_set(e, ERR_FORMAT, "package '%.*s', version '%.*s': one of them is missing", VIEW_ARG(out->name),
                       VIEW_ARG(out->version));
    *got = true;
    return true;
}

bool package_db_next(struct package_db *db, struct view *rest, bool end, struct package_db_entry *out, bool *got,
                     struct err *e) {
    *got = false;
    while (!*got && (rest->n || end)) {
        bool last = rest->n == 0, line_ends = last || rest->p[0] == '\n';
        if (!line_ends && db->line < sizeof db->line_text) db->line_text[db->line++] = (char)rest->p[0];
        *rest = view_skip(*rest, 1);
        if (!line_ends) continue;
        bool empty = db->line == 0;
        if (!empty && !take_line(db, e)) return false;
        db->line = 0;
        if ((empty || last) && !take_stanza(db, out, got, e)) return false;
        if (last) break;
    }
    return true;
}
