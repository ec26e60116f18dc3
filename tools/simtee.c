/* see simtee.h */
#include "tools/simtee.h"

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "tee/event.h"
#include "tools/file.h"
#include "tools/measure/pe.h"

#include <stdio.h>

#define KERNEL_MAX (256u << 20)
#define DEVICE_MAX (1u << 20)
#define DIGEST 48u
#define LOG_LENGTH (64u << 10) /* LAML, as OVMF has it */
#define MIB 1048576u

/* Offsets into the template of the device's file (qemu/simtee/simtee_main.c): TDX quote version 4, SNP report. */
#define TDX_MRTD (48u + 136)
#define TDX_MRCONFIGID (48u + 184)
#define TDX_RTMR0 (48u + 328)
#define SNP_MEASUREMENT 0x90u
#define SNP_HOST_DATA 0xc0u

enum part { PART_TEMPLATE = 3 };

/* TCG PC Client Platform Firmware Profile, section 10.4.1 */
#define EV_SEPARATOR 4u
#define EV_EVENT_TAG 6u
#define EV_PLATFORM_CONFIG_FLAGS 10u
#define EV_EFI_BOOT_SERVICES_APPLICATION 0x80000003u
#define EV_EFI_ACTION 0x80000007u
/* drivers/firmware/efi/libstub: the tags of what the EFI stub measures */
#define TAG_INITRD 0x8f3b22ecu
#define TAG_LOAD_OPTIONS 0x8f3b22edu

struct ccel {
    struct writer log;
    struct register_bank rtmr[3];
};

static void record(struct ccel *c, unsigned rtmr, uint32_t type, const uint8_t digest[static DIGEST], struct view data) {
    register_extend(&c->rtmr[rtmr], digest);
    write_le32(&c->log, rtmr + 1); /* MR index: 0 is MRTD */
    write_le32(&c->log, type);
    write_le32(&c->log, 1);
    write_le16(&c->log, 0x000c);
    write_bytes(&c->log, view_of(digest, DIGEST));
    write_le32(&c->log, (uint32_t)data.n);
    write_bytes(&c->log, data);
}

static void record_itself(struct ccel *c, unsigned rtmr, uint32_t type, struct view data) {
    uint8_t digest[DIGEST];
    hash_once(HASH_SHA384, data, digest);
    record(c, rtmr, type, digest, data);
}

static void record_tagged(struct ccel *c, uint32_t tag, const char *what, struct view measured) {
    uint8_t digest[DIGEST], text[64];
    struct writer w = writer_of(text, sizeof text);
    hash_once(HASH_SHA384, measured, digest);
    write_le32(&w, tag);
    write_le32(&w, (uint32_t)strlen(what) + 1);
    write_text(&w, what);
    write_u8(&w, 0);
    record(c, 2, EV_EVENT_TAG, digest, writer_view(&w));
}

/* What direct kernel boot leaves in a TD's log: firmware, kernel, boot actions, and the EFI stub's command line and initramfs. */
static bool write_log(struct ccel *c, struct view kernel, const char *cmdline, struct view initrd, struct err *e) {
    static const char separator[4] = {0};
    uint8_t digest[DIGEST], wide[8192];
    struct writer w = writer_of(wide, sizeof wide);
    struct pe pe;
    if (!pe_read(kernel, &pe, e) || !pe_authenticode(&pe, HASH_SHA384, digest, e)) return false;
    /* UTF-16 with its end; OVMF adds the name of the initramfs. */
    for (const char *p = cmdline; *p; p++) write_le16(&w, (uint8_t)*p);
    for (const char *p = " initrd=initrd"; *p; p++) write_le16(&w, (uint8_t)*p);
    write_le16(&w, 0);

    event_log_header(c->rtmr, 1, &c->log);
    record_itself(c, 0, EV_PLATFORM_CONFIG_FLAGS, VIEW("Plinth SIMULATED firmware, NOT A TEE"));
    record_itself(c, 0, EV_SEPARATOR, view_of(separator, sizeof separator));
    record(c, 1, EV_EFI_BOOT_SERVICES_APPLICATION, digest, VIEW("kernel"));
    record_itself(c, 1, EV_EFI_ACTION, VIEW("Calling EFI Application from Boot Option"));
    record_itself(c, 1, EV_SEPARATOR, view_of(separator, sizeof separator));
    record_tagged(c, TAG_LOAD_OPTIONS, "LOADED_IMAGE::LoadOptions", writer_view(&w));
    record_tagged(c, TAG_INITRD, "Linux initrd", initrd);
    record_itself(c, 1, EV_EFI_ACTION, VIEW("Exit Boot Services Invocation"));
    record_itself(c, 1, EV_EFI_ACTION, VIEW("Exit Boot Services Returned with Success"));
    if (c->log.full || w.full) return err_set(e, ERR_USAGE, "the kernel command line is too long for the simulated log");
    return true;
}

/* Where QEMU puts the first memory device of a q35: at the next GiB after the memory above 4 GiB. */
static uint64_t device_memory(uint64_t memory_mib) {
    uint64_t above = memory_mib >= 0xb00 ? memory_mib - 2048 : 0;
    return ((4096 + above + 1023) / 1024 * 1024) * MIB;
}

