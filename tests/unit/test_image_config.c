#include "lib.h"

#include "oci/image_config.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ROOTFS "'rootfs':{'type':'layers','diff_ids':['sha256:" HEX "']}"
#define OS "'os':'linux','architecture':'amd64'"

static const struct platform amd64 = {"linux", "amd64", ""};
static struct image_config c;

static bool parse(const char *text, size_t layers)
{
    fresh();
    return image_config_parse(quoted(text), layers, &amd64, &arena, &c, &err);
}

TEST(recorded)
{
    char text[DIGEST_TEXT_SIZE];
    fresh();
    CHECK(image_config_parse(vector("manifest/c2-sig.config.json"), 1, &amd64, &arena, &c, &err));
    CHECK(view_is(c.os, "linux") && view_is(c.architecture, "amd64") && c.variant.n == 0 && c.user.n == 0);
    CHECK(c.env.count == 1 && view_is(c.env.items[0], "SET=dev") && c.entrypoint.count == 1 && view_is(c.entrypoint.items[0], "/bin/sh"));
    CHECK(c.cmd.count == 2 && view_is(c.cmd.items[1], "cat /etc/motd") && c.diff_id_count == 1);
    CHECK_STR(digest_text(&c.diff_ids[0], text), "sha256:58f5c2a45059cf24732b2ea0d5ea92fdaf6d2ca333bd2614efb94d74a57af525");
    CHECK(image_config_parse(vector("manifest/docker-v2s2.config.json"), 1, &amd64, &arena, &c, &err));
    CHECK(image_config_parse(vector("manifest/s-control.config.json"), 1, &amd64, &arena, &c, &err));
    CHECK(!image_config_parse(vector("manifest/s-diffcount.config.json"), 1, &amd64, &arena, &c, &err) && err_status(&err) == 1);
    CHECK_ERR("rootfs.diff_ids has 2 entries, the manifest has 1 layers");
}

TEST(members)
{
    CHECK(parse("{" OS ",'variant':'v3','config':{'User':'1:2','WorkingDir':'/w','StopSignal':'SIGQUIT','Env':['A=','B==','C=a=b'],"
                "'Entrypoint':[],'Cmd':[''],'Volumes':{'/v':{}},'Healthcheck':{}}," ROOTFS "}", 1));
    CHECK(view_is(c.user, "1:2") && view_is(c.working_dir, "/w") && view_is(c.stop_signal, "SIGQUIT") && view_is(c.variant, "v3"));
    CHECK(c.env.count == 3 && c.entrypoint.count == 0 && c.cmd.count == 1 && c.cmd.items[0].n == 0);
    CHECK(parse("{" OS ",'config':{'User':null,'WorkingDir':null,'Env':null,'Entrypoint':null,'Cmd':null,'StopSignal':null}," ROOTFS "}", 1));
    CHECK(parse("{" OS ",'config':null," ROOTFS "}", 1) && parse("{" OS "," ROOTFS "}", 1) && c.env.count == 0);
}

TEST(refused)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"[]", "not a JSON object"},
        {"{" ROOTFS "}", "os is missing"},
        {"{'os':'linux'," ROOTFS "}", "architecture is missing"},
        {"{'os':'windows','architecture':'amd64'," ROOTFS "}", "is for windows/amd64, this machine is linux/amd64"},
        {"{'os':'linux','architecture':'arm64'," ROOTFS "}", "is for linux/arm64"},
        {"{" OS "}", "rootfs is missing"},
        {"{" OS ",'rootfs':{'diff_ids':[]}}", "rootfs.type is missing"},
        {"{" OS ",'rootfs':{'type':'x','diff_ids':['sha256:" HEX "']}}", "rootfs.type is 'x'"},
        {"{" OS ",'rootfs':{'type':'layers'}}", "rootfs.diff_ids is missing"},
        {"{" OS ",'rootfs':{'type':'layers','diff_ids':[]}}", "has 0 entries, the manifest has 1 layers"},
        {"{" OS ",'rootfs':{'type':'layers','diff_ids':[7]}}", "rootfs.diff_ids[0]: "},
        {"{" OS ",'rootfs':{'type':'layers','diff_ids':['sha512:" HEX "']}}", "algorithm must be sha256"},
        {"{" OS ",'config':[]," ROOTFS "}", "config must be an object"},
        {"{" OS ",'config':{'User':7}," ROOTFS "}", "config.User must be a string"},
        {"{" OS ",'config':{'Entrypoint':'/bin/sh'}," ROOTFS "}", "config.Entrypoint must be an array"},
        {"{" OS ",'config':{'Cmd':['a',1]}," ROOTFS "}", "config.Cmd[1] is not a string"},
        {"{" OS ",'config':{'Cmd':['a\\u0000b']}," ROOTFS "}", "NUL"},
        {"{" OS ",'config':{'Env':['A=1','B']}," ROOTFS "}", "config.Env[1] is 'B', NAME=value is expected"},
        {"{" OS ",'config':{'Env':['=x']}," ROOTFS "}", "config.Env[0] is '=x'"},
        {"{" OS ",'config':{'Env':['']}," ROOTFS "}", "config.Env[0] is ''"},
        {"{" OS ",'config':{'User':'a','User':'root'}," ROOTFS "}", "is there twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(bad[i].text, 1))
            check_fail("%s was accepted", bad[i].text);
        CHECK(err_status(&err) == 1);
        CHECK_ERR(bad[i].why);
    }
    CHECK(!parse("{" OS "," ROOTFS "}", 2) && !parse("{" OS "," ROOTFS "}", 0));
}

TEST(long_lists)
{
    for (unsigned n = ARGS_MAX; n <= ARGS_MAX + 1; n++) {
        fresh();
        char *text = arena_alloc(&arena, 100000);
        strcpy(text, "{" OS "," ROOTFS ",'config':{'Cmd':[");
        for (unsigned i = 0; i < n; i++)
            strcat(text, i ? ",'x'" : "'x'");
        strcat(text, "]}}");
        CHECK(image_config_parse(quoted(text), 1, &amd64, &arena, &c, &err) == (n == ARGS_MAX));
    }
    CHECK_ERR("config.Cmd has 1025 items, 1024 are accepted");
}

static bool accepts(struct view v)
{
    arena.used = 1 << 20;
    memset(arena.base + arena.used, 0, 1 << 16);
    return image_config_parse(v, 1, &amd64, &arena, &c, &err);
}

TEST(broken_sisters)
{
    fresh();
    struct view v = vector("manifest/c2-sig.config.json");
    broken(v, v.n - 1, accepts); // it ends in a new line
}
