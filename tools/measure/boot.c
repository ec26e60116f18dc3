/* see boot.h */
#include "tools/measure/boot.h"

#include "base/reader.h"
#include "tools/uki.h"

#define CMDLINE_MAX 4096u
#define ACPI_SIZE 0x28000u /* what QEMU keeps free below the end of low memory */
#define CAN_BE_LOADED_ABOVE_4G 2u
#define NOT_BY_FIRMWARE "firmware volumes, variables and tables decide; the firmware's log tells (plinth eventlog)"

struct boot_register boot_register_new(void) {
    return (struct boot_register){.banks = {{.alg = HASH_SHA256}, {.alg = HASH_SHA384}}};
}

void boot_extend_digests(struct boot_register *r, const uint8_t sha256[static 32], const uint8_t sha384[static 48]) {
    register_extend(&r->banks[0], sha256);
    register_extend(&r->banks[1], sha384);
    if (r->event_count == BOOT_EVENTS_MAX) return;
    memcpy(r->events[r->event_count][0], sha256, 32);
    memcpy(r->events[r->event_count++][1], sha384, 48);
}

/* One event over two pieces. */
static void extend_joined(struct boot_register *r, struct view bytes, struct view more) {
    uint8_t digests[2][HASH_MAX];
    for (size_t i = 0; i < 2; i++) {
        struct hash h;
        hash_init(&h, r->banks[i].alg);
        hash_update(&h, bytes);
        hash_update(&h, more);
        hash_final(&h, digests[i]);
    }
    boot_extend_digests(r, digests[0], digests[1]);
}

void boot_extend(struct boot_register *r, struct view bytes) { extend_joined(r, bytes, (struct view){0}); }

static bool extend_pe(struct boot_register *r, struct view file, struct err *e) {
    struct pe pe;
    uint8_t digests[2][HASH_MAX];
    if (!pe_read(file, &pe, e)) return false;
    for (size_t i = 0; i < 2; i++)
        if (!pe_authenticode(&pe, r->banks[i].alg, digests[i], e)) return false;
    boot_extend_digests(r, digests[0], digests[1]);
    return true;
}

static void extend_calling(struct boot_register *r) {
    boot_extend(r, VIEW("Calling EFI Application from Boot Option"));
}
static void extend_separator(struct boot_register *r) { boot_extend(r, VIEW("\0\0\0\0")); }
static void extend_exit(struct boot_register *r) {
    boot_extend(r, VIEW("Exit Boot Services Invocation"));
    boot_extend(r, VIEW("Exit Boot Services Returned with Success"));
}

static bool extend_cmdline(struct boot_register *r, struct view cmdline, struct view more, struct err *e) {
    uint8_t wide[2 * (CMDLINE_MAX + 1)] = {0};
    size_t n = cmdline.n + more.n;
    if (n > CMDLINE_MAX)
        return err_set(e, ERR_USAGE, "the command line has %zu bytes; Linux takes at most %u", n, CMDLINE_MAX);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = i < cmdline.n ? cmdline.p[i] : more.p[i - cmdline.n];
        if (c < 0x20 || c > 0x7e)
            return err_set(e, ERR_USAGE, "the command line has byte 0x%02x; only printable ASCII is predicted", c);
        wide[2 * i] = c;
    }
    boot_extend(r, view_of(wide, 2 * (n + 1)));
    return true;
}

/* ---- direct boot ---- */

static void put32(uint8_t *p, uint32_t x) {
    for (unsigned i = 0; i < 4; i++) p[i] = (uint8_t)(x >> 8 * i);
}

static uint32_t number(struct view v, size_t at) {
    struct reader r = reader_of(view_skip(v, at));
    return read_le32(&r);
}