static bool make_ccel(const struct simtee_plan *plan, struct view kernel, uint8_t *template, struct arena *a, struct simtee_made *out,
                      struct err *e) {
    struct ccel c = {.rtmr = {{.alg = HASH_SHA384}, {.alg = HASH_SHA384}, {.alg = HASH_SHA384}}};
    uint8_t *room = arena_alloc(a, SIMTEE_LOG_ROOM), *table = arena_alloc(a, 20);
    if (!room || !table) return arena_full(a, e);
    memset(room, 0xff, SIMTEE_LOG_ROOM);
    c.log = writer_of(room, LOG_LENGTH);
    if (!write_log(&c, kernel, plan->cmdline, plan->initrd, e)) return false;
    for (size_t i = 0; i < 3; i++) memcpy(template + TDX_RTMR0 + i * DIGEST, c.rtmr[i].value, DIGEST);
    out->log_address = device_memory(plan->memory_mib);
    struct writer w = writer_of(table, 20);
    write_le32(&w, 2); /* cc_type: TDX */
    write_le64(&w, LOG_LENGTH);
    write_le64(&w, out->log_address);
    out->ccel_table = writer_view(&w);
    out->ccel_log = view_of(room, SIMTEE_LOG_ROOM);
    return true;
}

/* Like hardware's in one thing alone: other files, another digest. */
static void make_launch_digest(const struct simtee_plan *plan, struct view kernel, uint8_t *template) {
    const struct view parts[] = {kernel, plan->initrd, view_str(plan->cmdline)};
    uint8_t each[DIGEST];
    struct hash h;
    hash_init(&h, HASH_SHA384);
    hash_update(&h, VIEW("Plinth SIMULATED launch digest"));
    for (size_t i = 0; i < 3; i++) {
        hash_once(HASH_SHA384, parts[i], each);
        hash_update(&h, view_of(each, sizeof each));
    }
    hash_final(&h, template + SNP_MEASUREMENT);
}

/* The template inside the device's file; it may be written to. */
static uint8_t *find_template(uint8_t *device, size_t n, size_t size) {
    struct reader r = reader_of(view_of(device, n));
    read_bytes(&r, 8); /* magic */
    while (!r.bad && r.rest.n) {
        uint32_t type = read_le32(&r), length = read_le32(&r);
        struct view part = read_bytes(&r, length);
        if (!r.bad && type == PART_TEMPLATE && part.n == size) return device + (part.p - device);
    }
    return NULL;
}

static bool put(uint8_t *at, size_t size, struct view value, const char *option, struct err *e) {
    if (value.n && value.n != size) return err_set(e, ERR_USAGE, "%s has %zu bytes, %zu are wanted", option, value.n, size);
    if (value.n) memcpy(at, value.p, size);
    return true;
}

/* Linux boot protocol: "HdrS" at 0x202, kernel_version at 0x20e counted from 0x200. */
static bool simtee_in_kernel(struct view kernel, char out[static 80]) {
    struct reader r = reader_of(view_skip(kernel, 0x202));
    out[0] = 0;
    if (!view_is(read_bytes(&r, 4), "HdrS")) return false;
    read_bytes(&r, 8);
    struct view version = view_skip(kernel, 0x200u + read_le16(&r)), release = view_cut(&version, ' ', NULL);
    if (r.bad || !view_to_str(view_first(release, 79), out, 80)) return false;
    return strstr(out, "SIMULATED-TEE") != NULL;
}

bool simtee_absent(struct view kernel, const char *path, struct err *e) {
    char release[80];
    if (!simtee_in_kernel(kernel, release)) return true;
    err_set(e, ERR_USAGE, "the kernel %s (%s) holds a SIMULATED TEE", path, release);
    return err_mend(e, "plinth run --tee tdx or snp with --simulate DIR, or another --kernel");
}

bool simtee_make(const struct simtee_plan *plan, struct arena *a, struct simtee_made *out, struct err *e) {
    char path[4096], release[80];
    struct view kernel, file;
    struct simtee_made made = {0};
    snprintf(path, sizeof path, "%s/%s/device", plan->directory, plan->snp ? "snp" : "tdx");
    if (!file_read("simulated TEE", path, DEVICE_MAX, a, &file, e)) return err_mend(e, "qemu/simtee/make %s makes it", plan->directory);
    if (!file_read("kernel", plan->kernel, KERNEL_MAX, a, &kernel, e)) return false;
    if (!simtee_in_kernel(kernel, release)) {
        err_set(e, ERR_USAGE, "the kernel %s (%s) holds no simulated TEE", plan->kernel, release[0] ? release : "no bzImage");
        return err_mend(e, "`qemu/parts sim-kernel` makes one that does; --kernel FILE names its vmlinuz");
    }
    uint8_t *device = arena_alloc(a, file.n), *template = NULL;
    if (!device) return arena_full(a, e);
    memcpy(device, file.p, file.n);
    made.device = view_of(device, file.n);
    template = find_template(device, file.n, plan->snp ? 0x2a0 : 632);
    if (!template) return err_set(e, ERR_USAGE, "%s is not what qemu/simtee/make writes", path);
    if (plan->snp) make_launch_digest(plan, kernel, template);
    else if (!make_ccel(plan, kernel, template, a, &made, e)) return false;
    if (!put(template + (plan->snp ? SNP_HOST_DATA : TDX_MRCONFIGID), plan->snp ? 32 : DIGEST, plan->host_data, "--host-data", e) ||
        !put(template + (plan->snp ? SNP_MEASUREMENT : TDX_MRTD), DIGEST, plan->launch, "--launch-digest", e))
        return false;
    *out = made;
    return true;
}
