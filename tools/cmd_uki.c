/* cmd_uki: plinth uki. */
#include "sys/console.h"
#include "tools/file.h"
#include "tools/options.h"
#include "tools/result.h"
#include "tools/simtee.h"
#include "tools/uki.h"

#include <unistd.h>

struct command {
    const char *kernel, *initrd, *cmdline, *osrel, *uname, *stub, *path;
    bool json;
};

static bool optional_file(const char *what, const char *path, struct arena *a, struct view *out, struct err *e) {
    return !path || file_read(what, path, UKI_FILE_MAX, a, out, e);
}

static bool make(const struct command *c, struct arena *a, struct view *image, struct err *e) {
    struct uki_parts parts = {0};
    if (!c->path || !c->kernel || !c->initrd || !c->cmdline)
        return err_set(e, ERR_USAGE, "%s is missing",
                       !c->kernel    ? "--kernel FILE"
                       : !c->initrd  ? "--initrd FILE"
                       : !c->cmdline ? "--cmdline TEXT"
                                     : "-o FILE");
    if (!c->stub && access(UKI_STUB, R_OK) < 0) {
        err_set(e, ERR_USAGE, "no stub: %s is not there", UKI_STUB);
        return err_mend(e, "apt-get install systemd-boot-efi, or --stub FILE");
    }
    parts.cmdline = view_str(c->cmdline);
    if (c->uname) parts.uname = view_str(c->uname);
    return arena_make(a, UKI_ARENA, e) &&
           file_read("stub", c->stub ? c->stub : UKI_STUB, UKI_FILE_MAX, a, &parts.stub, e) &&
           file_read("kernel", c->kernel, UKI_FILE_MAX, a, &parts.linux_, e) &&
           simtee_absent(parts.linux_, c->kernel, e) &&
           file_read("initrd", c->initrd, UKI_FILE_MAX, a, &parts.initrd, e) &&
           optional_file("os-release", c->osrel, a, &parts.osrel, e) && uki_build(&parts, a, image, e) &&
           file_write(c->path, *image, e);
}

int cmd_uki(int argc, char **argv) {
    struct command c = {0};
    const struct option options[] = {
        {"--kernel", "FILE", "a kernel with an EFI stub (bzImage)", .text = &c.kernel},
        {"--initrd", "FILE", "the initramfs, policy inside", .text = &c.initrd},
        {"--cmdline", "TEXT", "the kernel command line", .text = &c.cmdline},
        {"--osrel", "FILE", "os-release(5), for boot menus", .text = &c.osrel},
        {"--uname", "TEXT", "the kernel's release, for boot menus", .text = &c.uname},
        {"--stub", "FILE", "systemd's EFI stub (default: " UKI_STUB ")", .text = &c.stub},
        {"-o", "FILE", "where the image goes", .text = &c.path},
        {"--json", NULL, "one JSON object on standard output", .on = &c.json},
        {0},
    };
    const struct usage usage = {
        "uki",
        NULL,
        "Makes one EFI file of kernel, initramfs and command line, which firmware starts and measures\n"
        "whole: the same inputs give the same bytes. It is not signed.",
        0,
        0,
        options};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;

    struct err e = {0};
    struct arena a = {0};
    struct view image = {0};
    struct pe pe;
    uint8_t digest[32], authenticode[32];
    bool ok =
        make(&c, &a, &image, &e) && pe_read(image, &pe, &e) && pe_authenticode(&pe, HASH_SHA256, authenticode, &e);
    status = ok ? 0 : command_fail(&e);
    if (ok) hash_once(HASH_SHA256, image, digest);
    if (c.json) {
        static struct result r;
        result_begin(&r, &e);
        result_text(&r, "file", ok ? c.path : NULL);
        result_number(&r, "size", ok, image.n);
        result_hex(&r, "sha256", view_of(digest, ok ? sizeof digest : 0));
        result_hex(&r, "authenticode", view_of(authenticode, ok ? sizeof authenticode : 0));
        status = result_end(&r, status);
    } else if (ok) {
        console_say("%s: %zu bytes", c.path, image.n);
    }
    arena_drop(&a);
    return status;
}
