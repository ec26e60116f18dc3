#include "lib.h"

#include "oci/digest.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TEST(text_and_back)
{
    struct digest d, other;
    char text[DIGEST_TEXT_SIZE];
    CHECK(digest_parse(VIEW("sha256:" HEX), &d, &err) && d.sha256[0] == 0xe3 && d.sha256[31] == 0x55);
    CHECK_STR(digest_text(&d, text), "sha256:" HEX);
    other = d;
    CHECK(digest_eq(&d, &other));
    other.sha256[31] ^= 1;
    CHECK(!digest_eq(&d, &other));
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "sha256:<64 hex digits> is expected"},
        {HEX, "sha256:<64 hex digits> is expected"},
        {"sha256:", "64 hex digits"},
        {"sha256:e3b0", "64 hex digits"},
        {"sha256:" HEX "0", "64 hex digits"},
        {"sha512:" HEX HEX, "algorithm must be sha256"},
        {"SHA256:" HEX, "algorithm must be sha256"},
        {" sha256:" HEX, "algorithm must be sha256"},
        {"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "lower case"},
        {"sha256:../../../../../../../../../../../../../../../etc/passwd000000000", "only digits 0-9 and a-f"},
        {"sha256::e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", "only digits"},
        {"sha256+b64:" HEX, "algorithm must be sha256"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct digest d, before;
        memset(&d, 7, sizeof d);
        before = d;
        CHECK(!digest_parse(view_str(bad[i].text), &d, &err) && err.kind == ERR_DIGEST && digest_eq(&d, &before));
        CHECK_ERR(bad[i].why);
    }
}

static bool accepts(struct view v)
{
    struct digest d;
    return digest_parse(v, &d, &err);
}

TEST(cut_and_flipped)
{
    struct view v = VIEW("sha256:" HEX);
    CHECK(broken(v, v.n, accepts) > 0); // another digit is another digest
}
