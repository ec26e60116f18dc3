/* pe, uki, fat: Authenticode digests that others computed, broken images, and images made here read back. */
#include "lib.h"
#include "base/codec.h"
#include "base/reader.h"
#include "tools/fat.h"
#include "tools/uki.h"

static const struct {
    const char *file, *sha256, *sha384;
} images[] = {
    {"measure/plain.efi.bin", "fd4a977076949db1897a4f8e029cadaa9edad84429b7d30fc8a650680968c41f",
     "891073cbd87de1c92623017b4ab81c3faa6315aba7aeae2486163bf264f10c889a4c1a724cc6b2c6264a85226805e64e"},
    {"measure/cert.efi.bin", "211407c13cdeffd96e26388c07a863b809451d49982fd1f97d0b379c9b193575",
     "2ace0ec19dfbc68e5b754a668f26d615db99a528ace5bafc1b9664c44f385e5bb6576cfb0c85853490b59407dced032d"},
    {"measure/trailing-unsorted.efi.bin", "43ad21ef2d3391f9666f8bba1f037aa4a9ab8898bec8577b39cbd7f275135a91",
     "cff5acaef64f13c9acc96e674fb823f469ffd9346a6c588598d97de05111bb18fe8c8e452b8856d7ae37baba65c8f585"},
};

static void check_digest(const struct pe *pe, enum hash_alg alg, const char *want) {
    uint8_t digest[HASH_MAX], wanted[HASH_MAX];
    CHECK(hex_decode(view_str(want), wanted, hash_size(alg)));
    CHECK(pe_authenticode(pe, alg, digest, &err));
    CHECK(memcmp(digest, wanted, hash_size(alg)) == 0);
}

TEST(authenticode) {
    struct pe pe;
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        fresh();
        CHECK(pe_read(vector(images[i].file), &pe, &err));
        check_digest(&pe, HASH_SHA256, images[i].sha256);
        check_digest(&pe, HASH_SHA384, images[i].sha384);
    }
}

/* A signature, the checksum and nothing else may change without changing the digest. */
TEST(what_is_covered) {
    uint8_t before[HASH_MAX], after[HASH_MAX];
    struct pe pe;
    fresh();
    struct view file = vector("measure/cert.efi.bin");
    uint8_t *bytes = (uint8_t *)file.p;
    CHECK(pe_read(file, &pe, &err) && pe_authenticode(&pe, HASH_SHA256, before, &err));
    CHECK(pe.security_size > 0 && pe.security_at > 0);
    size_t covered = 0, free = 0;
    for (size_t i = 0; i < file.n; i += i < 1024 ? 1 : 37) {
        struct pe changed;
        bytes[i] ^= 0x10;
        bool reads = pe_read(file, &changed, &err) && pe_authenticode(&changed, HASH_SHA256, after, &err);
        bool same = reads && memcmp(before, after, 32) == 0;
        bool exempt = (i >= pe.optional_at + 64 && i < pe.optional_at + 68) || i >= file.n - pe.security_size;
        bool directory = i >= pe.security_at && i < pe.security_at + 8; /* says where the signature is */
        if (!directory && same != exempt) check_fail("byte %zu: digest %s", i, same ? "stays" : "changes");
        covered += !same, free += same;
        bytes[i] ^= 0x10;
    }
    CHECK(covered > 1000 && free > 4);
}

static bool reads(struct view v) {
    struct pe pe;
    uint8_t digest[HASH_MAX];
    struct view section;
    size_t zeros;
    if (!pe_read(v, &pe, &err)) return false;
    (void)pe_section(&pe, ".text", &section, &zeros);
    return pe_authenticode(&pe, HASH_SHA256, digest, &err);
}

TEST(cut_and_flipped) {
    fresh();
    struct view file = vector("measure/plain.efi.bin");
    (void)broken(file, file.n, reads);
    fresh();
    file = vector("measure/cert.efi.bin");
    (void)broken(file, file.n, reads);
}

static void put32(uint8_t *p, uint32_t x) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(x >> 8 * i);
}

