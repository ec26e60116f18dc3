/* cmd_measure: plinth measure tpm|snp|tdx. What a machine's registers will be, from the files alone. */
#include "base/codec.h"
#include "crypto/hash.h"
#include "sys/console.h"
#include "tools/eventlog.h"
#include "tools/file.h"
#include "tools/initdata.h"
#include "tools/measure/boot.h"
#include "tools/measure/id_block.h"
#include "tools/measure/snp.h"
#include "tools/measure/tdx.h"
#include "tools/options.h"
#include "tools/predict.h"
#include "tools/result.h"
#include "tools/uki.h"

#include <stdio.h>
#include <string.h>

#define ARENA                                                                                                          \
    (2 * (size_t)1 << 30) /* of address space: the files, a copy of the kernel, an image's manifest and config */
#define FIRMWARE_MAX (64u << 20)
#define KEY_MAX (64u << 10)
#define INPUTS_MAX 8u
#define PLINTH_PCR 15u

struct command {
    const char *firmware_path, *kernel_path, *initrd_path, *cmdline_text, *uki_path, *svsm_path;
    struct predict_from from; /* Plinth's own register */
    const char *memory_text, *qemu_text;
    const char *vcpus_text, *vcpu_type, *vcpu_sig, *features_text, *vars_text;
    const char *id_key_path, *author_key_path, *id_block_path, *id_auth_path, *guest_policy, *family_id, *image_id,
        *svn_text;
    bool json;

    struct arena a;
    struct view firmware, kernel, initrd, cmdline, uki, svsm;
    size_t input_count;
    struct input {
        const char *name;
        uint8_t sha256[32];
    } inputs[INPUTS_MAX];

    struct measurement own; /* Plinth's register */
    bool has_own;
    struct boot_register pcr[BOOT_PCRS], rtmr1[2], rtmr2;
    bool has_rtmr;
    uint8_t digest[48], single_pass[48];
    struct id_signed id;
};

/* ---- inputs ---- */

static void note_input(struct command *c, const char *name, struct view bytes) {
    struct input *input = &c->inputs[c->input_count++];
    input->name = name;
    hash_once(HASH_SHA256, bytes, input->sha256);
}

static bool load(struct command *c, const char *name, const char *path, size_t max, struct view *out, struct err *e) {
    if (!path) return true;
    if (!file_read(name, path, max, &c->a, out, e)) return false;
    if (!out->n) *out = view_of("", 0); /* an empty file is not no file */
    note_input(c, name, *out);
    return true;
}

static bool load_all(struct command *c, struct err *e) {
    if (!arena_make(&c->a, ARENA, e) || !load(c, "firmware", c->firmware_path, FIRMWARE_MAX, &c->firmware, e) ||
        !load(c, "svsm", c->svsm_path, FIRMWARE_MAX, &c->svsm, e) ||
        !load(c, "kernel", c->kernel_path, UKI_FILE_MAX, &c->kernel, e) ||
        !load(c, "initrd", c->initrd_path, UKI_FILE_MAX, &c->initrd, e) ||
        !load(c, "uki", c->uki_path, UKI_FILE_MAX, &c->uki, e))
        return false;
    if (!c->cmdline_text) return true;
    c->cmdline = view_str(c->cmdline_text);
    note_input(c, "cmdline", c->cmdline);
    return true;
}

static bool read_hex_number(const char *name, const char *text, uint64_t *out, struct err *e) {
    uint64_t value = 0;
    size_t n = 0;
    if (!text) return true;
    const char *digits = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? text + 2 : text;
    for (; digits[n] && n < 17; n++) {
        const char *hex = "0123456789abcdef", *at = strchr(hex, digits[n] | 0x20);
        if (!at || digits[n] < '0') break;
        value = value << 4 | (uint64_t)(at - hex);
    }
    if (!n || n > 16 || digits[n]) return err_set(e, ERR_USAGE, "%s: '%s' is no hexadecimal number", name, text);
    *out = value;
    return true;
}

