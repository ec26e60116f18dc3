// oci/layer: which names a layer may have, what whiteouts say, where symlinks may point.
#include "lib.h"

#include "oci/layer.h"

static struct layer_path path;

static bool parse(const char *name)
{
    return layer_path_parse(view_str(name), &path, &err);
}

static void check_path(const char *name, enum layer_path_kind kind, const char *text, size_t parent_n, const char *base)
{
    if (!parse(name))
        check_fail("\"%s\" is refused: %s", name, err.text);
    CHECK_EQ(path.kind, kind);
    CHECK_STR(path.text, text);
    CHECK_EQ(path.parent_n, parent_n);
    CHECK_STR(path.base, base);
}

TEST(ordinary_names)
{
    check_path("a", LAYER_ENTRY, "a", 0, "a");
    check_path("a/b/c", LAYER_ENTRY, "a/b/c", 3, "c");
    check_path("./a/b", LAYER_ENTRY, "a/b", 1, "b");
    check_path("a//b/./c//", LAYER_ENTRY, "a/b/c", 3, "c");
    check_path("...", LAYER_ENTRY, "...", 0, "...");
    check_path("..a/b..", LAYER_ENTRY, "..a/b..", 3, "b..");
    check_path(".wh", LAYER_ENTRY, ".wh", 0, ".wh");
    check_path("wh.a", LAYER_ENTRY, "wh.a", 0, "wh.a");
    check_path("\xff\x01/\n", LAYER_ENTRY, "\xff\x01/\n", 2, "\n");
    CHECK_EQ((parse("a/b/c"), path.depth), 3);
}

TEST(the_root)
{
    const char *names[] = {".", "./", "/", "//", "/.", "./.", "././/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_path(names[i], LAYER_ROOT, "", 0, "");
}

TEST(whiteouts)
{
    check_path(".wh.a", LAYER_WHITEOUT, ".wh.a", 0, "a");
    check_path("d/.wh.a/", LAYER_WHITEOUT, "d/.wh.a", 1, "a");
    check_path("d/.wh..a", LAYER_WHITEOUT, "d/.wh..a", 1, ".a");
    check_path(".wh.....", LAYER_WHITEOUT, ".wh.....", 0, "....");
    check_path(".wh..wh.", LAYER_IGNORED, ".wh..wh.", 0, ".wh..wh.");
    check_path("d/e/.wh..wh..opq", LAYER_OPAQUE, "d/e/.wh..wh..opq", 3, "");
    check_path(".wh..wh..opq", LAYER_OPAQUE, ".wh..wh..opq", 0, "");
    check_path(".wh..wh..opq/x", LAYER_IGNORED, ".wh..wh..opq/x", 12, "x");
    check_path(".wh..wh.plnk/1.2", LAYER_IGNORED, ".wh..wh.plnk/1.2", 12, "1.2");
    check_path(".wh..wh.plnk/.wh..wh..opq", LAYER_IGNORED, ".wh..wh.plnk/.wh..wh..opq", 12, ".wh..wh..opq");
    check_path(LAYER_NODE_IMPLIED, LAYER_IGNORED, LAYER_NODE_IMPLIED, 0, LAYER_NODE_IMPLIED);
}

TEST(refused_names)
{
    const char *const cases[][2] = {
        {"", "empty"}, {"/a", "absolute"}, {"//a/", "absolute"}, {"..", "\"..\""}, {"../a", "\"..\""}, {"a/..", "\"..\""},
        {"a/../b", "\"..\""}, {"./../a", "\"..\""}, {"/..", "absolute"}, {".wh.", "whiteout of \"\""}, {".wh..", "whiteout of \".\""},
        {".wh...", "whiteout of \"..\""}, {"a/.wh.", "whiteout"}, {".wh.a/b", "below the name of a whiteout"},
        {"d/.wh.a/.wh..wh..opq", "below the name of a whiteout"}, {".wh./a", "below the name of a whiteout"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (parse(cases[i][0]))
            check_fail("\"%s\" is taken", cases[i][0]);
        CHECK_EQ(err.kind, ERR_FORMAT);
        CHECK_ERR(cases[i][1]);
    }
    CHECK(!layer_path_parse(VIEW("a\0b"), &path, &err));
    CHECK_ERR("NUL");
}

TEST(lengths)
{
    static char name[LAYER_PATH_MAX + 2];
    memset(name, 'n', 256);
    CHECK(!layer_path_parse(view_of(name, 256), &path, &err));
    CHECK_ERR("256 bytes");
    CHECK(layer_path_parse(view_of(name, 255), &path, &err));
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '/' : 'd';
    CHECK(layer_path_parse(view_of(name, 509), &path, &err));
    CHECK_EQ(path.depth, 255);
    CHECK(!layer_path_parse(view_of(name, 511), &path, &err));
    CHECK_ERR("255 directories");
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 200 == 199 ? '/' : 'd';
    CHECK(layer_path_parse(view_of(name, LAYER_PATH_MAX), &path, &err));
    CHECK_EQ(strlen(path.text), LAYER_PATH_MAX);
    CHECK(!layer_path_parse(view_of(name, LAYER_PATH_MAX + 1), &path, &err));
    CHECK_ERR("4097 bytes");
}

static bool link_ok(const char *at, const char *target)
{
    CHECK(parse(at));
    return layer_symlink_check(&path, view_str(target), &err);
}

TEST(symlink_targets)
{
    CHECK(link_ok("a", "b") && link_ok("a", "./b/../c") && link_ok("a", "/etc/passwd") && link_ok("a", "/../..") && link_ok("a", "."));
    CHECK(link_ok("d/a", "..") && link_ok("d/e/a", "../../b") && link_ok("d/a", "b/c/../../../x") && link_ok("a", "b//../c"));
    CHECK(link_ok("d//./e/a", "../.."));
    CHECK(!link_ok("a", "..") && !link_ok("a", "../b") && !link_ok("a", "b/../../c") && !link_ok("d/a", "../../x"));
    CHECK_ERR("../../x, which is above");
    CHECK(!link_ok("d/a", "./.././../x") && !link_ok("a", "x/../../a/b"));
    CHECK(!link_ok("a", ""));
    CHECK_ERR("without a target");
    CHECK(!layer_symlink_check(&path, VIEW("a\0b"), &err));
    CHECK_ERR("NUL");
    static char text[LAYER_SYMLINK_MAX + 1];
    memset(text, 'x', sizeof text);
    CHECK(layer_symlink_check(&path, view_of(text, LAYER_SYMLINK_MAX), &err));
    CHECK(!layer_symlink_check(&path, view_of(text, LAYER_SYMLINK_MAX + 1), &err));
    CHECK_ERR("4096 bytes");
}

// Whatever is made of a name: what is accepted has no way up, no empty component, and its base at the end.
TEST(every_flip_holds_the_rules)
{
    static const char name[] = "./dd/../e/.wh..wh..opq/.wh.f";
    for (size_t n = 1; n < sizeof name; n++)
        for (size_t bit = 0; bit < n * 8; bit++) {
            char copy[sizeof name];
            memcpy(copy, name, sizeof copy);
            copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
            if (!layer_path_parse(view_of(copy, n), &path, &err))
                continue;
            char framed[LAYER_PATH_MAX + 3];
            snprintf(framed, sizeof framed, "/%s/", path.text);
            CHECK(!strstr(framed, "/../") && !strstr(framed, "/./") && (path.depth == 0 || !strstr(framed, "//")));
            CHECK(path.base >= path.text && path.base + strlen(path.base) == path.text + strlen(path.text));
            CHECK(path.parent_n <= strlen(path.text));
        }
}
