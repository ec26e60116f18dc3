/* ovmf, snp, tdx, boot, id_block: what the firmware's tables say, digests over them, and tables that must be refused.
 */
#include "lib.h"
#include "base/codec.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "tools/measure/boot.h"
#include "tools/measure/id_block.h"
#include "tools/measure/ovmf.h"
#include "tools/measure/snp.h"
#include "tools/measure/tdx.h"

#include <bearssl.h>

static void is_hex(const uint8_t *bytes, const char *hex) {
    uint8_t want[48];
    CHECK(hex_decode(view_str(hex), want, sizeof want));
    if (memcmp(bytes, want, sizeof want)) check_fail("another digest than %s", hex);
}

/* ---- firmware tables ---- */

TEST(sev_metadata) {
    struct ovmf_sev sev;
    fresh();
    CHECK(ovmf_read_sev(vector("measure/ovmf_AmdSev_suffix.bin"), &sev, &err));
    CHECK(sev.count == 7 && sev.sections[0].gpa == 0x800000 && sev.sections[0].size == 0x9000 &&
          sev.sections[0].type == OVMF_SEC_MEM);
    CHECK(sev.sections[5].type == OVMF_KERNEL_HASHES && sev.hash_table_gpa - sev.sections[5].gpa < 4096 &&
          !sev.is_svsm && sev.reset_eip);
    CHECK(ovmf_read_sev(vector("measure/ovmf_OvmfX64_suffix.bin"), &sev, &err) && sev.hash_table_gpa == 0);
    CHECK(!ovmf_read_sev(vector("measure/tdvf-synthetic.fd"), &sev, &err)); /* names ASEV metadata and has none */
    CHECK_ERR("no ASEV metadata");
}

TEST(tdx_metadata) {
    struct ovmf_tdx tdx;
    fresh();
    CHECK(ovmf_read_tdx(vector("measure/tdvf-synthetic.fd"), &tdx, &err));
    CHECK(tdx.count == 6 && tdx.sections[0].raw_at == 16384 && tdx.sections[0].gpa == 4294918144 &&
          tdx.sections[0].attributes == TDVF_MR_EXTEND);
    CHECK(!ovmf_read_tdx(vector("measure/ovmf_OvmfX64_suffix.bin"), &tdx, &err));
    CHECK_ERR("the file 4096 bytes");
    CHECK(!ovmf_read_tdx(VIEW("short"), &tdx, &err));
    CHECK_ERR("no table of GUIDs");
}

static bool either(struct view v) {
    struct ovmf_sev sev;
    struct ovmf_tdx tdx;
    bool a = ovmf_read_sev(v, &sev, &err), b = ovmf_read_tdx(v, &tdx, &err);
    return a || b;
}

/* The table is found from the end: cut there, nothing is left of it; bits anywhere must not crash. */
TEST(cut_and_flipped) {
    fresh();
    struct view file = vector("measure/tdvf-synthetic.fd");
    CHECK(either(file));
    for (size_t cut = 1; cut < 400; cut++) {
        uint8_t *copy = malloc(file.n - cut);
        memcpy(copy, file.p, file.n - cut);
        CHECK(!either(view_of(copy, file.n - cut)));
        free(copy);
    }
    for (size_t n = 0; n < 4096; n += 7) { /* only its end */
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, file.p + file.n - n, n);
        CHECK(!either(view_of(copy, n)));
        free(copy);
    }
    const char *files[] = {"measure/tdvf-synthetic.fd", "measure/ovmf_AmdSev_suffix.bin",
                           "measure/ovmf_OvmfX64_suffix.bin"};
    for (size_t f = 0; f < 3; f++) {
        file = vector(files[f]);
        uint8_t *copy = malloc(file.n);
        memcpy(copy, file.p, file.n);
        for (size_t i = (file.n - 4096) * 8; i < file.n * 8; i++) {
            copy[i / 8] ^= (uint8_t)(1u << i % 8);
            (void)either(view_of(copy, file.n));
            copy[i / 8] ^= (uint8_t)(1u << i % 8);
        }
        free(copy);
    }
}