/* QEMU hw/i386/x86.c, x86_load_linux(), before 10.0; offsets of the Linux/x86 boot protocol. */
static bool patch_header(const struct boot *b, uint8_t *kernel, struct err *e) {
    if (b->kernel.n < 0x264 || !view_starts(view_skip(b->kernel, 0x202), VIEW("HdrS")))
        return err_set(e, ERR_FORMAT, "kernel: no Linux/x86 setup header");
    uint16_t protocol = (uint16_t)number(b->kernel, 0x206);
    if (protocol < 0x20c)
        return err_set(e, ERR_FORMAT, "kernel: boot protocol %u.%02u; 2.12 or newer is predicted", protocol >> 8,
                       protocol & 0xff);
    if (b->cmdline.n && memmem(b->cmdline.p, b->cmdline.n, "vga=", 4))
        return err_set(e, ERR_USAGE,
                       "vga= on the command line changes the kernel's header on its way; that is not predicted");
    uint64_t low = b->memory < 0xb0000000u ? b->memory : 0x80000000u; /* q35 */
    uint64_t highest = number(b->kernel, 0x236) & CAN_BE_LOADED_ABOVE_4G ? UINT32_MAX : number(b->kernel, 0x22c);
    if (low <= ACPI_SIZE || b->initrd.n > low - ACPI_SIZE - 1)
        return err_set(e, ERR_USAGE, "the initramfs does not fit %llu bytes of memory", (unsigned long long)b->memory);
    if (highest >= low - ACPI_SIZE) highest = low - ACPI_SIZE - 1;
    if (b->initrd.n > highest) return err_set(e, ERR_USAGE, "the initramfs is too large for this kernel");
    kernel[0x210] = 0xb0;
    kernel[0x211] |= 0x80;
    kernel[0x224] = 0x00, kernel[0x225] = 0xfe;
    put32(kernel + 0x228, 0x20000);
    if (!b->initrd.n) return true;
    put32(kernel + 0x218, (uint32_t)(highest - b->initrd.n) & ~4095u);
    put32(kernel + 0x21c, (uint32_t)b->initrd.n);
    return true;
}

/* The kernel's digests as the firmware gets it. */
static bool extend_kernel(const struct boot *b, struct arena *a, struct boot_register *r, struct err *e) {
    if (b->qemu_major >= BOOT_QEMU_PLAIN) return extend_pe(r, b->kernel, e) || err_in(e, "kernel");
    struct view copy = arena_copy(a, b->kernel);
    if (b->kernel.n && !copy.p) return arena_full(a, e);
    return patch_header(b, (uint8_t *)copy.p, e) && (extend_pe(r, copy, e) || err_in(e, "kernel"));
}

static bool extend_linux(const struct boot *b, struct boot_register *r, struct err *e) {
    struct view more = b->initrd.n ? VIEW(" initrd=initrd") : (struct view){0};
    if (!extend_cmdline(r, b->cmdline, more, e)) return false;
    if (b->initrd.n) boot_extend(r, b->initrd);
    return true;
}

static bool predict_direct(const struct boot *b, struct arena *a, struct boot_register pcr[static BOOT_PCRS],
                           struct err *e) {
    if (!extend_kernel(b, a, &pcr[4], e)) return false;
    extend_calling(&pcr[4]);
    extend_separator(&pcr[4]);
    extend_separator(&pcr[5]);
    extend_exit(&pcr[5]);
    return extend_linux(b, &pcr[9], e);
}

/* ---- UKI ---- */

/* A section's contents, as far as it has them in the file and the zeros behind; false when those do not fit the arena.
 */
static bool extend_section(struct boot_register *r, const struct pe *pe, const char *name, struct arena *a) {
    struct view bytes;
    size_t zeros, used = a->used;
    if (!pe_section(pe, name, &bytes, &zeros)) return true;
    uint8_t *zero = zeros ? arena_alloc(a, zeros) : NULL;
    if (zeros && !zero) return false;
    extend_joined(r, bytes, view_of(zero, zeros));
    a->used = used; /* they are zero still */
    return true;
}

static bool has(const struct pe *pe, const char *name) {
    struct view bytes;
    size_t zeros;
    return pe_section(pe, name, &bytes, &zeros);
}

/* NULL when the kernel gets command line and initramfs just as they stand in the image. */
static const char *altered_by_stub(const struct pe *pe, unsigned version) {
    static const char *const joined[] = {".pcrsig", ".pcrpkey", ".ucode", ".profile"};
    struct view cmdline;
    size_t zeros;
    if (!pe_section(pe, ".cmdline", &cmdline, &zeros)) return "the image has no command line of its own";
    for (size_t i = 0; i < cmdline.n; i++)
        if (cmdline.p[i] < 0x20 || cmdline.p[i] > 0x7e) return "its command line is no plain text";
    if (zeros || view_trim(cmdline).n != cmdline.n) return "the stub trims its command line";
    if (version > 252 && has(pe, ".osrel")) return "this stub adds .osrel to the initramfs";
    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++)
        if (has(pe, joined[i])) return "the stub adds sections of this image to the initramfs";
    return NULL;
}

