/* see fat.h */
#include "tools/fat.h"

#define SECTOR 512u
#define CLUSTER_SECTORS 8u
#define CLUSTER (SECTOR * CLUSTER_SECTORS)
#define CLUSTERS_MIN 4096u /* fewer than 4085 would be FAT12 */
#define CLUSTERS_MAX 65000u
#define ROOT_ENTRIES 512u
#define ENTRY 32u
#define DATE ((1980 - 1980) << 9 | 1 << 5 | 1)
#define END 0xffffu

enum { DIRECTORY = 0x10, EFI_CLUSTER = 2, BOOT_CLUSTER, FILE_CLUSTER };

static void put16(uint8_t *p, unsigned x) { p[0] = (uint8_t)x, p[1] = (uint8_t)(x >> 8); }
static void put32(uint8_t *p, unsigned x) { put16(p, x & 0xffff), put16(p + 2, x >> 16); }

/* `name`: 11 characters, padded with blanks. */
static void entry(uint8_t *p, const char *name, uint8_t attributes, unsigned cluster, size_t size) {
    memcpy(p, name, 11);
    p[11] = attributes;
    put16(p + 16, DATE);
    put16(p + 18, DATE);
    put16(p + 24, DATE);
    put16(p + 26, cluster);
    put32(p + 28, (unsigned)size);
}

static void directory(uint8_t *p, unsigned self, unsigned parent, const char *name, uint8_t attributes,
                      unsigned cluster, size_t size) {
    entry(p, ".          ", DIRECTORY, self, 0);
    entry(p + ENTRY, "..         ", DIRECTORY, parent, 0);
    entry(p + 2 * ENTRY, name, attributes, cluster, size);
}

static void boot_sector(uint8_t *p, unsigned sectors, unsigned table_sectors) {
    memcpy(p, "\xeb\x3c\x90PLINTH  ", 11);
    put16(p + 11, SECTOR);
    p[13] = CLUSTER_SECTORS;
    put16(p + 14, 1); /* reserved: this one */
    p[16] = 2;        /* tables */
    put16(p + 17, ROOT_ENTRIES);
    p[21] = 0xf8;
    put16(p + 22, table_sectors);
    put16(p + 24, 32);
    put16(p + 26, 2);
    put32(p + 32, sectors);
    p[36] = 0x80;
    p[38] = 0x29;
    put32(p + 39, 0x504c4e54); /* serial number */
    memcpy(p + 43, "PLINTH     FAT16   ", 19);
    put16(p + 510, 0xaa55);
}

bool fat_disk(struct view file, struct arena *a, struct view *out, struct err *e) {
    size_t wanted = (file.n + CLUSTER - 1) / CLUSTER, clusters = wanted + 2;
    if (clusters > CLUSTERS_MAX)
        return err_set(e, ERR_USAGE, "the image has %zu bytes; the disk takes 250 MiB", file.n);
    if (clusters < CLUSTERS_MIN) clusters = CLUSTERS_MIN;
    size_t table_sectors = ((clusters + 2) * 2 + SECTOR - 1) / SECTOR;
    size_t root_at = (1 + 2 * table_sectors) * SECTOR, data_at = root_at + ROOT_ENTRIES * ENTRY,
           size = data_at + clusters * CLUSTER;
    uint8_t *disk = arena_alloc(a, size);
    if (!disk) return arena_full(a, e);
    boot_sector(disk, (unsigned)(size / SECTOR), (unsigned)table_sectors);
    uint8_t *table = disk + SECTOR;
    put16(table, 0xfff8);
    put16(table + 2, END);
    put16(table + 2 * EFI_CLUSTER, END);
    put16(table + 2 * BOOT_CLUSTER, END);
    for (size_t i = 0; i < wanted; i++)
        put16(table + 2 * (FILE_CLUSTER + i), i + 1 == wanted ? END : (unsigned)(FILE_CLUSTER + i + 1));
    memcpy(table + table_sectors * SECTOR, table, table_sectors * SECTOR);
    entry(disk + root_at, "EFI        ", DIRECTORY, EFI_CLUSTER, 0);
    directory(disk + data_at, EFI_CLUSTER, 0, "BOOT       ", DIRECTORY, BOOT_CLUSTER, 0);
    directory(disk + data_at + CLUSTER, BOOT_CLUSTER, EFI_CLUSTER, "BOOTX64 EFI", 0, wanted ? FILE_CLUSTER : 0, file.n);
    memcpy(disk + data_at + 2 * CLUSTER, file.p, file.n);
    *out = view_of(disk, size);
    return true;
}
