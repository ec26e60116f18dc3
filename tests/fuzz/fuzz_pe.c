/* fuzz_pe: any bytes as a PE image, its digest and sections; as a stub and kernel of a unified image, and what that
 * would measure. */
#include "fuzz_lib.h"
#include "tools/measure/boot.h"
#include "tools/uki.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct view file = view_of(bytes, n), section, image;
    struct pe pe;
    struct err e;
    uint8_t digest[HASH_MAX];
    size_t zeros;
    start(64u << 20);
    if (!pe_read(file, &pe, &e)) return 0;
    (void)pe_authenticode(&pe, HASH_SHA256, digest, &e);
    for (size_t i = 0; i < pe.section_count; i++)
        if (pe_section(&pe, pe.sections[i].name, &section, &zeros)) touch(section);
    struct uki_parts parts = {.stub = file, .linux_ = file, .initrd = VIEW("i"), .cmdline = VIEW("c")};
    if (n < (1u << 20) && uki_build(&parts, &arena, &image, &e)) {
        struct boot boot = {.uki = image};
        struct boot_register out[BOOT_PCRS];
        if (!pe_read(image, &pe, &e) || !pe_section(&pe, ".linux", &section, &zeros) || !view_eq(section, file))
            abort();
        (void)boot_predict_pcrs(&boot, &arena, out, &e);
    }
    return 0;
}
