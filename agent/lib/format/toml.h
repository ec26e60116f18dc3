/* toml: the part of TOML 1.0 (toml.io/en/v1.0.0) that Confidential Containers' initdata and the files in it are written
 * in.
 *
 * Taken: comments; tables [a.b] of bare names, each once; keys, bare or quoted, each once in its table; values that are
 * basic or literal strings, of one line or of several, whole numbers without sign, true and false. Everything else of
 * TOML is refused by its name: arrays, inline tables, arrays of tables, dotted keys, dates, floats, \u escapes, CR. So
 * whoever reads all of TOML reads the same from what is taken here, or refuses it: that text is UTF-8, and no key has
 * the name of a table, is not looked after. */
#ifndef PLINTH_FORMAT_TOML_H
#define PLINTH_FORMAT_TOML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/view.h"

#define TOML_ENTRIES_MAX 64u
#define TOML_TABLES_MAX 32u

enum toml_type { TOML_STRING, TOML_NUMBER, TOML_BOOLEAN };

struct toml_entry {
    struct view table, key; /* "a.b" as written, empty at the top; the key without quotes and escapes */
    enum toml_type type;
    struct view value; /* a string decoded, the others as written */
};

struct toml {
    size_t count;
    struct toml_entry entries[TOML_ENTRIES_MAX]; /* in the order of the file */
};

/* Views lie in `text` and in the arena, of which it takes as much as the text is long. ERR_FORMAT with the line. */
bool toml_parse(struct view text, struct arena *a, struct toml *out, struct err *e);

/* The entry of that table and key, or NULL. */
const struct toml_entry *toml_find(const struct toml *t, struct view table, struct view key);

#endif