TEST(refuses) {
    struct pe pe;
    fresh();
    struct view file = vector("measure/plain.efi.bin");
    uint8_t *bytes = (uint8_t *)file.p;
    CHECK(pe_read(file, &pe, &err));
#define REFUSED(at, value, why)                                                                                        \
    do {                                                                                                               \
        uint8_t kept[4];                                                                                               \
        memcpy(kept, bytes + (at), 4);                                                                                 \
        put32(bytes + (at), value);                                                                                    \
        CHECK(!reads(file));                                                                                           \
        CHECK_ERR(why);                                                                                                \
        memcpy(bytes + (at), kept, 4);                                                                                 \
    } while (0)
    REFUSED(0, 0x5a4e, "MZ");
    REFUSED(0x3c, 0xffffffff, "no signature PE");
    REFUSED(pe.coff_at - 4, 0, "no signature PE");
    REFUSED(pe.coff_at, 0xffff8664, "too many sections");
    REFUSED(pe.optional_at, 0x10b, "not 0x20b");
    REFUSED(pe.optional_at + 32, 0x1001, "power of two");
    REFUSED(pe.optional_at + 36, 0, "power of two");
    REFUSED(pe.optional_at + 60, 0xffffffff, "SizeOfHeaders");
    REFUSED(pe.optional_at + 60, 16, "SizeOfHeaders");
    REFUSED(pe.optional_at + 108, 17, "do not fit");
    REFUSED(pe.optional_at + 112 + 32 + 4, 0xffffffff, "certificates lie outside");
    REFUSED(pe.table_at + 16, 0xffffff00, "section 0 lies outside");
    REFUSED(pe.table_at + 20, 0xffffff00, "section 0 lies outside");
    REFUSED(pe.table_at + 40 + 16, (uint32_t)(file.n - pe.headers_size), "");
    CHECK(reads(file));
}

/* ---- UKI ---- */

static struct uki_parts parts(void) {
    return (struct uki_parts){.stub = vector("measure/plain.efi.bin"),
                              .linux_ = vector("measure/trailing-unsorted.efi.bin"),
                              .initrd = VIEW("an initramfs"),
                              .cmdline = VIEW("console=ttyS0")};
}

TEST(uki_holds_its_parts) {
    struct view image, again, section;
    struct pe pe, stub;
    size_t zeros;
    fresh();
    struct uki_parts p = parts();
    p.osrel = VIEW("ID=x\n");
    p.uname = VIEW("7.3");
    CHECK(uki_build(&p, &arena, &image, &err) && uki_build(&p, &arena, &again, &err) && view_eq(image, again));
    CHECK(pe_read(image, &pe, &err) && pe_read(p.stub, &stub, &err));
    CHECK_EQ(pe.section_count, stub.section_count + 5);
    const struct {
        const char *name;
        struct view want;
    } sections[] = {
        {".linux", p.linux_}, {".initrd", p.initrd}, {".cmdline", p.cmdline}, {".osrel", p.osrel}, {".uname", p.uname}};
    for (size_t i = 0; i < 5; i++)
        CHECK(pe_section(&pe, sections[i].name, &section, &zeros) && view_eq(section, sections[i].want) && zeros == 0);
    for (size_t i = 0; i < stub.section_count; i++) {
        struct view before, after;
        CHECK(pe_section(&stub, stub.sections[i].name, &before, &zeros) &&
              pe_section(&pe, stub.sections[i].name, &after, &zeros));
        CHECK(view_eq(before, after) && stub.sections[i].address == pe.sections[i].address);
    }
    for (size_t i = 1; i < pe.section_count; i++) /* in memory one after the other, inside the image */
        CHECK(pe.sections[i].address >= pe.sections[i - 1].address + pe.sections[i - 1].memory_size);
    CHECK(pe.image_size >= pe.sections[pe.section_count - 1].address + pe.sections[pe.section_count - 1].memory_size);
}