/* "7.2", "QEMU emulator version 10.0.13", nothing: what is installed. */
static bool qemu_major(const char *text, unsigned *out, struct err *e) {
    char line[256] = "";
    if (!text) {
        FILE *f = popen("qemu-system-x86_64 --version 2>/dev/null", "r"); /* fixed text */
        if (f && !fgets(line, sizeof line, f)) line[0] = 0;
        if (f) pclose(f);
        text = strstr(line, "version ");
        if (!text) {
            err_set(e, ERR_USAGE, "no QEMU here to ask for its version");
            return err_mend(e, "--qemu-version 7.2 or 10.0: the one that boots the machine");
        }
        text += strlen("version ");
    }
    size_t n = strspn(text, "0123456789");
    uint64_t major;
    if (!view_u64(view_of(text, n), 999, &major) || (text[n] && text[n] != '.'))
        return err_set(e, ERR_USAGE, "--qemu-version %s: not a version such as 7.2", text);
    *out = (unsigned)major;
    return true;
}

static bool read_boot(const struct command *c, struct boot *out, struct err *e) {
    uint64_t mib = 1024;
    *out = (struct boot){.uki = c->uki, .kernel = c->kernel, .initrd = c->initrd, .cmdline = c->cmdline};
    if (c->uki.n && (c->kernel_path || c->initrd_path || c->cmdline_text))
        return err_set(e, ERR_USAGE,
                       "--uki FILE has kernel, initramfs and command line inside; none can be given beside it");
    if (!c->uki.n && (!c->kernel_path || !c->initrd_path || !c->cmdline_text))
        return err_set(e, ERR_USAGE, "wanted: --kernel FILE, --initrd FILE and --cmdline TEXT, or --uki FILE");
    if (!option_number("--memory", c->memory_text, 64, 1u << 24, &mib, e)) return false;
    out->memory = mib << 20;
    return c->uki.n || qemu_major(c->qemu_text, &out->qemu_major, e);
}

static bool predict_own(struct command *c, struct err *e) {
    if (!c->from.reference && !c->from.policy && !c->from.initdata) return true;
    if (!c->from.policy && !c->from.initdata) return err_set(e, ERR_USAGE, "--image goes with --policy FILE or --initdata FILE");
    if (!c->from.reference) c->from.reference = "";
    c->has_own = predict_image(&c->from, &c->a, &c->own, e);
    return c->has_own;
}

/* With a vTPM alone the agent extends it with the file's bytes before it reads them. */
static bool predict_initdata(struct command *c, struct err *e) {
    struct view text;
    struct initdata read;
    if (!c->from.initdata) return true;
    if (!initdata_file(c->from.initdata, &c->a, &text, &read, e)) return false;
    boot_extend(&c->pcr[INITDATA_PCR], text);
    return true;
}

static const uint8_t *own_value(const struct command *c, enum hash_alg alg) {
    for (size_t i = 0; i < c->own.bank_count; i++)
        if (c->own.banks[i].alg == alg) return c->own.banks[i].value;
    return NULL;
}

/* ---- output ---- */

static void put_inputs(struct result *r, const struct command *c) {
    result_open(r, "inputs", '{');
    for (size_t i = 0; i < c->input_count; i++) {
        char text[7 + 64 + 1] = "sha256:";
        struct writer w = writer_of(text + 7, 64);
        write_hex(&w, view_of(c->inputs[i].sha256, 32));
        result_text(r, c->inputs[i].name, text);
    }
    result_close(r, '}');
}

static void print_hex(const char *name, struct view v) {
    printf("%-16s", name);
    for (size_t i = 0; i < v.n; i++) printf("%02x", v.p[i]);
    printf("\n");
}

/* Plinth's own events, for who wants to know which one differs. */
static void put_events(struct result *r, const struct command *c) {
    struct eventlog log = eventlog_of(writer_view(&c->own.log));
    struct eventlog_record record;
    struct err e;
    if (!c->has_own) return;
    result_open(r, "events", '[');
    while (eventlog_next(&log, &record, &e)) {
        char text[EVENT_TEXT_MAX + 1];
        struct view v;
        if (eventlog_aael(&record, &v) && view_to_str(v, text, sizeof text)) result_text(r, NULL, text);
    }
    result_close(r, ']');
}

/* The digests under one predicted register. */
static void put_digests(struct result *r, const char *name, const struct boot_register *b, size_t bank) {
    if (!b->event_count || b->event_count == BOOT_EVENTS_MAX || b->unknown) return;
    result_open(r, name, '[');
    for (size_t i = 0; i < b->event_count; i++) result_hex(r, NULL, view_of(b->events[i][bank], hash_size(b->banks[bank].alg)));
    result_close(r, ']');
}

/* ---- tpm ---- */

