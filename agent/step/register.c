/* see register.h */
#include "step/register.h"

#include "step/measure.h"
#include "sys/console.h"
#include <errno.h>

/* "tdx, snp" */
static const char *names(unsigned tees, char out[static 24]) {
    struct writer w = writer_of(out, 24);
    for (unsigned kind = 0; kind < 3; kind++) {
        if (!(tees >> kind & 1)) continue;
        if (w.n) write_text(&w, ", ");
        write_text(&w, tee_name((enum tee_kind)kind));
    }
    return writer_str(&w);
}

static bool absent(unsigned tees, const char *found, struct err *e) {
    char wanted[24];
    err_set(e, ERR_POLICY, "the policy's tee wants %s, this machine has %s", names(tees, wanted), found);
    if (!tees || tees & POLICY_TEE_TPM)
        return err_mend(e, "give the machine a vTPM (QEMU: -tpmdev emulator with swtpm) with an active sha256 bank, or "
                           "run it as a confidential VM");
    return err_mend(e,
                    "run it as a confidential VM of that kind (drivers: configfs, tsm_report, tdx-guest or sev-guest)");
}

bool register_open(struct registers *r, struct err *e) {
    struct tpm tpm = {.fd = -1};
    if (r->opened) return true;
    if (!tee_open_cpu(r->root, &r->cpu, &r->has_cpu, e)) return false;
    r->has_tpm = tpm_open(r->has_cpu ? 0 : REGISTER_TPM_MS, &tpm, e);
    if (!r->has_tpm && e->sys != ENOENT && e->sys != ENXIO && e->sys != ENODEV) {
        if (!r->has_cpu) return err_in(e, "TPM");
        console_error("the TPM beside the CPU is left out", e);
    }
    r->tpm = tee_of_tpm(tpm, POLICY_PCR_DEFAULT); /* also without one: the descriptor says so */
    return r->opened = true;
}

bool register_begin(struct registers *r, unsigned tees, unsigned pcr, struct arena *a, struct measurement *measured,
                    struct err *e) {
    struct measurement first = {0}, second = {0};
    if (!register_open(r, e)) return false;
    bool cpu = r->has_cpu, vtpm = r->has_tpm;
    r->tpm.mr_index = pcr;
    if (!cpu && !vtpm) return absent(tees, "no TEE", e);
    struct tee *lead = cpu ? &r->cpu : &r->tpm;
    if (!(tees >> lead->kind & 1)) return absent(tees, tee_name(lead->kind), e);
    if (!measure_begin(&first, lead, pcr, a, e)) return false;
    if (cpu && vtpm) {
        if (!measure_begin(&second, &r->tpm, pcr, a, e)) return false;
        r->beside = second;
        first.also = &r->beside;
    }
    *measured = first;
    console_say("%s%s", tee_name(lead->kind), cpu && vtpm ? ", and a TPM beside it" : "");
    return measure_boot(measured, e);
}