/* ---- a firmware of our own: ASEV or TDVF metadata and a table that points to it, in one page ---- */

static const uint8_t footer[] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t sev_guid[] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                   0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t tdx_guid[] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                   0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};
static uint8_t page[4096];

static struct view firmware(const uint8_t *guid, const char *signature, uint32_t version, uint32_t count,
                            uint32_t metadata_at, const uint32_t *words, size_t n) {
    memset(page, 0, sizeof page);
    struct writer w = writer_of(page + 1000, 2000);
    write_text(&w, signature);
    write_le32(&w, (uint32_t)(16 + 4 * n));
    write_le32(&w, version);
    write_le32(&w, count);
    for (size_t i = 0; i < n; i++) write_le32(&w, words[i]);
    w = writer_of(page + 4096 - 50 - 22, 72);
    write_le32(&w, metadata_at);
    write_le16(&w, 22);
    write_bytes(&w, view_of(guid, 16));
    write_le16(&w, 18 + 22);
    write_bytes(&w, view_of(footer, 16));
    return view_of(page, sizeof page);
}

#define WORDS(...) (const uint32_t[]){__VA_ARGS__}, sizeof(const uint32_t[]){__VA_ARGS__} / 4
#define SEV(...) firmware(sev_guid, "ASEV", 1, 1, 4096 - 1000, WORDS(__VA_ARGS__))
#define TDX(...) firmware(tdx_guid, "TDVF", 1, 1, 4096 - 1000, WORDS(__VA_ARGS__))

TEST(refuses_metadata) {
    struct ovmf_sev sev;
    struct ovmf_tdx tdx;
    fresh();
    CHECK(ovmf_read_sev(SEV(0x1000, 0x1000, 1), &sev, &err) && sev.count == 1);
    CHECK(!ovmf_read_sev(SEV(0x1000, 0x1000, 5), &sev, &err));
    CHECK_ERR("type 5");
    CHECK(!ovmf_read_sev(SEV(0x1001, 0x1000, 1), &sev, &err));
    CHECK(!ovmf_read_sev(SEV(0x1000, 0xfff, 1), &sev, &err));
    CHECK(ovmf_read_sev(SEV(0, 0, 1), &sev, &err) &&
          ovmf_read_sev(SEV(0, 0, 4), &sev, &err)); /* edk2's TDX build has them */
    CHECK(!ovmf_read_sev(SEV(0, 0, 2), &sev, &err) && !ovmf_read_sev(SEV(0, 0, 0x10), &sev, &err));
    CHECK(!ovmf_read_sev(SEV(0x1000, 0xfffff000, 1), &sev, &err));
    CHECK(!ovmf_read_sev(SEV(0x1000, 0x2000, 2), &sev, &err)); /* secrets have one page */
    CHECK(!ovmf_read_sev(firmware(sev_guid, "ASEV", 2, 1, 4096 - 1000, WORDS(0x1000, 0x1000, 1)), &sev, &err));
    CHECK_ERR("of version 1");
    CHECK(!ovmf_read_sev(firmware(sev_guid, "ASEW", 1, 1, 4096 - 1000, WORDS(0x1000, 0x1000, 1)), &sev, &err));
    CHECK(!ovmf_read_sev(firmware(sev_guid, "ASEV", 1, 2, 4096 - 1000, WORDS(0x1000, 0x1000, 1)), &sev, &err));
    CHECK(!ovmf_read_sev(firmware(sev_guid, "ASEV", 1, 0xffffffff, 4096 - 1000, WORDS(0x1000, 0x1000, 1)), &sev, &err));
    CHECK(!ovmf_read_sev(firmware(sev_guid, "ASEV", 1, 1, 5000, WORDS(0x1000, 0x1000, 1)), &sev, &err));
    CHECK_ERR("would start 5000 bytes before");
    CHECK(!ovmf_read_sev(firmware(sev_guid, "ASEV", 1, 1, 15, WORDS(0x1000, 0x1000, 1)), &sev, &err));

    CHECK(ovmf_read_tdx(TDX(0, 0x1000, 0xfffff000, 0, 0x1000, 0, 0, 1), &tdx, &err) && tdx.count == 1);
    CHECK(!ovmf_read_tdx(TDX(1, 0x1000, 0xfffff000, 0, 0x1000, 0, 0, 1), &tdx, &err));
    CHECK(!ovmf_read_tdx(TDX(0, 0x1000, 0xfffff001, 0, 0x1000, 0, 0, 1), &tdx, &err));
    CHECK(!ovmf_read_tdx(TDX(0, 0x1000, 0xfffff000, 0, 0, 0, 0, 1), &tdx, &err));
    CHECK(!ovmf_read_tdx(TDX(0, 0, 0xfffff000, 0, 0x1000, 0, 0, 1), &tdx, &err));
    CHECK_ERR("measured and empty");
    CHECK(!ovmf_read_tdx(TDX(0, 0x1000, 0xfffff000, 0xffffffff, 0x1000, 0, 0, 1), &tdx, &err));
    CHECK(!ovmf_read_tdx(TDX(0, 0x1000, 0, 0, 0, 1, 0, 1), &tdx, &err)); /* 4 GiB */
    page[4096 - 50] = 17;                                                /* the table's size */
    CHECK(!ovmf_read_tdx(view_of(page, sizeof page), &tdx, &err));
    page[4096 - 50] = 39; /* one byte less than its entry */
    CHECK(!ovmf_read_tdx(view_of(page, sizeof page), &tdx, &err));
    page[4096 - 50] = 0xff, page[4096 - 49] = 0xff;
    CHECK(!ovmf_read_tdx(view_of(page, sizeof page), &tdx, &err));
}