static bool tpm(struct command *c, struct err *e) {
    struct boot boot;
    if (!load_all(c, e) || !read_boot(c, &boot, e) || !boot_predict_pcrs(&boot, &c->a, c->pcr, e) || !predict_own(c, e) ||
        !predict_initdata(c, e))
        return false;
    unsigned pcr = c->has_own ? c->own.mr_index : PLINTH_PCR;
    if (!c->has_own) c->pcr[pcr].unknown = "Plinth's own: --policy FILE and --image REF tell";
    for (size_t i = 0; c->has_own && i < 2; i++) {
        const uint8_t *value = own_value(c, c->pcr[pcr].banks[i].alg);
        if (value) memcpy(c->pcr[pcr].banks[i].value, value, HASH_MAX);
    }
    return true;
}

static void tpm_json(const struct command *c, struct result *r) {
    char number[8];
    for (size_t bank = 0; bank < 2; bank++) {
        enum hash_alg alg = c->pcr[0].banks[bank].alg;
        result_open(r, hash_name(alg), '{');
        for (unsigned i = 0; i < BOOT_PCRS; i++) {
            snprintf(number, sizeof number, "%u", i);
            result_hex(r, number, view_of(c->pcr[i].banks[bank].value, c->pcr[i].unknown ? 0 : hash_size(alg)));
        }
        result_close(r, '}');
    }
    result_open(r, "unknown", '{');
    for (unsigned i = 0; i < BOOT_PCRS; i++) {
        snprintf(number, sizeof number, "%u", i);
        if (c->pcr[i].unknown) result_text(r, number, c->pcr[i].unknown);
    }
    result_close(r, '}');
    result_open(r, "boot_events", '{');
    for (unsigned i = 0; i < BOOT_PCRS; i++) {
        snprintf(number, sizeof number, "%u", i);
        put_digests(r, number, &c->pcr[i], 0);
    }
    result_close(r, '}');
    put_events(r, c);
}

static void tpm_text(const struct command *c) {
    char name[32];
    for (size_t bank = 0; bank < 2; bank++)
        for (unsigned i = 0; i < BOOT_PCRS; i++) {
            enum hash_alg alg = c->pcr[i].banks[bank].alg;
            snprintf(name, sizeof name, "%s PCR %u", hash_name(alg), i);
            if (!c->pcr[i].unknown)
                print_hex(name, view_of(c->pcr[i].banks[bank].value, hash_size(alg)));
            else if (!bank)
                printf("%-16sunknown: %s\n", name, c->pcr[i].unknown);
        }
}

/* ---- snp ---- */

static bool read_guest(const struct command *c, struct snp_guest *g, struct err *e) {
    uint64_t vcpus = 1, signature = 0, vars = 0;
    *g = (struct snp_guest){.firmware = c->firmware,
                            .svsm = c->svsm,
                            .kernel = c->kernel,
                            .initrd = c->initrd,
                            .cmdline = c->cmdline,
                            .has_kernel = c->kernel_path != NULL,
                            .guest_features = 0x1};
    if (!c->firmware_path) return err_set(e, ERR_USAGE, "--firmware FILE is missing");
    if (!c->kernel_path && (c->initrd_path || c->cmdline_text))
        return err_set(e, ERR_USAGE, "--initrd and --cmdline go with --kernel FILE");
    if (!option_number("--vcpus", c->vcpus_text, 1, SNP_VCPUS_MAX, &vcpus, e) ||
        !option_number("--svsm-vars-size", c->vars_text, 0, FIRMWARE_MAX, &vars, e) ||
        !read_hex_number("--vcpu-sig", c->vcpu_sig, &signature, e) ||
        !read_hex_number("--guest-features", c->features_text, &g->guest_features, e))
        return false;
    if (!c->vcpu_type == !c->vcpu_sig) return err_set(e, ERR_USAGE, "wanted: --vcpu-type NAME or --vcpu-sig HEX");
    if (signature > UINT32_MAX) return err_set(e, ERR_USAGE, "--vcpu-sig %s: more than 32 bits", c->vcpu_sig);
    g->vcpus = (uint32_t)vcpus;
    g->svsm_vars_size = (uint32_t)vars;
    g->vcpu_signature = (uint32_t)signature;
    if (!c->vcpu_type || snp_vcpu_signature(c->vcpu_type, &g->vcpu_signature)) return true;
    err_set(e, ERR_USAGE, "--vcpu-type %s: no such model of AMD in QEMU's list", c->vcpu_type);
    return err_mend(e, "--vcpu-sig HEX takes CPUID Fn0000_0001 EAX");
}

