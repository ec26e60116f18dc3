/* see snp.h */
#include "tools/measure/snp.h"

#include "base/writer.h"
#include "crypto/hash.h"
#include "tools/measure/ovmf.h"

#include <string.h>

#define PAGE 4096u
#define VMSA_GPA 0xFFFFFFFFF000u
#define BOOT_EIP 0xfffffff0u /* where a processor starts */

enum page_type { NORMAL = 1, VMSA, ZERO, UNMEASURED, SECRETS, CPUID };

/* ---- the digest, page by page ---- */

static void add_page(uint8_t digest[static 48], enum page_type type, const uint8_t *page, uint64_t gpa) {
    uint8_t info[0x70] = {0};
    struct writer w = writer_of(info, sizeof info);
    write_bytes(&w, view_of(digest, 48));
    if (page) hash_once(HASH_SHA384, view_of(page, PAGE), info + 48);
    w.n = 96;
    write_le16(&w, sizeof info);
    write_u8(&w, (uint8_t)type);
    w.n = 104; /* no IMI page, no permissions for VMPL 1 to 3 */
    write_le64(&w, gpa);
    hash_once(HASH_SHA384, view_of(info, sizeof info), digest);
}

static void add_pages(uint8_t digest[static 48], struct view bytes, uint64_t gpa) {
    for (size_t at = 0; at < bytes.n; at += PAGE) add_page(digest, NORMAL, bytes.p + at, gpa + at);
}

static void add_empty(uint8_t digest[static 48], enum page_type type, const struct ovmf_sev_section *s) {
    for (uint32_t at = 0; at < s->size; at += PAGE) add_page(digest, type, NULL, (uint64_t)s->gpa + at);
}

/* ---- the table of hashes: GUID | u16 size | entries {GUID | u16 50 | SHA-256}; 168 bytes, padded to 176 ---- */

static void table_entry(struct writer *w, const char *guid, struct view bytes, struct view more) {
    uint8_t digest[32];
    struct hash h;
    hash_init(&h, HASH_SHA256);
    hash_update(&h, bytes);
    hash_update(&h, more);
    hash_final(&h, digest);
    write_bytes(w, view_of(guid, 16));
    write_le16(w, 50);
    write_bytes(w, view_of(digest, sizeof digest));
}

static bool add_hashes(const struct snp_guest *g, const struct ovmf_sev *sev, const struct ovmf_sev_section *s,
                       uint8_t digest[static 48], struct err *e) {
    uint8_t page[PAGE] = {0};
    size_t at = sev->hash_table_gpa % PAGE;
    if (!sev->hash_table_gpa || sev->hash_table_gpa - at != s->gpa || at > PAGE - 176)
        return err_set(e, ERR_FORMAT,
                       "firmware: its table of hashes at 0x%x is not in the page 0x%x that it has for it",
                       sev->hash_table_gpa, s->gpa);
    struct writer w = writer_of(page + at, 168);
    write_bytes(&w, view_of("\x06\xd6\x38\x94\x22\x4f\xc9\x4c\xb4\x79\xa7\x93\xd4\x11\xfd\x21", 16));
    write_le16(&w, 168);
    table_entry(&w, "\xd8\x2d\xd0\x97\x20\xbd\x94\x4c\xaa\x78\xe7\x71\x4d\x36\xab\x2a", g->cmdline, VIEW("\0"));
    table_entry(&w, "\x31\xf7\xba\x44\x2f\x3a\xd7\x4b\x9a\xf1\x41\xe2\x91\x69\x78\x1d", g->initrd, VIEW(""));
    table_entry(&w, "\x37\x94\xe7\x4d\xd2\xab\x7f\x42\xb8\x35\xd5\xb1\x72\xd2\x04\x5b", g->kernel, VIEW(""));
    add_page(digest, NORMAL, page, s->gpa);
    return true;
}

static bool add_metadata(const struct snp_guest *g, const struct ovmf_sev *sev, uint8_t digest[static 48],
                         struct err *e) {
    bool hashes = false;
    for (size_t i = 0; i < sev->count; i++) {
        const struct ovmf_sev_section *s = &sev->sections[i];
        if (s->type == OVMF_KERNEL_HASHES && g->has_kernel) {
            if (hashes) return err_set(e, ERR_FORMAT, "firmware: two pages for the hashes of a kernel");
            if (!add_hashes(g, sev, s, digest, e)) return false;
            hashes = true;
        } else {
            add_empty(digest, s->type == OVMF_SECRETS ? SECRETS : s->type == OVMF_CPUID ? CPUID : ZERO, s);
        }
    }
    if (!g->has_kernel || hashes) return true;
    err_set(e, ERR_FORMAT, "firmware: it has no page for the hashes of a kernel, so a kernel would not be measured");
    return err_mend(e, "OVMF built from OvmfPkg/AmdSev has one (Debian's ovmf-amdsev)");
}

/* ---- VMSA (AMD APM volume 2, table B-4) as KVM sets it up ---- */

static void put(uint8_t *page, size_t at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) page[at + i] = (uint8_t)(value >> 8 * i);
}

static void segment(uint8_t *page, size_t at, unsigned selector, unsigned attributes, uint32_t limit, uint64_t base) {
    put(page, at, selector, 2);
    put(page, at + 2, attributes, 2);
    put(page, at + 4, limit, 4);
    put(page, at + 8, base, 8);
}

enum {
    ES = 0,
    CS = 0x10,
    SS = 0x20,
    DS = 0x30,
    FS = 0x40,
    GS = 0x50,
    GDTR = 0x60,
    LDTR = 0x70,
    IDTR = 0x80,
    TR = 0x90
};

