// base: view, reader, writer, codec, arena, err.
#include "lib.h"

#include <errno.h>

#include "base/codec.h"
#include "base/reader.h"
#include "base/writer.h"

TEST(words)
{
    CHECK(view_is_word(VIEW("azAZ09-."), "-.") && view_is_word(VIEW(""), "") && !view_is_word(VIEW("a_b"), "-.") && !view_is_word(VIEW("-"), ""));
    static const char edges[] = "@[`{/:\0\x80\xc1";
    for (size_t i = 0; i < sizeof edges - 1; i++) CHECK(!view_is_word(view_of(edges + i, 1), "-."));
}

TEST(hex_is_lower_case_and_exact)
{
    uint8_t out[2] = {7, 7};
    CHECK(hex_decode(VIEW("00ff"), out, 2) && out[0] == 0 && out[1] == 255);
    CHECK(hex_decode(VIEW("9a"), out, 1) && out[0] == 0x9a);
    out[0] = out[1] = 7;
    const char *bad[] = {"", "0", "00f", "00fff", "00FF", "00fg", "0 ff", "00f/", "00f:", "00f`", "00\xff\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!hex_decode(view_str(bad[i]), out, 2) && out[0] == 7 && out[1] == 7);
    CHECK(hex_decode(VIEW(""), out, 0));
}

TEST(base64_of_rfc4648)
{
    const char *plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    const char *coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t i = 0; i < 7; i++) {
        uint8_t out[16], text[16];
        size_t n = 99;
        CHECK(base64_decode(view_str(coded[i]), out, sizeof out, &n) && view_is(view_of(out, n), plain[i]));
        CHECK(base64_decode(view_str(coded[i]), out, strlen(plain[i]), &n));
        if (*plain[i])
            CHECK(!base64_decode(view_str(coded[i]), out, strlen(plain[i]) - 1, &n));
        struct view bare = view_str(coded[i]);
        while (view_ends(bare, VIEW("=")))
            bare.n--;
        CHECK(base64url_decode(bare, out, sizeof out, &n) && view_is(view_of(out, n), plain[i]));
        struct writer w = writer_of(text, sizeof text);
        write_base64(&w, view_str(plain[i]));
        CHECK(!w.full && view_is(writer_view(&w), coded[i]));
    }
}

TEST(base64url_there_and_back)
{
    static const char *const text[] = {"", "_w", "__4", "-_-_", "Zm9v-A"};
    static const char *const bytes[] = {"", "\xff", "\xff\xfe", "\xfb\xff\xbf", "foo\xf8"};
    uint8_t out[16];
    size_t n;
    for (size_t i = 0; i < 5; i++) {
        struct writer w = writer_of(out, sizeof out);
        write_text(&w, "+/="); // what was written before stays
        write_base64url(&w, view_str(bytes[i]));
        CHECK(view_starts(writer_view(&w), VIEW("+/=")) && view_is(view_skip(writer_view(&w), 3), text[i]));
        CHECK(base64url_decode(view_str(text[i]), out, sizeof out, &n) && view_is(view_of(out, n), bytes[i]));
    }
    struct writer small = writer_of(out, 5);
    write_base64url(&small, VIEW("1234"));
    CHECK(small.full);
}

TEST(base64_refuses_second_spellings)
{
    uint8_t out[64];
    size_t n;
    const char *bad[] = {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "=", "Zm9v\n", " Zm9v", "Zm9-", "Zm_v", "Zm9v=", "Z=9v",
                         "Zg==Zg==", "Zm9vZg==\n", "Zm8=Zm8="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(view_str(bad[i]), out, sizeof out, &n))
            check_fail("'%s' was accepted", bad[i]);
    const char *bad_url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9v "};
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++)
        if (base64url_decode(view_str(bad_url[i]), out, sizeof out, &n) && strcmp(bad_url[i], "Zm9") != 0)
            check_fail("'%s' was accepted", bad_url[i]);
    CHECK(base64url_decode(VIEW("-_8"), out, sizeof out, &n) && n == 2 && out[0] == 0xfb && out[1] == 0xff);
    CHECK(base64_decode(VIEW("+/8="), out, sizeof out, &n) && n == 2 && out[0] == 0xfb && out[1] == 0xff);
}

TEST(base64_in_place)
{
    uint8_t text[] = "Zm9vYmFy";
    size_t n;
    CHECK(base64_decode(view_of(text, 8), text, 8, &n) && view_is(view_of(text, n), "foobar"));
}

