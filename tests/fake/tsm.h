/* fake tsm: the kernel's TSM files over a folder. A test that uses it includes tsm.c, whose mkdir, rmdir, open, write and ioctl then win over the C
 * library's; paths outside the folder are the kernel's as ever. It behaves as Linux 7.3 was seen to: a report directory fills when it is
 * made, a write moves the generation and makes the report, a write to an RTMR extends it. */
#ifndef TESTS_FAKE_TSM_H
#define TESTS_FAKE_TSM_H

#include "base/view.h"
#include "sys/tee.h"

struct fake_tsm {
    char root[64];        /* the folder; fake_tsm_reset makes it */
    const char *provider; /* NULL: none has registered, mkdir gives ENXIO */
    struct view report;   /* what outblob gives, with report_data (and RTMR3) put in */
    size_t report_data_at, rtmr3_at; /* 0: not put in */
    struct view auxblob;  /* p == NULL: no such file */
    bool privlevel;       /* privlevel and its floor are there */

    int moves;            /* of the generation by a request: 1 */
    bool moves_again;     /* somebody else asks after outblob was opened */
    const char *provider_later; /* what provider says then */
    bool stale;           /* the report is over other report_data: an earlier one's */
    bool hangs;           /* outblob is a FIFO that nobody writes */
    int error, errors;    /* opening outblob fails so `errors` times; -1: always */
    int ccel_error, rtmr_error;
    bool lost_extend;     /* the RTMR takes a write and stays as it was */
    bool late_extend;     /* it extends and then fails */
    int ioctl_error;      /* of SNP_GET_EXT_REPORT */
    unsigned vmm_error;   /* with it */
};
extern struct fake_tsm fake_tsm;

/* A new folder with configfs' report directory, without faults, and with what TDX has (provider, RTMR3 of zeros). */
void fake_tsm_reset(const char *provider, struct view report, size_t report_data_at, size_t rtmr3_at);
/* A file of the folder: written, read (at most 64 bytes), removed. */
void fake_tsm_write(const char *path, struct view bytes);
size_t fake_tsm_read(const char *path, uint8_t out[static 64]);
void fake_tsm_remove(const char *path);
#define FAKE_TSM_RTMR3 "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384"
#define FAKE_TSM_CCEL "/sys/firmware/acpi/tables/data/CCEL"
#define FAKE_TSM_OWN "/sys/kernel/config/tsm/report/plinth"

#endif