/* ---- digests (many more in tests/e2e/test_measure.py) ---- */

TEST(mrtd) {
    uint8_t digest[48];
    fresh();
    struct view file = vector("measure/tdvf-synthetic.fd");
    CHECK(tdx_mrtd(file, TDX_TWO_PASS, digest, &err));
    is_hex(digest, "f6b596bba8df97c92b4034ff5fc343c91af086e02a43c2a51eef60681c2dd9701c09dd4b665622fc849e9ec0d4b91dee");
    CHECK(tdx_mrtd(file, TDX_SINGLE_PASS, digest, &err));
    is_hex(digest, "d3fbe3cb4a4e9601f08a4f29fd75ef28992ee0326a949a8e92278cd2410c089af1b3d8dcfb5275e2ff2c73b77e1c0dd8");
}

static struct snp_guest guest(void) {
    return (struct snp_guest){.firmware = vector("measure/ovmf_AmdSev_suffix.bin"),
                              .has_kernel = true,
                              .vcpus = 1,
                              .vcpu_signature = 0x800f12,
                              .guest_features = 0x21};
}

TEST(launch_digest) {
    uint8_t digest[48];
    fresh();
    struct snp_guest g = guest();
    CHECK(snp_launch_digest(&g, digest, &err));
    is_hex(digest, "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198");
    g.cmdline = VIEW("console=ttyS0 loglevel=7");
    CHECK(snp_launch_digest(&g, digest, &err));
    is_hex(digest, "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977");
    g.has_kernel = false;
    CHECK(snp_launch_digest(&g, digest, &err));
    is_hex(digest, "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b");
    g.firmware = view_first(g.firmware, 4095);
    CHECK(!snp_launch_digest(&g, digest, &err));
    CHECK_ERR("whole pages");
    g = guest();
    g.firmware = vector("measure/ovmf_OvmfX64_suffix.bin");
    CHECK(!snp_launch_digest(&g, digest, &err));
    CHECK_ERR("no page for the hashes");
    g.firmware = TDX(0, 0x1000, 0xfffff000, 0, 0x1000, 0, 0, 1);
    CHECK(!snp_launch_digest(&g, digest, &err));
    CHECK_ERR("no SEV metadata");
    g = guest();
    g.svsm = g.firmware;
    CHECK(!snp_launch_digest(&g, digest, &err));
    CHECK_ERR("starts the firmware alone");
    g.has_kernel = false;
    CHECK(!snp_launch_digest(&g, digest, &err));
    CHECK_ERR("SVSM: it does not say where it starts");
}

