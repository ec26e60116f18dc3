/* fuzz_ovmf: any bytes as the end of a firmware image: its tables, and digests over what they describe. */
#include "fuzz_lib.h"
#include "tools/measure/snp.h"
#include "tools/measure/ovmf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct view file = view_of(bytes, n);
    struct ovmf_sev sev;
    struct ovmf_tdx tdx;
    struct err e;
    uint64_t pages = 0;
    if (ovmf_read_tdx(file, &tdx, &e))
        for (size_t i = 0; i < tdx.count; i++)
            if (tdx.sections[i].raw_size) touch(view_of(bytes + tdx.sections[i].raw_at, tdx.sections[i].raw_size));
    if (!ovmf_read_sev(file, &sev, &e)) return 0;
    for (size_t i = 0; i < sev.count; i++) pages += sev.sections[i].size / 4096;
    if (pages > 64) return 0; /* time, not safety */
    struct snp_guest guest = {.firmware = file, .has_kernel = true, .vcpus = 2};
    uint8_t digest[48];
    (void)snp_launch_digest(&guest, digest, &e);
    return 0;
}
