/* snp: the launch digest of an SEV-SNP guest (AMD 56860 "SEV-SNP Firmware ABI", SNP_LAUNCH_UPDATE, table "PAGE_INFO"),
 * as QEMU builds one: the firmware's pages, the sections of its metadata, then one VMSA page per vCPU. */
#ifndef PLINTH_TOOLS_MEASURE_SNP_H
#define PLINTH_TOOLS_MEASURE_SNP_H

#include "base/err.h"
#include "base/view.h"

struct snp_guest {
    struct view firmware;
    struct view svsm;                    /* COCONUT-SVSM (not IGVM) beside a firmware without variables, or empty */
    uint32_t svsm_vars_size;             /* bytes that the variables take between the two */
    bool has_kernel;                     /* kernel, initrd and command line are in the hashes table */
    struct view kernel, initrd, cmdline; /* cmdline without a NUL; empty initrd: none */
    uint32_t vcpus;                      /* 1..SNP_VCPUS_MAX */
    uint32_t vcpu_signature;             /* CPUID Fn0000_0001 EAX: family, model, stepping */
    uint64_t guest_features;             /* SEV_FEATURES of the VMSA; 0x1: SNP */
};
#define SNP_VCPUS_MAX 4096u

/* The signature of QEMU's CPU models of AMD ("EPYC-Milan", "EPYC-Genoa-v1", ...); false for other names. */
bool snp_vcpu_signature(const char *type, uint32_t *out);
/* ERR_FORMAT: firmware without what is needed (ovmf.h; a reset vector for more than one vCPU; room for the hashes of a
 * kernel), or not in whole pages. ERR_USAGE: an SVSM with a kernel, which starts none. */
bool snp_launch_digest(const struct snp_guest *guest, uint8_t out[static 48], struct err *e);

#endif