TEST(vcpu_types) {
    uint32_t signature;
    CHECK(snp_vcpu_signature("EPYC-v4", &signature) && signature == 0x800f12);
    CHECK(snp_vcpu_signature("EPYC-Rome", &signature) && signature == 0x830f10);
    CHECK(snp_vcpu_signature("EPYC-Milan-v2", &signature) && signature == 0xa00f11);
    CHECK(snp_vcpu_signature("EPYC-Genoa", &signature) && signature == 0xa10f10);
    CHECK(snp_vcpu_signature("EPYC-Turin", &signature) && signature == 0xb00f00);
    CHECK(!snp_vcpu_signature("EPYC-v9", &signature) && !snp_vcpu_signature("EPYC-", &signature) &&
          !snp_vcpu_signature("", &signature));
    CHECK(!snp_vcpu_signature("EPYC-Milan-v22", &signature) && !snp_vcpu_signature("EPYC-IBPB-v1", &signature));
}

/* RTMR1 of recorded logs, from the kernel's digest in them: one of each place of the separator. */
TEST(rtmr1_of_recorded_logs) {
    static const struct {
        bool separator_in_rtmr0;
        const char *kernel, *rtmr1;
    } logs[] = {
        {false, /* ccel-dstack-64k.bin */
         "a0832ba01668bfd12ac376617f3574d286e5331fddbe60a35683db80960ab5a2e588f00626beb0f033e2e7f6b306819f",
         "bdcf4ee0f7fdfe7c73fbb19ded73193aee23a6726b86d3b282ea097cf4c9ed7a0db21b5c1ccd513e410d90e310836b26"},
        {true, /* ccel-trustee-ovmf-64k.bin */
         "a2ccae1e7d6c668ca325bb09c882d8ce44d26d714ba6f58d2e8083fe291a704646afe24a2368bca3341728d78ec80a80",
         "775b9f6bfe99f8a31396f0d0218e67ffa796d3b96ccf961cbb0deba48c79c00f082cda1a5567c1c16305f1fc210c13c6"},
        {true, /* ccel-intel-unpadded.bin */
         "b575e51f1a73199887af3efbc09d3a0843ed866601886a8db93ab90a29086bbf4f4a84c6d161159d51be65172367442e",
         "6484f0d72c03521c0434553be34e8db8228b729e799666d2b7754085c77aa9981f5a440df3047194b24f212ff1160c1e"},
    };
    uint8_t sha256[32] = {0}, kernel[48];
    struct boot_register r;
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        CHECK(hex_decode(view_str(logs[i].kernel), kernel, 48));
        boot_rtmr1(sha256, kernel, logs[i].separator_in_rtmr0, &r);
        is_hex(r.banks[1].value, logs[i].rtmr1);
    }
}

/* ---- boot ---- */

/* A bzImage as far as matters here: setup header of protocol 2.15, PE headers at 0x300, one section. */
static struct view small_kernel(void) {
    uint8_t *k = arena_alloc(&arena, 0x800);
    struct writer w = writer_of(k, 0x800);
    CHECK(k);
    memcpy(k, "MZ", 2);
    w.n = 0x3c;
    write_le32(&w, 0x300);
    memcpy(k + 0x202, "HdrS\x0f\x02", 6);
    memcpy(k + 0x22c, "\xff\xff\xff\x7f", 4);
    w.n = 0x300;
    write_bytes(&w, VIEW("PE\0\0\x64\x86\1\0"));
    w.n = 0x314;
    write_le16(&w, 240);
    w.n = 0x318;
    write_le16(&w, 0x20b);
    w.n = 0x318 + 32;
    write_le32(&w, 0x1000);
    write_le32(&w, 0x200);
    w.n = 0x318 + 56;
    write_le32(&w, 0x2000);
    write_le32(&w, 0x600);
    w.n = 0x318 + 108;
    write_le32(&w, 16);
    w.n = 0x318 + 240;
    write_bytes(&w, VIEW(".text\0\0\0"));
    write_le32(&w, 0x200);
    write_le32(&w, 0x1000);
    write_le32(&w, 0x200);
    write_le32(&w, 0x600);
    return view_of(k, 0x800);
}