static bool sign(struct command *c, struct err *e) {
    struct id_block block = {.policy = 0x30000};
    struct view id_key, author_key = {0}, same;
    uint64_t svn = 0;
    if (!c->id_key_path)
        return (!c->id_block_path && !c->id_auth_path && !c->author_key_path) ||
               err_set(e, ERR_USAGE, "--id-block-key FILE is missing");
    if (!c->id_block_path || !c->id_auth_path)
        return err_set(e, ERR_USAGE, "--id-block-key goes with --id-block FILE and --id-auth FILE");
    if (!read_hex_number("--guest-policy", c->guest_policy, &block.policy, e) ||
        !option_number("--guest-svn", c->svn_text, 0, UINT32_MAX, &svn, e) ||
        !option_hex("--family-id", c->family_id, 16, 16, block.family_id, &same, e) ||
        !option_hex("--image-id", c->image_id, 16, 16, block.image_id, &same, e))
        return false;
    if (!(block.policy >> 17 & 1))
        return err_set(e, ERR_USAGE, "--guest-policy 0x%llx: bit 17 must be set", (unsigned long long)block.policy);
    block.guest_svn = (uint32_t)svn;
    memcpy(block.launch_digest, c->digest, 48);
    if (!file_read("ID key", c->id_key_path, KEY_MAX, &c->a, &id_key, e)) return false;
    if (c->author_key_path && !file_read("author key", c->author_key_path, KEY_MAX, &c->a, &author_key, e))
        return false;
    return id_block_sign(&block, id_key, author_key, &c->a, &c->id, e) &&
           file_write(c->id_block_path, view_of(c->id.block, ID_BLOCK_SIZE), e) &&
           file_write(c->id_auth_path, view_of(c->id.auth, ID_AUTH_SIZE), e);
}

static bool snp(struct command *c, struct err *e) {
    struct snp_guest guest;
    return load_all(c, e) && read_guest(c, &guest, e) && snp_launch_digest(&guest, c->digest, e) && sign(c, e);
}

static void snp_json(const struct command *c, struct result *r) {
    result_hex(r, "launch_digest", view_of(c->digest, 48));
    if (!c->id_key_path) return;
    result_hex(r, "id_key_digest", view_of(c->id.id_key_digest, 48));
    result_hex(r, "author_key_digest", view_of(c->id.author_key_digest, c->author_key_path ? 48 : 0));
}

static void snp_text(const struct command *c) {
    print_hex("launch digest", view_of(c->digest, 48));
    if (c->id_key_path) print_hex("ID key", view_of(c->id.id_key_digest, 48));
    if (c->author_key_path) print_hex("author key", view_of(c->id.author_key_digest, 48));
}

/* ---- tdx ---- */

static const char rtmr0_unknown[] =
    "TD HOB, variables and ACPI tables, which follow from memory, vCPUs, devices and QEMU's version; the CCEL tells";
static const char rtmr_unknown[] =
    "--kernel FILE, --initrd FILE and --cmdline TEXT tell (of a UKI no log was there to hold it against)";
static const char rtmr3_unknown[] = "Plinth's own: --policy FILE and --image REF tell";

static bool tdx(struct command *c, struct err *e) {
    struct boot boot;
    if (!load_all(c, e)) return false;
    if (!c->firmware_path) return err_set(e, ERR_USAGE, "--firmware FILE is missing");
    if (!tdx_mrtd(c->firmware, TDX_TWO_PASS, c->digest, e) ||
        !tdx_mrtd(c->firmware, TDX_SINGLE_PASS, c->single_pass, e))
        return false;
    c->has_rtmr = c->kernel_path || c->initrd_path || c->cmdline_text;
    if (c->has_rtmr && (!read_boot(c, &boot, e) || !boot_predict_rtmrs(&boot, &c->a, c->rtmr1, &c->rtmr2, e)))
        return false;
    return predict_own(c, e);
}

static struct view sha384_of(const struct boot_register *r, bool known) {
    return view_of(r->banks[1].value, known ? 48 : 0);
}
static struct view rtmr3(const struct command *c) {
    const uint8_t *value = c->has_own ? own_value(c, HASH_SHA384) : NULL;
    return view_of(value, value ? 48 : 0);
}

