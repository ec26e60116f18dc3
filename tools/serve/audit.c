/* see audit.h */
#include "tools/serve/audit.h"

#include "base/writer.h"
#include "crypto/hash.h"
#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_SIZE 8192u /* a path of 1 KiB and a reason of 1.3, each character escaped */

bool audit_open(struct audit *a, const char *path, struct err *e) {
    *a = (struct audit){.fd = -1};
    pthread_mutex_init(&a->lock, NULL);
    if (!path) return true;
    a->fd = strcmp(path, "-") ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : dup(1);
    return a->fd >= 0 || err_set(e, ERR_USAGE, "cannot open the audit log %s: %s", path, strerror(errno));
}

void audit_close(struct audit *a) {
    if (a->fd >= 0) close(a->fd);
    a->fd = -1;
}

static void put(struct writer *w, const char *name, struct view text) {
    uint8_t clean[2048];
    struct writer c = writer_of(clean, sizeof clean);
    for (size_t i = 0; i < text.n && !c.full; i++) write_u8(&c, text.p[i] < 0x7f ? text.p[i] : '?');
    write_member(w, name);
    write_json_string(w, writer_view(&c));
}

bool audit_write(struct audit *a, const struct audit_line *line) {
    char when[32], reason[sizeof line->why->text + sizeof line->why->trail + 8] = "";
    uint8_t text[LINE_MAX_SIZE], digest[32], what[1200];
    time_t now = time(NULL);
    struct tm tm;
    struct err e;
    struct writer w = writer_of(text, sizeof text), hex = writer_of(what, 16),
                  name = writer_of(what + 16, sizeof what - 16);
    if (a->fd < 0) return true;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    if (line->why && line->why->kind) err_line(line->why, reason, sizeof reason);
    if (line->session) {
        hash_once(HASH_SHA256, view_of(line->session, TICKET_SESSION_SIZE), digest);
        write_hex(&hex, view_of(digest, 8));
    }
    write_text(&name, line->what);
    if (line->path.n) write_u8(&name, ' ');
    write_bytes(&name, line->path);
    write_u8(&w, '{');
    put(&w, "time", view_str(when));
    put(&w, "peer", view_str(line->peer));
    if (line->session) put(&w, "session", writer_view(&hex));
    if (line->tee) put(&w, "tee", view_str(line->tee));
    put(&w, "what", writer_view(&name));
    put(&w, "verdict", view_str(line->verdict));
    for (const char *const *of = (const char *const[]){"stage", "manifest", "policy", NULL}; *of; of++)
        if (json_get(line->claims, *of)) put(&w, *of, json_text(json_get(line->claims, *of)));
    if (reason[0]) put(&w, "reason", view_str(reason));
    write_text(&w, "}\n");
    if (w.full) return false;
    pthread_mutex_lock(&a->lock);
    bool ok = file_put(a->fd, writer_view(&w), &e);
    pthread_mutex_unlock(&a->lock);
    return ok;
}