static bool predict_uki(const struct boot *b, struct arena *a, struct boot_register pcr[static BOOT_PCRS],
                        struct err *e) {
    struct pe pe;
    struct view linux_, cmdline;
    size_t zeros;
    pcr[5].unknown = "the partition table of the disk that holds the image is measured too";
    extend_calling(&pcr[4]);
    extend_separator(&pcr[4]);
    if (!extend_pe(&pcr[4], b->uki, e) || !pe_read(b->uki, &pe, e)) return err_in(e, "UKI");
    if (!pe_section(&pe, ".linux", &linux_, &zeros)) return err_set(e, ERR_FORMAT, "UKI: no section .linux");
    if (!extend_pe(&pcr[4], linux_, e)) return err_in(e, "UKI: .linux");
    unsigned version = uki_stub_version(&pe);
    const char *const *measured = uki_measured(version);
    pcr[9].unknown = altered_by_stub(&pe, version);
    if (!measured)
        pcr[9].unknown = pcr[11].unknown =
            "no stub whose measurements were held against a boot: systemd's 252, 254 to 257";
    for (size_t i = 0; measured && measured[i]; i++) {
        if (!has(&pe, measured[i])) continue;
        boot_extend(&pcr[11], view_of(measured[i], strlen(measured[i]) + 1));
        if (!extend_section(&pcr[11], &pe, measured[i], a)) return arena_full(a, e);
    }
    if (pcr[9].unknown) return true;
    pe_section(&pe, ".cmdline", &cmdline, &zeros);
    return extend_cmdline(&pcr[9], cmdline, (struct view){0}, e) &&
           (extend_section(&pcr[9], &pe, ".initrd", a) || arena_full(a, e));
}

/* ---- */

bool boot_predict_pcrs(const struct boot *b, struct arena *a, struct boot_register out[static BOOT_PCRS],
                       struct err *e) {
    struct boot_register pcr[BOOT_PCRS];
    for (size_t i = 0; i < BOOT_PCRS; i++) pcr[i] = boot_register_new();
    pcr[0].unknown = pcr[1].unknown = pcr[7].unknown = NOT_BY_FIRMWARE;
    pcr[10].unknown = "the kernel's IMA; zero without";
    extend_separator(&pcr[2]);
    extend_separator(&pcr[3]);
    extend_separator(&pcr[6]);
    if (!(b->uki.n ? predict_uki : predict_direct)(b, a, pcr, e)) return false;
    memcpy(out, pcr, sizeof pcr);
    return true;
}

/* What comes after the kernel's own event. */
static void finish_rtmr1(struct boot_register *r, bool separator_in_rtmr0) {
    extend_calling(r);
    if (!separator_in_rtmr0) extend_separator(r);
    extend_exit(r);
}

void boot_rtmr1(const uint8_t sha256[static 32], const uint8_t sha384[static 48], bool separator_in_rtmr0,
                struct boot_register *out) {
    *out = boot_register_new();
    boot_extend_digests(out, sha256, sha384);
    finish_rtmr1(out, separator_in_rtmr0);
}

bool boot_predict_rtmrs(const struct boot *b, struct arena *a, struct boot_register rtmr1[static 2],
                        struct boot_register *rtmr2, struct err *e) {
    struct boot_register kernel = boot_register_new(), second = boot_register_new();
    if (b->uki.n)
        return err_set(e, ERR_USAGE,
                       "RTMR1 and RTMR2 of a UKI: no log of such a boot in a TD was there to hold them against");
    if (!extend_kernel(b, a, &kernel, e) || !extend_linux(b, &second, e)) return false;
    for (size_t i = 0; i < 2; i++) {
        rtmr1[i] = kernel;
        finish_rtmr1(&rtmr1[i], i == 1);
    }
    *rtmr2 = second;
    return true;
}
