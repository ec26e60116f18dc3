/* tsm: reports of a confidential CPU through the kernel's TSM interface, configfs-tsm-report (Linux 6.7;
 * Documentation/ABI/testing/configfs-tsm-report), or, where that is missing, the ioctls of /dev/sev-guest
 * (include/uapi/linux/sev-guest.h); and the run-time registers of a TD through tsm-mr (Linux 6.16;
 * Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest).
 *
 * Which CPU it is, is what the kernel's provider says, not CPUID. `root` goes before every path: "" in a machine, a
 * folder in tests. Everything here runs aside (sys/aside.h) under a deadline. */
#ifndef PLINTH_SYS_TSM_H
#define PLINTH_SYS_TSM_H

#include "base/err.h"
#include "base/limits.h"
#include "base/writer.h"
#include "tee/report.h"

#define TSM_TDX "tdx_guest"
#define TSM_SEV "sev_guest"
#define TSM_NAME_MAX 32u
#define TSM_FILES_MS 5000    /* registers, provider */
#define TSM_REPORT_MS 40000 /* the kernel itself gives a TDX quote 30 s */

struct tsm {
    const char *root;
    char provider[TSM_NAME_MAX]; /* TSM_TDX, TSM_SEV or another name; empty: none */
    bool device;                 /* no configfs: TSM_SEV through /dev/sev-guest */
    int report_ms, files_ms;
};

/* Finds the provider: makes a report directory and reads it. True with an empty name when there is none. ERR_SYSTEM:
 * configfs has the folder but does not answer. */
bool tsm_open(const char *root, struct tsm *out, struct err *e);

/* A report over `report_data`, into `out`; the certificate table that came with it (SNP, GHCB 4.1.8.1) behind it, from
 * *report_n on. ERR_SYSTEM: the kernel or the host did not give one (in time); EINTR and EBUSY are tried again until
 * the deadline. ERR_DIGEST: the generation is not ours, before or after reading, so the report may be another's; the
 * provider changed. */
bool tsm_report(const struct tsm *t, const uint8_t report_data[static REPORT_DATA_SIZE], struct writer *out,
                size_t *report_n, struct err *e);

/* RTMR3 of a TD: value = SHA-384(value || digest). ERR_SYSTEM; a kernel without the file says what mends it. */
bool tsm_rtmr3_extend(const struct tsm *t, const uint8_t digest[static RTMR_SIZE], struct err *e);
bool tsm_rtmr3_read(const struct tsm *t, uint8_t value[static RTMR_SIZE], struct err *e);
/* MRCONFIGID of a TD, from the TDX module itself: a quote's would have come through the host. */
bool tsm_mrconfigid_read(const struct tsm *t, uint8_t value[static RTMR_SIZE], struct err *e);

/* The firmware's log of measurements, as the ACPI table CCEL tells of it: at most out->size bytes of it, which may end
 * in padding (tee/event.h, event_log_end). Nothing when there is no such table. ERR_SYSTEM: it cannot be read (ENOMEM:
 * it lies in ordinary memory). */
bool tsm_ccel(const struct tsm *t, struct writer *out, struct err *e);

#endif