static void tdx_json(const struct command *c, struct result *r) {
    result_hex(r, "mrtd", view_of(c->digest, 48));
    result_hex(r, "mrtd_single_pass", view_of(c->single_pass, 48));
    result_hex(r, "rtmr0", (struct view){0});
    result_hex(r, "rtmr1", sha384_of(&c->rtmr1[0], c->has_rtmr));
    result_hex(r, "rtmr1_separator_in_rtmr0", sha384_of(&c->rtmr1[1], c->has_rtmr));
    result_hex(r, "rtmr2", sha384_of(&c->rtmr2, c->has_rtmr));
    result_hex(r, "rtmr3", rtmr3(c));
    result_open(r, "unknown", '{');
    result_text(r, "rtmr0", rtmr0_unknown);
    if (!c->has_rtmr) result_text(r, "rtmr1", rtmr_unknown);
    if (!c->has_rtmr) result_text(r, "rtmr2", rtmr_unknown);
    if (!c->has_own) result_text(r, "rtmr3", rtmr3_unknown);
    result_close(r, '}');
    result_open(r, "boot_events", '{');
    if (c->has_rtmr) put_digests(r, "rtmr1", &c->rtmr1[0], 1), put_digests(r, "rtmr2", &c->rtmr2, 1);
    result_close(r, '}');
    put_events(r, c);
}

static void tdx_text(const struct command *c) {
    print_hex("MRTD", view_of(c->digest, 48));
    print_hex("MRTD one pass", view_of(c->single_pass, 48));
    printf("%-16sunknown: %s\n", "RTMR0", rtmr0_unknown);
    if (c->has_rtmr) {
        print_hex("RTMR1", sha384_of(&c->rtmr1[0], true));
        print_hex("RTMR1 old edk2", sha384_of(&c->rtmr1[1], true));
        print_hex("RTMR2", sha384_of(&c->rtmr2, true));
    } else {
        printf("%-16sunknown: %s\n", "RTMR1, RTMR2", rtmr_unknown);
    }
    if (c->has_own)
        print_hex("RTMR3", rtmr3(c));
    else
        printf("%-16sunknown: %s\n", "RTMR3", rtmr3_unknown);
}

/* ---- */

struct kind {
    bool (*work)(struct command *, struct err *);
    void (*json)(const struct command *, struct result *);
    void (*text)(const struct command *);
};

static int run(struct command *c, const struct usage *usage, const struct kind *kind, int argc, char **argv) {
    struct err e = {0};
    int operands, status = options_parse(usage, argc, argv, &operands);
    if (status >= 0) return status;
    bool ok = kind->work(c, &e);
    status = ok ? 0 : command_fail(&e);
    if (c->json) {
        static struct result result;
        result_begin(&result, &e);
        if (ok) put_inputs(&result, c);
        if (ok) kind->json(c, &result);
        status = result_end(&result, status);
    } else if (ok) {
        kind->text(c);
        if (fflush(stdout)) status = 3;
    }
    arena_drop(&c->a);
    return status;
}

#define KERNEL_OPTIONS                                                                                                 \
    {"--kernel", "FILE", "the kernel of a direct boot (-kernel)", .text = &c.kernel_path},                             \
        {"--initrd", "FILE", "its initramfs", .text = &c.initrd_path}, {                                               \
        "--cmdline", "TEXT", "its command line, as given to QEMU's -append", .text = &c.cmdline_text                   \
    }
#define HOST_OPTIONS                                                                                                   \
    {"--qemu-version", "VERSION",                                                                                      \
     "of the QEMU that boots it: before 10 it changes the kernel's header\n(default: that of the one here)",           \
     .text = &c.qemu_text},                                                                                            \
    {                                                                                                                  \
        "--memory", "MIB", "of the machine: before QEMU 10 it stands in that header (default: 1024)",                  \
            .text = &c.memory_text                                                                                     \
    }
#define OWN_OPTIONS                                                                                                    \
    {"--policy", "FILE", "with it Plinth's own register is predicted, as plinth check does", .text = &c.from.policy},  \
        {"--initdata", "FILE", "initdata that the machine is launched with; it may bring the policy", .text = &c.from.initdata},   \
    {                                                                                                                  \
        "--image", "REF", "docker:// or oci: reference (default: the policy's image)", .text = &c.from.reference                \
    },                                                                                                                 \
    {                                                                                                                  \
        "--secrets", "DIR", "in place of a KBS: kbs:///repository/type/tag is DIR/repository/type/tag",                \
            .text = &c.from.secrets                                                                                    \
    }
