/* see initrd.h */
#include "tools/initrd.h"

#include "base/limits.h"
#include "base/writer.h"
#include "tools/cpio.h"
#include "tools/file.h"
#include "tools/initdata.h"
#include "trust/policy.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* The kernel's decoder takes windows of at most 8 MiB (lib/decompress_unzstd.c). */
#define WINDOW_LOG 23
#define LEVEL 19
#define ENTRIES_MAX 2048u
#define FILE_MAX (128u << 20)

struct tree {
    struct arena *a;
    size_t count;
    struct cpio_entry entries[ENTRIES_MAX];
};

static bool add(struct tree *t, struct cpio_entry entry, struct err *e) {
    if (t->count == ENTRIES_MAX) return err_set(e, ERR_USAGE, "more than %u files in one initramfs", ENTRIES_MAX);
    t->entries[t->count++] = entry;
    return true;
}

static bool have(const struct tree *t, const char *path) {
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->entries[i].path, path)) return true;
    return false;
}

/* The directories above `path` that are not there yet. */
static bool add_parents(struct tree *t, const char *path, struct err *e) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *parent = arena_str(t->a, view_of(path, (size_t)(slash - path)));
        if (!parent) return arena_full(t->a, e);
        if (!have(t, parent) && !add(t, (struct cpio_entry){.path = parent, .mode = S_IFDIR | 0755}, e)) return false;
    }
    return true;
}

static bool add_file(struct tree *t, const char *path, uint32_t permission, struct view content, struct err *e) {
    return add_parents(t, path, e) &&
           add(t, (struct cpio_entry){.path = path, .mode = S_IFREG | permission, .content = content}, e);
}

static bool add_skeleton(struct tree *t, struct err *e) {
    static const struct cpio_entry fixed[] = {
        {.path = "dev", .mode = S_IFDIR | 0755},   {.path = "dev/console", .mode = S_IFCHR | 0600, .major = 5, .minor = 1},
        {.path = "dev/null", .mode = S_IFCHR | 0666, .major = 1, .minor = 3},
        {.path = "image", .mode = S_IFDIR | 0755}, {.path = "proc", .mode = S_IFDIR | 0555},
        {.path = "run", .mode = S_IFDIR | 0755},   {.path = "sys", .mode = S_IFDIR | 0555},
        {.path = "tmp", .mode = S_IFDIR | 01777},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!add(t, fixed[i], e)) return false;
    return true;
}

static bool add_agent(struct tree *t, const char *path, struct err *e) {
    char usual[FILE_BESIDE_MAX];
    struct view bytes;
    if (!path && !file_beside("init", usual, e)) return false;
    if (!file_read("agent", path ? path : usual, FILE_MAX, t->a, &bytes, e))
        return err_mend(e, "--agent FILE names the program that becomes /init; `make` builds it beside plinth");
    return add_file(t, "init", 0755, bytes, e);
}

/* Only the certificates: comments and the spaces around them differ from one host to the next. */
static bool add_ca(struct tree *t, const char *path, struct err *e) {
    struct view rest;
    if (!file_read("CA bundle", path ? path : HOST_CA, CA_PEM_MAX, t->a, &rest, e))
        return err_mend(e, "--ca FILE names another bundle, --ca none leaves it out; or apt-get install ca-certificates");
    struct writer kept = writer_of(arena_alloc(t->a, rest.n + 1), rest.n + 1);
    if (!kept.p) return arena_full(t->a, e);
    bool inside = false;
    for (bool more = true; more;) {
        struct view line = view_trim(view_cut(&rest, '\n', &more));
        if (view_is(line, "-----BEGIN CERTIFICATE-----")) inside = true;
        if (!inside) continue;
        write_bytes(&kept, line);
        write_u8(&kept, '\n');
        if (view_is(line, "-----END CERTIFICATE-----")) inside = false;
    }
    if (kept.n == 0 || inside || kept.full)
        return err_set(e, ERR_USAGE, "the CA bundle %s holds no whole certificate in PEM", path ? path : HOST_CA);
    return add_file(t, "etc/ssl/ca.pem", 0644, writer_view(&kept), e);
}

static bool add_policy(struct tree *t, const char *path, bool *own_ca, struct err *e) {
    struct arena scratch = {0};
    struct policy *policy;
    struct view bytes;
    if (!file_read("policy", path, POLICY_MAX, t->a, &bytes, e) || !arena_make(&scratch, 64u << 20, e)) return false;
    policy = arena_alloc(&scratch, sizeof *policy);
    bool ok = policy_parse(bytes, &scratch, policy, e) || err_in(e, "%s", path);
    *own_ca = ok && policy->ca_pem.n > 0;
    arena_drop(&scratch);
    return ok && add_file(t, "etc/plinth/policy.json", 0600, bytes, e);
}

static bool add_initdata(struct tree *t, const char *path, struct err *e) {
    struct view text;
    struct initdata d;
    return initdata_file(path, t->a, &text, &d, e) && add_file(t, "etc/plinth/initdata.toml", 0600, text, e);
}

/* The name of a module, "virtio_net" of "kernel/drivers/net/virtio_net.ko"; empty when it is none. */
static struct view module_name(const char *path) {
    struct view name = view_str(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    if (!view_ends(name, VIEW(".ko"))) return (struct view){0};
    name.n -= 3;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return (struct view){0};
    }
    return name;
}

