/* guest: messages whole, in parts, behind each other, and what is none; console text without control sequences. */
#include "check.h"

#include "tools/guest.h"

#include <stdio.h>
#include <stdlib.h>

/* The bytes in memory of exactly their size, so that the sanitizer sees a read behind them. */
static bool take(const void *bytes, size_t n, struct guest_message *out, size_t *left, struct err *e) {
    static uint8_t *copy;
    free(copy);
    copy = malloc(n ? n : 1);
    if (n) memcpy(copy, bytes, n);
    struct view rest = view_of(copy, n);
    *e = (struct err){0};
    bool ok = guest_message(&rest, out, e);
    *left = rest.n;
    return ok;
}

TEST(whole) {
    struct guest_message m;
    struct err e;
    size_t left;
    CHECK(take("evidence 3\nabcfailure", 21, &m, &left, &e));
    CHECK(m.kind == GUEST_EVIDENCE && view_is(m.body, "abc") && left == 7);
    CHECK(take("failure 0\n", 10, &m, &left, &e));
    CHECK(m.kind == GUEST_FAILURE && m.body.n == 0 && left == 0);
    CHECK(take("ready 0\nevidence 3\n", 19, &m, &left, &e) && m.kind == GUEST_READY && left == 11);
}

TEST(every_part_waits) {
    static const char whole[] = "evidence 12\nhello\nworld\n";
    struct guest_message m;
    struct err e;
    size_t left;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        CHECK(take(whole, n, &m, &left, &e));
        CHECK(m.kind == GUEST_PART && left == n);
    }
    CHECK(take(whole, sizeof whole - 1, &m, &left, &e) && m.kind == GUEST_EVIDENCE);
}

TEST(refused) {
    static const char *const bad[] = {
        "\n", "evidence\n", "evidence \n", "evidence -1\n", "evidence +1\n", "evidence 01\n", "evidence 1 \n", "evidence 1\r\n", "evidence  1\n",
        "Evidence 1\n", "evidence 4194305\n", "evidence 99999999999999999999\n", "proof 1\n", " evidence 1\n", "evidence 0x1\n", "failure\t1\n",
        "ready 1\n",
        "1234567890123456789012345678901234567890",
    };
    struct guest_message m;
    struct err e;
    size_t left;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!take(bad[i], strlen(bad[i]), &m, &left, &e));
        CHECK(e.kind == ERR_FORMAT && m.kind == GUEST_PART);
    }
    CHECK(!take("evidence 1\0\n", 12, &m, &left, &e));
    CHECK(!take("\x1b[31mred\n", 9, &m, &left, &e));
    CHECK(!strchr(e.text, 0x1b) && strstr(e.text, "\\x1b[31mred"));
}

static void text(const char *in, const char *wanted) {
    for (size_t step = 1; step <= strlen(in); step++) { /* in pieces of every size */
        char state = 0, out[256];
        size_t n = 0;
        for (size_t at = 0; at < strlen(in); at += step) {
            uint8_t piece[256];
            size_t part = strlen(in) - at < step ? strlen(in) - at : step;
            memcpy(piece, in + at, part);
            part = guest_text(&state, piece, part);
            memcpy(out + n, piece, part);
            n += part;
        }
        out[n] = 0;
        CHECK_STR(out, wanted);
    }
}

TEST(console_text) {
    text("plain\r\n\ttext", "plain\n\ttext");
    text("\x1b[2J\x1b[1;31mred\x1b[0m \x1b" "c!", "red !");
    text("a\x07\x08\x7f\xc3\xa9" "b", "ab");
    text("\x1b]0;title\x07" "x", "0;titlex");
    text("\x1b[", "");
}