TEST(reader_is_sticky)
{
    struct reader r = reader_of(VIEW("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"));
    CHECK_EQ(read_u8(&r), 1);
    CHECK_EQ(read_be16(&r), 0x0203);
    CHECK_EQ(read_le16(&r), 0x0504);
    CHECK_EQ(read_be32(&r), 0x06070809);
    CHECK_EQ(read_le32(&r), 0x0d0c0b0a);
    CHECK(!r.bad && !reader_done(&r));
    CHECK_EQ(read_be32(&r), 0);
    CHECK(r.bad);
    CHECK_EQ(read_u8(&r), 0);
    CHECK(read_bytes(&r, 0).n == 0 && r.bad && !reader_done(&r));
    r = reader_of(VIEW("\x80\0\0\0\0\0\0\x01\x01\0\0\0\0\0\0\x80"));
    CHECK(read_be64(&r) == 0x8000000000000001 && read_le64(&r) == 0x8000000000000001 && reader_done(&r));
    r = reader_of((struct view){0});
    CHECK(reader_done(&r) && read_bytes(&r, SIZE_MAX).n == 0 && r.bad);
}

TEST(writer_is_bounded)
{
    char b[8];
    struct writer w = writer_of(b, sizeof b);
    write_be32(&w, 0x01020304);
    write_le16(&w, 0x0605);
    write_u8(&w, 7);
    CHECK(!w.full && memcmp(b, "\1\2\3\4\5\6\7", 7) == 0);
    CHECK(writer_str(&w) != NULL && w.n == 7);
    write_be16(&w, 1);
    CHECK(w.full && w.n == 7 && writer_str(&w) == NULL);
    write_u8(&w, 8);
    CHECK(w.full && w.n == 7);
    w = writer_of(NULL, 0);
    write_bytes(&w, (struct view){0});
    CHECK(!w.full);
}

TEST(writer_texts)
{
    char b[200];
    struct writer w = writer_of(b, sizeof b);
    write_hex(&w, VIEW("\x00\xff\x1a"));
    write_u8(&w, ' ');
    write_dec(&w, 0);
    write_u8(&w, ' ');
    write_dec(&w, UINT64_MAX);
    write_u8(&w, ' ');
    write_json_string(&w, VIEW("a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\0z"));
    CHECK_STR(writer_str(&w), "00ff1a 0 18446744073709551615 \"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\\u0000z\"");
    w = writer_of(b, sizeof b);
    write_be64(&w, 0x0102030405060708);
    write_le64(&w, 0x0102030405060708);
    write_le32(&w, 0x01020304);
    CHECK(view_is(writer_view(&w), "\1\2\3\4\5\6\7\10\10\7\6\5\4\3\2\1\4\3\2\1"));
}

TEST(views)
{
    struct view rest = VIEW("a,b,,c");
    bool found;
    CHECK(view_is(view_cut(&rest, ',', &found), "a") && found);
    CHECK(view_is(view_cut(&rest, ',', NULL), "b"));
    CHECK(view_is(view_cut(&rest, ',', &found), "") && found);
    CHECK(view_is(view_cut(&rest, ',', &found), "c") && !found && rest.n == 0);
    CHECK(view_is(view_cut(&rest, ',', &found), "") && !found);
    CHECK(view_is(view_trim(VIEW(" \t\r\n x y \n")), "x y") && view_trim(VIEW(" \n")).n == 0 && view_trim((struct view){0}).n == 0);
    CHECK(view_starts(VIEW("abc"), VIEW("ab")) && !view_starts(VIEW("a"), VIEW("ab")) && view_starts((struct view){0}, VIEW("")));
    CHECK(view_ends(VIEW("abc"), VIEW("bc")) && !view_ends(VIEW("c"), VIEW("bc")) && view_ends((struct view){0}, VIEW("")));
    CHECK(view_skip(VIEW("abc"), 9).n == 0 && view_is(view_skip(VIEW("abc"), 2), "c") && view_is(view_first(VIEW("abc"), 9), "abc"));
    CHECK(view_eq_nocase(VIEW("Content-TYPE"), VIEW("content-type")) && !view_eq_nocase(VIEW("a"), VIEW("ab")) && !view_eq_nocase(VIEW("@"), VIEW("`")));
    CHECK(view_eq((struct view){0}, VIEW("")));
}