#define JSON_OPTION                                                                                                    \
    { "--json", NULL, "one JSON object on standard output", .on = &c.json }

static struct command c; /* large */

static int measure_tpm(int argc, char **argv) {
    const struct option options[] = {
        KERNEL_OPTIONS,
        {"--uki", "FILE", "a unified kernel image, booted from a disk, instead of those three", .text = &c.uki_path},
        HOST_OPTIONS,
        {"--firmware", "FILE", "OVMF: only its digest is noted; its own PCRs are not predicted",
         .text = &c.firmware_path},
        OWN_OPTIONS,
        JSON_OPTION,
        {0}};
    const struct usage usage = {
        "measure tpm",
        NULL,
        "Predicts the PCRs 0 to 15 (sha256, sha384) of a boot under OVMF; says why where it cannot.",
        0,
        0,
        options};
    return run(&c, &usage, &(struct kind){tpm, tpm_json, tpm_text}, argc, argv);
}

static int measure_snp(int argc, char **argv) {
    const struct option options[] = {
        {"--firmware", "FILE", "OVMF with SEV metadata", .text = &c.firmware_path},
        KERNEL_OPTIONS,
        {"--vcpus", "N", "default: 1", .text = &c.vcpus_text},
        {"--vcpu-type", "NAME", "QEMU's CPU model: EPYC-v4, EPYC-Milan, EPYC-Genoa, ...", .text = &c.vcpu_type},
        {"--vcpu-sig", "HEX", "or its CPUID signature", .text = &c.vcpu_sig},
        {"--guest-features", "HEX", "SEV_FEATURES of the vCPUs (default: 1; Linux 6.10 and newer often 21)",
         .text = &c.features_text},
        {"--svsm", "FILE", "COCONUT-SVSM's image (not IGVM), beside --firmware without variables",
         .text = &c.svsm_path},
        {"--svsm-vars-size", "BYTES", "what the variables take between the two", .text = &c.vars_text},
        {"--id-block-key", "FILE", "sign an ID block with this P-384 private key (PEM)", .text = &c.id_key_path},
        {"--author-key", "FILE", "and that key with this one", .text = &c.author_key_path},
        {"--id-block", "FILE", "where the ID block goes (96 bytes)", .text = &c.id_block_path},
        {"--id-auth", "FILE", "where the ID authentication information goes (4096 bytes)", .text = &c.id_auth_path},
        {"--guest-policy", "HEX", "of the guest (default: 30000)", .text = &c.guest_policy},
        {"--guest-svn", "N", "its security version (default: 0)", .text = &c.svn_text},
        {"--family-id", "HEX", "16 bytes (default: zeros)", .text = &c.family_id},
        {"--image-id", "HEX", "16 bytes (default: zeros)", .text = &c.image_id},
        JSON_OPTION,
        {0}};
    const struct usage usage = {
        "measure snp",
        NULL,
        "Predicts the launch digest of an SEV-SNP guest under QEMU, and signs an ID block for it.",
        0,
        0,
        options};
    return run(&c, &usage, &(struct kind){snp, snp_json, snp_text}, argc, argv);
}

static int measure_tdx(int argc, char **argv) {
    const struct option options[] = {
        {"--firmware", "FILE", "OVMF or TDVF, code and variables in one file", .text = &c.firmware_path},
        KERNEL_OPTIONS,
        HOST_OPTIONS,
        OWN_OPTIONS,
        JSON_OPTION,
        {0}};
    const struct usage usage = {
        "measure tdx", NULL, "Predicts MRTD and the RTMRs of a TD under QEMU; says why where it cannot.", 0, 0,
        options};
    return run(&c, &usage, &(struct kind){tdx, tdx_json, tdx_text}, argc, argv);
}

int cmd_measure(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } kinds[] = {{"tpm", measure_tpm}, {"snp", measure_snp}, {"tdx", measure_tdx}};
    struct err e;
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(argv[1], kinds[i].name)) return kinds[i].run(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "--help")) {
        printf("usage: plinth measure tpm|snp|tdx [OPTION]...\nPredicts what the registers of a machine will be, from "
               "the files alone.\n"
               "plinth measure tpm --help tells more, and so for snp and tdx.\n");
        return fflush(stdout) ? 3 : 0;
    }
    err_set(&e, ERR_USAGE, "measure: wanted: tpm, snp or tdx");
    err_mend(&e, "plinth measure --help");
    return command_fail(&e);
}
