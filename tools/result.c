/* see result.h */
#include "tools/result.h"

#include "tools/options.h"

#include <stdio.h>
#include <unistd.h>

static void member(struct result *r, const char *name) {
    if (!r->first) write_text(&r->out, ",");
    r->first = false;
    if (!name) return;
    write_json_string(&r->out, view_str(name));
    write_text(&r->out, ":");
}

void result_text(struct result *r, const char *name, const char *text) {
    member(r, name);
    if (text) write_json_string(&r->out, view_str(text));
    else write_text(&r->out, "null");
}

void result_hex(struct result *r, const char *name, struct view bytes) {
    member(r, name);
    write_text(&r->out, bytes.n ? "\"" : "null");
    write_hex(&r->out, bytes);
    write_text(&r->out, bytes.n ? "\"" : "");
}

void result_number(struct result *r, const char *name, bool known, uint64_t value) {
    member(r, name);
    if (known) write_dec(&r->out, value);
    else write_text(&r->out, "null");
}

void result_bool(struct result *r, const char *name, bool known, bool value) {
    member(r, name);
    write_text(&r->out, !known ? "null" : value ? "true" : "false");
}

void result_open(struct result *r, const char *name, char bracket) {
    member(r, name);
    write_u8(&r->out, (uint8_t)bracket);
    r->first = true;
}

void result_close(struct result *r, char bracket) {
    write_u8(&r->out, (uint8_t)bracket);
    r->first = false;
}

void result_members_begin(struct result *r) {
    r->out = writer_of(r->buffer, sizeof r->buffer);
    r->first = true;
}

void result_members(struct result *r, const struct result *members) {
    if (!members->out.n) return;
    member(r, NULL);
    write_bytes(&r->out, writer_view(&members->out));
    r->out.full |= members->out.full;
}

void result_begin(struct result *r, const struct err *e) {
    char line[sizeof e->text + sizeof e->trail + 4];
    result_members_begin(r);
    err_line(e, line, sizeof line);
    result_open(r, NULL, '{');
    result_text(r, "verdict", verdict_name(e));
    result_text(r, "reason", e->kind == ERR_NONE ? NULL : line);
    result_text(r, "mend", e->kind == ERR_NONE || !e->mend[0] ? NULL : e->mend);
}

int result_end(struct result *r, int status) {
    result_close(r, '}');
    write_text(&r->out, "\n");
    if (r->out.full || fwrite(r->out.p, 1, r->out.n, stdout) != r->out.n || fflush(stdout)) return 3;
    return status;
}
