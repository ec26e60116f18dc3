/* cmd_initrd: plinth initrd. */
#include "crypto/hash.h"
#include "sys/console.h"
#include "tools/file.h"
#include "tools/initrd.h"
#include "tools/options.h"
#include "tools/result.h"

#include <stdio.h>

static bool make(const struct initrd_parts *parts, const char *path, struct arena *a, struct initrd_made *out, struct err *e) {
    if (!path) return err_set(e, ERR_USAGE, "-o FILE is missing");
    return arena_make(a, INITRD_ARENA, e) && initrd_build(parts, a, out, e) && file_write(path, out->image, e);
}

int cmd_initrd(int argc, char **argv) {
    static struct initrd_parts parts; /* its lists are large */
    const char *path = NULL;
    bool json = false;
    const struct option options[] = {
        {"--policy", "FILE", "the policy that is measured with it (/etc/plinth/policy.json);\nwithout it none is inside", .text = &parts.policy},
        {"--initdata", "FILE", "initdata inside (/etc/plinth/initdata.toml); without it the machine\nlooks for it on its block devices", .text = &parts.initdata},
        {"--module", "FILE", "an uncompressed kernel module (NAME.ko); in the order of loading,\nmay be repeated", .list = &parts.modules},
        {"--add", "HOST=GUEST", "a file of the host under a path of the initramfs; may be repeated", .list = &parts.adds},
        {"--agent", "FILE", "the program that becomes /init (default: init beside plinth)", .text = &parts.agent},
        {"--ca", "FILE|none", "CA certificates in PEM (default: those of the host, unless the\npolicy has registry.ca)", .text = &parts.ca},
        {"-o", "FILE", "where the initramfs goes", .text = &path},
        {"--json", NULL, "one JSON object on standard output", .on = &json},
        {0},
    };
    const struct usage usage = {"initrd", NULL, "Makes the initramfs: the same inputs give the same bytes.", 0, 0, options};
    int operands, status = options_parse(&usage, argc, argv, &operands);
    if (status >= 0) return status;

    struct err e = {0};
    struct arena a = {0};
    struct initrd_made made = {0};
    uint8_t digest[32];
    bool ok = make(&parts, path, &a, &made, &e);
    status = ok ? 0 : command_fail(&e);
    if (ok) hash_once(HASH_SHA256, made.image, digest);
    if (json) {
        struct result r;
        result_begin(&r, &e);
        result_text(&r, "file", ok ? path : NULL);
        result_number(&r, "size", ok, made.image.n);
        result_number(&r, "uncompressed", ok, made.archive_size);
        result_hex(&r, "sha256", view_of(digest, ok ? sizeof digest : 0));
        status = result_end(&r, status);
    } else if (ok) {
        console_say("%s: %zu bytes (%zu uncompressed), %zu modules, %s", path, made.image.n, made.archive_size,
                    parts.modules.count, parts.policy ? "with policy" : "no policy inside");
    }
    arena_drop(&a);
    return status;
}
