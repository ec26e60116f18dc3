/* see toml.h */
#include "format/toml.h"

#include "base/writer.h"

struct parse {
    struct view whole, rest;
    struct writer strings; /* no string is longer than what it was written as */
    struct toml *out;
    size_t table_count;
    struct view tables[TOML_TABLES_MAX]; /* the last is the current one */
    struct err *e;
};

static bool fail(const struct parse *p, const char *why) {
    size_t line = 1;
    for (const uint8_t *b = p->whole.p; b < p->rest.p; b++) line += *b == '\n';
    return err_set(p->e, ERR_FORMAT, "TOML, line %zu: %s", line, why);
}

static uint8_t peek(const struct parse *p) { return p->rest.n ? p->rest.p[0] : 0; }

static struct view take(struct parse *p, size_t n) {
    struct view v = view_first(p->rest, n);
    p->rest = view_skip(p->rest, n);
    return v;
}

/* As many bytes as are of `set`. */
static struct view take_all(struct parse *p, const char *set) {
    size_t n = 0;
    while (n < p->rest.n && strchr(set, p->rest.p[n])) n++;
    return take(p, n);
}

static bool check_text(struct parse *p) {
    for (uint8_t b; p->rest.n; p->rest = view_skip(p->rest, 1))
        if (((b = peek(p)) < 0x20 && b != '\t' && b != '\n') || b == 0x7f)
            return fail(p, "a control character (CR among them)");
    p->rest = p->whole;
    return true;
}

static bool escape(struct parse *p, bool lines) {
    static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    take(p, 1);
    const char *known = peek(p) ? strchr(names, peek(p)) : NULL;
    if (known) return take(p, 1), write_u8(&p->strings, (uint8_t)values[known - names]), true;
    take_all(p, " \t");
    if (!lines || peek(p) != '\n') return fail(p, "an escape other than \\b \\t \\n \\f \\r \\\" \\\\ is not taken");
    return take_all(p, " \t\n"), true;
}

static bool string(struct parse *p, bool one_line, struct view *out) {
    uint8_t quote = peek(p);
    struct view marks = quote == '"' ? VIEW("\"\"\"") : VIEW("'''");
    bool lines = !one_line && view_starts(p->rest, marks);
    size_t at = p->strings.n;
    if (!lines) marks.n = 1;
    take(p, marks.n);
    if (lines && peek(p) == '\n') take(p, 1);
    while (!view_starts(p->rest, marks)) {
        if (!p->rest.n) return fail(p, "a string without an end");
        if (peek(p) == '\n' && !lines) return fail(p, "a string of one line goes on in the next");
        if (peek(p) == '\\' && quote == '"') {
            if (!escape(p, lines)) return false;
        } else
            write_bytes(&p->strings, take(p, 1));
    }
    take(p, marks.n);
    /* Up to two quotes more are the string's own. */
    for (size_t i = 0; i < 2 && lines && peek(p) == quote; i++) write_bytes(&p->strings, take(p, 1));
    *out = view_skip(writer_view(&p->strings), at);
    return true;
}

#define BARE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static bool header(struct parse *p) {
    take(p, 1);
    if (peek(p) == '[') return fail(p, "an array of tables is not taken");
    struct view name = take_all(p, BARE "."), rest = name;
    for (bool more = name.n > 0; more;)
        if (!view_cut(&rest, '.', &more).n) name.n = 0;
    if (!name.n || peek(p) != ']') return fail(p, "a table's name was expected, of bare names and dots");
    take(p, 1);
    for (size_t i = 0; i < p->table_count; i++)
        if (view_eq(p->tables[i], name)) return fail(p, "this table was there before");
    if (p->table_count == TOML_TABLES_MAX) return fail(p, "too many tables");
    p->tables[p->table_count++] = name;
    return true;
}

static bool value(struct parse *p, struct toml_entry *k) {
    if (peek(p) == '"' || peek(p) == '\'') return string(p, false, &k->value);
    k->value = take_all(p, BARE ".:+");
    uint64_t number;
    k->type = view_u64(k->value, INT64_MAX, &number) ? TOML_NUMBER : TOML_BOOLEAN;
    return k->type == TOML_NUMBER || view_is(k->value, "true") || view_is(k->value, "false") ||
           fail(p, peek(p) == '[' ? "an array is not taken" : peek(p) == '{' ? "an inline table is not taken"
                                                            : "only strings, whole numbers, true and false are taken");
}

static bool entry(struct parse *p) {
    struct toml_entry k = {.table = p->table_count ? p->tables[p->table_count - 1] : (struct view){0}};
    bool quoted = peek(p) == '"' || peek(p) == '\'';
    if (quoted && !string(p, true, &k.key)) return false;
    if (!quoted) k.key = take_all(p, BARE);
    if (!k.key.n) return fail(p, "a key was expected");
    take_all(p, " \t");
    if (peek(p) != '=') return fail(p, peek(p) == '.' ? "a dotted key is not taken" : "\"=\" was expected");
    take(p, 1);
    take_all(p, " \t");
    if (toml_find(p->out, k.table, k.key)) return fail(p, "this key was there before");
    if (p->out->count == TOML_ENTRIES_MAX) return fail(p, "too many keys");
    if (!value(p, &k)) return false;
    p->out->entries[p->out->count++] = k;
    return true;
}

bool toml_parse(struct view text, struct arena *a, struct toml *out, struct err *e) {
    struct parse p = {
        .whole = text, .rest = text, .strings = writer_of(arena_alloc(a, text.n), text.n), .out = out, .e = e};
    if (!p.strings.p) return arena_full(a, e);
    out->count = 0;
    if (!check_text(&p)) return false;
    while (p.rest.n) {
        take_all(&p, " \t\n");
        if (p.rest.n && peek(&p) != '#' && !(peek(&p) == '[' ? header(&p) : entry(&p))) return false;
        take_all(&p, " \t");
        if (peek(&p) == '#') view_cut(&p.rest, '\n', NULL);
        else if (p.rest.n && peek(&p) != '\n') return fail(&p, "something follows where the line should end");
    }
    return true;
}

const struct toml_entry *toml_find(const struct toml *t, struct view table, struct view key) {
    for (size_t i = 0; i < t->count; i++)
        if (view_eq(t->entries[i].table, table) && view_eq(t->entries[i].key, key)) return &t->entries[i];
    return NULL;
}