TEST(uki_refuses) {
    struct view image;
    fresh();
    struct uki_parts p = parts();
    p.stub = VIEW("MZ");
    CHECK(!uki_build(&p, &arena, &image, &err));
    CHECK_ERR("stub: PE");
    p = parts();
    p.linux_ = VIEW("no kernel");
    CHECK(!uki_build(&p, &arena, &image, &err));
    CHECK_ERR("kernel: PE");
    p.linux_ = (struct view){0};
    CHECK(!uki_build(&p, &arena, &image, &err));
    CHECK_ERR("no kernel");
    p = parts();
    p.cmdline = VIEW(" quiet");
    CHECK(!uki_build(&p, &arena, &image, &err));
    CHECK_ERR("blanks at its ends");
    p.cmdline = VIEW("a\nb");
    CHECK(!uki_build(&p, &arena, &image, &err));
    CHECK_ERR("byte 0x0a");
    p = parts();
    CHECK(uki_build(&p, &arena, &p.stub, &err)); /* a UKI as stub */
    CHECK(!uki_build(&p, &arena, &image, &err));
    CHECK_ERR("already");
}

TEST(known_stubs) {
    CHECK(uki_measured(252) && uki_measured(257) && uki_measured(254));
    CHECK(!uki_measured(0) && !uki_measured(253) && !uki_measured(258));
    for (size_t i = 0; uki_measured(252)[i]; i++) CHECK(strcmp(uki_measured(252)[i], ".sbat") != 0);
}

/* ---- FAT ---- */

static uint32_t le(struct view v, size_t at, unsigned n) {
    uint32_t x = 0;
    CHECK(at + n <= v.n);
    for (unsigned i = 0; i < n; i++) x |= (uint32_t)v.p[at + i] << 8 * i;
    return x;
}

/* The cluster of `name` in the directory at `at`. */
static uint32_t entry(struct view disk, size_t at, const char *name, uint32_t *size) {
    for (; disk.p[at]; at += 32) {
        if (memcmp(disk.p + at, name, 11)) continue;
        *size = le(disk, at + 28, 4);
        return le(disk, at + 26, 2);
    }
    check_fail("%s is not there", name);
    return 0;
}

static void walk_disk(struct view file) {
    struct view disk;
    uint32_t size;
    CHECK(fat_disk(file, &arena, &disk, &err));
    size_t sector = le(disk, 11, 2), per = disk.p[13], tables = 1 * sector, table_size = le(disk, 22, 2) * sector,
           root = tables + 2 * table_size;
    size_t data = root + 32 * le(disk, 17, 2), clusters = (disk.n - data) / (sector * per);
    CHECK(sector == 512 && le(disk, 510, 2) == 0xaa55 && disk.n == sector * le(disk, 32, 4) && clusters >= 4085 &&
          clusters < 65525);
    CHECK((clusters + 2) * 2 <= table_size && memcmp(disk.p + tables, disk.p + tables + table_size, table_size) == 0);
#define CLUSTER_AT(n) (data + ((n)-2) * sector * per)
    uint32_t efi = entry(disk, root, "EFI        ", &size), boot = entry(disk, CLUSTER_AT(efi), "BOOT       ", &size);
    uint32_t at = entry(disk, CLUSTER_AT(boot), "BOOTX64 EFI", &size);
    CHECK_EQ(size, file.n);
    for (size_t done = 0; done < file.n; done += sector * per) {
        size_t n = file.n - done < sector * per ? file.n - done : sector * per;
        CHECK(at >= 2 && at < clusters + 2 && memcmp(disk.p + CLUSTER_AT(at), file.p + done, n) == 0);
        at = le(disk, tables + 2 * at, 2);
    }
    CHECK(file.n == 0 || at == 0xffff);
}

TEST(fat_holds_the_file) {
    fresh();
    walk_disk(VIEW("short"));
    walk_disk(VIEW(""));
    size_t n = 20u << 20;
    uint8_t *bytes = arena_alloc(&arena, n);
    CHECK(bytes);
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    walk_disk(view_of(bytes, n));
    walk_disk(view_of(bytes, 4096));
    walk_disk(view_of(bytes, 4097));
    struct view disk, large = view_of(bytes, (size_t)260 << 20); /* refused before it is read */
    CHECK(!fat_disk(large, &arena, &disk, &err));
    CHECK_ERR("250 MiB");
}