static void make_vmsa(uint8_t page[static PAGE], const struct snp_guest *g, uint64_t eip, bool protected_mode) {
    static const uint8_t data_segments[] = {ES, SS, DS, FS};
    memset(page, 0, PAGE);
    for (size_t i = 0; i < sizeof data_segments; i++)
        segment(page, data_segments[i], protected_mode ? 0x10 : 0, protected_mode ? 0xc93 : 0x93,
                protected_mode ? 0xffffffff : 0xffff, 0);
    if (protected_mode)
        segment(page, CS, 8, 0xc9b, 0xffffffff, 0);
    else
        segment(page, CS, 0xf000, 0x9b, 0xffff, eip & 0xffff0000);
    segment(page, GS, 0, 0x93, 0xffff, 0);
    segment(page, GDTR, 0, 0, 0xffff, 0);
    segment(page, LDTR, 0, 0x82, 0xffff, 0);
    segment(page, IDTR, 0, 0, 0xffff, 0);
    segment(page, TR, 0, 0x8b, 0xffff, 0);
    put(page, 0x0d0, 0x1000, 8);                              /* efer: SVME */
    put(page, 0x148, 0x40, 8);                                /* cr4: MCE */
    put(page, 0x158, protected_mode ? 0x11 : 0x10, 8);        /* cr0 */
    put(page, 0x160, 0x400, 8);                               /* dr7 */
    put(page, 0x168, 0xffff0ff0, 8);                          /* dr6 */
    put(page, 0x170, 2, 8);                                   /* rflags */
    put(page, 0x178, protected_mode ? eip : eip & 0xffff, 8); /* rip */
    put(page, 0x268, 0x7040600070406, 8);                     /* g_pat */
    put(page, 0x310, g->vcpu_signature, 8);                   /* rdx */
    put(page, 0x3b0, g->guest_features, 8);
    put(page, 0x3e8, 1, 8);                          /* xcr0 */
    put(page, 0x408, 0x1f80, 4);                     /* mxcsr */
    put(page, 0x410, protected_mode ? 0 : 0x37f, 2); /* x87 control word */
}

/* ---- the whole ---- */

static bool whole_pages(const char *what, struct view v, struct err *e) {
    return (v.n && v.n % PAGE == 0 && v.n < OVMF_MEMORY_MAX) ||
           err_set(e, ERR_FORMAT, "%s: %zu bytes are not whole pages", what, v.n);
}

bool snp_launch_digest(const struct snp_guest *g, uint8_t out[static 48], struct err *e) {
    struct ovmf_sev sev;
    uint8_t digest[48] = {0}, page[PAGE];
    bool svsm = g->svsm.n > 0;
    uint64_t gpa = ((uint64_t)1 << 32) - g->firmware.n, svsm_gpa = gpa - g->svsm_vars_size - g->svsm.n;
    if (svsm && g->has_kernel)
        return err_set(e, ERR_USAGE, "an SVSM starts the firmware alone: no kernel is measured with it");
    if (!whole_pages("firmware", g->firmware, e) || !ovmf_read_sev(svsm ? g->svsm : g->firmware, &sev, e)) return false;
    if (!sev.count) return err_set(e, ERR_FORMAT, "%s: no SEV metadata", svsm ? "SVSM" : "firmware");
    if (svsm && !sev.is_svsm) return err_set(e, ERR_FORMAT, "SVSM: it does not say where it starts");
    if (!svsm && !sev.reset_eip && g->vcpus > 1)
        return err_set(e, ERR_FORMAT, "firmware: it does not say where further vCPUs start");
    add_pages(digest, g->firmware, gpa);
    if (svsm) {
        if (!whole_pages("SVSM", g->svsm, e)) return false;
        if (g->svsm_vars_size % PAGE || g->svsm_vars_size > OVMF_MEMORY_MAX)
            return err_set(e, ERR_USAGE, "%u bytes of variables are not whole pages", g->svsm_vars_size);
        add_pages(digest, g->svsm, svsm_gpa);
    }
    if (!add_metadata(g, &sev, digest, e)) return false;
    for (uint32_t i = 0; i < g->vcpus; i++) {
        make_vmsa(page, g, svsm ? svsm_gpa + sev.svsm_start : i ? sev.reset_eip : BOOT_EIP, svsm);
        add_page(digest, VMSA, page, VMSA_GPA);
    }
    memcpy(out, digest, sizeof digest);
    return true;
}

#define SIGNATURE(family, model, stepping)                                                                             \
    (uint32_t)(((family)-15) << 20 | ((model) >> 4) << 16 | 15 << 8 | ((model)&15) << 4 | (stepping))

bool snp_vcpu_signature(const char *type, uint32_t *out) {
    static const struct {
        const char *name;
        uint32_t signature;
        unsigned versions; /* NAME-v1 to NAME-vN */
    } types[] = {{"EPYC", SIGNATURE(23, 1, 2), 5},        {"EPYC-IBPB", SIGNATURE(23, 1, 2), 0},
                 {"EPYC-Rome", SIGNATURE(23, 49, 0), 5},  {"EPYC-Milan", SIGNATURE(25, 1, 1), 3},
                 {"EPYC-Genoa", SIGNATURE(25, 17, 0), 2}, {"EPYC-Turin", SIGNATURE(26, 0, 0), 1}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i].name);
        if (strncmp(type, types[i].name, n)) continue;
        const char *version = type + n;
        if (*version && !(version[0] == '-' && version[1] == 'v' && version[2] >= '1' &&
                          (unsigned)(version[2] - '0') <= types[i].versions && !version[3]))
            continue;
        *out = types[i].signature;
        return true;
    }
    return false;
}