static bool predicts(const struct boot *b, struct boot_register out[static BOOT_PCRS]) {
    return boot_predict_pcrs(b, &arena, out, &err);
}

static bool same(const struct boot_register *a, const struct boot_register *b) {
    return memcmp(a->banks[0].value, b->banks[0].value, 32) == 0 &&
           memcmp(a->banks[1].value, b->banks[1].value, 48) == 0;
}

/* What QEMU before 10 makes of the header, written out by hand. */
TEST(header_as_old_qemu_hands_it_over) {
    struct boot_register old[BOOT_PCRS], plain[BOOT_PCRS];
    static const uint8_t bytes[10000];
    fresh();
    struct boot b = {.kernel = small_kernel(),
                     .initrd = view_of(bytes, sizeof bytes),
                     .cmdline = VIEW("quiet"),
                     .qemu_major = 7,
                     .memory = 512u << 20};
    CHECK(predicts(&b, old));
    CHECK_EQ(b.kernel.p[0x210], 0); /* its own copy */
    uint8_t *k = (uint8_t *)b.kernel.p;
    uint32_t at = ((512u << 20) - 0x28000 - 1 - 10000) & ~4095u;
    k[0x210] = 0xb0, k[0x211] = 0x80, k[0x225] = 0xfe, k[0x22a] = 2;
    for (int i = 0; i < 4; i++) k[0x218 + i] = (uint8_t)(at >> 8 * i), k[0x21c + i] = (uint8_t)(10000 >> 8 * i);
    b.qemu_major = 10;
    CHECK(predicts(&b, plain) && same(&old[4], &plain[4]) && same(&old[9], &plain[9]));
    b.qemu_major = 7;
    b.memory = 1024u << 20;
    CHECK(predicts(&b, plain) && !same(&old[4], &plain[4]));
    CHECK(plain[0].unknown && plain[1].unknown && plain[7].unknown && plain[10].unknown && !plain[4].unknown &&
          !plain[5].unknown);
}

TEST(refuses_to_predict) {
    struct boot_register out[BOOT_PCRS];
    static const uint8_t bytes[1 << 20];
    fresh();
    const struct boot good = {.kernel = small_kernel(),
                              .initrd = view_of(bytes, sizeof bytes),
                              .cmdline = VIEW("quiet"),
                              .qemu_major = 7,
                              .memory = 512u << 20};
    struct boot b = good;
    CHECK(predicts(&b, out));
    b.memory = 1u << 20;
    CHECK(!predicts(&b, out));
    CHECK_ERR("does not fit 1048576 bytes");
    b.memory = 0;
    CHECK(!predicts(&b, out));
    b = good;
    b.cmdline = VIEW("quiet vga=ask");
    CHECK(!predicts(&b, out));
    CHECK_ERR("vga=");
    b.qemu_major = 10;
    CHECK(predicts(&b, out));
    b.cmdline = VIEW("caf\xc3\xa9");
    CHECK(!predicts(&b, out));
    CHECK_ERR("byte 0xc3");
    b = good;
    for (size_t n = 0; n < good.kernel.n; n += 13) { /* in memory of just that size */
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, good.kernel.p, n);
        b.kernel = view_of(copy, n);
        b.qemu_major = 7;
        CHECK(!predicts(&b, out));
        b.qemu_major = 10;
        CHECK(!predicts(&b, out));
        free(copy);
    }
    ((uint8_t *)good.kernel.p)[0x206] = 0x0b;
    b = good;
    CHECK(!predicts(&b, out));
    CHECK_ERR("boot protocol 2.11");
    b = (struct boot){.uki = vector("measure/plain.efi.bin")};
    CHECK(!predicts(&b, out));
    CHECK_ERR("no section .linux");
}