/* What a guest boots from is for a TEE. Every module and file is looked at: the mark stands in the module's modinfo (qemu/simtee). */
static bool refuse_simulation(const char *path, struct view bytes, struct err *e) {
    if (!memmem(bytes.p, bytes.n, "plinth_simulation=", 18)) return true;
    return err_set(e, ERR_USAGE, "%s is the module of the SIMULATED TEE, which is for tests and goes into no initramfs", path);
}

static bool add_module(struct tree *t, const char *path, struct writer *order, struct err *e) {
    struct view bytes, name = module_name(path);
    if (!name.n || name.n > 200) {
        err_set(e, ERR_USAGE, "--module %s: not the name of an uncompressed kernel module (NAME.ko)", path);
        return err_mend(e, "qemu/modules finds the modules of a kernel, unpacks .ko.xz and lists them in the order of loading");
    }
    if (!file_read("module", path, FILE_MAX, t->a, &bytes, e)) return false;
    if (!view_starts(bytes, VIEW("\177ELF")))
        return err_set(e, ERR_USAGE, "--module %s: no ELF object; is it still compressed?", path);
    if (!refuse_simulation(path, bytes, e)) return false;
    char inside[256];
    snprintf(inside, sizeof inside, "modules/%.*s.ko", VIEW_ARG(name));
    char *kept = arena_str(t->a, view_str(inside));
    write_text(order, kept ? strrchr(kept, '/') + 1 : "");
    write_u8(order, '\n');
    return kept ? add_file(t, kept, 0644, bytes, e) : arena_full(t->a, e);
}

static bool add_modules(struct tree *t, const struct option_list *modules, struct err *e) {
    size_t size = OPTION_LIST_MAX * 256;
    struct writer order = writer_of(arena_alloc(t->a, size), size);
    if (!order.p) return arena_full(t->a, e);
    for (size_t i = 0; i < modules->count; i++)
        if (!add_module(t, modules->items[i], &order, e)) return false;
    return add_file(t, "modules/order", 0644, writer_view(&order), e);
}

static bool add_named(struct tree *t, const char *pair, struct err *e) {
    struct view guest = view_str(pair), bytes;
    bool cut;
    struct stat st;
    char *host = arena_str(t->a, view_cut(&guest, '=', &cut));
    while (guest.n && guest.p[0] == '/') guest = view_skip(guest, 1);
    char *path = arena_str(t->a, guest);
    if (!host || !path) return arena_full(t->a, e);
    if (!cut || !*host || !*path) return err_set(e, ERR_USAGE, "--add %s: not HOST=GUEST", pair);
    if (!file_read("file", host, FILE_MAX, t->a, &bytes, e) || !refuse_simulation(host, bytes, e)) return err_in(e, "--add %s", pair);
    if (stat(host, &st) < 0) return err_sys(e, "--add %s", pair);
    return add_file(t, path, st.st_mode & 0111 ? 0755 : 0644, bytes, e);
}

static bool fill(struct tree *t, const struct initrd_parts *parts, struct err *e) {
    bool own_ca = false, whole = !parts->base, no_ca = parts->ca && !strcmp(parts->ca, "none");
    if (whole && !add_skeleton(t, e)) return false;
    if (parts->policy && !add_policy(t, parts->policy, &own_ca, e)) return false;
    if (parts->initdata && !add_initdata(t, parts->initdata, e)) return false;
    if ((whole || parts->agent) && !add_agent(t, parts->agent, e)) return false;
    if (!no_ca && (parts->ca || (whole && !own_ca)) && !add_ca(t, parts->ca, e)) return false;
    if ((whole || parts->modules.count) && !add_modules(t, &parts->modules, e)) return false;
    for (size_t i = 0; i < parts->adds.count; i++)
        if (!add_named(t, parts->adds.items[i], e)) return false;
    return true;
}

static bool compress(struct view archive, struct writer *out, struct err *e) {
    ZSTD_CCtx *z = ZSTD_createCCtx();
    if (!z) return err_sys(e, "no memory for the compressor");
    ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, WINDOW_LOG);
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(z, out->p + out->n, out->size - out->n, archive.p, archive.n);
    ZSTD_freeCCtx(z);
    if (ZSTD_isError(n)) return err_set(e, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(n));
    out->n += n;
    return true;
}

/* An archive begins at a multiple of 4, and the kernel skips zeroes between archives. */
static void pad(struct writer *out) {
    while (out->n % 4 && !out->full) write_u8(out, 0);
}

bool initrd_build(const struct initrd_parts *parts, struct arena *a, struct initrd_made *out, struct err *e) {
    struct tree *t = arena_alloc(a, sizeof *t);
    struct view base = {0};
    if (!t) return arena_full(a, e);
    t->a = a;
    if (parts->base && !file_read("initramfs", parts->base, INITRD_MAX, a, &base, e)) return false;
    if (!fill(t, parts, e)) return false;

    struct writer archive = writer_of(arena_alloc(a, INITRD_MAX), INITRD_MAX);
    if (!archive.p) return arena_full(a, e);
    if (t->count && !cpio_write(t->entries, t->count, &archive, e)) return false;
    size_t size = base.n + 8 + ZSTD_compressBound(archive.n);
    struct writer image = writer_of(arena_alloc(a, size), size);
    if (!image.p) return arena_full(a, e);
    write_bytes(&image, base);
    pad(&image);
    if (archive.n && !compress(writer_view(&archive), &image, e)) return false;
    pad(&image);
    if (image.full) return err_set(e, ERR_SYSTEM, "the initramfs has more than %u bytes", INITRD_MAX);
    *out = (struct initrd_made){writer_view(&image), archive.n};
    return true;
}