TEST(numbers)
{
    uint64_t n = 5;
    CHECK(view_u64(VIEW("0"), 0, &n) && n == 0);
    CHECK(view_u64(VIEW("18446744073709551615"), UINT64_MAX, &n) && n == UINT64_MAX);
    const char *bad[] = {"", "00", "01", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999", "1a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!view_u64(view_str(bad[i]), UINT64_MAX, &n) && n == UINT64_MAX);
    CHECK(!view_u64(VIEW("8"), 7, &n) && view_u64(VIEW("7"), 7, &n));
    char s[4] = "zzz";
    CHECK(view_to_str(VIEW("abc"), s, 4) && !strcmp(s, "abc") && !view_to_str(VIEW("abcd"), s, 4) && !view_to_str(VIEW("a\0b"), s, 4));
    CHECK(view_to_str((struct view){0}, s, 1) && s[0] == 0);
}

TEST(arena_is_bounded_and_aligned)
{
    struct arena a;
    CHECK(arena_make(&a, 4096, &err));
    uint8_t *p = arena_alloc(&a, 1), *q = arena_alloc(&a, 17), *r = arena_alloc(&a, 0);
    CHECK(p && q == p + 16 && r == p + 48 && ((uintptr_t)p & 15) == 0);
    CHECK(arena_alloc(&a, 4096) == NULL && arena_alloc(&a, SIZE_MAX) == NULL && arena_alloc(&a, SIZE_MAX - 8) == NULL);
    CHECK(arena_str(&a, VIEW("a\0b")) == NULL && !strcmp(arena_str(&a, VIEW("ab")), "ab") && !strcmp(arena_str(&a, VIEW("")), ""));
    CHECK(view_is(arena_copy(&a, VIEW("xyz")), "xyz"));
    size_t left = a.size - a.used;
    uint8_t *last = arena_alloc(&a, left);
    CHECK(last && last[left - 1] == 0 && arena_alloc(&a, 1) == NULL && arena_copy(&a, VIEW("x")).p == NULL);
    CHECK(!arena_full(&a, &err) && err.kind == ERR_SYSTEM && strstr(err.text, "4096"));
    arena_drop(&a);
    arena_drop(&a);
}

TEST(errors_chain_and_escape)
{
    char line[1200];
    CHECK(!err_set(&err, ERR_DIGEST, "layer is %s\n\x1b[31m\xc3\xa9", "bad"));
    CHECK(!err_in(&err, "layer %d of %d", 3, 7) && !err_in(&err, "fetch"));
    err_line(&err, line, sizeof line);
    CHECK_STR(line, "fetch: layer 3 of 7: layer is bad\\x0a\\x1b[31m\\xc3\\xa9");
    CHECK(!err_mend(&err, "first") && !err_mend(&err, "second") && !strcmp(err.mend, "first"));
    CHECK_EQ(err_status(&err), 1);
    errno = ENOSPC;
    CHECK(!err_sys(&err, "write") && err.sys == ENOSPC && err_status(&err) == 3 && !err.trail[0] && !err.mend[0]);
    CHECK_STR(err.text, "write: No space left on device");
    CHECK(!err_set(&err, ERR_USAGE, "x") && err_status(&err) == 2);
    CHECK(!err_set(&err, ERR_NETWORK, "x") && err_status(&err) == 3);
}

TEST(errors_are_bounded)
{
    char big[4000], line[64];
    memset(big, '\x01', sizeof big - 1);
    big[sizeof big - 1] = 0;
    err_set(&err, ERR_FORMAT, "%s", big);
    CHECK(strlen(err.text) < sizeof err.text);
    errno = EIO;
    err_sys(&err, "%s", big);
    for (int i = 0; i < 100; i++)
        err_in(&err, "%s", big);
    CHECK(strlen(err.trail) < sizeof err.trail);
    err_mend(&err, "%s", big);
    CHECK(strlen(err.mend) < sizeof err.mend);
    err_line(&err, line, sizeof line);
    CHECK(strlen(line) == sizeof line - 1);
    // The outermost step is what is kept.
    err_set(&err, ERR_FORMAT, "x");
    for (int i = 0; i < 40; i++)
        err_in(&err, "step number %d", i);
    CHECK(strncmp(err.trail, "step number 39: step number 38: ", 32) == 0);
}