/* ---- ID block ---- */

static const char p384_key[] = /* throw-away */
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIGkAgEBBDCWZgmRW+s5hqFEI+Iq8pckI8hLL2JHut8ahOtIugyAu8FP6foUmvt1\n"
    "T9YC8ocDA3KgBwYFK4EEACKhZANiAAQMWewHhN32xqfYOz47LayOpPndHY6HkdiH\n"
    "HCHIcPEfva+CxzKYG6411VLLba5GKE0LRw5LCBUFTtESYVQqh0br64WLJ0xGTUF2\n"
    "sZ5neCJxjAz1mMQXSFCLBtzMfa5elHk=\n"
    "-----END EC PRIVATE KEY-----\n";
static const char p256_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                               "MHcCAQEEIMaCTwL3Tna+zsWyk6Wq3KsP7xO7TD9A7KetZeHp2csPoAoGCCqGSM49\n"
                               "AwEHoUQDQgAECPNzSvePHCGu4Ni5Et2is2KJymOu4d2v/MULv8QeekMD4ghiieph\n"
                               "QtRXXMvIfYorGFpJrQXN/CLWAtr878BvYw==\n"
                               "-----END EC PRIVATE KEY-----\n";

static bool signed_by(const uint8_t *key, const uint8_t *sig, struct view message) {
    uint8_t point[97] = {4}, raw[96], digest[48];
    for (int i = 0; i < 48; i++) {
        point[1 + i] = key[4 + 47 - i], point[49 + i] = key[4 + 72 + 47 - i];
        raw[i] = sig[47 - i], raw[48 + i] = sig[72 + 47 - i];
    }
    br_ec_public_key pk = {BR_EC_secp384r1, point, sizeof point};
    hash_once(HASH_SHA384, message, digest);
    return br_ecdsa_i31_vrfy_raw(&br_ec_prime_i31, digest, 48, &pk, raw, 96);
}

TEST(id_block) {
    struct id_block b = {.policy = 0x30000, .guest_svn = 3};
    struct id_signed s, again;
    fresh();
    memset(b.launch_digest, 0xab, 48);
    CHECK(id_block_sign(&b, view_str(p384_key), view_str(p384_key), &arena, &s, &err));
    CHECK(s.block[0] == 0xab && s.block[80] == 1 && s.block[84] == 3 && s.block[90] == 3 && s.auth[0] == 1 &&
          s.auth[4] == 1);
    CHECK(signed_by(s.auth + 0x240, s.auth + 0x40, view_of(s.block, 96)));
    CHECK(signed_by(s.auth + 0x880, s.auth + 0x680, view_of(s.auth + 0x240, 0x404)));
    s.block[0] ^= 1;
    CHECK(!signed_by(s.auth + 0x240, s.auth + 0x40, view_of(s.block, 96)));
    s.block[0] ^= 1;
    CHECK(id_block_sign(&b, view_str(p384_key), view_str(p384_key), &arena, &again, &err) &&
          memcmp(&s, &again, sizeof s) == 0);
    CHECK(id_block_sign(&b, view_str(p384_key), (struct view){0}, &arena, &s, &err) && s.auth[4] == 0 &&
          s.author_key_digest[0] == 0);
    CHECK(!id_block_sign(&b, view_str(p256_key), (struct view){0}, &arena, &s, &err));
    CHECK_ERR("ID key: EC PRIVATE KEY is no P-384");
    CHECK(!id_block_sign(&b, VIEW("text"), (struct view){0}, &arena, &s, &err));
    CHECK_ERR("ID key: no PEM block");
    CHECK(!id_block_sign(&b, view_str(p384_key), VIEW("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                         &arena, &s, &err));
    CHECK_ERR("author key: PUBLIC KEY is no P-384");
    for (size_t n = 0; n + 2 < strlen(p384_key); n++)
        CHECK(!id_block_sign(&b, view_of(p384_key, n), (struct view){0}, &arena, &s, &err));
}
