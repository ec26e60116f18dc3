/* see guest.h */
#include "tools/guest.h"

bool guest_message(struct view *rest, struct guest_message *out, struct err *e) {
    bool whole;
    uint64_t size;
    struct view body = *rest, head = view_cut(&body, '\n', &whole);
    struct view number = head, what = view_cut(&number, ' ', NULL);
    *out = (struct guest_message){GUEST_PART, {0}};
    if (!whole && head.n < GUEST_LINE_MAX) return true;
    enum guest_kind kind = view_is(what, "ready")      ? GUEST_READY
                           : view_is(what, "evidence") ? GUEST_EVIDENCE
                           : view_is(what, "failure")  ? GUEST_FAILURE
                                                       : GUEST_PART;
    if (!whole || kind == GUEST_PART || !view_u64(number, kind == GUEST_READY ? 0 : GUEST_MESSAGE_MAX, &size)) {
        struct view shown = view_first(head, GUEST_LINE_MAX);
        return err_set(e, ERR_FORMAT, "the machine does not speak the protocol of the port dev.plinth.attest: '%.*s'", VIEW_ARG(shown));
    }
    if (body.n < size) return true;
    *out = (struct guest_message){kind, view_first(body, size)};
    *rest = view_skip(body, size);
    return true;
}

size_t guest_text(char *state, uint8_t *p, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if (*state == 'e') *state = c == '[' ? '[' : 0;
        else if (*state == '[') *state = c >= 0x40 && c <= 0x7e ? 0 : '[';
        else if (c == 0x1b) *state = 'e';
        else if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f)) p[kept++] = c;
    }
    return kept;
}
